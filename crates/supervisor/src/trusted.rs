//! Opening directories that nobody but root, or the user who runs this, can exchange: component by component, every one checked
//! where it is held open. What the directory is for is the caller's part.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

/// As many symbolic links as the kernel follows (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Why a directory is not used.
#[derive(Debug)]
pub enum NotTrusted {
    /// This component could be exchanged by others.
    Unsafe {
        /// The component.
        path: PathBuf,
        /// What is wrong, as a predicate.
        reason: &'static str,
    },
    /// A system call failed.
    System(Errno),
}

impl From<Errno> for NotTrusted {
    fn from(error: Errno) -> Self {
        Self::System(error)
    }
}

/// A directory on the way, and where it is for messages.
struct Step {
    directory: OwnedFd,
    path: PathBuf,
}

/// Opens the directory at an absolute path, for use with `openat` and its kin. It and everything above it must belong to root
/// or to the own user, and be writable for nobody else; in a sticky directory (such as `/tmp`) only what belongs to them
/// cannot be exchanged. Symbolic links are followed under the same conditions.
///
/// # Errors
/// The component with what is wrong, or what the kernel says.
pub fn open(path: &Path) -> std::result::Result<OwnedFd, NotTrusted> {
    if !path.is_absolute() {
        return Err(Errno::INVAL.into());
    }
    let mut trail = vec![Step { directory: look(CWD, OsStr::new("/"))?, path: PathBuf::from("/") }];
    check(&rustix::fs::fstat(&trail[0].directory)?, Path::new("/"))?;
    let mut pending: Vec<OsString> = components(path);
    let mut links = 0;
    while let (Some(name), Some(above)) = (pending.pop(), trail.last()) {
        if name == ".." {
            trail.truncate(trail.len().saturating_sub(1).max(1));
            continue;
        }
        let found = look(&above.directory, &name)?;
        let stat = rustix::fs::fstat(&found)?;
        let path = above.path.join(&name);
        check(&stat, &path)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => trail.push(Step { directory: found, path }),
            FileType::Symlink => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = rustix::fs::readlinkat(&found, "", Vec::new())?.into_bytes();
                let target = PathBuf::from(OsString::from_vec(target));
                if target.is_absolute() {
                    trail.truncate(1);
                }
                pending.extend(components(&target));
            }
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    trail.pop().map(|step| step.directory).ok_or_else(|| Errno::NOENT.into())
}

/// Whoever can write to a directory can exchange what is in it, and whoever owns it can become able to write to it. In a sticky
/// directory only the owner of an entry can exchange it; the owners of all entries on the way are checked.
fn check(stat: &Stat, path: &Path) -> std::result::Result<(), NotTrusted> {
    let refuse = |reason| Err(NotTrusted::Unsafe { path: path.to_owned(), reason });
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse("belongs to another user");
    }
    let directory = FileType::from_raw_mode(stat.st_mode).is_dir();
    if directory && stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0 {
        return refuse("can be written to by others");
    }
    Ok(())
}

/// The entry itself, whatever it is.
fn look(at: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    rustix::fs::openat(at, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// The names on the way, the first one last.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        _ => None,
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};

    use super::*;

    fn refused(path: &Path) -> (PathBuf, &'static str) {
        match open(path) {
            Err(NotTrusted::Unsafe { path, reason }) => (path, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pd_9_a_directory_of_root_below_a_sticky_one_is_opened() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("a/run");
        fs::create_dir_all(&run).unwrap();
        symlink("a/../a", place.path().join("link")).unwrap();
        symlink(place.path().join("link"), place.path().join("whole")).unwrap();
        for path in [run.clone(), place.path().join("link/run"), place.path().join("whole/./run")] {
            let found = rustix::fs::fstat(open(&path).unwrap()).unwrap();
            assert_eq!(found.st_ino, fs::metadata(&run).unwrap().ino(), "{}", path.display());
        }
        assert!(matches!(open(Path::new("run")), Err(NotTrusted::System(Errno::INVAL))));
        assert!(matches!(open(&run.join("absent")), Err(NotTrusted::System(Errno::NOENT))));
        symlink("loop", place.path().join("loop")).unwrap();
        assert!(matches!(open(&place.path().join("loop")), Err(NotTrusted::System(Errno::LOOP))));
    }

    #[test]
    fn pd_9_sk_6_what_others_could_exchange_is_refused_wherever_it_is() {
        let place = tempfile::tempdir().unwrap();
        let (above, run) = (place.path().join("above"), place.path().join("above/run"));
        fs::create_dir_all(&run).unwrap();
        for mode in [0o777, 0o775] {
            fs::set_permissions(&above, Permissions::from_mode(mode)).unwrap();
            assert_eq!(refused(&run), (above.clone(), "can be written to by others"));
        }
        fs::set_permissions(&above, Permissions::from_mode(0o1777)).unwrap();
        assert!(open(&run).is_ok(), "sticky, and what is in it is ours");
        if !rustix::process::geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        chown(&run, Some(61_999), None).unwrap();
        assert_eq!(refused(&run), (run.clone(), "belongs to another user"));
        chown(&run, Some(0), None).unwrap();
        chown(&above, Some(61_999), None).unwrap();
        assert_eq!(refused(&run), (above, "belongs to another user"));
        let link = place.path().join("link");
        symlink("/run", &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(61_999), None).unwrap();
        assert_eq!(refused(&link), (link, "belongs to another user"));
    }
}
