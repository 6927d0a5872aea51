//! The handler's second half: one request through the stages of the relay, and what an error becomes for client and log.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::OnceLock;

use httpd::{Answer, Body as Announced, Request};
use wire::Body;

use super::apache::{Apache, httpd_level};
use super::begin;
use super::client::Client;
use super::deliver::{Outgoing, deliver};
use super::exchange::{Ended, Terms};
use super::failure::{Failure, Stage, sentence};
use super::inbox::Inbox;
use crate::admission::{Group, Ledger, Limits, Refused, Reservation, Row};
use crate::body::{self, GatherError, Gathered};
use crate::environ;
use crate::groups::{GroupHandle, Groups, RequestPlan};
use crate::pool::Pool;
use crate::response::Rules;

/// What an httpd child has for all of its requests. Made with the first one: a child that serves none pays nothing.
pub(super) struct ChildState {
    pub(super) row: Row,
    pub(super) pool: Pool,
    pub(super) spool: PathBuf,
}

static CHILD: OnceLock<ChildState> = OnceLock::new();

/// Buffers of a thread, kept from request to request.
#[derive(Debug, Default)]
struct Buffers {
    frame: Vec<u8>,
    body: Vec<u8>,
    inbox: Inbox,
}

/// A buffer above this is not kept for the next request, in bytes.
const KEPT: usize = 256 * 1024;

thread_local! {
    static BUFFERS: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

/// A request that failed: why, where, and at which worker of its group (from 0).
struct Broken {
    failure: Failure,
    stage: Stage,
    worker: Option<usize>,
}

/// Answers a request with what a worker of the plan's group makes of it.
pub fn serve(request: &mut Request<'_>, plan: &RequestPlan<'_>) -> Answer {
    // A filter may run a sub-request that comes here again on this thread: it finds no buffers and makes its own.
    let mut buffers = BUFFERS.take().unwrap_or_default();
    let result = relay(request, plan, &mut buffers);
    if buffers.body.capacity() > KEPT {
        buffers.body = Vec::new();
    }
    if buffers.frame.capacity() <= KEPT {
        BUFFERS.set(Some(buffers));
    }
    match result {
        Ok(Ended::Response) => Answer::Ok,
        Ok(Ended::Status(status)) => Answer::Status(status),
        Ok(Ended::Redirect(path)) => {
            request.redirect_internally(&path);
            Answer::Ok
        }
        // The order of frames has no answer to a request that is no call.
        Ok(Ended::Answer(_)) => Answer::Status(502),
        Err(broken) => conclude(request, plan, &broken),
    }
}

fn relay(request: &mut Request<'_>, plan: &RequestPlan<'_>, buffers: &mut Buffers) -> Result<Ended, Broken> {
    let child = child(plan.groups);
    let arriving = |failure| Broken { failure, stage: Stage::Arriving, worker: None };
    let has_body = Announced::is_announced(request);
    let length = announced_length(request);
    let way = if has_body { way(request, plan, length) } else { Way::Gathered };
    let mut client = Apache::new(request, plan);
    buffers.body.clear();
    let room = match way {
        Way::Gathered | Way::Streamed => None,
        Way::StreamedWhereRoom => reserve_with_room(plan, child.row).map_err(arriving)?,
        Way::StreamedIfFast => fast(&mut client, plan, child, &mut buffers.body).map_err(arriving)?,
    };
    let streamed = room.is_some() || way == Way::Streamed;
    let gathered = if has_body && !streamed {
        gather(&mut client, length, child, &mut buffers.body).map_err(arriving)?
    } else {
        Gathered::InMemory
    };
    let body = match &gathered {
        // With a filter in between, the length that the client has announced is not the body's.
        _ if streamed => Body::Stream(length.filter(|_| !client.request().has_content_input_filter())),
        Gathered::InMemory => Body::Inline(&buffers.body),
        Gathered::InFile(_, length) => Body::File(*length),
    };
    buffers.frame.clear();
    environ::write_frame(client.request(), plan, body, &mut buffers.frame)
        .map_err(|error| arriving(Failure::RequestTooLarge(error)))?;
    let file = match &gathered {
        Gathered::InFile(file, _) => Some(file.as_fd()),
        Gathered::InMemory => None,
    };
    let begun: Option<&[u8]> = streamed.then_some(&buffers.body);
    let outgoing =
        Outgoing { frame: &buffers.frame, file, terms: terms(client.request(), plan, begun, child) };
    let reservation = match room {
        Some(reservation) => reservation,
        None => reserve(plan.groups, plan.group, child.row).map_err(arriving)?,
    };
    let slot = reservation.slot();
    let lane = child.pool.lane(plan.group, slot);
    let delivered = deliver(&mut client, &mut buffers.inbox, &lane, &outgoing, || drop(reservation));
    if streamed && matches!(delivered, Ok(Ended::Redirect(_))) {
        // The request that takes over has no body, so httpd would take what the application has not read for the next request.
        client.request().connection().close_after_response();
    }
    delivered.map_err(|(failure, stage)| {
        let worker = Some(slot.saturating_sub(plan.group.first_slot));
        Broken { failure, stage, worker }
    })
}

/// `begun`: what is here of a body that is streamed.
fn terms<'a>(
    request: &Request<'_>,
    plan: &RequestPlan<'_>,
    begun: Option<&'a [u8]>,
    child: &'a ChildState,
) -> Terms<'a> {
    let definition = &plan.group.definition;
    let transfer = &definition.transfer;
    Terms {
        streamed: begun.is_some(),
        begun: begun.unwrap_or_default(),
        call: false,
        // A content filter gets the body even for HEAD, to make the same headers as for GET; httpd drops it behind them.
        head_only: request.header_only() && !request.has_content_filter(),
        silence: definition.timeouts.socket,
        rules: Rules {
            error_override: plan.response.error_override,
            location_redirect: plan.response.location_redirect,
            longest_header: transfer.header,
        },
        flush_delay: transfer.flush_delay,
        ahead: transfer.ahead,
        spool: &child.spool,
    }
}

/// What this child has for all of its requests.
pub(super) fn child(groups: &Groups) -> &'static ChildState {
    CHILD.get_or_init(|| ChildState {
        row: ledger(groups).claim(std::process::id()),
        pool: Pool::new(groups.slots()),
        spool: std::env::temp_dir(),
    })
}

fn ledger(groups: &Groups) -> Ledger<'_> {
    Ledger::new(groups.cells(), groups.children_limit(), groups.slots())
}

/// A thread of a worker of the group.
pub(super) fn reserve<'a>(
    groups: &'a Groups,
    handle: &GroupHandle,
    row: Row,
) -> Result<Reservation<'a>, Failure> {
    let definition = &handle.definition;
    let patience = definition.timeouts.queue.unwrap_or(definition.timeouts.socket);
    ledger(groups).reserve(row, &group(handle), patience).map_err(|refused| match refused {
        Refused::QueueFull => Failure::QueueFull(definition.listen_backlog),
        Refused::TimedOut => Failure::QueueTimeout(patience),
    })
}

fn group(handle: &GroupHandle) -> Group {
    let limits = limits(&handle.definition);
    Group { first_slot: handle.first_slot, slots: handle.slots(), limits }
}

/// When the body of a request goes to the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Once all of it is here, or it has none.
    Gathered,
    /// As it comes: `WSGIRequestBuffering Off`.
    Streamed,
    /// The client waits for "100 Continue": the application's first read tells it to go on, as long as that holds up nobody.
    StreamedWhereRoom,
    /// As it comes, if it comes about as fast as it can be read, as long as that holds up nobody.
    StreamedIfFast,
}

fn way(request: &mut Request<'_>, plan: &RequestPlan<'_>, length: Option<u64>) -> Way {
    match plan.buffering {
        _ if plan.seekable_input => Way::Gathered,
        Some(true) => Way::Gathered,
        Some(false) => Way::Streamed,
        None if request.expecting_100() => Way::StreamedWhereRoom,
        // Only where nothing can make the body another one than was announced, or refuse it later, and where there is a socket
        // to wait for. Then what is known when the application begins is what is known when all was gathered.
        None if length.is_some_and(|length| length >= begin::WORTHWHILE)
            && request.connection().socket().is_some()
            && !request.has_content_input_filter() =>
        {
            Way::StreamedIfFast
        }
        None => Way::Gathered,
    }
}

/// A thread for a request whose client sends fast; the beginning of the body is in `buffer` then. None where there is no room, or
/// where the client is slower: then `buffer` may hold a beginning, too.
fn fast<'a>(
    client: &mut Apache<'_, '_>,
    plan: &RequestPlan<'a>,
    child: &ChildState,
    buffer: &mut Vec<u8>,
) -> Result<Option<Reservation<'a>>, Failure> {
    if has_room(plan) && begin::is_fast(client, buffer)? {
        return reserve_with_room(plan, child.row);
    }
    Ok(None)
}

/// Whether less than half of the threads of the plan's group are busy.
fn has_room(plan: &RequestPlan<'_>) -> bool {
    ledger(plan.groups).busy(&group(plan.group)) < half(plan)
}

fn half(plan: &RequestPlan<'_>) -> u32 {
    u32::try_from(plan.group.capacity() / 2).unwrap_or(u32::MAX)
}

/// A thread for a request whose body will be streamed; none when that would keep more than half of the group's threads busy. A
/// slow client holds a thread while its body is streamed, and every client can ask for that (`Expect`) or begin fast and stop then:
/// so there is always another half that it cannot hold.
fn reserve_with_room<'a>(plan: &RequestPlan<'a>, row: Row) -> Result<Option<Reservation<'a>>, Failure> {
    if !has_room(plan) {
        return Ok(None);
    }
    let reserved = reserve(plan.groups, plan.group, row)?;
    // Others may have come at the same time: with this one counted, none goes too far.
    let busy = ledger(plan.groups).busy(&group(plan.group));
    Ok((busy <= half(plan)).then_some(reserved))
}

/// Where the requests wait that find no free thread; there may be `listen-backlog` of them.
///
/// They wait here, each for a thread of the first worker to have one, when there are several workers, or when a
/// `queue-timeout` has to end the wait of a request that no application has seen. Otherwise there is nothing to choose and
/// nothing to take back: they are sent at once and wait in the worker's sockets, which saves a sleep and a wake-up each.
fn limits(definition: &spec::ProcessGroup) -> Limits {
    let (threads, queue) = (definition.threads, definition.listen_backlog);
    if definition.processes == 1 && definition.timeouts.queue.is_none() {
        return Limits { threads: threads.saturating_add(queue), queue: 0 };
    }
    Limits { threads, queue }
}

fn gather(
    client: &mut Apache<'_, '_>,
    length: Option<u64>,
    child: &ChildState,
    buffer: &mut Vec<u8>,
) -> Result<Gathered, Failure> {
    let filtered = client.request().has_content_input_filter();
    let read = |buffer: &mut Vec<u8>, limit: usize| client.read_body(buffer, limit, true);
    let gathered = body::gather(read, length, &child.spool, buffer).map_err(|error| match error {
        GatherError::Client(error) => error.into(),
        GatherError::Spool(error) => Failure::Spool { directory: child.spool.display().to_string(), error },
    })?;
    if filtered && length.is_some() {
        // Filters that change a body, such as decompression, take its length away; many frameworks read nothing without one.
        let length = match &gathered {
            Gathered::InMemory => buffer.len() as u64,
            Gathered::InFile(_, length) => *length,
        };
        client.request().headers_in().set(b"Content-Length", length.to_string().as_bytes());
    }
    Ok(gathered)
}

/// `Content-Length` of a request, which httpd has checked; none for chunks.
fn announced_length(request: &Request<'_>) -> Option<u64> {
    let headers = request.headers_in();
    if headers.get(c"Transfer-Encoding").is_some() {
        return None;
    }
    std::str::from_utf8(headers.get(c"Content-Length")?).ok()?.trim().parse().ok()
}

/// Tells the log, and the client where it can still be told.
fn conclude(request: &mut Request<'_>, plan: &RequestPlan<'_>, broken: &Broken) -> Answer {
    let Broken { failure, stage, worker } = broken;
    let verdict = failure.verdict();
    if let Some(level) = verdict.level {
        let log = request.log();
        let level = httpd_level(level);
        if log.enabled(level) {
            let line = sentence(failure, *stage, &plan.script, &plan.group.definition.name, *worker);
            log.write(level, line.as_bytes());
        }
    }
    if matches!(failure, Failure::Spool { .. }) {
        // The rest of the body is on its way, however long it is: the connection is closed instead of reading it.
        request.connection().close_after_response();
    }
    match failure {
        Failure::Answered(_) => return Answer::Answered,
        // The access log keeps the status that the application gave, if it gave one.
        Failure::ClientGone | Failure::BodyGone if matches!(stage, Stage::Answering(_)) => return Answer::Ok,
        _ => {}
    }
    if matches!(stage, Stage::Answering(_)) {
        return Answer::Done;
    }
    if let Some(seconds) = verdict.retry_after {
        request.err_headers_out().set(b"Retry-After", seconds.to_string().as_bytes());
    }
    Answer::Status(verdict.status)
}
