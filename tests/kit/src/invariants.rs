//! What must hold after every test: no process, descriptor, socket file or shared memory is left over.

use crate::apache::Apache;
use crate::proc::{self, Process};
use crate::wait::holds_within;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

/// How long things may take to become clean.
const LIMIT: Duration = Duration::from_secs(30);

/// The state to come back to.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    shared_memory: BTreeSet<String>,
    fds: BTreeMap<String, Vec<String>>,
}

impl Baseline {
    /// Taken before Apache starts.
    pub(crate) fn before() -> Self {
        Self { shared_memory: shared_memory(), fds: BTreeMap::new() }
    }

    /// Takes the descriptors of the processes of root, once they are up.
    pub(crate) fn note_fds(&mut self, processes: &[Process]) {
        self.fds = processes.iter().map(|process| (process.name.clone(), kinds(process))).collect();
    }

    /// Before the stop: descriptors as at the start, a live listener behind every socket file, no zombie.
    #[track_caller]
    pub(crate) fn check_running(&self, apache: &Apache) {
        let mut now = BTreeMap::new();
        let as_before = holds_within(LIMIT, || {
            let processes = apache.processes_of_root();
            now = processes.iter().map(|process| (process.name.clone(), kinds(process))).collect();
            now == self.fds
        });
        assert!(as_before, "descriptors changed: {}", differences(&self.fds, &now));
        let (files, listeners) =
            (apache.sockets(), apache.supervisor().map_or(0, |root| proc::unix_listeners(&root).len()));
        assert_eq!(listeners, files.len(), "the supervisor's listeners against the files {files:?}");
        let mut zombies = Vec::new();
        let none = holds_within(LIMIT, || {
            zombies = proc::descendants(apache.parent().pid);
            zombies.retain(|process| process.state == 'Z');
            zombies.is_empty()
        });
        assert!(none, "zombies stay: {zombies:?}");
    }

    /// After the stop: no process of the family lives, the run folder holds nothing of ours, shared memory is as before.
    #[track_caller]
    pub(crate) fn check_stopped(&self, apache: &Apache, family: &[Process]) {
        let mut left: Vec<&Process> = family.iter().collect();
        if !holds_within(LIMIT, || {
            left.retain(|process| process.runs());
            left.is_empty()
        }) {
            left.iter().for_each(|process| process.kill());
            panic!("processes outlive Apache: {left:#?}\n{}", apache.log().tail());
        }
        let mut files = Vec::new();
        let clean = holds_within(LIMIT, || {
            files = apache.run_files();
            files.is_empty()
        });
        assert!(clean, "left in the run folder: {files:?}");
        let mut new = BTreeSet::new();
        let same = holds_within(LIMIT, || {
            new = shared_memory().difference(&self.shared_memory).cloned().collect();
            new.is_empty()
        });
        assert!(same, "left in /dev/shm: {new:?}");
    }
}

/// What the descriptors refer to, without the numbers that differ between two sockets or pipes.
fn kinds(process: &Process) -> Vec<String> {
    let mut kinds: Vec<String> = process
        .fds()
        .into_values()
        .map(|target| target.split_once(":[").map_or(target.clone(), |(kind, _)| kind.to_owned()))
        .collect();
    kinds.sort();
    kinds
}

fn differences(before: &BTreeMap<String, Vec<String>>, now: &BTreeMap<String, Vec<String>>) -> String {
    format!("before {before:#?}, now {now:#?}")
}

/// POSIX shared memory and semaphores of other tests come and go; names of httpd's transient ones are left out.
fn shared_memory() -> BTreeSet<String> {
    let entries =
        fs::read_dir("/dev/shm").map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
