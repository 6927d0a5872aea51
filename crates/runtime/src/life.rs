//! What a worker does next: a pure state machine of events and time. Who acts on it is in `control`.

use std::time::{Duration, Instant};

use spec::worker::Cause;
use unix::clock::later;

/// What to do because of an event or of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing new.
    Nothing,
    /// Take no new connection, let requests finish.
    Drain,
    /// The time is over: end the process now.
    Leave,
}

/// How long requests may take to finish.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After SIGTERM.
    pub shutdown: Duration,
    /// When the worker is replaced; zero stands for `shutdown`.
    pub graceful: Duration,
    /// After SIGUSR1, where it is set.
    pub eviction: Option<Duration>,
}

impl Patience {
    fn of(&self, cause: Cause) -> Duration {
        let graceful = if self.graceful.is_zero() { self.shutdown } else { self.graceful };
        match cause {
            // Without the GIL or the application no request can finish; one that only sends has a little time.
            Cause::ShutdownSignal | Cause::DeadlockTimeout | Cause::StartupTimeout => self.shutdown,
            Cause::EvictionSignal => self.eviction.unwrap_or(graceful),
            _ => graceful,
        }
    }
}

/// Phase and deadline of this process.
#[derive(Debug)]
pub struct Life {
    patience: Patience,
    deadline: Option<Instant>,
}

impl Life {
    /// A process that serves.
    pub fn new(patience: Patience) -> Self {
        Self { patience, deadline: None }
    }

    /// Takes note that the worker is to leave. A deadline only ever comes nearer: SIGTERM shortens a graceful drain, a second
    /// drain command does not lengthen it.
    pub fn leave(&mut self, cause: Cause, now: Instant) -> Action {
        self.leave_within(self.patience.of(cause), now)
    }

    /// Nothing is left that could still finish.
    pub fn hurry(&mut self, now: Instant) {
        self.leave_within(self.patience.shutdown, now);
    }

    /// Whether SIGUSR1 has a time of its own.
    pub fn knows_eviction(&self) -> bool {
        self.patience.eviction.is_some()
    }

    /// The supervisor is gone: nobody else would end this worker, and requests may finish.
    pub fn orphaned(&mut self, now: Instant) -> Action {
        self.leave(Cause::GracefulSignal, now)
    }

    fn leave_within(&mut self, time: Duration, now: Instant) -> Action {
        let limit = later(now, time);
        let first = self.deadline.is_none();
        self.deadline = Some(self.deadline.map_or(limit, |deadline| deadline.min(limit)));
        if first { Action::Drain } else { Action::Nothing }
    }

    /// Whether the worker leaves.
    pub fn is_leaving(&self) -> bool {
        self.deadline.is_some()
    }

    /// To be asked when time has passed.
    pub fn tick(&self, now: Instant) -> Action {
        if self.deadline.is_some_and(|deadline| deadline <= now) { Action::Leave } else { Action::Nothing }
    }

    /// How long nothing happens unless an event comes; `None` for ever.
    pub fn patience(&self, now: Instant) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn life(shutdown: u32, graceful: u32, eviction: Option<u32>) -> Life {
        let eviction = eviction.map(|seconds| SECOND * seconds);
        Life::new(Patience { shutdown: SECOND * shutdown, graceful: SECOND * graceful, eviction })
    }

    #[test]
    fn lc_4_deadlines_only_come_nearer() {
        let start = Instant::now();
        let mut life = life(5, 15, None);
        assert_eq!((life.patience(start), life.tick(start + 1000 * SECOND)), (None, Action::Nothing));
        assert_eq!(life.leave(Cause::GracefulSignal, start), Action::Drain);
        assert_eq!(life.patience(start), Some(15 * SECOND));
        assert_eq!(life.orphaned(start + SECOND), Action::Nothing);
        assert_eq!(life.patience(start), Some(15 * SECOND));
        assert_eq!(life.leave(Cause::ShutdownSignal, start + SECOND), Action::Nothing);
        assert_eq!(life.patience(start), Some(6 * SECOND));
        assert_eq!(life.tick(start + 5 * SECOND), Action::Nothing);
        assert_eq!(life.tick(start + 6 * SECOND), Action::Leave);
        assert_eq!(life.patience(start + 9 * SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn a_drain_after_sigterm_does_not_lengthen_its_time() {
        let start = Instant::now();
        let mut life = life(5, 15, None);
        assert_eq!(life.leave(Cause::ShutdownSignal, start), Action::Drain);
        assert_eq!(life.leave(Cause::ScriptReload, start + SECOND), Action::Nothing);
        assert_eq!(life.tick(start + 5 * SECOND), Action::Leave);
    }

    #[test]
    fn each_cause_has_its_time() {
        let start = Instant::now();
        let time = |mut life: Life, cause| {
            life.leave(cause, start);
            life.patience(start).map(|time| time.as_secs())
        };
        assert_eq!(time(life(5, 15, Some(30)), Cause::EvictionSignal), Some(30));
        assert_eq!(time(life(5, 15, None), Cause::EvictionSignal), Some(15));
        assert_eq!(time(life(5, 15, Some(30)), Cause::RequestTimeout), Some(15));
        assert_eq!(time(life(5, 15, Some(30)), Cause::DeadlockTimeout), Some(5));
        assert_eq!(time(life(5, 0, None), Cause::ScriptReload), Some(5), "graceful-timeout=0");
    }

    #[test]
    fn endless_timeouts_do_not_overflow() {
        let mut life =
            Life::new(Patience { shutdown: Duration::MAX, graceful: Duration::MAX, eviction: None });
        assert_eq!(life.leave(Cause::ShutdownSignal, Instant::now()), Action::Drain);
        assert_eq!(life.tick(Instant::now()), Action::Nothing);
    }
}
