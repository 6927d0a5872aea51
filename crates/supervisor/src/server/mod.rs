//! The running supervisor: waits, lets the groups decide, and does what they say. Definitions are made ready in `prepare` and
//! taken in `define`, processes handled in `workers`, sockets that nobody serves in `down`, what they print in `outputs`, messages in `channel`.

mod channel;
mod define;
mod down;
mod outputs;
mod prepare;
mod sources;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::sys::signalfd::SignalFd;
use spec::ProcessGroup;

use crate::codes::Code;
use crate::group::{Action, Group, Note, WorkerId};
use crate::launch::{Facts, Inherited};
use crate::log::Log;
use crate::sentences;
use crate::sockets::SocketDirectory;
use crate::startup::Started;
use crate::throttle::Throttle;
use outputs::Output;
use sources::{Source, Sources};
use workers::Worker;

/// A worker that is not ready after this time is killed; a roll-over that is not complete after it is reported.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Once httpd's parent is dead, everything is gone within 5 s: this, and a little for the kernel.
const ORPHAN_LIMIT: Duration = Duration::from_secs(4);
const NO_LIMIT: Duration = Duration::MAX;

/// A process group with its listeners and log.
struct Entry {
    key: u64,
    /// False once it is no longer defined: its workers are leaving.
    defined: bool,
    definition: ProcessGroup,
    machine: Group,
    /// One per slot.
    listeners: Vec<OwnedFd>,
    log: Option<Log>,
    throttle: Throttle,
    /// The slots whose sockets are watched here, see `down`.
    down: BTreeSet<u32>,
}

impl Entry {
    /// The socket of a slot.
    fn listener(&self, slot: u32) -> Option<&OwnedFd> {
        self.listeners.get(usize::try_from(slot).ok()?)
    }
}

/// The supervisor.
pub struct Server {
    channel: Option<OwnedFd>,
    /// The only process to listen to on the channel.
    parent_pid: i32,
    /// Whether it was said that another process has written to the channel.
    foreign_told: bool,
    parent: Option<OwnedFd>,
    signals: SignalFd,
    sources: Sources,
    inherited: Inherited,
    main_log: Log,
    facts: Option<Facts>,
    directory: Option<SocketDirectory>,
    entries: Vec<Entry>,
    workers: BTreeMap<WorkerId, Worker>,
    outputs: BTreeMap<WorkerId, Output>,
    /// For what is printed on behalf of groups that are gone.
    throttle: Throttle,
    next_key: u64,
    next_worker: u64,
    stopping: bool,
}

impl Server {
    /// A supervisor without groups.
    ///
    /// # Errors
    /// Any of epoll(7).
    pub fn new(started: Started) -> std::io::Result<Self> {
        let sources = Sources::new()?;
        sources.add(&started.channel, Source::Channel)?;
        sources.add(&started.parent, Source::Parent)?;
        sources.add(&started.signals, Source::Signals)?;
        Ok(Self {
            channel: Some(started.channel),
            parent_pid: started.parent_pid,
            foreign_told: false,
            parent: Some(started.parent),
            signals: started.signals,
            sources,
            inherited: started.inherited,
            main_log: started.log,
            facts: None,
            directory: None,
            entries: Vec::new(),
            workers: BTreeMap::new(),
            outputs: BTreeMap::new(),
            throttle: Throttle::new(Instant::now()),
            next_key: 0,
            next_worker: 0,
            stopping: false,
        })
    }

    /// Runs until everything has stopped.
    ///
    /// # Errors
    /// Waiting itself failed.
    pub fn run(mut self) -> std::io::Result<()> {
        while !(self.stopping && self.workers.is_empty()) {
            self.tick(Instant::now());
            if self.stopping && self.workers.is_empty() {
                break;
            }
            let groups = self.entries.iter().filter_map(|entry| entry.machine.deadline());
            let deadline = groups.chain(self.outputs_deadline()).min();
            let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            for source in self.sources.wait(timeout)? {
                self.handle(source);
            }
        }
        let outputs: Vec<WorkerId> = self.outputs.keys().copied().collect();
        outputs.into_iter().for_each(|id| self.close_output(id));
        if let Some(directory) = self.directory.take() {
            let path = directory.path().to_owned();
            if let Err(error) = directory.remove() {
                self.main_log.say(Code::LeftOver, &format!("Cannot remove {}: {error}.", path.display()));
            }
        }
        Ok(())
    }

    fn handle(&mut self, source: Source) {
        match source {
            Source::Channel => self.read_channel(),
            Source::Parent => {
                if let Some(parent) = self.parent.take() {
                    self.sources.remove(&parent);
                }
                self.close_channel();
                self.stop(ORPHAN_LIMIT);
            }
            Source::Signals => {
                // Only signals that ask to stop are in the set.
                while let Ok(Some(_)) = self.signals.read_signal() {
                    self.stop(NO_LIMIT);
                }
            }
            Source::Exit(id) => self.worker_ended(id),
            Source::Status(id) => self.read_status(id),
            Source::Output(id) => self.read_output(id),
            Source::Listener { key, slot } => self.send_away(key, slot),
        }
    }

    /// Ends all workers; `run` returns after the last one.
    fn stop(&mut self, most: Duration) {
        self.stopping = true;
        let now = Instant::now();
        for index in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(index) else { continue };
            let (key, actions) = (entry.key, entry.machine.stop(now, most));
            self.perform(key, actions, now);
        }
    }

    fn tick(&mut self, now: Instant) {
        for index in 0..self.entries.len() {
            let Some(entry) = self.entries.get_mut(index) else { continue };
            let (key, actions) = (entry.key, entry.machine.tick(now));
            self.perform(key, actions, now);
        }
        self.watch_down(now);
        self.tick_outputs(now);
        self.entries.retain(|entry| entry.defined || !entry.machine.is_gone());
    }

    fn perform(&mut self, key: u64, actions: Vec<Action>, now: Instant) {
        for action in actions {
            match action {
                Action::Start { slot } => self.start_worker(key, slot, now),
                Action::Order(id, order) => self.order(id, order),
                Action::Note(note) => self.note(key, note),
            }
        }
    }

    fn note(&mut self, key: u64, note: Note) {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return };
        let (name, processes) = (&entry.definition.name, entry.definition.processes);
        let pid = |id| self.workers.get(&id).map_or(0, Worker::pid);
        let (code, facts) = match note {
            Note::AllReady => {
                (Code::GroupReady, format!("Process group '{name}' is ready, processes: {processes}."))
            }
            Note::RollOverLate => (
                Code::RollOverLate,
                format!(
                    "Process group '{name}': the workers of the new configuration are not all ready after {} s.",
                    START_LIMIT.as_secs()
                ),
            ),
            Note::Overdue(id) => (
                Code::Overdue,
                format!("Process group '{name}': the worker with pid {} did not stop in time.", pid(id)),
            ),
            Note::Lost(id) => (
                Code::Lost,
                format!(
                    "Process group '{name}': the worker with pid {} has closed its status pipe and runs on.",
                    pid(id)
                ),
            ),
            Note::Replaced { id, cause, delay } => {
                let slot = self.workers.get(&id).map_or(0, Worker::slot);
                (Code::Replaced, sentences::replaced(name, slot, pid(id), cause, delay))
            }
        };
        self.log(key).say(code, &facts);
    }

    /// The log of a group, or the main one.
    fn log(&mut self, key: u64) -> &mut Log {
        let own = self.entries.iter_mut().find(|entry| entry.key == key).and_then(|entry| entry.log.as_mut());
        own.unwrap_or(&mut self.main_log)
    }
}

/// A random number; only spreads delays, so a machine that has none yet gets the same one every time.
fn chance() -> u32 {
    let mut bytes = [0; 4];
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK);
    u32::from_ne_bytes(bytes)
}
