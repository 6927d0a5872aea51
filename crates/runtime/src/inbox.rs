//! Reading one request frame into a buffer that a request thread keeps. What is done with it is in `thread`.

use std::os::fd::OwnedFd;
use std::time::Duration;

use unix::files::readable_size;
use wire::{Body, HEADER_LEN, Kind, Request, RequestOrder, Split, WireError, split};

use crate::link::{Link, LinkError, after};

/// What the buffer grows from and shrinks back to: requests with small bodies fit.
const USUAL: usize = 32 * 1024;

/// How reading a request ended.
#[derive(Debug)]
pub enum Arrival {
    /// A whole frame is in the inbox.
    Frame,
    /// Nothing has come.
    Nothing,
    /// The child has closed the connection between two requests, or broke it.
    Gone(LinkError),
    /// The bytes are no frame.
    Malformed(WireError),
}

/// Why a frame is not served.
#[derive(Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// The bytes break the protocol.
    Wire(WireError),
    /// The descriptors that came along are not those the request announces.
    Files(String),
    /// Bytes follow a request that must not be followed.
    Surplus,
}

/// A checked request, borrowing from the inbox, and what came with it.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The request.
    pub request: Request<'a>,
    /// The file with its body.
    pub file: Option<OwnedFd>,
    /// The state of the connection after this frame.
    pub order: RequestOrder,
    /// Bytes behind the frame: the beginning of a streamed body.
    pub surplus: &'a [u8],
}

/// The buffer.
#[derive(Debug)]
pub struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
    files: Vec<OwnedFd>,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self { bytes: vec![0; USUAL], filled: 0, files: Vec::new() }
    }

    /// Reads one frame. Looks `tries` times whether anything has come, letting other threads run in between; once the
    /// first byte is there, the whole frame must be there within `limit`.
    pub fn read(&mut self, link: &Link, tries: u32, limit: Duration) -> Arrival {
        self.files.clear();
        self.filled = 0;
        self.bytes.truncate(USUAL);
        self.bytes.shrink_to(USUAL);
        for turn in 0..tries {
            if turn > 0 {
                std::thread::yield_now();
            }
            match link.try_receive(&mut self.bytes, &mut self.files) {
                Ok(None) => {}
                Ok(Some(0)) => return Arrival::Gone(LinkError::Closed),
                Ok(Some(count)) => {
                    self.filled = count;
                    return self.complete(link, limit);
                }
                Err(error) => return Arrival::Gone(error),
            }
        }
        Arrival::Nothing
    }

    fn complete(&mut self, link: &Link, limit: Duration) -> Arrival {
        let mut deadline = None;
        loop {
            let needed = match split(self.received()) {
                Ok(Split::Frame { .. }) => return Arrival::Frame,
                Ok(Split::Need(needed)) => needed,
                Err(error) => return Arrival::Malformed(error),
            };
            if self.filled == self.bytes.len() {
                // Grows with what has really come, not with what was announced.
                let size = needed.min(self.filled * 2).max(self.filled + HEADER_LEN);
                self.bytes.resize(size, 0);
            }
            let deadline = *deadline.get_or_insert_with(|| after(limit));
            let Some(free) = self.bytes.get_mut(self.filled..) else { return Arrival::Nothing };
            match link.receive(free, &mut self.files, deadline) {
                Ok(count) => self.filled += count,
                Err(error) => return Arrival::Gone(error),
            }
        }
    }

    fn received(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// The request in the frame that was read. The descriptors that came along go with it or are closed.
    pub fn take(&mut self) -> Result<Taken<'_>, BadRequest> {
        let files = std::mem::take(&mut self.files);
        let received = self.received();
        let (kind, payload, consumed) = match split(received).map_err(BadRequest::Wire)? {
            Split::Frame { kind, payload, consumed } => (kind, payload, consumed),
            Split::Need(_) => return Err(BadRequest::Wire(WireError::Truncated("payload"))),
        };
        let mut order = RequestOrder::default();
        if kind != Kind::Request {
            order.accept(kind, false).map_err(BadRequest::Wire)?;
        }
        let request = Request::decode(payload).map_err(BadRequest::Wire)?;
        let streamed = matches!(request.body, Body::Stream(_));
        order.accept(kind, streamed).map_err(BadRequest::Wire)?;
        let surplus = received.get(consumed..).unwrap_or_default();
        if !streamed && !surplus.is_empty() {
            return Err(BadRequest::Surplus);
        }
        let file = check_files(files, &request.body)?;
        Ok(Taken { request, file, order, surplus })
    }
}

fn check_files(mut files: Vec<OwnedFd>, body: &Body<'_>) -> Result<Option<OwnedFd>, BadRequest> {
    let expected = usize::from(matches!(body, Body::File(_)));
    if files.len() != expected {
        let count = files.len();
        return Err(BadRequest::Files(format!("{count} descriptors came with it, {expected} belong to it")));
    }
    let file = files.pop();
    if let (Some(file), Body::File(length)) = (&file, body) {
        match readable_size(file) {
            Ok(Some(size)) if size >= *length => {}
            Ok(Some(size)) => {
                return Err(BadRequest::Files(format!("its body has {size} bytes instead of {length}")));
            }
            Ok(None) | Err(_) => {
                return Err(BadRequest::Files("its body is not a readable regular file".to_owned()));
            }
        }
    }
    Ok(file)
}

impl std::fmt::Display for BadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(error) => error.fmt(f),
            Self::Files(text) => f.write_str(text),
            Self::Surplus => f.write_str("bytes follow a request that is not answered yet"),
        }
    }
}
