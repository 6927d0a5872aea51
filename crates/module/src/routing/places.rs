//! Where files can be WSGI scripts though no alias leads to them: where root's configuration gives the handler `wsgi-script` *and*
//! `Options ExecCGI`. Only lines of the configuration count, never what an `.htaccess` file says, so that nobody makes scripts
//! where root has not allowed them.
//!
//! ```text
//! <Directory /srv/x>             below /srv/x; with wildcards, below what stands in front of the first one
//! <Location /x>                  below DocumentRoot/x, and below targets of aliases for such URLs
//! server level, <Directory />,   below DocumentRoot and below all targets of aliases
//! <LocationMatch>, <If> ...
//! ```
//!
//! A file must be below a place of both kinds.

use std::collections::BTreeSet;

use httpd::Line;
use spec::options::words::Words;

use super::leads::{Lead, Reach, is_below, parts};

/// The handler, by its name and as a media type.
const HANDLERS: [&str; 2] = ["wsgi-script", "x-httpd-wsgi"];
/// Directives that give files a handler or a media type.
const GIVING: [&str; 5] = ["addhandler", "sethandler", "addtype", "forcetype", "rewriterule"];

/// What one server's lines say, without those of the server that it inherits from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    executable: Vec<Place>,
    handled: Vec<Place>,
    document_roots: Vec<Vec<u8>>,
    /// URL path (none for an expression) and file or directory.
    aliases: Vec<(Option<Vec<u8>>, Vec<u8>)>,
}

/// A part of the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Whatever a URL may lead to.
    Anywhere,
    /// A directory and all below.
    Below(Vec<u8>),
    /// What URLs that begin so lead to.
    Url(Vec<u8>),
}

impl Said {
    /// What the lines of a server say, virtual hosts in them left out. `absolute` joins a path with `ServerRoot`.
    #[must_use]
    pub fn of(lines: &[Line<'_>], absolute: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Self {
        let mut said = Self::default();
        said.read(lines, &Place::Anywhere, absolute);
        said
    }

    fn read(&mut self, lines: &[Line<'_>], place: &Place, absolute: &dyn Fn(&[u8]) -> Option<Vec<u8>>) {
        for line in lines {
            let name = String::from_utf8_lossy(line.name).to_ascii_lowercase();
            let words = words(line.arguments);
            let first = words.first().map(Vec::as_slice).unwrap_or_default();
            match name.as_str() {
                "<virtualhost" => {}
                "<directory" | "<directorymatch" | "<location" | "<locationmatch" => {
                    self.read(&line.inside, &section(&name, &words), absolute);
                }
                _ if name.starts_with('<') => self.read(&line.inside, place, absolute),
                "options" if permits(&words) => self.executable.push(place.clone()),
                "documentroot" => self.document_roots.extend(absolute(first)),
                "virtualdocumentroot" | "virtualscriptalias" => {
                    self.document_roots.push(before(first, |byte| byte == b'%'));
                }
                "alias" | "aliasmatch" => self.alias(&name, &words, place, absolute),
                _ if GIVING.contains(&name.as_str()) && names_handler(line.arguments) => {
                    self.handled.push(place.clone());
                }
                _ => {}
            }
        }
    }

    fn alias(
        &mut self,
        name: &str,
        words: &[Vec<u8>],
        place: &Place,
        absolute: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
    ) {
        let (url, target) = match (words, place) {
            ([url, target, ..], _) => (Some(url.clone()).filter(|_| name == "alias"), target),
            ([target], Place::Url(url)) => (Some(url.clone()), target),
            ([target], _) => (None, target),
            ([], _) => return,
        };
        if let Some(target) = absolute(target) {
            let varies = |byte| byte == b'$' || byte == b'%';
            let fixed = if target.iter().copied().any(varies) { before(&target, varies) } else { target };
            self.aliases.push((url, fixed));
        }
    }

    /// The directories below which files can be scripts, for a server that inherits from `main`, or for the main server itself.
    #[must_use]
    pub fn places(&self, main: Option<&Self>) -> BTreeSet<Vec<u8>> {
        let both = |get: fn(&Self) -> &Vec<Place>| -> Vec<Place> {
            get(self).iter().chain(main.into_iter().flat_map(get)).cloned().collect()
        };
        let roots = match (self.document_roots.last(), main) {
            (None, Some(main)) => main.document_roots.last(),
            (root, _) => root,
        };
        let aliases: Vec<_> =
            self.aliases.iter().chain(main.into_iter().flat_map(|main| &main.aliases)).collect();
        let reached = Reached { root: roots, aliases };
        let executable = reached.parts(&both(|said| &said.executable));
        let handled = reached.parts(&both(|said| &said.handled));
        let mut places = BTreeSet::new();
        for one in &executable {
            for other in &handled {
                match (one, other) {
                    (None, None) => places.extend(reached.everything()),
                    (Some(part), None) | (None, Some(part)) => drop(places.insert(part.clone())),
                    (Some(one), Some(other)) if is_below(one, other) => drop(places.insert(one.clone())),
                    (Some(one), Some(other)) if is_below(other, one) => drop(places.insert(other.clone())),
                    (Some(_), Some(_)) => {}
                }
            }
        }
        outermost(&places)
    }
}

/// What URLs of a server lead to without aliases of ours.
struct Reached<'a> {
    root: Option<&'a Vec<u8>>,
    aliases: Vec<&'a (Option<Vec<u8>>, Vec<u8>)>,
}

impl Reached<'_> {
    fn everything(&self) -> impl Iterator<Item = Vec<u8>> {
        self.root.into_iter().chain(self.aliases.iter().map(|(_, target)| target)).cloned()
    }

    /// The places as directories; `None` is everything.
    fn parts(&self, places: &[Place]) -> Vec<Option<Vec<u8>>> {
        let mut parts = Vec::new();
        for place in places {
            match place {
                Place::Anywhere => parts.push(None),
                Place::Below(directory) => parts.push(Some(directory.clone())),
                Place::Url(url) => {
                    parts.extend(self.root.map(|root| Some([root, url.as_slice()].concat())));
                    let aliased = self.aliases.iter();
                    let aliased = aliased.filter_map(|(alias, target)| below(url, alias.as_deref(), target));
                    parts.extend(aliased.map(Some));
                }
            }
        }
        parts
    }
}

/// What a location leads to through an alias: a part of the target, or all of it where the alias is inside the location.
fn below(location: &[u8], alias: Option<&[u8]>, target: &[u8]) -> Option<Vec<u8>> {
    let Some(alias) = alias.filter(|alias| !is_below(alias, location)) else { return Some(target.to_vec()) };
    is_below(location, alias).then(|| {
        let rest = parts(location).skip(parts(alias).count());
        let end = target.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
        let start = target.get(..end).unwrap_or_default().to_vec();
        rest.fold(start, |path, name| [&path, name].join(&b'/'))
    })
}

/// A place for the analysis of where requests can lead.
#[must_use]
pub fn lead(place: &[u8]) -> Lead {
    Lead {
        directive: format!("wsgi-script in {}", place.escape_ascii()),
        location: Vec::new(),
        reach: Reach::Files,
        target: place.to_vec(),
        several: true,
        group: None,
        application_group: None,
        callable: None,
        order: Lead::LAST,
    }
}

/// Without those that are below others.
fn outermost(places: &BTreeSet<Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let covered = |place: &Vec<u8>| places.iter().any(|other| other != place && is_below(place, other));
    places.iter().filter(|place| !covered(place)).cloned().collect()
}

/// The place of a section, from its name in lower case and its arguments.
fn section(name: &str, words: &[Vec<u8>]) -> Place {
    let (expression, argument) = match words {
        [tilde, argument, ..] if tilde == b"~" => (true, argument),
        [argument, ..] => (name.ends_with("match"), argument),
        [] => return Place::Anywhere,
    };
    if name.starts_with("<location") {
        return if expression || wild(argument) { Place::Anywhere } else { Place::Url(argument.clone()) };
    }
    let directory = match (expression, argument.strip_prefix(b"^")) {
        // An expression that is not tied to the beginning of the path matches anywhere.
        (true, None) => return Place::Anywhere,
        (true, Some(rest)) => before(rest, |byte| b".*?+[](){}|\\^$".contains(&byte)),
        (false, _) if wild(argument) => before(argument, |byte| b"*?[".contains(&byte)),
        (false, _) => argument.clone(),
    };
    // What is below the root of all files is everything that URLs lead to.
    if directory.iter().all(|byte| *byte == b'/') { Place::Anywhere } else { Place::Below(directory) }
}

fn wild(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
}

/// The directory in front of the first byte that is special; the whole path where none is.
fn before(path: &[u8], special: impl Fn(u8) -> bool) -> Vec<u8> {
    let Some(at) = path.iter().position(|byte| special(*byte)) else { return path.to_vec() };
    let fixed = path.get(..at).unwrap_or_default();
    let end = fixed.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    fixed.get(..end).unwrap_or_default().to_vec()
}

/// Whether `Options` with these words permits to execute files.
fn permits(words: &[Vec<u8>]) -> bool {
    words.iter().any(|word| {
        let word = word.strip_prefix(b"+").unwrap_or(word);
        word.eq_ignore_ascii_case(b"ExecCGI") || word.eq_ignore_ascii_case(b"All")
    })
}

fn names_handler(arguments: &[u8]) -> bool {
    let arguments = String::from_utf8_lossy(arguments).to_ascii_lowercase();
    HANDLERS.iter().any(|handler| arguments.contains(handler))
}

/// The words of a line; the `>` of a section does not count.
fn words(arguments: &[u8]) -> Vec<Vec<u8>> {
    let arguments = arguments.trim_ascii_end();
    let mut words = Words::new(arguments.strip_suffix(b">").unwrap_or(arguments));
    // httpd has refused a line that cannot be split.
    std::iter::from_fn(|| words.word().ok().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a configuration; what stands in a section is behind it, up to its end.
    fn tree(text: &'static str) -> Vec<Line<'static>> {
        fn lines(rest: &mut std::str::Lines<'static>) -> Vec<Line<'static>> {
            let mut all = Vec::new();
            while let Some(text) = rest.next().map(str::trim) {
                if text.starts_with("</") {
                    break;
                }
                let (name, arguments) = text.split_once(' ').unwrap_or((text, ""));
                let inside = if name.starts_with('<') { lines(rest) } else { Vec::new() };
                let (name, arguments) = (name.as_bytes(), arguments.as_bytes());
                all.push(Line { name, arguments, inside, ..Line::default() });
            }
            all
        }
        lines(&mut text.lines())
    }

    fn said(text: &'static str) -> Said {
        Said::of(&tree(text), &|path| {
            Some([b"/root/".as_slice(), path].concat())
                .filter(|_| !path.starts_with(b"/"))
                .or(Some(path.to_vec()))
        })
    }

    fn places(text: &'static str) -> Vec<String> {
        said(text).places(None).into_iter().map(|place| String::from_utf8(place).unwrap()).collect()
    }

    #[test]
    fn handler_and_option_are_both_needed() {
        assert_eq!(
            places("<Directory /srv/a>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Directory>"),
            ["/srv/a"]
        );
        assert!(places("<Directory /srv/a>\nOptions +ExecCGI\n</Directory>").is_empty());
        assert!(places("<Directory /srv/a>\nAddHandler wsgi-script .wsgi\n</Directory>").is_empty());
        assert!(
            places("<Directory /srv/a>\nOptions +ExecCGI\nAddHandler cgi-script .cgi\n</Directory>")
                .is_empty()
        );
        assert!(
            places("<Directory /srv/a>\nOptions -ExecCGI\nSetHandler wsgi-script\n</Directory>").is_empty()
        );
        let apart = "AddHandler wsgi-script .wsgi\n<Directory /srv/a>\nOptions All\n</Directory>\n<Directory /srv/b>\n</Directory>";
        assert_eq!(places(apart), ["/srv/a"]);
        let other = "<Directory /a>\nOptions ExecCGI\n</Directory>\n<Directory /b>\nSetHandler wsgi-script\n</Directory>";
        assert!(places(other).is_empty());
        let deeper = "<Directory /a>\nOptions ExecCGI\n</Directory>\n<Directory /a/b>\nSetHandler wsgi-script\n</Directory>";
        assert_eq!(places(deeper), ["/a/b"]);
    }

    #[test]
    fn sections_of_all_kinds_have_their_places() {
        for (section, place) in [
            ("<Directory \"/srv/a b\">", "/srv/a b"),
            ("<Directory /home/*/public_html>", "/home"),
            ("<Directory ~ ^/srv/[a-z]+/x>", "/srv"),
            ("<DirectoryMatch \"^/srv/(x|y)/\">", "/srv"),
            ("<DirectoryMatch x$>", "/www"),
            ("<Directory />", "/www"),
            ("<Location /x>", "/www/x"),
            ("<Location />", "/www/"),
            ("<LocationMatch ^/x>", "/www"),
            ("<Files *.wsgi>", "/www"),
            ("<If \"true\">", "/www"),
        ] {
            let text = format!("DocumentRoot /www\n{section}\nOptions +ExecCGI\nSetHandler wsgi-script\n</>");
            assert_eq!(places(text.leak()), [place], "{section}");
        }
        let inside = "<Directory /srv/a>\nOptions +ExecCGI\n<FilesMatch x>\nForceType application/x-httpd-wsgi\n</>\n</>";
        assert_eq!(places(inside), ["/srv/a"]);
    }

    #[test]
    fn urls_lead_to_the_document_root_and_to_aliases() {
        let all = "DocumentRoot www\nAlias /a /srv/a\nAliasMatch ^/m/(.*) /srv/m/x$1\nAlias /sub /root/www/sub\n\
                   Options +ExecCGI\nAddHandler wsgi-script .wsgi";
        assert_eq!(places(all), ["/root/www", "/srv/a", "/srv/m"]);
        let one = "DocumentRoot /www\nAlias /a /srv/a\nAlias /b /srv/b\n<Location /a/x>\nOptions +ExecCGI\nSetHandler wsgi-script\n</>";
        assert_eq!(places(one), ["/srv/a/x", "/www/a/x"]);
        let inside = "<Location /a>\nAlias /srv/a\nOptions +ExecCGI\nSetHandler wsgi-script\n</Location>";
        assert_eq!(places(inside), ["/srv/a"]);
        let many = "VirtualDocumentRoot /vhosts/%0/www\nOptions +ExecCGI\nAddHandler wsgi-script .py";
        assert_eq!(places(many), ["/vhosts"]);
    }

    #[test]
    fn a_virtual_host_inherits_and_keeps_its_own() {
        let main = said(
            "DocumentRoot /www\nAddHandler wsgi-script .wsgi\n<VirtualHost *>\nOptions +ExecCGI\n</VirtualHost>",
        );
        assert!(main.places(None).is_empty(), "what stands in a virtual host is only its own");
        let host = said("DocumentRoot /host\nOptions +ExecCGI");
        assert_eq!(host.places(Some(&main)), [b"/host".to_vec()].into());
        assert_eq!(said("Options +ExecCGI").places(Some(&main)), [b"/www".to_vec()].into());
    }
}
