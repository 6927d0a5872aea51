//! The connections of this process: one epoll set that all request threads wait on, and the table of idle connections.
//!
//! Listener and connections are one-shot in the set, so an event wakes one thread, which then owns the connection until it
//! parks it again. A connection in the table is idle; one that a thread works on is not in it. That is all the drain needs.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use unix::stream::BufferSizes;

use crate::link::{LastLook, Link};
use crate::{codes, log};

/// Not a descriptor number: those fit 31 bits.
const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// What a thread woke up for.
#[derive(Debug)]
pub enum Wake {
    /// Somebody wants to connect.
    Listener,
    /// Something happened on this connection, which now belongs to the thread.
    Connection(Link),
    /// The process drains: serve [`Pool::last`] and leave.
    Stop,
}

/// The set and the table.
#[derive(Debug)]
pub struct Pool {
    epoll: OwnedFd,
    listener: OwnedFd,
    peer_uid: u32,
    /// Buffers of each connection.
    sizes: BufferSizes,
    stop: OwnedFd,
    nudge: OwnedFd,
    listener_rests: AtomicBool,
    busy: AtomicUsize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Nobody is accepted any more.
    closed: bool,
    draining: bool,
    /// Idle connections by descriptor number.
    idle: Vec<Option<Link>>,
    /// Connections that were idle when the drain began, with a request that must still be served.
    last: Vec<Link>,
}

impl Pool {
    /// A pool that accepts from `listener` peers with `peer_uid` only.
    ///
    /// # Errors
    /// Any of epoll_create(2), eventfd(2), epoll_ctl(2).
    pub fn new(listener: OwnedFd, peer_uid: u32, sizes: BufferSizes) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&listener, true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let nudge = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), once())?;
        epoll::add(&epoll, &stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        let (listener_rests, busy) = (AtomicBool::new(false), AtomicUsize::new(0));
        let table = Mutex::default();
        Ok(Self { epoll, listener, peer_uid, sizes, stop, nudge, listener_rests, busy, table })
    }

    /// Sleeps until there is something for this thread.
    pub fn wait(&self) -> Wake {
        loop {
            let mut space = [MaybeUninit::<epoll::Event>::uninit(); 1];
            let event = match epoll::wait(&self.epoll, &mut space, None) {
                Ok(([event, ..], _)) => *event,
                Ok(_) | Err(Errno::INTR) => continue,
                // A set that does not work cannot get better: finish as if told to.
                Err(error) => {
                    let facts = format_args!("epoll_wait failed: {error}. The request thread ends.");
                    log::report(codes::WAIT, facts);
                    return Wake::Stop;
                }
            };
            match event.data.u64() {
                LISTENER => return Wake::Listener,
                STOP => return Wake::Stop,
                number => {
                    let number = usize::try_from(number).unwrap_or(usize::MAX);
                    let link = self.table().idle.get_mut(number).and_then(Option::take);
                    if let Some(link) = link {
                        return Wake::Connection(link);
                    }
                }
            }
        }
    }

    /// Sleeps until the process drains.
    pub fn wait_for_stop(&self) -> Wake {
        // Whatever interrupts or breaks it: the drain serves what is left.
        while poll(&mut [PollFd::new(&self.stop, PollFlags::IN)], None) == Err(Errno::INTR) {}
        Wake::Stop
    }

    /// Accepts one connection and lets the next event on the listener wake a thread again. A peer with another uid is
    /// sent away before a byte is read (SK-3).
    pub fn accept(&self) -> Option<Link> {
        let accepted = {
            // Under the lock: once the door is closed, whoever connects waits for the successor.
            let table = self.table();
            if table.closed {
                return None;
            }
            accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        };
        match &accepted {
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                // Still readable: watching it now would only spin. The control thread lets it rest a little.
                self.listener_rests.store(true, Ordering::Release);
                let _ = rustix::io::write(&self.nudge, &1_u64.to_ne_bytes());
                return None;
            }
            _ => self.watch_listener(),
        }
        let socket = accepted.ok()?;
        match unix::peer::of(&socket) {
            Ok(peer) if peer.uid == self.peer_uid => {
                // It works with the system's sizes, too.
                let _ = self.sizes.set(&socket);
                Some(Link::new(socket, peer.pid.cast_unsigned()))
            }
            Ok(peer) => {
                let facts = format_args!(
                    "A connection from uid {}, pid {} was refused: only Apache's uid {} may talk to this worker.",
                    peer.uid, peer.pid, self.peer_uid
                );
                log::report(codes::STRANGER, facts);
                None
            }
            Err(error) => {
                let facts =
                    format_args!("A connection was refused: the kernel does not tell its peer: {error}.");
                log::report(codes::NO_PEER, facts);
                None
            }
        }
    }

    /// Whether accepting failed for want of descriptors or memory; [`Pool::watch_listener`] ends the rest.
    pub fn listener_rests(&self) -> bool {
        self.listener_rests.load(Ordering::Acquire)
    }

    /// Becomes readable when the listener begins to rest.
    pub fn nudge(&self) -> BorrowedFd<'_> {
        self.nudge.as_fd()
    }

    /// Empties [`Pool::nudge`].
    pub fn take_nudge(&self) {
        let _ = rustix::io::read(&self.nudge, &mut [0_u8; 8]);
    }

    /// Lets the next connection wake a thread.
    pub fn watch_listener(&self) {
        self.listener_rests.store(false, Ordering::Release);
        // ENOENT: the process drains and has taken the listener out of the set.
        let _ = epoll::modify(&self.epoll, &self.listener, epoll::EventData::new_u64(LISTENER), once());
    }

    /// Puts an idle connection back. While the process drains the caller keeps it and closes it by
    /// [`Link::last_look`].
    pub fn park(&self, mut link: Link) -> Option<Link> {
        let known = std::mem::replace(&mut link.registered, true);
        let number = link.as_fd().as_raw_fd();
        let Ok(index) = usize::try_from(number) else { return None };
        let mut table = self.table();
        if table.draining {
            return Some(link);
        }
        if table.idle.len() <= index {
            table.idle.resize_with(index + 1, || None);
        }
        let slot = table.idle.get_mut(index)?;
        // In the table first: the event may come before this call returns. The lock is held meanwhile, so that the
        // number stays this connection's.
        let link = slot.insert(link);
        let data = epoll::EventData::new_u64(index as u64);
        let watched = if known {
            epoll::modify(&self.epoll, &*link, data, once())
        } else {
            epoll::add(&self.epoll, &*link, data, once())
        };
        if let Err(error) = watched {
            *slot = None;
            drop(table);
            log::report(
                codes::NOT_WATCHED,
                format_args!("A connection cannot be watched: {error}. It is closed."),
            );
        }
        None
    }

    /// Stops accepting, before the drain that comes next: who connects from now on is the successor's.
    pub fn close(&self) {
        self.table().closed = true;
    }

    /// Whether nobody is accepted any more.
    pub fn is_closed(&self) -> bool {
        self.table().closed
    }

    /// Stops accepting, closes what is idle, and wakes all threads so that they finish and leave.
    pub fn drain(&self) {
        let idle = {
            let mut table = self.table();
            (table.closed, table.draining) = (true, true);
            std::mem::take(&mut table.idle)
        };
        // The listener stays open: it belongs to the slot, and the next worker of the slot accepts from it.
        let _ = epoll::delete(&self.epoll, &self.listener);
        let (serve, close): (Vec<_>, Vec<_>) =
            idle.into_iter().flatten().partition(|link| link.last_look() == LastLook::Request);
        self.table().last.extend(serve);
        drop(close);
        // Level-triggered and never read: every thread sees it. An eventfd's counter cannot overflow by adding one.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }

    /// A connection that still has a request although the process drains.
    pub fn last(&self) -> Option<Link> {
        self.table().last.pop()
    }

    /// Counts a request while the result lives.
    pub fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(&self.busy)
    }

    /// Requests that are running.
    pub fn running(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No code that may panic runs under this lock.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running request.
#[derive(Debug)]
pub struct Busy<'a>(&'a AtomicUsize);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn once() -> epoll::EventFlags {
    epoll::EventFlags::IN | epoll::EventFlags::ONESHOT
}
