//! What a run leaves behind: tables, charts, and the raw numbers.

mod charts;
mod markdown;
mod method;
mod svg;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

pub use markdown::page;

use super::goals::{Ratios, Verdict};
use super::load;
use super::measure::Measured;
use super::memory::Memory;
use super::noise::Noise;
use super::peers::install::{self, Installed};
use super::peers::{self, Peer, apache};
use super::plan::Effort;
use super::stats;
use crate::run;

/// Everything that a run has found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Machine, versions, effort, date.
    pub facts: Vec<(String, String)>,
    /// What to know before believing it.
    pub warnings: Vec<String>,
    /// Goals.
    pub verdicts: Vec<Verdict>,
    /// Rates and times.
    pub measured: Vec<Measured>,
    /// Many sites.
    pub memory: Vec<Memory>,
    /// Servers that took no part in something they could do.
    pub failures: Vec<Failure>,
    /// What each server was started with.
    pub settings: BTreeMap<Peer, String>,
    /// The lines that every Apache has.
    pub apache: String,
}

/// What a [`Failure`] says was tried with a server that could not be installed, and so takes part in nothing.
pub const INSTALLING: &str = "installing it";

/// A server that could not be installed, started or weighed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The server.
    pub peer: Peer,
    /// What was tried: [`INSTALLING`] and the like.
    pub doing: String,
    /// What came of it.
    pub reason: String,
}

impl Failure {
    /// From an error and its causes.
    pub fn new(peer: Peer, doing: &str, error: &anyhow::Error) -> Self {
        Self { peer, doing: doing.to_owned(), reason: format!("{error:#}") }
    }
}

impl Results {
    /// Before anything is measured.
    pub fn new(facts: Vec<(String, String)>, failures: Vec<Failure>) -> Self {
        Self {
            facts,
            failures,
            warnings: Vec::new(),
            verdicts: Vec::new(),
            measured: Vec::new(),
            memory: Vec::new(),
            settings: BTreeMap::new(),
            apache: apache::common_settings().unwrap_or_default(),
        }
    }
}

/// Machine, versions, effort and date of this run.
pub fn facts(installed: &Installed, peers: &[Peer], effort: Effort) -> Result<Vec<(String, String)>> {
    let mut software =
        vec![apache_version()?, format!("Python {}", install::python_version(&installed.python)?)];
    software.extend(install::versions(installed, peers)?);
    for (peer, package) in [
        (Peer::ModWsgi4, "libapache2-mod-wsgi-py3"),
        (Peer::ModPython, "libapache2-mod-python"),
        (Peer::Passenger, "libapache2-mod-passenger"),
    ] {
        let mut ask = Command::new("dpkg-query");
        ask.args(["-W", "-f", "${Version}", package]).stderr(std::process::Stdio::null());
        // One that could not be installed is told elsewhere.
        if let Ok(answer) = ask.output()
            && answer.status.success()
            && peers.contains(&peer)
        {
            software.push(format!("{package} {}", String::from_utf8_lossy(&answer.stdout)));
        }
    }
    let sureness = match effort.rounds {
        1 | 2 => "too few to tell anything".to_owned(),
        rounds => format!("an interval holds the true median with {:.0} %", stats::of_rounds(rounds) * 100.0),
    };
    let effort = format!("{} rounds of {} s: {sureness}", effort.rounds, effort.time.as_secs());
    let servers = format!("{} threads in each worker process of a server that has threads", peers::THREADS);
    let facts = [
        ("Date", run::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned()),
        ("Machine", machine()?),
        ("Software", software.join(", ")),
        ("Effort", effort),
        ("Servers", servers),
        ("Clients", format!("on the same machine: {}, and an own one", load::versions().join(", "))),
    ];
    Ok(facts.map(|(name, fact)| (name.to_owned(), fact)).to_vec())
}

/// What to know before believing the numbers.
pub fn warnings(noise: &Noise, measured: &[Measured]) -> Result<Vec<String>> {
    let samples = measured.iter().flat_map(|found| found.seen.values()).flat_map(|seen| &seen.samples);
    let mut warnings = noise.warnings(samples.map(|sample| sample.others).collect());
    for found in measured {
        let (Some(ours), Some(base)) = (found.seen.get(&Peer::Ours), found.seen.get(&Peer::ModWsgi)) else {
            continue;
        };
        let ratio = Ratios::of(ours, base)?.rate;
        if ratio.is_vague() {
            warnings.push(format!("the ratios of {} spread too far to tell much: {ratio}", found.case));
        }
    }
    Ok(warnings)
}

/// Writes the page, the charts and the raw numbers into a folder; charts of earlier runs go.
pub fn keep(results: &Results, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("README.md", &page(results)?)?;
    write_raw(results, &folder.join("results.json"))?;
    for chart in charts::all(results)? {
        if let Some(svg) = chart.svg {
            write(chart.file, &svg)?;
        }
    }
    Ok(())
}

/// Writes the raw numbers.
pub fn write_raw(results: &Results, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(results)? + "\n";
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Reads raw numbers of an earlier run.
pub fn read(file: &Path) -> Result<Results> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no result of a comparison", file.display()))
}

/// Processor, cores and kernel.
fn machine() -> Result<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model =
        info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism()?;
    let kernel = run::output(Command::new("uname").arg("-r"))?;
    Ok(format!("{model}, {cores} cores, Linux {}", kernel.trim()))
}

/// `Apache/2.4.62 (Debian)`.
fn apache_version() -> Result<String> {
    let httpd = run::which("apache2").context("there is no apache2")?;
    let text = run::output(Command::new(httpd).arg("-v"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Server version: "));
    line.map(str::to_owned).context("apache2 -v does not tell its version")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bench::cases::Case;
    use crate::bench::goals::Outcome;
    use crate::bench::load::pace::Latency;
    use crate::bench::measure::{Sample, Seen};

    /// Results with something of everything: three rounds of one case, one server that failed in it and one that did not start.
    pub fn example() -> Results {
        let sample =
            |rate, client| Sample { rate, cpu: 1e6 / rate, outside: Some(9.5), client, others: 0.01 };
        let latency = |kept_up| Latency { p50: 101, p99: 202, p999: 303, rate: 4999.0, kept_up };
        let seen = |rates: [f64; 3], client, kept_up| Seen {
            samples: rates.map(|rate| sample(rate, client)).to_vec(),
            latency: vec![latency(kept_up); 3],
            system_calls: Some(12.34),
        };
        let measured = Measured {
            case: Case::try_from("django-c4-p1".to_owned()).unwrap(),
            pace: Some(5000.0),
            seen: [
                (Peer::Ours, seen([30000.0, 31000.0, 32000.0], 0.5, true)),
                (Peer::ModWsgi, seen([10000.0, 10000.0, 10000.0], 0.2, true)),
                (Peer::Granian, seen([90000.0, 90000.0, 90000.0], 0.99, false)),
            ]
            .into(),
            failed: [(Peer::Uwsgi, "wrk saw failures: <3> | 5 timeouts\nand more".to_owned())].into(),
        };
        let kinds =
            [("Apache's parent", (1, 5.0)), ("Apache's children", (16, 10.5)), ("workers", (8, 200.0))];
        let memory = Memory {
            peer: Peer::ModWsgi,
            sites: 8,
            warm: true,
            kinds: kinds.map(|(kind, size)| (kind.to_owned(), size)).into(),
        };
        let kinds = [("supervisor", (1, 8.0)), ("workers", (8, 100.0))];
        let kinds = kinds.map(|(kind, size)| (kind.to_owned(), size)).into();
        let ours = Memory { peer: Peer::Ours, kinds, ..memory.clone() };
        Results {
            facts: vec![("Date".to_owned(), "2026-01-02".to_owned())],
            warnings: vec!["the machine is noisy".to_owned()],
            verdicts: vec![Verdict {
                promise: "be fast".to_owned(),
                seen: "**2.00** (1.00–3.00)".to_owned(),
                outcome: Outcome::NotToldApart,
            }],
            measured: vec![measured],
            memory: vec![memory, ours],
            failures: vec![Failure::new(Peer::Bjoern, INSTALLING, &anyhow::anyhow!("no libev"))],
            settings: [Peer::ModWsgi, Peer::Static].map(|peer| (peer, "KeepAlive On".to_owned())).into(),
            apache: "KeepAlive On".to_owned(),
        }
    }

    #[test]
    fn what_is_kept_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("other.svg"), "an older one").unwrap();
        keep(&example(), folder.path()).unwrap();
        let again = read(&folder.path().join("results.json")).unwrap();
        assert_eq!(page(&again).unwrap(), page(&example()).unwrap());
        let exists = |name: &str| folder.path().join(name).exists();
        assert!(exists("README.md") && exists("goals.svg") && exists("memory.svg"));
        // The only case is one with a goal.
        assert!(!exists("other.svg"));
        assert!(read(&folder.path().join("README.md")).is_err());
    }
}
