//! The gateway itself: interpreters by name, request threads, and the way of one request through them.

use std::sync::Arc;

use crate::config::{Config, Outcome, Request};
use crate::exchange::Exchange;

/// All interpreters of this process and what they share. Cheap to share between threads in an `Arc`.
pub struct Gateway {
    config: Config,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The main interpreter cannot be set up; the text is a Python traceback of several lines.
    #[error("WSGI0035: Cannot set up the main Python interpreter:\n{0}")]
    Interpreter(String),
}

/// How [`Gateway::stop`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All sub-interpreters are gone: the process may finalise Python.
    Clean,
    /// Some interpreter still has threads that do not end: leave with `_exit`, without finalising Python.
    ThreadsLeft,
}

/// What one native thread needs to serve requests: its Python thread states and caches. Made on the thread that uses
/// it, and dropped there, before [`Gateway::stop`].
pub struct WorkerThread {
    gateway: Arc<Gateway>,
    _here: std::marker::PhantomData<*const ()>,
}

impl Gateway {
    /// Sets up the main interpreter. Call on the main thread, attached to the main interpreter.
    pub fn start(py: python::Attached<'_>, config: Config) -> Result<Arc<Self>, StartError> {
        let _ = py;
        Ok(Arc::new(Self { config }))
    }

    /// Prepares the calling native thread to serve requests. `thread_id` is `mod_wsgi.thread_id`, from 1.
    /// Not attached.
    pub fn worker(self: &Arc<Self>, thread_id: u32) -> WorkerThread {
        let _ = (thread_id, &self.config);
        WorkerThread { gateway: Arc::clone(self), _here: std::marker::PhantomData }
    }

    /// Ends all sub-interpreters (their atexit functions run). Call on the main thread, attached to the main
    /// interpreter, when every [`WorkerThread`] was dropped.
    pub fn stop(&self, py: python::Attached<'_>) -> Stopped {
        let _ = py;
        Stopped::Clean
    }
}

impl WorkerThread {
    /// Serves one request. Called without the GIL; never panics because of the application. The exchange type owns
    /// what it uses (`'static`), because Python objects may try to reach it from other threads; they are cut off
    /// before this returns.
    pub fn serve(&mut self, request: Request<'_>, exchange: &mut (dyn Exchange + 'static)) -> Outcome {
        let _ = (&self.gateway, request);
        exchange.fail(500);
        Outcome::Failed(500)
    }
}
