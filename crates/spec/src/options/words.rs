//! Splitting the arguments of a directive the way httpd does (`ap_getword_conf`), with quotes also after `name=`. Bytes, as the
//! configuration may hold paths in any encoding.

use super::OptionError;

/// An option: the name as it stands in the file, and the value without quotes.
pub type NameValue<'a> = (&'a [u8], Vec<u8>);

/// The words of a directive's arguments, first to last.
#[derive(Debug, Clone)]
pub struct Words<'a> {
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// Starts at the beginning of `arguments`.
    #[must_use]
    pub fn new(arguments: &'a [u8]) -> Self {
        Self { rest: arguments.trim_ascii() }
    }

    /// The next plain word, quoted or not; `None` at the end.
    ///
    /// # Errors
    /// A quote that is not closed.
    pub fn word(&mut self) -> Result<Option<Vec<u8>>, OptionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let word = self.value()?;
        self.rest = self.rest.trim_ascii_start();
        Ok(Some(word))
    }

    /// The next `name=value`; `None` at the end. The name is the text before the first `=`.
    ///
    /// # Errors
    /// A word without `=`, without a name, with white space around `=`, or with a quote that is not closed.
    pub fn option(&mut self) -> Result<Option<NameValue<'a>>, OptionError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let part_of_name = |byte: &&u8| !byte.is_ascii_whitespace() && !b"=\"'".contains(byte);
        let (name, rest) = self.rest.split_at(self.rest.iter().take_while(part_of_name).count());
        let Some(value) = rest.strip_prefix(b"=").filter(|_| !name.is_empty()) else {
            let word = self.rest.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            return Err(OptionError::NotAnOption(shown(word)));
        };
        self.rest = value;
        let empty = value.first().is_none_or(u8::is_ascii_whitespace);
        let value = if empty { Vec::new() } else { self.value()? };
        self.rest = self.rest.trim_ascii_start();
        Ok(Some((name, value)))
    }

    /// Reads a value that starts right here.
    fn value(&mut self) -> Result<Vec<u8>, OptionError> {
        let quote = self.rest.first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
        let mut text = Vec::new();
        let mut bytes = self.rest.iter().copied().enumerate().skip(usize::from(quote.is_some())).peekable();
        while let Some((at, byte)) = bytes.next() {
            if quote.map_or(byte.is_ascii_whitespace(), |quote| byte == quote) {
                let end = at + usize::from(quote.is_some());
                self.rest = self.rest.get(end..).unwrap_or_default();
                return Ok(text);
            }
            // A backslash stands for itself unless it is doubled or protects the quote in use.
            let escaped = bytes.peek().map(|(_, next)| *next).filter(|_| byte == b'\\');
            match escaped {
                Some(next) if next == b'\\' || Some(next) == quote => {
                    text.push(next);
                    bytes.next();
                }
                _ => text.push(byte),
            }
        }
        if quote.is_some() {
            return Err(OptionError::OpenQuote(shown(self.rest)));
        }
        self.rest = b"";
        Ok(text)
    }
}

/// A part of the configuration for a sentence.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut words = Words::new(line.as_bytes());
        std::iter::from_fn(|| words.word().unwrap()).map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn words_are_split_and_unquoted_as_httpd_does() {
        assert_eq!(words("  a b\tc "), ["a", "b", "c"]);
        assert_eq!(words(r#""a b" 'c "d"' e"#), ["a b", "c \"d\"", "e"]);
        assert_eq!(words(r#""a \"b\" \\ \n" x"#), [r#"a "b" \ \n"#, "x"]);
        assert_eq!(words(r#""""#), [""]);
        assert_eq!(words(r#""a"b"#), ["a", "b"]);
        assert_eq!(words(r"a\\b \d+ x\ y"), [r"a\b", r"\d+", r"x\", "y"]);
        assert_eq!(words(""), Vec::<String>::new());
        assert!(Words::new(br#""open end"#).word().is_err(), "httpd takes the rest of the line");
        assert_eq!(Words::new(b"\xff \xfe").word().unwrap().unwrap(), b"\xff");
    }

    #[test]
    fn options_take_quoted_values() {
        let mut words = Words::new(br#"a=1 b="x y" c= d='q' =e"#);
        let mut next = || words.option().map(Option::unwrap);
        for (name, value) in [(&b"a"[..], &b"1"[..]), (b"b", b"x y"), (b"c", b""), (b"d", b"q")] {
            assert_eq!(next().unwrap(), (name, value.to_vec()));
        }
        assert_eq!(next().unwrap_err(), OptionError::NotAnOption("=e".to_owned()));
        for bad in [&b"f"[..], b"f g=1", b"f =1", b"'f'=1"] {
            assert!(Words::new(bad).option().is_err(), "{}", bad.escape_ascii());
        }
    }
}
