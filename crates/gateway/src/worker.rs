//! A request thread: its Python thread states, what it keeps between requests, and the way of one request.

mod call;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use python::{Attached, NativeThread, Object, Result, Stored};

use crate::active::{self, Active};
use crate::application::{self, Ending};
use crate::codes;
use crate::config::{Request, Served};
use crate::environ::{self, Kept};
use crate::exchange::{Exchange, Level, WriteError};
use crate::finder::Finder;
use crate::gateway::Gateway;
use crate::group::{Group, InPython};
use crate::input::Input;
use crate::log::{self, RequestLog};
use crate::response::Response;
use crate::script::{Loaded, Script};
use crate::start_response::Adapter;
use crate::watched::Watched;

/// What one native thread needs to serve requests: its Python thread states and caches. Made on the thread that uses
/// it, and dropped there, before [`Gateway::stop`].
pub struct WorkerThread {
    gateway: Arc<Gateway>,
    native: NativeThread,
    thread_id: u32,
    watched: Arc<Watched>,
    caches: HashMap<String, Cache>,
    /// Memory of the last request, for the next one.
    response: Response,
    buffer: Vec<u8>,
}

/// What a thread keeps for one application group. Holds Python references: to be dropped attached.
struct Cache {
    group: Arc<Group>,
    environs: Kept,
    thread_id: Stored,
    errors: Option<Errors>,
    scripts: HashMap<Box<[u8]>, Arc<Script>>,
}

/// `wsgi.errors`, used again when the application did not keep it.
struct Errors {
    stream: Stored,
    log: Arc<RequestLog>,
}

/// How many scripts a thread remembers for each group; more are looked up under the group's lock.
const MAX_KEPT_SCRIPTS: usize = 64;

impl WorkerThread {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        native: NativeThread,
        thread_id: u32,
        watched: Arc<Watched>,
    ) -> Self {
        watched.begin_thread();
        let (response, buffer) = (Response::default(), Vec::new());
        Self { gateway, native, thread_id, watched, caches: HashMap::new(), response, buffer }
    }

    /// Serves one request. Called without the GIL. The exchange type owns what it uses (`'static`), because Python
    /// objects may try to reach it from other threads; they are cut off before this returns.
    pub fn serve(&mut self, mut request: Request<'_>, exchange: &mut (dyn Exchange + 'static)) -> Served {
        let watched = Arc::clone(&self.watched);
        let inside = watched.enter();
        if let Err(text) = self.prepare(request.application_group) {
            let script = String::from_utf8_lossy(request.script);
            text.lines().for_each(|line| exchange.log(Level::Error, &script, line));
            exchange.fail(500);
            return Served::Answered;
        }
        let Some(cache) = self.caches.get_mut(request.application_group) else {
            exchange.fail(500);
            return Served::Answered;
        };
        let script = cache.script(request.script);
        let mut loaded = script.loaded();
        let changed = |loaded: &Arc<Loaded>| script.has_changed(loaded);
        if request.script_reloading && loaded.as_ref().is_some_and(changed) {
            return Served::OutOfDate;
        }
        if loaded.is_none() {
            self.gateway.startup.needs(&script);
        }
        let active = Active::new(script, std::mem::take(&mut self.response));
        let (native, buffer) = (&mut self.native, &mut self.buffer);
        buffer.clear();
        if inside.is_some() {
            watched.works(&cache.group, &active);
        }
        let served = active.exchange.lend(exchange, || {
            let interpreter = Arc::clone(&cache.group.interpreter);
            let ending = native.attach(&interpreter, |py| {
                watched.forget_interrupt(py);
                in_python(py, cache, &active, &mut request, loaded.take(), buffer)
            });
            finish(&active, &ending, buffer)
        });
        self.response = std::mem::take(&mut *active.response.lock());
        served
    }

    /// Makes the interpreter and this thread's cache for it, when they are not there yet.
    fn prepare(&mut self, name: &str) -> std::result::Result<(), String> {
        if self.caches.contains_key(name) {
            return Ok(());
        }
        let group = self.gateway.group(&mut self.native, name)?;
        let interpreter = Arc::clone(&group.interpreter);
        let thread_id = i64::from(self.thread_id);
        let thread_id = self.native.attach(&interpreter, |py| {
            python::int(py, thread_id).map(Object::store).map_err(|error| error.format())
        })?;
        let cache =
            Cache { group, environs: Kept::default(), thread_id, errors: None, scripts: HashMap::new() };
        self.caches.insert(name.to_owned(), cache);
        Ok(())
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        for (_, cache) in self.caches.drain() {
            let interpreter = Arc::clone(&cache.group.interpreter);
            self.native.attach(&interpreter, |_| drop(cache));
        }
    }
}

impl Cache {
    fn script(&mut self, path: &[u8]) -> Arc<Script> {
        if let Some(script) = self.scripts.get(path) {
            return Arc::clone(script);
        }
        let script = self.group.script(path);
        if self.scripts.len() < MAX_KEPT_SCRIPTS {
            self.scripts.insert(path.into(), Arc::clone(&script));
        }
        script
    }

    /// A `wsgi.errors` bound to the request.
    fn errors<'py>(
        &mut self,
        py: Attached<'py>,
        active: &Arc<Active>,
    ) -> Result<'py, (Object<'py>, Arc<RequestLog>)> {
        let (stream, log) = match self.errors.take() {
            Some(kept) => (kept.stream.release(py), kept.log),
            None => {
                let log = Arc::new(RequestLog::default());
                (self.group.errors(py, Arc::clone(&log))?, log)
            }
        };
        log.bind(Arc::clone(active));
        Ok((stream, log))
    }
}

/// The part of a request that holds the GIL.
fn in_python(
    py: Attached<'_>,
    cache: &mut Cache,
    active: &Arc<Active>,
    request: &mut Request<'_>,
    loaded: Option<Arc<Loaded>>,
    buffer: &mut Vec<u8>,
) -> Ending {
    active::set_current(Some(Arc::clone(active)));
    let ending = call(py, cache, active, request, loaded, buffer).unwrap_or_else(|error| {
        let facts = "The request could not be handed to the application:";
        active.report(py, Level::Error, codes::NOT_CALLED, facts, Some(&error));
        Ending::Failed(500)
    });
    log::flush_thread(py, active);
    active::set_current(None);
    active.finish();
    active.unwatch();
    // Not in one expression: dropping the dict may run Python code, and no lock is held then.
    let data = active.data.lock().take();
    drop(data);
    ending
}

fn call<'py>(
    py: Attached<'py>,
    cache: &mut Cache,
    active: &Arc<Active>,
    request: &mut Request<'_>,
    loaded: Option<Arc<Loaded>>,
    buffer: &mut Vec<u8>,
) -> Result<'py, Ending> {
    let group = Arc::clone(&cache.group);
    let known = loaded.is_some();
    let Some(loaded) = loaded.or_else(|| load(py, active, &group.finder)) else {
        return Ok(Ending::Failed(500));
    };
    let Some(mut application) = find_application(py, active, &loaded, &group.finder, request.callable)?
    else {
        return Ok(Ending::Failed(500));
    };
    let python = &group.python;
    let environ = environ::build(py, python, &mut cache.environs, &cache.thread_id, request)?;
    if known
        && request.script_reloading
        && loaded.has_hook()
        && reload_required(py, active, &loaded, &environ.object)
    {
        return Ok(Ending::OutOfDate);
    }
    active.renew_response(environ.is_head);
    let environ = environ.object;
    let id = begin(py, python, active, &environ)?;
    let adapter =
        python.adapter.instance(py, Adapter { active: Arc::clone(active), group: Arc::clone(&group) })?;
    let start_response = adapter.attr_by(&python.keys.start_response.get(py))?;
    let input = input(py, python, active, request)?;
    environ.dict_set(&python.keys.input.get(py), &input)?;
    let (errors, log) = cache.errors(py, active)?;
    environ.dict_set(&python.keys.errors.get(py), &errors)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    environ.dict_set(&python.keys.application_start.get(py), &python::float(py, now)?)?;
    let told = python.events.request_started(py, active, &mut application, &environ, request);
    let ending = match &told {
        Ok(_) => application::run(py, python, active, &application, [&environ, &start_response], buffer),
        // Only what interrupts a request comes through.
        Err(error) => application::failure(py, python, active, error),
    };
    if let Ok(Some(told)) = &told {
        python.events.request_finished(py, active, told, request)?;
    }
    if let Some(id) = &id {
        python.active_requests.get(py).dict_remove(id);
    }
    // Destructors of the application's objects still belong to the request.
    drop(environ);
    log.unbind(py);
    if is_reusable(&errors, python) {
        cache.errors = Some(Errors { stream: errors.store(), log });
    }
    Ok(ending)
}

/// Makes the request's dict for data, and lists it among the running ones. The request's id, where its environ has one.
fn begin<'py>(
    py: Attached<'py>,
    python: &InPython,
    active: &Active,
    environ: &Object<'py>,
) -> Result<'py, Option<Object<'py>>> {
    let data = python::dict(py)?;
    let id = environ.dict_get(&python.keys.request_id.get(py))?;
    if let Some(id) = &id {
        python.active_requests.get(py).dict_set(id, &data)?;
    }
    *active.data.lock() = Some(Arc::new(data.store()));
    Ok(id)
}

/// Its `wsgi.input`.
fn input<'py>(
    py: Attached<'py>,
    python: &InPython,
    active: &Arc<Active>,
    request: &Request<'_>,
) -> Result<'py, Object<'py>> {
    let seekable = request.seekable_input && request.body_length.is_some();
    let class = if seekable { &python.seekable_input } else { &python.input };
    class.instance(py, Input::new(Arc::clone(active), request.body_length))
}

/// Whether the application kept neither the stream nor the binary one below, and did not take them apart.
fn is_reusable(errors: &Object<'_>, python: &InPython) -> bool {
    let buffer = || errors.attr_by(&python.keys.buffer.get(errors.py()));
    // The stream and the handle here refer to the buffer.
    errors.references() == 1 && buffer().is_ok_and(|buffer| buffer.references() == 2)
}

/// Loads the script; `None` when that fails, which is logged. The next request tries again.
fn load(py: Attached<'_>, active: &Active, finder: &Finder) -> Option<Arc<Loaded>> {
    match active.script.load(py, finder) {
        Ok(loaded) => Some(loaded),
        Err(failure) => {
            let (code, facts, error) = failure.report();
            active.report(py, Level::Error, code, facts, error);
            None
        }
    }
}

/// The callable of the script; `None` when there is none, which is logged.
fn find_application<'py>(
    py: Attached<'py>,
    active: &Active,
    loaded: &Arc<Loaded>,
    finder: &Finder,
    name: &str,
) -> Result<'py, Option<Object<'py>>> {
    let callable = loaded.callable(py, name)?;
    if callable.is_none() {
        let facts = format_args!("The script has no callable '{name}'.");
        active.report(py, Level::Error, codes::NO_CALLABLE, facts, None);
        active.script.forget(py, loaded, finder)?;
    }
    Ok(callable)
}

/// What the script's own `reload_required` says about the file the request is for; false when it fails, which is logged.
fn reload_required<'py>(py: Attached<'py>, active: &Active, loaded: &Loaded, environ: &Object<'py>) -> bool {
    let ask = || match environ.dict_get(&python::str(py, "SCRIPT_FILENAME")?)? {
        Some(resource) => loaded.reload_required(&resource),
        None => Ok(false),
    };
    ask().unwrap_or_else(|error| {
        let facts = "reload_required() of the script raised an exception, which counts as False:";
        active.report(py, Level::Error, codes::HOOK_RAISED, facts, Some(&error));
        false
    })
}

/// The last words to the exchange, without the GIL.
fn finish(active: &Active, ending: &Ending, buffer: &[u8]) -> Served {
    let abort = |why: &str| active.exchange.with(|exchange| exchange.abort(why));
    let sent = match ending {
        Ending::LastBlock => active.send(|exchange| exchange.end_with(buffer)),
        Ending::Complete => active.send(|exchange| exchange.end()),
        Ending::Failed(status) => {
            active.exchange.with(|exchange| exchange.fail(*status));
            return Served::Answered;
        }
        Ending::Broken(why) => {
            abort(why);
            return Served::Answered;
        }
        Ending::OutOfDate => return Served::OutOfDate,
        Ending::ClientGone => Err(WriteError::ClientGone),
    };
    if let Err(error) = sent {
        abort(&error.to_string());
    }
    Served::Answered
}
