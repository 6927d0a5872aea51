//! One interpreter as the gateway uses it: the module `mod_wsgi` in it, classes, names and constants made once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use python::{Args, Attached, Class, ClassDef, Error, Interpreter, Kind, Mutex, Object, Result, Stored};

use crate::active;
use crate::config::{Config, InterpreterSettings, MOD_WSGI_VERSION};
use crate::events::Events;
use crate::exchange::Level;
use crate::finder::Finder;
use crate::input::{self, Input};
use crate::log::{self, Log, RequestLog};
use crate::script::Script;
use crate::start_response::{self, Adapter};

// CPython keeps pointers into the descriptions of its classes.
static INPUT: LazyLock<ClassDef<Input>> = LazyLock::new(input::class);
static SEEKABLE_INPUT: LazyLock<ClassDef<Input>> = LazyLock::new(input::seekable_class);
static ADAPTER: LazyLock<ClassDef<Adapter>> = LazyLock::new(start_response::class);
static LOG: LazyLock<ClassDef<Log>> = LazyLock::new(log::class);

/// An application group: an interpreter and what lives in it.
pub(crate) struct Group {
    pub(crate) interpreter: Arc<Interpreter>,
    pub(crate) python: InPython,
    pub(crate) finder: Finder,
    case_sensitive: bool,
    scripts: Mutex<HashMap<Box<[u8]>, Arc<Script>>>,
}

/// References into one interpreter.
pub(crate) struct InPython {
    /// The part of the environ that is the same for all requests; copied for each.
    pub(crate) environ: Stored,
    pub(crate) keys: Keys,
    pub(crate) http: Stored,
    pub(crate) https: Stored,
    pub(crate) file_wrapper: Stored,
    pub(crate) request_timeout: Stored,
    pub(crate) active_requests: Stored,
    pub(crate) events: Events,
    pub(crate) input: Class<Input>,
    pub(crate) seekable_input: Class<Input>,
    pub(crate) adapter: Class<Adapter>,
    pub(crate) log: Class<Log>,
    /// Makes the functions of `mod_ssl` for a call.
    pub(crate) ssl: Stored,
    make_text: Stored,
    finish: Stored,
}

/// Names used for each request.
pub(crate) struct Keys {
    pub(crate) url_scheme: Stored,
    pub(crate) input: Stored,
    pub(crate) errors: Stored,
    pub(crate) request_start: Stored,
    pub(crate) queue_start: Stored,
    pub(crate) daemon_start: Stored,
    pub(crate) application_start: Stored,
    pub(crate) thread_id: Stored,
    pub(crate) callable_object: Stored,
    pub(crate) request_id: Stored,
    pub(crate) script_name: Stored,
    pub(crate) path_info: Stored,
    pub(crate) cgi_script_name: Stored,
    pub(crate) cgi_path_info: Stored,
    pub(crate) start_response: Stored,
    pub(crate) close: Stored,
    pub(crate) buffer: Stored,
}

impl Keys {
    fn new(py: Attached<'_>) -> Result<'_, Self> {
        let key = |name: &str| python::interned(py, name.as_bytes()).map(Object::store);
        Ok(Self {
            url_scheme: key("wsgi.url_scheme")?,
            input: key("wsgi.input")?,
            errors: key("wsgi.errors")?,
            request_start: key("mod_wsgi.request_start")?,
            queue_start: key("mod_wsgi.queue_start")?,
            daemon_start: key("mod_wsgi.daemon_start")?,
            application_start: key("mod_wsgi.application_start")?,
            thread_id: key("mod_wsgi.thread_id")?,
            callable_object: key("mod_wsgi.callable_object")?,
            request_id: key("mod_wsgi.request_id")?,
            script_name: key("mod_wsgi.script_name")?,
            path_info: key("mod_wsgi.path_info")?,
            cgi_script_name: key("SCRIPT_NAME")?,
            cgi_path_info: key("PATH_INFO")?,
            start_response: key("start_response")?,
            close: key("close")?,
            buffer: key("buffer")?,
        })
    }
}

impl Group {
    /// Prepares the interpreter we are attached to.
    pub(crate) fn set_up<'py>(
        py: Attached<'py>,
        interpreter: Arc<Interpreter>,
        name: &str,
        config: &Config,
    ) -> Result<'py, Self> {
        let log = LOG.create(py)?;
        let module = make_module(py, name, config)?;
        let get = |name: &[u8]| -> Result<'py, Object<'py>> {
            let found = module.dict_get(&python::interned(py, name)?)?;
            found.ok_or_else(|| Error::new(py, Kind::SystemError, "the module mod_wsgi is incomplete"))
        };
        configure(py, &get(b"_set_up")?, &log, config, &(config.interpreters)(name))?;
        make_apache_module(py, config)?;
        let file_wrapper = get(b"FileWrapper")?;
        let environ = constant_environ(py, name, config, &file_wrapper)?;
        let python = InPython {
            environ: environ.store(),
            keys: Keys::new(py)?,
            http: python::interned(py, b"http")?.store(),
            https: python::interned(py, b"https")?.store(),
            file_wrapper: file_wrapper.store(),
            request_timeout: get(b"RequestTimeout")?.store(),
            active_requests: get(b"active_requests")?.store(),
            events: Events::new(py, &module)?,
            input: INPUT.create(py)?,
            seekable_input: SEEKABLE_INPUT.create(py)?,
            adapter: ADAPTER.create(py)?,
            ssl: get(b"_ssl")?.store(),
            make_text: get(b"_text")?.store(),
            finish: get(b"_finish")?.store(),
            log,
        };
        let finder = Finder::new(py, config, name)?;
        let case_sensitive = config.case_sensitive;
        Ok(Self { interpreter, python, finder, case_sensitive, scripts: Mutex::default() })
    }

    /// The script with this path: one object for all threads.
    pub(crate) fn script(&self, path: &[u8]) -> Arc<Script> {
        let lower = (!self.case_sensitive).then(|| path.to_ascii_lowercase());
        let key = lower.as_deref().unwrap_or(path);
        let mut scripts = self.scripts.lock();
        if let Some(script) = scripts.get(key) {
            return Arc::clone(script);
        }
        let script = Arc::new(Script::new(path));
        scripts.insert(key.into(), Arc::clone(&script));
        script
    }

    /// A text stream for `wsgi.errors`.
    pub(crate) fn errors<'py>(&self, py: Attached<'py>, log: Arc<RequestLog>) -> Result<'py, Object<'py>> {
        let stream = self.python.log.instance(py, Log::Request(log))?;
        self.python.make_text.get(py).call([&stream])
    }

    /// Whether the interpreter can be ended; with `leave` it is not, and does what belongs to its end now. See `_finish` in
    /// `module.py`.
    pub(crate) fn finish(&self, py: Attached<'_>, leave: bool) -> bool {
        match self.python.finish.get(py).call([&python::bool(py, leave)]) {
            Ok(sure) => sure.is_true(),
            Err(error) => {
                log::raw(py, error.format().as_bytes());
                false
            }
        }
    }
}

fn version<'py>(py: Attached<'py>, (major, minor, patch): (u32, u32, u32)) -> Result<'py, Object<'py>> {
    let number = |value: u32| python::int(py, i64::from(value));
    python::tuple(py, [number(major)?, number(minor)?, number(patch)?])
}

/// Fills `mod_wsgi`, enters it in `sys.modules` and returns its namespace.
fn make_module<'py>(py: Attached<'py>, name: &str, config: &Config) -> Result<'py, Object<'py>> {
    let module = python::new_module(py, "mod_wsgi")?;
    module.set_attr("version", &version(py, MOD_WSGI_VERSION)?)?;
    module.set_attr("process_group", &python::str(py, &config.process_group)?)?;
    module.set_attr("application_group", &python::str(py, name)?)?;
    module.set_attr("maximum_processes", &python::int(py, i64::from(config.processes))?)?;
    module.set_attr("threads_per_process", &python::int(py, i64::from(config.threads))?)?;
    module.set_attr("active_requests", &python::dict(py)?)?;
    module.set_attr("request_data", &python::function(py, "request_data", request_data)?)?;
    module.set_attr("_log", &python::function(py, "_log", log_record)?)?;
    let globals = python::module_dict(&module)?;
    python::run_source(py, include_str!("module.py"), "<mod_wsgi>", &globals)?;
    python::run_source(py, include_str!("hint.py"), "<mod_wsgi hints>", &globals)?;
    enter_module(py, "mod_wsgi", &module)?;
    Ok(globals)
}

fn enter_module<'py>(py: Attached<'py>, name: &str, module: &Object<'py>) -> Result<'py, ()> {
    python::import(py, "sys")?.attr("modules")?.dict_set(&python::str(py, name)?, module)
}

/// The module `apache`, which scripts import to learn what serves them.
fn make_apache_module<'py>(py: Attached<'py>, config: &Config) -> Result<'py, ()> {
    let module = python::new_module(py, "apache")?;
    module.set_attr("version", &version(py, config.httpd_version)?)?;
    module.set_attr("maximum_processes", &python::int(py, i64::from(config.processes))?)?;
    module.set_attr("threads_per_process", &python::int(py, i64::from(config.threads))?)?;
    enter_module(py, "apache", &module)
}

/// Calls `_set_up` of `module.py`.
fn configure<'py>(
    py: Attached<'py>,
    set_up: &Object<'py>,
    log: &Class<Log>,
    config: &Config,
    settings: &InterpreterSettings,
) -> Result<'py, ()> {
    use std::os::unix::ffi::OsStrExt as _;
    let path = |path: &std::path::Path| python::fs_path(py, path.as_os_str().as_bytes());
    let python_path = python::list(py, [])?;
    for directory in settings.python_path.iter().chain(&config.python_path) {
        python_path.list_append(&path(directory)?)?;
    }
    let home = config.home.as_deref().map_or_else(|| Ok(python::none(py)), path)?;
    let interval = settings.switch_interval.map(|interval| python::float(py, interval.as_secs_f64()));
    let flag = |flag| python::bool(py, flag);
    let settings = [
        flag(settings.restrict_stdin),
        flag(settings.restrict_stdout),
        flag(settings.restrict_signal),
        interval.transpose()?.unwrap_or_else(|| python::none(py)),
    ];
    let settings = python::tuple(py, settings)?;
    let stdout = log.instance(py, Log::Process("<stdout>"))?;
    let stderr = log.instance(py, Log::Process("<stderr>"))?;
    set_up.call([&python_path, &home, &settings, &stdout, &stderr]).map(drop)
}

fn constant_environ<'py>(
    py: Attached<'py>,
    name: &str,
    config: &Config,
    file_wrapper: &Object<'py>,
) -> Result<'py, Object<'py>> {
    let environ = python::dict(py)?;
    let set =
        |key: &str, value: Object<'py>| environ.dict_set(&python::interned(py, key.as_bytes())?, &value);
    set("wsgi.version", python::tuple(py, [python::int(py, 1)?, python::int(py, 0)?])?)?;
    set("wsgi.multithread", python::bool(py, config.multithread))?;
    set("wsgi.multiprocess", python::bool(py, config.multiprocess))?;
    set("wsgi.run_once", python::bool(py, config.run_once))?;
    set("wsgi.input_terminated", python::bool(py, true))?;
    set("wsgi.file_wrapper", file_wrapper.clone())?;
    set("apache.version", version(py, config.httpd_version)?)?;
    set("mod_wsgi.version", version(py, MOD_WSGI_VERSION)?)?;
    set("mod_wsgi.process_group", python::str(py, &config.process_group)?)?;
    set("mod_wsgi.application_group", python::str(py, name)?)?;
    Ok(environ)
}

/// `mod_wsgi.request_data()`
fn request_data<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    args.none("request_data")?;
    let data = active::current().and_then(|active| active.data.lock().clone());
    match data {
        Some(data) => Ok(data.get(py)),
        None => Err(Error::new(py, Kind::RuntimeError, "no active request for thread")),
    }
}

/// `_log(level, text)` for `LogHandler`, with the levels of the logging module.
fn log_record<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [level, text] = args.bind("_log", ["level", "text"], 2)?;
    let text = text.and_then(|text| text.to_text()).unwrap_or_default();
    let level = match level.and_then(|level| level.as_i64()).unwrap_or(40) {
        50.. => Level::Critical,
        40.. => Level::Error,
        30.. => Level::Warn,
        20.. => Level::Info,
        _ => Level::Debug,
    };
    match active::current() {
        Some(active) => active.log_lines(py, level, &text),
        None => log::process(py, level, &text),
    }
    Ok(python::none(py))
}
