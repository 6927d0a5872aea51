//! The descriptors the supervisor waits for, and their names in epoll(7).

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::group::WorkerId;
use crate::launch::Started;

/// Something that became readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Control channel.
    Channel,
    /// pidfd of httpd's parent.
    Parent,
    /// signalfd.
    Signals,
    /// pidfd of a worker.
    Exit(WorkerId),
    /// Status pipe of a worker.
    Status(WorkerId),
    /// Log pipe of a worker.
    Output(WorkerId),
    /// The socket of a slot that is down.
    Listener {
        /// Its group.
        key: u64,
        /// Below 4096: the most processes that a group can have.
        slot: u32,
    },
}

/// Slots that a group can have at most.
const SLOTS: u64 = 4096;

impl Source {
    fn to_token(self) -> u64 {
        match self {
            Self::Channel => 0,
            Self::Parent => 1,
            Self::Signals => 2,
            Self::Exit(id) => 4 + id.0 * 4,
            Self::Status(id) => 5 + id.0 * 4,
            Self::Output(id) => 6 + id.0 * 4,
            Self::Listener { key, slot } => (key * SLOTS + u64::from(slot)) * 4 + 3,
        }
    }

    fn from_token(token: u64) -> Option<Self> {
        let id = || WorkerId((token / 4).saturating_sub(1));
        match (token / 4, token % 4) {
            (0, 0) => Some(Self::Channel),
            (0, 1) => Some(Self::Parent),
            (0, 2) => Some(Self::Signals),
            (1.., 0) => Some(Self::Exit(id())),
            (1.., 1) => Some(Self::Status(id())),
            (1.., 2) => Some(Self::Output(id())),
            (number, 3) => {
                Some(Self::Listener { key: number / SLOTS, slot: u32::try_from(number % SLOTS).ok()? })
            }
            _ => None,
        }
    }
}

/// The set of descriptors that are waited for.
pub struct Sources {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Sources {
    /// An empty set.
    ///
    /// # Errors
    /// Any of epoll_create1(2).
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { epoll: epoll::create(CreateFlags::CLOEXEC)?, events: Vec::with_capacity(64) })
    }

    /// Waits for this one, too.
    ///
    /// # Errors
    /// Any of epoll_ctl(2).
    pub fn add(&self, descriptor: impl AsFd, source: Source) -> std::io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, EventData::new_u64(source.to_token()), EventFlags::IN)?)
    }

    /// Waits for all of a worker.
    ///
    /// # Errors
    /// Any of epoll_ctl(2).
    pub fn add_worker(&self, id: WorkerId, worker: &Started) -> std::io::Result<()> {
        self.add(&worker.child.handle, Source::Exit(id))?;
        self.add(&worker.status, Source::Status(id))?;
        self.add(&worker.output, Source::Output(id))
    }

    /// Waits for this one no longer. To be called before it is closed: a forked child may hold a copy for a moment.
    pub fn remove(&self, descriptor: impl AsFd) {
        let _absent = epoll::delete(&self.epoll, descriptor);
    }

    /// What is readable, after at most `timeout`; what workers print comes last, so that nothing else waits for it.
    ///
    /// # Errors
    /// Any of epoll_wait(2); an interruption is an empty answer.
    pub fn wait(&mut self, timeout: Option<Duration>) -> std::io::Result<Vec<Source>> {
        let timeout = timeout.map(unix::channel::timespec);
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut sources: Vec<Source> =
            self.events.iter().filter_map(|event| Source::from_token(event.data.u64())).collect();
        sources.sort_by_key(|source| matches!(source, Source::Output(_)));
        Ok(sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_unique_and_come_back() {
        let ids = [WorkerId(0), WorkerId(1), WorkerId(99)];
        let workers =
            ids.into_iter().flat_map(|id| [Source::Exit(id), Source::Status(id), Source::Output(id)]);
        let slots = [(0, 0), (0, 4095), (7, 1)].map(|(key, slot)| Source::Listener { key, slot });
        let all = [Source::Channel, Source::Parent, Source::Signals].into_iter().chain(workers).chain(slots);
        for source in all {
            assert_eq!(Source::from_token(source.to_token()), Some(source));
        }
    }
}
