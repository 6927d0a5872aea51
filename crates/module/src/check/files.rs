//! What `apache2 -t` warns about aliases: scripts that are not there or that the web server's user cannot see, and aliases that
//! no request reaches. None of it forbids a start: scripts come and go while the server runs.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use httpd::Parent;

use crate::config::{Alias, Location};
use crate::hooks::Wsgi;
use crate::routing::alias::matched;

/// The ids that the web server's children look at files with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reader {
    uid: u32,
    groups: Vec<u32>,
}

/// Why a script cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unseen {
    Missing,
    /// The first directory that the web server's user may not pass.
    Closed(PathBuf),
}

/// Sentences about the aliases of all servers, each once.
pub(super) fn warnings(parent: &Parent<'_>) -> Vec<String> {
    let reader = Reader::children();
    let main = parent.server().config::<Wsgi>();
    let mut all = Vec::new();
    for server in parent.servers() {
        let config = server.config::<Wsgi>();
        let is_main = std::ptr::eq(config, main);
        if server.is_virtual() && is_main {
            continue;
        }
        // What a virtual host inherits is looked at in the main server; that its own aliases come first is how it should be.
        let inherited =
            |alias: &&Arc<Alias>| !is_main && main.aliases.iter().any(|other| Arc::ptr_eq(alias, other));
        let own: Vec<&Alias> =
            config.aliases.iter().filter(|alias| !inherited(alias)).map(Arc::as_ref).collect();
        for (number, alias) in own.iter().enumerate() {
            let mut others = own.iter().take(number);
            let first = others.find(|other| covers(recognises(other), recognises(alias)));
            all.extend(first.map(|other| unreached(alias, other)));
            all.extend(reader.warning(alias));
        }
    }
    all
}

/// Whether every URL path that an alias matches is another's already. Both as written, and whether they are expressions.
fn covers(other: (&[u8], bool), alias: (&[u8], bool)) -> bool {
    match (other, alias) {
        ((other, false), (alias, false)) => matched(alias, other).is_some(),
        ((other, true), (alias, true)) => other == alias,
        ((other, false), (_, true)) => other == b"/",
        ((_, true), (_, false)) => false,
    }
}

fn recognises(alias: &Alias) -> (&[u8], bool) {
    (&alias.written, matches!(alias.location, Location::Pattern(_)))
}

fn unreached(alias: &Alias, other: &Alias) -> String {
    let (alias, other) = (alias.directive(), other.directive());
    format!(
        "WSGI1329: {alias} is never reached, as {other} in front of it covers all its URLs: put the alias with the longer path first, \
         or remove one of the two"
    )
}

impl Reader {
    /// httpd's children: `User` and its groups, or whoever runs the check.
    pub(super) fn children() -> Self {
        let uid = super::children_uid();
        let gid = if super::is_root() { httpd::apache_user().gid } else { uzers::get_effective_gid() };
        let name = uzers::get_user_by_uid(uid);
        let groups = name.and_then(|user| uzers::get_user_groups(user.name(), gid)).unwrap_or_default();
        Self { uid, groups: groups.iter().map(uzers::Group::gid).chain([gid]).collect() }
    }

    fn warning(&self, alias: &Alias) -> Option<String> {
        let varies = matches!(alias.location, Location::Pattern(_)) && alias.target.contains(&b'$');
        let script = Path::new(std::ffi::OsStr::from_bytes(&alias.target));
        let unseen = self.look(script).filter(|_| !varies)?;
        let (directive, script) = (alias.directive(), script.display());
        Some(match unseen {
            Unseen::Missing => format!(
                "WSGI1327: {directive}: there is no file {script}: correct the path or create the script; until then its requests are \
                 answered with 404"
            ),
            Unseen::Closed(directory) => {
                let directory = directory.display();
                let user = uzers::get_user_by_uid(self.uid).map_or_else(
                    || format!("#{}", self.uid),
                    |user| user.name().to_string_lossy().into_owned(),
                );
                format!(
                    "WSGI1328: {directive}: the web server's user {user} may not pass the directory {directory} and cannot see the script \
                     {script}: let it pass, for example with chmod o+x {directory}, or move the script; until then its requests are \
                     answered with 403"
                )
            }
        })
    }

    /// The first directory above a path that this user may not pass. The path need not be there yet.
    pub(super) fn closed_above(&self, path: &Path) -> Option<PathBuf> {
        match self.look(path)? {
            Unseen::Missing => None,
            Unseen::Closed(directory) => Some(directory),
        }
    }

    /// Why a file cannot be seen, if so. Access control lists are not looked at.
    fn look(&self, file: &Path) -> Option<Unseen> {
        let mut directories: Vec<&Path> = file.ancestors().skip(1).collect();
        directories.reverse();
        let mut outer = Path::new("/");
        for path in directories.into_iter().chain([file]) {
            match path.metadata() {
                Ok(facts) if path != file && !self.may_pass(&facts) => {
                    return Some(Unseen::Closed(path.into()));
                }
                Ok(_) => outer = path,
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                    return Some(Unseen::Closed(outer.into()));
                }
                Err(_) => return Some(Unseen::Missing),
            }
        }
        None
    }

    fn may_pass(&self, directory: &Metadata) -> bool {
        let bit = if directory.uid() == self.uid {
            0o100
        } else if self.groups.contains(&directory.gid()) {
            0o010
        } else {
            0o001
        };
        self.uid == 0 || directory.mode() & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_directory_that_is_closed_is_named() {
        let root = std::env::temp_dir().join(format!("wsgi-files-{}", std::process::id()));
        let inner = root.join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("x.wsgi"), "").unwrap();
        let owner = root.metadata().unwrap();
        let stranger = Reader { uid: owner.uid() + 1, groups: vec![owner.gid() + 1] };
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        mode(&root, 0o755);
        assert_eq!(stranger.look(&inner.join("x.wsgi")), None);
        assert_eq!(stranger.look(&inner.join("y.wsgi")), Some(Unseen::Missing));
        mode(&root.join("a"), 0o710);
        let closed = Some(Unseen::Closed(root.join("a")));
        assert_eq!(stranger.look(&inner.join("x.wsgi")), closed);
        assert_eq!(stranger.look(&inner.join("y.wsgi")), closed, "what is behind it is nobody's business");
        let member = Reader { groups: vec![owner.gid()], ..stranger };
        assert_eq!(member.look(&inner.join("x.wsgi")), None);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn an_alias_covers_what_is_below_it() {
        for (other, one, covered) in [
            ("/", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/a", true),
            ("/a", "/a/", true),
            ("/a/", "/a", false),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
            ("//a", "/a/b", true),
        ] {
            let prefix = |written: &'static str| (written.as_bytes(), false);
            assert_eq!(covers(prefix(other), prefix(one)), covered, "{other} {one}");
        }
    }
}
