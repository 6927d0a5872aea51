//! An extension module for the tests: Python scripts drive a gateway whose outside world is in memory.

mod memory;
mod pool;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway::{Config, Gateway, InterpreterSettings, Preload, ScriptRoot};
use python::{Args, Attached, Error, Kind, Object, Result};

use crate::memory::Job;
use crate::pool::Pool;

/// The one gateway of the process and its request threads.
static STATE: Mutex<Option<(Arc<Gateway>, Vec<Pool>)>> = Mutex::new(None);

python::extension_module!(PyInit__gateway_test: "_gateway_test", fill);

fn fill<'py>(py: Attached<'py>, module: &Object<'py>) -> Result<'py, ()> {
    module.set_attr("start", &python::function(py, "start", start)?)?;
    module.set_attr("serve", &python::function(py, "serve", serve)?)?;
    module.set_attr("preload", &python::function(py, "preload", preload)?)?;
    module.set_attr("signal", &python::function(py, "signal", signal)?)?;
    module.set_attr("stop", &python::function(py, "stop", stop)?)?;
    module.set_attr("panics", &python::function(py, "panics", |_, _| panic!("on purpose"))?)
}

fn misuse<'py>(py: Attached<'py>, text: &str) -> Error<'py> {
    Error::new(py, Kind::ValueError, text)
}

/// `start(threads, python_path, home, roots)`: `roots` is a list of pairs of a path and the name of the only application group
/// that may load it, or `*`.
fn start<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [threads, path, home, roots] = args.bind("start", ["threads", "python_path", "home", "roots"], 1)?;
    let threads = threads.and_then(|threads| threads.as_i64()).unwrap_or(1);
    let mut python_path = Vec::new();
    while let Some(entry) = path.as_ref().and_then(|path| path.list_item(python_path.len())) {
        python_path.push(entry.to_text().unwrap_or_default().into());
    }
    let config = Config {
        process_group: "tests".to_owned(),
        processes: 2,
        threads: u32::try_from(threads).unwrap_or(1),
        multiprocess: true,
        multithread: threads != 1,
        run_once: false,
        service: false,
        python_path,
        home: home.and_then(|home| home.as_utf8().map(Into::into)),
        interpreters: Arc::new(settings),
        destroy_interpreters: true,
        case_sensitive: true,
        script_owner: None,
        httpd_version: (2, 4, 57),
        roots: roots
            .map(|roots| memory::pairs(&roots))
            .unwrap_or_default()
            .into_iter()
            .map(script_root)
            .collect(),
        process_log: |_, text| eprintln!("{text}"),
    };
    let gateway = Gateway::start(py, config).map_err(|error| misuse(py, &error.to_string()))?;
    let pools = (1..=threads).map(|id| Pool::start(&gateway, u32::try_from(id).unwrap_or(1))).collect();
    *STATE.lock().unwrap_or_else(PoisonError::into_inner) = Some((gateway, pools));
    Ok(python::none(py))
}

/// The name of an application group says how it is set up.
fn settings(name: &str) -> InterpreterSettings {
    let has = |word| name.split(' ').any(|part| part == word);
    InterpreterSettings {
        own_gil: has("own-gil"),
        switch_interval: has("interval").then_some(Duration::from_millis(20)),
        python_path: if has("path") { vec!["/first".into(), "/second".into()] } else { vec![] },
        restrict_stdin: has("no-stdin"),
        restrict_stdout: has("no-stdout"),
        restrict_signal: !has("signals"),
    }
}

fn script_root((path, group): (Vec<u8>, Vec<u8>)) -> ScriptRoot {
    let group = String::from_utf8_lossy(&group).into_owned();
    ScriptRoot { path, application_groups: (group != "*").then(|| vec![group]) }
}

/// `serve(thread, script, callable, group, environ, body, times, options)`: `environ` is a list of pairs of bytes,
/// `body` a list of the blocks that arrive, `options` a list of pairs of str. Returns
/// (events of the last request, seconds).
fn serve<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let names = ["thread", "script", "callable", "group", "environ", "body", "times", "options"];
    let bound = args.bind("serve", names, 8)?;
    let [
        Some(thread),
        Some(script),
        Some(callable),
        Some(group),
        Some(environ),
        Some(body),
        Some(times),
        Some(options),
    ] = bound
    else {
        return Err(misuse(py, "all arguments are needed"));
    };
    let text = |object: &Object<'py>| object.to_text().unwrap_or_default();
    let job = Job {
        script: text(&script),
        callable: text(&callable),
        group: text(&group),
        environ: memory::pairs(&environ),
        body: memory::blocks(&body),
        times: times.as_i64().unwrap_or(1),
        options: memory::pairs(&options),
    };
    let pool = {
        let state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(thread.as_i64().unwrap_or(1) - 1).unwrap_or(0);
        state.as_ref().and_then(|(_, pools)| pools.get(index).and_then(Pool::entrance))
    };
    let Some(pool) = pool else { return Err(misuse(py, "no such thread")) };
    let done = py.detach(|| pool::run(&pool, job)).ok_or_else(|| misuse(py, "the request thread died"))?;
    let events = python::list(py, [])?;
    for (kind, detail, bytes) in &done.memory.events {
        let detail = python::str(py, detail)?;
        events
            .list_append(&python::tuple(py, [python::str(py, kind)?, detail, python::bytes(py, bytes)?])?)?;
    }
    python::tuple(py, [events, python::float(py, done.seconds)?])
}

/// `preload(scripts)`: pairs of a path and an application group.
fn preload<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [scripts] = args.bind("preload", ["scripts"], 1)?;
    let scripts = scripts.map(|scripts| memory::pairs(&scripts)).unwrap_or_default();
    let group = |group: Vec<u8>| String::from_utf8_lossy(&group).into_owned();
    let scripts =
        scripts.into_iter().map(|(script, name)| Preload { script, application_group: group(name) });
    let scripts: Vec<Preload> = scripts.collect();
    let Some(gateway) = gateway() else { return Err(misuse(py, "not started")) };
    gateway.preload(py, &scripts, 8 << 20, || true);
    Ok(python::none(py))
}

fn gateway() -> Option<Arc<Gateway>> {
    let state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.as_ref().map(|(gateway, _)| Arc::clone(gateway))
}

/// `signal()`: as if the process got SIGHUP.
fn signal<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    args.none("signal")?;
    let Some(gateway) = gateway() else { return Err(misuse(py, "not started")) };
    py.detach(|| gateway.publish_signal("SIGHUP", 1));
    Ok(python::none(py))
}

/// `stop()`: how it ended, in the words of `Stopped`.
fn stop<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    args.none("stop")?;
    let state = STATE.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((gateway, pools)) = state else { return Err(misuse(py, "not started")) };
    py.detach(|| drop(pools));
    let stopped = gateway.stop(py, "the tests are over");
    python::str(py, &format!("{stopped:?}"))
}
