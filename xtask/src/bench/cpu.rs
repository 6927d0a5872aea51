//! The CPU time of a server: that of the processes that were started and of everything below them. That of the clients.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// A process, as far as it matters here.
struct Process {
    parent: u32,
    /// CPU time of the process and of the children it has waited for.
    used: Duration,
}

/// The CPU time that the processes below `roots`, themselves included, have used so far. Processes that ended in between count
/// through their parents, which have waited for them.
pub fn of_trees(roots: &[u32]) -> Result<Duration> {
    let processes = all()?;
    let below = processes.iter().filter(|(pid, _)| below(**pid, roots, &processes));
    Ok(below.map(|(_, process)| process.used).sum())
}

/// The CPU time that this process and the clients that it has waited for have used so far. Servers that have ended count, too, so
/// none may end while something is measured.
pub fn of_clients() -> Result<Duration> {
    let mut all = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who).context("cannot ask for the CPU time of the clients")?;
        for time in [usage.user_time(), usage.system_time()] {
            all += Duration::from_micros(time.num_microseconds().unsigned_abs());
        }
    }
    Ok(all)
}

/// The processes below `roots`, themselves included.
pub fn pids_of_trees(roots: &[u32]) -> Result<Vec<u32>> {
    let processes = all()?;
    Ok(processes.keys().copied().filter(|pid| below(*pid, roots, &processes)).collect())
}

fn below(pid: u32, roots: &[u32], processes: &HashMap<u32, Process>) -> bool {
    let mut at = pid;
    // No chain of parents is longer than there are processes; the list may be torn, so it may not end.
    for _ in 0..processes.len() {
        if roots.contains(&at) {
            return true;
        }
        match processes.get(&at) {
            Some(process) => at = process.parent,
            None => return false,
        }
    }
    false
}

fn all() -> Result<HashMap<u32, Process>> {
    let mut processes = HashMap::new();
    for entry in std::fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the reads.
        let Ok(line) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(process) = process(&line, of_threads(&entry.path())) {
            processes.insert(pid, process);
        }
    }
    Ok(processes)
}

/// The CPU time of the threads that live, to the nanosecond: the first number of their `schedstat`. 0 where the kernel has none.
/// <https://docs.kernel.org/scheduler/sched-stats.html>
fn of_threads(process: &Path) -> Duration {
    let threads = std::fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let time = |text: String| text.split_ascii_whitespace().next().and_then(|number| number.parse().ok());
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok().and_then(time))
        .map(Duration::from_nanos)
        .sum()
}

/// Reads a line of `/proc/PID/stat`; see proc_pid_stat(5). Its times count threads that have ended too, but in ticks of 10 ms; the
/// larger of the two is the better one. The name, in parentheses, may hold anything: what follows starts after the last one.
fn process(line: &str, threads: Duration) -> Option<Process> {
    let rest = line.rsplit_once(')')?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // utime, stime, cutime, cstime are fields 14 to 17 of the line, counted from 1; `rest` starts with field 3.
    let [user, system, waited_user, waited_system] = fields.get(11..15)? else { return None };
    // A tick is 1/100 s on every Linux that has this file: USER_HZ is part of its interface.
    let ticks =
        |text: &str| text.parse().map(|ticks: u64| Duration::from_millis(ticks * 10)).unwrap_or_default();
    let own = threads.max(ticks(user) + ticks(system));
    Some(Process {
        parent: fields.get(1)?.parse().ok()?,
        used: own + ticks(waited_user) + ticks(waited_system),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "12 (a) b (c) S 7 12 12 0 -1 4194560 1 0 0 0 10 20 3 4 20 0 1 0 5 0 0";

    #[test]
    fn the_four_times_are_added_whatever_the_name_holds() {
        let process = process(LINE, Duration::from_micros(299_999)).unwrap();
        assert_eq!((process.parent, process.used), (7, Duration::from_millis(370)));
    }

    #[test]
    fn threads_tell_more_than_ticks_while_they_live() {
        let used = |threads| process(LINE, Duration::from_micros(threads)).unwrap().used;
        assert_eq!(used(305_500), Duration::from_micros(375_500));
    }

    #[test]
    fn this_process_is_below_itself_and_its_time_grows() {
        let of_this = || of_trees(&[std::process::id()]).unwrap();
        let before = of_this();
        // The kernel counts a running thread at the latest when it interrupts it.
        let limit = std::time::Instant::now() + Duration::from_secs(10);
        while of_this() <= before {
            assert!(std::time::Instant::now() < limit, "no CPU time is counted");
        }
    }
}
