//! What each directive of `spec`'s table is read by. What it stores is in the files beside this one; which values hold where is
//! `config`'s part.

mod alias;
mod calls;
mod global;
mod group;
mod idle;
mod lists;
mod options;
mod python;
mod scripts;
mod settings;

use std::borrow::Cow;

use httpd::{Allowed, Call, Directive};
use spec::directives::{self as rows, Context, DirectiveRow};

use crate::hooks::Wsgi;

const fn directive(row: &DirectiveRow, call: Call<Wsgi>) -> Directive<Wsgi> {
    let allowed = match row.context {
        Context::MainServer | Context::Interpreters => Allowed::MainServer,
        Context::Servers => Allowed::Servers,
        Context::Sections => Allowed::ServersAndSections,
        Context::FileInfo => Allowed::FileInfo,
        Context::AuthConfig => Allowed::AuthConfig,
    };
    Directive { name: row.name, allowed, call, help: row.help }
}

/// All directives: as many as the table has rows.
pub static DIRECTIVES: [Directive<Wsgi>; rows::TABLE.len()] = [
    directive(&rows::SCRIPT_ALIAS, Call::Raw(alias::prefix)),
    directive(&rows::SCRIPT_ALIAS_MATCH, Call::Raw(alias::pattern)),
    directive(&rows::HANDLER_SCRIPT, Call::Raw(scripts::handler)),
    directive(&rows::IMPORT_SCRIPT, Call::Raw(scripts::import)),
    directive(&rows::PROCESS_GROUP, Call::One(settings::process_group)),
    directive(&rows::APPLICATION_GROUP, Call::One(settings::application_group)),
    directive(&rows::CALLABLE_OBJECT, Call::One(settings::callable_object)),
    directive(&rows::RESTRICT_PROCESS, Call::Raw(lists::restrict_process)),
    directive(&rows::DISPATCH_SCRIPT, Call::Raw(calls::dispatch)),
    directive(&rows::ACCESS_SCRIPT, Call::Raw(calls::access)),
    directive(&rows::AUTH_USER_SCRIPT, Call::Raw(calls::user)),
    directive(&rows::AUTH_GROUP_SCRIPT, Call::Raw(calls::group)),
    directive(&rows::HTACCESS_SCRIPTS, Call::Raw(calls::htaccess_scripts)),
    directive(&rows::DAEMON_PROCESS, Call::Raw(group::daemon_process)),
    directive(&rows::SOCKET_PREFIX, Call::One(global::socket_prefix)),
    directive(&rows::SOCKET_ROTATION, Call::Flag(idle::idle)),
    directive(&rows::ACCEPT_MUTEX, Call::One(idle::accept_mutex)),
    directive(&rows::PYTHON_HOME, Call::One(global::python_home)),
    directive(&rows::RESTRICT_EMBEDDED, Call::Flag(global::restrict_embedded)),
    directive(&rows::PYTHON_OPTIMIZE, Call::One(python::optimize)),
    directive(&rows::PYTHON_WARNINGS, Call::One(python::warnings)),
    directive(&rows::DONT_WRITE_BYTECODE, Call::Flag(python::dont_write_bytecode)),
    directive(&rows::PYTHON_HASH_SEED, Call::One(python::hash_seed)),
    directive(&rows::PYTHON_PATH, Call::Raw(python::top)),
    directive(&rows::PYTHON_EGGS, Call::One(idle::directory)),
    directive(&rows::SWITCH_INTERVAL, Call::Raw(python::top)),
    directive(&rows::DESTROY_INTERPRETER, Call::Flag(python::destroy_interpreter)),
    directive(&rows::PER_INTERPRETER_GIL, Call::Raw(python::top)),
    directive(&rows::FREE_THREADING, Call::Raw(python::top)),
    directive(&rows::INTERPRETER_OPTIONS, Call::Raw(python::section)),
    directive(&rows::RESTRICT_STDIN, Call::Raw(python::top)),
    directive(&rows::RESTRICT_STDOUT, Call::Raw(python::top)),
    directive(&rows::RESTRICT_SIGNAL, Call::Raw(python::top)),
    directive(&rows::CASE_SENSITIVITY, Call::Flag(python::case_sensitivity)),
    directive(&rows::PASS_AUTHORIZATION, Call::Flag(settings::pass_authorization)),
    directive(&rows::SCRIPT_RELOADING, Call::Flag(settings::script_reloading)),
    directive(&rows::ERROR_OVERRIDE, Call::Flag(settings::error_override)),
    directive(&rows::CHUNKED_REQUEST, Call::Flag(settings::chunked_request)),
    directive(&rows::REQUEST_BUFFERING, Call::Flag(settings::request_buffering)),
    directive(&rows::SEEKABLE_INPUT, Call::Flag(settings::seekable_input)),
    directive(&rows::MAP_HEAD_TO_GET, Call::One(settings::map_head_to_get)),
    directive(&rows::IGNORE_ACTIVITY, Call::Flag(settings::ignore_activity)),
    directive(&rows::TRUSTED_PROXY_HEADERS, Call::Raw(lists::trusted_proxy_headers)),
    directive(&rows::TRUSTED_PROXIES, Call::Raw(lists::trusted_proxies)),
    directive(&rows::ENABLE_SENDFILE, Call::Flag(settings::enable_sendfile)),
    directive(&rows::LOCATION_REDIRECT, Call::Flag(settings::location_redirect)),
    directive(&rows::PASS_APACHE_REQUEST, Call::Flag(idle::idle)),
    directive(&rows::VERBOSE_DEBUGGING, Call::Flag(idle::idle)),
    directive(&rows::GROUP_AUTHORITATIVE, Call::Flag(idle::idle)),
    directive(&rows::SERVER_METRICS, Call::Flag(idle::idle)),
    directive(&rows::TELEMETRY_SERVICE, Call::Raw(idle::telemetry_service)),
    directive(&rows::SLOW_REQUESTS, Call::Raw(idle::slow_requests)),
    directive(&rows::TELEMETRY_OPTIONS, Call::Raw(idle::telemetry_options)),
    directive(&rows::LAZY_INITIALIZATION, Call::Raw(idle::removed)),
    directive(&rows::NEW_RELIC_CONFIG_FILE, Call::Raw(idle::removed)),
    directive(&rows::NEW_RELIC_ENVIRONMENT, Call::Raw(idle::removed)),
];

/// A word of the configuration for a sentence.
fn shown(word: &[u8]) -> String {
    word.escape_ascii().to_string()
}

/// The name of a directive, as it is written.
fn name_of(row: &DirectiveRow) -> Cow<'static, str> {
    row.name.to_string_lossy()
}

/// The row of a directive.
fn row_of(name: &str) -> Option<&'static DirectiveRow> {
    rows::TABLE.iter().find(|row| row.name.to_bytes() == name.as_bytes())
}
