//! `wsgi.input` (PEP 3333, "Input and Error Streams"): the request body, read from the exchange as the application asks for it.

use std::sync::Arc;

use python::{Args, Attached, BytesBuffer, ClassDef, Error, Kind, Mutex, Object, Result};

use crate::active::Active;
use crate::exchange::BodyError;

/// How much is asked for at once when lines are read or the end is looked for.
const CHUNK: usize = 64 * 1024;
/// Reads up to this size go straight into the object that is returned.
const DIRECT: usize = 1024 * 1024;

pub(crate) struct Input {
    active: Arc<Active>,
    state: Mutex<State>,
}

/// Locked only without the GIL: reading blocks.
#[derive(Default)]
struct State {
    /// Bytes that were received and not yet returned: from `start` on.
    buffer: Vec<u8>,
    start: usize,
    at_end: bool,
    failed: bool,
}

/// Why reading stopped.
enum Stop {
    Body(BodyError),
    FailedBefore,
    Over,
}

impl Input {
    pub(crate) fn new(active: Arc<Active>) -> Self {
        Self { active, state: Mutex::default() }
    }

    /// The object refuses to work after its request.
    fn check<'py>(&self, py: Attached<'py>, method: &str) -> Result<'py, ()> {
        if self.active.is_over() { Err(over(py, method)) } else { Ok(()) }
    }

    fn locked<R: Send>(
        &self,
        py: Attached<'_>,
        work: impl FnOnce(&mut State, &Active) -> std::result::Result<R, Stop> + Send,
    ) -> std::result::Result<R, Stop> {
        py.detach(|| work(&mut self.state.lock(), &self.active))
    }

    fn read<'py>(&self, py: Attached<'py>, size: Option<usize>) -> Result<'py, Object<'py>> {
        match size {
            Some(0) => python::bytes(py, b""),
            Some(size) if (2..=DIRECT).contains(&size) => {
                let mut bytes = BytesBuffer::new(py, size)?;
                let slice = bytes.as_mut_slice();
                let read = self.locked(py, |state, active| state.fill(active, slice));
                let read = read.map_err(|stop| stop.raise(py, "read"))?;
                bytes.finish(read)
            }
            _ => {
                let wanted = size.unwrap_or(usize::MAX);
                let read = self.locked(py, |state, active| state.gather(active, wanted));
                python::bytes(py, &read.map_err(|stop| stop.raise(py, "read"))?)
            }
        }
    }

    fn line<'py>(&self, py: Attached<'py>, method: &str, limit: usize) -> Result<'py, Object<'py>> {
        let line = self.locked(py, |state, active| state.line(active, limit));
        python::bytes(py, &line.map_err(|stop| stop.raise(py, method))?)
    }
}

impl State {
    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// Some bytes of the body; zero is the end.
    fn receive(&mut self, active: &Active, into: &mut [u8]) -> std::result::Result<usize, Stop> {
        if self.failed {
            return Err(Stop::FailedBefore);
        }
        if self.at_end || into.is_empty() {
            return Ok(0);
        }
        match active.exchange.with(|exchange| exchange.read_body(into)) {
            None => Err(Stop::Over),
            Some(Ok(count)) => {
                self.at_end = count == 0;
                Ok(count.min(into.len()))
            }
            Some(Err(error)) => {
                self.failed = true;
                Err(Stop::Body(error))
            }
        }
    }

    /// More bytes behind the buffered ones; false is the end.
    fn refill(&mut self, active: &Active) -> std::result::Result<bool, Stop> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let old = self.buffer.len();
        let mut room = std::mem::take(&mut self.buffer);
        room.resize(old + CHUNK, 0);
        let received = self.receive(active, room.get_mut(old..).unwrap_or_default());
        room.truncate(old + received.as_ref().map_or(0, |count| *count));
        self.buffer = room;
        received.map(|count| count > 0)
    }

    /// Fills the slice, less only at the end of the body.
    fn fill(&mut self, active: &Active, into: &mut [u8]) -> std::result::Result<usize, Stop> {
        let ready = self.buffered().len().min(into.len());
        let (front, mut rest) = into.split_at_mut(ready);
        front.copy_from_slice(self.buffered().get(..ready).unwrap_or_default());
        self.consume(ready);
        let mut filled = ready;
        while !rest.is_empty() {
            let count = self.receive(active, rest)?;
            if count == 0 {
                break;
            }
            filled += count;
            rest = rest.split_at_mut(count).1;
        }
        Ok(filled)
    }

    /// Up to `wanted` bytes, less only at the end of the body.
    fn gather(&mut self, active: &Active, wanted: usize) -> std::result::Result<Vec<u8>, Stop> {
        while self.buffered().len() < wanted && self.refill(active)? {}
        let count = self.buffered().len().min(wanted);
        let bytes = self.buffered().get(..count).unwrap_or_default().to_vec();
        self.consume(count);
        Ok(bytes)
    }

    /// Bytes up to and with the next line feed, at most `limit`.
    fn line(&mut self, active: &Active, limit: usize) -> std::result::Result<Vec<u8>, Stop> {
        let mut searched = 0;
        let length = loop {
            let buffered = self.buffered();
            let found = buffered.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(position) = found {
                break searched + position + 1;
            }
            searched = buffered.len();
            if searched >= limit || !self.refill(active)? {
                break searched;
            }
        };
        self.gather(active, length.min(limit))
    }
}

impl Stop {
    fn raise<'py>(self, py: Attached<'py>, method: &str) -> Error<'py> {
        match self {
            Stop::Body(error) => {
                Error::new(py, Kind::OSError, &format!("mod_wsgi request data read error: {error}"))
            }
            Stop::FailedBefore => {
                let text = "mod_wsgi request data read error: input is already in error state";
                Error::new(py, Kind::OSError, text)
            }
            Stop::Over => over(py, method),
        }
    }
}

fn over<'py>(py: Attached<'py>, method: &str) -> Error<'py> {
    let text = format!("{method}() called on wsgi.input after request completed");
    Error::new(py, Kind::RuntimeError, &text)
}

/// An optional size argument; negative and None mean "all".
fn size_argument<'py>(
    py: Attached<'py>,
    args: &Args<'_, 'py>,
    method: &str,
    name: &str,
) -> Result<'py, Option<usize>> {
    let [size] = args.bind(method, [name], 0)?;
    let Some(size) = size.filter(|size| !size.is_none()) else { return Ok(None) };
    match size.as_i64() {
        Some(size) => Ok(usize::try_from(size).ok()),
        None => {
            let text = format!("{method}() argument must be int, not {}", size.type_name());
            Err(Error::new(py, Kind::TypeError, &text))
        }
    }
}

pub(crate) fn class() -> ClassDef<Input> {
    ClassDef::<Input>::new(c"mod_wsgi.Input", c"The body of one request.")
        .method(
            c"read",
            c"read(size=-1): exactly size bytes unless the body ends before",
            |input, py, args| {
                let size = size_argument(py, &args, "read", "size")?;
                input.check(py, "read")?;
                input.read(py, size)
            },
        )
        .method(c"readline", c"readline(size=-1): one line, with its line feed", |input, py, args| {
            let limit = size_argument(py, &args, "readline", "size")?;
            input.check(py, "readline")?;
            if limit == Some(0) {
                return python::bytes(py, b"");
            }
            input.line(py, "readline", limit.unwrap_or(usize::MAX))
        })
        .method(c"readlines", c"readlines(hint=-1): lines, about hint bytes of them", |input, py, args| {
            let hint = size_argument(py, &args, "readlines", "hint")?.filter(|hint| *hint > 0);
            input.check(py, "readlines")?;
            let (lines, mut total) = (python::list(py, [])?, 0);
            while hint.is_none_or(|hint| total < hint) {
                let line = input.line(py, "readlines", usize::MAX)?;
                let length = line.as_bytes().unwrap_or_default().len();
                if length == 0 {
                    break;
                }
                total += length;
                lines.list_append(&line)?;
            }
            Ok(lines)
        })
        .method(c"close", c"close(): does nothing", |input, py, args| {
            args.none("close")?;
            input.check(py, "close")?;
            Ok(python::none(py))
        })
        .iterator(|input, py| {
            input.check(py, "next")?;
            let line = input.line(py, "next", usize::MAX)?;
            Ok(Some(line).filter(|line| line.as_bytes().is_some_and(|bytes| !bytes.is_empty())))
        })
}
