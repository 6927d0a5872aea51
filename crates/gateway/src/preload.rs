//! Scripts that are loaded before requests come: WSGIImportScript, and aliases with both groups fixed.

use std::sync::Arc;

use python::{Attached, NativeThread};

use crate::codes;
use crate::config::Preload;
use crate::exchange::Level;
use crate::gateway::Gateway;
use crate::group::Group;
use crate::hint;
use crate::log;

impl Gateway {
    /// Loads the scripts in their order. Call on the main thread, attached to the main interpreter. What fails is logged, and the
    /// next one follows; `go_on` is asked before each.
    ///
    /// Only the main interpreter's run on this thread. To a sub-interpreter it would stay the main thread for ever, although its
    /// thread state there must go before the interpreter can be ended: those get a thread, which takes `stack` bytes.
    pub fn preload(
        self: &Arc<Self>,
        py: Attached<'_>,
        scripts: &[Preload],
        stack: usize,
        go_on: impl Fn() -> bool,
    ) {
        for preload in scripts {
            if !go_on() {
                return;
            }
            match self.ready_group(&preload.application_group) {
                Some(group) if preload.application_group.is_empty() => {
                    if load(py, &group, &preload.script, self.is_service()) == Loaded::Exited {
                        return;
                    }
                }
                _ => py.detach(|| self.preload_apart(preload, stack)),
            }
        }
    }

    fn preload_apart(self: &Arc<Self>, preload: &Preload, stack: usize) {
        let work = || {
            let mut native = NativeThread::new(Arc::clone(self.main()));
            match self.group(&mut native, &preload.application_group) {
                Ok(group) => {
                    let interpreter = Arc::clone(&group.interpreter);
                    native.attach(&interpreter, |py| load(py, &group, &preload.script, self.is_service()));
                }
                Err(text) => log::process_line(Level::Error, &text),
            }
        };
        std::thread::scope(|scope| {
            let builder = std::thread::Builder::new().name("wsgi-preload".to_owned()).stack_size(stack);
            match builder.spawn_scoped(scope, work) {
                // A panic has said so.
                Ok(thread) => drop(thread.join()),
                Err(error) => {
                    let script = String::from_utf8_lossy(&preload.script);
                    let facts = format_args!("There is no thread to load the script with: {error}.");
                    let line = format!("[script {script}] {}", codes::NO_PRELOAD.line(facts));
                    log::process_line(Level::Error, &line);
                }
            }
        });
    }
}

/// How loading a script ended.
#[derive(PartialEq, Eq)]
enum Loaded {
    /// Well, or it is logged why not.
    Done,
    /// A service script has come to its end.
    Exited,
}

fn load(py: Attached<'_>, group: &Group, path: &[u8], service: bool) -> Loaded {
    let script = group.script(path);
    let failed = script.load(py, &group.finder).err();
    log::flush_process(py);
    if let Some(failure) = failed {
        if service && failure.is_exit() {
            return Loaded::Exited;
        }
        let (code, facts, error) = failure.report();
        let mut text = format!("[script {}] {}\n", script.shown(), code.line(facts));
        if let Some(error) = error {
            text.push_str(&error.format());
            text.push_str(&hint::about(error));
        }
        log::process(py, Level::Error, &text);
    }
    Loaded::Done
}
