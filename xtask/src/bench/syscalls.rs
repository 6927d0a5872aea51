//! System calls per answer, counted by strace while a little load is made. The load is slower than without strace, and slower servers
//! find less to do at a time; what one answer takes is much the same. All calls of that time count, those for nobody included.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cases::Case;
use super::cpu;
use super::load;
use super::peers::Peer;
use super::server::Server;

/// How long is counted.
pub const TIME: Duration = Duration::from_secs(1);

/// `None` when strace may not look at the server's processes.
pub fn per_answer(case: &Case, peer: Peer, server: &Server, folder: &Path) -> Result<Option<f64>> {
    let table = folder.join("strace");
    std::fs::write(&table, "")?;
    let mut strace = Command::new("strace");
    strace.args(["-f", "-q", "-c", "-U", "calls,name", "-o"]).arg(&table);
    let pids = cpu::pids_of_trees(&server.pids())?;
    for pid in &pids {
        strace.args(["-p", &pid.to_string()]);
    }
    let mut tracer =
        strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot run strace")?;
    // strace says nothing when it has attached to all; the status of the processes shows it.
    let is_attached = wait_for_tracer(&pids, tracer.id());
    let seen = load::run(case, &peer.target(case.work), server.address, TIME, folder);
    // The signal makes strace let go and print its table.
    kill(Pid::from_raw(tracer.id().cast_signed()), Signal::SIGINT)?;
    tracer.wait()?;
    let seen = seen.context("while strace was counting system calls")?;
    if !is_attached {
        return Ok(None);
    }
    Ok(Some(total(&std::fs::read_to_string(&table)?)? / seen.answers))
}

/// Reads the last line of the table, `   144 total`.
fn total(table: &str) -> Result<f64> {
    let line = table.lines().rev().find_map(|line| line.trim().strip_suffix(" total"));
    match line.map(|number| number.trim().parse()) {
        Some(Ok(total)) => Ok(total),
        _ => bail!("strace has printed no total, but: {table}"),
    }
}

fn wait_for_tracer(pids: &[u32], tracer: u32) -> bool {
    let traced = |pid: &u32| {
        // One that has ended in between is none that strace misses.
        let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
        status.lines().any(|line| line.split_whitespace().eq(["TracerPid:", tracer.to_string().as_str()]))
    };
    for _ in 0..100 {
        if pids.iter().all(traced) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_strace_is_read() {
        let table = "    calls syscall\n--------- ----------------\n       90 read\n       54 total_of_nothing\n--------- ------\n      144 total\n";
        assert!((total(table).unwrap() - 144.0).abs() < f64::EPSILON);
        assert!(total("").unwrap_err().to_string().contains("no total"));
    }

    /// A process that makes a known number of calls, under the very command of a comparison.
    #[test]
    fn strace_of_this_machine_prints_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("table");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-c", "-U", "calls,name", "-e", "trace=chdir", "-o"]).arg(&table);
        // In a container tracing may be forbidden, and then there is nothing to read.
        let script = ["-c", "cd /; cd /tmp; cd /"];
        if strace.arg("sh").args(script).status().is_ok_and(|status| status.success()) {
            assert!((total(&std::fs::read_to_string(&table).unwrap()).unwrap() - 3.0).abs() < f64::EPSILON);
        }
    }
}
