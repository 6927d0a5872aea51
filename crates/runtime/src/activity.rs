//! What request threads leave behind for the timers: numbers that anybody may read at any time. What follows from them is
//! decided elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spec::worker::Cause;

use crate::wishes::Wishes;

/// When the process last had something to do, for `inactivity-timeout`. Costs nothing without it.
#[derive(Debug)]
pub struct Activity {
    wanted: bool,
    start: Instant,
    /// Microseconds after `start`, and one; 0 before the first activity.
    last: AtomicU64,
}

impl Activity {
    /// None yet.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, start: Instant::now(), last: AtomicU64::new(0) }
    }

    /// A request that counts begins; it ends with the result.
    pub fn during(&self) -> During<'_> {
        self.seen();
        During(self)
    }

    fn seen(&self) {
        if self.wanted {
            self.last.store(stamp(self.start, Instant::now()), Ordering::Relaxed);
        }
    }

    /// When that last was.
    pub fn last(&self) -> Option<Instant> {
        instant(self.start, self.last.load(Ordering::Relaxed))
    }
}

/// A request that counts as activity.
#[derive(Debug)]
pub struct During<'a>(&'a Activity);

impl Drop for During<'_> {
    fn drop(&mut self) {
        self.0.seen();
    }
}

/// A moment as a number that is not 0.
pub fn stamp(start: Instant, moment: Instant) -> u64 {
    let passed = moment.saturating_duration_since(start).as_micros();
    u64::try_from(passed).unwrap_or(u64::MAX - 1).saturating_add(1)
}

/// The moment of a [`stamp`]; `None` for 0.
pub fn instant(start: Instant, stamp: u64) -> Option<Instant> {
    stamp.checked_sub(1).and_then(|passed| start.checked_add(Duration::from_micros(passed)))
}

/// Counts requests for `maximum-requests`.
#[derive(Debug)]
pub struct Requests {
    count: AtomicU64,
    limit: Option<u64>,
    once: bool,
}

impl Requests {
    /// None yet. With one thread and a limit of one the worker serves exactly one request: its successor cannot come first.
    pub fn new(limit: Option<u64>, threads: u32) -> Self {
        Self { count: AtomicU64::new(0), limit, once: limit == Some(1) && threads == 1 }
    }

    /// Whether this process serves one request only: `wsgi.run_once`.
    pub fn once(&self) -> bool {
        self.once
    }

    /// Whether the one request was served.
    pub fn spent(&self) -> bool {
        self.once && self.count.load(Ordering::Relaxed) > 0
    }

    /// One more was served.
    pub fn served(&self, wishes: &Wishes) {
        let Some(limit) = self.limit else { return };
        if self.count.fetch_add(1, Ordering::Relaxed).saturating_add(1) < limit {
        } else if self.once {
            wishes.leave(Cause::MaximumRequests);
        } else {
            wishes.replace(Cause::MaximumRequests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes_after(limit: Option<u64>, threads: u32, served: u32) -> (Option<Cause>, Option<Cause>) {
        let (wishes, requests) = (Wishes::new().unwrap(), Requests::new(limit, threads));
        (0..served).for_each(|_| requests.served(&wishes));
        (wishes.leaves(), wishes.is_replaced())
    }

    #[test]
    fn the_last_allowed_request_asks_for_a_successor() {
        let limit = Some(Cause::MaximumRequests);
        assert_eq!(wishes_after(Some(3), 1, 2), (None, None));
        assert_eq!(wishes_after(Some(3), 1, 3), (None, limit));
        assert_eq!(wishes_after(Some(3), 1, 9), (None, limit));
        assert_eq!(wishes_after(Some(1), 2, 1), (None, limit));
        assert_eq!(wishes_after(None, 1, 9), (None, None));
    }

    #[test]
    fn one_thread_with_one_request_leaves_first() {
        assert!(Requests::new(Some(1), 1).once());
        assert_eq!(wishes_after(Some(1), 1, 1), (Some(Cause::MaximumRequests), None));
        assert!(!Requests::new(Some(1), 2).once() && !Requests::new(None, 1).once());
    }
}
