//! `cargo xtask bench`: our server beside its peers.
//!
//! All servers of a stage (an application, a number of processes, a transport) run at the same time; rounds go from one to the
//! next, so that whatever else the machine does meets all of them. A ratio is that of two measurements of the same round.

mod cases;
mod cpu;
mod goals;
mod load;
mod measure;
mod memory;
mod peers;
mod report;
mod server;
mod stats;
mod syscalls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::run;
use crate::workspace::Workspace;
use cases::{Case, Stage, Work, is_meant};
use measure::{Effort, Measured};
use memory::Memory;
use peers::Peer;
use peers::install::Installed;
use report::Results;
use stats::{Noise, TOO_WIDE};

/// Calls of the application without a server.
const BASELINE_CALLS: u32 = 2000;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Only cases whose names have one of these parts, such as hello-c32 or file; --list shows them all
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers, by parts of their names; ours and mod_wsgi stay
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// A few cases against mod_wsgi and static files, in under three minutes
    #[arg(long)]
    quick: bool,
    /// Rounds, in each of which every server is measured once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Seconds of load in one measurement
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Measure latency at a fixed rate too
    #[arg(long)]
    latency: bool,
    /// Count system calls with strace too
    #[arg(long)]
    system_calls: bool,
    /// Weigh 8 warm Django sites, and 50 and 200 idle ones, too
    #[arg(long)]
    memory: bool,
    /// All of the above: latency, system calls and memory
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// The Python of all servers; its headers and shared library are needed to build some of them
    #[arg(long, default_value = "/usr/bin/python3", value_name = "PATH")]
    python: PathBuf,
    /// Write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave docs/benchmarks/ as it is
    #[arg(long)]
    no_report: bool,
    /// Keep the results in docs/benchmarks/ although only a part was measured
    #[arg(long, conflicts_with = "no_report")]
    keep: bool,
    /// Show the names of all cases and servers, and end
    #[arg(long)]
    list: bool,
}

impl Args {
    fn cases(&self) -> Vec<Case> {
        let all = if self.quick && self.only.is_empty() { Case::quick() } else { Case::all() };
        all.into_iter().filter(|case| is_meant(&case.to_string(), &self.only)).collect()
    }

    fn peers(&self) -> Vec<Peer> {
        let all =
            if self.quick && self.servers.is_empty() { Peer::QUICK.to_vec() } else { Peer::ALL.to_vec() };
        let always = |peer: &Peer| matches!(peer, Peer::Ours | Peer::ModWsgi);
        all.into_iter().filter(|peer| always(peer) || is_meant(peer.name(), &self.servers)).collect()
    }

    fn effort(&self) -> Effort {
        let (rounds, seconds) = if self.quick { (3, 1) } else { (5, 2) };
        Effort {
            rounds: self.rounds.unwrap_or(rounds),
            time: Duration::from_secs(self.seconds.unwrap_or(seconds).into()),
            latency: self.latency || self.full,
            system_calls: self.system_calls || self.full,
        }
    }
}

/// Installs and starts the servers, measures, prints the tables and keeps them in the docs; fails when a goal is missed.
pub fn run(args: &Args) -> Result<()> {
    if args.list {
        let names = |names: Vec<String>| names.join("\n  ");
        println!("cases:\n  {}", names(Case::all().iter().map(Case::to_string).collect()));
        println!("servers:\n  {}", names(Peer::ALL.iter().map(|peer| peer.name().to_owned()).collect()));
        return Ok(());
    }
    let (cases, peers, effort) = (args.cases(), args.peers(), args.effort());
    if cases.is_empty() && !(args.memory || args.full) {
        bail!("no case is called like {}: --list shows their names", args.only.join(", "));
    }
    let workspace = Workspace::find()?;
    let installed = Installed::new(&peers, &args.python, &workspace)?;
    let folder =
        tempfile::Builder::new().prefix("wsgi-bench-").tempdir().context("cannot make a temporary folder")?;
    server::folder(folder.path())?;
    let mut noise = Noise::default();
    let measured = all_cases(&cases, &peers, effort, &installed, &mut noise, folder.path())?;
    let memory =
        if args.memory || args.full { weigh_all(&peers, &installed, folder.path())? } else { Vec::new() };
    let has_django = cases.iter().any(|case| case.work == Work::Django);
    let baseline = has_django.then(|| baseline(&installed, folder.path())).transpose()?;
    let verdicts = goals::verdicts(&measured, baseline, &memory)?;
    let warnings = warnings(&noise, &measured)?;
    let facts = report::facts(&installed, &peers, effort)?;
    let results = Results { measured, memory, verdicts, baseline, warnings, facts };
    let docs = workspace.root.join("docs/benchmarks");
    // A part of the comparison does not replace the whole one.
    let whole = args.only.is_empty() && args.servers.is_empty() && !args.quick && !args.no_report;
    report::keep(&results, (whole || args.keep).then_some(docs.as_path()))?;
    if let Some(file) = &args.json {
        std::fs::write(file, format!("{:#}\n", report::raw(&results)))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    goals::check(&results.verdicts)
}

/// The cases, stage by stage.
fn all_cases(
    cases: &[Case],
    peers: &[Peer],
    effort: Effort,
    installed: &Installed,
    noise: &mut Noise,
    folder: &Path,
) -> Result<Vec<Measured>> {
    let mut stages: Vec<Stage> = Vec::new();
    for case in cases {
        if !stages.contains(&case.stage()) {
            stages.push(case.stage());
        }
    }
    let count: usize =
        cases.iter().map(|case| peers.iter().filter(|peer| peer.cannot(case).is_none()).count()).sum();
    let bar = ProgressBar::new(count as u64 * u64::from(effort.rounds));
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}<{eta} {msg}")?);
    let mut measured = Vec::new();
    for (number, stage) in stages.iter().enumerate() {
        let of_stage: Vec<&Case> = cases.iter().filter(|case| case.stage() == *stage).collect();
        bar.set_message(format!(
            "starting servers for {}",
            of_stage.first().map_or_else(String::new, ToString::to_string)
        ));
        let mut servers = BTreeMap::new();
        for peer in peers.iter().filter(|peer| of_stage.iter().any(|case| peer.cannot(case).is_none())) {
            let place = folder.join(format!("{}-{number}", peer.name()));
            servers.insert(*peer, peer.start(*stage, installed, &place)?);
        }
        for case in of_stage {
            let told = |text: &str| {
                bar.set_message(text.to_owned());
                bar.inc(u64::from(!text.contains("p50")));
            };
            measured.push(measure::rounds(case, &servers, effort, noise, folder, &told)?);
        }
    }
    bar.finish_and_clear();
    // In the order in which they are listed, not in that of the stages.
    measured.sort_by_key(|measured| cases.iter().position(|case| *case == measured.case));
    Ok(measured)
}

/// Eight warm sites in every server that hosts many, then many idle ones.
fn weigh_all(peers: &[Peer], installed: &Installed, folder: &Path) -> Result<Vec<Memory>> {
    let hosts = |peer: &&Peer| matches!(peer, Peer::Ours | Peer::ModWsgi | Peer::ModWsgi4 | Peer::ModPython);
    let mut weighed = Vec::new();
    for peer in peers.iter().filter(hosts) {
        println!("weighing 8 warm Django sites in {}", peer.name());
        weighed.push(memory::weigh(*peer, 8, true, installed, &folder.join(format!("8-{}", peer.name())))?);
    }
    for sites in [50, 200] {
        for peer in peers.iter().filter(|peer| matches!(peer, Peer::Ours | Peer::ModWsgi)) {
            println!("weighing {sites} idle sites in {}", peer.name());
            let place = folder.join(format!("{sites}-{}", peer.name()));
            weighed.push(memory::weigh(*peer, sites, false, installed, &place)?);
        }
    }
    Ok(weighed)
}

/// What the Django page costs without any server, in microseconds of CPU time.
fn baseline(installed: &Installed, folder: &Path) -> Result<f64> {
    let place = server::folder(&folder.join("baseline"))?;
    peers::install::application(cases::Application::Site, &place)?;
    let script = place.join("baseline.py");
    std::fs::write(&script, include_str!("app/baseline.py"))?;
    let mut python = Command::new(installed.program("python"));
    python.arg(&script).arg(cases::Application::Site.module()).arg(Work::Django.target()).arg("");
    let text = run::output(python.arg(BASELINE_CALLS.to_string()).current_dir(&place))?;
    text.trim().parse().with_context(|| format!("the application alone printed {text:?}"))
}

/// What to know before believing the numbers.
fn warnings(noise: &Noise, measured: &[Measured]) -> Result<Vec<String>> {
    let mut warnings: Vec<String> = noise.warning().into_iter().collect();
    for found in measured {
        let (Some(ours), Some(base)) = (found.seen.get(&Peer::Ours), found.seen.get(&Peer::ModWsgi)) else {
            continue;
        };
        let ratio = goals::Ratios::of(ours, base)?.rate;
        if ratio.width() > TOO_WIDE {
            warnings.push(format!("the ratios of {} spread too far to tell much: {ratio}", found.case));
        }
    }
    Ok(warnings)
}
