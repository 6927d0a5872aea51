//! `cargo xtask bench`: our server beside its peers.
//!
//! All servers of a stage (an application, a number of processes, a transport) run at the same time; rounds go from one to the
//! next, so that whatever else the machine does meets all of them. A ratio is that of two measurements of the same round. What was
//! measured is kept after each stage, and a server that fails is told with the reason while the others go on.

mod cases;
mod cpu;
mod goals;
mod load;
mod measure;
mod memory;
mod noise;
mod peers;
mod plan;
mod report;
mod server;
mod stats;
mod stop;
mod syscalls;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::packages;
use crate::workspace::Workspace;
use cases::{Case, Stage, is_meant};
use measure::Bench;
use noise::Noise;
use peers::Peer;
use peers::install::Installed;
use plan::{Effort, Plan, Scope, Share};
use report::{Failure, Results};
use server::Server;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Only cases whose names have one of these parts, such as hello-c32 or file; --list shows them all
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only these servers, by parts of their names; ours and mod_wsgi stay
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// What something is promised about, against mod_wsgi and static files, in under three minutes
    #[arg(long)]
    quick: bool,
    /// Every case with every server, with latencies and system calls of all
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Rounds, in each of which every server is measured once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Seconds of load in one measurement
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Measure latency at a fixed rate of all cases, not only of those about which something is promised
    #[arg(long)]
    latency: bool,
    /// Count system calls, with strace, of all cases, not only of those about which something is promised
    #[arg(long)]
    system_calls: bool,
    /// Weigh 8 warm Django sites, and 50 and 200 idle ones, although only a part is measured
    #[arg(long)]
    memory: bool,
    /// The Python of all servers; its headers and shared library are needed to build some of them
    #[arg(long, default_value = "/usr/bin/python3", value_name = "PATH")]
    python: PathBuf,
    /// Write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave docs/benchmarks/ as it is; without it, a run of everything replaces what is there
    #[arg(long)]
    no_report: bool,
    /// Keep the results in docs/benchmarks/ although only a part was measured
    #[arg(long, conflicts_with = "no_report")]
    keep: bool,
    /// Measure nothing: write the page and the charts of these raw numbers into a folder, with --to
    #[arg(long, value_name = "FILE", requires = "to")]
    render: Option<PathBuf>,
    /// Where --render writes
    #[arg(long, value_name = "FOLDER", requires = "render")]
    to: Option<PathBuf>,
    /// Show the names of all cases and servers, what a run without options measures, and how long it takes; and end
    #[arg(long)]
    list: bool,
}

impl Args {
    fn scope(&self) -> Scope {
        match (self.quick, self.full) {
            (true, _) => Scope::Quick,
            (_, true) => Scope::Full,
            _ => Scope::Usual,
        }
    }

    fn peers(&self) -> Vec<Peer> {
        let all =
            if self.quick && self.servers.is_empty() { Peer::QUICK.to_vec() } else { Peer::ALL.to_vec() };
        let always = |peer: &Peer| matches!(peer, Peer::Ours | Peer::ModWsgi);
        all.into_iter().filter(|peer| always(peer) || is_meant(peer.name(), &self.servers)).collect()
    }

    fn effort(&self) -> Effort {
        let (rounds, seconds) = match self.scope() {
            Scope::Quick => (3, 1),
            Scope::Usual => (5, 1),
            Scope::Full => (5, 2),
        };
        // Who names cases wants to see these soon, and says what else of them.
        let share = |wanted: bool| match self.scope() {
            _ if wanted => Share::All,
            _ if !self.only.is_empty() => Share::None,
            Scope::Full => Share::All,
            _ => Share::Goals,
        };
        Effort {
            rounds: self.rounds.unwrap_or(rounds),
            time: Duration::from_secs(self.seconds.unwrap_or(seconds).into()),
            latency: share(self.latency),
            system_calls: share(self.system_calls),
        }
    }

    /// Whether everything is measured that belongs to the page in the docs.
    fn is_whole(&self) -> bool {
        self.only.is_empty() && self.servers.is_empty() && !self.quick
    }

    fn plan(&self) -> Plan {
        let memory = self.memory || self.is_whole();
        Plan::new(self.scope(), &self.peers(), &self.only, memory, self.effort())
    }
}

/// Installs and starts the servers, measures, prints the tables and keeps them in the docs; fails when a goal is missed.
pub fn run(args: &Args) -> Result<()> {
    let plan = args.plan();
    if args.list {
        list(&plan);
        return Ok(());
    }
    if let (Some(file), Some(folder)) = (&args.render, &args.to) {
        return report::keep(&report::read(file)?, folder);
    }
    if plan.cases.is_empty() && plan.memory.is_empty() {
        bail!("no case is called like {}: --list shows their names", args.only.join(", "));
    }
    stop::watch()?;
    let workspace = Workspace::find()?;
    let peers = args.peers();
    if plan.cases.iter().any(|planned| planned.system_calls) {
        packages::need(&[&packages::STRACE])?;
    }
    let (installed, failures) = Installed::new(&peers, &args.python, &workspace)?;
    let facts = report::facts(&installed, &peers, plan.effort)?;
    let folder =
        tempfile::Builder::new().prefix("wsgi-bench-").tempdir().context("cannot make a temporary folder")?;
    server::folder(folder.path())?;
    let noise = Noise::new(plan.estimate());
    let kept = workspace.target.join("bench");
    let mut run =
        Run { plan, installed, folder: folder.path(), noise, kept, results: Results::new(facts, failures) };
    let end = run.all();
    run.save()?;
    println!("\n{}", report::page(&run.results)?);
    println!("kept in {}", run.kept.display());
    if let Some(file) = &args.json {
        report::write_raw(&run.results, file)?;
    }
    // What was interrupted is a part, too.
    end?;
    // A part of the comparison does not replace the whole one.
    if args.keep || (args.is_whole() && !args.no_report) {
        let docs = workspace.root.join("docs/benchmarks");
        report::keep(&run.results, &docs)?;
        println!("kept in {}", docs.display());
    }
    goals::check(&run.results.verdicts)
}

fn list(plan: &Plan) {
    println!("servers:");
    Peer::ALL.iter().for_each(|peer| println!("  {}", peer.name()));
    println!("cases (*: with these options):");
    for case in Case::all() {
        let is_planned = plan.cases.iter().any(|planned| planned.case == case);
        println!("{} {case}", if is_planned { "*" } else { " " });
    }
    println!("{}", announcement(plan));
}

/// What will be done and how long it will take.
fn announcement(plan: &Plan) -> String {
    let pairs: usize = plan.cases.iter().map(|planned| planned.peers.len()).sum();
    let seconds = plan.estimate().as_secs();
    format!(
        "{} cases, {pairs} pairs of case and server, {} rounds of {} s, {} times memory: about {} min {:02} s, and up to a twentieth more on a \
         machine that others use",
        plan.cases.len(),
        plan.effort.rounds,
        plan.effort.time.as_secs(),
        plan.memory.len(),
        seconds / 60,
        seconds % 60
    )
}

/// A run and what it has found out so far.
struct Run<'a> {
    plan: Plan,
    installed: Installed,
    folder: &'a Path,
    noise: Noise,
    /// Where results are kept as they come.
    kept: PathBuf,
    results: Results,
}

impl Run<'_> {
    /// Measures everything that is planned.
    fn all(&mut self) -> Result<()> {
        println!("{}", announcement(&self.plan));
        let bar = ProgressBar::new(u64::try_from(self.plan.estimate().as_millis())?);
        bar.set_style(ProgressStyle::with_template("{bar:30} {percent} % {elapsed}, {eta} left: {msg}")?);
        bar.enable_steady_tick(Duration::from_secs(1));
        let missing: Vec<Peer> = self.results.failures.iter().map(|failure| failure.peer).collect();
        self.plan.cases.iter_mut().for_each(|planned| planned.peers.retain(|peer| !missing.contains(peer)));
        self.plan.memory.retain(|sites| !missing.contains(&sites.peer));
        let end = self.stages(&bar).and_then(|()| self.memory(&bar));
        bar.finish_and_clear();
        end
    }

    fn stages(&mut self, bar: &ProgressBar) -> Result<()> {
        for (number, stage) in self.plan.stages().into_iter().enumerate() {
            let servers = self.start(number, stage, bar)?;
            // On an interruption the cases that are done count.
            let end = self.cases(stage, &servers, bar);
            drop(servers);
            self.save()?;
            end?;
        }
        Ok(())
    }

    /// The servers of a stage; those that do not start are told.
    fn start(&mut self, number: usize, stage: Stage, bar: &ProgressBar) -> Result<BTreeMap<Peer, Server>> {
        let mut servers = BTreeMap::new();
        for peer in self.plan.peers_of(stage) {
            bar.set_message(format!("starting {}", peer.name()));
            let place = self.folder.join(format!("{}-{number}", peer.name()));
            match peer.start(stage, &self.installed, &place) {
                Ok(server) => {
                    self.results.settings.entry(peer).or_insert_with(|| server.settings());
                    servers.insert(peer, server);
                }
                Err(error) => {
                    stop::check()?;
                    bar.println(format!("{} does not start: {error:#}", peer.name()));
                    let cases: Vec<String> = self
                        .plan
                        .of(stage)
                        .filter(|planned| planned.peers.contains(&peer))
                        .map(|planned| planned.case.to_string())
                        .collect();
                    let doing = format!("starting it for {}", cases.join(", "));
                    self.results.failures.push(Failure::new(peer, &doing, &error));
                }
            }
            bar.inc(u64::try_from(Plan::start_estimate().as_millis())?);
        }
        Ok(servers)
    }

    fn cases(&mut self, stage: Stage, servers: &BTreeMap<Peer, Server>, bar: &ProgressBar) -> Result<()> {
        let told = |text: &str, time: Duration| {
            bar.set_message(text.to_owned());
            bar.inc(u64::try_from(Plan::with_overhead(time).as_millis()).unwrap_or_default());
        };
        let bench = Bench { effort: self.plan.effort, folder: self.folder, told: &told };
        for planned in self.plan.of(stage) {
            let (measured, end) = bench.case(planned, servers, &mut self.noise);
            for (peer, reason) in &measured.failed {
                bar.println(format!("{} fails in {}: {reason}", peer.name(), planned.case));
            }
            if !(measured.seen.is_empty() && measured.failed.is_empty()) {
                self.results.measured.push(measured);
            }
            end?;
        }
        Ok(())
    }

    fn memory(&mut self, bar: &ProgressBar) -> Result<()> {
        for (number, sites) in self.plan.memory.iter().enumerate() {
            bar.set_message(format!("weighing {sites} in {}", sites.peer.name()));
            let place = self.folder.join(format!("sites-{number}"));
            match memory::weigh(*sites, &self.installed, &place) {
                Ok(memory) => self.results.memory.push(memory),
                Err(error) => {
                    stop::check()?;
                    bar.println(format!("{} with {sites}: {error:#}", sites.peer.name()));
                    self.results.failures.push(Failure::new(sites.peer, &sites.doing(), &error));
                }
            }
            bar.inc(u64::try_from(sites.estimate().as_millis())?);
        }
        Ok(())
    }

    /// Keeps what there is: the tables, the charts and the raw numbers.
    fn save(&mut self) -> Result<()> {
        // In the order in which cases are listed, not in that of the stages.
        let place = |case: Case| self.plan.cases.iter().position(|planned| planned.case == case);
        self.results.measured.sort_by_key(|measured| place(measured.case));
        self.results.verdicts =
            goals::verdicts(&self.results.measured, &self.results.memory, &self.results.failures)?;
        self.results.warnings = report::warnings(&self.noise, &self.results.measured)?;
        if stop::asked() {
            self.results.warnings.insert(0, "the run was interrupted: parts of it are missing".to_owned());
        }
        report::keep(&self.results, &self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::parse_from(std::iter::once("bench").chain(line.split_whitespace())).args
    }

    #[test]
    fn only_a_whole_run_replaces_the_page() {
        assert!(args("").is_whole() && args("--full").is_whole());
        for part in ["--quick", "--only hello", "--servers gunicorn"] {
            assert!(!args(part).is_whole(), "{part}");
        }
        assert!(Line::try_parse_from(["bench", "--keep", "--no-report"]).is_err());
    }

    #[test]
    fn who_names_cases_gets_these_alone() {
        let plan = args("--only hello-c32-p1 --servers granian --system-calls").plan();
        let names: Vec<String> = plan.cases.iter().map(|planned| planned.case.to_string()).collect();
        assert!(names.contains(&"hello-c32-p1-https".to_owned()) && plan.memory.is_empty(), "{names:?}");
        assert!(plan.cases.iter().all(|planned| planned.system_calls && !planned.latency));
        assert_eq!(plan.cases[0].peers, [Peer::Ours, Peer::ModWsgi, Peer::Granian]);
    }

    #[test]
    fn the_quick_run_has_all_goals_of_rates_and_times() {
        let plan = args("--quick").plan();
        let cases: Vec<Case> = plan.cases.iter().map(|planned| planned.case).collect();
        assert!(Case::GOALS.iter().all(|case| cases.contains(case)));
        assert!(
            plan.memory.is_empty() && announcement(&plan).contains("about 2 min"),
            "{}",
            announcement(&plan)
        );
    }
}
