//! What a worker is told when it starts, and the fixed-size reports it sends.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Account, Preload, PythonSettings, Root, ScriptOwner, Timers};

/// Descriptor numbers in a new worker. 0 is `/dev/null`; 1 and 2 are the log pipe.
pub mod descriptor {
    /// [`super::WorkerConfig`] as JSON, to be read to its end and closed.
    pub const CONFIG: i32 = 3;
    /// The listening socket of the worker's slot.
    pub const LISTENER: i32 = 4;
    /// Where [`super::Report`]s go.
    pub const STATUS: i32 = 5;
    /// Read end: one byte is a [`super::Command`], end-of-file means that the supervisor is gone.
    pub const LIFELINE: i32 = 6;
}

/// Everything a worker has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerConfig {
    /// Process group.
    pub group: String,
    /// Who this process must be by now; verified before Python runs a line of the site's. `None`: no drop was asked for.
    pub account: Option<Account>,
    /// False: `no_new_privs` must be set by now.
    pub new_privileges: bool,
    /// The only peer uid to accept.
    pub peer_uid: u32,
    /// Request threads.
    pub threads: u32,
    /// Stack of a request thread in bytes.
    pub stack_size: u64,
    /// `processes` of the group, for `mod_wsgi.maximum_processes`.
    pub processes: u32,
    /// `wsgi.multiprocess`.
    pub multiprocess: bool,
    /// Entries for the front of `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// `home=` of the group: also the first entry of `sys.path`.
    pub home: Option<PathBuf>,
    /// Process title.
    pub display_name: String,
    /// Whom scripts must belong to.
    pub script_owner: Option<ScriptOwner>,
    /// What may be loaded.
    pub roots: Vec<Root>,
    /// What to load before the worker says that it is ready; see [`crate::ProcessGroup::preload`].
    pub preload: Vec<Preload>,
    /// How Python is set up. What Python must know when it starts, the supervisor has passed on its command line.
    pub python_settings: PythonSettings,
    /// Time to finish requests after SIGTERM before the process ends itself.
    pub shutdown_timeout: Duration,
    /// Time to finish requests after a drain command.
    pub graceful_timeout: Duration,
    /// When to be replaced.
    pub timers: Timers,
    /// Longest silence of a child in the middle of a request.
    pub socket_timeout: Duration,
    /// Size in bytes of the buffer for responses on each connection.
    pub send_buffer: Option<u32>,
    /// The same for requests.
    pub receive_buffer: Option<u32>,
    /// Version of the web server, for `apache.version`.
    pub httpd_version: (u32, u32, u32),
}

/// A command on the lifeline, one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Take no new connection, finish what runs, leave.
    Drain = b'D',
}

impl Command {
    /// The command with this byte.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        (byte == Self::Drain as u8).then_some(Self::Drain)
    }
}

/// Length of a report in bytes.
pub const REPORT_LEN: usize = 8;
const REPORT_MAGIC: [u8; 3] = *b"wsr";

/// A worker's report to its supervisor: tag and one number, never text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Request threads wait for requests.
    Ready,
    /// Takes no new connection any more and ends after its requests; its successor is to start now.
    Leaving(Cause),
    /// Serves on, and leaves when its successor is ready.
    Replace(Cause),
    /// Ends itself for this reason (an exit follows).
    Failed(Failure),
}

/// Declares the causes once: byte on the pipe, name.
macro_rules! causes {
    ($($(#[$meta:meta])* $name:ident = $byte:literal, $text:literal;)*) => {
        /// Why a worker leaves or wants to be replaced. The names are those of mod_wsgi's `shutdown_reason`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Cause { $($(#[$meta])* $name = $byte,)* }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// As `shutdown_reason` and the log have it.
            #[must_use]
            pub fn name(self) -> &'static str { match self { $(Self::$name => $text,)* } }
        }
    };
}

causes! {
    /// The script has changed.
    ScriptReload = 1, "script_reload";
    /// `maximum-requests`.
    MaximumRequests = 2, "maximum_requests";
    /// `restart-interval`.
    RestartInterval = 3, "restart_interval";
    /// `inactivity-timeout`.
    InactivityTimeout = 4, "inactivity_timeout";
    /// `startup-timeout`.
    StartupTimeout = 5, "startup_timeout";
    /// `deadlock-timeout`.
    DeadlockTimeout = 6, "deadlock_timeout";
    /// `request-timeout`, and `interrupt-timeout` where it is set.
    RequestTimeout = 7, "request_timeout";
    /// `cpu-time-limit`.
    CpuTimeLimit = 8, "cpu_time_limit";
    /// SIGUSR1 where `eviction-timeout` is set.
    EvictionSignal = 9, "eviction_signal";
    /// SIGUSR1, or the supervisor's drain command.
    GracefulSignal = 10, "graceful_signal";
    /// SIGTERM or SIGINT, or the supervisor is gone.
    ShutdownSignal = 11, "shutdown_signal";
}

impl Cause {
    /// The cause with this number.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| *cause as u8 == byte)
    }

    /// Whether it says that the application does not work: then the pause before the next worker grows, as after a crash.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::StartupTimeout | Self::DeadlockTimeout)
    }
}

/// Why a worker gives up by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Failure {
    /// The process is not who it should be.
    Identity = 1,
    /// Its configuration could not be read.
    Config = 2,
    /// Python could not be set up; the log says why.
    Python = 3,
    /// A system call failed; the log says which.
    System = 4,
}

impl Report {
    /// The bytes of the report.
    #[must_use]
    pub fn to_bytes(self) -> [u8; REPORT_LEN] {
        let (tag, value) = match self {
            Self::Ready => (1, 0),
            Self::Leaving(cause) => (2, cause as u8),
            Self::Failed(failure) => (3, failure as u8),
            Self::Replace(cause) => (4, cause as u8),
        };
        let [a, b, c] = REPORT_MAGIC;
        [a, b, c, tag, value, 0, 0, 0]
    }

    /// Reads a report; `None` for anything that is not exactly one.
    #[must_use]
    pub fn from_bytes(bytes: [u8; REPORT_LEN]) -> Option<Self> {
        let [a, b, c, tag, value, 0, 0, 0] = bytes else { return None };
        if [a, b, c] != REPORT_MAGIC {
            return None;
        }
        match (tag, value) {
            (1, 0) => Some(Self::Ready),
            (2, cause) => Cause::from_byte(cause).map(Self::Leaving),
            (3, value) => {
                use Failure::{Config, Identity, Python, System};
                let all = [Identity, Config, Python, System];
                all.into_iter().find(|failure| *failure as u8 == value).map(Self::Failed)
            }
            (4, cause) => Cause::from_byte(cause).map(Self::Replace),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_back_and_nothing_else_is_one() {
        let causes = Cause::ALL.iter().flat_map(|cause| [Report::Leaving(*cause), Report::Replace(*cause)]);
        let failures =
            [Failure::Identity, Failure::Config, Failure::Python, Failure::System].map(Report::Failed);
        let all: Vec<Report> = causes.chain(failures).chain([Report::Ready]).collect();
        for report in &all {
            assert_eq!(Report::from_bytes(report.to_bytes()), Some(*report));
        }
        let read = (0..=u8::MAX).flat_map(|tag| (0..=u8::MAX).map(move |value| (tag, value)));
        let [a, b, c] = REPORT_MAGIC;
        let known =
            read.filter(|(tag, value)| Report::from_bytes([a, b, c, *tag, *value, 0, 0, 0]).is_some());
        assert_eq!(known.count(), all.len());
    }
}
