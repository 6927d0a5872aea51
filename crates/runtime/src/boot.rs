//! From a fresh Python process to a serving worker, and out again: the order of steps and what each failure is called.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use gateway::{Gateway, StartError, Stopped, Watched};
use python::Attached;
use spec::log::Level;
use spec::worker::{Failure, Report, WorkerConfig, descriptor};

use crate::activity::{Activity, Requests};
use crate::control::{Control, Sight, Status};
use crate::identity::{self, IdentityError};
use crate::life::{Life, Patience};
use crate::pool::Pool;
use crate::scripts::Roots;
use crate::thread::{self, Shared};
use crate::timers::Timers;
use crate::watch::{Watch, Watcher};
use crate::wishes::Wishes;
use crate::{codes, log, settings, signals};

/// The control thread calls little and nothing deep.
const CONTROL_STACK: usize = 256 * 1024;
/// The supervisor writes a few kilobytes.
const MAX_CONFIG: u64 = 16 * 1024 * 1024;

/// Why a worker does not start.
#[derive(Debug, thiserror::Error)]
enum BootError {
    #[error("run() was called before: a process is a worker once.")]
    Again,
    #[error("The worker's descriptor {number} ({what}) is missing: {error}.")]
    Descriptor { number: i32, what: &'static str, error: std::io::Error },
    #[error("The worker cannot read its configuration: {0}.")]
    Config(String),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("Python cannot be prepared for the worker:\n{0}")]
    Python(String),
    #[error(transparent)]
    Gateway(#[from] StartError),
    #[error("The worker cannot start: {what}: {error}.")]
    System { what: &'static str, error: std::io::Error },
}

impl BootError {
    /// Says why in the log. What the gateway says has a code already.
    fn log(&self) {
        let code = match self {
            Self::Again => codes::AGAIN,
            Self::Descriptor { .. } => codes::DESCRIPTOR,
            Self::Config(_) => codes::CONFIG,
            Self::Identity(IdentityError::Root) => codes::ROOT,
            Self::Identity(_) => codes::IDENTITY,
            Self::Python(_) => codes::PYTHON,
            Self::System { .. } => codes::SYSTEM,
            Self::Gateway(error) => return log::write(Level::Error, &error.to_string()),
        };
        log::report(code, self);
    }

    fn failure(&self) -> Failure {
        match self {
            Self::Again | Self::Descriptor { .. } | Self::System { .. } => Failure::System,
            Self::Config(_) => Failure::Config,
            Self::Identity(_) => Failure::Identity,
            Self::Python(_) | Self::Gateway(_) => Failure::Python,
        }
    }
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> BootError {
    move |error| BootError::System { what, error }
}

/// Makes this process a worker until it is told to leave. The result is the exit status.
pub fn run(py: Attached<'_>, config: i32) -> i32 {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    if RUNNING.swap(true, Ordering::AcqRel) {
        BootError::Again.log();
        return 1;
    }
    let open = |number, what| {
        unix::process::inherited(number).map_err(|error| BootError::Descriptor { number, what, error })
    };
    let status = match open(descriptor::STATUS, "reports to the supervisor") {
        Ok(pipe) => Status::new(pipe),
        Err(error) => {
            error.log();
            return 1;
        }
    };
    let serve = || {
        // All of them before anything of the site's runs: no program it starts may inherit one.
        let config = open(config, "configuration")?;
        let listener = open(descriptor::LISTENER, "listening socket")?;
        let lifeline = open(descriptor::LIFELINE, "commands of the supervisor")?;
        serve(py, &read_config(config)?, listener, lifeline, &status)
    };
    match serve() {
        Ok(()) => 0,
        Err(error) => {
            error.log();
            status.report(Report::Failed(error.failure()));
            1
        }
    }
}

fn read_config(descriptor: OwnedFd) -> Result<WorkerConfig, BootError> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::from(descriptor).take(MAX_CONFIG);
    file.read_to_end(&mut bytes).map_err(|error| BootError::Config(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| BootError::Config(error.to_string()))
}

fn serve(
    py: Attached<'_>,
    config: &WorkerConfig,
    listener: OwnedFd,
    lifeline: OwnedFd,
    status: &Status,
) -> Result<(), BootError> {
    prepare(py, config)?;
    let shared = Arc::new(shared(config, listener)?);
    let gateway = Gateway::start(py, settings::gateway_config(config, shared.requests.once()))?;
    let service = config.threads == 0;
    let watched = watched(config);
    let (sight, watcher) = look(config, &gateway, &watched)?;
    let control = Control {
        shared: Arc::clone(&shared),
        signals: signals::handle(service).map_err(system("signal handlers"))?,
        lifeline,
        status: status.share().map_err(system("reports to the supervisor"))?,
        life: Life::new(patience(config)),
        replaced: false,
        service,
        timers: Timers::new(config.timers.clone()),
        sight,
    };
    let name = Builder::new().name("wsgi-control".to_owned()).stack_size(CONTROL_STACK);
    name.spawn(move || control.run()).map_err(system("the control thread"))?;
    signals::tell_subscribers(&gateway, stack_size(config))
        .map_err(system("a thread for signals (see threads= and stack-size=)"))?;
    // The control thread runs already: a script that takes too long cannot keep the process from leaving.
    let go_on = || !shared.pool.is_closed();
    let scripts = settings::preload(config);
    if service {
        // Its script does not come back before the end.
        status.report(Report::Ready);
    }
    gateway.preload(py, &scripts, stack_size(config), go_on);
    py.detach(|| {
        if service {
            if scripts.is_empty() {
                shared.pool.wait_for_stop();
            }
            return Ok(());
        }
        let threads = start_threads(config, &shared, &gateway, watched)?;
        // First said, then done: one that serves and is killed, or finds a changed script, is not one that does not get ready.
        status.report(Report::Ready);
        shared.ready.get_or_init(Instant::now);
        for thread in threads {
            // A thread that panicked has said so; the others go on.
            let _ = thread.join();
        }
        watcher.into_iter().for_each(Watcher::end);
        Ok::<(), BootError>(())
    })?;
    end(gateway.stop(py, shared.wishes.reason().name()));
    Ok(())
}

/// What comes before anything that serves: who this process is, and Python's settings.
fn prepare(py: Attached<'_>, config: &WorkerConfig) -> Result<(), BootError> {
    identity::verify(config.account.as_ref(), config.new_privileges)?;
    unix::title::set(&config.display_name);
    install_panic_hook();
    settings::prepare_python(py, config).map_err(|error| BootError::Python(error.format()))
}

/// Leaves, where Python cannot be finalised or is not to be.
fn end(stopped: Stopped) {
    match stopped {
        Stopped::Clean => {}
        Stopped::NotEnded => unix::process::leave(0),
        Stopped::ThreadsLeft => {
            let facts =
                "Threads of the application are still running; the worker leaves without finalising Python.";
            log::report(codes::THREADS_LEFT, facts);
            unix::process::leave(0);
        }
    }
}

fn stack_size(config: &WorkerConfig) -> usize {
    usize::try_from(config.stack_size).unwrap_or(usize::MAX)
}

fn patience(config: &WorkerConfig) -> Patience {
    Patience {
        shutdown: config.shutdown_timeout,
        graceful: config.graceful_timeout,
        eviction: config.timers.eviction,
    }
}

/// What the request threads share.
fn shared(config: &WorkerConfig, listener: OwnedFd) -> Result<Shared, BootError> {
    let sizes = unix::stream::BufferSizes { send: config.send_buffer, receive: config.receive_buffer };
    Ok(Shared {
        pool: Pool::new(listener, config.peer_uid, sizes).map_err(system("its connections"))?,
        wishes: Wishes::new().map_err(system("a wake-up"))?,
        activity: Activity::new(config.timers.inactivity.is_some()),
        requests: Requests::new(config.timers.maximum_requests, config.threads),
        ready: OnceLock::new(),
        roots: Roots::new(config.roots.clone()),
        silence: config.socket_timeout,
    })
}

/// One for each request thread; they cost something only where requests have a time limit.
fn watched(config: &WorkerConfig) -> Vec<Arc<Watched>> {
    let limited = config.timers.request.is_some();
    let one = || Arc::new(if limited { Watched::enabled() } else { Watched::default() });
    (0..config.threads).map(|_| one()).collect()
}

/// What the control thread sees, and the thread that enters Python for it where a timer needs one.
fn look(
    config: &WorkerConfig,
    gateway: &Arc<Gateway>,
    watched: &[Arc<Watched>],
) -> Result<(Sight, Option<Watcher>), BootError> {
    let limits = &config.timers;
    let watched = if limits.request.is_some() { watched.to_vec() } else { Vec::new() };
    let (watch, watcher) = if limits.request.is_some() || limits.deadlock.is_some() {
        let started = Watch::start(gateway, watched.clone(), limits);
        started.map(|(watch, watcher)| (Some(watch), Some(watcher))).map_err(system("the watching thread"))?
    } else {
        (None, None)
    };
    Ok((Sight { gateway: Arc::clone(gateway), watched, watch }, watcher))
}

/// Starts the request threads and waits until each is about to wait for requests.
fn start_threads(
    config: &WorkerConfig,
    shared: &Arc<Shared>,
    gateway: &Arc<Gateway>,
    watched: Vec<Arc<Watched>>,
) -> Result<Vec<JoinHandle<()>>, BootError> {
    let stack = stack_size(config);
    let (ready, waiting) = mpsc::channel();
    let mut threads = Vec::new();
    for (number, watched) in (1..).zip(watched) {
        let (shared, gateway, ready) = (Arc::clone(shared), Arc::clone(gateway), ready.clone());
        let started = Builder::new()
            .name(format!("wsgi-{number}"))
            .stack_size(stack)
            .spawn(move || thread::run(&shared, &gateway, (number, watched), &ready));
        threads.push(started.map_err(system("a request thread (see threads=, stack-size= and, where set, memory-limit= and virtual-memory-limit=)"))?);
    }
    drop(ready);
    // Ends when each has sent, or when one has ended without.
    waiting.iter().take(threads.len()).for_each(drop);
    Ok(threads)
}

fn install_panic_hook() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
        log::report(codes::PANIC, format_args!("Internal error of the WSGI worker{place}: {text}."));
    }));
}
