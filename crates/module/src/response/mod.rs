//! The child's own check of a response head. A worker runs the site's code and may send anything; only a [`CheckedHead`], which
//! cannot be made without the checks, reaches httpd. Applying it to a request is `relay`'s part.

mod field;
mod rules;

use wire::ResponseHead;
use wire::head::{MAX_NAME, MAX_REASON, STATUSES, content_length, control_in};

pub use field::{Field, Kind};
pub use rules::{LongHeader, Meaning, Rules, survives};

/// What is wrong with a response head. The sentences name the header, never its value (it may hold a secret).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHead {
    /// Not a status that an application can answer with.
    #[error("status {0}: a response has a status from {low} to {high}", low = STATUSES.start(), high = STATUSES.end())]
    Status(u16),
    /// The reason phrase is too long.
    #[error("the reason phrase is {0} bytes long, the limit is {MAX_REASON}")]
    ReasonLength(usize),
    /// The reason phrase has a control character.
    #[error("the reason phrase holds the control character {0:#04x}")]
    Reason(u8),
    /// The name is too long.
    #[error("a header name is {0} bytes long, the limit is {MAX_NAME}")]
    NameLength(usize),
    /// The name is not a token.
    #[error("the header name \"{0}\" is not a token of RFC 9110")]
    Name(String),
    /// The value has a control character.
    #[error("the value of header \"{name}\" holds the control character {byte:#04x}")]
    Value {
        /// Header.
        name: String,
        /// The character.
        byte: u8,
    },
    /// Content-Length is no number.
    #[error("Content-Length is not a number of bytes below 2^63")]
    Length,
    /// Two different lengths.
    #[error("Content-Length stands there twice with different values")]
    TwoLengths,
}

/// A response head that may go to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedHead<'a> {
    head: ResponseHead<'a>,
    length: Option<u64>,
    body: Body,
}

/// Whether a body follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// As the application sends it.
    Sent,
    /// The method or the status forbids one (RFC 9110, 6.4.1), and nobody needs it: what comes is dropped.
    Dropped,
}

impl<'a> CheckedHead<'a> {
    /// Checks a head. `head_only`: the client sent HEAD.
    ///
    /// # Errors
    /// [`BadHead`]: nothing of it may reach the client.
    pub fn check(head: ResponseHead<'a>, head_only: bool) -> Result<Self, BadHead> {
        let ResponseHead { status, reason, .. } = head;
        if !STATUSES.contains(&status) {
            return Err(BadHead::Status(status));
        }
        if reason.len() > MAX_REASON {
            return Err(BadHead::ReasonLength(reason.len()));
        }
        if let Some(byte) = control_in(reason) {
            return Err(BadHead::Reason(byte));
        }
        let mut length = None;
        for (name, value) in head.headers() {
            field::check(name, value)?;
            if name.eq_ignore_ascii_case(b"content-length") {
                let this = content_length(value).ok_or(BadHead::Length)?;
                if length.is_some_and(|other| other != this) {
                    return Err(BadHead::TwoLengths);
                }
                length = Some(this);
            }
        }
        // Without a length httpd counts the body that it does not send, for the length in its answer to HEAD.
        let bodyless = head_only && length.is_some() || matches!(status, 204 | 304);
        let body = if bodyless { Body::Dropped } else { Body::Sent };
        // RFC 9110, 8.6: a 204 has no Content-Length.
        let length = length.filter(|_| status != 204);
        Ok(Self { head, length, body })
    }

    /// Three digits, one of [`STATUSES`].
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// Reason phrase without control characters, possibly empty.
    #[must_use]
    pub fn reason(&self) -> &'a [u8] {
        self.head.reason
    }

    /// `Content-Length`, in bytes.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether a body follows.
    #[must_use]
    pub fn body(&self) -> Body {
        self.body
    }

    /// The headers for httpd, in the application's order: without hop-by-hop ones (RFC 9110, 7.6.1), which are the server's,
    /// and without `Content-Length`, which is [`CheckedHead::length`].
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        self.head.headers().filter_map(|(name, value)| Field::new(name, value))
    }
}

#[cfg(test)]
mod tests;
