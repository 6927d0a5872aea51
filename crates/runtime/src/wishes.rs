//! What request threads and watchers ask of the control thread: that the worker leaves now, or that it is replaced.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use spec::worker::Cause;

/// The wishes. The first one of a kind counts; asking again costs a look at an atomic number.
#[derive(Debug)]
pub struct Wishes {
    leave: Cell,
    replace: Cell,
    reason: Cell,
    wake: OwnedFd,
}

/// A cause that is set once.
#[derive(Debug, Default)]
struct Cell(AtomicU8);

impl Cell {
    fn get(&self) -> Option<Cause> {
        Cause::from_byte(self.0.load(Ordering::Acquire))
    }

    /// True when it was empty.
    fn set(&self, cause: Cause) -> bool {
        self.0.compare_exchange(0, cause as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Wishes {
    /// None yet.
    ///
    /// # Errors
    /// Any of eventfd(2).
    pub fn new() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { leave: Cell::default(), replace: Cell::default(), reason: Cell::default(), wake })
    }

    /// The worker is to take no new connection any more, finish what runs, and end; its successor starts meanwhile.
    pub fn leave(&self, cause: Cause) {
        if self.leave.set(cause) {
            self.ring();
        }
    }

    /// The worker is to serve until its successor is ready, then to leave.
    pub fn replace(&self, cause: Cause) {
        if self.replace.set(cause) {
            self.ring();
        }
    }

    fn ring(&self) {
        // An eventfd's counter cannot overflow by two.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Becomes readable with a wish.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Empties [`Self::bell`].
    pub fn take_bell(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
    }

    /// Why the worker is to leave.
    pub fn leaves(&self) -> Option<Cause> {
        self.leave.get()
    }

    /// Why the worker is to be replaced.
    pub fn is_replaced(&self) -> Option<Cause> {
        self.replace.get()
    }

    /// The worker leaves now. A drain command that answers the wish for replacement has that wish's cause.
    pub fn leaving(&self, cause: Cause) -> Cause {
        let asked = self.replace.get().filter(|_| cause == Cause::GracefulSignal);
        self.reason.set(asked.unwrap_or(cause));
        self.reason()
    }

    /// Why the worker has left: mod_wsgi's `shutdown_reason`.
    pub fn reason(&self) -> Cause {
        // All ways out but a failed epoll set lead through `leaving`.
        self.reason.get().unwrap_or(Cause::ShutdownSignal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_of_a_kind_counts() {
        let wishes = Wishes::new().unwrap();
        assert_eq!((wishes.leaves(), wishes.is_replaced()), (None, None));
        wishes.replace(Cause::MaximumRequests);
        wishes.replace(Cause::RestartInterval);
        wishes.leave(Cause::ScriptReload);
        assert_eq!(wishes.leaves(), Some(Cause::ScriptReload));
        assert_eq!(wishes.is_replaced(), Some(Cause::MaximumRequests));
    }

    #[test]
    fn the_reason_is_what_the_worker_wished() {
        let wishes = Wishes::new().unwrap();
        assert_eq!(wishes.reason(), Cause::ShutdownSignal);
        wishes.replace(Cause::MaximumRequests);
        assert_eq!(wishes.leaving(Cause::GracefulSignal), Cause::MaximumRequests);
        assert_eq!(wishes.leaving(Cause::ShutdownSignal), Cause::MaximumRequests, "the first");
        let wishes = Wishes::new().unwrap();
        wishes.replace(Cause::MaximumRequests);
        assert_eq!(wishes.leaving(Cause::ShutdownSignal), Cause::ShutdownSignal);
    }
}
