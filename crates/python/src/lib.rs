//! Safe CPython with sub-interpreters, over the stable ABI of 3.10: interpreters, thread states, attaching, objects
//! branded by attachment, classes and functions written in Rust. Nothing here knows WSGI.

mod args;
mod attach;
mod build;
mod class;
mod container;
mod error;
mod extension;
mod fd;
mod interpreter;
mod interrupt;
mod loan;
mod object;
mod own_gil;
mod sync;
mod thread;
mod trampoline;

pub use args::Args;
pub use attach::Attached;
pub use build::{
    BytesBuffer, bool, bytes, dict, float, fs_path, int, interned, latin1, list, none, str, tuple,
};
pub use class::{Class, ClassDef};
pub use error::{Error, Kind, Result};
pub use extension::{
    exec_module, function, import, initialise_extension, module_dict, new_module, run_source,
};
pub use fd::descriptor_of;
pub use interpreter::Interpreter;
pub use interrupt::{clear_interrupt, interrupt, thread_ident};
pub use loan::Loan;
pub use object::{Object, Stored};
pub use own_gil::OwnGil;
pub use sync::{Condvar, Mutex, MutexGuard};
pub use thread::NativeThread;
