//! Worker processes: started, listened to, told, reaped. Every signal goes through a pidfd, so it cannot hit a process that
//! got a worker's number later.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Signal;
use spec::worker::{Command, Failure, REPORT_LEN, Report};
use unix::process::Child;

use super::sources::Source;
use super::{Server, chance};
use crate::codes::Code;
use crate::group::WorkerId;
use crate::launch::failure::LaunchFailure;
use crate::life::Order;
use crate::sentences;
use crate::text::LineBuffer;

/// Bytes that one worker's output may take of one turn: others wait.
const TURN_BUDGET: usize = 64 * 1024;
/// Output that is still read when a worker has ended (a pipe holds up to 1 MiB).
const LAST_BUDGET: usize = 1024 * 1024;
/// Log pipes that are kept open for processes that workers have left behind.
const MOST_ORPHANED_OUTPUTS: usize = 64;

/// A worker process.
pub(super) struct Worker {
    key: u64,
    slot: u32,
    child: Child,
    status: OwnedFd,
    lifeline: OwnedFd,
    partial: Vec<u8>,
    launch_failure: Option<LaunchFailure>,
    reported: Option<Failure>,
}

impl Worker {
    /// Its number, for messages.
    pub(super) fn pid(&self) -> i32 {
        self.child.pid
    }
}

/// What a worker, or a process that it has left behind, prints.
pub(super) struct Output {
    key: u64,
    group: String,
    pid: i32,
    pipe: OwnedFd,
    lines: LineBuffer,
}

impl Server {
    pub(super) fn start_worker(&mut self, key: u64, slot: u32, now: Instant) {
        let Some(facts) = &self.facts else { return };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else { return };
        let listener = usize::try_from(slot).ok().and_then(|slot| entry.listeners.get(slot));
        let Some(listener) = listener else { return };
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let started = crate::launch::start(&entry.definition, facts, listener.as_fd());
        let started = started.and_then(|started| {
            self.sources.add(&started.child.handle, Source::Exit(id))?;
            self.sources.add(&started.status, Source::Status(id))?;
            self.sources.add(&started.output, Source::Output(id))?;
            Ok(started)
        });
        match started {
            Ok(started) => {
                entry.machine.started(slot, id, now);
                let (group, pid) = (entry.definition.name.clone(), started.child.pid);
                let lines = LineBuffer::default();
                self.outputs.insert(id, Output { key, group, pid, pipe: started.output, lines });
                let worker = Worker {
                    key,
                    slot,
                    child: started.child,
                    status: started.status,
                    lifeline: started.lifeline,
                    partial: Vec::new(),
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
            // End of file: the process is ending, which its pidfd tells, or it runs on without a voice.
            Ok(0) | Err(_) => return self.sources.remove(&worker.status),
        }
        let whole = worker.partial.len() - worker.partial.len() % REPORT_LEN;
        let messages: Vec<u8> = worker.partial.drain(..whole).collect();
        for message in messages.as_chunks::<REPORT_LEN>().0 {
            if !self.take_report(id, *message) {
                break;
            }
        }
    }

    /// False when the bytes are no report: the pipe is not listened to any more.
    fn take_report(&mut self, id: WorkerId, message: [u8; REPORT_LEN]) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
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
        self.sources.remove(&worker.status);
        let (key, pid) = (worker.key, worker.pid());
        let group = self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.definition.name);
        let line = format!(
            "Process group '{}': the worker with pid {pid} wrote to its status pipe what is no report; it is not listened to any more.",
            group.map_or("", String::as_str)
        );
        self.log(key).say(Code::BadReport, &line);
        false
    }

    pub(super) fn read_output(&mut self, id: WorkerId) {
        if self.relay(id, TURN_BUDGET) {
            self.close_output(id);
        }
    }

    /// Relays what is there, up to `budget` bytes; true at the end of the stream.
    fn relay(&mut self, id: WorkerId, budget: usize) -> bool {
        let Some(output) = self.outputs.get_mut(&id) else { return false };
        let own = self.entries.iter_mut().find(|entry| entry.key == output.key).and_then(|e| e.log.as_mut());
        let log = own.unwrap_or(&mut self.main_log);
        let mut buffer = [0; 8192];
        let mut taken = 0;
        while taken < budget {
            match rustix::io::retry_on_intr(|| rustix::io::read(&output.pipe, &mut buffer)) {
                Ok(count @ 1..) => {
                    taken += count;
                    let bytes = buffer.get(..count).unwrap_or_default();
                    output.lines.take(bytes, |line| log.relay(&output.group, output.pid, line));
                }
                Err(Errno::AGAIN) => return false,
                Ok(0) | Err(_) => return true,
            }
        }
        false
    }

    /// Relays the rest that is there, and closes the pipe.
    pub(super) fn close_output(&mut self, id: WorkerId) {
        self.relay(id, LAST_BUDGET);
        let Some(mut output) = self.outputs.remove(&id) else { return };
        self.sources.remove(&output.pipe);
        let (group, pid, key) = (&output.group, output.pid, output.key);
        let log = self.log(key);
        output.lines.finish(|line| log.relay(group, pid, line));
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
        if self.relay(id, LAST_BUDGET) {
            self.close_output(id);
        }
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

    fn limit_orphaned_outputs(&mut self) {
        let orphaned: Vec<WorkerId> =
            self.outputs.keys().copied().filter(|id| !self.workers.contains_key(id)).collect();
        let surplus = orphaned.len().saturating_sub(MOST_ORPHANED_OUTPUTS);
        orphaned.into_iter().take(surplus).for_each(|id| self.close_output(id));
    }
}
