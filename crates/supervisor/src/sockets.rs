//! The directory of listening sockets: made, bound into, adopted from, cleaned. A socket appears under its final name only
//! when its owner and mode are right. Who listens for whom is decided elsewhere.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Error, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use spec::group::{SocketPathTooLong, socket_path};

use crate::leftovers;
use crate::trusted::{self, NotTrusted};

const PRIVATE: &str = ".new";

/// What is wrong with a directory or socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path does not fit into a socket address.
    #[error(transparent)]
    TooLong(#[from] SocketPathTooLong),
    /// A directory that others could tamper with.
    #[error(
        "the directory {} for sockets {reason}; set WSGISocketPrefix to a path in a directory that only root can write to",
        path.display()
    )]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong, as a predicate.
        reason: &'static str,
    },
    /// The directory cannot be made.
    #[error(
        "cannot make the directory {} for sockets ({error}); the directory above it must exist and belong to the user who starts Apache: create it or set WSGISocketPrefix",
        path.display()
    )]
    NotMade {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        error: Error,
    },
    /// A system call failed.
    #[error("cannot {action} {}: {error}", path.display())]
    System {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        error: Error,
    },
    /// After all calls succeeded, the socket is not as it should be.
    #[error("the socket {} did not get the mode and owner it was given", path.display())]
    NotAsWanted {
        /// The socket.
        path: PathBuf,
    },
    /// A listener that was handed over is not the one it is said to be.
    #[error("the listener handed over for {} {reason}", path.display())]
    NotAdopted {
        /// The socket.
        path: PathBuf,
        /// What is wrong, as a predicate.
        reason: &'static str,
    },
}

/// Device and inode: which file it is, whatever its name.
type FileId = (u64, u64);

/// An open, checked directory of sockets.
#[derive(Debug)]
pub struct SocketDirectory {
    path: PathBuf,
    parent: OwnedFd,
    name: OsString,
    directory: OwnedFd,
    private: OwnedFd,
    root: bool,
    /// The sockets that were bound or adopted here, by name: nothing else is removed.
    ours: RefCell<BTreeMap<String, FileId>>,
}

impl SocketDirectory {
    /// Makes the directory, or takes over the one that a former supervisor of the same httpd has left.
    ///
    /// # Errors
    /// It cannot be made, or others could tamper with it.
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let root = rustix::process::geteuid().is_root();
        let not_made = |error: Error| SocketError::NotMade { path: path.to_owned(), error };
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(not_made(ErrorKind::InvalidInput.into()));
        };
        let parent = trusted::open(above).map_err(|error| match error {
            NotTrusted::Unsafe { path, reason } => SocketError::Unsafe { path, reason },
            NotTrusted::System(error) => not_made(error.into()),
        })?;
        // Others must be able to reach the sockets by name, but not to list them.
        let mode = if root { 0o711 } else { 0o700 };
        let directory = own_directory(&parent, name, path, mode)?;
        let private = own_directory(&directory, OsStr::new(PRIVATE), &path.join(PRIVATE), 0o700)?;
        let (path, name, ours) = (path.to_owned(), name.to_owned(), RefCell::default());
        Ok(Self { path, parent, name, directory, private, root, ours })
    }

    /// Whether the path still leads here: somebody who removes old files may have removed the directory, or put another one in
    /// its place.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let here = |held: &OwnedFd, found: rustix::io::Result<Stat>| {
            found.is_ok_and(|found| rustix::fs::fstat(held).is_ok_and(|held| id(&held) == id(&found)))
        };
        here(&self.directory, rustix::fs::lstat(&self.path))
            && here(&self.private, rustix::fs::statat(&self.directory, PRIVATE, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new listening socket `name` that only `owner` can connect to; replaces a former one of this name.
    ///
    /// # Errors
    /// Nothing is left under the final name that was not there before.
    pub fn bind(&self, name: &str, owner: u32, backlog: u32) -> Result<OwnedFd, SocketError> {
        let path = socket_path(&self.path, name)?;
        let failed = |action| {
            let path = path.clone();
            move |error: Errno| SocketError::System { action, path, error: error.into() }
        };
        let flags = SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
            .map_err(failed("make a socket for"))?;
        let _absent = rustix::fs::unlinkat(&self.private, name, AtFlags::empty());
        // A short name for the private directory, so that it needs no room in the address.
        let address = SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", self.private.as_raw_fd()))
            .map_err(failed("name"))?;
        rustix::net::bind(&socket, &address).map_err(failed("bind"))?;
        let placed = self.prepare(&self.private, name, owner, &path).and_then(|bound| {
            rustix::net::listen(&socket, limited(backlog)).map_err(failed("listen on"))?;
            rustix::fs::renameat(&self.private, name, &self.directory, name)
                .map_err(failed("put in its place"))?;
            Ok(bound)
        });
        let bound = placed.inspect_err(|_| {
            let _absent = rustix::fs::unlinkat(&self.private, name, AtFlags::empty());
        })?;
        self.ours.borrow_mut().insert(name.to_owned(), bound);
        Ok(socket)
    }

    /// Checks that a listener that was handed over is the socket `name` of this directory, and gives it owner and backlog.
    ///
    /// # Errors
    /// It is not, or its file is gone: a new one is needed.
    pub fn adopt(
        &self,
        listener: BorrowedFd<'_>,
        name: &str,
        owner: u32,
        backlog: u32,
    ) -> Result<(), SocketError> {
        let path = socket_path(&self.path, name)?;
        let not = |reason| SocketError::NotAdopted { path: path.clone(), reason };
        if sockopt::socket_domain(listener) != Ok(AddressFamily::UNIX)
            || sockopt::socket_type(listener) != Ok(SocketType::STREAM)
            || sockopt::socket_acceptconn(listener) != Ok(true)
        {
            return Err(not("is not a listening Unix stream socket"));
        }
        let address = rustix::net::getsockname(listener).ok().and_then(|a| SocketAddrUnix::try_from(a).ok());
        let bound = address.as_ref().and_then(SocketAddrUnix::path_bytes);
        let bound_name = bound.and_then(|bytes| Path::new(OsStr::from_bytes(bytes)).file_name());
        if bound_name != Some(OsStr::new(name)) {
            return Err(not("is bound to another name"));
        }
        let Ok(found) = self.stat(&self.directory, name) else {
            return Err(not("has no socket file any more"));
        };
        if self.ours.borrow().get(name).is_some_and(|ours| *ours != id(&found)) {
            return Err(not("has another socket file in its place"));
        }
        let adopted = self.prepare(&self.directory, name, owner, &path)?;
        rustix::net::listen(listener, limited(backlog)).map_err(|error| SocketError::System {
            action: "listen on",
            path: path.clone(),
            error: error.into(),
        })?;
        self.ours.borrow_mut().insert(name.to_owned(), adopted);
        Ok(())
    }

    /// Removes the file of a socket that was bound or adopted here; it is no error when it is gone.
    pub fn unlink(&self, name: &str) {
        let Some(ours) = self.ours.borrow_mut().remove(name) else { return };
        if self.stat(&self.directory, name).is_ok_and(|found| id(&found) == ours) {
            let _gone = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
        }
    }

    /// Removes the sockets of former supervisors that were not adopted, and the directories of dead servers beside this one.
    /// Returns what could not be removed.
    #[must_use]
    pub fn remove_leftovers(&self) -> Vec<PathBuf> {
        let mut left = Vec::new();
        let ours = self.ours.borrow();
        if leftovers::clear(&self.directory, |name| ours.contains_key(name)).is_err() {
            left.push(self.path.clone());
        }
        let above = self.path.parent().unwrap_or(&self.path);
        let dead = leftovers::remove_dead(&self.parent, &self.name, OsStr::new(PRIVATE));
        left.extend(dead.iter().map(|name| above.join(name)));
        left
    }

    /// Removes the sockets that were bound or adopted here, and the directory when nothing else is in it.
    ///
    /// # Errors
    /// `ENOTEMPTY` when something is, otherwise what unlinkat(2) says.
    pub fn remove(self) -> std::io::Result<()> {
        let names: Vec<String> = self.ours.borrow().keys().cloned().collect();
        names.iter().for_each(|name| self.unlink(name));
        remove_directory(&self.directory, OsStr::new(PRIVATE), &self.private)?;
        Ok(remove_directory(&self.parent, &self.name, &self.directory)?)
    }

    /// Gives a socket its mode and owner; which file it is. Mode first: once it belongs to somebody else, changing the mode would need another capability.
    fn prepare(&self, at: &OwnedFd, name: &str, owner: u32, path: &Path) -> Result<FileId, SocketError> {
        let mode = Mode::RUSR | Mode::WUSR;
        let failed = |action| {
            move |error: Errno| SocketError::System { action, path: path.to_owned(), error: error.into() }
        };
        let found = self.stat(at, name).map_err(failed("look at"))?;
        if found.st_mode & 0o7777 != mode.as_raw_mode() {
            rustix::fs::chmodat(at, name, mode, AtFlags::empty()).map_err(failed("set the mode of"))?;
        }
        if self.root && found.st_uid != owner {
            let owner = Some(Uid::from_raw(owner));
            rustix::fs::chownat(at, name, owner, None, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed("change the owner of"))?;
        }
        let now = self.stat(at, name).map_err(failed("look at"))?;
        if now.st_uid != owner || now.st_mode & 0o7777 != mode.as_raw_mode() {
            let _gone = rustix::fs::unlinkat(at, name, AtFlags::empty());
            return Err(SocketError::NotAsWanted { path: path.to_owned() });
        }
        Ok(id(&now))
    }

    /// The status of a file that must be a socket.
    fn stat(&self, at: &OwnedFd, name: &str) -> Result<Stat, Errno> {
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_socket = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_socket();
        if is_socket { Ok(stat) } else { Err(Errno::NOTSOCK) }
    }
}

fn limited(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

fn id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// Removes an empty directory if the name still leads to it.
fn remove_directory(at: &OwnedFd, name: &OsStr, held: &OwnedFd) -> Result<(), Errno> {
    match rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if id(&found) == id(&rustix::fs::fstat(held)?) => {
            rustix::fs::unlinkat(at, name, AtFlags::REMOVEDIR)
        }
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes or opens a directory that is ours alone to change.
fn own_directory(at: &OwnedFd, name: &OsStr, whole: &Path, mode: u32) -> Result<OwnedFd, SocketError> {
    let failed = |action| {
        move |error: Errno| SocketError::System { action, path: whole.to_owned(), error: error.into() }
    };
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(SocketError::NotMade { path: whole.to_owned(), error: error.into() }),
    }
    let directory = leftovers::open_directory(at, name).map_err(failed("open the directory"))?;
    let stat = rustix::fs::fstat(&directory).map_err(failed("look at"))?;
    if Uid::from_raw(stat.st_uid) != rustix::process::geteuid() {
        return Err(SocketError::Unsafe { path: whole.to_owned(), reason: "belongs to another user" });
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(SocketError::Unsafe { path: whole.to_owned(), reason: "can be written to by others" });
    }
    rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode)).map_err(failed("set the mode of"))?;
    Ok(directory)
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;
