//! The bytes behind one `wsgi.input`: a buffer over the exchange, without the GIL. What Python sees of it is the parent module's part.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use python::Mutex;

use crate::active::Active;
use crate::exchange::{BodyError, WriteError};

/// How much is asked for at once when lines are read or the end is looked for.
const CHUNK: usize = 64 * 1024;

/// A request body that is read from its beginning to its end, or from wherever it was sought to.
#[derive(Default)]
pub(super) struct Reader {
    /// Length of the body when all of it is there already.
    length: Option<u64>,
    /// How much of it the application has got.
    position: AtomicU64,
    failed: AtomicBool,
    /// Locked only without the GIL: reading blocks.
    buffered: Mutex<Buffered>,
}

/// Bytes that were received and not yet returned: from `start` on.
#[derive(Default)]
struct Buffered {
    bytes: Vec<u8>,
    start: usize,
    /// The exchange was asked for the body.
    asked: bool,
    at_end: bool,
}

/// Why reading stopped.
pub(super) enum Stop {
    /// What the exchange says.
    Body(BodyError),
    /// It has said so before.
    FailedBefore,
    /// The request has ended meanwhile.
    Over,
}

type Outcome<T> = std::result::Result<T, Stop>;

impl Reader {
    pub(super) fn new(length: Option<u64>) -> Self {
        Self { length, ..Self::default() }
    }

    /// Length of the body, where it is known for sure.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    pub(super) fn position(&self) -> u64 {
        self.position.load(Ordering::Relaxed)
    }

    /// How much can still be read, where that is known for sure.
    pub(super) fn left(&self) -> Option<usize> {
        let left = self.length?.saturating_sub(self.position());
        Some(usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Fails when reading has failed before, whatever is still in the buffer: something is missing behind it.
    pub(super) fn check(&self) -> Outcome<()> {
        if self.failed.load(Ordering::Relaxed) { Err(Stop::FailedBefore) } else { Ok(()) }
    }

    /// Fills the slice, less only at the end of the body. With an empty one only asks the client for the body, once.
    pub(super) fn fill(&self, active: &Active, into: &mut [u8]) -> Outcome<usize> {
        let mut buffered = self.buffered.lock();
        if into.is_empty() {
            return if buffered.asked { Ok(0) } else { self.receive(&mut buffered, active, into) };
        }
        let ready = buffered.ready().len().min(into.len());
        let (front, mut rest) = into.split_at_mut(ready);
        front.copy_from_slice(buffered.ready().get(..ready).unwrap_or_default());
        buffered.consume(ready);
        let mut filled = ready;
        while !rest.is_empty() {
            let count = self.receive(&mut buffered, active, rest)?;
            if count == 0 {
                break;
            }
            filled += count;
            rest = rest.split_at_mut(count).1;
        }
        self.advance(filled);
        Ok(filled)
    }

    /// Up to `wanted` bytes, less only at the end of the body.
    pub(super) fn gather(&self, active: &Active, wanted: usize) -> Outcome<Vec<u8>> {
        let mut buffered = self.buffered.lock();
        while buffered.ready().len() < wanted && self.refill(&mut buffered, active)? {}
        let bytes = buffered.take(wanted);
        self.advance(bytes.len());
        Ok(bytes)
    }

    /// Bytes up to and with the next line feed, at most `limit`.
    pub(super) fn line(&self, active: &Active, limit: usize) -> Outcome<Vec<u8>> {
        let mut buffered = self.buffered.lock();
        let mut searched = 0;
        let length = loop {
            let ready = buffered.ready();
            let found = ready.iter().skip(searched).position(|byte| *byte == b'\n');
            if let Some(position) = found {
                break searched + position + 1;
            }
            searched = ready.len();
            if searched >= limit || !self.refill(&mut buffered, active)? {
                break searched;
            }
        };
        let line = buffered.take(length.min(limit));
        self.advance(line.len());
        Ok(line)
    }

    /// Goes on reading at `position`, which may be behind the end.
    pub(super) fn seek(&self, active: &Active, position: u64) -> Outcome<()> {
        let mut buffered = self.buffered.lock();
        active.exchange.with(|exchange| exchange.seek_body(position)).ok_or(Stop::Over)?;
        *buffered = Buffered { asked: buffered.asked, ..Buffered::default() };
        self.position.store(position, Ordering::Relaxed);
        Ok(())
    }

    fn advance(&self, count: usize) {
        self.position.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Some bytes of the body; zero is the end.
    fn receive(&self, buffered: &mut Buffered, active: &Active, into: &mut [u8]) -> Outcome<usize> {
        self.check()?;
        if buffered.at_end {
            return Ok(0);
        }
        buffered.asked = true;
        match active.read_body(into) {
            None => Err(Stop::Over),
            Some(Ok(count)) => {
                buffered.at_end = count == 0 && !into.is_empty();
                Ok(count.min(into.len()))
            }
            Some(Err(error)) => {
                self.failed.store(true, Ordering::Relaxed);
                if error == BodyError::Closed {
                    // Nobody is there to take a response either.
                    active.response.lock().broken.get_or_insert(WriteError::ClientGone);
                }
                Err(Stop::Body(error))
            }
        }
    }

    /// More bytes behind the buffered ones; false is the end.
    fn refill(&self, buffered: &mut Buffered, active: &Active) -> Outcome<bool> {
        buffered.bytes.drain(..buffered.start);
        buffered.start = 0;
        let old = buffered.bytes.len();
        let mut room = std::mem::take(&mut buffered.bytes);
        let more = self.left().map_or(CHUNK, |left| left.saturating_sub(old).clamp(1, CHUNK));
        room.resize(old + more, 0);
        let received = self.receive(buffered, active, room.get_mut(old..).unwrap_or_default());
        room.truncate(old + received.as_ref().map_or(0, |count| *count));
        buffered.bytes = room;
        received.map(|count| count > 0)
    }
}

impl Buffered {
    fn ready(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    fn take(&mut self, wanted: usize) -> Vec<u8> {
        let count = self.ready().len().min(wanted);
        if self.start == 0 && count == self.bytes.len() {
            return std::mem::take(&mut self.bytes);
        }
        let bytes = self.ready().get(..count).unwrap_or_default().to_vec();
        self.consume(count);
        bytes
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
    }
}
