//! A request as somebody else sees it than the thread that serves it: since when it runs, where it is, and how it is ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use python::{Attached, Mutex, NativeThread, Result};

use crate::active::Active;
use crate::codes;
use crate::exchange::{Level, WriteError};
use crate::group::Group;

const STACK: &str = include_str!("stack.py");

/// One request thread. Watching costs its requests two short locks and a look at the clock; without it, nothing.
#[derive(Default)]
pub struct Watched {
    enabled: bool,
    ident: AtomicU64,
    request: Mutex<Option<Running>>,
    interrupted: AtomicBool,
}

struct Running {
    since: Instant,
    work: Option<(Arc<Group>, Arc<Active>)>,
}

/// While it lives, the thread serves a request.
pub(crate) struct Inside<'a>(&'a Watched);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let over = self.0.request.lock().take();
        drop(over);
    }
}

impl Watched {
    /// A thread that is watched.
    pub fn enabled() -> Self {
        Self { enabled: true, ..Self::default() }
    }

    /// The calling thread is the one.
    pub(crate) fn begin_thread(&self) {
        self.ident.store(python::thread_ident(), Ordering::Release);
    }

    /// A request begins.
    pub(crate) fn enter(&self) -> Option<Inside<'_>> {
        if !self.enabled {
            return None;
        }
        *self.request.lock() = Some(Running { since: Instant::now(), work: None });
        Some(Inside(self))
    }

    /// This is the request.
    pub(crate) fn works(&self, group: &Arc<Group>, active: &Arc<Active>) {
        if let Some(running) = self.request.lock().as_mut() {
            running.work = Some((Arc::clone(group), Arc::clone(active)));
        }
    }

    /// What was meant for the request before is not for this one.
    pub(crate) fn forget_interrupt(&self, py: Attached<'_>) {
        if self.enabled && self.interrupted.swap(false, Ordering::AcqRel) {
            python::clear_interrupt(py, self.ident());
        }
    }

    fn ident(&self) -> u64 {
        self.ident.load(Ordering::Acquire)
    }

    /// Since when it serves the request it serves now: also the request's name for the other functions here.
    pub fn since(&self) -> Option<Instant> {
        self.request.lock().as_ref().map(|running| running.since)
    }

    fn work(&self, since: Instant) -> Option<(Arc<Group>, Arc<Active>)> {
        let request = self.request.lock();
        request.as_ref().filter(|running| running.since == since)?.work.clone()
    }

    /// The script of the request, for messages.
    pub fn script(&self, since: Instant) -> Option<String> {
        self.work(since).map(|(_, active)| active.script.shown().to_owned())
    }

    /// Raises `mod_wsgi.RequestTimeout` in the request's thread, and logs for the request where that thread is. Waits for the
    /// GIL. False when the request is over or not in Python yet.
    pub fn interrupt(&self, native: &mut NativeThread, since: Instant, after: Duration) -> bool {
        let Some((group, active)) = self.work(since) else { return false };
        native.attach(&group.interpreter, |py| {
            let seconds = after.as_secs();
            let facts = format_args!(
                "The request has been running for longer than request-timeout={seconds}: it is interrupted by RequestTimeout."
            );
            let script = active.script.shown();
            let text = format!("[script {script}] {}", codes::INTERRUPTED.line(facts));
            let stack = self.stack_here(py).unwrap_or_else(|error| error.format());
            py.detach(|| active.exchange.try_with(|exchange| {
                exchange.log(Level::Warn, script, &text);
                exchange.log(Level::Info, script, &format!("Dumping stack trace for thread {}.", self.ident()));
                stack.lines().for_each(|line| exchange.log(Level::Info, script, line));
            }));
            // The GIL was free meanwhile. From here on it is not: a next request cannot begin before this is done, and it
            // begins with `forget_interrupt`.
            if self.since() != Some(since) {
                return false;
            }
            self.interrupted.store(true, Ordering::Release);
            python::interrupt(py, self.ident(), &group.python.request_timeout.get(py))
        })
    }

    /// Answers in place of the request's thread, which does not come back in time: 504 where nothing was sent, else the
    /// response is broken off. Never waits; false when that thread is just sending or receiving.
    pub fn give_up(&self, since: Instant) -> bool {
        let Some((_, active)) = self.work(since) else { return false };
        let done = active.exchange.try_with(|exchange| {
            // What the application does from now on finds nobody to listen.
            active.response.lock().broken = Some(WriteError::ClientGone);
            exchange.give_up(504);
        });
        done.is_some()
    }

    /// Where the request's thread is, line by line from the innermost frame. Waits for the GIL.
    pub fn stack(&self, native: &mut NativeThread, since: Instant) -> Option<String> {
        let (group, _) = self.work(since)?;
        native.attach(&group.interpreter, |py| self.stack_here(py).ok())
    }

    fn stack_here<'py>(&self, py: Attached<'py>) -> Result<'py, String> {
        let globals = python::dict(py)?;
        let ident = python::int(py, self.ident().cast_signed())?;
        globals.dict_set(&python::str(py, "ident")?, &ident)?;
        python::run_source(py, STACK, "<mod_wsgi>", &globals)?;
        let text = globals.dict_get(&python::str(py, "text")?)?;
        Ok(text.and_then(|text| text.to_text()).unwrap_or_default())
    }
}
