//! What the configuration says about Python, in the gateway's words.

use std::sync::Arc;

use gateway::{Config, InterpreterSettings, Preload, ScriptRoot};
use python::Attached;
use spec::interpreter::HashSeed;
use spec::worker::WorkerConfig;
use spec::{Allowed, Root};

use crate::{codes, log, reply, signals};

/// All that the gateway is told when it starts. `run_once`: the process leaves after one request.
pub fn gateway_config(config: &WorkerConfig, run_once: bool) -> Config {
    let (settings, service) = (config.python_settings.clone(), config.threads == 0);
    let of = move |name: &str| {
        let settings = settings.interpreters.of(name.as_bytes());
        InterpreterSettings {
            own_gil: settings.own_gil,
            switch_interval: settings.switch_interval,
            python_path: settings.python_path.clone(),
            restrict_stdin: settings.restrict_stdin,
            restrict_stdout: settings.restrict_stdout,
            // A service script owns the process: its handlers are its business.
            restrict_signal: settings.restrict_signal && !service,
        }
    };
    Config {
        process_group: config.group.clone(),
        processes: config.processes,
        threads: config.threads,
        multiprocess: config.multiprocess,
        multithread: config.threads > 1,
        run_once,
        service,
        python_path: config.python_path.clone(),
        home: config.home.clone(),
        interpreters: Arc::new(of),
        destroy_interpreters: config.python_settings.destroy_interpreters,
        case_sensitive: config.python_settings.case_sensitive,
        script_owner: config.script_owner.map(|owner| match owner {
            spec::ScriptOwner::User(uid) => gateway::ScriptOwner::User(uid),
            spec::ScriptOwner::Group(gid) => gateway::ScriptOwner::Group(gid),
        }),
        httpd_version: config.httpd_version,
        // Where wildcards are, directories have no names to look into.
        roots: config.roots.iter().filter(|root| root.patterns.is_empty()).map(script_root).collect(),
        process_log: |level, text| log::write(reply::process_level(level), text),
    }
}

fn script_root(root: &Root) -> ScriptRoot {
    let application_groups = match &root.application_group {
        Allowed::Any => None,
        Allowed::Only(names) => Some(names.clone()),
    };
    ScriptRoot { path: root.path.as_os_str().as_encoded_bytes().to_vec(), application_groups }
}

/// What to load before requests come.
pub fn preload(config: &WorkerConfig) -> Vec<Preload> {
    let preload = |preload: &spec::Preload| Preload {
        script: preload.script.as_os_str().as_encoded_bytes().to_vec(),
        application_group: preload.application_group.clone(),
    };
    config.preload.iter().map(preload).collect()
}

/// What has to be said in Python before anything else. `python -S` starts without `site`: then the site's own start-up files run
/// only now, after this process is known to be who it should be. Python's handler for SIGINT goes, because ours would pass the
/// signal on to it. A service script ends by SIGTERM as by `sys.exit()`.
/// The variable that carried the seed of hashes here is not for the programs that the application starts.
const PREPARE: &str = "
import faulthandler, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
faulthandler.register(show_threads, file=2, all_threads=True, chain=False)
if service:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())
if forget_seed:
    os.environ.pop('PYTHONHASHSEED', None)
if sys.flags.no_site:
    import site
    site.main()
";

/// Prepares the main interpreter.
pub fn prepare_python<'py>(py: Attached<'py>, config: &WorkerConfig) -> python::Result<'py, ()> {
    let settings = &config.python_settings;
    let globals = python::dict(py)?;
    let forget_seed = python::bool(py, settings.hash_seed != HashSeed::Usual);
    globals.dict_set(&python::str(py, "forget_seed")?, &forget_seed)?;
    globals.dict_set(&python::str(py, "service")?, &python::bool(py, config.threads == 0))?;
    let show_threads = python::int(py, i64::from(signals::SHOW_THREADS))?;
    globals.dict_set(&python::str(py, "show_threads")?, &show_threads)?;
    python::run_source(py, PREPARE, "<wsgi-worker>", &globals)?;
    if settings.free_threading && !is_free_threaded(py)? {
        log::report(
            codes::NOT_FREE_THREADED,
            "WSGIFreeThreading has no effect: this Python always has a GIL.",
        );
    }
    Ok(())
}

/// Whether this is a build of Python that can run without the GIL (PEP 703).
fn is_free_threaded(py: Attached<'_>) -> python::Result<'_, bool> {
    let flags = python::import(py, "sys")?.attr("abiflags")?;
    Ok(flags.as_utf8().is_some_and(|flags| flags.contains('t')))
}
