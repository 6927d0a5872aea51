//! Which frame may come when, as two small state machines; pure, one step per frame.

use crate::{Kind, WireError};

/// The worker's view of a connection: frames that a child sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestOrder {
    /// Waiting for a request.
    #[default]
    Idle,
    /// A request with a streamed body came; its body is not complete.
    Streaming,
    /// The request is complete; nothing more may come until it is answered.
    Complete,
}

impl RequestOrder {
    /// Takes note of a frame. `streamed` says, for a request frame, whether its body is streamed.
    ///
    /// # Errors
    /// [`WireError::OutOfOrder`].
    pub fn accept(&mut self, kind: Kind, streamed: bool) -> Result<(), WireError> {
        *self = match (*self, kind) {
            (Self::Idle, Kind::Request) if streamed => Self::Streaming,
            (Self::Idle, Kind::Request) => Self::Complete,
            (Self::Streaming, Kind::Body) => Self::Streaming,
            (Self::Streaming, Kind::BodyEnd | Kind::BodyAbort) => Self::Complete,
            (state, kind) => {
                let state = match state {
                    Self::Idle => "waiting for a request",
                    Self::Streaming => "receiving a request body",
                    Self::Complete => "answering a request",
                };
                return Err(WireError::OutOfOrder { got: kind as u8, state });
            }
        };
        Ok(())
    }

    /// The response is complete: the next request may come, unless a streamed body was left unfinished.
    /// Says whether the connection can be used again.
    pub fn answered(&mut self) -> bool {
        let reusable = *self == Self::Complete;
        *self = Self::Idle;
        reusable
    }
}

/// The child's view of a connection: frames that a worker sends in answer to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseOrder {
    /// No head yet.
    Before {
        /// The request has a streamed body that was not asked for yet.
        body_wanted: bool,
    },
    /// The request was a call: no answer yet.
    Call,
    /// The head came.
    After {
        /// The request has a streamed body that was not asked for yet.
        body_wanted: bool,
    },
    /// The last frame came.
    Done,
}

impl ResponseOrder {
    /// For a request that was just sent.
    #[must_use]
    pub fn new(streamed: bool) -> Self {
        Self::Before { body_wanted: streamed }
    }

    /// For a call that was just sent.
    #[must_use]
    pub fn call() -> Self {
        Self::Call
    }

    /// Takes note of a frame.
    ///
    /// # Errors
    /// [`WireError::OutOfOrder`].
    pub fn accept(&mut self, kind: Kind) -> Result<(), WireError> {
        *self = match (*self, kind) {
            (state @ (Self::Before { .. } | Self::Call | Self::After { .. }), Kind::Log) => state,
            (Self::Before { body_wanted: true }, Kind::WantBody) => Self::Before { body_wanted: false },
            (Self::After { body_wanted: true }, Kind::WantBody) => Self::After { body_wanted: false },
            (Self::Before { body_wanted }, Kind::Head) => Self::After { body_wanted },
            (Self::Before { .. }, Kind::Fail | Kind::Refuse) => Self::Done,
            (Self::Call, Kind::Answer | Kind::Fail | Kind::Refuse) => Self::Done,
            (state @ Self::After { .. }, Kind::Data | Kind::File) => state,
            (Self::After { .. }, Kind::End | Kind::Abort) => Self::Done,
            (state, kind) => {
                let state = match state {
                    Self::Before { .. } => "waiting for a response head",
                    Self::Call => "waiting for the answer to a call",
                    Self::After { .. } => "receiving a response body",
                    Self::Done => "no request was open",
                };
                return Err(WireError::OutOfOrder { got: kind as u8, state });
            }
        };
        Ok(())
    }

    /// True once the last frame came.
    #[must_use]
    pub fn is_done(&self) -> bool {
        *self == Self::Done
    }
}
