//! Sockets of slots whose workers do not even get ready: who connects is sent away at once, so that the web server answers 503
//! instead of waiting for a worker that will not come soon.

use std::collections::BTreeSet;
use std::time::Instant;

use rustix::io::ioctl_fionbio;
use rustix::net::{SocketFlags, accept_with};

use super::Server;
use super::sources::Source;

/// Connections that are sent away before something else has its turn.
const AT_A_TIME: u32 = 64;

impl Server {
    /// Watches the sockets of slots that are down, and no longer those of slots that are not.
    pub(super) fn watch_down(&mut self, now: Instant) {
        for entry in &mut self.entries {
            let down = if entry.defined { entry.machine.down(now) } else { BTreeSet::new() };
            if down == entry.down {
                continue;
            }
            let over = entry.down.difference(&down).filter_map(|slot| entry.listener(*slot));
            over.for_each(|socket| self.sources.remove(socket));
            let watched = |slot: &u32| {
                let socket = entry.listener(*slot)?;
                // Another process may be quicker to accept: that must not stop this one.
                ioctl_fionbio(socket, true).ok()?;
                self.sources.add(socket, Source::Listener { key: entry.key, slot: *slot }).ok()
            };
            // One that cannot be watched is not sent away from: its requests wait.
            let added = down.difference(&entry.down).filter(|slot| watched(slot).is_some()).copied();
            let added: Vec<u32> = added.collect();
            entry.down.retain(|slot| down.contains(slot));
            entry.down.extend(added);
        }
    }

    /// Watches none: the sockets are about to be replaced or closed.
    pub(super) fn forget_down(&mut self) {
        for entry in &mut self.entries {
            for slot in std::mem::take(&mut entry.down) {
                entry.listener(slot).into_iter().for_each(|socket| self.sources.remove(socket));
            }
        }
    }

    /// Closes what has connected to a slot that is down. Not a byte is read: whoever has sent something sees a reset, and knows
    /// that nobody has looked at it.
    pub(super) fn send_away(&mut self, key: u64, slot: u32) {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return };
        let Some(socket) = entry.listener(slot).filter(|_| entry.down.contains(&slot)) else { return };
        for _ in 0..AT_A_TIME {
            if accept_with(socket, SocketFlags::CLOEXEC).is_err() {
                return;
            }
        }
    }
}
