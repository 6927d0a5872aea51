//! What a worker does next: a pure state machine of events and time. Who acts on it is in `control`.

use std::time::{Duration, Instant};

use unix::clock::later;

/// Something that concerns the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// SIGTERM or SIGINT.
    Terminate,
    /// SIGUSR1, or the supervisor's drain command.
    Drain,
    /// The supervisor is gone: the lifeline is at its end.
    Orphaned,
}

/// What to do because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing new.
    Nothing,
    /// Take no new connection, let requests finish.
    Drain,
    /// The time is over: end the process now.
    Leave,
}

/// Phase and deadline of this process.
#[derive(Debug)]
pub struct Life {
    shutdown_timeout: Duration,
    graceful_timeout: Duration,
    deadline: Option<Instant>,
}

impl Life {
    /// A process that serves.
    pub fn new(shutdown_timeout: Duration, graceful_timeout: Duration) -> Self {
        Self { shutdown_timeout, graceful_timeout, deadline: None }
    }

    /// Takes note of `event`. A deadline only ever comes nearer: SIGTERM shortens a graceful drain, a second drain
    /// command does not lengthen it.
    pub fn on(&mut self, event: Event, now: Instant) -> Action {
        let time = match event {
            Event::Terminate => self.shutdown_timeout,
            Event::Drain | Event::Orphaned => self.graceful_timeout,
        };
        let limit = later(now, time);
        let first = self.deadline.is_none();
        self.deadline = Some(self.deadline.map_or(limit, |deadline| deadline.min(limit)));
        if first { Action::Drain } else { Action::Nothing }
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

    #[test]
    fn lc_4_deadlines_only_come_nearer() {
        let start = Instant::now();
        let mut life = Life::new(5 * SECOND, 15 * SECOND);
        assert_eq!((life.patience(start), life.tick(start + 1000 * SECOND)), (None, Action::Nothing));
        assert_eq!(life.on(Event::Drain, start), Action::Drain);
        assert_eq!(life.patience(start), Some(15 * SECOND));
        assert_eq!(life.on(Event::Orphaned, start + SECOND), Action::Nothing);
        assert_eq!(life.patience(start), Some(15 * SECOND));
        assert_eq!(life.on(Event::Terminate, start + SECOND), Action::Nothing);
        assert_eq!(life.patience(start), Some(6 * SECOND));
        assert_eq!(life.tick(start + 5 * SECOND), Action::Nothing);
        assert_eq!(life.tick(start + 6 * SECOND), Action::Leave);
        assert_eq!(life.patience(start + 9 * SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn a_drain_after_sigterm_does_not_lengthen_its_time() {
        let start = Instant::now();
        let mut life = Life::new(5 * SECOND, 15 * SECOND);
        assert_eq!(life.on(Event::Terminate, start), Action::Drain);
        assert_eq!(life.on(Event::Drain, start + SECOND), Action::Nothing);
        assert_eq!(life.tick(start + 5 * SECOND), Action::Leave);
    }

    #[test]
    fn endless_timeouts_do_not_overflow() {
        let mut life = Life::new(Duration::MAX, Duration::MAX);
        assert_eq!(life.on(Event::Terminate, Instant::now()), Action::Drain);
        assert_eq!(life.tick(Instant::now()), Action::Nothing);
    }
}
