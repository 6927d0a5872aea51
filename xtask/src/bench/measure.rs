//! The rounds: within each, every server is measured once for a case, in an order that changes, so that whatever else the machine
//! does meets all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::cases::Case;
use super::load::{self, pace::Latency};
use super::noise::{Noise, Usage};
use super::peers::Peer;
use super::plan::{Effort, Planned};
use super::server::Server;
use super::stats::Spread;
use super::{stop, syscalls};

/// A client that uses more than this part of the processor time that it could is at its limit.
const AT_LIMIT: f64 = 0.9;

/// Why a server that could not be started has failed in a case. What happened is told among the failures of the run.
pub const NOT_STARTED: &str = "it has not started";

/// One measurement of one server.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Sample {
    /// Answers per second.
    pub rate: f64,
    /// CPU time of all of the server's processes per answer, in microseconds.
    pub cpu: f64,
    /// The part of it that was not the application's, where the application says what it took.
    pub outside: Option<f64>,
    /// The part of the processor time it could use that the client has used.
    pub client: f64,
    /// The part of the machine's processor time that others had.
    pub others: f64,
}

/// What was seen of one server in one case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// One of each round.
    pub samples: Vec<Sample>,
    /// At a fixed rate, one of each round.
    pub latency: Vec<Latency>,
    /// System calls of all of the server's processes per answer.
    pub system_calls: Option<f64>,
}

impl Seen {
    /// The median of something.
    pub fn median(&self, of: impl Fn(&Sample) -> f64) -> Result<f64> {
        Spread::of(self.samples.iter().map(of).collect()).map(|spread| spread.median)
    }

    /// CPU time outside of the application, one of each round; `None` when the application does not say what it took.
    pub fn outside(&self) -> Option<Vec<f64>> {
        self.samples.iter().map(|sample| sample.outside).collect()
    }

    /// Whether the client could not do more, so that the server might have.
    pub fn is_limited_by_client(&self) -> bool {
        self.median(|sample| sample.client).is_ok_and(|part| part > AT_LIMIT)
    }
}

/// All measurements of one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// The case.
    pub case: Case,
    /// Requests per second of the latencies.
    pub pace: Option<f64>,
    /// By server.
    pub seen: BTreeMap<Peer, Seen>,
    /// Why some are missing although they should not.
    pub failed: BTreeMap<Peer, String>,
}

impl Measured {
    fn new(case: Case) -> Self {
        Self { case, pace: None, seen: BTreeMap::new(), failed: BTreeMap::new() }
    }

    /// Does something with a server. When it fails, nothing of that server counts in this case: what was seen until then is not kept.
    fn attempt<T>(&mut self, peer: Peer, what: Result<T>) -> Result<Option<T>> {
        // What fails because everything is told to end is no failure of the server.
        stop::check()?;
        match what {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.seen.remove(&peer);
                self.failed.insert(peer, format!("{error:#}"));
                Ok(None)
            }
        }
    }
}

/// What all measurements of a run need.
pub struct Bench<'a> {
    /// How much is measured.
    pub effort: Effort,
    /// For files of the clients.
    pub folder: &'a Path,
    /// Is told what was seen, and for how long it was measured.
    pub told: &'a dyn Fn(&str, Duration),
}

impl Bench<'_> {
    /// Loads a server once.
    fn sample(&self, case: &Case, peer: Peer, server: &Server, time: Duration) -> Result<Sample> {
        let usage = Usage::begin(server.pids())?;
        let seen = load::run(case, &peer.target(case.work), server.address, time, self.folder)
            .map_err(|error| anyhow!("{error:#}{}", server.log_told()))?;
        let used = usage.end()?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / seen.answers;
        Ok(Sample {
            rate: seen.answers / seen.time.as_secs_f64(),
            cpu: each(used.server),
            outside: seen.application.map(|application| each(used.server) - each(application)),
            client: used.client.as_secs_f64() / (seen.time.as_secs_f64() * load::cores(case) as f64),
            others: used.others,
        })
    }

    /// Everything that is planned for one case, over the servers of its stage. On an interruption, what was seen until then counts.
    pub fn case(
        &self,
        planned: &Planned,
        servers: &BTreeMap<Peer, Server>,
        noise: &mut Noise,
    ) -> (Measured, Result<()>) {
        let mut measured = Measured::new(planned.case);
        let end = self.rounds(planned, servers, noise, &mut measured);
        // One that only got warm has nothing to show.
        measured.seen.retain(|_, seen| !seen.samples.is_empty());
        (measured, end)
    }

    fn rounds(
        &self,
        planned: &Planned,
        servers: &BTreeMap<Peer, Server>,
        noise: &mut Noise,
        measured: &mut Measured,
    ) -> Result<()> {
        let case = &planned.case;
        for peer in &planned.peers {
            let Some(server) = servers.get(peer) else {
                measured.failed.insert(*peer, NOT_STARTED.to_owned());
                continue;
            };
            // The first load is not like the others: modules are imported, memory grows.
            let warm = self.sample(case, *peer, server, Effort::WARM_UP);
            if measured.attempt(*peer, warm)?.is_some() {
                measured.seen.insert(*peer, Seen::default());
            }
            (self.told)(&format!("{case}: {} gets warm", peer.name()), Effort::WARM_UP);
        }
        for round in 0..self.effort.rounds as usize {
            noise.before_round()?;
            for peer in order(&measured.seen, round) {
                let sample = self.sample(case, peer, &servers[&peer], self.effort.time);
                let Some(sample) = measured.attempt(peer, sample)? else { continue };
                measured.seen.entry(peer).or_default().samples.push(sample);
                let text = format!("{case}: {} {:.0}/s, {:.0} µs CPU", peer.name(), sample.rate, sample.cpu);
                (self.told)(&text, self.effort.time);
            }
        }
        if planned.latency {
            self.latencies(servers, measured, noise)?;
        }
        if planned.system_calls {
            for peer in order(&measured.seen, 0) {
                let calls = syscalls::per_answer(case, peer, &servers[&peer], self.folder);
                let calls = measured.attempt(peer, calls)?.flatten();
                measured.seen.entry(peer).and_modify(|seen| seen.system_calls = calls);
                (self.told)(&format!("{case}: system calls of {}", peer.name()), syscalls::TIME);
            }
        }
        Ok(())
    }

    fn latencies(
        &self,
        servers: &BTreeMap<Peer, Server>,
        measured: &mut Measured,
        noise: &mut Noise,
    ) -> Result<()> {
        let case = measured.case;
        let Some(rate) = pace(&measured.seen) else { return Ok(()) };
        measured.pace = Some(rate);
        for round in 0..self.effort.rounds as usize {
            noise.before_round()?;
            for peer in order(&measured.seen, round) {
                let (target, address) = (peer.target(case.work), servers[&peer].address);
                let latency = load::pace::run(&target, address, rate, case.connections, self.effort.time)
                    .with_context(|| format!("at {rate:.0} requests per second"));
                let Some(latency) = measured.attempt(peer, latency)? else { continue };
                let text = format!("{case}: {} p50 {} µs, p99 {} µs", peer.name(), latency.p50, latency.p99);
                (self.told)(&text, self.effort.time);
                measured.seen.entry(peer).and_modify(|seen| seen.latency.push(latency));
            }
        }
        Ok(())
    }
}

/// Whose turn it is in a round: each begins once, and every other round goes backwards, so that nobody always follows the same one.
/// Ours and mod_wsgi are neighbours in it, which makes their ratio the one that noise meets least.
fn order<T>(seen: &BTreeMap<Peer, T>, round: usize) -> Vec<Peer> {
    let mut order: Vec<Peer> = seen.keys().copied().collect();
    let first = round % order.len().max(1);
    order.rotate_left(first);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Half of what mod_wsgi does; where it is missing, of what the slowest does. Who does not keep up with that is told.
fn pace(seen: &BTreeMap<Peer, Seen>) -> Option<f64> {
    let rate = |seen: &Seen| seen.median(|sample| sample.rate).ok();
    let reference = seen.get(&Peer::ModWsgi).and_then(rate);
    let slowest = || seen.values().filter_map(rate).min_by(f64::total_cmp);
    reference.or_else(slowest).map(|rate| (rate / 2.0).clamp(10.0, 5000.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rates: &[f64]) -> Seen {
        let sample = |rate: &f64| Sample { rate: *rate, cpu: 1.0, outside: None, client: 0.5, others: 0.0 };
        Seen { samples: rates.iter().map(sample).collect(), ..Seen::default() }
    }

    #[test]
    fn every_server_is_measured_once_in_a_round_and_begins_one() {
        let all: BTreeMap<Peer, ()> = Peer::ALL.into_iter().map(|peer| (peer, ())).collect();
        let orders: Vec<Vec<Peer>> = (0..Peer::ALL.len()).map(|round| order(&all, round)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort();
            assert_eq!(sorted, Peer::ALL);
        }
        // In half of the rounds the one before is another.
        let before = |peer, order: &[Peer]| {
            let at = order.iter().position(|other| *other == peer).unwrap();
            order[(at + order.len() - 1) % order.len()]
        };
        assert_ne!(before(Peer::ModWsgi, &orders[0]), before(Peer::ModWsgi, &orders[1]));
        assert!(order(&BTreeMap::<Peer, ()>::new(), 3).is_empty());
    }

    #[test]
    fn the_pace_is_half_of_what_mod_wsgi_does() {
        let with = [(Peer::Ours, seen(&[9000.0])), (Peer::ModWsgi, seen(&[300.0, 200.0, 100.0]))];
        assert_eq!(pace(&with.into()), Some(100.0));
        let without = [(Peer::Ours, seen(&[90_000.0])), (Peer::Gunicorn, seen(&[20_000.0]))];
        assert_eq!(pace(&without.into()), Some(5000.0));
        assert_eq!(pace(&BTreeMap::new()), None);
    }

    #[test]
    fn a_server_that_fails_takes_no_part_any_more_and_the_others_go_on() {
        let mut measured = Measured::new(Case::GOALS[0]);
        measured.seen = [(Peer::Ours, seen(&[1.0])), (Peer::Uwsgi, seen(&[2.0]))].into();
        let failure = Err(anyhow::anyhow!("wrk saw failures")).context("its log ends with: x");
        assert_eq!(measured.attempt::<u8>(Peer::Uwsgi, failure).unwrap(), None);
        assert_eq!(measured.attempt(Peer::Ours, Ok(7)).unwrap(), Some(7));
        assert_eq!(measured.seen.keys().collect::<Vec<_>>(), [&Peer::Ours]);
        assert_eq!(measured.failed[&Peer::Uwsgi], "its log ends with: x: wrk saw failures");
    }

    #[test]
    fn a_busy_client_is_seen() {
        let mut busy = seen(&[1.0, 2.0, 3.0]);
        assert!(!busy.is_limited_by_client());
        busy.samples.iter_mut().for_each(|sample| sample.client = 0.97);
        assert!(busy.is_limited_by_client());
    }
}
