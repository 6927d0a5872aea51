//! The life of one worker process as its supervisor sees it. Pure: reports and time go in, orders come out.

use std::time::{Duration, Instant};

use spec::worker::{Cause, Report};
use unix::clock::later;

/// A worker that closes its status pipe is about to end; after this time it is not, but has become something else.
const SILENCE: Duration = Duration::from_secs(1);

/// What is to be done to a worker process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Write the drain command to its lifeline.
    Drain,
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// Time limits of a group's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the start to the *ready* report.
    pub start: Duration,
    /// From the drain command to SIGTERM.
    pub graceful: Duration,
    /// From SIGUSR1 to the worker, where it was the cause, to SIGTERM.
    pub eviction: Duration,
    /// From SIGTERM to SIGKILL.
    pub shutdown: Duration,
    /// A worker starts only when former ones are gone: service scripts own what they listen on.
    pub alone: bool,
}

impl Limits {
    /// How long a worker that leaves for this cause may finish its requests.
    #[must_use]
    pub fn patience(&self, cause: Cause) -> Duration {
        match cause {
            Cause::ShutdownSignal | Cause::DeadlockTimeout | Cause::StartupTimeout => self.shutdown,
            Cause::EvictionSignal => self.eviction,
            _ => self.graceful,
        }
    }
}

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not ready yet; killed at `until`.
    Starting {
        /// When its time to become ready is over.
        until: Instant,
    },
    /// Serves.
    Ready,
    /// Finishes its requests; terminated at `until`.
    Draining {
        /// When its patience is over.
        until: Instant,
    },
    /// Was told to end; killed at `until`.
    Stopping {
        /// When SIGKILL comes.
        until: Instant,
    },
    /// Was sent SIGKILL.
    Killed,
}

impl Phase {
    /// The phase in a sentence: "while ...".
    #[must_use]
    pub fn doing(self) -> &'static str {
        match self {
            Self::Starting { .. } => "starting",
            Self::Ready => "ready to serve",
            Self::Draining { .. } => "draining",
            Self::Stopping { .. } => "stopping",
            Self::Killed => "being killed",
        }
    }
}

/// The life of one worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    phase: Phase,
    limits: Limits,
    started: Instant,
    was_ready: bool,
    /// Until when it must have ended, once its status pipe is closed.
    silent: Option<Instant>,
}

impl Life {
    /// A worker that has just been forked.
    #[must_use]
    pub fn new(now: Instant, limits: Limits) -> Self {
        let phase = Phase::Starting { until: later(now, limits.start) };
        Self { phase, limits, started: now, was_ready: false, silent: None }
    }

    /// Where it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How long it has lived.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Whether it was ever ready.
    #[must_use]
    pub fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// It has reported. Reports that do not fit the phase change nothing: they come from the site's account.
    pub fn report(&mut self, report: Report, now: Instant) {
        match (report, self.phase) {
            (Report::Ready, Phase::Starting { .. }) => {
                self.phase = Phase::Ready;
                self.was_ready = true;
            }
            (Report::Leaving(cause), Phase::Starting { .. } | Phase::Ready) => {
                self.phase = Phase::Draining { until: later(now, self.limits.patience(cause)) };
            }
            (Report::Failed(_), Phase::Starting { .. } | Phase::Ready) => {
                self.phase = Phase::Stopping { until: later(now, self.limits.shutdown) };
            }
            _ => {}
        }
    }

    /// It is to finish its requests and leave.
    pub fn drain(&mut self, now: Instant) -> Option<Order> {
        match self.phase {
            Phase::Starting { .. } => self.terminate(now, self.limits.shutdown),
            Phase::Ready => {
                self.phase = Phase::Draining { until: later(now, self.limits.graceful) };
                Some(Order::Drain)
            }
            _ => None,
        }
    }

    /// It is to end within `patience`; a shorter patience than a former one wins.
    pub fn terminate(&mut self, now: Instant, patience: Duration) -> Option<Order> {
        let limit = later(now, patience);
        match &mut self.phase {
            Phase::Killed => None,
            Phase::Stopping { until } => {
                *until = limit.min(*until);
                None
            }
            phase => {
                *phase = Phase::Stopping { until: limit };
                Some(Order::Terminate)
            }
        }
    }

    /// It has closed its status pipe.
    pub fn silence(&mut self, now: Instant) {
        self.silent.get_or_insert(later(now, SILENCE));
    }

    /// Whether it is due to be terminated because it runs on without its status pipe.
    #[must_use]
    pub fn is_lost(&self, now: Instant) -> bool {
        let serves = matches!(self.phase, Phase::Starting { .. } | Phase::Ready | Phase::Draining { .. });
        serves && self.silent.is_some_and(|until| until <= now)
    }

    /// What is due by now.
    pub fn tick(&mut self, now: Instant) -> Option<Order> {
        if self.is_lost(now) {
            return self.terminate(now, self.limits.shutdown);
        }
        match self.phase {
            Phase::Starting { until } | Phase::Stopping { until } if until <= now => {
                self.phase = Phase::Killed;
                Some(Order::Kill)
            }
            Phase::Draining { until } if until <= now => self.terminate(now, self.limits.shutdown),
            _ => None,
        }
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting { until } | Phase::Draining { until } => {
                Some(self.silent.unwrap_or(until).min(until))
            }
            Phase::Stopping { until } => Some(until),
            Phase::Ready => self.silent,
            Phase::Killed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use spec::worker::Failure;

    use super::*;

    const LIMITS: Limits = Limits {
        start: Duration::from_secs(60),
        graceful: Duration::from_secs(15),
        eviction: Duration::from_secs(30),
        shutdown: Duration::from_secs(5),
        alone: false,
    };

    fn ready(now: Instant) -> Life {
        let mut life = Life::new(now, LIMITS);
        life.report(Report::Ready, now);
        life
    }

    #[test]
    fn a_worker_that_never_gets_ready_is_killed() {
        let now = Instant::now();
        let mut life = Life::new(now, LIMITS);
        assert_eq!(life.tick(now + Duration::from_secs(59)), None);
        assert_eq!(life.tick(now + Duration::from_secs(60)), Some(Order::Kill));
        assert_eq!(life.deadline(), None);
    }

    #[test]
    fn draining_ends_by_term_then_kill() {
        let now = Instant::now();
        let mut life = ready(now);
        assert_eq!(life.deadline(), None);
        assert_eq!(life.drain(now), Some(Order::Drain));
        assert_eq!(life.drain(now), None);
        assert_eq!(life.tick(now + Duration::from_secs(15)), Some(Order::Terminate));
        assert_eq!(life.tick(now + Duration::from_secs(19)), None);
        assert_eq!(life.tick(now + Duration::from_secs(20)), Some(Order::Kill));
    }

    #[test]
    fn who_leaves_has_the_time_of_the_cause() {
        let now = Instant::now();
        for (cause, seconds) in
            [(Cause::ScriptReload, 15), (Cause::EvictionSignal, 30), (Cause::ShutdownSignal, 5)]
        {
            let mut life = ready(now);
            life.report(Report::Leaving(cause), now);
            assert_eq!(
                life.phase(),
                Phase::Draining { until: now + Duration::from_secs(seconds) },
                "{cause:?}"
            );
        }
        let mut life = ready(now);
        life.report(Report::Replace(Cause::MaximumRequests), now);
        assert_eq!(life.phase(), Phase::Ready, "it serves until its successor is ready");
    }

    #[test]
    fn ki_2_a_shorter_patience_wins() {
        let now = Instant::now();
        let mut life = ready(now);
        assert_eq!(life.terminate(now, Duration::from_secs(500)), Some(Order::Terminate));
        assert_eq!(life.terminate(now, Duration::from_secs(4)), None);
        assert_eq!(life.tick(now + Duration::from_secs(4)), Some(Order::Kill));
    }

    #[test]
    fn reports_out_of_place_change_nothing() {
        let now = Instant::now();
        let mut life = ready(now);
        life.drain(now);
        let before = life;
        for report in [Report::Ready, Report::Leaving(Cause::ScriptReload), Report::Failed(Failure::Python)] {
            life.report(report, now);
            assert_eq!(life, before);
        }
    }

    #[test]
    fn ki_6_a_worker_that_runs_on_without_its_status_pipe_is_terminated() {
        let now = Instant::now();
        let mut life = ready(now);
        life.silence(now);
        assert_eq!(life.deadline(), Some(now + SILENCE));
        assert_eq!((life.tick(now), life.is_lost(now)), (None, false));
        assert!(life.is_lost(now + SILENCE));
        assert_eq!(life.tick(now + SILENCE), Some(Order::Terminate));
        assert_eq!((life.tick(now + SILENCE), life.is_lost(now + SILENCE)), (None, false));
        assert_eq!(life.tick(now + SILENCE + LIMITS.shutdown), Some(Order::Kill));
    }

    #[test]
    fn endless_timeouts_do_not_overflow() {
        let limits = Limits {
            start: Duration::MAX,
            graceful: Duration::MAX,
            eviction: Duration::MAX,
            shutdown: Duration::MAX,
            alone: false,
        };
        let mut life = Life::new(Instant::now(), limits);
        life.terminate(Instant::now(), Duration::MAX);
        assert!(life.deadline().is_some());
    }
}
