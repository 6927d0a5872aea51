//! PEP 3333 and the `mod_wsgi` Python module. Sockets, frames and threads are not here: a request reaches the
//! outside only through [`Exchange`].
//!
//! | part | holds |
//! |---|---|
//! | `gateway`, `group`, `startup`, `preload` | interpreters, from the start to the end of the process |
//! | `script`, `finder`, `latch` | scripts as modules: loading, loading again, pickle |
//! | `worker`, `active`, `watched` | one request, and how others see it |
//! | `environ`, `input`, `application`, `start_response`, `head`, `response` | the two sides of PEP 3333 |
//! | `log`, `hint`, `codes`, `events` | what an application writes, and what is said about it |
#![forbid(unsafe_code)]

mod active;
mod application;
mod codes;
mod config;
mod environ;
mod events;
mod exchange;
mod finder;
mod gateway;
mod group;
mod head;
mod hint;
mod input;
mod latch;
mod log;
mod preload;
mod response;
mod script;
mod start_response;
mod startup;
mod watched;
mod worker;

pub use codes::Code;
pub use config::{
    Answer, Call, Config, InterpreterSettings, MOD_WSGI_VERSION, Preload, Question, Request, ScriptOwner,
    ScriptRoot, Served, SettingsOf,
};
pub use exchange::{BodyError, Exchange, Level, WriteError};
pub use gateway::{Gateway, StartError, Stopped};
pub use head::ResponseHead;
pub use watched::Watched;
pub use worker::WorkerThread;
