//! What a configuration amounts to on this machine, as `apache2 -t` tells `wsgictl check`: facts, not judgements.

use serde::{Deserialize, Serialize};

/// The variable of the environment that makes `apache2 -t` print a [`Report`]: one line of JSON behind [`MARK`].
pub const VARIABLE: &str = "WSGI_CHECK_REPORT";
/// Begins the line.
pub const MARK: &str = "wsgi-report:";

/// The effective configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The process groups, in the order of the configuration.
    pub groups: Vec<Group>,
    /// What leads to them: `WSGIScriptAlias` and the like, of all servers, in the order in which they are tried.
    pub leads: Vec<Lead>,
    /// Names of variables that `SetEnv` and `PassEnv` set.
    pub variables: Vec<String>,
    /// Sentences: Apache does not start, or requests fail.
    pub mistakes: Vec<String>,
    /// Sentences worth knowing.
    pub notices: Vec<String>,
}

/// A process group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its definition.
    pub definition: crate::ProcessGroup,
    /// File and line of its `WSGIDaemonProcess`.
    pub place: String,
    /// What its Python says of itself, where it could be run as the group's user.
    pub python: Option<Python>,
}

/// What a Python says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Python {
    /// As `3.11.2`.
    pub version: String,
    /// Its virtual environment, when it has one.
    pub environment: Option<String>,
}

/// What leads URLs to a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The directive, as `WSGIScriptAlias /app`.
    pub directive: String,
    /// `ServerName` of its virtual host; empty for the main server.
    pub server: String,
    /// Script, or a directory of scripts.
    pub target: String,
    /// Whether there may be more than one script.
    pub several: bool,
    /// The process groups it can lead to; one that a request decides as written.
    pub groups: Vec<String>,
    /// Its application group as written, where one is; empty for the main interpreter.
    pub application_group: Option<String>,
}
