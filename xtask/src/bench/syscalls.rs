//! System calls per answer, counted by strace while a little load is made. The load is slower than without strace; what one answer
//! takes is much the same.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cases::Case;
use super::cpu;
use super::load;
use super::peers::Peer;
use super::server::Server;

/// How long is counted.
const TIME: Duration = Duration::from_secs(1);

/// `None` when strace saw nothing.
pub fn per_answer(case: &Case, peer: Peer, server: &Server, folder: &Path) -> Result<Option<f64>> {
    let table = folder.join("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-U", "calls", "-o"]).arg(&table);
    for pid in cpu::pids_of_trees(&server.pids())? {
        strace.args(["-p", &pid.to_string()]);
    }
    let mut tracer =
        strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot run strace")?;
    // strace says nothing when it has attached to all; a process of the server shows it.
    wait_for_tracer(&server.pids(), tracer.id());
    let seen = load::run(case, &peer.target(case.work), server.address, TIME, folder);
    // The signal makes strace let go and print its table.
    kill(Pid::from_raw(tracer.id().cast_signed()), Signal::SIGINT)?;
    tracer.wait()?;
    let text = std::fs::read_to_string(&table).unwrap_or_default();
    let calls: f64 = text.lines().filter_map(|line| line.trim().parse::<f64>().ok()).sum();
    Ok(seen.ok().map(|seen| calls / seen.answers).filter(|calls| *calls > 0.0))
}

fn wait_for_tracer(pids: &[u32], tracer: u32) {
    let traced = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.split_whitespace().eq(["TracerPid:", tracer.to_string().as_str()]))
    };
    for _ in 0..100 {
        if pids.iter().all(traced) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
