//! Processes as `/proc` shows them (proc(5)): who is whose child, ids, descriptors.

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// One process at one moment. Two are equal when they are the same process: `pid` and `start` together are never reused.
#[derive(Debug, Clone)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Parent's process id.
    pub ppid: i32,
    /// State letter of proc(5): `R`, `S`, `D`, `Z`, `T` ...
    pub state: char,
    /// Name of the executable, cut to 15 bytes by the kernel.
    pub name: String,
    /// Start time in clock ticks after boot.
    pub start: u64,
}

impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        (self.pid, self.start) == (other.pid, other.start)
    }
}

impl Process {
    /// The process with this id, if there is one.
    pub fn get(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = tail.split_whitespace().collect();
        Some(Self {
            pid,
            ppid: fields.get(1)?.parse().ok()?,
            state: fields.first()?.chars().next()?,
            name,
            start: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether this very process still runs. An orphan that ended as our child is reaped on the way.
    pub fn runs(&self) -> bool {
        match Self::get(self.pid) {
            Some(now) if now.start != self.start => false,
            Some(now) if now.state == 'Z' && now.ppid == std::process::id().cast_signed() => {
                let _ = waitpid(Pid::from_raw(self.pid), Some(WaitPidFlag::WNOHANG));
                false
            }
            Some(_) => true,
            None => false,
        }
    }

    /// A line of `/proc/PID/status`, for instance `Uid` or `CapEff`.
    pub fn status(&self, field: &str) -> Option<String> {
        status(&format!("/proc/{}/status", self.pid), field)
    }

    /// Real, effective, saved and filesystem user id, while the process lives.
    pub fn uids(&self) -> Option<Vec<u32>> {
        Some(self.status("Uid")?.split_whitespace().filter_map(|id| id.parse().ok()).collect())
    }

    /// What `/proc/PID/cmdline` holds, words separated by spaces.
    pub fn command_line(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
    }

    /// The open descriptors and what they refer to.
    pub fn fds(&self) -> BTreeMap<i32, String> {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/fd", self.pid)) else { return BTreeMap::new() };
        entries
            .flatten()
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse().ok()?;
                Some((number, fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned()))
            })
            .collect()
    }

    /// The environment it was executed with.
    pub fn environ(&self) -> BTreeMap<String, String> {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        bytes
            .split(|byte| *byte == 0)
            .filter_map(|entry| {
                let text = String::from_utf8_lossy(entry).into_owned();
                text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect()
    }

    /// The file it executes.
    pub fn executable(&self) -> String {
        fs::read_link(format!("/proc/{}/exe", self.pid))
            .map(|path| path.display().to_string())
            .unwrap_or_default()
    }

    /// Session id and the number of the controlling terminal (0: none).
    pub fn session_and_terminal(&self) -> Option<(i32, i32)> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some((fields.get(3)?.parse().ok()?, fields.get(4)?.parse().ok()?))
    }

    /// The direct children.
    pub fn children(&self) -> Vec<Self> {
        all().into_iter().filter(|process| process.ppid == self.pid).collect()
    }

    /// Sends a signal by its number to this process, if it still is the same.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        if self.runs() {
            let _ = nix::sys::signal::kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Sends SIGKILL.
    pub fn kill(&self) {
        self.signal(nix::sys::signal::Signal::SIGKILL);
    }

    /// Proportional set size in KiB: private memory plus its share of what is shared.
    pub fn pss_kib(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    }
}

/// The Unix sockets of the machine, each line of `/proc/net/unix` in its fields: flags are the fourth, the state is the sixth,
/// the inode the seventh, then comes the path (proc_net(5)).
fn unix_table() -> Vec<Vec<String>> {
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The Unix sockets of the machine, as descriptors show them: `socket:[inode]`.
pub fn unix_sockets() -> BTreeSet<String> {
    unix_table().iter().filter_map(|fields| Some(format!("socket:[{}]", fields.get(6)?))).collect()
}

/// The Unix sockets that a process holds and that accept connections (`__SO_ACCEPTCON`), each with its path: the one of the bind,
/// which tells nothing about a file that was moved since.
pub fn unix_listeners(process: &Process) -> Vec<String> {
    let held = process.fds();
    let listening = unix_table().into_iter().filter(|fields| fields.get(3).is_some_and(|f| f == "00010000"));
    let mine = listening.filter(|fields| {
        fields.get(6).is_some_and(|inode| held.values().any(|target| *target == format!("socket:[{inode}]")))
    });
    mine.map(|fields| fields.get(7).cloned().unwrap_or_default()).collect()
}

/// How many ends of connected Unix sockets a process holds.
pub fn unix_connections(process: &Process) -> usize {
    const CONNECTED: &str = "03";
    let held = process.fds();
    let connected = unix_table().into_iter().filter(|fields| fields.get(5).is_some_and(|f| f == CONNECTED));
    let inodes: Vec<String> =
        connected.filter_map(|fields| Some(format!("socket:[{}]", fields.get(6)?))).collect();
    held.values().filter(|target| inodes.contains(target)).count()
}

/// A field of a status file: of a process or of one of its threads.
pub fn status(path: &str, field: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// All processes of the machine.
pub fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.flatten().filter_map(|entry| Process::get(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// All processes below `pid`, not itself.
pub fn descendants(pid: i32) -> Vec<Process> {
    let all = all();
    let mut found = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.ppid == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}
