//! What can be wrong with bytes from the other process, as one enum; no policy about what to do then.

use core::fmt;

/// Why bytes from the peer were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// The payload ended before the named field was complete.
    Truncated(&'static str),
    /// Bytes were left over behind the last field.
    Trailing(usize),
    /// The frame's kind is not one that this end understands.
    UnknownKind(u8),
    /// The peer speaks another version of the protocol.
    Version {
        /// The version in the peer's frame.
        theirs: u8,
    },
    /// The reserved bytes of a frame header are not zero.
    Reserved,
    /// A length is above the limit for its field.
    TooLong {
        /// The field.
        what: &'static str,
        /// The length that was announced, in bytes (or entries).
        length: u64,
        /// The limit, in the same unit.
        limit: u64,
    },
    /// A field holds a value outside its range.
    Invalid(&'static str),
    /// A frame of this kind may not come at this point.
    OutOfOrder {
        /// The kind that came.
        got: u8,
        /// What the receiver was waiting for.
        state: &'static str,
    },
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated(what) => write!(f, "the frame ends inside its field \"{what}\""),
            Self::Trailing(n) => write!(f, "{n} bytes follow the last field of the frame"),
            Self::UnknownKind(kind) => write!(f, "frame kind {kind:#04x} is unknown"),
            Self::Version { theirs } => write!(
                f,
                "the peer speaks protocol version {theirs}, this end version {}; \
                 stop and start Apache so that all parts come from one installation",
                crate::VERSION
            ),
            Self::Reserved => f.write_str("the reserved bytes of a frame header are not zero"),
            Self::TooLong { what, length, limit } => {
                write!(f, "field \"{what}\" announces {length}, the limit is {limit}")
            }
            Self::Invalid(what) => write!(f, "field \"{what}\" holds a value outside its range"),
            Self::OutOfOrder { got, state } => {
                write!(f, "frame kind {got:#04x} came while {state}")
            }
        }
    }
}

impl std::error::Error for WireError {}
