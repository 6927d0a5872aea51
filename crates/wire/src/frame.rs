//! The frame header: kinds, version, limits, and splitting a buffer into frames; payloads live in `request` and `response`.

use crate::{Cursor, WireError};

/// Version of the protocol. It stands in every frame header, at a place that never moves.
pub const VERSION: u8 = 1;
/// Length of a frame header in bytes.
pub const HEADER_LEN: usize = 8;
/// Longest request frame: head, environ and inline body, in bytes. httpd's own default limits stay far below.
pub const MAX_REQUEST: u32 = 1024 * 1024 + MAX_INLINE_BODY;
/// Longest request body that travels inside the request frame, in bytes.
pub const MAX_INLINE_BODY: u32 = 64 * 1024;
/// Longest response head, in bytes: what a child must be ready to hold for a worker it does not trust.
pub const MAX_RESPONSE_HEAD: u32 = 512 * 1024;
/// Longest piece of a body in one frame, in bytes. Longer blocks are cut into several frames.
pub const MAX_DATA: u32 = 1024 * 1024;
/// Longest piece of log text in one frame, in bytes. Longer texts are cut into several frames.
pub const MAX_LOG: u32 = 64 * 1024;
/// Longest answer to a call, in bytes: room for some thousand groups of a user.
pub const MAX_ANSWER: u32 = 64 * 1024;
/// Longest sentence in a refusal, in bytes.
pub const MAX_REFUSAL: u32 = 4 * 1024;

/// What a frame is. The high bit group tells the direction: below 0x40 child to worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Child: a request, see [`crate::Request`].
    Request = 0x01,
    /// Child: a piece of a streamed request body, never empty.
    Body = 0x02,
    /// Child: the streamed body is complete.
    BodyEnd = 0x03,
    /// Child: the streamed body broke off (the client went away, or a limit was exceeded).
    BodyAbort = 0x04,
    /// Worker: status and headers, see [`crate::ResponseHead`].
    Head = 0x41,
    /// Worker: a piece of the response body, never empty.
    Data = 0x42,
    /// Worker: a part of a file whose descriptor comes along, see [`crate::FilePart`].
    File = 0x43,
    /// Worker: the response is complete.
    End = 0x44,
    /// Worker: the response broke off after its head; the client must see that.
    Abort = 0x45,
    /// Worker: there is no response; the payload is the status to answer with (u16).
    Fail = 0x46,
    /// Worker: text for the error log, see [`crate::Log`].
    Log = 0x47,
    /// Worker: send the streamed body now.
    WantBody = 0x48,
    /// Worker: the request was not looked at, see [`crate::Refusal`].
    Refuse = 0x49,
    /// Worker: what a call came to, see [`crate::Answer`].
    Answer = 0x4a,
}

impl Kind {
    /// All kinds, for tables and tests.
    pub const ALL: [Self; 14] = [
        Self::Request,
        Self::Body,
        Self::BodyEnd,
        Self::BodyAbort,
        Self::Head,
        Self::Data,
        Self::File,
        Self::End,
        Self::Abort,
        Self::Fail,
        Self::Log,
        Self::WantBody,
        Self::Refuse,
        Self::Answer,
    ];

    /// The kind with this tag.
    ///
    /// # Errors
    /// [`WireError::UnknownKind`].
    pub fn from_tag(tag: u8) -> Result<Self, WireError> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == tag).ok_or(WireError::UnknownKind(tag))
    }

    /// Smallest and largest payload of this kind, in bytes.
    #[must_use]
    pub fn payload_limits(self) -> (u32, u32) {
        match self {
            Self::Request => (1, MAX_REQUEST),
            Self::Body | Self::Data => (1, MAX_DATA),
            Self::BodyEnd | Self::BodyAbort | Self::End | Self::Abort | Self::WantBody => (0, 0),
            Self::Head => (6, MAX_RESPONSE_HEAD),
            Self::File => (16, 16),
            Self::Fail => (2, 2),
            Self::Log => (2, MAX_LOG + 1),
            Self::Refuse => (1, MAX_REFUSAL + 1),
            Self::Answer => (1, MAX_ANSWER),
        }
    }
}

/// A checked frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// What follows.
    pub kind: Kind,
    /// Length of the payload in bytes, within the limits of its kind.
    pub length: u32,
}

impl FrameHeader {
    /// Reads a header.
    ///
    /// # Errors
    /// The version is looked at first, so that a peer of another version is named as such.
    pub fn parse(bytes: [u8; HEADER_LEN]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(&bytes);
        let tag = cursor.u8("kind")?;
        let theirs = cursor.u8("version")?;
        if theirs != VERSION {
            return Err(WireError::Version { theirs });
        }
        if cursor.u16("reserved")? != 0 {
            return Err(WireError::Reserved);
        }
        let kind = Kind::from_tag(tag)?;
        let length = cursor.u32("length")?;
        let (least, most) = kind.payload_limits();
        if length < least {
            return Err(WireError::Truncated("payload"));
        }
        if length > most {
            let (length, limit) = (u64::from(length), u64::from(most));
            return Err(WireError::TooLong { what: "payload", length, limit });
        }
        Ok(Self { kind, length })
    }

    /// The header at the front of `buffer`; `None` when that holds less than one.
    ///
    /// # Errors
    /// As [`FrameHeader::parse`].
    pub fn at_front(buffer: &[u8]) -> Result<Option<Self>, WireError> {
        buffer.first_chunk().map(|header| Self::parse(*header)).transpose()
    }

    /// The bytes of a header.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let [a, b, c, d] = self.length.to_le_bytes();
        [self.kind as u8, VERSION, 0, 0, a, b, c, d]
    }
}

/// Result of looking for a frame at the front of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole frame: its kind, its payload, and how many bytes of the buffer it takes.
    Frame {
        /// What it is.
        kind: Kind,
        /// Its payload.
        payload: &'a [u8],
        /// Bytes to remove from the front of the buffer.
        consumed: usize,
    },
    /// The buffer must grow to at least this many bytes. Never above the limit of the announced kind.
    Need(usize),
}

/// Looks for one whole frame at the front of `buffer`.
///
/// # Errors
/// As [`FrameHeader::parse`].
pub fn split(buffer: &[u8]) -> Result<Split<'_>, WireError> {
    let Some(header) = FrameHeader::at_front(buffer)? else { return Ok(Split::Need(HEADER_LEN)) };
    let consumed = HEADER_LEN + header.length as usize;
    match buffer.get(HEADER_LEN..consumed) {
        Some(payload) => Ok(Split::Frame { kind: header.kind, payload, consumed }),
        None => Ok(Split::Need(consumed)),
    }
}

/// The header of a frame whose payload follows by itself: `length` bytes, within [`Kind::payload_limits`].
#[must_use]
pub fn header(kind: Kind, length: u32) -> [u8; HEADER_LEN] {
    FrameHeader { kind, length }.to_bytes()
}

/// An empty frame of `kind`.
#[must_use]
pub fn empty(kind: Kind) -> [u8; HEADER_LEN] {
    header(kind, 0)
}

/// Appends an empty frame of `kind`.
pub fn put_empty(kind: Kind, out: &mut Vec<u8>) {
    out.extend_from_slice(&empty(kind));
}

/// Starts a frame whose length is not known yet; [`close`] completes it.
pub(crate) fn open(kind: Kind, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    put_empty(kind, out);
    start
}

/// Writes the length of the frame that begins at `start`.
///
/// # Errors
/// [`WireError::TooLong`]; the frame is then removed from `out`.
pub(crate) fn close(kind: Kind, start: usize, out: &mut Vec<u8>) -> Result<(), WireError> {
    let length = out.len().saturating_sub(start + HEADER_LEN) as u64;
    let limit = u64::from(kind.payload_limits().1);
    if length > limit {
        out.truncate(start);
        return Err(WireError::TooLong { what: "payload", length, limit });
    }
    if let Some(place) = out.get_mut(start + 4..start + HEADER_LEN) {
        place.copy_from_slice(&(length as u32).to_le_bytes());
    }
    Ok(())
}

/// Appends bytes with a 16-bit length in front.
///
/// # Errors
/// [`WireError::TooLong`] above 65,535 bytes.
pub(crate) fn put_short(out: &mut Vec<u8>, what: &'static str, bytes: &[u8]) -> Result<(), WireError> {
    let length = u16::try_from(bytes.len()).map_err(|_| WireError::TooLong {
        what,
        length: bytes.len() as u64,
        limit: u64::from(u16::MAX),
    })?;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// Appends bytes with a 32-bit length in front.
///
/// # Errors
/// [`WireError::TooLong`] above the longest request frame, the largest frame with such fields.
pub(crate) fn put_long(out: &mut Vec<u8>, what: &'static str, bytes: &[u8]) -> Result<(), WireError> {
    let limit = MAX_REQUEST as usize;
    if bytes.len() > limit {
        return Err(WireError::TooLong { what, length: bytes.len() as u64, limit: limit as u64 });
    }
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
