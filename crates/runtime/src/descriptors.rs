//! Taking over the descriptors that the supervisor leaves in a new worker, and checking those that children send.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{FdFlags, fcntl_setfd};

/// Takes over the descriptor with this number and marks it close-on-exec, so that no program the site starts inherits it.
///
/// # Errors
/// `EBADF` when no such descriptor is open.
pub fn adopt(number: i32) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(rustix::io::Errno::BADF.into());
    }
    // SAFETY: the number is used for one fcntl(2) only, which answers EBADF when nothing is open there.
    fcntl_setfd(unsafe { BorrowedFd::borrow_raw(number) }, FdFlags::CLOEXEC)?;
    // SAFETY: the supervisor opened it for this process alone, and each number is adopted once: `boot::run` refuses a second
    // call.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Why a descriptor that came with a request is not taken, or `None` for a readable regular file of at least `length` bytes.
pub fn fault_of_body(file: impl AsFd, length: u64) -> Option<&'static str> {
    let Ok(stat) = fstat(&file) else { return Some("it cannot be looked at") };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Some("it is not a regular file");
    }
    let Ok(flags) = fcntl_getfl(&file) else { return Some("it cannot be looked at") };
    if flags.contains(OFlags::PATH) || flags & OFlags::ACCMODE == OFlags::WRONLY {
        return Some("it is not open for reading");
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    (size < length).then_some("it is shorter than announced")
}

/// Whether a part of this file can be handed to a child.
pub fn is_regular_file(file: impl AsFd) -> bool {
    fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wf_6_only_readable_regular_files_are_bodies() {
        let directory = std::env::temp_dir();
        let path = directory.join(format!("wsgi-runtime-body-{}", std::process::id()));
        std::fs::write(&path, b"12345").unwrap();
        let open = |flags| rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
        assert_eq!(fault_of_body(open(OFlags::RDONLY), 5), None);
        assert_eq!(fault_of_body(open(OFlags::RDWR), 0), None);
        assert!(fault_of_body(open(OFlags::RDONLY), 6).is_some());
        assert!(fault_of_body(open(OFlags::WRONLY), 5).is_some());
        assert!(fault_of_body(open(OFlags::PATH), 5).is_some());
        let (pipe, socket) = (std::io::pipe().unwrap(), std::os::unix::net::UnixStream::pair().unwrap());
        assert!(fault_of_body(pipe.0, 0).is_some());
        assert!(fault_of_body(socket.0, 0).is_some());
        assert!(fault_of_body(std::fs::File::open(&directory).unwrap(), 0).is_some());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_closed_number_is_refused() {
        assert!(adopt(-1).is_err());
        assert!(adopt(i32::MAX).is_err());
    }
}
