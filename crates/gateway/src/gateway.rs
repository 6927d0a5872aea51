//! The gateway itself: interpreters by name, from the start to the end of the process. One request's way is in
//! `worker`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use python::{Attached, Interpreter, Mutex, NativeThread, OwnGil};

use crate::codes;
use crate::config::Config;
use crate::events::Fact;
use crate::exchange::Level;
use crate::group::Group;
use crate::latch::{Claim, Latch};
use crate::log;
use crate::startup::Startup;
use crate::watched::Watched;
use crate::worker::WorkerThread;

/// Most interpreters of one process besides the main one. Each takes some megabytes before it has imported anything.
const MAX_SUB_INTERPRETERS: usize = 100;

/// All interpreters of this process and what they share between threads.
pub struct Gateway {
    config: Config,
    main: Arc<Interpreter>,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    pub(crate) startup: Startup,
}

/// An application group by name: the interpreter may exist or not.
#[derive(Default)]
struct Slot {
    group: Latch<Arc<Group>>,
    /// An interpreter whose set-up failed: the next attempt takes it.
    unfinished: Mutex<Option<Arc<Interpreter>>>,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The main interpreter cannot be set up; the text is a Python traceback of several lines.
    #[error("{}", codes::INTERPRETER.line(format_args!("Cannot set up the main Python interpreter:\n{}", .0)))]
    Interpreter(String),
}

/// How [`Gateway::stop`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All sub-interpreters are gone: the process may finalise Python.
    Clean,
    /// Some interpreter still has threads that do not end: leave with `_exit`, without finalising Python.
    ThreadsLeft,
    /// Interpreters were left as they are, because the configuration says so or because ending one with a GIL of its own can abort
    /// the process: leave with `_exit`.
    NotEnded,
}

impl Gateway {
    /// Sets up the main interpreter. Call on the main thread, attached to the main interpreter, before any site code
    /// runs.
    pub fn start(py: Attached<'_>, config: Config) -> Result<Arc<Self>, StartError> {
        log::set_process_log(config.process_log);
        let main = Interpreter::current(py);
        let group = Group::set_up(py, Arc::clone(&main), "", &config)
            .map_err(|error| StartError::Interpreter(error.format()))?;
        let slot = Arc::new(Slot::default());
        if let Claim::Make(permit) = slot.group.claim() {
            permit.fill(Arc::new(group));
        }
        let slots = Mutex::new(HashMap::from([(String::new(), slot)]));
        Ok(Arc::new(Self { config, main, slots, startup: Startup::default() }))
    }

    /// Prepares the calling native thread to serve requests; not attached. `thread_id` is `mod_wsgi.thread_id`, from
    /// 1 on; `watched` lets others see what it does.
    pub fn worker(self: &Arc<Self>, thread_id: u32, watched: Arc<Watched>) -> WorkerThread {
        WorkerThread::new(Arc::clone(self), self.native_thread(), thread_id, watched)
    }

    /// What the calling native thread needs to enter Python; to be dropped before [`Self::stop`].
    pub fn native_thread(&self) -> NativeThread {
        NativeThread::new(Arc::clone(&self.main))
    }

    /// Enters the main interpreter and leaves it: returns once the GIL could be had.
    pub fn visit(&self, native: &mut NativeThread) {
        native.attach(&self.main, |_| ());
    }

    /// Since when scripts are needed and none could be loaded; `None` before the first attempt and after the first success.
    pub fn loading_since(&self) -> Option<Instant> {
        self.startup.pending()
    }

    /// Ends all sub-interpreters: waits for their non-daemon threads, runs their atexit functions. Call on the main
    /// thread, attached to the main interpreter, when every [`WorkerThread`] was dropped. Nothing can be served
    /// afterwards. When the process may not finalise Python, what belongs to the end of the main interpreter was done here, too,
    /// unless the configuration leaves all interpreters as they are.
    ///
    /// Before all that, subscribers hear of it with `reason` (`shutdown_reason` of `process_stopping`).
    pub fn stop(&self, py: Attached<'_>, reason: &str) -> Stopped {
        py.detach(|| self.publish("process_stopping", &[("shutdown_reason", Fact::Text(reason))]));
        let slots = std::mem::take(&mut *self.slots.lock());
        if !self.config.destroy_interpreters {
            return Stopped::NotEnded;
        }
        let mut stopped = Stopped::Clean;
        let mut main = None;
        for slot in slots.into_values() {
            let (group, unfinished) = (slot.group.take(), slot.unfinished.lock().take());
            if let Some(interpreter) = unfinished {
                interpreter.end(py, |_| !interpreter.has_own_gil());
            }
            let Some(group) = group else { continue };
            if Arc::ptr_eq(&group.interpreter, &self.main) {
                main = Some(group);
                continue;
            }
            let interpreter = Arc::clone(&group.interpreter);
            let leave = interpreter.has_own_gil();
            let ended = interpreter.end(py, |sub| {
                let sure = group.finish(sub, leave);
                drop(group);
                sure
            });
            stopped = match stopped {
                Stopped::Clean if leave => Stopped::NotEnded,
                _ if !leave && !ended => Stopped::ThreadsLeft,
                as_before => as_before,
            };
        }
        if let Some(main) = main {
            main.finish(py, stopped != Stopped::Clean);
        }
        stopped
    }

    /// Tells subscribers of all interpreters that the process got a signal. Not attached.
    pub fn publish_signal(&self, name: &str, number: i32) {
        self.publish("process_signal", &[("signame", Fact::Text(name)), ("signum", Fact::Number(number))]);
    }

    fn publish(&self, event: &str, facts: &[(&str, Fact<'_>)]) {
        let slots: Vec<Arc<Slot>> = self.slots.lock().values().cloned().collect();
        let groups = slots.iter().filter_map(|slot| slot.group.get());
        let mut native = NativeThread::new(Arc::clone(&self.main));
        for group in groups {
            let interpreter = Arc::clone(&group.interpreter);
            native.attach(&interpreter, |py| {
                if let Err(error) = group.python.events.publish_process(py, event, facts) {
                    let facts = "An event subscriber was interrupted:";
                    let text = format!("{}\n{}", codes::EVENT_CALLBACK.line(facts), error.format());
                    log::process(py, Level::Error, &text);
                }
                // What a subscriber printed.
                log::flush_process(py);
                drop(group);
            });
        }
    }

    /// The application group with this name, if it is there already.
    pub(crate) fn ready_group(&self, name: &str) -> Option<Arc<Group>> {
        let slot = self.slots.lock().get(name).cloned()?;
        slot.group.get()
    }

    pub(crate) fn is_service(&self) -> bool {
        self.config.service
    }

    pub(crate) fn main(&self) -> &Arc<Interpreter> {
        &self.main
    }

    /// The application group with this name, made on first use; other threads that want the same one wait, those
    /// that want another do not. The error is text of several lines for the log.
    pub(crate) fn group(&self, native: &mut NativeThread, name: &str) -> Result<Arc<Group>, String> {
        let slot = self.slot(name)?;
        let permit = match slot.group.claim() {
            Claim::Ready(group) => return Ok(group),
            Claim::Make(permit) => permit,
        };
        let unfinished = slot.unfinished.lock().take();
        let Some(interpreter) = unfinished.or_else(|| self.create_interpreter(native, name)) else {
            return Err(unusable(name, "Python cannot make another interpreter."));
        };
        let group = native.attach(&interpreter, |py| {
            Group::set_up(py, Arc::clone(&interpreter), name, &self.config)
                .map_err(|error| unusable(name, &error.format()))
        });
        match group {
            Ok(group) => {
                let group = Arc::new(group);
                permit.fill(Arc::clone(&group));
                Ok(group)
            }
            Err(text) => {
                *slot.unfinished.lock() = Some(interpreter);
                Err(text)
            }
        }
    }

    fn create_interpreter(&self, native: &mut NativeThread, name: &str) -> Option<Arc<Interpreter>> {
        if !(self.config.interpreters)(name).own_gil {
            return native.create_interpreter(None);
        }
        let own_gil = OwnGil::find();
        let shown = name.escape_debug();
        let line = if own_gil.is_some() {
            codes::OWN_GIL
                .line(format_args!("Application group '{shown}' gets an interpreter with its own GIL."))
        } else {
            codes::NO_OWN_GIL.line(format_args!(
                "Application group '{shown}' shares the GIL of the process: WSGIPerInterpreterGIL needs Python 3.12."
            ))
        };
        log::process_line(Level::Warn, &line);
        native.create_interpreter(own_gil)
    }

    /// The place for an interpreter. A name may come from the client (`%{HOST}`): memory must not grow with what it sends.
    fn slot(&self, name: &str) -> Result<Arc<Slot>, String> {
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.get(name) {
            return Ok(Arc::clone(slot));
        }
        if slots.len() > MAX_SUB_INTERPRETERS {
            let name = name.escape_debug();
            return Err(codes::TOO_MANY_GROUPS.line(format_args!(
                "Application group '{name}' gets no Python interpreter: this process has {MAX_SUB_INTERPRETERS} besides the main \
                 one, which is the limit."
            )));
        }
        Ok(Arc::clone(slots.entry(name.to_owned()).or_default()))
    }
}

fn unusable(name: &str, why: &str) -> String {
    let name = name.escape_debug();
    codes::INTERPRETER
        .line(format_args!("Cannot make the Python interpreter of application group '{name}':\n{why}"))
}
