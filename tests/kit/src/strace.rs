//! strace around a process of the test: to see in which order system calls come, or to make them fail.

use crate::wait::holds_within;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running strace that follows a process and its children. Dropping it lets them go.
pub struct Strace {
    child: Child,
    trace: PathBuf,
}

impl Strace {
    /// Whether strace is installed and may trace here; `Err` is a reason to skip.
    pub fn available() -> Result<(), String> {
        crate::run(Command::new("strace").args(["-f", "-e", "trace=none", "true"])).map(drop)
    }

    /// Attaches to `pid` with these arguments; the trace goes to a file below `dir`.
    #[track_caller]
    pub fn attach(pid: i32, dir: &Path, args: &[&str]) -> Self {
        let trace = dir.join("strace.txt");
        let said = dir.join("strace-said.txt");
        let child = Command::new("strace")
            .args(["-f", "-y", "-o"])
            .arg(&trace)
            .args(args)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stderr(File::create(&said).expect("the folder is ours"))
            .spawn()
            .expect("strace is installed");
        let strace = Self { child, trace };
        let attached = || fs::read_to_string(&said).is_ok_and(|text| text.contains("attached"));
        assert!(holds_within(crate::LIMIT, attached), "strace did not attach to {pid}");
        strace
    }

    /// The lines so far.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.trace).unwrap_or_default()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // SIGINT makes it detach; SIGKILL would leave the tracees stopped for a moment.
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        if !holds_within(Duration::from_secs(5), || matches!(self.child.try_wait(), Ok(Some(_)))) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
