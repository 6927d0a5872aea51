//! Executing `wsgi-supervisor`: which descriptors, environment and signals it starts with. What it is told is `talk`'s part.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A started supervisor.
#[derive(Debug)]
pub(super) struct Started {
    /// Its process number. httpd reaps it, as it reaps all children.
    pub(super) pid: i32,
    /// Its pidfd: signals through it reach this process or none.
    pub(super) handle: OwnedFd,
    /// Our end of the channel.
    pub(super) channel: OwnedFd,
}

/// Starts the program with `/dev/null`, the log twice and the channel as its descriptors 0 to 3, and no other; all signals at
/// their defaults, nothing but `TZ` in its environment (its log lines have httpd's times), a process group of its own (httpd
/// signals its whole group when it stops).
///
/// # Errors
/// A sentence.
pub(super) fn start(program: &Path, log: Option<OwnedFd>) -> Result<Started, String> {
    let failed = |error: std::io::Error| format!("{} cannot be started: {error}", program.display());
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // Other modules' helpers may hold our end: the supervisor listens to this process only.
    unix::peer::name_senders(&theirs).map_err(failed)?;
    let null = File::open("/dev/null").map_err(failed)?;
    let log = match log {
        Some(log) => log,
        None => std::io::stderr().as_fd().try_clone_to_owned().map_err(failed)?,
    };
    let descriptors = [null.as_fd(), log.as_fd(), log.as_fd(), theirs.as_fd()];
    let zone = std::env::var_os("TZ");
    let child = unix::process::fork(&descriptors, || execute(program, zone.as_deref())).map_err(failed)?;
    Ok(Started { pid: child.pid, handle: child.handle, channel: ours.into() })
}

/// Replaces the forked process by the program; returns only when that fails.
fn execute(program: &Path, zone: Option<&OsStr>) -> u8 {
    let error = match unix::process::reset_signals() {
        Ok(()) => {
            let zone = zone.map(|zone| ("TZ", zone));
            Command::new(program).env_clear().envs(zone).current_dir("/").process_group(0).exec()
        }
        Err(error) => error,
    };
    // Descriptor 2 is the error log; there is nobody else left to tell.
    let _ = writeln!(std::io::stderr(), "WSGI1306: {} cannot be executed: {error}", program.display());
    127
}
