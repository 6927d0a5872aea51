//! What a worker is told when it starts, and the fixed-size reports it sends.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Account, Root};

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
    /// What may be loaded.
    pub roots: Vec<Root>,
    /// Time to finish requests after SIGTERM before the process ends itself.
    pub shutdown_timeout: Duration,
    /// Time to finish requests after a drain command.
    pub graceful_timeout: Duration,
    /// Longest silence of a child in the middle of a request.
    pub socket_timeout: Duration,
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
    /// Takes no new connection any more.
    Draining,
    /// Ends itself for this reason (an exit follows).
    Failed(Failure),
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
            Self::Draining => (2, 0),
            Self::Failed(failure) => (3, failure as u8),
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
            (2, 0) => Some(Self::Draining),
            (3, value) => {
                use Failure::{Config, Identity, Python, System};
                let all = [Identity, Config, Python, System];
                all.into_iter().find(|failure| *failure as u8 == value).map(Self::Failed)
            }
            _ => None,
        }
    }
}
