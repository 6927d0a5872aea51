//! Tests of the timers, with a clock of their own.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A worker whose facts the test changes.
struct World {
    timers: Timers,
    start: Instant,
    now: Instant,
    ready: Option<Instant>,
    running: usize,
    requests: Vec<Option<Instant>>,
    active: Option<Instant>,
    loading: Option<Instant>,
    gil: Option<Instant>,
}

impl World {
    fn new(limits: spec::Timers) -> Self {
        let start = Instant::now();
        let timers = Timers::new(limits);
        let requests = vec![None, None];
        Self {
            timers,
            start,
            now: start,
            ready: Some(start),
            running: 0,
            requests,
            active: None,
            loading: None,
            gil: None,
        }
    }

    fn seen(&self) -> Seen<'_> {
        let Self { now, ready, running, active, loading, gil, .. } = *self;
        Seen { now, ready, running, requests: &self.requests, active, loading, gil }
    }

    /// What is due at this second after the start.
    fn at(&mut self, seconds: u32) -> Vec<Due> {
        self.now = self.start + SECOND * seconds;
        let requests = self.requests.clone();
        let Self { now, ready, running, active, loading, gil, .. } = *self;
        self.timers.due(&Seen { now, ready, running, requests: &requests, active, loading, gil })
    }

    /// In how many seconds something can be due.
    fn next(&self) -> Option<u64> {
        self.timers.next(&self.seen()).map(|at| at.saturating_duration_since(self.now).as_secs())
    }

    fn second(&self, seconds: u32) -> Option<Instant> {
        Some(self.start + SECOND * seconds)
    }
}

fn seconds(count: u32) -> Option<Duration> {
    Some(SECOND * count)
}

#[test]
fn without_timers_nothing_is_ever_due() {
    let mut world = World::new(spec::Timers::default());
    (world.gil, world.loading, world.active) = (world.second(0), world.second(0), world.second(0));
    world.requests[0] = world.second(0);
    assert_eq!((world.at(1_000_000), world.next()), (Vec::new(), None));
}

#[test]
fn restart_interval_asks_once() {
    let mut world = World::new(spec::Timers { restart_interval: seconds(10), ..spec::Timers::default() });
    world.ready = None;
    assert_eq!((world.at(20), world.next()), (vec![], Some(10)), "its scripts are still being loaded");
    world.ready = world.second(20);
    assert_eq!((world.at(29), world.next()), (vec![], Some(1)));
    assert_eq!((world.at(30), world.next()), (vec![Due::Replace(Cause::RestartInterval)], None));
    assert_eq!(world.at(60), []);
}

#[test]
fn inactivity_needs_a_first_request_and_an_idle_worker() {
    let mut world = World::new(spec::Timers { inactivity: seconds(10), ..spec::Timers::default() });
    assert_eq!((world.at(1000), world.next()), (vec![], Some(10)), "never used");
    (world.active, world.running) = (world.second(1000), 1);
    assert_eq!((world.at(1010), world.next()), (vec![], Some(10)), "busy");
    (world.active, world.running) = (world.second(1012), 0);
    assert_eq!((world.at(1021), world.next()), (vec![], Some(1)));
    assert_eq!(world.at(1022), [Due::Replace(Cause::InactivityTimeout)]);
    assert_eq!((world.at(1040), world.next()), (vec![], None));
}

#[test]
fn to_3_startup_timeout_counts_from_the_first_attempt_to_the_first_success() {
    let mut world = World::new(spec::Timers { startup: seconds(5), ..spec::Timers::default() });
    assert_eq!((world.at(100), world.next()), (vec![], Some(5)), "nothing was tried");
    world.loading = world.second(100);
    assert_eq!((world.at(104), world.next()), (vec![], Some(1)));
    world.loading = None;
    assert_eq!(world.at(106), [], "loaded");
    world.loading = world.second(100);
    assert_eq!(world.at(106), [Due::Leave(Cause::StartupTimeout)]);
    assert_eq!((world.at(107), world.next()), (vec![], None));
}

#[test]
fn to_2_a_gil_that_does_not_come_is_noticed() {
    let mut world = World::new(spec::Timers { deadlock: seconds(300), ..spec::Timers::default() });
    assert_eq!((world.at(1), world.next()), (vec![], Some(300)));
    world.gil = world.second(2);
    assert_eq!((world.at(301), world.next()), (vec![], Some(1)));
    assert_eq!(world.at(302), [Due::Leave(Cause::DeadlockTimeout)]);
    assert_eq!((world.at(303), world.next()), (vec![], None));
}

#[test]
fn to_1_a_late_request_is_given_up_and_the_worker_leaves() {
    let mut world = World::new(spec::Timers { request: seconds(10), ..spec::Timers::default() });
    assert_eq!((world.at(1), world.next()), (vec![], Some(10)));
    (world.requests, world.running) = (vec![world.second(2), world.second(8)], 2);
    assert_eq!((world.at(11), world.next()), (vec![], Some(1)));
    let first = world.second(2).unwrap();
    assert_eq!(world.at(12), [Due::GiveUp(0, first), Due::Leave(Cause::RequestTimeout)]);
    assert!(!world.timers.is_stale(&world.seen()), "the other one may finish");
    assert_eq!((world.at(13), world.next()), (vec![], Some(5)));
    (world.requests[1], world.running) = (None, 1);
    assert!(world.timers.is_stale(&world.seen()));
}

#[test]
fn to_1_an_interrupted_request_has_its_time_to_end() {
    let limits = spec::Timers { request: seconds(10), interrupt: seconds(3), ..spec::Timers::default() };
    let mut world = World::new(limits);
    (world.requests[1], world.running) = (world.second(0), 1);
    let since = world.second(0).unwrap();
    assert_eq!(world.at(10), [Due::Interrupt(1, since)]);
    assert_eq!((world.at(12), world.next()), (vec![], Some(1)));
    // It has ended; the next request of the thread has a time of its own.
    world.requests[1] = world.second(12);
    assert_eq!((world.at(14), world.next()), (vec![], Some(8)));
    let since = world.second(12).unwrap();
    assert_eq!(world.at(22), [Due::Interrupt(1, since)]);
    assert_eq!(world.at(25), [Due::GiveUp(1, since), Due::Leave(Cause::RequestTimeout)]);
    assert_eq!((world.at(26), world.next()), (vec![], Some(10)), "the idle thread may get another request");
}

#[test]
fn to_3_each_timer_works_whatever_the_others_are() {
    let day = seconds(86_400);
    let all = || spec::Timers {
        restart_interval: day,
        inactivity: day,
        startup: day,
        deadlock: day,
        request: day,
        ..spec::Timers::default()
    };
    let one = |change: fn(&mut spec::Timers)| {
        let mut both = [spec::Timers::default(), all()];
        both.iter_mut().for_each(change);
        both.map(|limits| {
            let mut world = World::new(limits);
            let since = world.second(1);
            (world.active, world.loading, world.gil, world.requests[0]) = (since, since, since, since);
            world.at(11).into_iter().filter(|due| !matches!(due, Due::GiveUp(..))).collect::<Vec<_>>()
        })
    };
    let same = |due| [vec![due], vec![due]];
    assert_eq!(one(|t| t.restart_interval = seconds(10)), same(Due::Replace(Cause::RestartInterval)));
    assert_eq!(one(|t| t.inactivity = seconds(10)), same(Due::Replace(Cause::InactivityTimeout)));
    assert_eq!(one(|t| t.startup = seconds(10)), same(Due::Leave(Cause::StartupTimeout)));
    assert_eq!(one(|t| t.deadlock = seconds(10)), same(Due::Leave(Cause::DeadlockTimeout)));
    assert_eq!(one(|t| t.request = seconds(10)), same(Due::Leave(Cause::RequestTimeout)));
}

#[test]
fn endless_timeouts_do_not_overflow() {
    let limits = spec::Timers {
        request: Some(Duration::MAX),
        interrupt: Some(Duration::MAX),
        deadlock: Some(Duration::MAX),
        ..spec::Timers::default()
    };
    let mut world = World::new(limits);
    (world.gil, world.requests[0]) = (world.second(0), world.second(0));
    assert_eq!(world.at(1000), []);
    assert!(world.next().is_some());
}
