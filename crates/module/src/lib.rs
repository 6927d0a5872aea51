//! `mod_wsgi.so`: directives, routing, and the way of a request to a worker and back. No Python, no worker and no socket is made
//! here: the supervisor owns those.
#![deny(unsafe_code)]

pub mod admission;
pub mod body;
pub mod check;
pub mod companions;
pub mod config;
pub mod directives;
pub mod environ;
pub mod generation;
pub mod groups;
pub mod handler;
pub mod hooks;
pub mod pool;
pub mod refusal;
pub mod relay;
pub mod response;
pub mod routing;
pub mod supervise;

pub use hooks::Wsgi;
