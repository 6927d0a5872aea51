//! `_wsgi_runtime`: the extension module that makes a site's Python a worker. Boot, connections, request threads and drain
//! are here; PEP 3333 is in `gateway`, the bytes on the connection are in `wire`.
//!
//! | part | holds |
//! |---|---|
//! | `boot`, `identity`, `settings` | from a fresh process to a serving worker |
//! | `control`, `life`, `signals`, `wishes` | when to leave, and that it happens in time |
//! | `timers`, `activity`, `watch` | when a worker is replaced, and late requests are ended |
//! | `pool`, `thread` | who serves which connection |
//! | `link`, `inbox`, `upload`, `reply`, `scripts` | one request |
#![forbid(unsafe_code)]

mod activity;
mod boot;
mod call;
mod codes;
mod control;
mod identity;
mod inbox;
mod life;
mod link;
mod log;
mod pool;
mod reply;
mod scripts;
mod settings;
mod signals;
mod thread;
mod timers;
mod upload;
mod watch;
mod wishes;

use python::{Args, Attached, Object};

python::extension_module!(PyInit__wsgi_runtime: "_wsgi_runtime", fill);

fn fill<'py>(py: Attached<'py>, module: &Object<'py>) -> python::Result<'py, ()> {
    module.set_attr("run", &python::function(py, "run", run)?)
}

/// `run(config)`: see [`boot::run`].
fn run<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> python::Result<'py, Object<'py>> {
    let [config] = args.bind("run", ["config"], 1)?;
    let number = config.and_then(|config| config.as_i64()).and_then(|number| i32::try_from(number).ok());
    let Some(number) = number else {
        return Err(python::Error::new(py, python::Kind::TypeError, "run() wants a descriptor number"));
    };
    python::int(py, i64::from(boot::run(py, number)))
}
