//! What a directive's function sees: the place the directive stands in, the configuration values it may change there,
//! and its words.

use crate::config;
use crate::module::Module;
use crate::pool::Pool;
use crate::process;
use crate::server::Server;
use crate::text;
use httpd_sys as sys;
use std::ffi::c_void;
use std::marker::PhantomData;

/// One directive being read. It may be read at start (one thread) or, from `.htaccess`, by a request.
pub struct Scope<'s, M: Module> {
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    life: PhantomData<&'s mut sys::cmd_parms>,
    of: PhantomData<M>,
}

impl<'s, M: Module> Scope<'s, M> {
    /// # Safety
    /// Both pointers are what httpd called a directive of `M` with; they and what they lead to live for `'s`.
    pub(super) unsafe fn new(parms: *mut sys::cmd_parms, dir: *mut c_void) -> Scope<'s, M> {
        Scope { parms, dir, life: PhantomData, of: PhantomData }
    }

    /// The directive's name as documented (not as spelled in the file).
    pub fn name(&self) -> &'static str {
        // SAFETY: httpd points `cmd` at a record of this module, whose name is a static string.
        let name = unsafe { text::bytes((*(*self.parms).cmd).name) };
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("the directive")
    }

    /// File and line of the directive, for sentences that point at an earlier one.
    pub fn location(&self) -> (&'s [u8], u32) {
        // SAFETY: httpd sets `directive` for the call; its file name lives as long as the configuration.
        unsafe {
            match (*self.parms).directive.as_ref() {
                Some(directive) => (
                    text::bytes(directive.filename).unwrap_or_default(),
                    u32::try_from(directive.line_num).unwrap_or(0),
                ),
                None => (&[], 0),
            }
        }
    }

    /// The pool that lives as long as what is being configured.
    pub fn pool(&self) -> Pool<'s> {
        // SAFETY: httpd sets the pool for the call.
        unsafe { Pool::from_raw((*self.parms).pool) }
    }

    /// The server the directive stands in.
    pub fn server(&self) -> Server<'_> {
        // SAFETY: httpd sets the server for the call; the handle cannot outlive the borrow of the scope, so no
        // configuration value is changed while it is used.
        unsafe { Server::from_raw((*self.parms).server) }
    }

    /// The directory, location or file pattern of the section (or of the `.htaccess` file); `None` at server level.
    /// Directives that may stand in both places keep their value per directory when this is some, else per server.
    pub fn section(&self) -> Option<&'s [u8]> {
        // SAFETY: httpd sets the path for the call; the text lives in the configuration's pool.
        unsafe { text::bytes((*self.parms).path) }
    }

    /// The value of the section the directive stands in (at server level: what all directories of it start from).
    pub fn dir_config(&mut self) -> &mut M::Dir {
        // SAFETY: httpd passes this module's value for the section, made by `create_dir`; while a directive is read
        // nobody else uses it, and the scope is borrowed meanwhile.
        match unsafe { self.dir.cast::<M::Dir>().as_mut() } {
            Some(value) => value,
            None => panic!("the module has no configuration for this section"),
        }
    }

    /// The value of the server the directive stands in. Not for directives in sections or `.htaccess`, where other
    /// threads may be reading it: they get a sentence.
    pub fn server_config(&mut self) -> Result<&mut M::Server, String> {
        if let Some(section) = self.section() {
            let section = String::from_utf8_lossy(section);
            return Err(format!("{} cannot stand in the section {section}; put it outside", self.name()));
        }
        // SAFETY: live parameters; outside of sections the configuration is read by one thread, before requests.
        let server = unsafe { (*self.parms).server };
        self.value_of(server)
    }

    /// The main server's value, for what is declared in virtual hosts but must be known everywhere. Not from
    /// sections, as in [`Scope::server_config`].
    pub fn main_config(&mut self) -> Result<&mut M::Server, String> {
        self.server_config()?;
        self.value_of(M::record().main())
    }

    fn value_of(&mut self, server: *mut sys::server_rec) -> Result<&mut M::Server, String> {
        let value = match server.is_null() {
            true => std::ptr::null_mut(),
            // SAFETY: a server of the configuration that is being read.
            false => unsafe { config::raw::<M>((*server).module_config) },
        };
        // SAFETY: made by `create_server` of this module; one thread; the scope is borrowed meanwhile.
        unsafe { value.cast::<M::Server>().as_mut() }
            .ok_or_else(|| format!("{} cannot be read here: the module has no configuration", self.name()))
    }

    /// `path` made absolute with `ServerRoot`; `None` if httpd cannot (the path is invalid).
    pub fn server_root_relative(&self, path: &[u8]) -> Option<Vec<u8>> {
        process::server_root_relative(self.pool(), path)
    }
}

/// An option: name and value.
pub type NameValue = (Vec<u8>, Vec<u8>);

/// The words of a directive that reads its own line. Quotes and backslashes work as everywhere in httpd's
/// configuration (`ap_getword_conf`).
pub struct Words<'l> {
    line: &'l [u8],
}

impl<'l> Words<'l> {
    pub(super) fn new(line: Option<&'l [u8]>) -> Words<'l> {
        Words { line: line.unwrap_or_default().trim_ascii() }
    }

    /// Words of a line of one's own, for tests of directive functions.
    pub fn of(line: &'l str) -> Words<'l> {
        Words::new(Some(line.as_bytes()))
    }

    /// What is left of the line.
    pub fn rest(&self) -> &'l [u8] {
        self.line
    }

    /// The next word, unquoted; `None` at the end of the line.
    pub fn next_word(&mut self) -> Option<Vec<u8>> {
        (!self.line.is_empty()).then(|| self.take_word())
    }

    /// The next `name=value`; the value may be quoted (`name="a b"`). `None` at the end of the line; an error is the
    /// word that is no option.
    pub fn next_option(&mut self) -> Option<Result<NameValue, Vec<u8>>> {
        if self.line.is_empty() {
            return None;
        }
        let name = self.line.iter().take_while(|&&byte| byte != b'=' && !byte.is_ascii_whitespace()).count();
        if name == 0 || self.line.get(name) != Some(&b'=') {
            return Some(Err(self.take_word()));
        }
        let (name, rest) = self.line.split_at(name);
        self.line = &rest[1..];
        let empty = self.line.first().is_none_or(u8::is_ascii_whitespace);
        let value = if empty { Vec::new() } else { self.take_word() };
        self.line = self.line.trim_ascii_start();
        Some(Ok((name.to_vec(), value)))
    }

    /// Takes one word as `ap_getword_conf` does: a quote at its start reaches to the next equal quote, in which a
    /// backslash in front of that quote or of a backslash is dropped; without a quote the word ends at white space, and
    /// a backslash in front of a backslash is dropped.
    fn take_word(&mut self) -> Vec<u8> {
        let (word, used) = match self.line.first() {
            Some(&quote @ (b'"' | b'\'')) => quoted(&self.line[1..], quote),
            _ => {
                let end = self.line.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
                (unescape(&self.line[..end]), end)
            }
        };
        self.line = self.line[used..].trim_ascii_start();
        word
    }
}

/// An unquoted word with `\\\\` read as `\\`.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(word.len());
    let mut bytes = word.iter().peekable();
    while let Some(&byte) = bytes.next() {
        if byte == b'\\' && bytes.peek() == Some(&&b'\\') {
            bytes.next();
        }
        text.push(byte);
    }
    text
}

/// The text up to `quote` and how much of the line it took, the opening quote included.
fn quoted(line: &[u8], quote: u8) -> (Vec<u8>, usize) {
    let mut word = Vec::new();
    let mut at = 0;
    while at < line.len() && line[at] != quote {
        let escaped =
            line[at] == b'\\' && line.get(at + 1).is_some_and(|&next| next == quote || next == b'\\');
        at += usize::from(escaped);
        word.push(line[at]);
        at += 1;
    }
    (word, (at + 2).min(line.len() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut words = Words::of(line);
        std::iter::from_fn(|| words.next_word()).map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_split_and_unquoted_as_httpd_does() {
        assert_eq!(words("  a b\tc "), ["a", "b", "c"]);
        assert_eq!(words(r#""a b" 'c "d"' e"#), ["a b", "c \"d\"", "e"]);
        assert_eq!(words(r#""a \"b\" \\ \n" x"#), [r#"a "b" \ \n"#, "x"]);
        assert_eq!(words(r#""open end"#), ["open end"]);
        assert_eq!(words(r#""""#), [""]);
        assert_eq!(words(r#""a"b"#), ["a", "b"]);
        assert_eq!(words(r"a\\b \d+ x\ y"), [r"a\b", r"\d+", r"x\", "y"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn options_take_quoted_values() {
        let mut words = Words::of(r#"name a=1 b="x y" c= d='q' =e f"#);
        assert_eq!(words.next_word().unwrap(), b"name");
        let mut options = Vec::new();
        while let Some(option) = words.next_option() {
            options.push(option.map(|(n, v)| format!("{}:{}", n.escape_ascii(), v.escape_ascii())));
        }
        let expected = [Ok("a:1".into()), Ok("b:x y".into()), Ok("c:".into()), Ok("d:q".into())];
        assert_eq!(options[..4], expected);
        assert_eq!(options[4..], [Err(b"=e".to_vec()), Err(b"f".to_vec())]);
    }
}
