//! Worker processes: started, listened to, told, reaped. Every signal goes through a pidfd, so it cannot hit a process that
//! got a worker's number later.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Signal;
use spec::worker::{Command, Failure, REPORT_LEN, Report};
use unix::process::Child;

use super::outputs::Output;
use super::{Server, chance};
use crate::codes::Code;
use crate::group::WorkerId;
use crate::launch::failure::LaunchFailure;
use crate::life::Order;
use crate::sentences;

/// Reports that a worker may make in its life: it has four different things to say, each once.
const MOST_REPORTS: u32 = 16;

/// A worker process.
pub(super) struct Worker {
    key: u64,
    slot: u32,
    child: Child,
    status: OwnedFd,
    lifeline: OwnedFd,
    partial: Vec<u8>,
    /// So far.
    reports: u32,
    launch_failure: Option<LaunchFailure>,
    reported: Option<Failure>,
}

impl Worker {
    /// Its number, for messages.
    pub(super) fn pid(&self) -> i32 {
        self.child.pid
    }

    /// Its slot, for messages.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }
}

impl Server {
    pub(super) fn start_worker(&mut self, key: u64, slot: u32, now: Instant) {
        let Some(facts) = &self.facts else { return };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else { return };
        let Some(listener) = entry.listener(slot) else { return };
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let started = crate::launch::start(&entry.definition, facts, listener.as_fd());
        let started = started.and_then(|started| match self.sources.add_worker(id, &started) {
            Ok(()) => Ok(started),
            Err(error) => {
                // Nobody would notice its end: it must not stay.
                started.child.discard()?;
                Err(error)
            }
        });
        match started {
            Ok(started) => {
                entry.machine.started(slot, id, now);
                let (group, pid) = (entry.definition.name.clone(), started.child.pid);
                self.outputs.insert(id, Output::new(key, group, pid, started.output));
                let worker = Worker {
                    key,
                    slot,
                    child: started.child,
                    status: started.status,
                    lifeline: started.lifeline,
                    partial: Vec::new(),
                    reports: 0,
                    launch_failure: None,
                    reported: None,
                };
                self.workers.insert(id, worker);
            }
            Err(error) => {
                let delay = entry.machine.start_failed(slot, now, chance());
                let line = sentences::not_started(&entry.definition.name, slot, &error, delay);
                self.log(key).say(Code::LaunchFailed, &line);
            }
        }
    }

    pub(super) fn order(&mut self, id: WorkerId, order: Order) {
        let Some(worker) = self.workers.get(&id) else { return };
        let signal = |signal| {
            // ESRCH: it has ended already; its pidfd is readable.
            let _ended = rustix::process::pidfd_send_signal(&worker.child.handle, signal);
        };
        match order {
            Order::Drain => {
                // Does not block and cannot fill: one byte per life. EPIPE: it has ended or given up its end.
                let _ended = rustix::io::write(&worker.lifeline, &[Command::Drain as u8]);
            }
            Order::Terminate => signal(Signal::TERM),
            Order::Kill => signal(Signal::KILL),
        }
    }

    pub(super) fn read_status(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let mut buffer = [0; 8 * REPORT_LEN];
        match rustix::io::retry_on_intr(|| rustix::io::read(&worker.status, &mut buffer)) {
            Ok(count @ 1..) => worker.partial.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(Errno::AGAIN) => return,
            // End of file: the process is ending, which its pidfd tells in a moment, or it has become something else.
            Ok(0) | Err(_) => {
                self.sources.remove(&worker.status);
                let entry = self.entries.iter_mut().find(|entry| entry.key == worker.key);
                return entry.into_iter().for_each(|entry| entry.machine.silent(id, Instant::now()));
            }
        }
        let whole = worker.partial.len() - worker.partial.len() % REPORT_LEN;
        let messages: Vec<u8> = worker.partial.drain(..whole).collect();
        for message in messages.as_chunks::<REPORT_LEN>().0 {
            if !self.take_report(id, *message) {
                break;
            }
        }
    }

    /// False when the bytes are no report, or there were too many: the pipe is not listened to any more.
    fn take_report(&mut self, id: WorkerId, message: [u8; REPORT_LEN]) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        worker.reports += 1;
        if worker.reports > MOST_REPORTS {
            return self
                .distrust(id, "has written more reports to its status pipe than a worker has to make");
        }
        if let Some(report) = Report::from_bytes(message) {
            if let Report::Failed(failure) = report {
                worker.reported = Some(failure);
            }
            let (key, now) = (worker.key, Instant::now());
            let entry = self.entries.iter_mut().find(|entry| entry.key == key);
            let actions = entry.map(|entry| entry.machine.report(id, report, now, chance()));
            self.perform(key, actions.unwrap_or_default(), now);
            return true;
        }
        if let Some(failure) = LaunchFailure::from_bytes(message) {
            worker.launch_failure = Some(failure);
            return true;
        }
        self.distrust(id, "wrote to its status pipe what is no report")
    }

    /// Listens no more to a worker, and ends it. Always false.
    fn distrust(&mut self, id: WorkerId, what: &str) -> bool {
        let Some(worker) = self.workers.get(&id) else { return false };
        self.sources.remove(&worker.status);
        let (key, pid, now) = (worker.key, worker.pid(), Instant::now());
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else { return false };
        let action = entry.machine.give_up(id, now);
        let group = &entry.definition.name;
        let line = format!("Process group '{group}': the worker with pid {pid} {what}.");
        self.log(key).say(Code::BadReport, &line);
        self.perform(key, action.into_iter().collect(), now);
        false
    }

    pub(super) fn worker_ended(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get(&id) else { return };
        let ending = match unix::process::reap(&worker.child.handle) {
            Ok(Some(ending)) => Some(ending),
            Ok(None) => return,
            // Cannot happen to a child of ours; without its status it is gone all the same.
            Err(_) => None,
        };
        // Its last words and reports come before the line about its death.
        self.read_status(id);
        self.last_words(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        self.sources.remove(&worker.child.handle);
        self.sources.remove(&worker.status);
        let now = Instant::now();
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == worker.key) else { return };
        let ended = entry.machine.ended(id, now, chance());
        let death = sentences::Death {
            group: &entry.definition.name,
            slot: worker.slot,
            pid: worker.pid(),
            ending,
            ended,
            launch_failure: worker.launch_failure,
            reported: worker.reported,
        };
        let line = death.line();
        if let Some((code, facts)) = line {
            self.log(worker.key).say(code, &facts);
        }
        self.limit_orphaned_outputs();
    }
}
