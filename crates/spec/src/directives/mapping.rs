//! Which script answers a request, and in which process and interpreter.

use super::{Context, DirectiveRow, Effect};

/// The words that stand for groups, as they are written.
const GROUP: &str = "NAME | %{GLOBAL} | %{SERVER} | %{HOST} | %{RESOURCE} | %{ENV:NAME}";
const CHECKED: &str = "an unknown %{...} is refused when the configuration is read";

/// `WSGIScriptAlias`.
pub const SCRIPT_ALIAS: DirectiveRow = DirectiveRow {
    name: c"WSGIScriptAlias",
    syntax: "URL-PATH FILE|DIRECTORY",
    context: Context::Servers,
    default: "none",
    help: c"URL-PATH and the absolute path of a WSGI script or of a directory of them, then options",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIScriptAliasMatch`.
pub const SCRIPT_ALIAS_MATCH: DirectiveRow = DirectiveRow {
    name: c"WSGIScriptAliasMatch",
    syntax: "REGEX FILE|DIRECTORY",
    context: Context::Servers,
    default: "none",
    help: c"a regular expression for URL paths and the path of a WSGI script, with $1 and the like, then options",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIHandlerScript`.
pub const HANDLER_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIHandlerScript",
    syntax: "NAME FILE",
    context: Context::Sections,
    default: "none",
    help: c"a name for SetHandler and AddHandler, and the absolute path of the script whose handle_request answers, then options",
    difference: "the names wsgi-script and application/x-httpd-wsgi, which are taken, are refused",
    effect: Effect::Works,
};

/// `WSGIImportScript`.
pub const IMPORT_SCRIPT: DirectiveRow = DirectiveRow {
    name: c"WSGIImportScript",
    syntax: "FILE",
    context: Context::Servers,
    default: "none",
    help: c"the absolute path of a script to load when the workers of a process group start",
    difference: "the process group may be declared behind it; without embedded mode, %{GLOBAL} as process group has no effect",
    effect: Effect::Works,
};

/// `WSGIProcessGroup`.
pub const PROCESS_GROUP: DirectiveRow = DirectiveRow {
    name: c"WSGIProcessGroup",
    syntax: GROUP,
    context: Context::Sections,
    default: "%{GLOBAL}, the web server itself",
    help: c"the process group that serves requests: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    difference: CHECKED,
    effect: Effect::Works,
};

/// `WSGIApplicationGroup`.
pub const APPLICATION_GROUP: DirectiveRow = DirectiveRow {
    name: c"WSGIApplicationGroup",
    syntax: GROUP,
    context: Context::Sections,
    default: "%{RESOURCE}; the main interpreter for the only application of a process group",
    help:
        c"the interpreter in the process: a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}",
    difference: CHECKED,
    effect: Effect::Works,
};

/// `WSGICallableObject`.
pub const CALLABLE_OBJECT: DirectiveRow = DirectiveRow {
    name: c"WSGICallableObject",
    syntax: "NAME | %{ENV:NAME}",
    context: Context::FileInfo,
    default: "application",
    help: c"the name of the application in the WSGI script, or %{ENV:NAME}",
    difference: "what can be no name is refused when the configuration is read",
    effect: Effect::Works,
};

/// `WSGIRestrictProcess`.
pub const RESTRICT_PROCESS: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictProcess",
    syntax: "NAME|%{GLOBAL} ...",
    context: Context::Sections,
    default: "all process groups",
    help: c"the only process groups that may serve requests here",
    difference: "any other %{...} is refused when the configuration is read",
    effect: Effect::Works,
};
