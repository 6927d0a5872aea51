//! A streamed request body on its way to the worker: read without waiting, framed, sent without waiting. Gathered bodies are
//! `body`'s part.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use wire::{HEADER_LEN, Kind};

use super::client::Client;
use super::failure::Failure;
use crate::body::BodyRead;

/// Bytes to read from the client at a time.
const STEP: usize = 64 * 1024 - HEADER_LEN;
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

/// A streamed body, or none.
#[derive(Debug)]
pub struct Upload {
    streamed: bool,
    state: State,
    read: Vec<u8>,
    frames: Vec<u8>,
    sent: usize,
    /// Silence of the client so far.
    silent: Duration,
}

impl Upload {
    /// `streamed`: the request frame said that the body comes later.
    #[must_use]
    pub fn new(streamed: bool) -> Self {
        Self {
            streamed,
            state: State::Resting,
            read: Vec::new(),
            frames: Vec::new(),
            sent: 0,
            silent: Duration::ZERO,
        }
    }

    /// The worker has asked for the body.
    pub fn begin(&mut self) {
        self.state = State::Running;
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
        if self.sent == self.frames.len() {
            self.frames.clear();
            self.sent = 0;
            self.read.clear();
            match client.read_body(&mut self.read, STEP, false)? {
                BodyRead::Data => {
                    self.silent = Duration::ZERO;
                    for (header, piece) in wire::response::data_frames(Kind::Body, &self.read) {
                        self.frames.extend_from_slice(&header);
                        self.frames.extend_from_slice(piece);
                    }
                }
                BodyRead::WouldBlock => return Ok(Step::WaitsForClient),
                BodyRead::End => {
                    wire::frame::put_empty(Kind::BodyEnd, &mut self.frames);
                    self.state = State::Closing;
                }
            }
        }
        self.send(socket)
    }

    fn send(&mut self, socket: BorrowedFd<'_>) -> Result<Step, Failure> {
        let rest = self.frames.get(self.sent..).unwrap_or_default();
        match unix::stream::send(socket, &[IoSlice::new(rest)], &[]) {
            Ok(count) => {
                self.sent += count;
                if self.state == State::Closing && self.sent == self.frames.len() {
                    self.state = State::Complete;
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => return Ok(Step::WaitsForWorker),
                // It may have answered without reading; what it sent can still be received.
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => self.state = State::Unwanted,
                _ => return Err(Failure::Connection(error)),
            },
        }
        Ok(Step::Moved)
    }
}
