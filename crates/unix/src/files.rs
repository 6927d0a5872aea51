//! Files without a name, and what a descriptor from another process really is.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{ErrorKind, Result};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fcntl_getfl, fstat};
use rustix::io::Errno;

/// How often another name is tried on a file system that cannot make files without one.
const NAME_TRIES: u32 = 16;

/// A new, empty file in `directory` that only the caller's user may open, that has no name and is gone when its last
/// descriptor is closed (`O_TMPFILE`, open(2)). File systems that do not know this get a random name for a moment.
///
/// # Errors
/// Any of open(2), such as `NotFound`, `PermissionDenied`, `StorageFull`.
pub fn unnamed(directory: &Path) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::EXCL;
    match rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
        Ok(descriptor) => Ok(File::from(descriptor)),
        // What kernels and file systems without O_TMPFILE answer, see open(2), BUGS.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => unlinked(directory),
        Err(error) => Err(error.into()),
    }
}

fn unlinked(directory: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // create_new is O_EXCL, which follows no link.
    options.read(true).write(true).create_new(true).mode(0o600);
    for _ in 0..NAME_TRIES {
        let random = std::hash::RandomState::new().build_hasher().finish();
        let path = directory.join(format!(".wsgi-{}-{random:016x}", std::process::id()));
        match options.open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// The same file, opened once more for reading only and with an offset of its own: what can be given to somebody who must
/// not write.
///
/// # Errors
/// Any of open(2); `NotFound` where `/proc` is not mounted.
pub fn read_only(file: &File) -> Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// A file, opened for reading with `root` as the root directory: links and `..` lead to nothing outside (openat2(2),
/// `RESOLVE_IN_ROOT`). Waits for nobody, whatever the file is.
///
/// # Errors
/// Any of openat2(2); `Unsupported` before Linux 5.6.
pub fn open_inside(root: &Path, path: &Path) -> Result<File> {
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, directory, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT)?;
    Ok(File::from(file))
}

/// Size of a regular file in bytes, if the descriptor is one and can be read from; `None` for a directory, a socket, a pipe,
/// a device, an `O_PATH` or write-only descriptor.
///
/// # Errors
/// Any of fstat(2) and fcntl(2).
pub fn readable_size(descriptor: impl AsFd) -> Result<Option<u64>> {
    let facts = fstat(&descriptor)?;
    if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let flags = fcntl_getfl(&descriptor)?;
    let mode = flags & OFlags::RWMODE;
    if flags.contains(OFlags::PATH) || (mode != OFlags::RDONLY && mode != OFlags::RDWR) {
        return Ok(None);
    }
    Ok(u64::try_from(facts.st_size).ok())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn check(mut file: File) {
        let facts = file.metadata().unwrap();
        assert_eq!((facts.nlink(), facts.mode() & 0o7777), (0, 0o600));
        file.write_all(b"body").unwrap();
        let mut again = read_only(&file).unwrap();
        let mut text = String::new();
        again.read_to_string(&mut text).unwrap();
        assert_eq!(text, "body");
        assert!(again.write_all(b"x").is_err());
        assert_eq!(readable_size(&again).unwrap(), Some(4));
    }

    #[test]
    fn sl_5_a_spool_file_is_private_and_has_no_name() {
        check(unnamed(&std::env::temp_dir()).unwrap());
        check(unlinked(&std::env::temp_dir()).unwrap());
        assert_eq!(unnamed(Path::new("/nowhere/at/all")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn wf_6_only_readable_regular_files_have_a_size() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(readable_size(&socket).unwrap(), None);
        assert_eq!(readable_size(File::open("/tmp").unwrap()).unwrap(), None);
        assert_eq!(readable_size(File::open("/dev/null").unwrap()).unwrap(), None);
        let path = OFlags::PATH | OFlags::CLOEXEC;
        assert_eq!(
            readable_size(rustix::fs::open("/etc/passwd", path, Mode::empty()).unwrap()).unwrap(),
            None
        );
        let write_only = unlinked(&std::env::temp_dir()).unwrap();
        let again = OpenOptions::new().write(true).open(format!("/proc/self/fd/{}", write_only.as_raw_fd()));
        assert_eq!(readable_size(again.unwrap()).unwrap(), None);
    }
}
