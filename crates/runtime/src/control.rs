//! The control thread: it waits for signals and the supervisor, starts the drain, and ends the process at the deadline.
//!
//! It is a native thread that never touches Python, so neither a held GIL nor a finalisation that hangs can stop it.

use std::io::PipeReader;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{Gateway, Watched};
use rustix::event::{PollFd, PollFlags, poll};
use spec::worker::{Cause, Command, Report};
use unix::channel::timespec;

use crate::life::{Action, Life};
use crate::signals;
use crate::thread::Shared;
use crate::timers::{Due, Seen, Timers};
use crate::watch::Watch;
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
    /// Whether a service script runs in place of requests.
    pub service: bool,
    /// When to be replaced, and when requests are late.
    pub timers: Timers,
    /// What can be seen of Python.
    pub sight: Sight,
}

/// What the control thread sees of Python, without entering it.
pub struct Sight {
    /// Loading of scripts.
    pub gateway: Arc<Gateway>,
    /// Requests by thread; none without request-timeout.
    pub watched: Vec<Arc<Watched>>,
    /// Who enters Python for it, where that is needed.
    pub watch: Option<Watch>,
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
            let next = self.run_timers();
            let events = self.wait(&mut connected, next);
            events.into_iter().flatten().for_each(|event| self.on(event));
        }
    }

    /// Sleeps until something happens: what a signal says, what the supervisor says, what a request thread wishes.
    fn wait(&self, connected: &mut bool, next: Option<Duration>) -> [Option<Event>; 3] {
        let (pool, wishes) = (&self.shared.pool, &self.shared.wishes);
        let rest = pool.listener_rests().then_some(REST);
        let patience = self.life.patience(Instant::now()).into_iter().chain(rest).chain(next).min();
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
        let signal = if happened(0) { byte_from(&self.signals).flatten() } else { None };
        let wish = happened(2).then(|| {
            wishes.take_bell();
            Event::Wish
        });
        let command = if happened(3) { self.command(connected) } else { None };
        let eviction = self.life.knows_eviction();
        [signal.map(|byte| Event::Leave(signals::cause(byte, eviction))), command, wish]
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
            if self.service {
                signals::end_service();
            }
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

    /// Does what is due; how long nothing else can be.
    fn run_timers(&mut self) -> Option<Duration> {
        let requests: Vec<_> = self.sight.watched.iter().map(|watched| watched.since()).collect();
        let seen = Seen {
            now: Instant::now(),
            ready: self.shared.ready.get().copied(),
            running: self.shared.pool.running(),
            requests: &requests,
            active: self.shared.activity.last(),
            loading: self.sight.gateway.loading_since(),
            gil: self.sight.watch.as_ref().and_then(Watch::waits_since),
        };
        for due in self.timers.due(&seen) {
            self.act(due, seen.now);
        }
        if self.timers.is_stale(&seen) {
            self.life.hurry(seen.now);
        }
        self.timers.next(&seen).map(|at| at.saturating_duration_since(seen.now))
    }

    fn act(&mut self, due: Due, now: Instant) {
        let watch = self.sight.watch.as_ref();
        match due {
            Due::Replace(cause) => {
                self.shared.wishes.replace(cause);
                self.grant();
            }
            Due::Interrupt(number, since) => {
                if let Some(watch) = watch {
                    watch.interrupt(number, since);
                }
            }
            Due::GiveUp(number, since) => {
                let Some(watched) = self.sight.watched.get(number) else { return };
                let script = watched.script(since).unwrap_or_default();
                let facts = format_args!(
                    "A request for {script} has been running for {:.1} s, which is longer than request-timeout= and interrupt-timeout= \
                     allow: it is answered with 504, or broken off, and the worker is replaced.",
                    now.saturating_duration_since(since).as_secs_f64()
                );
                log::report(codes::REQUEST_LATE, facts);
                if let Some(watch) = watch {
                    watch.show(number, since);
                }
                watched.give_up(since);
            }
            Due::Leave(cause) => {
                self.explain(cause);
                self.on(Event::Leave(cause));
            }
        }
    }

    /// Says what failed.
    fn explain(&self, cause: Cause) {
        match cause {
            Cause::StartupTimeout => {
                let facts = "No script could be loaded within startup-timeout=: the worker is replaced.";
                log::report(codes::STARTUP_LATE, facts);
            }
            Cause::DeadlockTimeout => {
                let running = self.shared.pool.running();
                let facts = format_args!(
                    "Python's global lock (GIL) could not be had within deadlock-timeout=: the worker is replaced. \
                     Requests that are running: {running}."
                );
                log::report(codes::DEADLOCK, facts);
                signals::show_threads();
            }
            _ => {}
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
