//! `wsgi.input` (PEP 3333, "Input and Error Streams") as Python sees it: read, lines, iteration, and seeking where the configuration
//! asks for it. Where its bytes come from is `reader`'s part.

mod reader;

use std::sync::Arc;

use python::{Args, Attached, BytesBuffer, ClassDef, Error, Kind, Object, Result};

use crate::active::Active;
use reader::{Reader, Stop};

/// Size in bytes of the object that is returned before so much has come, where it is not known how much will. It grows with the body.
const FIRST: usize = 128 * 1024;

pub(crate) struct Input {
    active: Arc<Active>,
    reader: Reader,
}

impl Input {
    /// `length`: that of the body, when all of it is there already.
    pub(crate) fn new(active: Arc<Active>, length: Option<u64>) -> Self {
        Self { active, reader: Reader::new(length) }
    }

    /// The object refuses to work after its request, and after an error.
    fn check<'py>(&self, py: Attached<'py>, method: &str) -> Result<'py, ()> {
        if self.active.is_over() {
            return Err(over(py, method));
        }
        self.reader.check().map_err(|stop| stop.raise(py, method))
    }

    fn reading<'py, R: Send>(
        &self,
        py: Attached<'py>,
        method: &str,
        work: impl FnOnce(&Reader, &Active) -> std::result::Result<R, Stop> + Send,
    ) -> Result<'py, R> {
        py.detach(|| work(&self.reader, &self.active)).map_err(|stop| stop.raise(py, method))
    }

    fn read<'py>(&self, py: Attached<'py>, size: Option<usize>) -> Result<'py, Object<'py>> {
        let (wanted, left) = (size.unwrap_or(usize::MAX), self.reader.left());
        let most = left.map_or(wanted, |left| wanted.min(left));
        if most == 0 {
            if left.is_none() {
                // Asks a client that waits for "100 Continue" to go on, as in mod_wsgi.
                self.reading(py, "read", |reader, active| reader.fill(active, &mut []))?;
            }
            return python::bytes(py, b"");
        }
        if most == 1 {
            let bytes = self.reading(py, "read", |reader, active| reader.gather(active, most))?;
            return python::bytes(py, &bytes);
        }
        let mut room = if left.is_some() { most } else { most.min(FIRST) };
        let (mut bytes, mut filled) = (BytesBuffer::new(py, room)?, 0);
        loop {
            let rest = bytes.as_mut_slice().get_mut(filled..).unwrap_or_default();
            filled += self.reading(py, "read", |reader, active| reader.fill(active, rest))?;
            if filled < room || room >= most {
                return bytes.finish(filled);
            }
            // Never much more than has come: what a client announces costs it nothing.
            room = room.saturating_mul(2).min(most);
            bytes = bytes.grow(room)?;
        }
    }

    fn line<'py>(&self, py: Attached<'py>, method: &str, limit: usize) -> Result<'py, Object<'py>> {
        let line = self.reading(py, method, |reader, active| reader.line(active, limit))?;
        python::bytes(py, &line)
    }

    fn lines<'py>(&self, py: Attached<'py>, hint: Option<usize>) -> Result<'py, Object<'py>> {
        let (lines, mut total) = (python::list(py, [])?, 0);
        while hint.is_none_or(|hint| total < hint) {
            let line = self.line(py, "readlines", usize::MAX)?;
            let length = line.as_bytes().unwrap_or_default().len();
            if length == 0 {
                break;
            }
            total += length;
            lines.list_append(&line)?;
        }
        Ok(lines)
    }

    /// `seek` as files have it: to any place from the start on, also behind the end.
    fn seek<'py>(&self, py: Attached<'py>, offset: i64, whence: i64) -> Result<'py, Object<'py>> {
        let base = match whence {
            0 => 0,
            1 => self.reader.position(),
            2 => self.reader.length().unwrap_or_default(),
            _ => {
                let text = format!("seek(): whence must be 0, 1 or 2, not {whence}");
                return Err(Error::new(py, Kind::ValueError, &text));
            }
        };
        let position = base.checked_add_signed(offset).filter(|position| i64::try_from(*position).is_ok());
        let position = position.ok_or_else(|| {
            // An OSError as of a file: modules such as zipfile count on it.
            let text = format!("seek(): {offset} from {base} on is not a place in a body");
            Error::new(py, Kind::OSError, &text)
        })?;
        self.reading(py, "seek", |reader, active| reader.seek(active, position))?;
        place(py, position)
    }
}

fn place(py: Attached<'_>, position: u64) -> Result<'_, Object<'_>> {
    python::int(py, i64::try_from(position).unwrap_or(i64::MAX))
}

impl Stop {
    fn raise<'py>(self, py: Attached<'py>, method: &str) -> Error<'py> {
        let cause = match self {
            Stop::Over => return over(py, method),
            Stop::Body(error) => error.to_string(),
            Stop::FailedBefore => "input is already in error state".to_owned(),
        };
        Error::new(py, Kind::OSError, &format!("mod_wsgi request data read error: {cause}"))
    }
}

fn over<'py>(py: Attached<'py>, method: &str) -> Error<'py> {
    let text = if method == ITERATION {
        "iteration of wsgi.input attempted after request completed".to_owned()
    } else {
        format!("{method}() called on wsgi.input after request completed")
    };
    Error::new(py, Kind::RuntimeError, &text)
}

/// Stands for a method's name where a `for` reads lines.
const ITERATION: &str = "next";

/// An optional size; negative and None mean "all".
fn size_argument<'py>(args: &Args<'_, 'py>, method: &str, name: &str) -> Result<'py, Option<usize>> {
    let [size] = args.bind(method, [name], 0)?;
    let Some(size) = size.filter(|size| !size.is_none()) else { return Ok(None) };
    Ok(usize::try_from(size.as_index()?).ok())
}

/// A number that is 0 where it is not given.
fn number<'py>(value: Option<Object<'py>>) -> Result<'py, i64> {
    value.map_or(Ok(0), |value| value.as_index())
}

/// What every `wsgi.input` can.
fn describe(name: &'static std::ffi::CStr) -> ClassDef<Input> {
    ClassDef::<Input>::new(name, c"The body of one request.")
        .method(
            c"read",
            c"read(size=-1): exactly size bytes unless the body ends before",
            |input, py, args| {
                let size = size_argument(&args, "read", "size")?;
                input.check(py, "read")?;
                input.read(py, size)
            },
        )
        .method(c"readline", c"readline(size=-1): one line, with its line feed", |input, py, args| {
            let limit = size_argument(&args, "readline", "size")?;
            input.check(py, "readline")?;
            if limit == Some(0) {
                return python::bytes(py, b"");
            }
            input.line(py, "readline", limit.unwrap_or(usize::MAX))
        })
        .method(c"readlines", c"readlines(hint=-1): lines, about hint bytes of them", |input, py, args| {
            let hint = size_argument(&args, "readlines", "hint")?.filter(|hint| *hint > 0);
            input.check(py, "readlines")?;
            input.lines(py, hint)
        })
        .method(c"close", c"close(): does nothing", |input, py, args| {
            args.none("close")?;
            if input.active.is_over() { Err(over(py, "close")) } else { Ok(python::none(py)) }
        })
        .iterator(|input, py| {
            input.check(py, ITERATION)?;
            let line = input.line(py, ITERATION, usize::MAX)?;
            Ok(Some(line).filter(|line| line.as_bytes().is_some_and(|bytes| !bytes.is_empty())))
        })
}

/// `wsgi.input`, which is read once from its beginning to its end.
pub(crate) fn class() -> ClassDef<Input> {
    describe(c"mod_wsgi.Input")
}

/// The same for a body that is there as a whole, so that it can be read in any order (`WSGISeekableInput`).
pub(crate) fn seekable_class() -> ClassDef<Input> {
    describe(c"mod_wsgi.SeekableInput")
        .method(
            c"seek",
            c"seek(offset, whence=0): goes to offset from the start (0), from here (1) or from the end (2)",
            |input, py, args| {
                let [offset, whence] = args.bind("seek", ["offset", "whence"], 1)?;
                let (offset, whence) = (number(offset)?, number(whence)?);
                input.check(py, "seek")?;
                input.seek(py, offset, whence)
            },
        )
        .method(c"tell", c"tell(): how many bytes are before this place", |input, py, args| {
            args.none("tell")?;
            input.check(py, "tell")?;
            place(py, input.reader.position())
        })
        .method(c"seekable", c"seekable(): True", |input, py, args| {
            args.none("seekable")?;
            input.check(py, "seekable")?;
            Ok(python::bool(py, true))
        })
}
