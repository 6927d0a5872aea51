//! The few Unix calls that several of our processes share: descriptors over sockets, message channels, peers, shared counters.
//! Policy (what to send, whom to trust) lives with the callers. The only unsafe code is the shared mapping and the futex.

pub mod channel;
pub mod descriptors;
pub mod files;
pub mod futex;
pub mod peer;
pub mod shared;
pub mod stream;
