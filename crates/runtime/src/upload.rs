//! The body of one request, wherever it is: in the frame, in a passed file, or still to come in frames.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use gateway::BodyError;
use rustix::io::{pread, retry_on_intr};
use wire::{FrameHeader, HEADER_LEN, Kind, RequestOrder, frame};

use crate::link::{Link, LinkError, after};

/// How much longer than its client the child may be silent.
const SLACK: Duration = Duration::from_secs(2);

/// Where the next bytes of a body come from.
#[derive(Debug)]
pub enum Upload {
    /// From the request frame: bytes, and the position of the next one.
    Inline(Vec<u8>, usize),
    /// From a file: next and end position.
    File(OwnedFd, u64, u64),
    /// From frames.
    Stream(Stream),
}

impl Upload {
    /// Length of the body in bytes when all of it is here.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Inline(bytes, _) => Some(bytes.len() as u64),
            Self::File(_, _, end) => Some(*end),
            Self::Stream(_) => None,
        }
    }

    /// Goes on at `position`, where all of the body is here.
    pub fn seek(&mut self, position: u64) {
        match self {
            Self::Inline(_, at) => *at = usize::try_from(position).unwrap_or(usize::MAX),
            Self::File(_, at, _) => *at = position,
            Self::Stream(_) => {}
        }
    }

    /// Fills the front of `buf`; 0 at the end of the body.
    pub fn read(
        &mut self,
        buf: &mut [u8],
        link: &Link,
        order: &mut RequestOrder,
        silence: Duration,
    ) -> Result<usize, BodyError> {
        match self {
            Self::Inline(bytes, at) => {
                let count = copy(bytes.get(*at..).unwrap_or_default(), buf);
                *at += count;
                Ok(count)
            }
            Self::File(file, at, end) => {
                let left = usize::try_from(end.saturating_sub(*at)).unwrap_or(usize::MAX);
                let most = left.min(buf.len());
                let Some(front) = buf.get_mut(..most).filter(|front| !front.is_empty()) else {
                    return Ok(0);
                };
                match retry_on_intr(|| pread(&*file, &mut *front, *at)) {
                    Ok(0) => {
                        Err(BodyError::Failed("The file with the request body was cut short".to_owned()))
                    }
                    Ok(count) => {
                        *at += count as u64;
                        Ok(count)
                    }
                    Err(error) => Err(BodyError::Failed(error.to_string())),
                }
            }
            Self::Stream(stream) => stream.read(buf, link, order, silence),
        }
    }
}

/// A body that comes in frames once it was asked for.
#[derive(Debug)]
pub struct Stream {
    asked: bool,
    ended: bool,
    /// Bytes that the current frame still holds.
    left: usize,
    /// Received and not looked at.
    pending: Vec<u8>,
    at: usize,
    announced: Option<u64>,
    delivered: u64,
    /// When the frame that is being received must be complete.
    frame_deadline: Option<Instant>,
}

impl Stream {
    /// `surplus` came in one piece with the request.
    pub fn new(announced: Option<u64>, surplus: &[u8]) -> Self {
        Self {
            asked: false,
            ended: false,
            left: 0,
            pending: surplus.to_vec(),
            at: 0,
            announced,
            delivered: 0,
            frame_deadline: None,
        }
    }

    fn read(
        &mut self,
        buf: &mut [u8],
        link: &Link,
        order: &mut RequestOrder,
        silence: Duration,
    ) -> Result<usize, BodyError> {
        if !self.asked {
            self.asked = true;
            let ask = frame::empty(Kind::WantBody);
            link.send(&mut [IoSlice::new(&ask)], &[], silence).map_err(body_error)?;
        }
        loop {
            if self.ended || buf.is_empty() {
                return Ok(0);
            }
            if self.left > 0 {
                return self.read_piece(buf, link, silence);
            }
            self.frame_deadline = None;
            self.next_frame(link, order, silence)?;
        }
    }

    /// Bytes of the current frame: those received already, else straight from the socket.
    fn read_piece(&mut self, buf: &mut [u8], link: &Link, silence: Duration) -> Result<usize, BodyError> {
        let most = self.left.min(buf.len());
        let front = buf.get_mut(..most).unwrap_or_default();
        let waiting = self.pending.get(self.at..).unwrap_or_default();
        let count = if waiting.is_empty() {
            let deadline = *self.frame_deadline.get_or_insert_with(|| after(silence));
            receive(link, front, deadline)?
        } else {
            let count = copy(waiting, front);
            self.at += count;
            count
        };
        self.left -= count;
        self.delivered += count as u64;
        if self.announced.is_some_and(|announced| announced < self.delivered) {
            return Err(BodyError::Failed("More of the request body came than was announced".to_owned()));
        }
        Ok(count)
    }

    /// Reads the next frame header.
    fn next_frame(
        &mut self,
        link: &Link,
        order: &mut RequestOrder,
        silence: Duration,
    ) -> Result<(), BodyError> {
        let broken =
            |error: wire::WireError| BodyError::Failed(format!("The request body is broken: {error}"));
        let header = loop {
            let waiting = self.pending.get(self.at..).unwrap_or_default();
            if let Some(header) = FrameHeader::at_front(waiting).map_err(broken)? {
                break header;
            }
            self.pending.drain(..self.at.min(self.pending.len()));
            self.at = 0;
            // Between two frames the child waits for its client, as long as this: it is the one to tell the client that this
            // was too long, so it gets the time to do so.
            let slack = if self.pending.is_empty() { SLACK } else { Duration::ZERO };
            let deadline = *self.frame_deadline.get_or_insert_with(|| after(silence.saturating_add(slack)));
            // No more than the header: the payload goes straight to where it is wanted.
            let mut piece = [0; HEADER_LEN];
            let missing = HEADER_LEN.saturating_sub(self.pending.len());
            let count = receive(link, piece.get_mut(..missing).unwrap_or_default(), deadline)?;
            self.pending.extend_from_slice(piece.get(..count).unwrap_or_default());
        };
        order.accept(header.kind, false).map_err(broken)?;
        self.at += HEADER_LEN;
        match header.kind {
            Kind::Body => self.left = header.length as usize,
            Kind::BodyEnd if self.announced.is_some_and(|announced| announced != self.delivered) => {
                return Err(BodyError::Closed);
            }
            Kind::BodyEnd => self.ended = true,
            _ => return Err(BodyError::Closed),
        }
        Ok(())
    }
}

fn receive(link: &Link, buf: &mut [u8], deadline: Instant) -> Result<usize, BodyError> {
    let mut files = Vec::new();
    let count = link.receive(buf, &mut files, deadline).map_err(body_error)?;
    if files.is_empty() {
        Ok(count)
    } else {
        Err(BodyError::Failed("A descriptor came with the request body".to_owned()))
    }
}

fn body_error(error: LinkError) -> BodyError {
    match error {
        LinkError::Closed => BodyError::Closed,
        LinkError::TimedOut => BodyError::TimedOut,
        LinkError::Failed(_) => BodyError::Failed(error.to_string()),
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}
