//! Trusted proxies: which peers may say where a request came from. What is configured is read here; `directives` stores it.

mod network;

pub use network::{Network, parse};
