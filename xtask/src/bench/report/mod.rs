//! What a run leaves behind: tables, a chart, and the raw numbers, in `docs/benchmarks/`.

mod chart;
mod markdown;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::goals::Verdict;
use super::measure::{Effort, Measured};
use super::memory::Memory;
use super::peers::Peer;
use super::peers::install::{self, Installed};
use crate::run;

/// Everything that a run has found out.
#[derive(Debug)]
pub struct Results {
    /// Rates and times.
    pub measured: Vec<Measured>,
    /// Many sites.
    pub memory: Vec<Memory>,
    /// Goals.
    pub verdicts: Vec<Verdict>,
    /// What a Django page costs without a server, in microseconds.
    pub baseline: Option<f64>,
    /// What to know before believing it.
    pub warnings: Vec<String>,
    /// Machine, versions, settings, date.
    pub facts: Vec<(&'static str, String)>,
}

/// Machine, versions, settings and date of this run.
pub fn facts(installed: &Installed, peers: &[Peer], effort: Effort) -> Result<Vec<(&'static str, String)>> {
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    let mut software = vec![apache()?, format!("Python {}", install::python_version(&installed.python)?)];
    software.extend(install::versions(installed)?);
    for (peer, package) in [
        (Peer::ModWsgi4, "libapache2-mod-wsgi-py3"),
        (Peer::ModPython, "libapache2-mod-python"),
        (Peer::Passenger, "libapache2-mod-passenger"),
    ] {
        if peers.contains(&peer) {
            let version = run::output(Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]))?;
            software.push(format!("{package} {version}"));
        }
    }
    Ok(vec![
        ("Date", run::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim().to_owned()),
        ("Machine", machine()?),
        ("Software", software.join(", ")),
        ("Servers", names.join(", ")),
        (
            "Settings",
            format!(
                "{} threads in each worker process where a server has threads, mpm_event with 2 children, keep-alive, {} rounds of {} s; \
                 clients on the same machine (wrk, h2load, and an own client for large bodies and fixed rates)",
                super::peers::THREADS,
                effort.rounds,
                effort.time.as_secs_f64()
            ),
        ),
    ])
}

/// Prints the tables and keeps all of it, when `folder` is given.
pub fn keep(results: &Results, folder: Option<&Path>) -> Result<()> {
    let text = markdown::page(results)?;
    println!("\n{text}");
    let Some(folder) = folder else { return Ok(()) };
    std::fs::create_dir_all(folder)?;
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("README.md", &text)?;
    write("results.json", &format!("{:#}\n", raw(results)))?;
    if !results.measured.is_empty() {
        write("rates.svg", &chart::rates(&results.measured)?)?;
    }
    println!("kept in {}", folder.display());
    Ok(())
}

/// The raw numbers.
pub fn raw(results: &Results) -> Value {
    let cases = results.measured.iter().map(|measured| {
        let servers: serde_json::Map<String, Value> =
            measured.seen.iter().map(|(peer, seen)| (peer.name().to_owned(), json!(seen))).collect();
        json!({ "case": measured.case.to_string(), "pace": measured.pace, "servers": servers })
    });
    let memory =
        results.memory.iter().map(|memory| json!({ "server": memory.peer.name(), "memory": memory }));
    let goals = results.verdicts.iter().map(|v| json!({ "goal": v.promise, "seen": v.seen, "met": v.met }));
    json!({
        "facts": results.facts.iter().map(|(name, fact)| ((*name).to_owned(), json!(fact))).collect::<serde_json::Map<_, _>>(),
        "warnings": results.warnings,
        "django_page_alone_us": results.baseline,
        "cases": cases.collect::<Vec<_>>(),
        "memory": memory.collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>(),
    })
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
fn apache() -> Result<String> {
    let httpd = run::which("apache2").context("there is no apache2")?;
    let text = run::output(Command::new(httpd).arg("-v"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Server version: "));
    line.map(str::to_owned).context("apache2 -v does not tell its version")
}
