//! A request thread: waits, reads a request, has the gateway serve it, and goes on. All threads are alike.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use gateway::{Exchange, Gateway, Level, Served, Watched, WorkerThread};
use spec::worker::Cause;
use wire::{Body, Refusal, RefusalReason, Request, RequestOrder, WireError};

use crate::activity::{Activity, Requests};
use crate::inbox::{Arrival, BadRequest, Inbox};
use crate::link::{LastLook, Link, LinkError};
use crate::pool::{Pool, Wake};
use crate::reply::{Buffers, Reply, refuse};
use crate::scripts::Roots;
use crate::upload::{Stream, Upload};
use crate::wishes::Wishes;
use crate::{call, codes, log};

/// How often a thread looks for the next request of a connection that it has just answered before it goes to sleep.
const TRIES: u32 = 3;
/// How many times in a row such looks may be in vain before a thread goes without them.
const PATIENCE: u32 = 8;
/// Every so many requests, a thread that goes without them looks again: the load may have changed.
const RETRY: u32 = 64;
/// How long a thread stays with one connection before others that may wait get their turn.
const TURN: Duration = Duration::from_millis(5);

/// What all request threads share.
pub struct Shared {
    /// Connections.
    pub pool: Pool,
    /// What request threads ask of the control thread.
    pub wishes: Wishes,
    /// When it last had a request.
    pub activity: Activity,
    /// Requests of this process.
    pub requests: Requests,
    /// Since when it serves.
    pub ready: OnceLock<Instant>,
    /// What may be loaded.
    pub roots: Roots,
    /// Longest silence of a child.
    pub silence: Duration,
}

/// Runs one request thread until the process drains. Says on `ready` that it is about to wait, and does so once the process is ready.
pub fn run(
    shared: &Shared,
    gateway: &Arc<Gateway>,
    (number, watched): (u32, Arc<Watched>),
    ready: &Sender<()>,
) {
    let mut thread = RequestThread {
        shared,
        worker: gateway.worker(number, watched),
        inbox: Inbox::new(),
        buffers: Buffers::default(),
        looks: Looks::default(),
    };
    // The receiver is gone only when starting was given up.
    let _ = ready.send(());
    shared.ready.wait();
    loop {
        // Who has asked to leave takes nothing more, although the others may not know it yet.
        let wake =
            if shared.wishes.leaves().is_some() { shared.pool.wait_for_stop() } else { shared.pool.wait() };
        match wake {
            Wake::Listener => {
                if let Some(link) = shared.pool.accept() {
                    // The child sends its request right after connecting.
                    thread.attend(link, TRIES);
                }
            }
            Wake::Connection(link) => thread.attend(link, 1),
            Wake::Stop => break,
        }
    }
    while let Some(link) = shared.pool.last() {
        thread.attend_last(link);
    }
}

struct RequestThread<'a> {
    shared: &'a Shared,
    worker: WorkerThread,
    inbox: Inbox,
    buffers: Buffers,
    looks: Looks,
}

/// Whether it pays to look for the next request of a connection at once. With one client it comes within microseconds; with many
/// the connections of others are ready instead, and looking only takes time from whoever would send it.
#[derive(Debug, Default)]
struct Looks {
    in_vain: u32,
}

impl Looks {
    /// How often to look now.
    fn due(&mut self) -> u32 {
        if self.in_vain < PATIENCE {
            return TRIES;
        }
        self.in_vain += 1;
        if self.in_vain < PATIENCE + RETRY {
            return 0;
        }
        // One more failure, and it goes without again.
        self.in_vain = PATIENCE - 1;
        TRIES
    }

    /// Takes note of how looking ended.
    fn ended(&mut self, found: bool) {
        self.in_vain = if found { 0 } else { self.in_vain.saturating_add(1) };
    }
}

impl RequestThread<'_> {
    /// Serves a connection as long as requests keep coming, then parks it.
    fn attend(&mut self, mut link: Link, mut tries: u32) {
        let begun = Instant::now();
        let mut first = true;
        while tries > 0 {
            let arrival = self.inbox.read(&link, tries, self.shared.silence);
            let found = !matches!(arrival, Arrival::Nothing);
            if !first {
                self.looks.ended(found);
            }
            if !found {
                break;
            }
            let Some(answered) = self.answer(link, arrival) else { return };
            link = answered;
            first = false;
            let goes_on = begun.elapsed() < TURN && self.shared.wishes.leaves().is_none();
            tries = if goes_on { self.looks.due() } else { 0 };
        }
        if let Some(link) = self.shared.pool.park(link)
            && link.last_look() == LastLook::Request
        {
            self.attend_last(link);
        }
    }

    /// Serves the one request that a connection still holds although the process drains, and closes it.
    fn attend_last(&mut self, link: Link) {
        let arrival = self.inbox.read(&link, 1, self.shared.silence);
        drop(self.answer(link, arrival));
    }

    /// Answers what has arrived. The connection comes back when it can go on.
    #[inline(never)] // `cargo xtask guard` counts its instructions.
    fn answer(&mut self, link: Link, arrival: Arrival) -> Option<Link> {
        match arrival {
            Arrival::Frame => self.serve(link),
            Arrival::Nothing | Arrival::Gone(LinkError::Closed) => None,
            Arrival::Gone(error) => {
                let facts =
                    format_args!("A request was not received completely: {error}. Its connection is closed.");
                log::report(codes::INCOMPLETE, facts);
                None
            }
            Arrival::Malformed(error) => self.refuse_malformed(link, &BadRequest::Wire(error)),
        }
    }

    fn refuse_malformed(&self, link: Link, error: &BadRequest) -> Option<Link> {
        let reason = match error {
            BadRequest::Wire(WireError::Version { .. }) => RefusalReason::Version,
            _ => RefusalReason::Malformed,
        };
        let text = error.to_string();
        // Where the next frame would begin is not known any more: an order that is never complete closes the connection.
        refuse(link, Refusal { reason, text: text.as_bytes() }, RequestOrder::Idle, self.shared.silence)
    }

    fn serve(&mut self, link: Link) -> Option<Link> {
        let taken = match self.inbox.take() {
            Ok(taken) => taken,
            Err(error) => return self.refuse_malformed(link, &error),
        };
        if self.shared.requests.spent() {
            // It came while this process was about to leave.
            let refusal = Refusal { reason: RefusalReason::Reload, text: b"maximum-requests is reached" };
            return refuse(link, refusal, taken.order, self.shared.silence);
        }
        let request = taken.request;
        if request.task.is_call() {
            let (worker, buffers) = (&mut self.worker, &mut self.buffers);
            return call::serve(self.shared, worker, buffers, link, &request, taken.order);
        }
        let (group, callable) = match names(&request, &self.shared.roots) {
            Ok(names) => names,
            Err((reason, text)) => {
                let refusal = Refusal { reason, text: text.as_bytes() };
                return refuse(link, refusal, taken.order, self.shared.silence);
            }
        };
        let upload = match (request.body, taken.file) {
            (Body::File(length), Some(file)) => Upload::File(file, 0, length),
            (Body::Stream(announced), _) => Upload::Stream(Stream::new(announced, taken.surplus)),
            (Body::Inline(bytes), _) => Upload::Inline(bytes.to_vec(), 0),
            // `take` lets no file body through without its file.
            (Body::File(_), None) => return None,
        };
        let body_length = upload.length();
        let buffers = std::mem::take(&mut self.buffers);
        let server_pid = link.peer_pid;
        let mut reply = Reply::new(link, taken.order, upload, self.shared.silence, buffers);
        let _running = self.shared.pool.begin();
        let counts = (!request.flags.ignore_activity).then(|| self.shared.activity.during());
        let mut pairs = request.environ();
        let mut environ = std::iter::from_fn(|| pairs.next());
        let request = gateway::Request {
            environ: &mut environ,
            script: request.script,
            callable,
            application_group: group,
            script_reloading: request.flags.script_reloading,
            https: request.flags.https,
            body_length,
            seekable_input: request.flags.seekable_input,
            server_pid,
            request_start: seconds(request.request_start),
            queue_start: seconds(request.queue_start),
            daemon_start: now(),
        };
        hand_over(&mut self.worker, self.shared, request, &mut reply);
        drop(counts);
        let (link, buffers) = reply.finish();
        self.buffers = buffers;
        self.shared.requests.served(&self.shared.wishes);
        link
    }
}

/// Has the gateway serve it.
fn hand_over(worker: &mut WorkerThread, shared: &Shared, request: gateway::Request<'_>, reply: &mut Reply) {
    let script = request.script;
    match catch_unwind(AssertUnwindSafe(|| worker.serve(request, reply))) {
        Ok(Served::Answered) => {}
        Ok(Served::OutOfDate) => {
            // No connection is taken any more when the child hears of it: its next one is the successor's.
            shared.pool.close();
            shared.wishes.leave(Cause::ScriptReload);
            reply.refuse(RefusalReason::Reload, "the script has changed since this process loaded it");
        }
        // The panic hook has written where it happened.
        Err(_) => {
            let facts = "An internal error of the WSGI worker ended this request.";
            let shown = String::from_utf8_lossy(script);
            reply.log(Level::Critical, &shown, &codes::REQUEST_PANIC.line(facts));
        }
    }
}

/// Names of the application group and the callable, once it is clear that the configuration allows them and the script.
fn names<'a>(request: &Request<'a>, roots: &Roots) -> Result<(&'a str, &'a str), (RefusalReason, String)> {
    roots
        .check(request.script, request.callable, request.application_group)
        .map_err(|error| (RefusalReason::Script, error.to_string()))?;
    let text = |bytes: &'a [u8], what: &str| {
        std::str::from_utf8(bytes)
            .map_err(|_| (RefusalReason::Malformed, format!("the name of the {what} is not UTF-8")))
    };
    Ok((text(request.application_group, "application group")?, text(request.callable, "callable")?))
}

/// Microseconds as Python's `time.time()` has them.
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
