//! What the comparison has to show for us: ratios to other servers, within each round, and how far they have to go.

use anyhow::{Result, bail};

use super::measure::{Measured, Sample, Seen};
use super::memory::Memory;
use super::peers::Peer;
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
/// Most CPU time of a Django page outside of the application, as a part of mod_wsgi's.
const DJANGO_CPU: f64 = 0.35;
/// Most memory of eight Django sites, as a part of another's.
const MEMORY: [(Peer, f64); 2] = [(Peer::ModWsgi, 0.85), (Peer::ModPython, 0.1)];

/// One goal and what was measured.
#[derive(Debug)]
pub struct Verdict {
    /// What is promised.
    pub promise: String,
    /// What was seen.
    pub seen: String,
    /// Whether it is kept.
    pub met: bool,
}

/// All goals about which something was measured. `baseline` is what a Django page costs without any server, in microseconds.
pub fn verdicts(measured: &[Measured], baseline: Option<f64>, memory: &[Memory]) -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for goal in &GOALS {
        let Some(found) = measured.iter().find(|measured| measured.case.to_string() == goal.case) else {
            continue;
        };
        let (Some(ours), Some(theirs)) = (found.seen.get(&Peer::Ours), found.seen.get(&goal.to)) else {
            continue;
        };
        let rate = Ratios::of(ours, theirs)?.rate;
        verdicts.push(Verdict {
            promise: format!("{}: at least {:.2} times the rate of {}", goal.case, goal.rate, goal.to.name()),
            seen: rate.to_string(),
            met: rate.median >= goal.rate,
        });
        verdicts.extend(latency(found, goal.case, ours, theirs)?);
    }
    verdicts.extend(django(measured, baseline)?);
    for (peer, most) in MEMORY {
        let of = |peer| memory.iter().find(|memory| memory.peer == peer && memory.sites == 8 && memory.warm);
        if let (Some(ours), Some(theirs)) = (of(Peer::Ours), of(peer)) {
            let ratio = ours.total() / theirs.total();
            verdicts.push(Verdict {
                promise: format!("eight Django sites: at most {most:.2} times the memory of {}", peer.name()),
                seen: format!("{ratio:.3}"),
                met: ratio <= most,
            });
        }
    }
    Ok(verdicts)
}

/// With two processes, p50 and p99 are no worse.
fn latency(found: &Measured, case: &str, ours: &Seen, theirs: &Seen) -> Result<Vec<Verdict>> {
    if found.case.processes != 2 || ours.latency.is_empty() {
        return Ok(Vec::new());
    }
    let mut verdicts = Vec::new();
    for (name, of) in [("p50", (|l| l.p50) as fn(&super::load::pace::Latency) -> u64), ("p99", |l| l.p99)] {
        let pairs = ours.latency.iter().zip(&theirs.latency);
        let ratio = Spread::of(pairs.map(|(a, b)| of(a) as f64 / of(b).max(1) as f64).collect())?;
        verdicts.push(Verdict {
            promise: format!("{case}: {name} no worse than mod_wsgi's"),
            seen: ratio.to_string(),
            met: ratio.median <= 1.0,
        });
    }
    Ok(verdicts)
}

fn django(measured: &[Measured], baseline: Option<f64>) -> Result<Option<Verdict>> {
    let found = measured.iter().find(|measured| measured.case.to_string() == "django-c4-p1");
    let (Some(found), Some(baseline)) = (found, baseline) else { return Ok(None) };
    let (Some(ours), Some(theirs)) = (found.seen.get(&Peer::Ours), found.seen.get(&Peer::ModWsgi)) else {
        return Ok(None);
    };
    let pairs = ours.samples.iter().zip(&theirs.samples);
    let ratio = Spread::of(pairs.map(|(a, b)| (a.cpu - baseline) / (b.cpu - baseline)).collect())?;
    Ok(Some(Verdict {
        promise: format!("Django page: CPU outside of the application at most {DJANGO_CPU} times mod_wsgi's"),
        seen: format!("{ratio}, the application alone {baseline:.0} µs"),
        met: ratio.median <= DJANGO_CPU,
    }))
}

/// Fails, with what was missed, unless all goals are met.
pub fn check(verdicts: &[Verdict]) -> Result<()> {
    let missed: Vec<String> =
        verdicts.iter().filter(|v| !v.met).map(|v| format!("{} (seen: {})", v.promise, v.seen)).collect();
    if !missed.is_empty() {
        bail!("goals are missed (medians): {}", missed.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::cases::Case;

    #[test]
    fn every_goal_is_about_a_case_that_exists() {
        let names: Vec<String> = Case::all().iter().map(Case::to_string).collect();
        for goal in &GOALS {
            assert!(names.contains(&goal.case.to_owned()), "{}", goal.case);
        }
        assert!(names.contains(&"django-c4-p1".to_owned()));
    }

    #[test]
    fn a_missed_goal_is_told_with_what_was_seen() {
        let case = Case::all().into_iter().find(|case| case.to_string() == "hello-c32-p1").unwrap();
        let seen = |rate| Seen { samples: vec![Sample { rate, cpu: 1.0 }], ..Seen::default() };
        let measured = |ours, theirs| {
            let seen = [(Peer::Ours, seen(ours)), (Peer::ModWsgi, seen(theirs))].into();
            vec![Measured { case, pace: None, seen }]
        };
        let verdicts_of = |ours, theirs| verdicts(&measured(ours, theirs), None, &[]).unwrap();
        assert!(check(&verdicts_of(300.0, 100.0)).is_ok());
        let error = check(&verdicts_of(299.0, 100.0)).unwrap_err().to_string();
        assert!(error.contains("hello-c32-p1") && error.contains("2.99"), "{error}");
        // A ratio that is no number reaches nothing.
        assert!(check(&verdicts_of(0.0, 0.0)).is_err());
    }
}
