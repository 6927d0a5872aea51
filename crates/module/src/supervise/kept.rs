//! What the parent keeps across configurations, though this module is unloaded in between: the supervisor's process number and
//! pidfd, the channel to it, and every listening socket, so that a supervisor that dies refuses no connection. No other process
//! keeps any of it.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use httpd::Retained;
use serde::{Deserialize, Serialize};
use spec::control::ListenerName;

const NAME: &std::ffi::CStr = c"mod_wsgi-rs supervisor";
/// Slot of the channel.
const CHANNEL: usize = 0;
/// Slot of the supervisor's pidfd.
const HANDLE: usize = 1;
/// Slot of the first listener.
const LISTENERS: usize = 2;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    /// The process that owns all of this.
    parent: u32,
    /// The supervisor; 0 for none.
    supervisor: i32,
    /// Number of the last configuration.
    generation: u64,
    /// The listener in each slot, from [`LISTENERS`] on.
    listeners: Vec<Option<ListenerName>>,
    /// The longest `shutdown-timeout` of the groups in force, in seconds.
    shutdown_limit: u64,
}

/// The kept state.
pub(super) struct Kept {
    memory: Retained,
    record: Record,
}

impl Kept {
    /// Opens what is kept; empty at the first start.
    ///
    /// # Errors
    /// A sentence when httpd's memory of it belongs to another version of this module.
    pub(super) fn open() -> Result<Self, String> {
        let memory = Retained::open(NAME).ok_or(
            "mod_wsgi was replaced by a version that cannot take over its running workers: stop httpd and start it again",
        )?;
        // What another version wrote is not read: it starts anew.
        let record = serde_json::from_slice(&memory.bytes()).unwrap_or_default();
        Ok(Self { memory, record })
    }

    /// Whether this process owns the state; httpd's children inherit a copy.
    pub(super) fn is_mine(&self) -> bool {
        self.record.parent == std::process::id()
    }

    /// The supervisor's process number; `None` when none is running.
    pub(super) fn supervisor(&self) -> Option<i32> {
        (self.record.supervisor != 0).then_some(self.record.supervisor)
    }

    /// A descriptor of the channel to the running supervisor.
    pub(super) fn channel(&self) -> Option<OwnedFd> {
        self.memory.descriptor(CHANNEL).ok().flatten()
    }

    /// The pidfd of the running supervisor.
    pub(super) fn handle(&self) -> Option<OwnedFd> {
        self.memory.descriptor(HANDLE).ok().flatten()
    }

    /// Number of the next configuration.
    pub(super) fn next_generation(&mut self) -> Result<u64, String> {
        self.record.generation += 1;
        self.save()?;
        Ok(self.record.generation)
    }

    /// Remembers a started supervisor.
    pub(super) fn set_supervisor(
        &mut self,
        pid: i32,
        handle: OwnedFd,
        channel: OwnedFd,
    ) -> Result<(), String> {
        (self.record.supervisor, self.record.parent) = (pid, std::process::id());
        self.memory.keep_descriptor(CHANNEL, channel).map_err(|error| not_kept(&error))?;
        self.memory.keep_descriptor(HANDLE, handle).map_err(|error| not_kept(&error))?;
        self.save()
    }

    /// Forgets the supervisor, not its listeners.
    pub(super) fn forget_supervisor(&mut self) -> Result<(), String> {
        self.record.supervisor = 0;
        drop(self.memory.take_descriptor(CHANNEL));
        drop(self.memory.take_descriptor(HANDLE));
        self.save()
    }

    /// The listeners with new descriptors of them.
    pub(super) fn listeners(&self) -> Vec<(ListenerName, OwnedFd)> {
        let slots = self.record.listeners.iter().enumerate();
        slots
            .filter_map(|(slot, name)| {
                let descriptor = self.memory.descriptor(slot + LISTENERS).ok().flatten()?;
                Some((name.clone()?, descriptor))
            })
            .collect()
    }

    /// Keeps listeners that the supervisor has bound; of those kept before, the ones that are still `wanted` stay.
    pub(super) fn update_listeners(
        &mut self,
        bound: Vec<(ListenerName, OwnedFd)>,
        wanted: impl Fn(&ListenerName) -> bool,
    ) -> Result<(), String> {
        for (slot, name) in self.record.listeners.iter_mut().enumerate() {
            let replaced = |name: &ListenerName| bound.iter().any(|(new, _)| new == name);
            if name.take_if(|name| !wanted(name) || replaced(name)).is_some() {
                drop(self.memory.take_descriptor(slot + LISTENERS));
            }
        }
        for (name, descriptor) in bound {
            let free = self.record.listeners.iter().position(Option::is_none);
            let slot = free.unwrap_or(self.record.listeners.len());
            self.memory.keep_descriptor(slot + LISTENERS, descriptor).map_err(|error| not_kept(&error))?;
            match self.record.listeners.get_mut(slot) {
                Some(place) => *place = Some(name),
                None => self.record.listeners.push(Some(name)),
            }
        }
        self.save()
    }

    /// The longest `shutdown-timeout` of the groups in force.
    pub(super) fn shutdown_limit(&self) -> Duration {
        Duration::from_secs(self.record.shutdown_limit)
    }

    /// Remembers the longest `shutdown-timeout`; saved with the next change.
    pub(super) fn set_shutdown_limit(&mut self, limit: Duration) {
        self.record.shutdown_limit = limit.as_secs();
    }

    /// Closes everything in this process.
    pub(super) fn close(&mut self) {
        self.memory.close_descriptors();
    }

    fn save(&mut self) -> Result<(), String> {
        let bytes = serde_json::to_vec(&self.record).map_err(|error| not_kept(&error))?;
        self.memory.set_bytes(&bytes).map_err(|error| not_kept(&error))
    }
}

/// Has every process that this one forks close what is kept, also helpers of other modules that are forked without a program of
/// their own and never become children of the MPM (mod_cgid's daemon). To be called as soon as this module is loaded: such helpers
/// may be started again before anything else happens.
pub fn close_in_forked_processes() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.swap(true, Ordering::Relaxed) {
        // It fails without memory only; then the supervisor still listens to nobody but httpd's parent.
        let _ = unix::process::on_fork_in_child(close_after_fork);
    }
}

/// Looks up what is there and closes descriptors: nothing that takes a lock or memory.
extern "C" fn close_after_fork() {
    if let Some(mut memory) = Retained::find(NAME) {
        memory.close_descriptors();
    }
}

fn not_kept(error: &dyn std::fmt::Display) -> String {
    format!("mod_wsgi cannot keep its sockets for the next configuration: {error}")
}
