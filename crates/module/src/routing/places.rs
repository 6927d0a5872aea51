//! Where files can be WSGI scripts though no alias leads to them: where root's configuration gives the handler `wsgi-script` *and*
//! `Options ExecCGI`. Only lines of the configuration count, never what an `.htaccess` file says, so that nobody makes scripts
//! where root has not allowed them.
//!
//! ```text
//! <Directory /srv/x>             below /srv/x; * and ? hold, too; with [ or in an expression, what stands in front of it
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
use super::part::{Part, before};

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
    Below(Part),
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
    pub fn places(&self, main: Option<&Self>) -> BTreeSet<Part> {
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
                    (None, None) => places.extend(reached.everything().map(Part::from)),
                    (Some(part), None) | (None, Some(part)) => drop(places.insert(part.clone())),
                    (Some(one), Some(other)) => places.extend(one.and(other)),
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
    fn parts(&self, places: &[Place]) -> Vec<Option<Part>> {
        let mut parts = Vec::new();
        for place in places {
            match place {
                Place::Anywhere => parts.push(None),
                Place::Below(part) => parts.push(Some(part.clone())),
                Place::Url(url) => {
                    parts.extend(self.root.map(|root| Some([root, url.as_slice()].concat().into())));
                    let aliased = self.aliases.iter();
                    let aliased = aliased.filter_map(|(alias, target)| below(url, alias.as_deref(), target));
                    parts.extend(aliased.map(Part::from).map(Some));
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
pub fn lead(place: &Part) -> Lead {
    let shown = place.pattern.as_ref().map_or(place.directory.as_slice(), |pattern| pattern.as_bytes());
    Lead {
        directive: format!("wsgi-script in {}", shown.escape_ascii()),
        location: Vec::new(),
        reach: Reach::Files,
        target: place.directory.clone(),
        pattern: place.pattern.clone(),
        several: true,
        group: None,
        application_group: None,
        callable: None,
        order: Lead::LAST,
    }
}

/// Without those that are below others.
fn outermost(places: &BTreeSet<Part>) -> BTreeSet<Part> {
    let covered = |place: &Part| places.iter().any(|other| other != place && other.covers(place));
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
    let part = match (expression, argument.strip_prefix(b"^")) {
        // An expression that is not tied to the beginning of the path matches anywhere.
        (true, None) => return Place::Anywhere,
        (true, Some(rest)) => before(rest, |byte| b".*?+[](){}|\\^$".contains(&byte)).into(),
        (false, _) if wild(argument) => Part::of(argument),
        (false, _) => argument.clone().into(),
    };
    // What is below the root of all files is everything that URLs lead to.
    if part.directory.iter().all(|byte| *byte == b'/') { Place::Anywhere } else { Place::Below(part) }
}

fn wild(text: &[u8]) -> bool {
    text.iter().any(|byte| b"*?[".contains(byte))
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
        let shown = |part: Part| part.pattern.unwrap_or(String::from_utf8(part.directory).unwrap());
        said(text).places(None).into_iter().map(shown).collect()
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
            ("<Directory /home/*/public_html>", "/home/*/public_html"),
            ("<Directory /srv/v?>", "/srv/v?"),
            ("<Directory /home/*/site[0-9]/x>", "/home/*"),
            ("<Directory /srv/[ab]/x>", "/srv"),
            ("<Directory /*/site>", "/www"),
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
    fn wildcards_hold_beside_other_places() {
        for (one, other, expected) in [
            ("/home", "/home/*/site", &["/home/*/site"][..]),
            ("/home/*/site", "/home/*/site", &["/home/*/site"]),
            ("/home/joe/site/a", "/home/*/site", &["/home/*/site"]),
            ("/srv", "/home/*/site", &[]),
        ] {
            let text = format!(
                "<Directory {one}>\nOptions ExecCGI\n</>\n<Directory {other}>\nSetHandler wsgi-script\n</>"
            );
            assert_eq!(places(text.leak()), expected, "{one} {other}");
        }
        let joe = said(
            "<Directory /home/joe/a>\nOptions ExecCGI\n</>\n<Directory /home/*/a>\nSetHandler wsgi-script\n</>",
        );
        let joe = joe.places(None).into_iter().next().unwrap();
        assert_eq!(
            (joe.directory.as_slice(), joe.pattern.as_deref()),
            (&b"/home/joe/a"[..], Some("/home/*/a"))
        );
        let both = "<Directory /home/*/a>\nOptions ExecCGI\nSetHandler wsgi-script\n</>\n\
                    <Directory /home/*/b>\nOptions ExecCGI\nSetHandler wsgi-script\n</>";
        assert_eq!(places(both).len(), 2);
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
        assert_eq!(host.places(Some(&main)), [b"/host".to_vec().into()].into());
        assert_eq!(said("Options +ExecCGI").places(Some(&main)), [b"/www".to_vec().into()].into());
    }
}
