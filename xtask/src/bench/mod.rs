//! `cargo xtask bench`: our daemon mode against that of mod_wsgi from PyPI.
//!
//! Both run under the same Apache, Python and application at the same time; rounds alternate between them, so that whatever else
//! the machine does meets both. A ratio is that of the two runs of one round; the table gives the median and the spread of these.

mod apache;
mod cpu;
mod goals;
mod load;
mod peers;
mod report;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::workspace::Workspace;
use apache::Apache;
use load::Sample;
use peers::Peer;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Measure only these
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Rounds, in each of which every server is measured once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds of load in one measurement
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// The Python of both servers; its headers and shared library are needed to build mod_wsgi
    #[arg(long, default_value = "/usr/bin/python3", value_name = "PATH")]
    python: PathBuf,
    /// Leave docs/benchmarks.md as it is
    #[arg(long)]
    no_report: bool,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// A hello world: requests per second, CPU per request
    Hello,
    /// A file of 100 MB through wsgi.file_wrapper: bytes per second, CPU per request
    File,
}

impl Scenario {
    const ALL: [Self; 2] = [Self::Hello, Self::File];

    /// The request's path.
    fn path(self) -> &'static str {
        match self {
            Self::Hello => "/hello",
            Self::File => "/file",
        }
    }

    /// How the load is made.
    fn describe(self, seconds: u32) -> String {
        match self {
            Self::Hello => format!("hello world, `wrk -t1 -c32 -d{seconds}s`"),
            Self::File => format!("100 MB by `wsgi.file_wrapper`, one connection, {seconds} s"),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hello => "hello world",
            Self::File => "file of 100 MB",
        })
    }
}

/// All samples of one scenario: `samples[round][peer]`, ours first.
pub struct Measured {
    scenario: Scenario,
    samples: Vec<[Sample; 2]>,
}

/// Builds the other server, starts both, measures, prints the table and keeps it in the docs; fails when a goal is missed.
pub fn run(args: &Args) -> Result<()> {
    use packages::{APACHE, APACHE_DEV, COMPILER, PYTHON_DEV, VENV, WRK};
    packages::need(&[&COMPILER, &APACHE, &APACHE_DEV, &PYTHON_DEV, &VENV, &WRK])?;
    let workspace = Workspace::find()?;
    let theirs = peers::build_mod_wsgi(&workspace, &args.python)?;
    let ours = peers::ours(&workspace)?;
    let folder =
        tempfile::Builder::new().prefix("wsgi-bench-").tempdir().context("cannot make a temporary folder")?;
    let python = peers::real_python(&args.python)?;
    let servers = [
        Apache::start(&Peer::Ours { dist: ours, python }, &folder.path().join("ours"))?,
        Apache::start(&Peer::ModWsgi { module: theirs }, &folder.path().join("mod_wsgi"))?,
    ];
    let chosen = if args.only.is_empty() { Scenario::ALL.to_vec() } else { args.only.clone() };
    let mut measured = Vec::new();
    for scenario in chosen {
        measured.push(measure(scenario, &servers, args)?);
    }
    drop(servers);
    let table = report::table(&measured, args.seconds)?;
    println!("\n{table}");
    if !args.no_report {
        report::keep(&workspace, &table, args)?;
    }
    goals::check(&measured)
}

/// The rounds of one scenario. Who goes first alternates.
fn measure(scenario: Scenario, servers: &[Apache; 2], args: &Args) -> Result<Measured> {
    for server in servers {
        load::sample(scenario, server, Duration::from_secs(1))?;
    }
    let mut samples = Vec::new();
    for round in 0..args.rounds {
        let mut pair = [None, None];
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            pair[which] =
                Some(load::sample(scenario, &servers[which], Duration::from_secs(args.seconds.into()))?);
        }
        let [Some(ours), Some(theirs)] = pair else { bail!("a round of the {scenario} lacks a measurement") };
        println!("{scenario}, round {}: ours {ours}; mod_wsgi {theirs}", round + 1);
        samples.push([ours, theirs]);
    }
    Ok(Measured { scenario, samples })
}
