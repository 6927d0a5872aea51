//! What one reading of the configuration amounts to, made in the parent before the children are forked and read by them.

use std::sync::Mutex;

use httpd::Request;
use spec::Definitions;

use crate::companions::Companions;
use crate::groups::Groups;
use crate::hooks::Wsgi;
use crate::supervise::Deaths;

/// The configuration in force.
#[derive(Debug)]
pub struct Generation {
    /// The process groups.
    pub groups: Groups,
    /// `WSGIRestrictEmbedded`.
    pub restrict_embedded: bool,
    /// `WSGICaseSensitivity`.
    pub case_sensitive: bool,
    /// What the supervisor was told; kept for its successor.
    pub definitions: Definitions,
    /// Where the supervisor's program is.
    pub companions: Companions,
    /// When supervisors of this configuration died. Used by the parent only.
    pub deaths: Mutex<Deaths>,
}

impl Generation {
    /// The configuration that a request is served under; `None` before the parent has made one.
    #[must_use]
    pub fn of<'r>(request: &Request<'r>) -> Option<&'r Self> {
        request.server_config::<Wsgi>().generation()
    }
}
