//! Whether the process has ever loaded a script, and since when it tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use python::Mutex;

use crate::script::Script;

/// More scripts than that are not looked at; a process that loads none of so many has other troubles.
const MOST: usize = 64;

/// From the first attempt to the first success.
#[derive(Default)]
pub(crate) struct Startup {
    over: AtomicBool,
    attempts: Mutex<Option<(Instant, Vec<Arc<Script>>)>>,
}

impl Startup {
    /// A request needs this script, which is not loaded.
    pub(crate) fn needs(&self, script: &Arc<Script>) {
        if self.over.load(Ordering::Relaxed) {
            return;
        }
        let mut attempts = self.attempts.lock();
        let (_, scripts) = attempts.get_or_insert_with(|| (Instant::now(), Vec::new()));
        if scripts.len() < MOST && !scripts.iter().any(|known| Arc::ptr_eq(known, script)) {
            scripts.push(Arc::clone(script));
        }
    }

    /// Since when no script could be loaded; `None` before the first attempt and for ever after the first success.
    pub(crate) fn pending(&self) -> Option<Instant> {
        if self.over.load(Ordering::Relaxed) {
            return None;
        }
        let mut attempts = self.attempts.lock();
        let (since, scripts) = attempts.as_ref()?;
        if !scripts.iter().any(|script| script.is_loaded()) {
            return Some(*since);
        }
        self.over.store(true, Ordering::Relaxed);
        // The group that serves them keeps the scripts.
        let done = attempts.take();
        drop(attempts);
        drop(done);
        None
    }
}
