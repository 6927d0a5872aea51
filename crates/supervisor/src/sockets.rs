//! The directory of listening sockets: made, bound into, adopted from, cleaned. A socket appears under its final name only
//! when its owner and mode are right. Who listens for whom is decided elsewhere.

use std::ffi::OsStr;
use std::io::{Error, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

/// Longest path of a socket: `sun_path` of unix(7) less its final NUL.
pub const LONGEST_PATH: usize = 107;
const PRIVATE: &str = ".new";

/// What is wrong with a directory or socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path does not fit into a socket address.
    #[error(
        "the socket path {path:?} has {length} bytes, {LONGEST_PATH} are possible; set WSGISocketPrefix to a shorter path"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
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

/// An open, checked directory of sockets.
#[derive(Debug)]
pub struct SocketDirectory {
    path: PathBuf,
    directory: OwnedFd,
    private: OwnedFd,
    root: bool,
}

impl SocketDirectory {
    /// Makes the directory, or takes over the one that a former supervisor of the same httpd has left.
    ///
    /// # Errors
    /// It cannot be made, or others could tamper with it.
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let root = rustix::process::geteuid().is_root();
        check_parent(path)?;
        // Others must be able to reach the sockets by name, but not to list them.
        let mode = if root { 0o711 } else { 0o700 };
        let directory = own_directory(CWD, path, path, mode)?;
        let private =
            own_directory(directory_fd(&directory), Path::new(PRIVATE), &path.join(PRIVATE), 0o700)?;
        Ok(Self { path: path.to_owned(), directory, private, root })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole path of a socket, if it can be connected to.
    ///
    /// # Errors
    /// Too long for a socket address.
    pub fn socket_path(directory: &Path, name: &str) -> Result<PathBuf, SocketError> {
        let path = directory.join(name);
        let length = path.as_os_str().len();
        if length > LONGEST_PATH { Err(SocketError::TooLong { path, length }) } else { Ok(path) }
    }

    /// A new listening socket `name` that only `owner` can connect to; replaces a former one of this name.
    ///
    /// # Errors
    /// Nothing is left under the final name that was not there before.
    pub fn bind(&self, name: &str, owner: u32, backlog: u32) -> Result<OwnedFd, SocketError> {
        let path = Self::socket_path(&self.path, name)?;
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
        self.prepare(&self.private, name, owner, &path)?;
        rustix::net::listen(&socket, limited(backlog)).map_err(failed("listen on"))?;
        rustix::fs::renameat(&self.private, name, &self.directory, name)
            .map_err(failed("put in its place"))?;
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
        let path = Self::socket_path(&self.path, name)?;
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
        if self.stat(&self.directory, name).is_err() {
            return Err(not("has no socket file any more"));
        }
        self.prepare(&self.directory, name, owner, &path)?;
        rustix::net::listen(listener, limited(backlog)).map_err(|error| SocketError::System {
            action: "listen on",
            path: path.clone(),
            error: error.into(),
        })
    }

    /// Removes the file of a socket; it is no error when it is gone.
    pub fn unlink(&self, name: &str) {
        let _gone = rustix::fs::unlinkat(&self.directory, name, AtFlags::empty());
    }

    /// Removes the directory with all sockets in it.
    ///
    /// # Errors
    /// Something in it is not ours.
    pub fn remove(self) -> std::io::Result<()> {
        remove_our_files(&self.path)
    }

    /// Mode first: once it belongs to somebody else, changing the mode would need another capability.
    fn prepare(&self, at: &OwnedFd, name: &str, owner: u32, path: &Path) -> Result<(), SocketError> {
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
        Ok(())
    }

    /// The status of a file that must be a socket.
    fn stat(&self, at: &OwnedFd, name: &str) -> Result<Stat, Errno> {
        let stat = rustix::fs::statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let is_socket = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_socket();
        if is_socket { Ok(stat) } else { Err(Errno::NOTSOCK) }
    }
}

/// Removes the directories `{prefix}.{pid}` of dead servers beside `path`, if they are ours and hold nothing but sockets
/// under our names. Returns those that could not be removed.
pub fn remove_leftovers(path: &Path) -> Vec<PathBuf> {
    let (Some(parent), Some(prefix)) = (path.parent(), path.file_stem()) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let own_uid = rustix::process::geteuid();
    let dead = |candidate: &Path| {
        let same_prefix = candidate.file_stem() == Some(prefix) && candidate != path;
        let pid = candidate.extension().and_then(OsStr::to_str).and_then(|text| text.parse().ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        same_prefix
            && pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH))
            && rustix::fs::lstat(candidate).is_ok_and(|stat| {
                Uid::from_raw(stat.st_uid) == own_uid && stat.st_mode & 0o170_000 == 0o040_000
            })
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|candidate| dead(candidate) && remove_our_files(candidate).is_err()).collect()
}

/// Unlinks the sockets under our names in a directory, then the directory itself.
fn remove_our_files(path: &Path) -> std::io::Result<()> {
    for directory in [path.join(PRIVATE), path.to_owned()] {
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let is_socket = std::os::unix::fs::FileTypeExt::is_socket(&entry.file_type()?);
            if is_socket && is_our_name(&entry.file_name()) {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::remove_dir(&directory)?;
    }
    Ok(())
}

/// `{anything}-{8 hexadecimal digits}.{slot}.sock`, as `spec::group::socket_file_name` makes it.
fn is_our_name(name: &OsStr) -> bool {
    let parsed = name.to_str().and_then(|name| {
        let (rest, slot) = name.strip_suffix(".sock")?.rsplit_once('.')?;
        let (_, hash) = rest.rsplit_once('-')?;
        let digits = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(digits && slot.parse::<u32>().is_ok())
    });
    parsed == Some(true)
}

fn limited(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

fn directory_fd(directory: &OwnedFd) -> BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(directory)
}

/// Whoever may rename things in the parent could put another directory in our place.
fn check_parent(path: &Path) -> Result<(), SocketError> {
    let parent = path.parent().filter(|_| path.is_absolute()).unwrap_or(Path::new(""));
    let stat = rustix::fs::stat(parent)
        .map_err(|error| SocketError::NotMade { path: path.to_owned(), error: error.into() })?;
    let (writable, sticky) = (stat.st_mode & 0o022 != 0, stat.st_mode & 0o1000 != 0);
    if writable && !sticky {
        let path = parent.to_owned();
        return Err(SocketError::Unsafe { path, reason: "can be written to by others" });
    }
    Ok(())
}

/// Makes or opens a directory that is ours alone to change.
fn own_directory(at: BorrowedFd<'_>, name: &Path, whole: &Path, mode: u32) -> Result<OwnedFd, SocketError> {
    let failed = |action| {
        move |error: Errno| SocketError::System { action, path: whole.to_owned(), error: error.into() }
    };
    match rustix::fs::mkdirat(at, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(SocketError::NotMade { path: whole.to_owned(), error: error.into() }),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory =
        rustix::fs::openat(at, name, flags, Mode::empty()).map_err(failed("open the directory"))?;
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
