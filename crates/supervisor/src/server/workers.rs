//! Worker processes: started, listened to, told, reaped. Every signal goes through a pidfd, so it cannot hit a process that
//! got a worker's number later.

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::process::Signal;
use spec::worker::{Command, Failure, REPORT_LEN, Report};
use unix::descriptors::Arrival;
use unix::process::{Child, Ending};

use super::outputs::Output;
use super::sources::Source;
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
    /// `None` until the kernel has named a worker that a template forks.
    pub(super) child: Option<Child>,
    /// Who has forked it, when that was not this process.
    pub(super) template: Option<WorkerId>,
    /// It has ended, and until then its template has time to say how.
    pub(super) word_until: Option<Instant>,
    /// How it has ended, as its template says.
    pub(super) fate: Option<Ending>,
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
        self.child.as_ref().map_or(0, |child| child.pid)
    }

    /// Whether it is the one that this template calls `pid`.
    pub(super) fn is(&self, pid: i32, template: WorkerId) -> bool {
        self.template == Some(template) && self.pid() == pid
    }

    /// Its slot, for messages.
    pub(super) fn slot(&self) -> u32 {
        self.slot
    }
}

impl Server {
    pub(super) fn start_worker(&mut self, key: u64, slot: u32, now: Instant) {
        let forked = self.fork_worker(key, slot);
        let Some(facts) = &self.facts else { return };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else { return };
        let Some(listener) = entry.listener(slot) else { return };
        let id = WorkerId(self.next_worker);
        self.next_worker += 1;
        let started = match forked {
            Some(forked) => forked.map(|(started, template)| (started, Some(template))),
            None => crate::launch::start(&entry.definition, facts, listener.as_fd()).map(|new| (new, None)),
        };
        let started = started.and_then(|(started, template)| match self.sources.add_worker(id, &started) {
            Ok(()) => Ok((started, template)),
            Err(error) => {
                // Nobody would notice its end: it must not stay. One that is not forked yet leaves without its lifeline.
                started.child.map_or(Ok(()), Child::discard)?;
                Err(error)
            }
        });
        match started {
            Ok((started, template)) => {
                entry.machine.started(slot, id, now);
                let group = entry.definition.name.clone();
                let pid = started.child.as_ref().map_or(0, |child| child.pid);
                self.outputs.insert(id, Output::new(key, group, pid, started.output));
                let worker = Worker {
                    key,
                    slot,
                    child: started.child,
                    template,
                    word_until: None,
                    fate: None,
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
        let signal = |child: &Child, signal| {
            // ESRCH: it has ended already; its pidfd is readable.
            let _ended = rustix::process::pidfd_send_signal(&child.handle, signal);
        };
        match (order, &worker.child, worker.template) {
            (Order::Terminate, Some(child), _) => signal(child, Signal::TERM),
            (Order::Kill, Some(child), _) => signal(child, Signal::KILL),
            (Order::Kill, None, Some(template)) => self.kill_template(template),
            // One that is not forked yet is told so when it lives.
            (Order::Drain | Order::Terminate | Order::Kill, ..) => {
                // Does not block and cannot fill: a byte or two per life. EPIPE: it has ended or given up its end.
                let _ended = rustix::io::write(&worker.lifeline, &[Command::Drain as u8]);
            }
        }
    }

    /// The kernel has named the process of a worker that a template was to fork. It is taken when it is of the right user, whoever it
    /// says that it is.
    fn name_worker(&mut self, id: WorkerId, pid: i32) -> std::io::Result<()> {
        let Some(worker) = self.workers.get_mut(&id) else { return Ok(()) };
        let entry = self.entries.iter().find(|entry| entry.key == worker.key);
        let account = entry.and_then(|entry| entry.definition.account.as_ref());
        let uid = account.map_or_else(|| rustix::process::geteuid().as_raw(), |account| account.uid);
        let child = unix::process::adopt(pid, uid)?;
        self.sources.add(&child.handle, Source::Exit(id))?;
        worker.child = Some(child);
        self.outputs.get_mut(&id).into_iter().for_each(|output| output.is_of(pid));
        Ok(())
    }

    pub(super) fn read_status(&mut self, id: WorkerId) {
        let Some(worker) = self.workers.get_mut(&id) else { return self.read_fates(id) };
        let mut buffer = [0; 8 * REPORT_LEN];
        let unnamed = worker.child.is_none();
        let read = if unnamed {
            // What descriptors come along are closed.
            let flags = rustix::net::RecvFlags::DONTWAIT;
            unix::descriptors::receive_named(&worker.status, &mut buffer, &mut Vec::new(), flags)
        } else {
            let count = rustix::io::retry_on_intr(|| rustix::io::read(&worker.status, &mut buffer));
            count.map(|bytes| Arrival { bytes, sender: None })
        };
        if let Ok(Arrival { bytes: 1.., sender: Some(pid) }) = read
            && let Err(error) = self.name_worker(id, pid)
            && error.kind() != ErrorKind::NotFound
        {
            let what = format!("was forked as process {pid}, which cannot be watched ({error})");
            self.distrust(id, &what);
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        match read.map(|arrival| arrival.bytes) {
            Ok(count @ 1..) => worker.partial.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(Errno::AGAIN) => return,
            // End of file: the process is ending, which its pidfd tells in a moment, or it has become something else.
            Ok(0) | Err(_) => {
                self.sources.remove(&worker.status);
                if worker.child.is_none() {
                    // It was never forked, or has ended before it could be named.
                    return self.forget_worker(id, None);
                }
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
        let Some(worker) = self.workers.get(&id) else { return self.template_ended(id) };
        let ending = match (&worker.child, worker.template) {
            (_, Some(template)) => return self.forked_worker_ended(id, template),
            (Some(child), None) => match unix::process::reap(&child.handle) {
                Ok(Some(ending)) => Some(ending),
                Ok(None) => return,
                // Cannot happen to a child of ours; without its status it is gone all the same.
                Err(_) => None,
            },
            (None, None) => None,
        };
        self.bury(id, ending);
    }

    /// What follows from a worker's end, which may have left something to read.
    pub(super) fn bury(&mut self, id: WorkerId, ending: Option<Ending>) {
        // Its last words and reports come before the line about its death.
        self.read_status(id);
        self.forget_worker(id, ending);
    }

    fn forget_worker(&mut self, id: WorkerId, ending: Option<Ending>) {
        self.last_words(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        if let Some(child) = &worker.child {
            self.sources.remove(&child.handle);
        }
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
