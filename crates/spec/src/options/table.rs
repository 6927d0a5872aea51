//! The one table of options, but for those in `life`. Parser, refusals, the reference page and the tests come from it; what a row's function stores is
//! defined in `draft`.

use super::draft::{Apply, Draft};
use super::life;
use super::value::{self, Backlog, Identity, Processes, Refusal, Threads, Timeout, Umask};

/// One option of `WSGIDaemonProcess`.
#[derive(Debug, Clone, Copy)]
pub struct OptionRow {
    /// As written in front of `=`.
    pub name: &'static str,
    /// What is allowed behind `=`.
    pub syntax: &'static str,
    /// What holds without the option.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What mod_wsgi 6 does otherwise; empty when nothing.
    pub difference: &'static str,
    /// Whether it can be written.
    pub state: State,
}

/// Whether an option can be written.
#[derive(Debug, Clone, Copy)]
pub enum State {
    /// It works; this stores the value.
    Works(Apply),
    /// It was mod_wsgi's once; the text says what to write instead.
    Removed(&'static str),
}

/// All options: ours and mod_wsgi's, by subject.
pub fn rows() -> impl Iterator<Item = &'static OptionRow> {
    TABLE.iter().chain(life::TABLE)
}

/// The row of an option.
#[must_use]
pub fn row(name: &str) -> Option<&'static OptionRow> {
    rows().find(|row| row.name == name)
}

/// The names of the options that work, with commas.
pub(super) fn names() -> String {
    let works = rows().filter(|row| matches!(row.state, State::Works(_)));
    works.map(|row| row.name).collect::<Vec<_>>().join(", ")
}

pub(super) const fn works(
    name: &'static str,
    syntax: &'static str,
    default: &'static str,
    meaning: &'static str,
    difference: &'static str,
    apply: Apply,
) -> OptionRow {
    OptionRow { name, syntax, default, meaning, difference, state: State::Works(apply) }
}

const fn removed(name: &'static str, meaning: &'static str, instead: &'static str) -> OptionRow {
    OptionRow { name, syntax: "-", default: "-", meaning, difference: "", state: State::Removed(instead) }
}

/// Stores a value that was read, or says what is wrong with it.
pub(super) fn put<T>(slot: &mut Option<T>, value: Result<T, Refusal>) -> Result<(), Refusal> {
    *slot = Some(value?);
    Ok(())
}

pub(super) const SECONDS: &str = "a whole number of seconds";
pub(super) const STRICT: &str =
    "a number with other characters in it is refused instead of being cut or read as 0";

/// Those that are not about the life of workers.
const TABLE: &[OptionRow] = &[
    works(
        "user",
        "a user name, or # and a uid",
        "the User of the web server",
        "the user that the workers run as",
        "an id without an entry in the user database is allowed with group=; the group database decides the other groups",
        |d: &mut Draft, v| put(&mut d.user, Identity::parse(v)),
    ),
    works(
        "group",
        "a group name, or # and a gid",
        "the Group of the web server",
        "the group that the workers run as",
        "root's group is refused",
        |d, v| put(&mut d.group, Identity::parse(v)),
    ),
    works(
        "supplementary-groups",
        "group names or # and gids with commas; nothing for none",
        "the user's groups in the group database",
        "the other groups of the workers, the complete list",
        "root's group is refused",
        |d, v| put(&mut d.supplementary, Identity::parse_list(v)),
    ),
    works(
        "processes",
        "a whole number from 1 to 4096",
        "1",
        "number of worker processes; once written, wsgi.multiprocess is true, even for 1",
        STRICT,
        |d, v| put(&mut d.processes, Processes::parse(v)),
    ),
    works(
        "threads",
        "a whole number from 0 to 65533",
        "15",
        "request threads of each worker; with 0 the worker serves no requests, and its WSGIImportScript runs on the main thread until the worker is to leave",
        "a service script that ends is started again with a growing pause instead of at once; requests to its group are answered 500",
        |d, v| put(&mut d.threads, Threads::parse(v)),
    ),
    works(
        "python",
        "the absolute path of a Python interpreter",
        "python-home, else WSGIPythonHome, else /usr/local/bin/python3, else /usr/bin/python3",
        "the interpreter that the workers execute, 3.10 or newer",
        "ours; mod_wsgi has one Python for the whole server",
        |d, v| put(&mut d.python, value::absolute(v)),
    ),
    works(
        "python-home",
        "the absolute path of a virtual environment or Python installation",
        "WSGIPythonHome",
        "its bin/python (else bin/python3) is the interpreter",
        "each group may have another Python version",
        |d, v| put(&mut d.python_home, value::absolute(v)),
    ),
    works(
        "python-path",
        "absolute paths with colons between them",
        "none",
        "directories for the front of sys.path; .pth files in them count",
        "relative paths are refused",
        |d, v| put(&mut d.python_path, value::paths(v)),
    ),
    works("python-eggs", "an absolute path", "none", "PYTHON_EGG_CACHE of the workers", "", |d, v| {
        put(&mut d.python_eggs, value::absolute(v))
    }),
    works(
        "env",
        "NAME=VALUE (repeat the option for more)",
        "none",
        "a variable of the workers' environment, which otherwise holds nothing of the web server's",
        "ours; mod_wsgi passes on the environment of the web server",
        Draft::add_variable,
    ),
    works(
        "home",
        "an absolute path",
        "the user's home directory where the user is not the web server's",
        "working directory of the workers, also first on sys.path when written",
        "",
        |d, v| put(&mut d.home, value::absolute(v)),
    ),
    works(
        "umask",
        "an octal number from 0 to 0777",
        "the web server's",
        "file mode creation mask of the workers",
        STRICT,
        |d, v| put(&mut d.umask, Umask::parse(v)),
    ),
    works("lang", "the name of a locale", "not set", "LANG of the workers", "", |d, v| {
        put(&mut d.lang, value::text(v))
    }),
    works("locale", "the name of a locale", "not set", "LC_ALL of the workers", "", |d, v| {
        put(&mut d.locale, value::text(v))
    }),
    works(
        "display-name",
        "a text, or %{GROUP} for (wsgi:NAME)",
        "(wsgi:NAME)",
        "what ps shows for the workers",
        "set without being asked for",
        |d, v| put(&mut d.display_name, value::text(v)),
    ),
    works(
        "new-privs",
        "On or Off",
        "Off",
        "On lets programs that the workers execute gain rights (sudo, setuid files)",
        "ours; always possible in mod_wsgi",
        |d, v| put(&mut d.new_privileges, value::flag(v)),
    ),
    works(
        "listen-backlog",
        "a whole number from 0 to 65535",
        "100",
        "requests of the group that may wait for a free thread; those beyond are answered 503 at once",
        "mod_wsgi has a queue for each worker's socket only, and the request beyond it waits to connect",
        |d, v| put(&mut d.backlog, Backlog::parse(v)),
    ),
    works(
        "socket-user",
        "a user name, or # and a uid",
        "the User of the web server",
        "owner of the sockets, the only user who may connect",
        "root is refused",
        |d, v| put(&mut d.socket_user, Identity::parse(v)),
    ),
    works(
        "connect-timeout",
        SECONDS,
        "15",
        "how long a request tries to reach a worker before it is answered 503",
        STRICT,
        |d, v| put(&mut d.connect, Timeout::parse(v)),
    ),
    works(
        "socket-timeout",
        "a whole number of seconds, 0 for the server's Timeout",
        "0",
        "longest silence between web server and worker within a request, then 504",
        STRICT,
        |d, v| put(&mut d.socket, Timeout::parse(v)),
    ),
    works(
        "queue-timeout",
        "a whole number of seconds, 0 for the time of socket-timeout",
        "0",
        "how long a request may wait for a free thread, then 504",
        "the waiting request is answered at that moment, not when a thread comes free",
        |d, v| put(&mut d.queue, Timeout::parse(v)),
    ),
    works(
        "switch-interval",
        "a number of seconds with decimals, from 0.000001 to 3600",
        "Python's",
        "how long a thread may keep the GIL when others want it, as sys.setswitchinterval",
        STRICT,
        |d, v| put(&mut d.switch_interval, crate::interpreter::values::switch_interval(v)),
    ),
    works(
        "cpu-priority",
        "a whole number from -20 to 19",
        "the web server's",
        "nice value of the workers; 0 leaves it as it is",
        STRICT,
        |d, v| put(&mut d.priority, value::priority(v)),
    ),
    works(
        "stack-size",
        "a whole number of bytes from 262144 to 1073741824",
        "8388608",
        "stack of each request thread",
        "the system's default",
        |d, v| put(&mut d.stack_size, value::stack(v)),
    ),
    works(
        "memory-limit",
        "a whole number of bytes, at least 16777216, or 0 for none",
        "0",
        "RLIMIT_DATA of the workers",
        "a limit that cannot be set stops the worker instead of being logged only",
        |d, v| put(&mut d.memory_limit, value::limit(v)),
    ),
    works(
        "virtual-memory-limit",
        "a whole number of bytes, at least 16777216, or 0 for none",
        "0",
        "RLIMIT_AS of the workers",
        "a limit that cannot be set stops the worker instead of being logged only",
        |d, v| put(&mut d.virtual_memory_limit, value::limit(v)),
    ),
    works(
        "chroot",
        "an absolute path without ..",
        "none",
        "root directory of the workers; needs a server started by root; scripts must be below it; python, python-home, python-path, \
         python-eggs and home are as seen inside, where the file _wsgi_runtime.abi3.so must be at its usual path, too",
        "Python and the runtime are inside, as each worker executes its own Python; the directory must be root's; the worker is in / of it \
         or in its home from the start",
        |d, v| put(&mut d.chroot, value::chroot(v)),
    ),
    works(
        "send-buffer-size",
        "a whole number of bytes, at least 512, or 0 for the system's",
        "0",
        "buffers of the sockets for responses, from worker to web server; the kernel cuts them at net.core.wmem_max",
        "set on each connection: on Linux, what is set on a listening Unix socket has no effect on its connections",
        |d, v| put(&mut d.send_buffer, value::socket_buffer(v)),
    ),
    works(
        "receive-buffer-size",
        "a whole number of bytes, at least 512, or 0 for the system's",
        "0",
        "buffers of the sockets for requests, from web server to worker; the kernel cuts them at net.core.wmem_max",
        "as send-buffer-size",
        |d, v| put(&mut d.receive_buffer, value::socket_buffer(v)),
    ),
    works(
        "header-buffer-size",
        "a whole number of bytes, at least 8192, or 0 for no limit of its own",
        "0",
        "longest response header, name and value together; a longer one is answered 500, with its name and size in the log",
        "the default is 32768; here a whole response head may have 524288 bytes",
        |d, v| put(&mut d.header, value::header_buffer(v)),
    ),
    works(
        "response-buffer-size",
        "a whole number of bytes, at least 65536, or 0 for the default",
        "67108864",
        "bytes of a response that are taken from the application and held for a client that takes them more slowly, in a private \
         file without a name; beyond them the application waits for the client",
        "the default is 8388608, and they are held in memory while the application's thread waits",
        |d, v| put(&mut d.ahead, value::response_buffer(v)),
    ),
    works(
        "response-socket-timeout",
        "a whole number of seconds, 0 for the time of socket-timeout",
        "0",
        "how long a client may take nothing of its response before the connection is closed",
        STRICT,
        |d, v| put(&mut d.client, Timeout::parse(v)),
    ),
    works(
        "response-flush-delay",
        "a whole number of milliseconds from 0 to 60000",
        "0",
        "how long the web server waits for more of a response before it sends what it has",
        "the default is 5",
        |d, v| put(&mut d.flush_delay, value::milliseconds(v)),
    ),
    works(
        "script-user",
        "a user name, or # and a uid",
        "none",
        "owner that scripts and their directories must have, not writable for group and world; else 403",
        "held against the file that a worker opens, too, and against scripts of WSGIImportScript",
        |d, v| put(&mut d.script_user, Identity::parse(v)),
    ),
    works(
        "script-group",
        "a group name, or # and a gid",
        "none",
        "group that scripts and their directories must have, not writable for the world; else 403",
        "as with script-user",
        |d, v| put(&mut d.script_group, Identity::parse(v)),
    ),
    works(
        "server-metrics",
        "On or Off",
        "Off",
        "for compatibility with mod_wsgi, where On lets mod_wsgi.server_metrics() see the web server",
        "no effect, which a line in the log says: this version has no mod_wsgi.server_metrics()",
        |d, v| put(&mut d.server_metrics, value::flag(v)),
    ),
    removed("python-hash-seed", "seed of Python's hashes", "write env=PYTHONHASHSEED=NUMBER"),
    removed("home-directory", "working directory", "write home=DIRECTORY"),
    removed(
        "newrelic-config-file",
        "configuration of New Relic's agent",
        "write env=NEW_RELIC_CONFIG_FILE=FILE and start the agent in the WSGI script",
    ),
    removed(
        "newrelic-environment",
        "environment of New Relic's agent",
        "write env=NEW_RELIC_ENVIRONMENT=NAME and start the agent in the WSGI script",
    ),
];
