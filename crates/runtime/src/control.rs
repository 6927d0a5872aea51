//! The control thread: it waits for signals and the supervisor, starts the drain, and ends the process at the deadline.
//!
//! It is a native thread that never touches Python, so neither a held GIL nor a finalisation that hangs can stop it.

use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use spec::worker::{Cause, Command, Report};
use unix::channel::timespec;

use crate::life::{Action, Life};
use crate::signals;
use crate::thread::Shared;
use crate::{codes, log};

/// How long accepting rests when the process has no descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Exit status of a worker that did not finish in time.
const LEFT_AT_DEADLINE: i32 = 2;

/// What the control thread owns.
pub struct Control {
    /// Request threads and their connections.
    pub shared: Arc<Shared>,
    /// Signals as bytes.
    pub signals: PipeReader,
    /// The supervisor's commands; its end means that the supervisor is gone.
    pub lifeline: OwnedFd,
    /// Reports to the supervisor.
    pub status: Status,
    /// Phase and deadline.
    pub life: Life,
    /// Whether the supervisor was asked for a successor.
    pub replaced: bool,
}

/// Something that concerns the whole process.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// It is to leave.
    Leave(Cause),
    /// The supervisor is gone: the lifeline is at its end.
    Orphaned,
    /// A thread of this process wishes something.
    Wish,
}

/// The pipe to the supervisor.
#[derive(Debug)]
pub struct Status(OwnedFd);

impl Status {
    /// Wraps the pipe.
    pub fn new(pipe: OwnedFd) -> Self {
        Self(pipe)
    }

    /// Sends one report. A supervisor that is gone is noticed by the lifeline.
    pub fn report(&self, report: Report) {
        let _ = rustix::io::retry_on_intr(|| rustix::io::write(&self.0, &report.to_bytes()));
    }

    /// The same pipe for another thread.
    ///
    /// # Errors
    /// Any of fcntl(2).
    pub fn share(&self) -> std::io::Result<Self> {
        self.0.try_clone().map(Self)
    }
}

impl Control {
    /// Runs until the process ends.
    pub fn run(mut self) {
        let mut connected = true;
        loop {
            if self.life.tick(Instant::now()) == Action::Leave {
                self.leave();
            }
            let events = self.wait(&mut connected);
            events.into_iter().flatten().for_each(|event| self.on(event));
        }
    }

    /// Sleeps until something happens: what a signal says, what the supervisor says, what a request thread wishes.
    fn wait(&self, connected: &mut bool) -> [Option<Event>; 3] {
        let (pool, wishes) = (&self.shared.pool, &self.shared.wishes);
        let rest = pool.listener_rests().then_some(REST);
        let patience = self.life.patience(Instant::now()).into_iter().chain(rest).min();
        let (nudge, bell) = (pool.nudge(), wishes.bell());
        let mut wanted = vec![
            PollFd::new(&self.signals, PollFlags::IN),
            PollFd::new(&nudge, PollFlags::IN),
            PollFd::new(&bell, PollFlags::IN),
        ];
        if *connected {
            wanted.push(PollFd::new(&self.lifeline, PollFlags::IN));
        }
        let woken = poll(&mut wanted, patience.map(timespec).as_ref()).unwrap_or(0);
        let happened = |index: usize| wanted.get(index).is_some_and(|fd| !fd.revents().is_empty());
        if happened(1) {
            pool.take_nudge();
        } else if woken == 0 && pool.listener_rests() {
            pool.watch_listener();
        }
        let signal = if happened(0) { byte_from(&self.signals).flatten().map(signals::cause) } else { None };
        let wish = happened(2).then(|| {
            wishes.take_bell();
            Event::Wish
        });
        let command = if happened(3) { self.command(connected) } else { None };
        [signal.map(Event::Leave), command, wish]
    }

    fn command(&self, connected: &mut bool) -> Option<Event> {
        match byte_from(&self.lifeline)? {
            Some(byte) if Command::from_byte(byte) == Some(Command::Drain) => {
                Some(Event::Leave(Cause::GracefulSignal))
            }
            Some(byte) => {
                let facts = format_args!("An unknown command of the supervisor was ignored: {byte}.");
                log::report(codes::UNKNOWN_COMMAND, facts);
                None
            }
            None => {
                *connected = false;
                Some(Event::Orphaned)
            }
        }
    }

    fn on(&mut self, event: Event) {
        let now = Instant::now();
        let (action, cause) = match event {
            Event::Leave(cause) => (self.life.leave(cause, now), cause),
            Event::Orphaned => (self.life.orphaned(now), Cause::ShutdownSignal),
            Event::Wish => return self.grant(),
        };
        if action == Action::Drain {
            let cause = self.shared.wishes.leaving(cause);
            self.status.report(Report::Leaving(cause));
            self.shared.pool.drain();
        }
    }

    /// Does what others of this process wish.
    fn grant(&mut self) {
        let wishes = &self.shared.wishes;
        let (leave, replace) = (wishes.leaves(), wishes.is_replaced());
        if let Some(cause) = leave {
            return self.on(Event::Leave(cause));
        }
        if let Some(cause) = replace.filter(|_| !self.replaced && !self.life.is_leaving()) {
            self.replaced = true;
            self.status.report(Report::Replace(cause));
        }
    }

    fn leave(&self) {
        let running = self.shared.pool.running();
        if running > 0 {
            let facts =
                format_args!("{running} request(s) did not finish in time; the worker leaves without them.");
            log::report(codes::REQUESTS_LEFT, facts);
        } else {
            let facts = "The application's threads or exit functions did not finish in time; the worker leaves without them.";
            log::report(codes::END_LATE, facts);
        }
        unix::process::leave(LEFT_AT_DEADLINE);
    }
}

/// One byte; `Some(None)` at the end, `None` when there was nothing after all.
fn byte_from(pipe: impl AsFd) -> Option<Option<u8>> {
    let mut byte = [0];
    match rustix::io::read(pipe, &mut byte) {
        Ok(0) => Some(None),
        Ok(_) => Some(Some(byte[0])),
        Err(_) => None,
    }
}
