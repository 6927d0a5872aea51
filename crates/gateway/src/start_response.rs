//! `start_response` and `write` of PEP 3333, and the rules for status and headers (RS-1).

use std::sync::Arc;

use python::{Args, Attached, ClassDef, Error, Kind, Object, Result};
use wire::head::{self as limits, MAX_HEADERS, MAX_LEN, MAX_NAME, MAX_REASON, STATUSES, control_in};

use crate::active::Active;
use crate::codes;
use crate::exchange::{Level, WriteError};
use crate::group::Group;
use crate::head::ResponseHead;

/// The object behind `start_response` and `write`.
pub(crate) struct Adapter {
    pub(crate) active: Arc<Active>,
    /// Where subscribers are told.
    pub(crate) group: Arc<Group>,
}

pub(crate) fn class() -> ClassDef<Adapter> {
    ClassDef::new(c"mod_wsgi.Adapter", c"The response side of one request.")
        .method(c"start_response", c"start_response(status, headers, exc_info=None) -> write", start_response)
        .method(c"write", c"write(data): send a block of the response body at once", write)
}

fn start_response<'py>(
    adapter: &Adapter,
    py: Attached<'py>,
    args: Args<'_, 'py>,
) -> Result<'py, Object<'py>> {
    let [status, headers, exc_info] = args.bind("start_response", ["status", "headers", "exc_info"], 2)?;
    let (Some(status), Some(headers)) = (status, headers) else {
        return Err(Error::new(py, Kind::TypeError, "start_response() takes a status and a list of headers"));
    };
    let active = &adapter.active;
    if active.is_over() {
        return Err(Error::new(py, Kind::RuntimeError, "start_response() called after request completed"));
    }
    let exc_info = exc_info.filter(|info| !info.is_none());
    if exc_info.as_ref().is_some_and(|info| info.tuple_len().is_none()) {
        return Err(Error::new(py, Kind::RuntimeError, "exc_info must be a tuple or None"));
    }
    if headers.list_len().is_none() {
        let text = format!("start_response() argument 2 must be list, not {}", headers.type_name());
        return Err(Error::new(py, Kind::TypeError, &text));
    }
    if let Some(base) = active.watched() {
        let none = python::none(py);
        let facts = [&status, &headers, exc_info.as_ref().unwrap_or(&none)];
        adapter.group.python.events.response_started(py, &base.get(py), facts)?;
    }
    let (mut head, sent) = {
        let mut response = active.response.lock();
        (std::mem::take(&mut response.spare), response.sent)
    };
    if sent {
        return Err(too_late(py, exc_info));
    }
    let mut dropped = Vec::new();
    parse_status(py, &status, &mut head)?;
    parse_headers(py, &headers, &mut head, &mut dropped)?;
    check_size(py, &head)?;
    {
        let mut response = active.response.lock();
        response.started = true;
        response.spare = std::mem::replace(&mut response.head, head);
    }
    if !dropped.is_empty() && active.script.first_time(crate::script::Warning::HopByHop) {
        let facts = format_args!(
            "The application set {}, which belongs to the connection and not to the response (PEP 3333): it is dropped.",
            dropped.join(", ")
        );
        active.report(py, Level::Warn, codes::HOP_BY_HOP, facts, None);
    }
    args.receiver()?.attr("write")
}

fn too_late<'py>(py: Attached<'py>, exc_info: Option<Object<'py>>) -> Error<'py> {
    let Some(info) = exc_info else {
        let text = "start_response() called more than once without exc_info";
        return Error::new(py, Kind::RuntimeError, text);
    };
    match (info.tuple_item(0), info.tuple_item(1), info.tuple_item(2)) {
        (Some(class), Some(value), Some(traceback)) => Error::from_parts(&class, &value, &traceback),
        _ => Error::new(py, Kind::TypeError, "exc_info must hold an exception class, value and traceback"),
    }
}

fn write<'py>(adapter: &Adapter, py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [data] = args.bind("write", ["data"], 1)?;
    let data = data.unwrap_or_else(|| python::none(py));
    let Some(block) = data.as_bytes() else {
        let text = format!("write() argument must be bytes, not {}", data.type_name());
        return Err(Error::new(py, Kind::TypeError, &text));
    };
    let active = &adapter.active;
    if active.is_over() {
        return Err(Error::new(py, Kind::RuntimeError, "write() called after request completed"));
    }
    if !block.is_empty() {
        py.detach(|| active.transmit(block)).map_err(|error| match error {
            WriteError::ClientGone => Error::new(py, Kind::OSError, "mod_wsgi client connection closed"),
            WriteError::Failed(why) => {
                Error::new(py, Kind::OSError, &format!("mod_wsgi failed to write response data: {why}"))
            }
        })?;
    }
    Ok(python::none(py))
}

/// The latin-1 bytes of a `str`, without copying where it is ASCII.
fn with_latin1<'py, R>(
    py: Attached<'py>,
    object: &Object<'py>,
    what: &str,
    work: impl FnOnce(&[u8]) -> Result<'py, R>,
) -> Result<'py, R> {
    if let Some(text) = object.as_utf8().filter(|text| text.is_ascii()) {
        return work(text.as_bytes());
    }
    if !object.is_str() {
        let text = format!("{what} must be a str, not {}", object.type_name());
        return Err(Error::new(py, Kind::TypeError, &text));
    }
    match object.to_latin1() {
        Ok(bytes) => work(bytes.as_bytes().unwrap_or_default()),
        Err(_) => {
            Err(Error::new(py, Kind::ValueError, &format!("{what} contains characters outside latin-1")))
        }
    }
}

fn parse_status<'py>(py: Attached<'py>, status: &Object<'py>, head: &mut ResponseHead) -> Result<'py, ()> {
    with_latin1(py, status, "status", |line| {
        let bad = |text: &str| Err(Error::new(py, Kind::ValueError, text));
        let (code, rest) = line.split_at(line.len().min(3));
        if code.len() < 3
            || !code.iter().all(u8::is_ascii_digit)
            || rest.first().is_some_and(u8::is_ascii_digit)
        {
            return bad("status code must be a 3 digit integer");
        }
        let code = code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        let reason = match rest {
            [] => rest,
            [b' ', reason @ ..] => reason,
            _ => return bad("no space following status code"),
        };
        if control_in(reason).is_some() {
            return bad("control character in status reason phrase");
        }
        if reason.len() > MAX_REASON {
            return bad(&format!("status reason phrase is longer than {MAX_REASON} bytes"));
        }
        if !STATUSES.contains(&code) {
            let (low, high) = (STATUSES.start(), STATUSES.end());
            return bad(&format!("status code {code} is not one an application may send ({low} to {high})"));
        }
        head.restart(code, reason);
        Ok(())
    })
}

fn parse_headers<'py>(
    py: Attached<'py>,
    headers: &Object<'py>,
    head: &mut ResponseHead,
    dropped: &mut Vec<String>,
) -> Result<'py, ()> {
    let mut index = 0;
    while let Some(header) = headers.list_item(index) {
        index += 1;
        match header.tuple_len() {
            Some(2) => {}
            Some(length) => {
                let text = format!("response header must be a tuple of length 2, not {length}");
                return Err(Error::new(py, Kind::ValueError, &text));
            }
            None => {
                let text = format!("response header must be a tuple, not {}", header.type_name());
                return Err(Error::new(py, Kind::TypeError, &text));
            }
        }
        let (Some(name), Some(value)) = (header.tuple_item(0), header.tuple_item(1)) else { continue };
        with_latin1(py, &name, "response header name", |name| {
            check_name(py, name)?;
            with_latin1(py, &value, "response header value", |value| {
                add_header(py, head, name, value, dropped)
            })
        })?;
    }
    Ok(())
}

fn check_name<'py>(py: Attached<'py>, name: &[u8]) -> Result<'py, ()> {
    let text = if name.is_empty() {
        "response header name is empty".to_owned()
    } else if control_in(name).is_some() {
        "control character in response header name".to_owned()
    } else if name.contains(&b' ') {
        "space character in response header name".to_owned()
    } else if name.len() > MAX_NAME {
        let start = name.get(..40).unwrap_or_default().escape_ascii();
        format!("response header name '{start}...' is {} bytes long, more than {MAX_NAME}", name.len())
    } else if !limits::is_token(name) {
        format!("response header name '{}' is not a token of RFC 9110", name.escape_ascii())
    } else {
        return Ok(());
    };
    Err(Error::new(py, Kind::ValueError, &text))
}

/// The whole head has limits, too.
fn check_size<'py>(py: Attached<'py>, head: &ResponseHead) -> Result<'py, ()> {
    let count = head.headers().len();
    if count <= usize::from(MAX_HEADERS) && head.encoded_len() <= MAX_LEN {
        return Ok(());
    }
    let size: usize = head.headers().map(|(name, value)| name.len() + value.len()).sum();
    let largest = head.headers().max_by_key(|(_, value)| value.len());
    let (name, length) = largest.map_or((&b""[..], 0), |(name, value)| (name, value.len()));
    let text = format!(
        "the response has {count} headers with {size} bytes, more than the {MAX_HEADERS} headers or {MAX_LEN} bytes that are \
         passed on; the largest is \"{}\" with {length} bytes",
        String::from_utf8_lossy(name)
    );
    Err(Error::new(py, Kind::ValueError, &text))
}

fn add_header<'py>(
    py: Attached<'py>,
    head: &mut ResponseHead,
    name: &[u8],
    value: &[u8],
    dropped: &mut Vec<String>,
) -> Result<'py, ()> {
    let shown = || String::from_utf8_lossy(name).into_owned();
    if control_in(value).is_some() {
        let text = format!("control character in value of response header '{}'", shown());
        return Err(Error::new(py, Kind::ValueError, &text));
    }
    if name.eq_ignore_ascii_case(b"content-length") {
        return add_length(py, head, name, value);
    }
    if limits::is_hop_by_hop(name) {
        dropped.push(shown());
        return Ok(());
    }
    head.push(name, value);
    Ok(())
}

fn add_length<'py>(py: Attached<'py>, head: &mut ResponseHead, name: &[u8], value: &[u8]) -> Result<'py, ()> {
    match (limits::content_length(value), head.content_length()) {
        (None, _) => {
            let text = format!("invalid Content-Length header value: '{}'", String::from_utf8_lossy(value));
            Err(Error::new(py, Kind::ValueError, &text))
        }
        (Some(length), None) => {
            head.push_length(name, length);
            Ok(())
        }
        (Some(length), Some(other)) if length == other => Ok(()),
        (Some(length), Some(other)) => {
            let text = format!("two Content-Length headers with different values: {other} and {length}");
            Err(Error::new(py, Kind::ValueError, &text))
        }
    }
}
