//! The fuzz targets of `fuzz/`, for a bounded time each. What they check is said in their own files.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;
use crate::workspace::{Workspace, cargo};

/// Runs every target for `seconds`; the first finding is an error and stays in `fuzz/artifacts/`.
pub fn run(workspace: &Workspace, seconds: u32) -> Result<()> {
    let fuzz = workspace.root.join("fuzz");
    let tool = tool(workspace)?;
    let list = run::output(command(workspace, &tool, &fuzz).arg("list"))?;
    let targets: Vec<&str> = list.lines().filter(|line| !line.is_empty()).collect();
    if targets.is_empty() {
        bail!("{} has no fuzz target", fuzz.display());
    }
    for target in targets {
        let limit = format!("-max_total_time={seconds}");
        let mut fuzzer = command(workspace, &tool, &fuzz);
        fuzzer.arg("run").arg(target).args([
            "--",
            &limit,
            "-timeout=5",
            "-rss_limit_mb=2048",
            "-verbosity=0",
        ]);
        fuzzer.args(["-print_final_stats=1"]);
        run::check(&mut fuzzer)?;
    }
    Ok(())
}

/// cargo-fuzz from `PATH`, else one that is built into the target folder.
fn tool(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.target.join("tools");
    let ours = root.join("bin/cargo-fuzz");
    if let Some(installed) = run::which("cargo-fuzz") {
        return Ok(installed);
    }
    if !ours.is_file() {
        println!("building cargo-fuzz into {}", root.display());
        let mut install = Command::new(cargo());
        run::check(install.args(["install", "--quiet", "--locked", "cargo-fuzz", "--root"]).arg(&root))?;
    }
    Ok(ours)
}

/// cargo-fuzz uses flags of rustc that need either a nightly toolchain or this variable.
fn command(workspace: &Workspace, tool: &Path, fuzz: &Path) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(fuzz.parent().unwrap_or(fuzz)).env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_DIR", workspace.target.join("fuzz")).arg("fuzz");
    command
}
