//! The root process that owns listening sockets and worker processes: one thread, no Python, no httpd.
//! A library only so that its parts can be tested; `main.rs` is the program. What a request is, nobody here knows.
#![forbid(unsafe_code)]

pub mod backoff;
pub mod check;
pub mod codes;
pub mod group;
mod inside;
pub mod launch;
pub mod leftovers;
pub mod life;
pub mod log;
pub mod rules;
pub mod sentences;
pub mod server;
pub mod sink;
pub mod sockets;
pub mod startup;
pub mod text;
pub mod throttle;
pub mod trusted;
