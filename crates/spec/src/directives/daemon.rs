//! Process groups: their declaration, their sockets, their Python.

use super::{Context, DirectiveRow, Effect, ON_OFF};

/// `WSGIDaemonProcess`.
pub const DAEMON_PROCESS: DirectiveRow = DirectiveRow {
    name: c"WSGIDaemonProcess",
    syntax: "NAME [option=value ...]",
    context: Context::Servers,
    default: "none",
    help: c"a name for a group of worker processes, then options such as user=NAME processes=N threads=N python-home=DIR",
    difference: "each group has a Python of its own, and nothing of the web server's environment",
    effect: Effect::Works,
};

/// `WSGISocketPrefix`.
pub const SOCKET_PREFIX: DirectiveRow = DirectiveRow {
    name: c"WSGISocketPrefix",
    syntax: "PATH",
    context: Context::MainServer,
    default: "`wsgi` below DefaultRuntimeDir",
    help: c"the path in front of the name of the directory for the workers' sockets",
    difference: "the sockets lie in one directory for each start of the web server, `PATH.PID`",
    effect: Effect::Works,
};

/// `WSGISocketRotation`.
pub const SOCKET_ROTATION: DirectiveRow = DirectiveRow {
    name: c"WSGISocketRotation",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "Off",
    help: c"for compatibility with mod_wsgi, where On gives the sockets new names with each restart",
    difference: "no effect",
    effect: Effect::None(
        "the sockets of a process group keep their names, and are never without a listener, as long as the web server runs",
    ),
};

/// `WSGIAcceptMutex`.
pub const ACCEPT_MUTEX: DirectiveRow = DirectiveRow {
    name: c"WSGIAcceptMutex",
    syntax: "default | flock | fcntl | sysvsem | posixsem | pthread",
    context: Context::MainServer,
    default: "default",
    help: c"for compatibility with mod_wsgi, whose processes of a group take turns with a lock",
    difference: "no effect",
    effect: Effect::None("each worker has a socket of its own, so there is no lock to choose"),
};

/// `WSGIPythonHome`.
pub const PYTHON_HOME: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonHome",
    syntax: "DIRECTORY",
    context: Context::MainServer,
    default: "the machine's own, /usr/local/bin/python3, else /usr/bin/python3",
    help: c"a virtual environment or Python installation for groups without python= and python-home=",
    difference: "a directory without a Python is refused when the configuration is checked, instead of being told in the log",
    effect: Effect::Works,
};

/// `WSGIRestrictEmbedded`.
pub const RESTRICT_EMBEDDED: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictEmbedded",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "Off",
    help: c"On refuses to run applications inside the web server's own processes",
    difference: "there is no embedded mode in this version: requests without a process group are refused with Off too",
    effect: Effect::Works,
};
