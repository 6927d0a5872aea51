//! `cargo xtask test`: everything that must hold, in one order, each step timed. All steps run even when one fails, so that one run
//! tells all; only what needs the release files waits for them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cargo};
use crate::{dist, fuzz, gates, guard, packages, run};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Run only the steps whose name contains one of these words
    only: Vec<String>,
    /// Seconds for each fuzz target
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    fuzz: u32,
}

/// One step's name, how long it took, and why it failed.
struct Outcome {
    name: &'static str,
    took: Duration,
    error: Option<anyhow::Error>,
}

/// The steps, and the outcomes so far.
struct Runner<'a> {
    only: &'a [String],
    outcomes: Vec<Outcome>,
}

impl Runner<'_> {
    fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        if !self.only.is_empty() && !self.only.iter().any(|word| name.contains(word.as_str())) {
            return;
        }
        println!("\n=== {name}");
        let start = Instant::now();
        let error = work().err();
        if let Some(error) = &error {
            println!("failed: {error:#}");
        }
        self.outcomes.push(Outcome { name, took: start.elapsed(), error });
    }

    fn failed(&self, name: &str) -> bool {
        self.outcomes.iter().any(|o| o.name == name && o.error.is_some())
    }
}

/// Runs the steps; fails when one of them failed.
pub fn run(args: &Args) -> Result<()> {
    use packages::{
        APACHE, APACHE_DEV, COMPILER, CURL, CXX, NGHTTP, OPENSSL, PATCHELF, PYTHON_DEV, STRACE, VALGRIND,
        VENV,
    };
    let build = [&COMPILER, &CXX, &APACHE, &APACHE_DEV, &PYTHON_DEV, &VENV];
    packages::need(&[&build[..], &[&STRACE, &PATCHELF, &OPENSSL, &CURL, &NGHTTP, &VALGRIND]].concat())?;
    let workspace = Workspace::find()?;
    let tests = workspace.root.join("tests");
    let skips = skip_file(&workspace)?;

    let mut runner = Runner { only: &args.only, outcomes: Vec::new() };
    runner.step("format", || {
        format(&workspace.root)?;
        format(&tests)?;
        format(&workspace.root.join("fuzz"))
    });
    runner.step("gates", gates::run);
    runner.step("clippy", || {
        clippy(&workspace, &workspace.root)?;
        clippy(&workspace, &tests)?;
        clippy(&workspace, &workspace.root.join("fuzz"))
    });
    // Before the unit tests: those of wsgictl serve with the release files.
    runner.step("dist", || dist::run().map(drop));
    runner.step("unit tests", || unit_tests(&workspace, &skips));
    if runner.failed("dist") {
        println!("the tests with a real Apache do not run: there are no release files");
    } else {
        runner.step("server tests", || server_tests(&workspace, &tests, &skips));
    }
    // Builds more of what dist has built.
    runner.step("guard", || guard(&workspace, &skips));
    runner.step("fuzz", || fuzz::run(&workspace, args.fuzz));
    summary(&runner.outcomes, &skips)
}

/// An empty file to which tests that cannot run here add a line each.
fn skip_file(workspace: &Workspace) -> Result<PathBuf> {
    let path = workspace.target.join("skipped-tests");
    std::fs::create_dir_all(&workspace.target)?;
    std::fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn format(root: &Path) -> Result<()> {
    run::check(Command::new(cargo()).args(["fmt", "--all", "--check"]).current_dir(root))
}

fn clippy(workspace: &Workspace, root: &Path) -> Result<()> {
    let mut command = cargo_in(workspace, root);
    command.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    run::check(&mut command)
}

fn unit_tests(workspace: &Workspace, skips: &Path) -> Result<()> {
    let mut command = cargo_in(workspace, &workspace.root);
    tests_command(&mut command);
    run::check(command.arg("--workspace").env("WSGI_TEST_SKIPS", skips).env("WSGI_DIST", workspace.dist()))?;
    // nextest runs no examples in documentation.
    run::check(cargo_in(workspace, &workspace.root).args(["test", "--quiet", "--workspace", "--doc"]))
}

fn server_tests(workspace: &Workspace, tests: &Path, skips: &Path) -> Result<()> {
    let mut command = cargo_in(workspace, tests);
    tests_command(&mut command);
    run::check(command.arg("--workspace").env("WSGI_TEST_SKIPS", skips).env("WSGI_DIST", workspace.dist()))
}

/// Instruction counts; those that cannot be compared here are skips.
fn guard(workspace: &Workspace, skips: &Path) -> Result<()> {
    let lines: String = guard::check(workspace)?.into_iter().map(|line| line + "\n").collect();
    let mut file = std::fs::OpenOptions::new().append(true).open(skips)?;
    Ok(file.write_all(lines.as_bytes())?)
}

/// cargo in another folder with the same build folder: what both workspaces use is built once.
fn cargo_in(workspace: &Workspace, folder: &Path) -> Command {
    let mut command = Command::new(cargo());
    command.current_dir(folder).env("CARGO_TARGET_DIR", &workspace.target);
    command
}

/// nextest where it is installed: it runs each test in a process of its own and shows which one hangs.
fn tests_command(command: &mut Command) {
    if run::which("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--no-fail-fast", "--status-level=fail", "--no-tests=pass"]);
    } else {
        command.args(["test", "--no-fail-fast", "--all-targets"]);
    }
}

/// Prints the table of steps and the line of skipped tests.
fn summary(outcomes: &[Outcome], skips: &Path) -> Result<()> {
    println!("\n=== summary");
    for Outcome { name, took, error } in outcomes {
        let word = if error.is_some() { "FAILED" } else { "ok" };
        println!("{name:<14}{word:<8}{:>6.1} s", took.as_secs_f64());
    }
    let skipped = std::fs::read_to_string(skips).unwrap_or_default();
    for line in skipped.lines() {
        println!("  {line}");
    }
    println!("{} tests were skipped", skipped.lines().count());
    let failed: Vec<&str> = outcomes.iter().filter(|o| o.error.is_some()).map(|o| o.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
