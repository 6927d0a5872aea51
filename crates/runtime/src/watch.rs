//! The one thread that enters Python on behalf of the control thread: it sees whether the GIL can be had, interrupts late
//! requests, and says where they are. The control thread never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use gateway::{Gateway, Watched};
use python::NativeThread;
use spec::log::Level;

use crate::activity::{instant, stamp};
use crate::log;

/// Enough for the few lines of Python that look at frames.
const STACK: usize = 1024 * 1024;
/// The GIL is asked for so many times within deadlock-timeout.
const VISITS: u32 = 10;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// What the thread can be asked for.
#[derive(Debug, Clone, Copy)]
enum Task {
    /// Raise RequestTimeout in this request.
    Interrupt(usize, Instant),
    /// Log where this request is.
    Show(usize, Instant),
    /// End.
    End,
}

/// The control thread's side.
#[derive(Clone)]
pub struct Watch {
    tasks: Sender<Task>,
    wait: Arc<Wait>,
}

/// Since when the GIL is waited for.
struct Wait {
    start: Instant,
    since: AtomicU64,
}

/// The thread.
pub struct Watcher {
    tasks: Sender<Task>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Ends it and waits for that: Python must not be finalised before. When the GIL cannot be had, the control thread ends
    /// the process.
    pub fn end(self) {
        let _ = self.tasks.send(Task::End);
        let _ = self.thread.join();
    }
}

impl Watch {
    /// Starts the thread, for requests of these threads.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(
        gateway: &Arc<Gateway>,
        watched: Vec<Arc<Watched>>,
        limits: &spec::Timers,
    ) -> std::io::Result<(Self, Watcher)> {
        let (tasks, receiver) = channel();
        let wait = Arc::new(Wait { start: Instant::now(), since: AtomicU64::new(0) });
        let visits = limits.deadlock.map(|limit| (limit / VISITS).clamp(SHORTEST, LONGEST));
        let after = limits.request.unwrap_or_default();
        let (gateway, waits) = (Arc::clone(gateway), Arc::clone(&wait));
        let thread = Builder::new().name("wsgi-watch".to_owned()).stack_size(STACK).spawn(move || {
            let native = gateway.native_thread();
            Inside { gateway: &gateway, native, watched, wait: &waits, after }.run(&receiver, visits);
        })?;
        Ok((Self { tasks: tasks.clone(), wait }, Watcher { tasks, thread }))
    }

    /// Raises RequestTimeout in the request of this thread.
    pub fn interrupt(&self, number: usize, since: Instant) {
        let _ = self.tasks.send(Task::Interrupt(number, since));
    }

    /// Logs where the request of this thread is.
    pub fn show(&self, number: usize, since: Instant) {
        let _ = self.tasks.send(Task::Show(number, since));
    }

    /// Since when the GIL is waited for.
    pub fn waits_since(&self) -> Option<Instant> {
        instant(self.wait.start, self.wait.since.load(Ordering::Relaxed))
    }
}

/// The thread's side.
struct Inside<'a> {
    gateway: &'a Gateway,
    native: NativeThread,
    watched: Vec<Arc<Watched>>,
    wait: &'a Wait,
    after: Duration,
}

impl Inside<'_> {
    fn run(mut self, tasks: &Receiver<Task>, visits: Option<Duration>) {
        loop {
            let task = match visits {
                Some(pause) => tasks.recv_timeout(pause),
                None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match task {
                Ok(Task::End) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Task::Interrupt(number, since)) => self.interrupt(number, since),
                Ok(Task::Show(number, since)) => self.show(number, since),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.visit();
        }
    }

    /// Takes the GIL and gives it back.
    fn visit(&mut self) {
        let since = stamp(self.wait.start, Instant::now());
        self.wait.since.store(since, Ordering::Relaxed);
        self.gateway.visit(&mut self.native);
        self.wait.since.store(0, Ordering::Relaxed);
    }

    fn interrupt(&mut self, number: usize, since: Instant) {
        // The visit says when the GIL does not come.
        self.visit();
        if let Some(watched) = self.watched.get(number) {
            watched.interrupt(&mut self.native, since, self.after);
        }
    }

    fn show(&mut self, number: usize, since: Instant) {
        self.visit();
        let watched = self.watched.get(number);
        let stack = watched.and_then(|watched| watched.stack(&mut self.native, since));
        if let Some(stack) = stack {
            log::write(Level::Error, &stack);
        }
    }
}
