//! The request frame: which application, its environ, its body; encoding for the child, decoding for the worker.

use crate::frame::{self, Kind, MAX_INLINE_BODY};
use crate::{Cursor, Task, WireError};

/// Where the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Inside the frame; empty when there is none. At most [`MAX_INLINE_BODY`] bytes.
    Inline(&'a [u8]),
    /// In a regular file whose descriptor comes with the frame: from offset 0, this many bytes.
    File(u64),
    /// Comes in `Body` frames after the worker has asked for it; the length where the client gave one.
    Stream(Option<u64>),
}

/// What holds for one request, one bit each on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    /// The client came over TLS (`wsgi.url_scheme`).
    pub https: bool,
    /// The worker looks whether the script's file has changed since it was loaded (`WSGIScriptReloading`).
    pub script_reloading: bool,
    /// `wsgi.input` has `seek` and `tell`; the body is not streamed.
    pub seekable_input: bool,
    /// The request does not count against `inactivity-timeout` (`WSGIIgnoreActivity`).
    pub ignore_activity: bool,
}

impl Flags {
    fn to_byte(self) -> u8 {
        [self.https, self.script_reloading, self.seekable_input, self.ignore_activity]
            .iter()
            .rev()
            .fold(0, |byte, flag| byte << 1 | u8::from(*flag))
    }

    fn from_byte(byte: u8) -> Result<Self, WireError> {
        if byte >= 16 {
            return Err(WireError::Invalid("flags"));
        }
        let bit = |number: u8| byte >> number & 1 == 1;
        Ok(Self { https: bit(0), script_reloading: bit(1), seekable_input: bit(2), ignore_activity: bit(3) })
    }
}

/// A decoded request, borrowing from the received frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// See [`Flags`].
    pub flags: Flags,
    /// When httpd read the request line: microseconds since the epoch.
    pub request_start: u64,
    /// When the request began to wait for a worker slot: microseconds since the epoch.
    pub queue_start: u64,
    /// Resolved application group; empty for the main interpreter.
    pub application_group: &'a [u8],
    /// Absolute path of the script file.
    pub script: &'a [u8],
    /// Name of the callable in the script's module; empty for a call, whose task says it.
    pub callable: &'a [u8],
    /// What is to be done.
    pub task: Task<'a>,
    /// The body; empty for a call.
    pub body: Body<'a>,
    environ: &'a [u8],
    count: u16,
}

impl<'a> Request<'a> {
    /// Decodes and checks the whole payload of a request frame, environ included.
    ///
    /// # Errors
    /// Any [`WireError`]; nothing is allocated.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let flags = Flags::from_byte(c.u8("flags")?)?;
        let request_start = c.u64("request start")?;
        let queue_start = c.u64("queue start")?;
        let application_group = c.short("application group")?;
        let script = no_nul(c.short("script")?, "script")?;
        if !script.starts_with(b"/") {
            return Err(WireError::Invalid("script"));
        }
        let callable = c.short("callable")?;
        let task = Task::decode(&mut c)?;
        if task.is_call() && !callable.is_empty() {
            return Err(WireError::Invalid("callable"));
        }
        let count = c.u16("environ count")?;
        let environ = c.rest();
        for _ in 0..count {
            if c.short("environ key")?.is_empty() {
                return Err(WireError::Invalid("environ key"));
            }
            c.long("environ value")?;
        }
        let environ = environ.get(..environ.len() - c.rest().len()).unwrap_or_default();
        let body = decode_body(&mut c)?;
        c.end()?;
        if task.is_call() && body != Body::Inline(b"") {
            return Err(WireError::Invalid("body"));
        }
        Ok(Self {
            flags,
            request_start,
            queue_start,
            application_group,
            script,
            callable,
            task,
            body,
            environ,
            count,
        })
    }

    /// Number of environ entries.
    #[must_use]
    pub fn environ_len(&self) -> usize {
        usize::from(self.count)
    }

    /// The environ entries in the order in which they were sent.
    pub fn environ(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut c = Cursor::new(self.environ);
        core::iter::from_fn(move || {
            let key = c.short("environ key").ok()?;
            Some((key, c.long("environ value").ok()?))
        })
    }
}

fn no_nul<'a>(bytes: &'a [u8], what: &'static str) -> Result<&'a [u8], WireError> {
    if bytes.contains(&0) { Err(WireError::Invalid(what)) } else { Ok(bytes) }
}

fn decode_body<'a>(c: &mut Cursor<'a>) -> Result<Body<'a>, WireError> {
    match c.u8("body kind")? {
        0 => {
            let bytes = c.long("body")?;
            if bytes.len() > MAX_INLINE_BODY as usize {
                let (length, limit) = (bytes.len() as u64, u64::from(MAX_INLINE_BODY));
                return Err(WireError::TooLong { what: "body", length, limit });
            }
            Ok(Body::Inline(bytes))
        }
        1 => Ok(Body::File(c.u64("body length")?)),
        2 => Ok(Body::Stream(None)),
        3 => Ok(Body::Stream(Some(c.u64("body length")?))),
        _ => Err(WireError::Invalid("body kind")),
    }
}

/// The fixed fields in front of the environ.
#[derive(Debug, Clone, Copy)]
pub struct RequestFields<'a> {
    /// See [`Flags`].
    pub flags: Flags,
    /// See [`Request::request_start`].
    pub request_start: u64,
    /// See [`Request::queue_start`].
    pub queue_start: u64,
    /// See [`Request::application_group`].
    pub application_group: &'a [u8],
    /// See [`Request::script`].
    pub script: &'a [u8],
    /// See [`Request::callable`].
    pub callable: &'a [u8],
    /// See [`Request::task`].
    pub task: Task<'a>,
}

/// Writes a request frame straight into a buffer, entry by entry.
#[derive(Debug)]
pub struct RequestEncoder<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    count_at: usize,
    count: u16,
}

impl<'b> RequestEncoder<'b> {
    /// Begins the frame at the end of `out`.
    ///
    /// # Errors
    /// [`WireError::TooLong`] for a name above 65,535 bytes. `out` is then as before.
    pub fn new(out: &'b mut Vec<u8>, fields: &RequestFields<'_>) -> Result<Self, WireError> {
        let start = frame::open(Kind::Request, out);
        let mut put = || {
            out.push(fields.flags.to_byte());
            out.extend_from_slice(&fields.request_start.to_le_bytes());
            out.extend_from_slice(&fields.queue_start.to_le_bytes());
            frame::put_short(out, "application group", fields.application_group)?;
            frame::put_short(out, "script", fields.script)?;
            frame::put_short(out, "callable", fields.callable)?;
            fields.task.put(out)
        };
        if let Err(error) = put() {
            out.truncate(start);
            return Err(error);
        }
        let count_at = out.len();
        out.extend_from_slice(&[0, 0]);
        Ok(Self { out, start, count_at, count: 0 })
    }

    /// Adds one environ entry.
    ///
    /// # Errors
    /// [`WireError::TooLong`] or, for an empty key, [`WireError::Invalid`]. Drop the encoder and the buffer then.
    pub fn pair(&mut self, key: &[u8], value: &[u8]) -> Result<(), WireError> {
        if key.is_empty() {
            return Err(WireError::Invalid("environ key"));
        }
        self.count = self.count.checked_add(1).ok_or(WireError::TooLong {
            what: "environ count",
            length: u64::from(u16::MAX) + 1,
            limit: u64::from(u16::MAX),
        })?;
        frame::put_short(self.out, "environ key", key)?;
        frame::put_long(self.out, "environ value", value)
    }

    /// Completes the frame with its body.
    ///
    /// # Errors
    /// [`WireError::TooLong`] when the frame or the inline body is above its limit; the buffer is then as before.
    pub fn finish(self, body: Body<'_>) -> Result<(), WireError> {
        let Self { out, start, count_at, count } = self;
        if let Some(place) = out.get_mut(count_at..count_at + 2) {
            place.copy_from_slice(&count.to_le_bytes());
        }
        match body {
            Body::Inline(bytes) if bytes.len() > MAX_INLINE_BODY as usize => {
                out.truncate(start);
                let (length, limit) = (bytes.len() as u64, u64::from(MAX_INLINE_BODY));
                return Err(WireError::TooLong { what: "body", length, limit });
            }
            Body::Inline(bytes) => {
                out.push(0);
                frame::put_long(out, "body", bytes)?;
            }
            Body::File(length) => {
                out.push(1);
                out.extend_from_slice(&length.to_le_bytes());
            }
            Body::Stream(None) => out.push(2),
            Body::Stream(Some(length)) => {
                out.push(3);
                out.extend_from_slice(&length.to_le_bytes());
            }
        }
        frame::close(Kind::Request, start, out)
    }
}
