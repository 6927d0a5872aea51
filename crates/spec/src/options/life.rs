//! The options about the life of workers: when they are replaced, and how long they may take to leave.

use std::time::Duration;

use super::draft::Draft;
use super::table::{OptionRow, SECONDS, STRICT, put, works};
use super::value::{self, Refusal, Timeout};

/// Stores a time, where 0 stands for "never".
fn timer(slot: &mut Option<Duration>, text: &str) -> Result<(), Refusal> {
    *slot = Timeout::parse(text)?.some();
    Ok(())
}

const NEVER: &str = "a whole number of seconds, 0 for never";

/// The rows.
pub(super) const TABLE: &[OptionRow] = &[
    works(
        "shutdown-timeout",
        "a whole number of seconds, 0 for the default",
        "5",
        "time for a worker to end by itself before it is killed",
        "0 waits for ever there; here a worker that does not end is always killed",
        |d: &mut Draft, v| put(&mut d.shutdown, Timeout::parse(v)),
    ),
    works(
        "graceful-timeout",
        SECONDS,
        "15",
        "time for a worker that was replaced to finish its requests",
        STRICT,
        |d, v| put(&mut d.graceful, Timeout::parse(v)),
    ),
    works(
        "maximum-requests",
        "a whole number, 0 for no limit",
        "0",
        "requests after which a worker is replaced; its successor is ready before it leaves, so it may serve more",
        "mod_wsgi ends the worker first; with threads=1 and 1 here, wsgi.run_once is true and the worker serves one request",
        |d, v| {
            let count = value::number(v, 0, u64::MAX)?;
            d.timers.maximum_requests = (count > 0).then_some(count);
            Ok(())
        },
    ),
    works(
        "startup-timeout",
        NEVER,
        "0",
        "time from the first request that needs the application until it is loaded; then the worker is replaced",
        "works without deadlock-timeout too; repeated failures lengthen the pause between workers",
        |d, v| timer(&mut d.timers.startup, v),
    ),
    works(
        "deadlock-timeout",
        NEVER,
        "300",
        "time without Python's global lock (GIL) before the worker is replaced",
        "the log says where the threads are",
        |d, v| {
            d.deadlock = Some(Timeout::parse(v)?);
            Ok(())
        },
    ),
    works(
        "inactivity-timeout",
        NEVER,
        "0",
        "time without requests, counted from the first one, after which the worker is replaced; frees memory",
        "the successor is ready before it leaves; works without deadlock-timeout too",
        |d, v| timer(&mut d.timers.inactivity, v),
    ),
    works(
        "request-timeout",
        NEVER,
        "0",
        "longest time for a request: then it is answered with 504 and the worker is replaced; with interrupt-timeout, an exception is tried first",
        "holds for each request as written; mod_wsgi multiplies it with 1+ln(threads), looks at one second steps and answers 502",
        |d, v| timer(&mut d.timers.request, v),
    ),
    works(
        "interrupt-timeout",
        NEVER,
        "0",
        "above 0, a request that is longer than request-timeout gets the exception mod_wsgi.RequestTimeout, and has this time to end before the worker is replaced",
        "",
        |d, v| timer(&mut d.timers.interrupt, v),
    ),
    works(
        "eviction-timeout",
        "a whole number of seconds, 0 for that of graceful-timeout",
        "0",
        "time to finish requests after SIGUSR1 to the worker",
        "",
        |d, v| timer(&mut d.timers.eviction, v),
    ),
    works(
        "restart-interval",
        NEVER,
        "0",
        "time after which a worker is replaced",
        "the successor is ready before it leaves; works without deadlock-timeout too",
        |d, v| timer(&mut d.timers.restart_interval, v),
    ),
    works(
        "cpu-time-limit",
        NEVER,
        "0",
        "seconds of processor time after which a worker is replaced (RLIMIT_CPU)",
        "a limit that cannot be set stops the worker instead of being logged only",
        |d, v| timer(&mut d.timers.cpu, v),
    ),
];
