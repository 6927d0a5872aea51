//! A streamed request body on its way to the worker: read without waiting, framed, sent without waiting. Gathered bodies are
//! `body`'s part.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Duration;

use wire::frame::MAX_DATA;
use wire::{HEADER_LEN, Kind, frame};

use super::backlog::Backlog;
use super::client::Client;
use super::failure::Failure;
use crate::body::BodyRead;

/// Bytes to read from the client at a time.
const STEP: usize = 128 * 1024;
/// Longest sleep while the client is waited for: mod_reqtimeout ends a body that comes too slowly when it is read, not before.
const NAP: Duration = Duration::from_secs(1);
/// First and longest sleep where there is no socket to wake us: one stream of HTTP/2.
const BLIND_NAPS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// How far the body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Travelled with the request, or the worker has not asked for it.
    Resting,
    /// The worker has asked for it.
    Running,
    /// Its last frame is on the way.
    Closing,
    /// All of it was sent.
    Complete,
    /// The worker takes no more.
    Unwanted,
}

/// What a step did, or what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes moved.
    Moved,
    /// The worker must read first.
    WaitsForWorker,
    /// The client must send first.
    WaitsForClient,
    /// Nothing to do.
    Idle,
}

/// A frame on its way.
#[derive(Debug)]
struct Frame {
    header: [u8; HEADER_LEN],
    /// Bytes of its payload, at the front of what is here.
    length: usize,
    /// Bytes of header and payload that were sent.
    sent: usize,
}

impl Frame {
    fn new(kind: Kind, length: usize) -> Self {
        // `length` is at most MAX_DATA.
        Self { header: frame::header(kind, length as u32), length, sent: 0 }
    }

    /// What is still to be sent of header and payload.
    fn rest<'f>(&'f self, payload: &'f [u8]) -> [IoSlice<'f>; 2] {
        let header = self.header.get(self.sent..).unwrap_or_default();
        let sent = self.sent.saturating_sub(HEADER_LEN);
        [IoSlice::new(header), IoSlice::new(payload.get(sent..self.length).unwrap_or_default())]
    }

    fn is_sent(&self) -> bool {
        self.sent >= HEADER_LEN + self.length
    }
}

/// A streamed body, or none.
#[derive(Debug)]
pub struct Upload<'a> {
    streamed: bool,
    state: State,
    /// The part of the body that was read before the exchange, as far as it was not sent.
    begun: &'a [u8],
    read: Vec<u8>,
    /// How much of `read` was sent.
    at: usize,
    frame: Option<Frame>,
    /// What was read although the worker did not take it.
    stored: Backlog,
    /// All of the body was read.
    ended: bool,
    /// Silence of the client so far.
    silent: Duration,
}

impl<'a> Upload<'a> {
    /// `streamed`: the request frame said that the body comes later; `begun` is the part of it that is here already.
    #[must_use]
    pub fn new(streamed: bool, begun: &'a [u8]) -> Self {
        Self {
            streamed,
            state: State::Resting,
            begun,
            read: Vec::new(),
            at: 0,
            frame: None,
            stored: Backlog::default(),
            ended: false,
            silent: Duration::ZERO,
        }
    }

    /// The worker has asked for the body.
    pub fn begin(&mut self) {
        self.state = State::Running;
    }

    /// True when all of the body that was read from the client is still here: the worker has not asked for it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state == State::Resting
    }

    /// True when nothing of a body is or will be under way on the connection.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.streamed || self.state == State::Complete
    }

    /// How long to sleep before the client is asked again; `woken` when its socket ends the sleep.
    #[must_use]
    pub fn nap(&self, woken: bool) -> Duration {
        let (first, longest) = BLIND_NAPS;
        // Grows with the silence: a client that sends is asked often, one that does not costs little.
        if woken { NAP } else { self.silent.clamp(first, longest) }
    }

    /// Takes note of a sleep in which the client may have been silent.
    ///
    /// # Errors
    /// [`Failure::BodyTimeout`] once it was so for `patience`.
    pub fn slept(&mut self, time: Duration, patience: Duration) -> Result<(), Failure> {
        self.silent += time;
        if self.silent < patience { Ok(()) } else { Err(Failure::BodyTimeout) }
    }

    /// Moves what can be moved without waiting.
    ///
    /// # Errors
    /// What happened at the client's end, or an error of the connection other than the worker's refusal to read.
    pub fn step(&mut self, socket: BorrowedFd<'_>, client: &mut impl Client) -> Result<Step, Failure> {
        if !matches!(self.state, State::Running | State::Closing) {
            return Ok(Step::Idle);
        }
        let frame = match self.frame.take() {
            Some(frame) => frame,
            None => match self.next(client)? {
                Some(frame) => frame,
                None => return Ok(Step::WaitsForClient),
            },
        };
        self.send(frame, socket)
    }

    /// Reads from the client although the worker takes nothing, because it waits for the client to take the response: most clients
    /// do so only when all of their body was taken.
    ///
    /// # Errors
    /// As [`Upload::step`], and an error of the file in `directory`.
    pub fn store(&mut self, client: &mut impl Client, directory: &Path) -> Result<Step, Failure> {
        let mut piece = Vec::new();
        match self.read(client, &mut piece)? {
            BodyRead::Data => {
                let spool = |error| Failure::Spool { directory: directory.display().to_string(), error };
                self.stored.put(&piece, directory).map_err(spool)?;
                Ok(Step::Moved)
            }
            BodyRead::WouldBlock => Ok(Step::WaitsForClient),
            BodyRead::End => Ok(Step::WaitsForWorker),
        }
    }

    fn read(&mut self, client: &mut impl Client, into: &mut Vec<u8>) -> Result<BodyRead, Failure> {
        if self.ended {
            return Ok(BodyRead::End);
        }
        let read = client.read_body(into, STEP, false)?;
        match read {
            BodyRead::Data => self.silent = Duration::ZERO,
            BodyRead::End => self.ended = true,
            BodyRead::WouldBlock => {}
        }
        Ok(read)
    }

    /// The next frame; `None` when the client must send first.
    fn next(&mut self, client: &mut impl Client) -> Result<Option<Frame>, Failure> {
        if self.here().is_empty() {
            let mut read = std::mem::take(&mut self.read);
            read.clear();
            self.at = 0;
            let brought = match self.stored.take(&mut read).map_err(Failure::Connection)? {
                Some(_) => BodyRead::Data,
                None => self.read(client, &mut read)?,
            };
            self.read = read;
            match brought {
                BodyRead::Data => {}
                BodyRead::WouldBlock => return Ok(None),
                BodyRead::End => {
                    self.state = State::Closing;
                    return Ok(Some(Frame::new(Kind::BodyEnd, 0)));
                }
            }
        }
        Ok(Some(Frame::new(Kind::Body, self.here().len().min(MAX_DATA as usize))))
    }

    /// What was read and not sent.
    fn here(&self) -> &[u8] {
        if self.begun.is_empty() { self.read.get(self.at..).unwrap_or_default() } else { self.begun }
    }

    fn send(&mut self, mut frame: Frame, socket: BorrowedFd<'_>) -> Result<Step, Failure> {
        match unix::stream::send(socket, &frame.rest(self.here()), &[]) {
            Ok(count) => frame.sent += count,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.frame = Some(frame);
                    return Ok(Step::WaitsForWorker);
                }
                // It may have answered without reading; what it sent can still be received.
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                    self.state = State::Unwanted;
                    return Ok(Step::Moved);
                }
                _ => return Err(Failure::Connection(error)),
            },
        }
        if !frame.is_sent() {
            self.frame = Some(frame);
        } else if self.state == State::Closing {
            self.state = State::Complete;
        } else if self.begun.is_empty() {
            self.at += frame.length;
        } else {
            self.begun = self.begun.get(frame.length..).unwrap_or_default();
        }
        Ok(Step::Moved)
    }
}
