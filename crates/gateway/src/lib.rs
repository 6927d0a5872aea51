//! PEP 3333 and the `mod_wsgi` Python module. Sockets, frames and threads are not here: a request reaches the
//! outside only through [`Exchange`].
#![forbid(unsafe_code)]

mod config;
mod exchange;
mod gateway;
mod head;

pub use config::{Apache, Config, MOD_WSGI_VERSION, Outcome, Request};
pub use exchange::{BodyError, Exchange, Level, WriteError};
pub use gateway::{Gateway, StartError, Stopped, WorkerThread};
pub use head::ResponseHead;
