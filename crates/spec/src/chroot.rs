//! The root directory of a group's workers (`chroot=`), and what paths of the web server are called inside of it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Preload, Root};

/// An absolute directory without `.`, `..` and needless slashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chroot(PathBuf);

impl Chroot {
    /// Takes an absolute path; `None` for one with `..` in it, which names no fixed place.
    #[must_use]
    pub fn new(path: &Path) -> Option<Self> {
        let climbs = path.components().any(|part| part == Component::ParentDir);
        (path.is_absolute() && !climbs).then(|| Self(path.components().collect()))
    }

    /// The directory, as seen from outside.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// What a path inside is called outside.
    #[must_use]
    pub fn outside(&self, path: &Path) -> PathBuf {
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// What a path is called inside; `None` for one that is not below the root.
    #[must_use]
    pub fn inside<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let root = self.0.as_os_str().as_bytes();
        let root = root.strip_suffix(b"/").unwrap_or(root);
        path.strip_prefix(root).filter(|rest| rest.starts_with(b"/"))
    }

    /// As [`Self::inside`]; a path that is not below the root is taken as one inside, as scripts that Apache itself never looks at
    /// are written in either way.
    #[must_use]
    pub fn inside_or_same<'a>(&self, path: &'a [u8]) -> &'a [u8] {
        self.inside(path).unwrap_or(path)
    }

    /// The code that workers may load, by its names inside.
    #[must_use]
    pub fn roots(&self, roots: &[Root]) -> Vec<Root> {
        // A directory that the root is in lets everything inside be loaded.
        let path = |path: &Path| if self.0.starts_with(path) { PathBuf::from("/") } else { self.path(path) };
        // Wildcards that stand for a part of the root itself match nothing inside: nothing more is opened than was written.
        let pattern = |text: &String| {
            let inside = self.inside_or_same(text.as_bytes());
            text.get(text.len() - inside.len()..).unwrap_or(text).to_owned()
        };
        let named = |root: &Root| Root {
            path: path(&root.path),
            patterns: root.patterns.iter().map(pattern).collect(),
            ..root.clone()
        };
        roots.iter().map(named).collect()
    }

    /// What workers load at their start, by its names inside.
    #[must_use]
    pub fn preload(&self, preload: &[Preload]) -> Vec<Preload> {
        preload.iter().map(|one| Preload { script: self.path(&one.script), ..one.clone() }).collect()
    }

    fn path(&self, path: &Path) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(self.inside_or_same(path.as_os_str().as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allowed, Purpose};

    #[test]
    fn paths_are_named_from_inside() {
        let root = Chroot::new(Path::new("/srv//jail/./")).unwrap();
        assert_eq!(root.directory(), Path::new("/srv/jail"));
        assert_eq!(root.outside(Path::new("/usr/bin/python3")), Path::new("/srv/jail/usr/bin/python3"));
        for (outside, inside) in [
            ("/srv/jail/app.wsgi", Some("/app.wsgi")),
            ("/srv/jail/", Some("/")),
            ("/srv/jail", None),
            ("/srv/jailed/app.wsgi", None),
            ("/app.wsgi", None),
        ] {
            assert_eq!(root.inside(outside.as_bytes()), inside.map(str::as_bytes), "{outside}");
        }
        assert_eq!(root.inside_or_same(b"/app.wsgi"), b"/app.wsgi");
        assert_eq!(Chroot::new(Path::new("/")).unwrap().inside(b"/a"), Some(&b"/a"[..]));
        assert_eq!(Chroot::new(Path::new("/srv/../etc")), None);
        assert_eq!(Chroot::new(Path::new("srv")), None);
    }

    #[test]
    fn what_may_be_loaded_is_what_was_configured() {
        let root = |path: &str| Root {
            path: path.into(),
            patterns: vec!["/srv/jail/*/site".to_owned(), "/srv/*/site".to_owned()],
            purpose: Purpose::Application,
            callable: Allowed::Any,
            application_group: Allowed::Any,
        };
        let jail = Chroot::new(Path::new("/srv/jail")).unwrap();
        let named = |path| jail.roots(&[root(path)]).remove(0).path;
        assert_eq!(named("/srv/jail/app/x.wsgi"), Path::new("/app/x.wsgi"));
        assert_eq!(named("/srv/jail/app/"), Path::new("/app/"));
        for all in ["/srv", "/srv/jail", "/srv/jail/", "/"] {
            assert_eq!(named(all), Path::new("/"), "{all}");
        }
        assert_eq!(jail.roots(&[root("/srv/jail")]).remove(0).patterns, ["/*/site", "/srv/*/site"]);
        let preload = Preload { script: "/srv/jail/x.wsgi".into(), application_group: String::new() };
        assert_eq!(jail.preload(&[preload]).remove(0).script, Path::new("/x.wsgi"));
    }
}
