//! The first moments of the program: what was inherited is taken, closed or reset, and rights that are not needed go.

use std::os::fd::OwnedFd;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::fs::Mode;
use rustix::process::{PidfdFlags, Resource, Rlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::launch::Inherited;
use crate::log::Log;

/// The control channel's number, as agreed with the module.
const CHANNEL: i32 = 3;

/// What root's supervisor cannot do without, with the reason.
const NEEDED: [(CapabilitySet, &str, &str); 5] = [
    (CapabilitySet::SETUID, "CAP_SETUID", "to run workers as their users"),
    (CapabilitySet::SETGID, "CAP_SETGID", "to run workers with their groups"),
    (CapabilitySet::SETPCAP, "CAP_SETPCAP", "to take all capabilities from workers"),
    (CapabilitySet::CHOWN, "CAP_CHOWN", "to give sockets to Apache's user"),
    (CapabilitySet::KILL, "CAP_KILL", "to stop workers"),
];
/// Kept where they are there: raising limits and priorities of workers, and changing their root directory (chroot=).
const USEFUL: CapabilitySet =
    CapabilitySet::SYS_RESOURCE.union(CapabilitySet::SYS_NICE).union(CapabilitySet::SYS_CHROOT);

/// Why the supervisor does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Descriptor 3 is not the channel.
    #[error(
        "this program is started by Apache's mod_wsgi, not by hand; `wsgi-supervisor --check` reads definitions from its standard input"
    )]
    ByHand,
    /// A capability is missing.
    #[error(
        "the capability {name} is missing, which it needs {purpose}; the container or service that starts Apache must allow it"
    )]
    Capability {
        /// Its name.
        name: &'static str,
        /// What for.
        purpose: &'static str,
    },
    /// A system call failed.
    #[error("cannot {action}: {error}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// What the kernel said.
        error: std::io::Error,
    },
}

/// What the server works with.
pub struct Started {
    /// Control channel.
    pub channel: OwnedFd,
    /// Who made it: httpd's parent.
    pub parent_pid: i32,
    /// pidfd of httpd's parent.
    pub parent: OwnedFd,
    /// SIGTERM and SIGINT.
    pub signals: SignalFd,
    /// For workers.
    pub inherited: Inherited,
    /// Apache's main error log.
    pub log: Log,
}

/// Prepares the process.
///
/// # Errors
/// A sentence for the error log.
pub fn start() -> Result<Started, StartError> {
    let system = |action| move |error: std::io::Error| StartError::System { action, error };
    let channel = unix::process::inherited(CHANNEL).map_err(|_| StartError::ByHand)?;
    let parent_pid = unix::peer::of(&channel).map_err(|_| StartError::ByHand)?.pid;
    // Whatever else was open belongs to httpd. The channel moves back to its number, below all that is closed.
    let channel = only_descriptor(channel).map_err(system("close inherited descriptors"))?;
    unix::process::reset_signals().map_err(system("reset signals"))?;
    let parent = rustix::process::getppid().ok_or_else(|| StartError::System {
        action: "find Apache's parent process",
        error: std::io::ErrorKind::NotFound.into(),
    })?;
    let parent = rustix::process::pidfd_open(parent, PidfdFlags::empty())
        .map_err(|error| system("watch Apache's parent process (pidfd_open)")(error.into()))?;
    let log = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3)
        .map_err(|error| system("use the error log")(error.into()))?;
    keep_needed_capabilities()?;
    // Signals to Apache's process group (Ctrl-C) are for Apache. It fails for a process group's leader, which is fine, too.
    let _leader = rustix::process::setsid();
    rustix::process::chdir("/").map_err(|error| system("enter /")(error.into()))?;
    let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO).as_raw_mode();
    let open_files = raise_open_files();
    let signals = stop_signals().map_err(|error| system("watch signals")(error.into()))?;
    let (inherited, log) = (Inherited { umask, open_files }, Log::new(log));
    Ok(Started { channel, parent_pid, parent, signals, inherited, log })
}

/// Limits and mask as they are, for `--check`, which changes nothing.
#[must_use]
pub fn inherited() -> Inherited {
    let umask = rustix::process::umask(Mode::RWXG | Mode::RWXO).as_raw_mode();
    Inherited { umask, open_files: rustix::process::getrlimit(Resource::Nofile) }
}

/// Closes everything but 0, 1, 2 and `kept`.
fn only_descriptor(kept: OwnedFd) -> std::io::Result<OwnedFd> {
    use std::os::fd::AsRawFd as _;
    // `inherited` has freed number 3 and taken the lowest free one above, so 3 is free again or `kept` has it.
    let kept = if kept.as_raw_fd() == CHANNEL {
        kept
    } else {
        let moved = rustix::io::fcntl_dupfd_cloexec(&kept, CHANNEL)?;
        drop(kept);
        moved
    };
    if kept.as_raw_fd() != CHANNEL {
        return Err(std::io::ErrorKind::AddrInUse.into());
    }
    unix::process::close_from(CHANNEL.unsigned_abs() + 1)?;
    Ok(kept)
}

/// Root without most of root's rights. For an ordinary user there is nothing to do.
fn keep_needed_capabilities() -> Result<(), StartError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let failed =
        |error: rustix::io::Errno| StartError::System { action: "read capabilities", error: error.into() };
    let present = rustix::thread::capabilities(None).map_err(failed)?;
    for (capability, name, purpose) in NEEDED {
        if !present.effective.contains(capability) {
            return Err(StartError::Capability { name, purpose });
        }
    }
    let needed = NEEDED.iter().fold(USEFUL, |all, (capability, ..)| all | *capability);
    let kept = present.effective & needed;
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    let failed =
        |error: rustix::io::Errno| StartError::System { action: "drop capabilities", error: error.into() };
    rustix::thread::clear_ambient_capability_set().map_err(failed)?;
    rustix::thread::set_capabilities(None, sets).map_err(failed)
}

/// Several descriptors per worker: as many as the hard limit allows. Returns the limits as they were.
fn raise_open_files() -> Rlimit {
    let before = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    // Without it, a server with hundreds of workers says "too many open files" when it starts them.
    let _kept = rustix::process::setrlimit(Resource::Nofile, raised);
    before
}

fn stop_signals() -> nix::Result<SignalFd> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGTERM);
    set.add(Signal::SIGINT);
    set.thread_block()?;
    // A log that is a closed pipe must not end us.
    let mut pipe = SigSet::empty();
    pipe.add(Signal::SIGPIPE);
    pipe.thread_block()?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
}
