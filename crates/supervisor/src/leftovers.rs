//! Removing what dead supervisors have left: sockets under our names, in directories under our names. Everything goes through
//! held directories, so that a path that changes meanwhile leads nowhere else. Living directories are `sockets`' part.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};

/// Opens a directory itself, not what a symbolic link of this name leads to.
///
/// # Errors
/// Any of openat(2).
pub fn open_directory(at: impl AsFd, name: &OsStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// Removes the directories `{prefix}.{pid}` of dead servers beside the one called `own`, if they are ours and hold nothing but
/// sockets under our names. Returns the names of those that could not be removed.
#[must_use]
pub fn remove_dead(parent: impl AsFd, own: &OsStr, private: &OsStr) -> Vec<OsString> {
    let names = names(&parent).unwrap_or_default();
    let dead = names.into_iter().filter(|name| name != own && is_dead(name, own));
    dead.filter(|name| matches!(remove(&parent, name, private), Err(error) if error != Errno::NOTDIR))
        .collect()
}

/// Unlinks the sockets under our names in a directory that `spare` does not name.
///
/// # Errors
/// Any of readdir(3) and unlinkat(2).
pub fn clear(directory: impl AsFd, spare: impl Fn(&str) -> bool) -> Result<()> {
    for name in names(&directory)? {
        let Some(text) = name.to_str().filter(|name| is_our_name(name) && !spare(name)) else { continue };
        let found = rustix::fs::statat(&directory, text, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode).is_socket() {
            rustix::fs::unlinkat(&directory, text, AtFlags::empty())?;
        }
    }
    Ok(())
}

/// Clears a directory of ours and removes it; `NOTDIR` when it is not one of ours.
fn remove(parent: impl AsFd, name: &OsStr, private: &OsStr) -> Result<()> {
    let directory = match open_directory(&parent, name) {
        // A symbolic link says LOOP.
        Err(Errno::LOOP) => return Err(Errno::NOTDIR),
        directory => directory?,
    };
    if rustix::fs::fstat(&directory)?.st_uid != rustix::process::geteuid().as_raw() {
        return Err(Errno::NOTDIR);
    }
    if let Ok(private_one) = open_directory(&directory, private) {
        clear(&private_one, |_| false)?;
        rustix::fs::unlinkat(&directory, private, AtFlags::REMOVEDIR)?;
    }
    clear(&directory, |_| false)?;
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

/// Whether this is `own` with the number of a process that does not exist.
fn is_dead(name: &OsStr, own: &OsStr) -> bool {
    let (name, own) = (Path::new(name), Path::new(own));
    let pid = name.extension().and_then(OsStr::to_str).and_then(|text| text.parse().ok());
    let pid = pid.and_then(rustix::process::Pid::from_raw);
    name.file_stem() == own.file_stem()
        && pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH))
}

fn names(directory: impl AsFd) -> Result<Vec<OsString>> {
    // Opened anew: the directory may be held as a mere place (O_PATH), and must be read from its beginning.
    let mut entries = Dir::new(open_directory(directory, OsStr::new("."))?)?;
    let mut names = Vec::new();
    while let Some(entry) = entries.read() {
        names.push(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned());
    }
    Ok(names)
}

/// `{anything}-{8 hexadecimal digits}.{slot}.sock`, as `spec::group::socket_file_name` makes it.
fn is_our_name(name: &str) -> bool {
    let parsed = || {
        let (rest, slot) = name.strip_suffix(".sock")?.rsplit_once('.')?;
        let (_, hash) = rest.rsplit_once('-')?;
        let digits = hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(digits && slot.parse::<u32>().is_ok())
    };
    parsed() == Some(true)
}
