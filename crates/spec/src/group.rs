//! What a process group is, once every option is parsed and every name is looked up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chroot::Chroot;
use crate::interpreter::PythonSettings;
use crate::owner::ScriptOwner;

/// The account that a worker runs as, looked up in the user database by the httpd parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// User name, where the uid has one (`USER`, `LOGNAME`).
    pub name: Option<String>,
    /// Never 0 when httpd runs as root.
    pub uid: u32,
    /// Never 0 when httpd runs as root.
    pub gid: u32,
    /// The complete list of supplementary groups.
    pub groups: Vec<u32>,
    /// The user's home directory (`HOME`), where it has one.
    pub home: Option<PathBuf>,
}

/// Time limits of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From SIGTERM to SIGKILL.
    pub shutdown: Duration,
    /// How long a worker may finish its requests after it was replaced.
    pub graceful: Duration,
    /// How long a child tries to connect.
    pub connect: Duration,
    /// Longest silence on the connection between child and worker, either direction (default: the server's `Timeout`).
    pub socket: Duration,
    /// How long a request may wait for a free thread; without it `socket` applies.
    pub queue: Option<Duration>,
}

/// When a worker is replaced although it works, or because it does not. `None`: never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Requests after which it is replaced.
    pub maximum_requests: Option<u64>,
    /// From a start on, while it serves.
    pub restart_interval: Option<Duration>,
    /// Without a request, once it has served one.
    pub inactivity: Option<Duration>,
    /// From the first request that needs the application until that is loaded.
    pub startup: Option<Duration>,
    /// Without the GIL.
    pub deadlock: Option<Duration>,
    /// Longest request.
    pub request: Option<Duration>,
    /// From the exception in a late request to the end of the worker.
    pub interrupt: Option<Duration>,
    /// Time to finish requests after SIGUSR1; without it that of a graceful end.
    pub eviction: Option<Duration>,
    /// Processor time.
    pub cpu: Option<Duration>,
}

/// How requests and responses pass between child, worker and client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Longest response header in bytes, name and value; `None`: as long as the whole head may be.
    pub header: Option<u32>,
    /// Bytes of a response that a child takes from a worker while the client does not take them.
    pub ahead: u64,
    /// How long a child waits for more of a response before it sends what it has.
    pub flush_delay: Duration,
    /// How long a client may take nothing of its response; `None`: the server's `Timeout`.
    pub client: Option<Duration>,
    /// Size in bytes of the buffers for responses between worker and child (`SO_SNDBUF` of one, `SO_RCVBUF` of the other);
    /// `None`: the system's.
    pub send_buffer: Option<u32>,
    /// The same for requests.
    pub receive_buffer: Option<u32>,
}

impl Transfer {
    /// What a child takes ahead of a client unless something else is written, in bytes.
    pub const AHEAD: u64 = 64 * 1024 * 1024;
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            header: None,
            ahead: Self::AHEAD,
            flush_delay: Duration::ZERO,
            client: None,
            send_buffer: None,
            receive_buffer: None,
        }
    }
}

/// Code that a worker may be asked to run. The worker holds every request against these, so that whoever can speak to it still
/// cannot choose what it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The script, or a directory whose files are scripts.
    pub path: PathBuf,
    /// When there are some: only what is also below a directory like one of these ([`crate::pattern`]).
    #[serde(default)]
    pub patterns: Vec<String>,
    /// What these scripts may be asked.
    #[serde(default)]
    pub purpose: Purpose,
    /// Names that requests for these scripts may give for the callable; only applications have some.
    pub callable: Allowed,
    /// Names that requests for these scripts may give for the application group; empty is the main interpreter.
    pub application_group: Allowed,
}

/// What a script is there for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// It has WSGI applications.
    #[default]
    Application,
    /// It says who may come in (`WSGIAccessScript`).
    Access,
    /// It knows users and passwords (`WSGIAuthUserScript`).
    AuthUser,
    /// It knows the groups of users (`WSGIAuthGroupScript`).
    AuthGroup,
    /// It says where requests go (`WSGIDispatchScript`).
    Dispatch,
}

impl Purpose {
    /// The directive that names such scripts.
    #[must_use]
    pub const fn directive(self) -> &'static str {
        match self {
            Self::Application => "WSGIScriptAlias",
            Self::Access => "WSGIAccessScript",
            Self::AuthUser => "WSGIAuthUserScript",
            Self::AuthGroup => "WSGIAuthGroupScript",
            Self::Dispatch => "WSGIDispatchScript",
        }
    }
}

/// The names that the configuration can produce in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Allowed {
    /// Decided for each request, by `%{ENV:..}`, `%{HOST}` and the like: nothing to hold a name against.
    Any,
    /// These.
    Only(Vec<String>),
}

impl Allowed {
    /// Whether a request may give this name.
    #[must_use]
    pub fn permits(&self, name: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Only(names) => names.iter().any(|allowed| allowed.as_bytes() == name),
        }
    }
}

/// A script that workers load when they start, before requests come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Preload {
    /// Absolute path of the script.
    pub script: PathBuf,
    /// The interpreter to load it in; empty is the main one.
    pub application_group: String,
}

/// A process group, ready to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGroup {
    /// The name in `WSGIDaemonProcess`.
    pub name: String,
    /// `ServerName` of the virtual host that declares it (empty: the main server); only used in messages.
    pub server: String,
    /// Who the workers are; `None` when httpd does not run as root and workers keep its identity.
    pub account: Option<Account>,
    /// Number of worker processes, at least 1.
    pub processes: u32,
    /// `wsgi.multiprocess`: true as soon as `processes=` is written, even `processes=1`.
    pub multiprocess: bool,
    /// Request threads per process; 0 where service scripts run instead.
    pub threads: u32,
    /// Stack of a request thread in bytes.
    pub stack_size: u64,
    /// Path of the interpreter to execute.
    pub python: PathBuf,
    /// Colon-separated `python-path`, split.
    pub python_path: Vec<PathBuf>,
    /// `PYTHON_EGG_CACHE`.
    pub python_eggs: Option<PathBuf>,
    /// Root directory of the workers. Paths of Python, of `home` and the like are as seen inside; those of scripts as the web server sees
    /// them.
    pub chroot: Option<Chroot>,
    /// Working directory.
    pub home: Option<PathBuf>,
    /// umask of the worker.
    pub umask: Option<u32>,
    /// `LANG`.
    pub lang: Option<String>,
    /// `LC_ALL`.
    pub locale: Option<String>,
    /// Process title; `(wsgi:NAME)` when not configured.
    pub display_name: String,
    /// Extra environment variables (`env=NAME=VALUE`).
    pub environment: BTreeMap<String, String>,
    /// Requests that may wait for a free thread (503 beyond); also the `listen` backlog of each socket.
    pub listen_backlog: u32,
    /// Owner of the sockets.
    pub socket_uid: u32,
    /// Nice value.
    pub cpu_priority: Option<i32>,
    /// `RLIMIT_AS` and `RLIMIT_DATA` in bytes.
    pub virtual_memory_limit: Option<u64>,
    /// `RLIMIT_DATA` in bytes.
    pub memory_limit: Option<u64>,
    /// False sets `no_new_privs` (the default).
    pub new_privileges: bool,
    /// Time limits.
    pub timeouts: Timeouts,
    /// When workers are replaced.
    pub timers: Timers,
    /// Buffers, and the pace of responses.
    pub transfer: Transfer,
    /// Whom scripts must belong to; `None`: to anybody.
    pub script_owner: Option<ScriptOwner>,
    /// What the worker may load: targets of aliases that can lead to this group.
    pub roots: Vec<Root>,
    /// What workers load when they start, in this order, that of the configuration, each once: `WSGIImportScript`, and scripts
    /// of aliases that have both groups fixed. A script that fails is logged, and the next one follows.
    pub preload: Vec<Preload>,
    /// How Python is set up.
    pub python_settings: PythonSettings,
}

/// Everything the supervisor has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definitions {
    /// Counts the configurations of this httpd parent, from 1.
    pub generation: u64,
    /// uid of httpd's children: the only peer that workers accept.
    pub httpd_uid: u32,
    /// Directory of this parent's sockets, `{WSGISocketPrefix}.{pid of httpd's parent}`.
    pub socket_directory: PathBuf,
    /// Version of the web server, for `apache.version`.
    pub httpd_version: (u32, u32, u32),
    /// Path of `_wsgi_runtime.abi3.so`.
    pub runtime: PathBuf,
    /// The groups, in the order of the configuration.
    pub groups: Vec<ProcessGroup>,
}

/// File name of a worker slot's socket inside [`Definitions::socket_directory`].
///
/// Letters, digits, `-`, `_` and `.` of the name are kept (at most 40 bytes), the rest becomes `_`; a number made from the
/// whole name keeps two similar names apart.
#[must_use]
pub fn socket_file_name(group: &str, slot: u32) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let safe: String = group.chars().take(40).map(keep).collect();
    // FNV-1a: stable across builds, as the path must not change while old children still know it.
    let hash = group.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{safe}-{:08x}.{slot}.sock", hash as u32)
}

/// Longest path of a socket in bytes: `sun_path` of unix(7) less its final NUL.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// A socket's path does not fit into a socket address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the path {} for a socket has {} bytes, and {LONGEST_SOCKET_PATH} are possible: write a shorter WSGISocketPrefix, such as \
     /run/wsgi",
    .0.display(),
    .0.as_os_str().len()
)]
pub struct SocketPathTooLong(pub PathBuf);

/// The path of the socket `file` in `directory`.
///
/// # Errors
/// [`SocketPathTooLong`].
pub fn socket_path(directory: &Path, file: &str) -> Result<PathBuf, SocketPathTooLong> {
    let path = directory.join(file);
    if path.as_os_str().len() > LONGEST_SOCKET_PATH { Err(SocketPathTooLong(path)) } else { Ok(path) }
}
