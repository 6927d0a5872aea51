//! One request's exchange with the child: the gateway's [`Exchange`] as frames. Nothing here knows Python.
//!
//! The head waits for the first block, so that head, block and end leave in one `sendmsg`. Log lines leave at once: an
//! application that crashes the next moment must not take its last words with it.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use gateway::{BodyError, Exchange, Level, ResponseHead, WriteError};
use unix::files::readable_size;
use wire::frame::{self, put_empty};
use wire::response::{data_frames, put_fail, put_head, put_log};
use wire::{FilePart, Kind, LogLevel, Refusal, RefusalReason, RequestOrder, WireError};

use crate::link::{Link, LinkError};
use crate::upload::Upload;
use crate::{codes, log};

/// Buffers that grew beyond this are not kept for the next request.
const KEPT: usize = 64 * 1024;

/// How far the response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No head yet.
    Before,
    /// The head is in `out`.
    Held,
    /// The head was sent.
    Open,
    /// The last frame was sent, or sending failed.
    Closed,
}

/// Frames that are being put together; kept between requests.
#[derive(Debug, Default)]
pub struct Buffers {
    out: Vec<u8>,
    log: Vec<u8>,
}

/// One request on one connection.
#[derive(Debug)]
pub struct Reply {
    link: Link,
    order: RequestOrder,
    upload: Upload,
    silence: Duration,
    phase: Phase,
    buffers: Buffers,
    broken: Option<WriteError>,
}

impl Reply {
    /// For a request that was just received. `silence` limits every wait for the child.
    pub fn new(link: Link, order: RequestOrder, upload: Upload, silence: Duration, buffers: Buffers) -> Self {
        Self { link, order, upload, silence, phase: Phase::Before, buffers, broken: None }
    }

    /// Passes the request back as one that nothing ran for.
    pub fn refuse(&mut self, reason: RefusalReason, why: &str) {
        self.phase = Phase::Closed;
        Refusal { reason, text: why.as_bytes() }.put(&mut self.buffers.out);
        let _ = self.send(&[], &[]);
    }

    /// Ends the exchange. The connection comes back when it can carry another request: the response is complete and
    /// nothing of the request is still on its way.
    pub fn finish(mut self) -> (Option<Link>, Buffers) {
        match self.phase {
            Phase::Before | Phase::Held => self.fail(500),
            Phase::Open => self.abort(""),
            Phase::Closed => {}
        }
        let mut buffers = self.buffers;
        buffers.out.clear();
        buffers.out.shrink_to(KEPT);
        buffers.log.shrink_to(KEPT);
        let reusable = self.order.answered() && self.broken.is_none();
        (reusable.then_some(self.link), buffers)
    }

    /// Answers a call with the frame that `put` writes.
    pub fn answer(&mut self, put: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>) {
        if self.phase != Phase::Before {
            return;
        }
        match put(&mut self.buffers.out) {
            Ok(()) => {
                self.phase = Phase::Closed;
                // A child that is gone needs no answer; `sent` has taken note.
                let _ = self.send(&[], &[]);
            }
            Err(error) => {
                let facts = format!("The answer of the script cannot be passed on: {error}.");
                if !self.tell(Level::Error, &codes::ANSWER.line(&facts)) {
                    log::report(codes::ANSWER, &facts);
                }
                self.fail(500);
            }
        }
    }

    /// Sends what is in `out`, then `parts`. Afterwards `out` is empty.
    fn send(&mut self, piece: &[u8], end: &[u8]) -> Result<(), WriteError> {
        let parts = &mut [IoSlice::new(&self.buffers.out), IoSlice::new(piece), IoSlice::new(end)];
        let result = self.link.send(parts, &[], self.silence);
        self.buffers.out.clear();
        self.sent(result)
    }

    /// Takes note of how sending went.
    fn sent(&mut self, result: Result<(), LinkError>) -> Result<(), WriteError> {
        let Err(error) = result else { return Ok(()) };
        let error = match error {
            LinkError::Closed => WriteError::ClientGone,
            other => WriteError::Failed(other.to_string()),
        };
        self.phase = Phase::Closed;
        self.broken = Some(error.clone());
        Err(error)
    }

    /// Sends a log line; false when the child takes none any more.
    fn tell(&mut self, level: Level, line: &str) -> bool {
        if self.phase == Phase::Closed {
            return false;
        }
        self.buffers.log.clear();
        // An empty text would be no frame; the child takes the end of the line off.
        let line = if line.is_empty() { "\n" } else { line };
        put_log(&mut self.buffers.log, wire_level(level), line.as_bytes());
        let result = self.link.send(&mut [IoSlice::new(&self.buffers.log)], &[], self.silence);
        self.sent(result).is_ok()
    }

    /// Whether body or end may be sent now.
    fn ready(&self) -> Result<(), WriteError> {
        match (&self.broken, self.phase) {
            (Some(error), _) => Err(error.clone()),
            (None, Phase::Held | Phase::Open) => Ok(()),
            (None, Phase::Before | Phase::Closed) => {
                Err(WriteError::Failed("no response is open on this connection".to_owned()))
            }
        }
    }

    /// Sends a block, cut where it is longer than a frame may be, and the end where it is the last.
    fn block(&mut self, block: &[u8], last: bool) -> Result<(), WriteError> {
        self.ready()?;
        self.phase = if last { Phase::Closed } else { Phase::Open };
        let end = frame::empty(Kind::End);
        let end = if last { &end[..] } else { &[] };
        if block.is_empty() {
            return self.send(&[], end);
        }
        let mut pieces = data_frames(Kind::Data, block).peekable();
        while let Some((header, piece)) = pieces.next() {
            self.buffers.out.extend_from_slice(&header);
            self.send(piece, if pieces.peek().is_none() { end } else { &[] })?;
        }
        Ok(())
    }
}

impl Exchange for Reply {
    fn read_body(&mut self, buf: &mut [u8]) -> Result<usize, BodyError> {
        self.upload.read(buf, &self.link, &mut self.order, self.silence)
    }

    fn seek_body(&mut self, position: u64) {
        self.upload.seek(position);
    }

    fn head(&mut self, head: &ResponseHead) {
        if self.phase != Phase::Before {
            return;
        }
        self.phase = Phase::Held;
        // The gateway raises in the application what no frame can hold; this is for a head that it let through all the same.
        if let Err(error) = put_head(&mut self.buffers.out, head.status(), head.reason(), head.headers()) {
            let facts = format!("The response head cannot be passed on: {error}.");
            if !self.tell(Level::Error, &codes::HEAD.line(&facts)) {
                log::report(codes::HEAD, &facts);
            }
            self.fail(500);
            self.broken.get_or_insert(WriteError::Failed(facts));
        }
    }

    fn data(&mut self, block: &[u8]) -> Result<(), WriteError> {
        self.block(block, false)
    }

    fn end_with(&mut self, last: &[u8]) -> Result<(), WriteError> {
        self.block(last, true)
    }

    fn file(&mut self, fd: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), WriteError> {
        self.ready()?;
        if length == 0 {
            return Ok(());
        }
        let part = FilePart { offset, length };
        if !matches!(readable_size(fd), Ok(Some(_))) {
            return Err(WriteError::Failed("only readable regular files can be handed to Apache".to_owned()));
        }
        if self.phase == Phase::Held {
            self.phase = Phase::Open;
            self.send(&[], &[])?;
        }
        // The descriptor travels with the first byte of its own frame.
        part.put(&mut self.buffers.out);
        let result = self.link.send(&mut [IoSlice::new(&self.buffers.out)], &[fd], self.silence);
        self.buffers.out.clear();
        self.sent(result)
    }

    fn end(&mut self) -> Result<(), WriteError> {
        self.block(&[], true)
    }

    fn abort(&mut self, _why: &str) {
        match self.phase {
            Phase::Closed => {}
            // Nothing has left yet: an error page says more than a broken connection.
            Phase::Before | Phase::Held => self.fail(500),
            Phase::Open => {
                self.phase = Phase::Closed;
                put_empty(Kind::Abort, &mut self.buffers.out);
                // A child that is gone needs no news; `sent` has taken note.
                let _ = self.send(&[], &[]);
            }
        }
    }

    fn fail(&mut self, status: u16) {
        if matches!(self.phase, Phase::Before | Phase::Held) {
            self.phase = Phase::Closed;
            self.buffers.out.clear();
            put_fail(&mut self.buffers.out, if (400..600).contains(&status) { status } else { 500 });
            let _ = self.send(&[], &[]);
        }
    }

    fn give_up(&mut self, status: u16) {
        let nothing_sent = matches!(self.phase, Phase::Before | Phase::Held);
        self.phase = Phase::Closed;
        self.broken = Some(WriteError::ClientGone);
        if nothing_sent {
            self.buffers.out.clear();
            put_fail(&mut self.buffers.out, status);
            self.link.send_at_once(&self.buffers.out);
            self.buffers.out.clear();
        }
        // Without its last frame a response is seen to be cut.
        self.link.hang_up();
    }

    fn log(&mut self, level: Level, script: &str, line: &str) {
        if !self.tell(level, line) {
            // Behind the last frame, and when the child is gone, the process's own log is what is left.
            log::write(process_level(level), &format!("[script {script}] {line}"));
        }
    }
}

fn wire_level(level: Level) -> LogLevel {
    match level {
        Level::Critical => LogLevel::Critical,
        Level::Error => LogLevel::Error,
        Level::Warn => LogLevel::Warning,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Debug,
    }
}

/// The level in the process's own log.
pub fn process_level(level: Level) -> spec::log::Level {
    match level {
        Level::Critical => spec::log::Level::Crit,
        Level::Error => spec::log::Level::Error,
        Level::Warn => spec::log::Level::Warn,
        Level::Info => spec::log::Level::Info,
        Level::Debug => spec::log::Level::Debug,
    }
}

/// A refusal and whether the connection goes on: it does when nothing of the request is still on its way.
#[inline(never)] // Where `cargo xtask guard` begins a new count.
pub fn refuse(link: Link, refusal: Refusal<'_>, mut order: RequestOrder, silence: Duration) -> Option<Link> {
    let mut out = Vec::new();
    refusal.put(&mut out);
    let sent = link.send(&mut [IoSlice::new(&out)], &[], silence);
    (sent.is_ok() && order.answered()).then_some(link)
}
