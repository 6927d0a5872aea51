//! Waiting for a change of a shared counter (futex(2)), across processes.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex;

use crate::channel::timespec;

/// Sleeps while `cell` holds `expected`, at most for `timeout`. May wake without a reason: check again.
/// True unless the time is over.
#[must_use]
pub fn wait(cell: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    // Without FUTEX_PRIVATE_FLAG: other processes wake us.
    let result = futex::wait(cell, futex::Flags::empty(), expected, Some(&timespec(timeout)));
    !matches!(result, Err(Errno::TIMEDOUT))
}

/// Wakes up to `count` sleepers of all processes.
pub fn wake(cell: &AtomicU32, count: u32) {
    // The only possible failures are a bad address and bad flags, which a reference and a constant exclude.
    let _ = futex::wake(cell, futex::Flags::empty(), count);
}
