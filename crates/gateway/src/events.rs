//! Events for subscribers of an application (`mod_wsgi.subscribe_events` and its like): what they carry. Calling the subscribers is
//! in `events.py`. Nothing is made or measured for a request unless somebody has subscribed when it begins.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use python::{Args, Attached, Error, Kind, Object, Result, Stored};

use crate::active::{self, Active};
use crate::codes;
use crate::config::Request;
use crate::exchange::Level;
use crate::log;

/// The functions of `events.py` in one interpreter.
pub(crate) struct Events {
    subscribers: Stored,
    publish: Stored,
    started: Stored,
    finished: Stored,
    response: Stored,
    exception: Stored,
}

/// What a request has moved so far.
#[derive(Clone, Copy, Default)]
pub(crate) struct Meter {
    pub(crate) input_reads: u64,
    pub(crate) input_length: u64,
    pub(crate) input_time: Duration,
    pub(crate) output_writes: u64,
    pub(crate) output_time: Duration,
}

/// A value of an event of the process.
#[derive(Clone, Copy)]
pub(crate) enum Fact<'a> {
    Text(&'a str),
    Number(i32),
}

/// A request that subscribers are told about.
pub(crate) struct Told<'py> {
    base: Object<'py>,
    thread_times: Object<'py>,
    begun: Instant,
    /// `application_start`: seconds since the epoch.
    start: f64,
}

impl Events {
    /// Runs `events.py` in the namespace of the module.
    pub(crate) fn new<'py>(py: Attached<'py>, module: &Object<'py>) -> Result<'py, Self> {
        let failed = python::function(py, "_callback_failed", callback_failed)?;
        module.dict_set(&python::str(py, "_callback_failed")?, &failed)?;
        python::run_source(py, include_str!("events.py"), "<mod_wsgi.events>", module)?;
        let get = |name: &str| -> Result<'py, Stored> {
            let found = module.dict_get(&python::str(py, name)?)?;
            let found = found.ok_or_else(|| Error::new(py, Kind::SystemError, "events.py is incomplete"))?;
            Ok(found.store())
        };
        Ok(Self {
            subscribers: get("event_callbacks")?,
            publish: get("_publish")?,
            started: get("_request_started")?,
            finished: get("_request_finished")?,
            response: get("_response_started")?,
            exception: get("_request_exception")?,
        })
    }

    /// Tells subscribers that the process ends, or that it got a signal.
    pub(crate) fn publish_process<'py>(
        &self,
        py: Attached<'py>,
        name: &str,
        facts: &[(&str, Fact<'_>)],
    ) -> Result<'py, ()> {
        let event = python::dict(py)?;
        for (key, fact) in facts {
            let value = match fact {
                Fact::Text(text) => python::str(py, text)?,
                Fact::Number(number) => python::int(py, i64::from(*number))?,
            };
            set(&event, &[(key, value)])?;
        }
        self.publish.get(py).call([&python::str(py, name)?, &event]).map(drop)
    }

    /// Tells subscribers that the application is about to be called. They may put another callable in its place.
    pub(crate) fn request_started<'py>(
        &self,
        py: Attached<'py>,
        active: &Active,
        application: &mut Object<'py>,
        environ: &Object<'py>,
        request: &Request<'_>,
    ) -> Result<'py, Option<Told<'py>>> {
        if self.subscribers.get(py).list_len().unwrap_or(0) == 0 {
            return Ok(None);
        }
        let base = python::dict(py)?;
        for (key, from) in [("request_id", "mod_wsgi.request_id"), ("thread_id", "mod_wsgi.thread_id")] {
            if let Some(value) = environ.dict_get(&python::str(py, from)?)? {
                base.dict_set(&python::str(py, key)?, &value)?;
            }
        }
        let data = active.data.lock().clone();
        if let Some(data) = data {
            set(&base, &[("request_data", data.get(py))])?;
        }
        active.watch(base.clone().store());
        let event = timed(py, &base, request)?;
        let start = now();
        set(
            &event,
            &[
                ("application_start", python::float(py, start)?),
                ("application_object", application.clone()),
                ("callable_object", python::str(py, request.callable)?),
                ("request_environ", environ.clone()),
            ],
        )?;
        let begun = Instant::now();
        let answer = self.started.get(py).call([&event])?;
        let (Some(callable), Some(thread_times)) = (answer.tuple_item(0), answer.tuple_item(1)) else {
            return Ok(None);
        };
        *application = callable;
        Ok(Some(Told { base, thread_times, begun, start }))
    }

    /// Tells subscribers what became of the request.
    pub(crate) fn request_finished<'py>(
        &self,
        py: Attached<'py>,
        active: &Active,
        told: &Told<'py>,
        request: &Request<'_>,
    ) -> Result<'py, ()> {
        let (meter, status, written) = {
            let response = active.response.lock();
            let status = if response.started { response.head.status() } else { 500 };
            (*active.meter.lock(), status, response.written())
        };
        let number = |value: u64| python::int(py, i64::try_from(value).unwrap_or(i64::MAX));
        let seconds = |time: Duration| python::float(py, time.as_secs_f64());
        let event = timed(py, &told.base, request)?;
        set(
            &event,
            &[
                ("input_reads", number(meter.input_reads)?),
                ("input_length", number(meter.input_length)?),
                ("input_time", seconds(meter.input_time)?),
                ("output_length", number(written)?),
                ("output_writes", number(meter.output_writes)?),
                ("output_time", seconds(meter.output_time)?),
                ("application_start", python::float(py, told.start)?),
                ("application_finish", python::float(py, now())?),
                ("application_time", seconds(told.begun.elapsed())?),
                ("status", python::int(py, i64::from(status))?),
            ],
        )?;
        self.finished.get(py).call([&event, &told.thread_times]).map(drop)
    }

    /// Tells subscribers that `start_response` was called, before what it got is checked.
    pub(crate) fn response_started<'py>(
        &self,
        py: Attached<'py>,
        base: &Object<'py>,
        [status, headers, exc_info]: [&Object<'py>; 3],
    ) -> Result<'py, ()> {
        self.response.get(py).call([&base.dict_copy()?, status, headers, exc_info]).map(drop)
    }

    /// Tells subscribers of an exception that nobody caught. What goes wrong then is logged.
    pub(crate) fn request_exception<'py>(&self, py: Attached<'py>, active: &Active, error: &Error<'py>) {
        let Some(base) = active.watched() else { return };
        let tell = || self.exception.get(py).call([&base.get(py).dict_copy()?, error.exception()]).map(drop);
        if let Err(error) = tell() {
            active.report(
                py,
                Level::Error,
                codes::EVENT_CALLBACK,
                "An event subscriber was interrupted:",
                Some(&error),
            );
        }
    }
}

fn set<'py>(event: &Object<'py>, facts: &[(&str, Object<'py>)]) -> Result<'py, ()> {
    facts.iter().try_for_each(|(key, value)| event.dict_set(&python::str(event.py(), key)?, value))
}

/// A copy of the base with the times of the request before the application.
fn timed<'py>(py: Attached<'py>, base: &Object<'py>, request: &Request<'_>) -> Result<'py, Object<'py>> {
    let event = base.dict_copy()?;
    set(
        &event,
        &[
            ("server_pid", python::int(py, i64::from(request.server_pid))?),
            ("request_start", python::float(py, request.request_start)?),
            ("queue_start", python::float(py, request.queue_start)?),
            ("daemon_start", python::float(py, request.daemon_start)?),
        ],
    )?;
    Ok(event)
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// `_callback_failed(name, exception)`
fn callback_failed<'py>(py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [name, exception] = args.bind("_callback_failed", ["name", "exception"], 2)?;
    let name = name.and_then(|name| name.to_text()).unwrap_or_default();
    let error = exception.map(Error::from_exception);
    let facts = format!("A subscriber of the event {name} raised an exception:");
    match active::current() {
        Some(active) => active.report(py, Level::Error, codes::EVENT_CALLBACK, facts, error.as_ref()),
        None => {
            let mut text = codes::EVENT_CALLBACK.line(facts) + "\n";
            text.extend(error.as_ref().map(Error::format));
            log::process(py, Level::Error, &text);
        }
    }
    Ok(python::none(py))
}
