//! The one table of directives: name, place, arguments, help. What each stores is in the files beside this one; which values hold
//! where is `config`'s part.

mod alias;
mod global;
mod group;
mod settings;

use httpd::{Allowed, Call, Directive};

use crate::hooks::Wsgi;

const ALIAS_OPTIONS: &str =
    "process-group=NAME, application-group=NAME, callable-object=NAME, pass-authorization=On|Off";

const fn directive(
    name: &'static std::ffi::CStr,
    allowed: Allowed,
    call: Call<Wsgi>,
    help: &'static std::ffi::CStr,
) -> Directive<Wsgi> {
    Directive { name, allowed, call, help }
}

/// All directives.
pub static DIRECTIVES: [Directive<Wsgi>; 12] = [
    directive(
        c"WSGIScriptAlias",
        Allowed::Servers,
        Call::Raw(alias::prefix),
        c"URL-PATH and the absolute path of a WSGI script or of a directory of them, then options",
    ),
    directive(
        c"WSGIScriptAliasMatch",
        Allowed::Servers,
        Call::Raw(alias::pattern),
        c"a regular expression for URL paths and the path of a WSGI script, with $1 and the like, then options",
    ),
    directive(
        c"WSGIDaemonProcess",
        Allowed::Servers,
        Call::Raw(group::daemon_process),
        c"a name for a group of worker processes, then options such as user=NAME processes=N threads=N python-home=DIR",
    ),
    directive(
        c"WSGISocketPrefix",
        Allowed::MainServer,
        Call::One(global::socket_prefix),
        c"the path in front of the name of the directory for the workers' sockets",
    ),
    directive(
        c"WSGIPythonHome",
        Allowed::MainServer,
        Call::One(global::python_home),
        c"a virtual environment or Python installation for groups without python= and python-home=",
    ),
    directive(
        c"WSGIRestrictEmbedded",
        Allowed::MainServer,
        Call::Flag(global::restrict_embedded),
        c"On refuses to run applications inside the web server's own processes",
    ),
    directive(
        c"WSGIProcessGroup",
        Allowed::ServersAndSections,
        Call::One(settings::process_group),
        c"the process group that serves requests: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    ),
    directive(
        c"WSGIApplicationGroup",
        Allowed::ServersAndSections,
        Call::One(settings::application_group),
        c"the interpreter in the process: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    ),
    directive(
        c"WSGICallableObject",
        Allowed::FileInfo,
        Call::One(settings::callable_object),
        c"the name of the application in the WSGI script, or %{ENV:NAME}",
    ),
    directive(
        c"WSGIPassAuthorization",
        Allowed::FileInfo,
        Call::Flag(settings::pass_authorization),
        c"On passes the Authorization header to the application",
    ),
    directive(
        c"WSGIChunkedRequest",
        Allowed::FileInfo,
        Call::Flag(settings::chunked_request),
        c"On accepts request bodies without a Content-Length",
    ),
    directive(
        c"WSGIRequestBuffering",
        Allowed::FileInfo,
        Call::Flag(settings::request_buffering),
        c"Off hands a request to a worker before its body has arrived",
    ),
];

/// A word of the configuration for a sentence.
fn shown(word: &[u8]) -> String {
    word.escape_ascii().to_string()
}
