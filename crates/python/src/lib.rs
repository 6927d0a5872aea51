//! Safe CPython with sub-interpreters, over the stable ABI of 3.10: interpreters, thread states, attaching, objects
//! branded by attachment, classes and functions written in Rust. Nothing here knows WSGI.

mod attach;

pub use attach::Attached;
