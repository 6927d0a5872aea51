//! Received bytes and descriptors of one connection, cut into frames. Body data is handed out as it arrives, all other frames
//! whole; what a frame means is `exchange`'s part.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use wire::{FrameHeader, HEADER_LEN, Kind, WireError};

/// Size of the buffer in bytes between requests: each of httpd's threads has one.
const RESTING: usize = 8 * 1024;
/// Size of the buffer in bytes once a response has filled it. It grows further for a long response head only.
///
/// httpd waits for the client when it holds 64 KiB (`FlushMaxThreshold`): less than that, with a head and a chunk's frame, can
/// be passed on at a time to a client that has taken everything so far.
pub const SIZE: usize = 60 * 1024;

/// A place in the buffer.
pub type Place = Range<usize>;

/// What stands next in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A data frame begins.
    DataBegins,
    /// A part of a data frame's payload.
    Data(Place),
    /// Any other frame, with its payload.
    Frame(Kind, Place),
}

/// The receiving end of a connection.
#[derive(Debug, Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    filled: usize,
    parsed: usize,
    data_left: usize,
    received: bool,
    descriptors: Vec<OwnedFd>,
}

impl Inbox {
    /// Forgets everything, keeps the memory.
    pub fn reset(&mut self) {
        (self.filled, self.parsed, self.data_left, self.received) = (0, 0, 0, false);
        self.descriptors.clear();
        if self.buffer.len() != RESTING {
            self.buffer.resize(RESTING, 0);
            self.buffer.shrink_to_fit();
        }
    }

    /// True once a byte was received.
    #[must_use]
    pub fn has_received(&self) -> bool {
        self.received
    }

    /// True while nothing of a further frame, and no descriptor, is here.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.parsed == self.filled && self.data_left == 0 && self.descriptors.is_empty()
    }

    /// True when a frame has begun and is not complete.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        self.parsed != self.filled || self.data_left > 0
    }

    /// The bytes at a place that [`Inbox::next`] has named.
    #[must_use]
    pub fn bytes(&self, place: &Place) -> &[u8] {
        self.buffer.get(place.clone()).unwrap_or_default()
    }

    /// True when it is time for [`Inbox::discard`]: little or nothing can be received.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.buffer.len() - self.filled < RESTING / 2
    }

    /// Receives what is there. 0 at the end of the stream.
    ///
    /// # Errors
    /// As [`unix::stream::receive`].
    pub fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let count = unix::stream::receive(socket, room, &mut self.descriptors)?;
        self.filled += count;
        self.received |= count > 0;
        Ok(count)
    }

    /// The next item, `None` until more was received.
    ///
    /// # Errors
    /// What is wrong with a frame header.
    pub fn next(&mut self) -> Result<Option<Item>, WireError> {
        let here = self.filled - self.parsed;
        if self.data_left > 0 {
            let count = self.data_left.min(here);
            let place = self.parsed..self.parsed + count;
            self.parsed += count;
            self.data_left -= count;
            return Ok((count > 0).then_some(Item::Data(place)));
        }
        let received = self.buffer.get(self.parsed..self.filled).unwrap_or_default();
        let Some(header) = FrameHeader::at_front(received)? else { return Ok(None) };
        let (kind, length) = (header.kind, header.length as usize);
        let start = self.parsed + HEADER_LEN;
        if kind == Kind::Data {
            self.parsed = start;
            self.data_left = length;
            return Ok(Some(Item::DataBegins));
        }
        if here < HEADER_LEN + length {
            self.make_room(HEADER_LEN + length);
            return Ok(None);
        }
        self.parsed = start + length;
        Ok(Some(Item::Frame(kind, start..self.parsed)))
    }

    /// The frame at `parsed` needs `needed` bytes in all, which [`FrameHeader::parse`] has limited.
    fn make_room(&mut self, needed: usize) {
        // A frame that only stands too far behind gets its room by `discard`. Places that were handed out stay valid.
        if needed > self.buffer.len() {
            self.buffer.resize(self.parsed + needed, 0);
        }
    }

    /// Takes the descriptor that came with a file frame.
    pub fn take_descriptor(&mut self) -> Option<OwnedFd> {
        (!self.descriptors.is_empty()).then(|| self.descriptors.remove(0))
    }

    /// True when descriptors are here that belong to no frame: all frames in the buffer were taken, and at most one more, an
    /// incomplete file frame, can have brought one.
    #[must_use]
    pub fn has_stray_descriptors(&self) -> bool {
        let begun = usize::from(self.filled > self.parsed && self.data_left == 0);
        self.descriptors.len() > begun
    }

    /// Moves what was not parsed to the front. All places become invalid.
    pub fn discard(&mut self) {
        if self.buffer.len() < SIZE && self.is_full() {
            self.buffer.resize(SIZE, 0);
        }
        self.buffer.copy_within(self.parsed..self.filled, 0);
        self.filled -= self.parsed;
        self.parsed = 0;
    }
}
