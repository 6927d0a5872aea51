//! The rounds: within each, every server is measured once for a case, in an order that changes, so that whatever else the machine
//! does meets all of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::cases::{Case, Transport, Work};
use super::cpu;
use super::load::{self, pace::Latency};
use super::peers::Peer;
use super::server::Server;
use super::stats::{Noise, Spread};

/// One measurement of one server.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sample {
    /// Answers per second.
    pub rate: f64,
    /// CPU time of all of the server's processes per answer, in microseconds.
    pub cpu: f64,
}

/// What was seen of one server in one case.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Seen {
    /// One of each round.
    pub samples: Vec<Sample>,
    /// At a fixed rate, one of each round.
    pub latency: Vec<Latency>,
    /// System calls of all of the server's processes per answer.
    pub system_calls: Option<f64>,
}

/// All measurements of one case.
#[derive(Debug)]
pub struct Measured {
    /// The case.
    pub case: Case,
    /// Requests per second of the latencies.
    pub pace: Option<f64>,
    /// By server; those that cannot do the case are missing.
    pub seen: BTreeMap<Peer, Seen>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds.
    pub rounds: u32,
    /// Of each measurement.
    pub time: Duration,
    /// Whether latency at a fixed rate is measured, too.
    pub latency: bool,
    /// Whether system calls are counted, which takes strace.
    pub system_calls: bool,
}

/// Loads a server once.
pub fn sample(case: &Case, peer: Peer, server: &Server, time: Duration, folder: &Path) -> Result<Sample> {
    let before = cpu::of_trees(&server.pids())?;
    let seen = load::run(case, &peer.target(case.work), server.address, time, folder).with_context(|| {
        format!("measuring {} with {case}; its log ends with:\n{}", peer.name(), server.log_end())
    })?;
    let used = cpu::of_trees(&server.pids())?.saturating_sub(before);
    Ok(Sample { rate: seen.answers / seen.time.as_secs_f64(), cpu: used.as_secs_f64() * 1e6 / seen.answers })
}

/// All rounds of one case over the servers of its stage. `told` is called after each measurement.
pub fn rounds(
    case: &Case,
    servers: &BTreeMap<Peer, Server>,
    effort: Effort,
    noise: &mut Noise,
    folder: &Path,
    told: &dyn Fn(&str),
) -> Result<Measured> {
    let able: Vec<Peer> = servers.keys().copied().filter(|peer| peer.cannot(case).is_none()).collect();
    let mut seen: BTreeMap<Peer, Seen> = BTreeMap::new();
    for peer in &able {
        sample(case, *peer, &servers[peer], Duration::from_secs(1), folder)?;
    }
    for round in 0..effort.rounds as usize {
        noise.probe();
        for turn in 0..able.len() {
            let peer = able[(turn + round) % able.len()];
            let sample = sample(case, peer, &servers[&peer], effort.time, folder)?;
            seen.entry(peer).or_default().samples.push(sample);
            told(&format!("{case}: {} {:.0}/s, {:.0} µs CPU", peer.name(), sample.rate, sample.cpu));
        }
    }
    // The client of fixed rates sends plain GETs on connections that stay open.
    let is_paced =
        case.transport == Transport::Http && case.work.transfer() == 0 && case.work != Work::Document;
    let pace = if effort.latency && is_paced { pace(&seen) } else { None };
    if let Some(rate) = pace {
        latencies(case, servers, rate, effort, &mut seen, told)?;
    }
    if effort.system_calls && case.work.transfer() == 0 {
        for (peer, seen) in &mut seen {
            seen.system_calls = super::syscalls::per_answer(case, *peer, &servers[peer], folder)?;
        }
    }
    Ok(Measured { case: *case, pace, seen })
}

/// Half of what the slowest server can do: nobody is asked for more than it has.
fn pace(seen: &BTreeMap<Peer, Seen>) -> Option<f64> {
    let rates =
        seen.values().filter_map(|seen| Spread::of(seen.samples.iter().map(|s| s.rate).collect()).ok());
    rates.map(|spread| spread.least / 2.0).min_by(f64::total_cmp).map(|rate| rate.clamp(10.0, 5000.0))
}

fn latencies(
    case: &Case,
    servers: &BTreeMap<Peer, Server>,
    rate: f64,
    effort: Effort,
    seen: &mut BTreeMap<Peer, Seen>,
    told: &dyn Fn(&str),
) -> Result<()> {
    for _ in 0..effort.rounds {
        for (peer, seen) in &mut *seen {
            let target = peer.target(case.work);
            let latency =
                load::pace::run(&target, servers[peer].address, rate, case.connections, effort.time)?;
            told(&format!(
                "{case}: {} p50 {} µs, p99 {} µs at {rate:.0}/s",
                peer.name(),
                latency.p50,
                latency.p99
            ));
            seen.latency.push(latency);
        }
    }
    Ok(())
}
