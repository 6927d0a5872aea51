//! The CPU time of a server: that of its parent process and of everything below it.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};

/// One line of `/proc/PID/stat`, as far as it matters here; see proc_pid_stat(5).
struct Stat {
    parent: u32,
    ticks: u64,
}

/// The CPU time that the processes below `root`, itself included, have used so far. Processes that ended in between count through
/// their parents, which have waited for them.
pub fn of_tree(root: u32) -> Result<Duration> {
    let stats = all()?;
    let mut ticks = 0;
    for (&pid, stat) in &stats {
        if below(pid, root, &stats) {
            ticks += stat.ticks;
        }
    }
    // A tick is 1/100 s on every Linux that has this file: USER_HZ is part of its interface.
    Ok(Duration::from_millis(ticks * 10))
}

fn below(pid: u32, root: u32, stats: &HashMap<u32, Stat>) -> bool {
    let mut at = pid;
    // No chain of parents is longer than there are processes; the list may be torn, so it may not end.
    for _ in 0..stats.len() {
        if at == root {
            return true;
        }
        match stats.get(&at) {
            Some(stat) => at = stat.parent,
            None => return false,
        }
    }
    false
}

fn all() -> Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in std::fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end between the two reads.
        let text = std::fs::read_to_string(entry.path().join("stat")).ok();
        if let Some(stat) = text.as_deref().and_then(parse) {
            stats.insert(pid, stat);
        }
    }
    Ok(stats)
}

/// The name, in parentheses, may hold anything: what follows starts after the last one.
fn parse(line: &str) -> Option<Stat> {
    let rest = line.rsplit_once(')')?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // utime, stime, cutime, cstime are fields 14 to 17 of the line, counted from 1; `rest` starts with field 3.
    let times = fields.get(11..15)?;
    let ticks = times.iter().map(|t| t.parse::<u64>().unwrap_or(0)).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_times_are_added_whatever_the_name_holds() {
        let line = "12 (a) b (c) S 7 12 12 0 -1 4194560 1 0 0 0 10 20 3 4 20 0 1 0 5 0 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.ticks), (7, 37));
    }

    #[test]
    fn this_process_is_below_itself() {
        assert!(of_tree(std::process::id()).is_ok());
    }
}
