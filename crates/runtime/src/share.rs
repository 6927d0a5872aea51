//! The process of `shared-imports=`: imports modules once, then forks a worker for each message of the supervisor's, so that all of them
//! share its memory. It runs as the workers' user, loads nothing of a site, and stays as their parent until the last has ended.
//!
//! What it says about its workers the supervisor believes only as far as it concerns them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use python::{Attached, Object};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, PidfdFlags};
use spec::worker::{Fate, descriptor};
use unix::process::Ending;

use crate::{codes, identity, log};

/// What `ps` shows.
const TITLE: &str = "(wsgi: shared imports)";

/// Imports, with what every worker imports, and then sees to it that workers leave it alone, as every page that one writes to is copied:
/// garbage goes at once, and collections pass over the rest.
const IMPORT: &str = r#"
import faulthandler, gc, io, os, signal, sys, threading
for name in names:
    try:
        __import__(name)
    except BaseException as error:
        failed.append("%s: %s: %s" % (name, type(error).__name__, error))
    if len(os.listdir("/proc/self/task")) != 1:
        threads.append(name)
        break
for stream in (sys.stdout, sys.stderr):
    if stream is not None:
        stream.flush()
gc.collect()
gc.freeze()
"#;

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process is a worker that was forked here.
pub fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// A worker, seen from its parent.
struct Forked {
    pid: i32,
    handle: OwnedFd,
}

/// Why there is nothing to fork from.
#[derive(Debug, thiserror::Error)]
enum ShareError {
    #[error("The process for shared-imports= runs as root.")]
    Root,
    #[error("The process for shared-imports= cannot be prepared: {0}.")]
    System(#[from] std::io::Error),
    #[error("Modules of shared-imports= cannot be imported:\n{0}")]
    Python(String),
    #[error(
        "shared-imports=: the module {0} starts a thread when it is imported, and a process with threads cannot be forked."
    )]
    Threads(String),
}

impl From<Errno> for ShareError {
    fn from(error: Errno) -> Self {
        Self::System(error.into())
    }
}

/// Imports `names` and forks workers. Returns in each of them with `None`; in this process with its exit status, when the supervisor has
/// closed the socket and the last worker has ended.
pub fn run<'py>(py: Attached<'py>, names: &Object<'py>) -> Option<i32> {
    let parent = match prepare(py, names) {
        Ok(parent) => parent,
        Err(error) => {
            let code = if matches!(error, ShareError::Threads(_)) {
                codes::SHARED_THREADS
            } else {
                codes::NOT_SHARED
            };
            log::report(code, error);
            return Some(1);
        }
    };
    match parent.serve() {
        Ok(()) => Some(0),
        Err(Left::Forked) => None,
        Err(Left::Failed(error)) => {
            log::report(codes::NOT_SHARED, ShareError::System(error));
            Some(1)
        }
    }
}

struct Parent<'py> {
    control: OwnedFd,
    fork: Object<'py>,
    workers: Vec<Forked>,
}

fn prepare<'py>(py: Attached<'py>, names: &Object<'py>) -> Result<Parent<'py>, ShareError> {
    let control = {
        let low = unix::process::inherited(descriptor::FORKS)?;
        rustix::io::fcntl_dupfd_cloexec(&low, descriptor::END)?
    };
    // Nothing else may ever get the numbers that workers need.
    for number in descriptor::CONFIG..descriptor::END {
        unix::process::place_at(std::io::stdin(), number)?;
    }
    // Which account it should be the supervisor has looked at before Python was executed, and each worker looks again.
    identity::verify(None, true).map_err(|_| ShareError::Root)?;
    unix::title::set(TITLE);
    import(py, names)?;
    let python = |error: python::Error<'py>| ShareError::Python(error.format());
    let fork = python::import(py, "os").and_then(|os| os.attr("fork")).map_err(python)?;
    Ok(Parent { control, fork, workers: Vec::new() })
}

fn import<'py>(py: Attached<'py>, names: &Object<'py>) -> Result<(), ShareError> {
    let run = || {
        let (globals, failed) = (python::dict(py)?, python::list(py, [])?);
        let threads = python::list(py, [])?;
        for (name, value) in [("names", names), ("failed", &failed), ("threads", &threads)] {
            globals.dict_set(&python::str(py, name)?, value)?;
        }
        python::run_source(py, IMPORT, "<wsgi-shared-imports>", &globals)?;
        Ok((failed, threads))
    };
    let (failed, threads) = run().map_err(|error: python::Error<'py>| ShareError::Python(error.format()))?;
    let text = |list: &Object<'py>, index| list.list_item(index).and_then(|item| item.to_text());
    if let Some(module) = text(&threads, 0) {
        return Err(ShareError::Threads(module));
    }
    for failure in (0..).map_while(|index| text(&failed, index)) {
        log::report(codes::NOT_IMPORTED, format_args!("shared-imports=: cannot import {failure}."));
    }
    Ok(())
}

/// Why [`Parent::serve`] ended early.
enum Left {
    /// This is a worker now.
    Forked,
    Failed(std::io::Error),
}

impl From<std::io::Error> for Left {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error)
    }
}

impl Parent<'_> {
    fn serve(mut self) -> Result<(), Left> {
        let mut open = true;
        while open || !self.workers.is_empty() {
            let asked = self.wait(open)?;
            self.reap();
            if asked {
                open = self.take_message()?;
            }
        }
        Ok(())
    }

    /// Sleeps until a worker has ended or, when `open`, the supervisor wants something, which is the answer.
    fn wait(&self, open: bool) -> std::io::Result<bool> {
        let handles = self.workers.iter().map(|worker| worker.handle.as_fd());
        let control = open.then(|| self.control.as_fd());
        let mut all: Vec<_> = control.into_iter().chain(handles).collect();
        let mut all: Vec<PollFd<'_>> =
            all.drain(..).map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
        match poll(&mut all, None) {
            Ok(_) => Ok(open && all.first().is_some_and(|control| !control.revents().is_empty())),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Says how each worker has ended.
    fn reap(&mut self) {
        let control = &self.control;
        self.workers.retain(|worker| {
            let ending = match unix::process::reap(&worker.handle) {
                Ok(None) => return true,
                Ok(Some(ending)) => ending,
                Err(_) => return false,
            };
            let (signal, value, core) = match ending {
                Ending::Exited(status) => (false, status, false),
                Ending::Signalled(signal, core) => (true, signal, core),
            };
            // Exit statuses have eight bits, numbers of signals fewer (wait(2)).
            let fate = Fate { pid: worker.pid, signal, value: value.cast_unsigned().to_le_bytes()[0], core };
            let bytes = fate.to_bytes();
            // A supervisor that does not listen any more does not want to know.
            let part = [std::io::IoSlice::new(&bytes)];
            let _ = unix::descriptors::send(control, &part, &[], SendFlags::DONTWAIT);
            false
        });
    }

    /// Forks for one message; false at the end of the messages.
    fn take_message(&mut self) -> Result<bool, Left> {
        let mut descriptors = Vec::new();
        let received =
            unix::descriptors::receive(&self.control, &mut [0], &mut descriptors, RecvFlags::DONTWAIT);
        match received {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(Errno::AGAIN) => return Ok(true),
            Err(error) => return Err(Left::Failed(error.into())),
        }
        let Ok([log, rest @ ..]) = <[OwnedFd; 5]>::try_from(descriptors) else { return Ok(true) };
        // Whoever waits for the worker hears of a failure because the descriptors are closed.
        let pid = match self.fork.call([]) {
            Ok(pid) => pid.as_i64().and_then(|pid| i32::try_from(pid).ok()),
            Err(error) => {
                log::report(
                    codes::NOT_FORKED,
                    format_args!("A worker could not be forked:\n{}", error.format()),
                );
                return Ok(true);
            }
        };
        if pid == Some(0) {
            become_worker(&log, &rest)?;
            return Err(Left::Forked);
        }
        // It is not reaped yet, so the number is its own.
        let number = pid.and_then(Pid::from_raw);
        if let Some(number) = number {
            let handle =
                rustix::process::pidfd_open(number, PidfdFlags::empty()).map_err(std::io::Error::from)?;
            self.workers.push(Forked { pid: number.as_raw_pid(), handle });
        }
        Ok(true)
    }
}

/// The descriptors of a worker in their places, and a session of its own. What else the parent had is closed when it is dropped.
fn become_worker(log: &OwnedFd, rest: &[OwnedFd; 4]) -> std::io::Result<()> {
    FORKED.store(true, Ordering::Relaxed);
    unix::process::place_at(log, 1)?;
    unix::process::place_at(log, 2)?;
    for (source, number) in rest.iter().zip(descriptor::CONFIG..) {
        unix::process::place_at(source, number)?;
    }
    rustix::process::setsid()?;
    Ok(())
}
