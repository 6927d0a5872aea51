//! The process group as a type: options parsed once, definitions and messages shared by module, supervisor, worker and CLI.
//! No I/O: looking up users, files and descriptors is the caller's part.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod chroot;
pub mod control;
pub mod directives;
pub mod group;
pub mod installed;
pub mod interpreter;
pub mod log;
pub mod options;
pub mod owner;
pub mod pattern;
pub mod report;
pub mod worker;

pub use chroot::Chroot;
pub use group::{
    Account, Allowed, Definitions, Preload, ProcessGroup, Purpose, Root, Timeouts, Timers, Transfer,
};
pub use interpreter::PythonSettings;
pub use owner::ScriptOwner;
