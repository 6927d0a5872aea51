//! The few Unix calls that several of our processes share: descriptors over sockets, message channels, peers, shared counters,
//! and those that start a process as somebody else. Policy (what to send, whom to trust, whom to become) lives with the
//! callers. Unsafe code is in `shared`, `process`, `signals`, `title` and `clock` only.

pub mod channel;
pub mod clock;
pub mod descriptors;
pub mod files;
pub mod futex;
pub mod identity;
pub mod peer;
pub mod process;
pub mod shared;
pub mod signals;
pub mod stream;
pub mod title;
