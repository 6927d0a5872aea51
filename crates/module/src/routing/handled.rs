//! Files that become WSGI scripts by `SetHandler` or `AddHandler` instead of an alias: which folders root's configuration opens for
//! them. Pure; the directives of other modules come as text.

use spec::options::words::Words;

/// A directive or section of any module, as it stands in the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// In lower case; of a section with `<` in front.
    pub name: String,
    /// As written, quotes included.
    pub arguments: Vec<u8>,
    /// What stands in the section.
    pub inside: Vec<Written>,
}

/// A folder whose files may be scripts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// Its path.
    pub path: Vec<u8>,
    /// The URL path or path of the section that opens it; `None` where it is a pattern, or no section.
    pub section: Option<Vec<u8>>,
}

/// What a URL path leads to, by `Alias` or `DocumentRoot`.
struct Mapped {
    url: Vec<u8>,
    target: Vec<u8>,
}

/// The folders that `Options ExecCGI` opens, where some directive makes files WSGI scripts at all. `.htaccess` files count for
/// neither: who may load what is decided before anybody but root has a say.
///
/// `levels` are the directives of one server: those of its `<VirtualHost>`, if it is one, and those of the main server.
#[must_use]
pub fn folders(levels: &[&[Written]]) -> Vec<Folder> {
    if !levels.iter().any(|level| makes_scripts(level)) {
        return Vec::new();
    }
    let mut mapped = Vec::new();
    levels.iter().for_each(|level| map(level, None, &mut mapped));
    let mut folders = Vec::new();
    levels.iter().for_each(|level| open(level, &Place::Everywhere, &mapped, &mut folders));
    folders.sort();
    folders.dedup();
    folders.retain(|folder| folder.path.iter().any(|byte| *byte != b'/'));
    folders
}

/// Whether a directive of another module names our handler, such as AddHandler, SetHandler, ForceType or a RewriteRule with `H=`.
fn makes_scripts(level: &[Written]) -> bool {
    let ours = |directive: &Written| {
        !directive.name.starts_with('<')
            && (contains(&directive.arguments, b"wsgi-script")
                || contains(&directive.arguments, b"x-httpd-wsgi"))
    };
    level.iter().any(|directive| ours(directive) || makes_scripts(inherited(directive)))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

/// What stands in a section, unless that is another server.
fn inherited(directive: &Written) -> &[Written] {
    if directive.name == "<virtualhost" { &[] } else { &directive.inside }
}

fn words(arguments: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Words::new(arguments);
    std::iter::from_fn(|| words.word().ok().flatten()).collect()
}

/// Collects where URL paths lead. In a `<Location>`, Alias has the target as its only argument.
fn map(level: &[Written], location: Option<&[u8]>, mapped: &mut Vec<Mapped>) {
    for directive in level {
        let words = words(&directive.arguments);
        let (url, target) = match (directive.name.as_str(), words.as_slice(), location) {
            ("documentroot" | "virtualdocumentroot", [target, ..], _) => (&b"/"[..], target),
            ("alias", [target], Some(location)) => (location, target),
            ("alias" | "aliasmatch", [url, target, ..], _) => (url.as_slice(), target),
            (section, [url, ..], _) if section.starts_with("<location") => {
                map(&directive.inside, Some(url), mapped);
                continue;
            }
            _ => {
                map(inherited(directive), location, mapped);
                continue;
            }
        };
        mapped.push(Mapped { url: url.to_vec(), target: fixed_part(target).to_vec() });
    }
}

/// Where a directive holds.
enum Place {
    /// In all folders.
    Everywhere,
    /// In this folder; whether the path is only the beginning of a pattern.
    Folder(Vec<u8>, bool),
    /// For this URL path; `None` when it is a pattern.
    Location(Option<Vec<u8>>),
}

fn open(level: &[Written], place: &Place, mapped: &[Mapped], folders: &mut Vec<Folder>) {
    for directive in level {
        if directive.name == "options" && permits(&directive.arguments) {
            add(place, mapped, folders);
        } else {
            match section(directive) {
                Some(inner) => open(&directive.inside, &inner, mapped, folders),
                None => open(inherited(directive), place, mapped, folders),
            }
        }
    }
}

/// Whether these Options contain ExecCGI. `All` does.
fn permits(arguments: &[u8]) -> bool {
    let named = |word: &Vec<u8>| {
        [&b"execcgi"[..], b"+execcgi", b"all", b"+all"].contains(&word.to_ascii_lowercase().as_slice())
    };
    words(arguments).iter().any(named)
}

/// The place that a section is, if it is one of its own.
fn section(directive: &Written) -> Option<Place> {
    let words = words(&directive.arguments);
    let (pattern, path) = match words.as_slice() {
        [tilde, path, ..] if tilde == b"~" => (true, path),
        [path, ..] => (directive.name.ends_with("match"), path),
        [] => return None,
    };
    match directive.name.as_str() {
        "<directory" | "<directorymatch" => {
            let fixed = fixed_part(path);
            Some(Place::Folder(fixed.to_vec(), pattern || fixed.len() < path.len()))
        }
        "<location" | "<locationmatch" => {
            let plain = !pattern && fixed_part(path).len() == path.len();
            Some(Place::Location(plain.then(|| path.clone())))
        }
        _ => None,
    }
}

/// The part of a path, or of an expression for paths, that holds for all it stands for: up to the last slash in front of the
/// first special character.
fn fixed_part(path: &[u8]) -> &[u8] {
    let path = path.strip_prefix(b"^").unwrap_or(path);
    match path.iter().position(|byte| b"*?[](){}^$|\\+%".contains(byte)) {
        None => path,
        Some(end) => {
            let fixed = path.get(..end).unwrap_or_default();
            let slash = fixed.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            fixed.get(..slash).unwrap_or_default()
        }
    }
}

fn add(place: &Place, mapped: &[Mapped], folders: &mut Vec<Folder>) {
    match place {
        Place::Folder(path, pattern) => {
            folders.push(Folder { path: path.clone(), section: (!pattern).then(|| path.clone()) });
        }
        Place::Everywhere | Place::Location(None) => {
            folders.extend(mapped.iter().map(|mapped| Folder { path: mapped.target.clone(), section: None }));
        }
        Place::Location(Some(location)) => folders.extend(mapped.iter().filter_map(|mapped| {
            let path = below(location, mapped)?;
            Some(Folder { path, section: Some(location.clone()) })
        })),
    }
}

/// The folder that a location leads to through a mapping; the whole target where the mapping is inside of the location.
fn below(location: &[u8], mapped: &Mapped) -> Option<Vec<u8>> {
    let plain = fixed_part(&mapped.url).len() == mapped.url.len();
    let trim = |path: &'_ [u8]| path.trim_ascii().strip_suffix(b"/").unwrap_or(path).to_vec();
    let (location, url) = (trim(location), trim(&mapped.url));
    let inside = |outer: &[u8], inner: &[u8]| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
    };
    if !plain || inside(&location, &url) {
        return Some(mapped.target.clone());
    }
    let rest = location.strip_prefix(url.as_slice()).filter(|_| inside(&url, &location))?;
    Some([&trim(&mapped.target), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads directives as httpd does, as far as the tests need it.
    fn tree(text: &str) -> Vec<Written> {
        fn level<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<Written> {
            let mut all = Vec::new();
            while let Some(line) = lines.next().filter(|line| !line.starts_with("</")) {
                let (name, arguments) = line.split_once(' ').unwrap();
                let inside = if name.starts_with('<') { level(lines) } else { Vec::new() };
                let arguments =
                    if name.starts_with('<') { arguments.trim_end_matches('>') } else { arguments };
                all.push(Written { name: name.to_lowercase(), arguments: arguments.into(), inside });
            }
            all
        }
        level(&mut text.lines().map(str::trim))
    }

    fn paths(levels: &[&str]) -> Vec<String> {
        let levels: Vec<Vec<Written>> = levels.iter().map(|text| tree(text)).collect();
        let levels: Vec<&[Written]> = levels.iter().map(Vec::as_slice).collect();
        folders(&levels).iter().map(|folder| String::from_utf8(folder.path.clone()).unwrap()).collect()
    }

    #[test]
    fn sk_10_only_folders_that_root_has_opened_for_scripts_count() {
        let open = "<Directory /srv/a>\nOptions +ExecCGI\n</Directory>";
        assert_eq!(paths(&[&format!("AddHandler wsgi-script .wsgi\n{open}")]), ["/srv/a"]);
        assert_eq!(paths(&[open]), [""; 0], "nothing makes files scripts");
        assert_eq!(
            paths(&["<Directory /srv/a>\nSetHandler wsgi-script\n</Directory>"]),
            [""; 0],
            "not opened"
        );
        assert_eq!(paths(&[&format!("AddHandler cgi-script .cgi\n{open}")]), [""; 0]);
        let closed = open.replace("+ExecCGI", "-ExecCGI");
        assert_eq!(paths(&[&format!("AddHandler wsgi-script .wsgi\n{closed}")]), [""; 0]);
    }

    #[test]
    fn every_way_to_make_files_scripts_counts() {
        let open = "<Directory /srv/a>\nOptions Indexes ExecCGI\n</Directory>";
        for way in [
            "SetHandler WSGI-Script",
            "AddType application/x-httpd-wsgi .wsgi",
            "<Files *.wsgi>\nForceType application/x-httpd-wsgi\n</Files>",
            "RewriteRule \\.wsgi$ - [H=wsgi-script]",
        ] {
            assert_eq!(paths(&[&format!("{way}\n{open}")]), ["/srv/a"], "{way}");
            assert_eq!(paths(&[open, way]), ["/srv/a"], "{way} at another level");
        }
        let other_host = format!("<VirtualHost *:80>\nSetHandler wsgi-script\n</VirtualHost>\n{open}");
        assert_eq!(paths(&[&other_host]), [""; 0], "the tree of another server");
    }

    #[test]
    fn sections_are_followed_to_their_folders() {
        let handler = "AddHandler wsgi-script .wsgi\n";
        let map = "DocumentRoot /srv/www\nAlias /a /srv/a\nAlias \"/b/c\" \"/srv/b c/\"\n";
        let options = |section: &str| {
            let name = section.split(' ').next().unwrap().trim_start_matches('<');
            format!("{handler}{map}{section}\nOptions All\n</{name}>")
        };
        for (section, expected) in [
            ("<Directory \"/srv/x y\">", &["/srv/x y"][..]),
            ("<Directory /home/*/public>", &["/home"]),
            ("<Directory ~ ^/srv/[ab]>", &["/srv"]),
            ("<DirectoryMatch ^/srv/one/.*$>", &["/srv/one"]),
            ("<Location /a>", &["/srv/a", "/srv/www/a"]),
            ("<Location /a/sub>", &["/srv/a/sub", "/srv/www/a/sub"]),
            ("<Location /b>", &["/srv/b c/", "/srv/www/b"]),
            ("<Location />", &["/srv/a", "/srv/b c/", "/srv/www"]),
            ("<LocationMatch ^/x>", &["/srv/a", "/srv/b c/", "/srv/www"]),
            ("<Directory />", &[]),
        ] {
            assert_eq!(paths(&[&options(section)]), expected, "{section}");
        }
        let everywhere = format!("{handler}{map}Options ExecCGI");
        assert_eq!(paths(&[&everywhere]), ["/srv/a", "/srv/b c/", "/srv/www"]);
        let nested = "<Directory /srv/a>\n<Files x.wsgi>\nOptions +ExecCGI\n</Files>\n</Directory>";
        assert_eq!(paths(&[&format!("{handler}{nested}")]), ["/srv/a"]);
        let location = "<Location /l>\nAlias /srv/l\nOptions +ExecCGI\n</Location>";
        assert_eq!(paths(&[&format!("{handler}{location}")]), ["/srv/l"]);
        assert_eq!(
            paths(&["VirtualDocumentRoot /srv/v/%0/www\nOptions +ExecCGI\nSetHandler wsgi-script"]),
            ["/srv/v"]
        );
    }

    #[test]
    fn the_section_is_kept_where_it_says_which_settings_hold() {
        let all = tree(
            "SetHandler wsgi-script\nAlias /a /srv/a\n<Location /a>\nOptions +ExecCGI\n</Location>\nOptions +ExecCGI",
        );
        let expected = [
            Folder { path: b"/srv/a".into(), section: None },
            Folder { path: b"/srv/a".into(), section: Some(b"/a".into()) },
        ];
        assert_eq!(folders(&[&all]), expected);
    }
}
