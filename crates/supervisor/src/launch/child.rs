//! Between fork and exec: who a new process becomes and what it is given, in the one order that is safe.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use spec::Account;
use unix::identity::{self, Identity, NotDropped};

use super::failure::{LaunchFailure, Step};
use crate::trusted::{self, NotTrusted};

/// Where the process is to be.
#[derive(Debug, Clone)]
pub enum Home {
    /// This directory, or the launch fails.
    Required(PathBuf),
    /// This directory where possible, else `/`.
    Preferred(PathBuf),
}

/// Everything about a process that is settled before the fork.
#[derive(Debug)]
pub struct Plan {
    /// Program to execute.
    pub program: CString,
    /// Its arguments, from `argv[0]`.
    pub arguments: Vec<CString>,
    /// Its whole environment.
    pub environment: Vec<CString>,
    /// Who it becomes; `None` keeps the identity, when that is not root's.
    pub account: Option<Account>,
    /// Root directory.
    pub chroot: Option<PathBuf>,
    /// Working directory.
    pub home: Home,
    /// File mode creation mask.
    pub umask: u32,
    /// Nice value.
    pub priority: Option<i32>,
    /// Resource limits, soft and hard.
    pub limits: Vec<(Resource, Rlimit)>,
    /// False sets `no_new_privs`.
    pub new_privileges: bool,
    /// The process that forks.
    pub supervisor: Pid,
}

impl Plan {
    /// Does all of it in the forked child; returns only on failure.
    ///
    /// # Errors
    /// The process must end without running anything else.
    pub fn carry_out(&self) -> Result<Infallible, LaunchFailure> {
        unix::process::reset_signals().map_err(io(Step::Signals))?;
        rustix::process::setsid().map_err(os(Step::Session))?;
        if let Some(priority) = self.priority {
            rustix::process::setpriority_process(None, priority).map_err(os(Step::Priority))?;
        }
        for (resource, limit) in &self.limits {
            rustix::process::setrlimit(*resource, *limit).map_err(os(Step::Limits))?;
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(self.umask));
        self.change_root()?;
        self.become_account()?;
        if !self.new_privileges {
            rustix::thread::set_no_new_privs(true).map_err(os(Step::NoNewPrivileges))?;
        }
        self.tie_to_supervisor()?;
        // Only from here on is anything of the site touched.
        self.enter_home()?;
        let error = match nix::unistd::execve(&self.program, &self.arguments, &self.environment) {
            Ok(never) => match never {},
            Err(error) => error,
        };
        Err(LaunchFailure { step: Step::Execute, errno: error as i32 })
    }

    /// Nothing is opened by its path between the check of the directory and the change to it.
    fn change_root(&self) -> Result<(), LaunchFailure> {
        let Some(path) = &self.chroot else { return Ok(()) };
        let directory = trusted::open(path).map_err(|error| match error {
            NotTrusted::Unsafe { .. } => LaunchFailure { step: Step::UntrustedRoot, errno: 0 },
            NotTrusted::System(error) => os(Step::ChangeRoot)(error),
        })?;
        let changed = rustix::process::fchdir(&directory)
            .and_then(|()| rustix::process::chroot("."))
            .and_then(|()| rustix::process::chdir("/"));
        changed.map_err(os(Step::ChangeRoot))?;
        // As with the identity: what has happened counts, not what was answered.
        let place = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        let wanted = rustix::fs::fstat(&directory).map_err(os(Step::ChangeRoot))?;
        let root = rustix::fs::stat("/").map_err(os(Step::ChangeRoot))?;
        if place(root) == place(wanted) {
            Ok(())
        } else {
            Err(LaunchFailure { step: Step::ChangeRoot, errno: 0 })
        }
    }

    fn become_account(&self) -> Result<(), LaunchFailure> {
        let Some(account) = &self.account else {
            // Definitions without accounts are only taken by a supervisor that is not root.
            let root = rustix::process::geteuid().is_root() || rustix::process::getuid().is_root();
            return if root { Err(LaunchFailure { step: Step::VerifyUid, errno: 0 }) } else { Ok(()) };
        };
        // Needs CAP_SETPCAP, which goes with the uid.
        unix::process::empty_bounding_set().map_err(io(Step::BoundingSet))?;
        let wanted = Identity { uid: account.uid, gid: account.gid, groups: &account.groups };
        identity::assume(wanted).map_err(|NotDropped { step, error }| LaunchFailure {
            step: step.into(),
            errno: error.raw_os_error().unwrap_or(0),
        })
    }

    /// A second net: when the supervisor dies, the kernel tells the worker to leave (the first is its lifeline). The change
    /// of the uid has cleared any earlier setting (prctl(2)).
    fn tie_to_supervisor(&self) -> Result<(), LaunchFailure> {
        rustix::process::set_parent_process_death_signal(Some(Signal::USR1))
            .map_err(os(Step::DeathSignal))?;
        if rustix::process::getppid() == Some(self.supervisor) {
            Ok(())
        } else {
            Err(LaunchFailure { step: Step::Orphaned, errno: 0 })
        }
    }

    fn enter_home(&self) -> Result<(), LaunchFailure> {
        let entered = match &self.home {
            Home::Required(path) => rustix::process::chdir(path),
            Home::Preferred(path) => rustix::process::chdir(path).or_else(|_| rustix::process::chdir("/")),
        };
        entered.map_err(os(Step::Home))
    }
}

/// Forks a process with `descriptors` as 0, 1, 2 ... and carries the plan out in it; a failure is written to the one with the
/// number `status`.
///
/// # Errors
/// No process could be made.
pub fn fork(
    plan: &Plan,
    descriptors: &[BorrowedFd<'_>],
    status: i32,
) -> std::io::Result<unix::process::Child> {
    unix::process::fork(descriptors, || {
        let Err(failure) = plan.carry_out();
        if let Ok(pipe) = unix::process::inherited(status) {
            // Nobody is left to tell when this fails too; the exit status remains.
            let _ = rustix::io::write(&pipe, &failure.to_bytes());
        }
        127
    })
}

fn os(step: Step) -> impl Fn(Errno) -> LaunchFailure {
    move |error| LaunchFailure { step, errno: error.raw_os_error() }
}

fn io(step: Step) -> impl Fn(std::io::Error) -> LaunchFailure {
    move |error| LaunchFailure { step, errno: error.raw_os_error().unwrap_or(0) }
}
