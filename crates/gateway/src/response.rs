//! How far the response of a request is: which head, whether it left, how many body bytes it may still have.

use crate::exchange::{Exchange, WriteError};
use crate::head::ResponseHead;

#[derive(Default)]
pub(crate) struct Response {
    /// start_response was called successfully.
    pub(crate) started: bool,
    /// The head left: it cannot be replaced any more.
    pub(crate) sent: bool,
    pub(crate) head: ResponseHead,
    /// A second head whose memory is used for the next call of start_response.
    pub(crate) spare: ResponseHead,
    /// Body bytes passed on.
    written: u64,
    /// The application produced more than it declared.
    pub(crate) overrun: bool,
    /// Sending failed; nothing more is sent.
    pub(crate) broken: Option<WriteError>,
    /// The method is HEAD: a body shorter than declared is right.
    pub(crate) head_request: bool,
}

impl Response {
    /// As for a new request, with the memory of the old one.
    pub(crate) fn renewed(self, head_request: bool) -> Self {
        Self { head: self.head, spare: self.spare, head_request, ..Self::default() }
    }

    /// How many of `length` further body bytes may be sent; they count as sent.
    pub(crate) fn admit(&mut self, length: usize) -> Result<usize, WriteError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let left = match self.head.content_length() {
            _ if self.head.forbids_body() => 0,
            Some(declared) => declared.saturating_sub(self.written),
            None => u64::MAX,
        };
        let allowed = usize::try_from(left).unwrap_or(usize::MAX).min(length);
        self.overrun |= allowed < length;
        self.written = self.written.saturating_add(allowed as u64);
        Ok(allowed)
    }

    /// Counts bytes of a file.
    pub(crate) fn count(&mut self, length: u64) {
        self.written = self.written.saturating_add(length);
    }

    /// Body bytes passed on.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Declared and sent length, when the body is shorter than it has to be.
    pub(crate) fn shortage(&self) -> Option<(u64, u64)> {
        let declared = self.head.content_length()?;
        let matters = !self.head_request && !self.head.forbids_body() && self.written < declared;
        matters.then_some((declared, self.written))
    }

    pub(crate) fn send_head(&mut self, exchange: &mut dyn Exchange) {
        if !self.sent {
            self.sent = true;
            exchange.head(&self.head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, length: Option<u64>) -> Response {
        let mut response = Response::default();
        response.head.restart(status, b"");
        if let Some(length) = length {
            response.head.push_length(b"Content-Length", length);
        }
        response
    }

    #[test]
    fn rs_6_a_body_is_cut_at_its_declared_length() {
        let mut response = response(200, Some(5));
        assert_eq!(response.admit(3), Ok(3));
        assert_eq!(response.shortage(), Some((5, 3)));
        assert_eq!((response.admit(9), response.overrun), (Ok(2), true));
        assert_eq!((response.admit(1), response.shortage()), (Ok(0), None));
    }

    #[test]
    fn rs_6_some_responses_have_no_body() {
        for status in [204, 304] {
            let mut response = response(status, Some(5));
            assert_eq!((response.admit(5), response.shortage()), (Ok(0), None));
        }
        let mut head = response(200, Some(5));
        head.head_request = true;
        assert_eq!(head.shortage(), None);
    }
}
