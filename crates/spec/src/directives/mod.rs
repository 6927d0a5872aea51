//! The one table of directives: name, arguments, place, default, meaning, and what mod_wsgi does otherwise. The module's directives
//! and the reference page come from it; what each does with its arguments is the module's part.

use std::ffi::CStr;

/// One directive.
#[derive(Debug, Clone, Copy)]
pub struct DirectiveRow {
    /// As written in the configuration.
    pub name: &'static CStr,
    /// Its arguments.
    pub syntax: &'static str,
    /// Where it may stand.
    pub context: Context,
    /// What holds without it.
    pub default: &'static str,
    /// What it does, in a line; httpd prints it with usage errors.
    pub help: &'static CStr,
    /// What mod_wsgi 6 does otherwise; empty when nothing.
    pub difference: &'static str,
}

/// Where a directive may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// In the main server only, outside of all sections.
    MainServer,
    /// In the main server and in virtual hosts, outside of sections of directories.
    Servers,
    /// As `Servers`, and in sections of directories, locations and files.
    Sections,
    /// As `Sections`, and in `.htaccess` where `AllowOverride FileInfo` holds.
    FileInfo,
}

impl Context {
    /// In words, for the reference page.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::MainServer => "server config",
            Self::Servers => "server config, virtual host",
            Self::Sections => "server config, virtual host, directory",
            Self::FileInfo => "server config, virtual host, directory, .htaccess (AllowOverride FileInfo)",
        }
    }
}

/// The words that stand for groups, as they are written.
const GROUP: &str = "NAME | %{GLOBAL} | %{SERVER} | %{HOST} | %{RESOURCE} | %{ENV:NAME}";
const CHECKED: &str = "an unknown %{...} is refused when the configuration is read";

/// `WSGIScriptAlias`.
pub const SCRIPT_ALIAS: DirectiveRow = DirectiveRow {
    name: c"WSGIScriptAlias",
    syntax: "URL-PATH FILE|DIRECTORY [process-group=NAME] [application-group=NAME] [callable-object=NAME] [pass-authorization=On|Off]",
    context: Context::Servers,
    default: "none",
    help: c"URL-PATH and the absolute path of a WSGI script or of a directory of them, then options",
    difference: "",
};

/// `WSGIScriptAliasMatch`.
pub const SCRIPT_ALIAS_MATCH: DirectiveRow = DirectiveRow {
    name: c"WSGIScriptAliasMatch",
    syntax: "REGEX FILE|DIRECTORY [process-group=NAME] [application-group=NAME] [callable-object=NAME] [pass-authorization=On|Off]",
    context: Context::Servers,
    default: "none",
    help: c"a regular expression for URL paths and the path of a WSGI script, with $1 and the like, then options",
    difference: "",
};

/// `WSGIDaemonProcess`.
pub const DAEMON_PROCESS: DirectiveRow = DirectiveRow {
    name: c"WSGIDaemonProcess",
    syntax: "NAME [option=value ...]",
    context: Context::Servers,
    default: "none",
    help: c"a name for a group of worker processes, then options such as user=NAME processes=N threads=N python-home=DIR",
    difference: "each group has a Python of its own, and nothing of the web server's environment",
};

/// `WSGISocketPrefix`.
pub const SOCKET_PREFIX: DirectiveRow = DirectiveRow {
    name: c"WSGISocketPrefix",
    syntax: "PATH",
    context: Context::MainServer,
    default: "`wsgi` below DefaultRuntimeDir",
    help: c"the path in front of the name of the directory for the workers' sockets",
    difference: "the sockets lie in one directory for each start of the web server, `PATH.PID`",
};

/// `WSGIPythonHome`.
pub const PYTHON_HOME: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonHome",
    syntax: "DIRECTORY",
    context: Context::MainServer,
    default: "the machine's own, /usr/local/bin/python3, else /usr/bin/python3",
    help: c"a virtual environment or Python installation for groups without python= and python-home=",
    difference: "a directory without a Python is refused when the configuration is checked, instead of being told in the log",
};

/// `WSGIRestrictEmbedded`.
pub const RESTRICT_EMBEDDED: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictEmbedded",
    syntax: "On | Off",
    context: Context::MainServer,
    default: "Off",
    help: c"On refuses to run applications inside the web server's own processes",
    difference: "there is no embedded mode in this version: requests without a process group are refused with Off too",
};

/// `WSGIProcessGroup`.
pub const PROCESS_GROUP: DirectiveRow = DirectiveRow {
    name: c"WSGIProcessGroup",
    syntax: GROUP,
    context: Context::Sections,
    default: "%{GLOBAL}, the web server itself",
    help: c"the process group that serves requests: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    difference: CHECKED,
};

/// `WSGIApplicationGroup`.
pub const APPLICATION_GROUP: DirectiveRow = DirectiveRow {
    name: c"WSGIApplicationGroup",
    syntax: GROUP,
    context: Context::Sections,
    default: "%{RESOURCE}",
    help:
        c"the interpreter in the process: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    difference: CHECKED,
};

/// `WSGICallableObject`.
pub const CALLABLE_OBJECT: DirectiveRow = DirectiveRow {
    name: c"WSGICallableObject",
    syntax: "NAME | %{ENV:NAME}",
    context: Context::FileInfo,
    default: "application",
    help: c"the name of the application in the WSGI script, or %{ENV:NAME}",
    difference: "what can be no name is refused when the configuration is read",
};

/// `WSGIPassAuthorization`.
pub const PASS_AUTHORIZATION: DirectiveRow = DirectiveRow {
    name: c"WSGIPassAuthorization",
    syntax: "On | Off",
    context: Context::FileInfo,
    default: "Off",
    help: c"On passes the Authorization header to the application",
    difference: "",
};

/// `WSGIChunkedRequest`.
pub const CHUNKED_REQUEST: DirectiveRow = DirectiveRow {
    name: c"WSGIChunkedRequest",
    syntax: "On | Off",
    context: Context::FileInfo,
    default: "Off",
    help: c"On accepts request bodies without a Content-Length",
    difference: "",
};

/// `WSGIRequestBuffering`.
pub const REQUEST_BUFFERING: DirectiveRow = DirectiveRow {
    name: c"WSGIRequestBuffering",
    syntax: "On | Off",
    context: Context::FileInfo,
    default: "On",
    help: c"Off hands a request to a worker before its body has arrived",
    difference: "ours; mod_wsgi always hands over at once, so a slow client holds a thread",
};

/// All directives, by subject.
pub const TABLE: &[DirectiveRow] = &[
    SCRIPT_ALIAS,
    SCRIPT_ALIAS_MATCH,
    DAEMON_PROCESS,
    SOCKET_PREFIX,
    PYTHON_HOME,
    RESTRICT_EMBEDDED,
    PROCESS_GROUP,
    APPLICATION_GROUP,
    CALLABLE_OBJECT,
    PASS_AUTHORIZATION,
    CHUNKED_REQUEST,
    REQUEST_BUFFERING,
];
