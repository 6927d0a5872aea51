//! When a worker is replaced, and which requests are ended: decisions from what is seen and the time. Pure. Who sees and who acts
//! is in `control`.

use std::time::{Duration, Instant};

use spec::worker::Cause;
use unix::clock::later;

/// What can be seen of the process.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Now.
    pub now: Instant,
    /// Since when the worker serves.
    pub ready: Option<Instant>,
    /// Requests that are running.
    pub running: usize,
    /// For each request thread, since when it serves the request it serves.
    pub requests: &'a [Option<Instant>],
    /// When the last request that counts as activity began or ended.
    pub active: Option<Instant>,
    /// Since when scripts are needed and none could be loaded.
    pub loading: Option<Instant>,
    /// Since when the GIL is waited for.
    pub gil: Option<Instant>,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The worker leaves.
    Leave(Cause),
    /// The worker asks for its successor.
    Replace(Cause),
    /// The request of this thread, running since then, gets an exception.
    Interrupt(usize, Instant),
    /// It is answered without its thread.
    GiveUp(usize, Instant),
}

/// What was done to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Interrupted(Instant),
    GivenUp(Instant),
}

/// The timers of a worker.
#[derive(Debug)]
pub struct Timers {
    limits: spec::Timers,
    requests: Vec<Option<Done>>,
    replaced: bool,
    left: bool,
}

impl Timers {
    /// Nothing was done yet.
    pub fn new(limits: spec::Timers) -> Self {
        Self { limits, requests: Vec::new(), replaced: false, left: false }
    }

    /// What is due now. Each thing is due once.
    pub fn due(&mut self, seen: &Seen<'_>) -> Vec<Due> {
        let mut due = self.late_requests(seen);
        let waits = |since: Option<Instant>, limit: Option<Duration>| match (since, limit) {
            (Some(since), Some(limit)) => later(since, limit) <= seen.now,
            _ => false,
        };
        let failures = [
            (waits(seen.gil, self.limits.deadlock), Cause::DeadlockTimeout),
            (waits(seen.loading, self.limits.startup), Cause::StartupTimeout),
            (due.iter().any(|due| matches!(due, Due::GiveUp(..))), Cause::RequestTimeout),
        ];
        for (_, cause) in failures.into_iter().filter(|(is_due, _)| *is_due) {
            if !std::mem::replace(&mut self.left, true) {
                due.push(Due::Leave(cause));
            }
        }
        let idle = seen.active.filter(|_| seen.running == 0);
        let plans = [
            (waits(seen.ready, self.limits.restart_interval), Cause::RestartInterval),
            (waits(idle, self.limits.inactivity), Cause::InactivityTimeout),
        ];
        for (_, cause) in plans.into_iter().filter(|(is_due, _)| *is_due) {
            if !self.left && !std::mem::replace(&mut self.replaced, true) {
                due.push(Due::Replace(cause));
            }
        }
        due
    }

    fn late_requests(&mut self, seen: &Seen<'_>) -> Vec<Due> {
        let Some(limit) = self.limits.request else { return Vec::new() };
        self.requests.resize(seen.requests.len(), None);
        let mut due = Vec::new();
        for (number, (since, done)) in seen.requests.iter().zip(&mut self.requests).enumerate() {
            let Some(since) = *since else { continue };
            let interrupt = self.limits.interrupt.filter(|_| later(since, limit) <= seen.now);
            let end = later(since, limit.saturating_add(self.limits.interrupt.unwrap_or_default()));
            if end <= seen.now && *done != Some(Done::GivenUp(since)) {
                *done = Some(Done::GivenUp(since));
                due.push(Due::GiveUp(number, since));
            } else if interrupt.is_some() && !is_about(*done, since) {
                *done = Some(Done::Interrupted(since));
                due.push(Due::Interrupt(number, since));
            }
        }
        due
    }

    /// Whether all requests that run are given up: nothing is left to wait for.
    pub fn is_stale(&self, seen: &Seen<'_>) -> bool {
        let given_up = |(since, done): (&Option<Instant>, &Option<Done>)| match since {
            Some(since) => *done == Some(Done::GivenUp(*since)),
            None => true,
        };
        self.limits.request.is_some()
            && self.left
            && seen.running > 0
            && seen.requests.iter().zip(&self.requests).all(given_up)
    }

    /// When something can be due that is not now. What has not begun yet cannot be due before its whole time has passed.
    pub fn next(&self, seen: &Seen<'_>) -> Option<Instant> {
        let from = |since: Option<Instant>, limit: Option<Duration>| {
            limit.map(|limit| later(since.unwrap_or(seen.now), limit))
        };
        let planned = |at: Option<Instant>| at.filter(|_| !self.replaced && !self.left);
        let failing = |at: Option<Instant>| at.filter(|_| !self.left);
        let idle = seen.active.filter(|_| seen.running == 0);
        let process = [
            planned(from(seen.ready, self.limits.restart_interval)),
            planned(from(idle, self.limits.inactivity)),
            failing(from(seen.gil, self.limits.deadlock)),
            failing(from(seen.loading, self.limits.startup)),
        ];
        let limit = self.limits.request;
        let requests = seen.requests.iter().enumerate().filter_map(|(number, since)| {
            let done = self.requests.get(number).copied().flatten();
            let limit = limit?;
            match (since, done) {
                (Some(since), Some(Done::GivenUp(given_up))) if given_up == *since => None,
                (Some(since), done) if is_about(done, *since) => {
                    Some(later(*since, limit.saturating_add(self.limits.interrupt.unwrap_or_default())))
                }
                (since, _) => Some(later(since.unwrap_or(seen.now), limit)),
            }
        });
        process.into_iter().flatten().chain(requests).min()
    }
}

fn is_about(done: Option<Done>, since: Instant) -> bool {
    matches!(done, Some(Done::Interrupted(at) | Done::GivenUp(at)) if at == since)
}

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
