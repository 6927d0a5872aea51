//! A streamed request body on its way to the worker: read without waiting, framed, sent without waiting. Gathered bodies are
//! `body`'s part.

use std::io::{ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;

use wire::{HEADER_LEN, Kind};

use super::client::Client;
use super::failure::Failure;
use crate::body::BodyRead;

/// Bytes to read from the client at a time.
const STEP: usize = 64 * 1024 - HEADER_LEN;

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
}

impl Upload {
    /// `streamed`: the request frame said that the body comes later.
    #[must_use]
    pub fn new(streamed: bool) -> Self {
        Self { streamed, state: State::Resting, read: Vec::new(), frames: Vec::new(), sent: 0 }
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

    /// Moves what can be moved. With `wait`, waits for the client.
    ///
    /// # Errors
    /// What happened at the client's end, or an error of the connection other than the worker's refusal to read.
    pub fn step(
        &mut self,
        socket: BorrowedFd<'_>,
        client: &mut impl Client,
        wait: bool,
    ) -> Result<Step, Failure> {
        if !matches!(self.state, State::Running | State::Closing) {
            return Ok(Step::Idle);
        }
        if self.sent == self.frames.len() {
            self.frames.clear();
            self.sent = 0;
            self.read.clear();
            match client.read_body(&mut self.read, STEP, wait)? {
                BodyRead::Data => {
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
