//! What a gateway and a request are told from outside: plain data, no Python.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::Level;

/// What is the same for all requests of one worker process.
#[derive(Clone)]
pub struct Config {
    /// `mod_wsgi.process_group`; "" in embedded mode.
    pub process_group: String,
    /// Number of worker processes of the group: `mod_wsgi.maximum_processes`.
    pub processes: u32,
    /// Number of request threads: `mod_wsgi.threads_per_process`.
    pub threads: u32,
    /// `wsgi.multiprocess`: the `processes` option was given.
    pub multiprocess: bool,
    /// `wsgi.multithread`: more than one request thread.
    pub multithread: bool,
    /// The process runs service scripts in place of requests: `sys.exit()` of such a script is its regular end.
    pub service: bool,
    /// `wsgi.run_once`: this process leaves after one request.
    pub run_once: bool,
    /// Directories of `python-path`, added with `site.addsitedir` and moved to the front of `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// Directory of `home`, put before everything else in `sys.path`.
    pub home: Option<PathBuf>,
    /// How the interpreter of an application group is set up; the empty name is the main one.
    pub interpreters: SettingsOf,
    /// False: the process leaves without ending its interpreters (WSGIDestroyInterpreter).
    pub destroy_interpreters: bool,
    /// False: scripts whose paths differ only in case are one (WSGICaseSensitivity).
    pub case_sensitive: bool,
    /// Version of the Apache in front: `apache.version`.
    pub httpd_version: (u32, u32, u32),
    /// Whom scripts must belong to.
    pub script_owner: Option<ScriptOwner>,
    /// Where scripts are: pickle finds their classes there before a request has asked for the script.
    pub roots: Vec<ScriptRoot>,
    /// Writes lines that belong to no request, without waiting for long. Called without the GIL.
    pub process_log: fn(Level, &str),
}

/// Gives the settings of an application group's interpreter by its name.
pub type SettingsOf = Arc<dyn Fn(&str) -> InterpreterSettings + Send + Sync>;

/// What may differ from one interpreter to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterpreterSettings {
    /// A GIL of its own (WSGIPerInterpreterGIL): for sub-interpreters of Python 3.12 or newer.
    pub own_gil: bool,
    /// What to call `sys.setswitchinterval` with.
    pub switch_interval: Option<Duration>,
    /// Directories for the front of `sys.path`, before those of [`Config::python_path`].
    pub python_path: Vec<PathBuf>,
    /// Each use of `sys.stdin` is an `OSError` (WSGIRestrictStdin).
    pub restrict_stdin: bool,
    /// Each use of `sys.stdout` is an `OSError` (WSGIRestrictStdout).
    pub restrict_stdout: bool,
    /// `signal.signal` does nothing but log (WSGIRestrictSignal).
    pub restrict_signal: bool,
}

/// Whom a script and the directory it is in must belong to. Nobody else may write to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptOwner {
    /// This uid.
    User(u32),
    /// This gid; members of the group may write.
    Group(u32),
}

/// A script that is loaded before requests come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preload {
    /// Absolute path.
    pub script: Vec<u8>,
    /// The interpreter to load it in; empty is the main one.
    pub application_group: String,
}

/// A script of the configuration, or a directory of scripts.
#[derive(Clone, Debug)]
pub struct ScriptRoot {
    /// Absolute path.
    pub path: Vec<u8>,
    /// The interpreters it may be loaded in, by name; `None` for all.
    pub application_groups: Option<Vec<String>>,
}

impl ScriptRoot {
    pub(crate) fn allows(&self, group: &str) -> bool {
        self.application_groups.as_ref().is_none_or(|groups| groups.iter().any(|name| name == group))
    }
}

/// The version of mod_wsgi whose behaviour and Python API this is: `mod_wsgi.version`.
pub const MOD_WSGI_VERSION: (u32, u32, u32) = (6, 0, 5);

/// One request, as the server in front described it. All borrowed: nothing of it is kept after `serve`.
pub struct Request<'a> {
    /// CGI variables in order, latin-1 bytes: everything of the environ that is not the worker's to say. The worker
    /// adds `wsgi.*`, `apache.version` and the `mod_wsgi.*` keys of [`Config`] and of this struct; other `mod_wsgi.*`
    /// keys pass through. A later pair replaces an earlier one.
    pub environ: &'a mut dyn Iterator<Item = (&'a [u8], &'a [u8])>,
    /// Absolute path of the script file.
    pub script: &'a [u8],
    /// Name of the callable in the script: `application` unless configured.
    pub callable: &'a str,
    /// Name of the interpreter; "" is the main one.
    pub application_group: &'a str,
    /// Whether a script that has changed since it was loaded is left to another process (WSGIScriptReloading).
    pub script_reloading: bool,
    /// `wsgi.url_scheme` is https.
    pub https: bool,
    /// Length of the request's body when all of it is there: reading it waits for nobody.
    pub body_length: Option<u64>,
    /// `wsgi.input` has `seek` and `tell`, provided that `body_length` is known.
    pub seekable_input: bool,
    /// Process of the server in front: `server_pid` of events.
    pub server_pid: u32,
    /// When Apache got the request (`mod_wsgi.request_start`), seconds since the epoch.
    pub request_start: f64,
    /// When it began to wait for a worker (`mod_wsgi.queue_start`).
    pub queue_start: f64,
    /// When the worker took it (`mod_wsgi.daemon_start`).
    pub daemon_start: f64,
}

/// How [`serve`](crate::WorkerThread::serve) ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// The exchange has had its answer.
    Answered,
    /// The script has changed since this process loaded it. Nothing of the application ran for this request, and the exchange has
    /// had no answer: another process has to serve it.
    OutOfDate,
}

/// One call of a function of a script for the server: who may come in, and where a request goes.
pub struct Call<'a> {
    /// As [`Request::environ`], with `mod_wsgi.process_group` and `mod_wsgi.application_group`. Keys that begin with
    /// `mod_ssl.var.` are what `mod_ssl.var_lookup` finds.
    pub environ: &'a mut dyn Iterator<Item = (&'a [u8], &'a [u8])>,
    /// Absolute path of the script file.
    pub script: &'a [u8],
    /// Name of the interpreter; "" is the main one.
    pub application_group: &'a str,
    /// `mod_ssl.is_https()`.
    pub https: bool,
    /// Whether a script that has changed since it was loaded is loaded again (WSGIScriptReloading).
    pub script_reloading: bool,
    /// Which function, with what.
    pub question: Question<'a>,
}

/// A function of a script and its arguments behind the environ, latin-1 bytes.
#[derive(Clone, Copy, Debug)]
pub enum Question<'a> {
    /// `allow_access(environ, host)`.
    AllowAccess {
        /// The client's name, or its address.
        host: &'a [u8],
    },
    /// `check_password(environ, user, password)`.
    CheckPassword {
        /// Who.
        user: &'a [u8],
        /// With what.
        password: &'a [u8],
    },
    /// `get_realm_hash(environ, user, realm)`.
    RealmHash {
        /// Who.
        user: &'a [u8],
        /// Where.
        realm: &'a [u8],
    },
    /// `groups_for_user(environ, user)`.
    GroupsForUser {
        /// Who.
        user: &'a [u8],
    },
    /// `process_group(environ)`, `application_group(environ)`, `callable_object(environ)`.
    Dispatch,
}

/// What a call came to.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The function returned None.
    Nothing,
    /// It returned False.
    No,
    /// It returned True.
    Yes,
    /// It returned a text: UTF-8 for a user, latin-1 for a hash. Not empty, no NUL.
    Text(Vec<u8>),
    /// The groups of a user, as far as a configuration can name them.
    Names(Vec<Vec<u8>>),
    /// What a dispatch script has chosen, latin-1; `None` where it keeps what is configured.
    Choice {
        /// Instead of WSGIProcessGroup.
        process_group: Option<Vec<u8>>,
        /// Instead of WSGIApplicationGroup.
        application_group: Option<Vec<u8>>,
        /// Instead of WSGICallableObject.
        callable: Option<Vec<u8>>,
    },
    /// It cannot be answered. The reason is logged.
    Failed,
}
