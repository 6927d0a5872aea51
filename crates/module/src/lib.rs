//! `mod_wsgi.so`: directives, routing, and the way of a request to a worker and back. No Python, no worker and no socket is made
//! here: the supervisor owns those.
#![forbid(unsafe_code)]

mod admission;
mod auth;
mod body;
mod check;
mod companions;
mod config;
mod directives;
mod environ;
mod generation;
mod groups;
mod handler;
mod hooks;
mod notes;
mod owner;
mod pool;
mod proxies;
mod refusal;
mod relay;
mod response;
mod routing;
mod supervise;
mod variables;

pub use hooks::{Wsgi, wsgi_module};

/// What `cargo xtask guard` counts instructions of, through `examples/guard`.
#[doc(hidden)]
pub mod counted {
    pub use crate::environ::{Facts, encode};
    pub use crate::proxies::Changes;
}
