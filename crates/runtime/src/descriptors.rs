//! Taking over the descriptors that the supervisor leaves in a new worker.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_number_is_refused() {
        assert!(adopt(-1).is_err());
        assert!(adopt(i32::MAX).is_err());
    }
}
