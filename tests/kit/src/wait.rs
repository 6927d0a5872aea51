//! Waiting for a condition. The only place of the test workspace that sleeps.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(5);

/// The longest that something promised within `promise` may take here: the promise itself where `WSGI_EXACT_TIMES` is set, which is
/// for a quiet machine that does nothing else; otherwise ten times as long, so that only what does not happen by itself at all (or
/// only after some other, longer limit) fails.
pub fn promised(promise: Duration) -> Duration {
    if std::env::var_os("WSGI_EXACT_TIMES").is_some() { promise } else { promise * 10 }
}

/// Asks `condition` again and again until it holds or `limit` is over; says whether it held.
pub fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// Waits until `condition` holds; panics with `what` when `limit` is over first.
#[track_caller]
pub fn wait_until(limit: Duration, what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(limit, condition), "not within {limit:?}: {what}");
}

/// Waits until `probe` gives something and returns it; panics with `what` when `limit` is over first.
#[track_caller]
pub fn wait_for<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    wait_until(limit, what, || {
        found = probe();
        found.is_some()
    });
    found.expect("wait_until returned, so the probe gave a value")
}

/// Checks again and again for the whole of `span` that `condition` never stops holding.
#[track_caller]
pub fn stays_true(span: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    assert!(!holds_within(span, || !condition()), "did not stay true for {span:?}: {what}");
}
