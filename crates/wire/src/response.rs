//! Payloads of the frames that a worker sends: response head, file part, log text, refusal.

use crate::frame::{self, Kind, MAX_LOG, MAX_REFUSAL};
use crate::head::MAX_HEADERS;
use crate::{Cursor, FrameHeader, WireError};

/// Status line and headers as the worker sent them. Framing is checked, their characters are not: that is the
/// receiver's part (see [`crate::head`]), who must not trust the worker's own checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead<'a> {
    /// Three digits.
    pub status: u16,
    /// Reason phrase, possibly empty.
    pub reason: &'a [u8],
    headers: &'a [u8],
    count: u16,
}

impl<'a> ResponseHead<'a> {
    /// Decodes the payload of a head frame.
    ///
    /// # Errors
    /// Any [`WireError`]; nothing is allocated.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let status = c.u16("status")?;
        let reason = c.short("reason")?;
        let count = c.u16("header count")?;
        if count > MAX_HEADERS {
            let (length, limit) = (u64::from(count), u64::from(MAX_HEADERS));
            return Err(WireError::TooLong { what: "header count", length, limit });
        }
        let headers = c.rest();
        for _ in 0..count {
            c.short("header name")?;
            c.long("header value")?;
        }
        c.end()?;
        Ok(Self { status, reason, headers, count })
    }

    /// Number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// True without headers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Name and value of each header, in the application's order, duplicates included.
    pub fn headers(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut c = Cursor::new(self.headers);
        core::iter::from_fn(move || {
            let name = c.short("header name").ok()?;
            Some((name, c.long("header value").ok()?))
        })
    }
}

/// Appends a head frame.
///
/// # Errors
/// [`WireError::TooLong`] names the header that is too long; `out` is then as before.
pub fn put_head<'h>(
    out: &mut Vec<u8>,
    status: u16,
    reason: &[u8],
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
) -> Result<(), WireError> {
    let start = frame::open(Kind::Head, out);
    let result = fill_head(out, status, reason, headers);
    if result.is_err() {
        out.truncate(start);
        return result;
    }
    frame::close(Kind::Head, start, out)
}

fn fill_head<'h>(
    out: &mut Vec<u8>,
    status: u16,
    reason: &[u8],
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
) -> Result<(), WireError> {
    out.extend_from_slice(&status.to_le_bytes());
    frame::put_short(out, "reason", reason)?;
    let count_at = out.len();
    out.extend_from_slice(&[0, 0]);
    let mut count = 0_u16;
    for (name, value) in headers {
        if count == MAX_HEADERS {
            let (length, limit) = (u64::from(MAX_HEADERS) + 1, u64::from(MAX_HEADERS));
            return Err(WireError::TooLong { what: "header count", length, limit });
        }
        count += 1;
        frame::put_short(out, "header name", name)?;
        frame::put_long(out, "header value", value)?;
    }
    if let Some(place) = out.get_mut(count_at..count_at + 2) {
        place.copy_from_slice(&count.to_le_bytes());
    }
    Ok(())
}

/// A part of a regular file, whose descriptor comes with the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePart {
    /// First byte.
    pub offset: u64,
    /// Number of bytes, at least 1.
    pub length: u64,
}

impl FilePart {
    /// Decodes the payload of a file frame.
    ///
    /// # Errors
    /// [`WireError::Invalid`] when the part is empty or its end does not fit a signed 64-bit file offset.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let part = Self { offset: c.u64("file offset")?, length: c.u64("file length")? };
        c.end()?;
        let end = part.offset.checked_add(part.length).and_then(|end| i64::try_from(end).ok());
        if part.length == 0 || end.is_none() {
            return Err(WireError::Invalid("file length"));
        }
        Ok(part)
    }

    /// Appends the frame. The descriptor must travel with the frame's first byte.
    pub fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&FrameHeader { kind: Kind::File, length: 16 }.to_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
    }
}

/// Severity of a piece of log text, with httpd's numbers (syslog's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum LogLevel {
    Critical = 2,
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl LogLevel {
    /// The level with this number.
    ///
    /// # Errors
    /// [`WireError::Invalid`].
    pub fn from_number(number: u8) -> Result<Self, WireError> {
        [Self::Critical, Self::Error, Self::Warning, Self::Notice, Self::Info, Self::Debug]
            .into_iter()
            .find(|level| *level as u8 == number)
            .ok_or(WireError::Invalid("log level"))
    }
}

/// Text for the error log of the request. May hold any bytes and several lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log<'a> {
    /// Severity.
    pub level: LogLevel,
    /// Never empty.
    pub text: &'a [u8],
}

impl<'a> Log<'a> {
    /// Decodes the payload of a log frame.
    ///
    /// # Errors
    /// [`WireError::Invalid`] for an unknown level.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let level = LogLevel::from_number(c.u8("log level")?)?;
        Ok(Self { level, text: c.rest() })
    }
}

/// Appends as many log frames as `text` needs; none for an empty text.
pub fn put_log(out: &mut Vec<u8>, level: LogLevel, text: &[u8]) {
    for piece in text.chunks(MAX_LOG as usize) {
        let header = FrameHeader { kind: Kind::Log, length: piece.len() as u32 + 1 };
        out.extend_from_slice(&header.to_bytes());
        out.push(level as u8);
        out.extend_from_slice(piece);
    }
}

/// Appends a fail frame.
pub fn put_fail(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(&FrameHeader { kind: Kind::Fail, length: 2 }.to_bytes());
    out.extend_from_slice(&status.to_le_bytes());
}

/// Decodes the payload of a fail frame: a status from 400 to 599.
///
/// # Errors
/// [`WireError::Invalid`] outside that range.
pub fn decode_fail(payload: &[u8]) -> Result<u16, WireError> {
    let mut c = Cursor::new(payload);
    let status = c.u16("status")?;
    c.end()?;
    if (400..600).contains(&status) { Ok(status) } else { Err(WireError::Invalid("status")) }
}

/// Why a worker did not look at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum RefusalReason {
    /// The bytes were no valid request.
    Malformed = 1,
    /// The script is not one that the configuration allows for this process group.
    Script = 2,
    /// The worker speaks another version of the protocol.
    Version = 3,
    /// The script has changed since this worker loaded it, and the worker is about to be replaced: its successor takes the request.
    Reload = 4,
}

/// A refusal with the worker's sentence for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// The kind of reason.
    pub reason: RefusalReason,
    /// A sentence; untrusted bytes.
    pub text: &'a [u8],
}

impl<'a> Refusal<'a> {
    /// Decodes the payload of a refuse frame.
    ///
    /// # Errors
    /// [`WireError::Invalid`] for an unknown reason.
    pub fn decode(payload: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(payload);
        let reason = match c.u8("refusal reason")? {
            1 => RefusalReason::Malformed,
            2 => RefusalReason::Script,
            3 => RefusalReason::Version,
            4 => RefusalReason::Reload,
            _ => return Err(WireError::Invalid("refusal reason")),
        };
        Ok(Self { reason, text: c.rest() })
    }

    /// Appends the frame; a text above its limit is cut.
    pub fn put(self, out: &mut Vec<u8>) {
        let text = self.text.get(..MAX_REFUSAL as usize).unwrap_or(self.text);
        let header = FrameHeader { kind: Kind::Refuse, length: text.len() as u32 + 1 };
        out.extend_from_slice(&header.to_bytes());
        out.push(self.reason as u8);
        out.extend_from_slice(text);
    }
}

/// Writes the frame headers for a block of body data, cut into pieces of at most [`frame::MAX_DATA`] bytes.
/// Yields header and piece, for a vectored write without copying. Nothing for an empty block.
pub fn data_frames(kind: Kind, block: &[u8]) -> impl Iterator<Item = ([u8; frame::HEADER_LEN], &[u8])> {
    block
        .chunks(frame::MAX_DATA as usize)
        .map(move |piece| (FrameHeader { kind, length: piece.len() as u32 }.to_bytes(), piece))
}
