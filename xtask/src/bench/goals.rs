//! What the comparison has to show for us: ratios to other servers, within each round, and how far they have to go.
//!
//! A goal is met or missed when the whole interval of the ratios (see `stats`) is on one side of the limit. When the limit is inside,
//! the measurement does not tell: neither is claimed.

mod sites;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::load::pace::Latency;
use super::measure::{Measured, Sample, Seen};
use super::memory::Memory;
use super::peers::Peer;
use super::report::{Failure, INSTALLING};
use super::stats::Spread;

/// Ours to another's.
#[derive(Debug)]
pub struct Ratios {
    /// Answers per second.
    pub rate: Spread,
    /// CPU time per answer.
    pub cpu: Spread,
}

impl Ratios {
    /// The ratios within the rounds.
    pub fn of(ours: &Seen, theirs: &Seen) -> Result<Self> {
        let pairs = || ours.samples.iter().zip(&theirs.samples);
        let spread = |of: &dyn Fn(&Sample) -> f64| Spread::of(pairs().map(|(a, b)| of(a) / of(b)).collect());
        Ok(Self { rate: spread(&|sample| sample.rate)?, cpu: spread(&|sample| sample.cpu)? })
    }
}

/// A promise about a case.
struct Goal {
    case: &'static str,
    to: Peer,
    /// Least ratio of the rates.
    rate: f64,
}

const GOALS: [Goal; 8] = [
    Goal { case: "hello-c32-p1", to: Peer::ModWsgi, rate: 3.0 },
    Goal { case: "hello-c32-p1", to: Peer::Static, rate: 0.85 },
    Goal { case: "hello-c1-p1", to: Peer::ModWsgi, rate: 2.5 },
    Goal { case: "hello-c4-p2", to: Peer::ModWsgi, rate: 1.3 },
    Goal { case: "hello-c16-p2", to: Peer::ModWsgi, rate: 1.3 },
    Goal { case: "file-100mb-c1-p1", to: Peer::ModWsgi, rate: 2.4 },
    Goal { case: "generator-100mb-c1-p1", to: Peer::ModWsgi, rate: 1.9 },
    Goal { case: "upload-100mb-c1-p1", to: Peer::ModWsgi, rate: 1.8 },
];
/// Most CPU time of a Django page outside of the application, as a part of mod_wsgi's. With four connections the one process has
/// always something to do, as a busy site has; with one connection, most of what is outside is the kernel's work to wake it up.
const DJANGO: (&str, f64) = ("django-c4-p1", 0.35);

/// While others used more than this part of the processors, nothing is told apart: neighbours in time no longer meet the same noise.
const TOO_BUSY: f64 = 0.2;
/// Fewer rounds do not tell anything.
const FEWEST: usize = 3;

/// Which side of its limit a goal is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// On the right one.
    Met,
    /// On the wrong one.
    Missed,
    /// The limit is among what was seen.
    NotToldApart,
    /// One of the two servers has failed.
    NotMeasured,
}

impl Outcome {
    /// In a sentence or a table.
    pub fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::NotToldApart => "not told apart",
            Self::NotMeasured => "not measured",
        }
    }

    /// For a ratio that has to be at least this.
    fn at_least(limit: f64, ratio: Spread) -> Self {
        Self::of(ratio.low >= limit, ratio.high < limit, ratio)
    }

    /// For a ratio that may be this at most.
    fn at_most(limit: f64, ratio: Spread) -> Self {
        Self::of(ratio.high <= limit, ratio.low > limit, ratio)
    }

    fn of(met: bool, missed: bool, ratio: Spread) -> Self {
        match () {
            // What is no number reaches nothing.
            () if !ratio.median.is_finite() => Self::Missed,
            () if ratio.count < FEWEST => Self::NotToldApart,
            () if met => Self::Met,
            () if missed => Self::Missed,
            () => Self::NotToldApart,
        }
    }
}

/// One goal and what was measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// What is promised.
    pub promise: String,
    /// What was seen.
    pub seen: String,
    /// Whether it is kept.
    pub outcome: Outcome,
}

impl Verdict {
    /// For a goal that says nothing because a server has failed.
    fn not_measured(promise: String, peer: Peer, reason: &str) -> Self {
        let seen = format!("{} has failed: {}", peer.name(), reason.lines().next().unwrap_or_default());
        Self { promise, seen, outcome: Outcome::NotMeasured }
    }
}

/// All goals about which something was to be measured. `failures` are those of whole servers, which no case knows.
pub fn verdicts(measured: &[Measured], memory: &[Memory], failures: &[Failure]) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for goal in &GOALS {
        if let Some(found) = measured.iter().find(|measured| measured.case.to_string() == goal.case) {
            let first = verdicts.len();
            rate(goal, found, failures, &mut verdicts)?;
            doubt(found, &mut verdicts[first..]);
        }
    }
    let (case, limit) = DJANGO;
    if let Some(found) = measured.iter().find(|measured| measured.case.to_string() == case) {
        let first = verdicts.len();
        django(limit, found, failures, &mut verdicts)?;
        doubt(found, &mut verdicts[first..]);
    }
    verdicts.extend(sites::verdicts(memory, failures));
    Ok(verdicts)
}

/// Takes back what was claimed about a case that was measured on a busy machine.
fn doubt(found: &Measured, verdicts: &mut [Verdict]) {
    let samples = found.seen.values().flat_map(|seen| &seen.samples);
    let Ok(others) = Spread::of(samples.map(|sample| sample.others).collect()) else { return };
    if others.median > TOO_BUSY {
        for verdict in verdicts.iter_mut().filter(|verdict| verdict.outcome != Outcome::NotMeasured) {
            verdict.outcome = Outcome::NotToldApart;
            verdict.seen.push_str(&format!("; others used {:.0} % of the processors", others.median * 100.0));
        }
    }
}

/// What was seen of both; `None`, and a verdict where one has failed, when there is nothing to compare.
fn both<'a>(
    found: &'a Measured,
    to: Peer,
    promise: &str,
    failures: &[Failure],
    verdicts: &mut Vec<Verdict>,
) -> Option<(&'a Seen, &'a Seen)> {
    for peer in [Peer::Ours, to] {
        let absent = || failures.iter().find(|one| one.peer == peer && one.doing == INSTALLING);
        if let Some(reason) = found.failed.get(&peer).or_else(|| absent().map(|one| &one.reason)) {
            verdicts.push(Verdict::not_measured(promise.to_owned(), peer, reason));
            return None;
        }
    }
    Some((found.seen.get(&Peer::Ours)?, found.seen.get(&to)?))
}

fn rate(goal: &Goal, found: &Measured, failures: &[Failure], verdicts: &mut Vec<Verdict>) -> Result<()> {
    let promise = format!("{}: at least {:.2} times the rate of {}", goal.case, goal.rate, goal.to.name());
    let Some((ours, theirs)) = both(found, goal.to, &promise, failures, verdicts) else { return Ok(()) };
    let ratio = Ratios::of(ours, theirs)?.rate;
    let mut seen = ratio.to_string();
    if theirs.is_limited_by_client() && !ours.is_limited_by_client() {
        seen.push_str("; the client was at its limit with the other, which might have done more");
    }
    verdicts.push(Verdict { promise, seen, outcome: Outcome::at_least(goal.rate, ratio) });
    if found.case.processes == 2 && !ours.latency.is_empty() {
        latency(goal.case, ours, theirs, verdicts)?;
    }
    Ok(())
}

/// With two processes, p50 and p99 are no worse.
fn latency(case: &str, ours: &Seen, theirs: &Seen, verdicts: &mut Vec<Verdict>) -> Result<()> {
    for (name, of) in [("p50", (|l| l.p50) as fn(&Latency) -> u64), ("p99", |l| l.p99)] {
        let pairs = ours.latency.iter().zip(&theirs.latency);
        let ratio = Spread::of(pairs.map(|(a, b)| of(a) as f64 / of(b).max(1) as f64).collect())?;
        verdicts.push(Verdict {
            promise: format!("{case}: {name} no worse than mod_wsgi's"),
            seen: ratio.to_string(),
            outcome: Outcome::at_most(1.0, ratio),
        });
    }
    Ok(())
}

fn django(limit: f64, found: &Measured, failures: &[Failure], verdicts: &mut Vec<Verdict>) -> Result<()> {
    let promise = format!("{}: CPU outside of the application at most {limit} times mod_wsgi's", found.case);
    let Some((ours, theirs)) = both(found, Peer::ModWsgi, &promise, failures, verdicts) else {
        return Ok(());
    };
    let (Some(ours), Some(theirs)) = (ours.outside(), theirs.outside()) else { return Ok(()) };
    let ratio = Spread::of(ours.iter().zip(&theirs).map(|(a, b)| a / b).collect())?;
    let (ours, theirs) = (Spread::of(ours)?.median, Spread::of(theirs)?.median);
    let seen = format!("{ratio}, {ours:.0} and {theirs:.0} µs");
    verdicts.push(Verdict { promise, seen, outcome: Outcome::at_most(limit, ratio) });
    Ok(())
}

/// Fails, with what was missed or could not be measured. A goal that was not told apart is no failure, and no success either.
pub fn check(verdicts: &[Verdict]) -> Result<()> {
    let of = |outcome: Outcome| verdicts.iter().filter(move |verdict| verdict.outcome == outcome);
    let unclear = of(Outcome::NotToldApart).count();
    if unclear > 0 {
        println!(
            "{unclear} of {} goals were not told apart: more rounds or a quieter machine may do that",
            verdicts.len()
        );
    }
    let missed: Vec<String> = of(Outcome::Missed)
        .chain(of(Outcome::NotMeasured))
        .map(|verdict| format!("{} ({}: {})", verdict.promise, verdict.outcome.words(), verdict.seen))
        .collect();
    if !missed.is_empty() {
        bail!("{} of {} goals are not met: {}", missed.len(), verdicts.len(), missed.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::Case;
    use std::collections::BTreeMap;

    fn case(name: &str) -> Case {
        Case::try_from(name.to_owned()).unwrap()
    }

    /// Three rounds each, the last like the first; the CPU time outside of the application is a tenth of the rate.
    fn measured(name: &str, ours: [f64; 2], theirs: [f64; 2]) -> Measured {
        let sample =
            |rate: f64| Sample { rate, cpu: 1.0, outside: Some(rate / 10.0), client: 0.5, others: 0.0 };
        let latency = |rate: f64| Latency { p50: rate as u64, p99: 300, p999: 400, rate, kept_up: true };
        let seen = |rates: [f64; 2]| Seen {
            samples: rates.iter().chain(&rates[..1]).map(|rate| sample(*rate)).collect(),
            latency: rates.iter().chain(&rates[..1]).map(|rate| latency(*rate)).collect(),
            system_calls: None,
        };
        let seen = [(Peer::Ours, seen(ours)), (Peer::ModWsgi, seen(theirs))].into();
        Measured { case: case(name), pace: None, seen, failed: BTreeMap::new() }
    }

    #[test]
    fn every_goal_is_about_a_case_that_is_always_measured() {
        for name in GOALS.iter().map(|goal| goal.case).chain([DJANGO.0]) {
            assert!(case(name).is_goal(), "{name}");
        }
    }

    #[test]
    fn a_ratio_is_that_of_two_measurements_of_the_same_round() {
        let found = measured("hello-c1-p1", [100.0, 300.0], [50.0, 100.0]);
        let rate = Ratios::of(&found.seen[&Peer::Ours], &found.seen[&Peer::ModWsgi]).unwrap().rate;
        assert_eq!(rate.to_string(), "**2.00** (2.00–3.00)");
    }

    #[test]
    fn a_goal_is_met_missed_or_not_told_apart() {
        let outcome =
            |ours, theirs| verdicts(&[measured("hello-c32-p1", ours, theirs)], &[], &[]).unwrap()[0].outcome;
        assert_eq!(outcome([300.0, 310.0], [100.0, 100.0]), Outcome::Met);
        assert_eq!(outcome([299.0, 298.0], [100.0, 100.0]), Outcome::Missed);
        assert_eq!(outcome([299.0, 301.0], [100.0, 100.0]), Outcome::NotToldApart);
        assert_eq!(outcome([0.0, 0.0], [0.0, 0.0]), Outcome::Missed);
        let mut few = measured("hello-c32-p1", [900.0, 900.0], [100.0, 100.0]);
        few.seen.values_mut().for_each(|seen| seen.samples.truncate(2));
        assert_eq!(verdicts(&[few], &[], &[]).unwrap()[0].outcome, Outcome::NotToldApart);
    }

    #[test]
    fn the_time_outside_of_the_application_and_latency_are_to_be_small() {
        let all = verdicts(&[measured("django-c4-p1", [30.0, 34.0], [100.0, 100.0])], &[], &[]).unwrap();
        assert_eq!(all[0].seen, "**0.30** (0.30–0.34), 3 and 10 µs");
        assert_eq!(all[0].outcome, Outcome::Met);
        let all = verdicts(&[measured("hello-c4-p2", [220.0, 230.0], [100.0, 100.0])], &[], &[]).unwrap();
        let outcomes: Vec<_> = all.iter().map(|verdict| verdict.outcome).collect();
        // Twice the rate, but p50 is larger, and p99 the same.
        assert_eq!(outcomes, [Outcome::Met, Outcome::Missed, Outcome::Met]);
    }

    #[test]
    fn what_is_not_met_is_told_with_what_was_seen() {
        let all = verdicts(&[measured("hello-c32-p1", [299.0, 299.0], [100.0, 100.0])], &[], &[]).unwrap();
        let error = check(&all).unwrap_err().to_string();
        assert!(error.contains("hello-c32-p1") && error.contains("2.99"), "{error}");
        let all = verdicts(&[measured("hello-c32-p1", [299.0, 399.0], [100.0, 100.0])], &[], &[]).unwrap();
        check(&all).unwrap();
    }

    #[test]
    fn a_server_that_failed_leaves_its_goal_open() {
        let mut found = measured("hello-c32-p1", [300.0, 300.0], [1.0, 1.0]);
        found.seen.remove(&Peer::ModWsgi);
        let wanted = std::slice::from_ref(&found);
        assert!(verdicts(wanted, &[], &[]).unwrap().is_empty());
        let absent = Failure::new(Peer::ModWsgi, INSTALLING, &anyhow::anyhow!("pip cannot install it"));
        let all = verdicts(wanted, &[], &[absent]).unwrap();
        assert_eq!(all[0].outcome, Outcome::NotMeasured);
        assert!(check(&all).unwrap_err().to_string().contains("pip cannot install it"));
        found.failed.insert(Peer::ModWsgi, "it ended\nat once".to_owned());
        let all = verdicts(&[found], &[], &[]).unwrap();
        assert_eq!(
            (all[0].outcome, all[0].seen.as_str()),
            (Outcome::NotMeasured, "mod_wsgi has failed: it ended")
        );
        assert!(check(&all).is_err());
    }

    #[test]
    fn nothing_is_claimed_about_a_busy_machine() {
        let mut found = measured("hello-c32-p1", [100.0, 100.0], [100.0, 100.0]);
        found.seen.values_mut().flat_map(|seen| &mut seen.samples).for_each(|sample| sample.others = 0.4);
        let all = verdicts(&[found], &[], &[]).unwrap();
        assert_eq!(all[0].outcome, Outcome::NotToldApart);
        assert_eq!(all[0].seen, "**1.00** (1.00–1.00); others used 40 % of the processors");
    }

    #[test]
    fn a_client_at_its_limit_is_told() {
        let mut found = measured("hello-c1-p1", [300.0, 300.0], [100.0, 100.0]);
        let theirs = found.seen.get_mut(&Peer::ModWsgi).unwrap();
        theirs.samples.iter_mut().for_each(|sample| sample.client = 0.99);
        let all = verdicts(&[found], &[], &[]).unwrap();
        assert!(all[0].seen.contains("the client was at its limit"), "{}", all[0].seen);
    }
}
