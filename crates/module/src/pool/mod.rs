//! Connections of one httpd child to workers: idle ones by worker slot, the last used first, and new ones. What is sent over them
//! is `relay`'s part.

mod connect;

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::groups::GroupHandle;
use crate::relay::{Failure, Line};

/// Idle connections to a worker that a child keeps in any case; more when the worker has more threads. Requests that wait in
/// the worker's sockets have connections of their own, so a child can use more of them than there are threads.
const KEPT: usize = 32;

/// The idle connections of one httpd child.
#[derive(Debug)]
pub struct Pool {
    slots: Vec<Mutex<Vec<OwnedFd>>>,
}

impl Pool {
    /// An empty pool for this number of worker slots of all groups.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self { slots: (0..slots).map(|_| Mutex::default()).collect() }
    }

    /// The connections to one worker: `slot` is numbered through all groups.
    #[must_use]
    pub fn lane<'a>(&'a self, group: &'a GroupHandle, slot: usize) -> Lane<'a> {
        Lane { pool: self, group, slot }
    }

    fn idle(&self, slot: usize) -> Option<MutexGuard<'_, Vec<OwnedFd>>> {
        // A list of descriptors is whole whatever a panicking thread was doing.
        self.slots.get(slot).map(|list| list.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The connections to one worker slot.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    pool: &'a Pool,
    group: &'a GroupHandle,
    slot: usize,
}

impl Line for Lane<'_> {
    fn idle(&self) -> Option<OwnedFd> {
        self.pool.idle(self.slot)?.pop()
    }

    fn fresh(&self) -> Result<OwnedFd, Failure> {
        connect::connect(self.group, self.slot)
    }

    fn keep(&self, connection: OwnedFd) {
        if let Some(mut idle) = self.pool.idle(self.slot)
            && idle.len() < (self.group.definition.threads as usize).max(KEPT)
        {
            idle.push(connection);
        }
    }

    fn forget(&self) {
        let old = self.pool.idle(self.slot).map(|mut idle| std::mem::take(&mut *idle));
        // Closed here, after the lock.
        drop(old);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn socket() -> OwnedFd {
        std::os::unix::net::UnixStream::pair().unwrap().0.into()
    }

    #[test]
    fn the_last_used_connection_is_used_next_and_the_number_kept_is_limited() {
        let pool = Pool::new(2);
        let group = connect::tests::group(std::path::Path::new("/x"), 0);
        let lane = pool.lane(&group, 1);
        assert!(lane.idle().is_none());
        let sockets: Vec<OwnedFd> = (0..=KEPT).map(|_| socket()).collect();
        let last = sockets[KEPT - 1].as_raw_fd();
        sockets.into_iter().for_each(|socket| lane.keep(socket));
        assert_eq!(lane.idle().unwrap().as_raw_fd(), last);
        assert_eq!(std::iter::from_fn(|| lane.idle()).count(), KEPT - 1);
        lane.keep(socket());
        assert!(pool.lane(&group, 0).idle().is_none());
        lane.forget();
        assert!(lane.idle().is_none());
    }
}
