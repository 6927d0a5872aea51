//! Trusted proxies: which peers may say where a request came from, and what becomes of what they say. A pure model; what is
//! configured comes from `directives`, and `environ` carries the changes out.

mod changes;
mod network;
mod registry;

pub use changes::{Changes, Rules, changes};
pub use network::{Network, parse};
pub use registry::{Header, REGISTRY};

#[cfg(test)]
mod tests;
