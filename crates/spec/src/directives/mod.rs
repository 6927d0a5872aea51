//! The one table of directives: name, arguments, place, default, meaning, and what mod_wsgi does otherwise. The module's directives
//! and the reference page come from it; what each does with its arguments is the module's part.

mod access;
mod daemon;
mod mapping;
pub mod options;
mod other;
mod python;
mod request;

use std::ffi::CStr;

pub use access::*;
pub use daemon::*;
pub use mapping::*;
pub use options::{Key, ScriptOption};
pub use other::*;
pub use python::*;
pub use request::*;

/// One directive.
#[derive(Debug, Clone, Copy)]
pub struct DirectiveRow {
    /// As written in the configuration.
    pub name: &'static CStr,
    /// Its arguments; options come behind them ([`DirectiveRow::options`]).
    pub syntax: &'static str,
    /// Where it may stand.
    pub context: Context,
    /// What holds without it.
    pub default: &'static str,
    /// What it does, in a line; httpd prints it with usage errors.
    pub help: &'static CStr,
    /// What mod_wsgi 6 does otherwise; empty when nothing.
    pub difference: &'static str,
    /// Whether it does anything.
    pub effect: Effect,
}

/// Whether a directive does anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what its help says.
    Works,
    /// It is read for compatibility; why it has no effect, for a line in the log.
    None(&'static str),
    /// It is about telemetry, which this version does not send.
    Telemetry,
    /// mod_wsgi has it no more; what to do instead.
    Removed(&'static str),
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
    /// In sections of directories, locations and files, and in `.htaccess` where `AllowOverride AuthConfig` holds.
    AuthConfig,
    /// As `MainServer`, and in `<WSGIInterpreterOptions>`.
    Interpreters,
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
            Self::AuthConfig => "directory, .htaccess (AllowOverride AuthConfig)",
            Self::Interpreters => "server config, <WSGIInterpreterOptions>",
        }
    }
}

const ON_OFF: &str = "On | Off";

/// All directives, by subject.
pub const TABLE: &[DirectiveRow] = &[
    SCRIPT_ALIAS,
    SCRIPT_ALIAS_MATCH,
    HANDLER_SCRIPT,
    IMPORT_SCRIPT,
    PROCESS_GROUP,
    APPLICATION_GROUP,
    CALLABLE_OBJECT,
    RESTRICT_PROCESS,
    DISPATCH_SCRIPT,
    ACCESS_SCRIPT,
    AUTH_USER_SCRIPT,
    AUTH_GROUP_SCRIPT,
    HTACCESS_SCRIPTS,
    DAEMON_PROCESS,
    SOCKET_PREFIX,
    SOCKET_ROTATION,
    ACCEPT_MUTEX,
    PYTHON_HOME,
    RESTRICT_EMBEDDED,
    PYTHON_OPTIMIZE,
    PYTHON_WARNINGS,
    DONT_WRITE_BYTECODE,
    PYTHON_HASH_SEED,
    PYTHON_PATH,
    PYTHON_EGGS,
    SWITCH_INTERVAL,
    DESTROY_INTERPRETER,
    PER_INTERPRETER_GIL,
    FREE_THREADING,
    INTERPRETER_OPTIONS,
    RESTRICT_STDIN,
    RESTRICT_STDOUT,
    RESTRICT_SIGNAL,
    CASE_SENSITIVITY,
    PASS_AUTHORIZATION,
    SCRIPT_RELOADING,
    ERROR_OVERRIDE,
    CHUNKED_REQUEST,
    REQUEST_BUFFERING,
    SEEKABLE_INPUT,
    MAP_HEAD_TO_GET,
    IGNORE_ACTIVITY,
    TRUSTED_PROXY_HEADERS,
    TRUSTED_PROXIES,
    ENABLE_SENDFILE,
    LOCATION_REDIRECT,
    PASS_APACHE_REQUEST,
    VERBOSE_DEBUGGING,
    GROUP_AUTHORITATIVE,
    SERVER_METRICS,
    TELEMETRY_SERVICE,
    SLOW_REQUESTS,
    TELEMETRY_OPTIONS,
    LAZY_INITIALIZATION,
    NEW_RELIC_CONFIG_FILE,
    NEW_RELIC_ENVIRONMENT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_complete_and_names_are_given_once() {
        for row in TABLE {
            let (name, help) = (row.name.to_str().unwrap(), row.help.to_str().unwrap());
            assert_eq!(TABLE.iter().filter(|other| other.name == row.name).count(), 1, "{name}");
            assert!(name.trim_start_matches('<').starts_with("WSGI"), "{name}");
            assert!(!row.usage().is_empty() && !row.default.is_empty() && !help.is_empty(), "{name}");
            assert!(!help.ends_with('.') && !row.difference.ends_with('.'), "{name}: no full stop");
        }
    }
}
