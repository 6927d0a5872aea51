//! Calling the application and consuming what it returns (PEP 3333), up to a decision how the response ends.

use std::fs::File;
use std::os::fd::AsFd;

use python::{Attached, Error, Kind, Object, Result};

use crate::active::Active;
use crate::codes;
use crate::exchange::{Level, WriteError};
use crate::group::InPython;
use crate::script::Warning;

/// Blocks that are known completely up to this size leave together with the head and the end.
const LAST_BLOCK: usize = 64 * 1024;
const RAISED: &str = "The application raised an exception:";

/// How the response ends, once Python is out of the way.
pub(crate) enum Ending {
    /// The bytes in the caller's buffer, and the end.
    LastBlock,
    /// Just the end.
    Complete,
    /// It cannot be completed. The reason is logged.
    Broken(&'static str),
    /// Nothing was sent: this status instead. The reason is logged.
    Failed(u16),
    /// The client does not listen any more.
    ClientGone,
    /// Nothing ran: the script wants to be loaded anew.
    OutOfDate,
}

/// Calls the application and sends what it produces, all but a small last block.
pub(crate) fn run<'py>(
    py: Attached<'py>,
    python: &InPython,
    active: &Active,
    application: &Object<'py>,
    [environ, start_response]: [&Object<'py>; 2],
    buffer: &mut Vec<u8>,
) -> Ending {
    let iterable = match application.call([environ, start_response]) {
        Ok(iterable) => iterable,
        Err(error) => return failure(py, python, active, &error),
    };
    let produced = produce(py, python, active, &iterable, buffer);
    let ending = match produced {
        Ok(ending) => ending,
        Err(Stop::Raised(error)) => failure(py, python, active, &error),
        Err(Stop::Write(WriteError::ClientGone)) => Ending::ClientGone,
        Err(Stop::Write(error @ WriteError::Failed(_))) => {
            let facts = format_args!("Cannot send the response: {error}.");
            active.report(py, Level::Error, codes::NOT_SENT, facts, None);
            Ending::Broken("sending failed")
        }
    };
    close(py, python, active, &iterable);
    match ending {
        Ending::LastBlock | Ending::Complete => check_complete(py, active, ending, buffer),
        other => other,
    }
}

/// Why producing stopped before its end.
enum Stop<'py> {
    Raised(Error<'py>),
    Write(WriteError),
}

impl<'py> From<Error<'py>> for Stop<'py> {
    fn from(error: Error<'py>) -> Self {
        Stop::Raised(error)
    }
}

impl From<WriteError> for Stop<'_> {
    fn from(error: WriteError) -> Self {
        Stop::Write(error)
    }
}

type Produced<'py> = std::result::Result<Ending, Stop<'py>>;

fn produce<'py>(
    py: Attached<'py>,
    python: &InPython,
    active: &Active,
    iterable: &Object<'py>,
    buffer: &mut Vec<u8>,
) -> Produced<'py> {
    if iterable.is_plain_sequence() {
        return sequence(py, active, iterable, buffer);
    }
    if iterable.is_instance(&python.file_wrapper.get(py))
        && let Some(ending) = file(py, active, iterable)?
    {
        return Ok(ending);
    }
    let iterator = iterable.iter()?;
    while let Some(block) = iterator.next() {
        send(py, active, &block?)?;
    }
    Ok(Ending::Complete)
}

/// All blocks of a list or tuple exist already: small ones are put together.
fn sequence<'py>(
    py: Attached<'py>,
    active: &Active,
    blocks: &Object<'py>,
    buffer: &mut Vec<u8>,
) -> Produced<'py> {
    let item = |index| blocks.list_item(index).or_else(|| blocks.tuple_item(index));
    let mut index = 0;
    let mut total = 0;
    while let Some(block) = item(index) {
        total += bytes_of(py, &block)?.len();
        index += 1;
    }
    if total > LAST_BLOCK {
        index = 0;
        while let Some(block) = item(index) {
            send(py, active, &block)?;
            index += 1;
        }
        return Ok(Ending::Complete);
    }
    index = 0;
    while let Some(block) = item(index) {
        buffer.extend_from_slice(bytes_of(py, &block)?);
        index += 1;
    }
    Ok(Ending::LastBlock)
}

fn bytes_of<'a, 'py>(py: Attached<'py>, block: &'a Object<'py>) -> Result<'py, &'a [u8]> {
    block.as_bytes().ok_or_else(|| {
        let text = format!("response iterable must yield bytes, not {}", block.type_name());
        Error::new(py, Kind::TypeError, &text)
    })
}

fn send<'py>(py: Attached<'py>, active: &Active, block: &Object<'py>) -> std::result::Result<(), Stop<'py>> {
    let bytes = bytes_of(py, block)?;
    if bytes.is_empty() {
        return Ok(());
    }
    require_start(py, active)?;
    Ok(py.detach(|| active.transmit(bytes))?)
}

fn require_start<'py>(py: Attached<'py>, active: &Active) -> Result<'py, ()> {
    if active.response.lock().started {
        return Ok(());
    }
    let text = "start_response() must be called before response content is produced";
    Err(Error::new(py, Kind::RuntimeError, text))
}

/// The fast way for what `wsgi.file_wrapper` wraps (PEP 3333, "Optional Platform-Specific File Handling"): a regular file goes to
/// the server as a descriptor. `None` when that is not possible; the wrapper is iterated then.
fn file<'py>(
    py: Attached<'py>,
    active: &Active,
    wrapper: &Object<'py>,
) -> std::result::Result<Option<Ending>, Stop<'py>> {
    if active.response.lock().sent {
        return Ok(None);
    }
    let filelike = wrapper.attr("filelike")?;
    let Some(descriptor) = python::descriptor_of(&filelike) else { return Ok(None) };
    let Ok(position) = filelike.attr("tell").and_then(|tell| tell.call([])) else { return Ok(None) };
    let Some(offset) = position.as_i64().and_then(|offset| u64::try_from(offset).ok()) else {
        return Ok(None);
    };
    let descriptor = File::from(descriptor);
    let size = match descriptor.metadata() {
        Ok(facts) if facts.is_file() => facts.len(),
        _ => return Ok(None),
    };
    require_start(py, active)?;
    let available = size.saturating_sub(offset);
    let length = {
        let mut response = active.response.lock();
        if response.head.forbids_body() {
            return Ok(Some(Ending::Complete));
        }
        match response.head.content_length() {
            Some(declared) => declared.min(available),
            None => {
                // Without a length the server ends the response in another way.
                if response.head.has_room_for_length() {
                    response.head.push_length(b"Content-Length", available);
                }
                available
            }
        }
    };
    if length > 0 {
        py.detach(|| active.send(|exchange| exchange.file(descriptor.as_fd(), offset, length)))?;
        active.response.lock().count(length);
    }
    Ok(Some(Ending::Complete))
}

/// Calls `close()` where there is one, whatever happened before.
fn close<'py>(py: Attached<'py>, python: &InPython, active: &Active, iterable: &Object<'py>) {
    if iterable.is_plain_sequence() {
        return;
    }
    match iterable.attr_by(&python.keys.close.get(py)) {
        Ok(close) => {
            if let Err(error) = close.call([]) {
                let facts = "close() of the response iterable raised an exception:";
                active.report(py, Level::Error, codes::APPLICATION_RAISED, facts, Some(&error));
                python.events.request_exception(py, active, &error);
            }
        }
        Err(error) if error.is(Kind::AttributeError) => {}
        Err(error) => {
            let facts = "Looking for close() of the response iterable failed:";
            active.report(py, Level::Error, codes::NO_CLOSE, facts, Some(&error));
        }
    }
}

/// What an exception of the application means for the response.
pub(crate) fn failure<'py>(
    py: Attached<'py>,
    python: &InPython,
    active: &Active,
    error: &Error<'py>,
) -> Ending {
    let sent = active.response.lock().sent;
    if error.exception().is_instance(&python.request_timeout.get(py)) {
        active.log_lines(py, Level::Info, "The request was interrupted by request-timeout.");
        return if sent { Ending::Broken("request-timeout") } else { Ending::Failed(504) };
    }
    // An OSError from write() or wsgi.input is a consequence of the client's absence, not a failure of its own.
    let gone = matches!(active.response.lock().broken, Some(WriteError::ClientGone));
    if gone && error.is(Kind::OSError) {
        return Ending::ClientGone;
    }
    let (code, facts) = if error.is(Kind::SystemExit) {
        (codes::APPLICATION_EXIT, "The application raised SystemExit, which is ignored:")
    } else {
        (codes::APPLICATION_RAISED, RAISED)
    };
    active.report(py, Level::Error, code, facts, Some(error));
    python.events.request_exception(py, active, error);
    if sent { Ending::Broken("exception in the application") } else { Ending::Failed(500) }
}

/// Checks that a response was started and that its length is what was declared.
fn check_complete(py: Attached<'_>, active: &Active, ending: Ending, buffer: &mut Vec<u8>) -> Ending {
    if let Err(error) = require_start(py, active) {
        active.report(py, Level::Error, codes::APPLICATION_RAISED, RAISED, Some(&error));
        return Ending::Failed(500);
    }
    let (overrun, shortage, sent) = {
        let mut response = active.response.lock();
        match response.admit(buffer.len()) {
            Ok(allowed) => buffer.truncate(allowed),
            Err(WriteError::ClientGone) => return Ending::ClientGone,
            Err(WriteError::Failed(_)) => return Ending::Broken("sending failed"),
        }
        (response.overrun, response.shortage(), response.sent)
    };
    if overrun && active.script.first_time(Warning::BodyTooLong) {
        let facts = "The response body is longer than its Content-Length (or its status has no body): the rest is cut off.";
        active.report(py, Level::Warn, codes::BODY_TOO_LONG, facts, None);
    }
    let Some((declared, written)) = shortage else { return ending };
    let facts = format_args!(
        "The response body ended after {written} of the {declared} bytes its Content-Length declares: the connection to the \
         client is broken off."
    );
    active.report(py, Level::Error, codes::BODY_TOO_SHORT, facts, None);
    if sent { Ending::Broken("body shorter than Content-Length") } else { Ending::Failed(500) }
}
