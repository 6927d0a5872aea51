//! The table of a comparison, and the page that keeps it.

use std::fmt::Write;
use std::process::Command;

use anyhow::{Context, Result};

use super::goals::{Goal, Ratios, Spread};
use super::load::Sample;
use super::peers::{MOD_WSGI, python_version};
use super::{Args, Measured};
use crate::run;
use crate::workspace::Workspace;

/// The table as Markdown. Rates and CPU are medians; ratios are ours to mod_wsgi's within each round.
pub fn table(measured: &[Measured], seconds: u32) -> Result<String> {
    let mut text = String::from(
        "| what | ours | mod_wsgi | rate: ratio (min–max) | CPU per request: ratio (min–max) | goal for the medians |\n\
         |---|---|---|---|---|---|\n",
    );
    for Measured { scenario, samples } in measured {
        let ours: Vec<Sample> = samples.iter().map(|pair| pair[0]).collect();
        let theirs: Vec<Sample> = samples.iter().map(|pair| pair[1]).collect();
        let ratios = Ratios::of(samples)?;
        let what = scenario.describe(seconds);
        writeln!(
            text,
            "| {what} | {} | {} | {} | {} | {} |",
            cell(&ours)?,
            cell(&theirs)?,
            ratios.rate,
            ratios.cpu,
            Goal::of(*scenario).shown(&ratios)
        )?;
    }
    Ok(text)
}

fn cell(samples: &[Sample]) -> Result<String> {
    let rate = Spread::of(samples.iter().map(|s| s.rate).collect())?.median;
    let cpu = Spread::of(samples.iter().map(|s| s.cpu).collect())?.median;
    let rate = if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    Ok(format!("{rate} requests/s, {cpu:.0} µs"))
}

/// Writes `docs/benchmarks.md`.
pub fn keep(workspace: &Workspace, table: &str, args: &Args) -> Result<()> {
    let page = format!(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; a new run replaces it.\n\n{table}\n\
         - Date: {date}\n- Machine: {machine}\n- Software: {apache}, Python {python}, mod_wsgi {MOD_WSGI} from PyPI\n\
         - Settings: daemon mode, processes=1 threads=10, mpm_event, application group `%{{GLOBAL}}`, keep-alive, both servers \
         started once and measured in turns, {rounds} rounds of {seconds} s; the load comes from the same machine\n\
         - CPU per request is user and system time of all of the server's processes (Apache's parent and children, supervisor, \
         workers) divided by the answers\n",
        date = run::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?.trim(),
        machine = machine()?,
        apache = apache()?,
        python = python_version(&args.python)?,
        rounds = args.rounds,
        seconds = args.seconds,
    );
    let path = workspace.root.join("docs/benchmarks.md");
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    println!("kept in {}", path.display());
    Ok(())
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
