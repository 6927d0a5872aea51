//! The response head: status and headers, checked when they enter, kept in one buffer that is reused.
//! The rules that need Python objects are in `start_response`.

use std::ops::Range;

use wire::head::{MAX_HEADERS, MAX_LEN, encoded_len};

/// Status and headers of one response. What is in here has been checked: no control characters, names are RFC 9110
/// tokens, the status is within 200 and 999, hop-by-hop headers are gone, there is at most one Content-Length.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    status: u16,
    content_length: Option<u64>,
    bytes: Vec<u8>,
    reason: usize,
    headers: Vec<(Range<usize>, Range<usize>)>,
}

impl ResponseHead {
    /// The status code, 200 to 999.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase, latin-1, possibly empty.
    pub fn reason(&self) -> &[u8] {
        self.bytes.get(..self.reason).unwrap_or_default()
    }

    /// Names and values in the application's order, latin-1. Content-Length is among them when it was given.
    pub fn headers(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|(name, value)| {
            (
                self.bytes.get(name.clone()).unwrap_or_default(),
                self.bytes.get(value.clone()).unwrap_or_default(),
            )
        })
    }

    /// The declared Content-Length in bytes.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether a response with this status has no body by definition (RFC 9110 6.4.1).
    pub fn forbids_body(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// Its length in a frame, in bytes.
    pub(crate) fn encoded_len(&self) -> usize {
        encoded_len(self.bytes.len(), self.headers.len())
    }

    /// Whether a Content-Length can be added without breaking the limits of a head.
    pub(crate) fn has_room_for_length(&self) -> bool {
        const LENGTH: usize = encoded_len("Content-Length".len() + "18446744073709551615".len(), 1);
        self.headers.len() < usize::from(MAX_HEADERS) && self.encoded_len() + LENGTH <= MAX_LEN
    }

    pub(crate) fn restart(&mut self, status: u16, reason: &[u8]) {
        self.status = status;
        self.content_length = None;
        self.bytes.clear();
        self.headers.clear();
        self.bytes.extend_from_slice(reason);
        self.reason = self.bytes.len();
    }

    pub(crate) fn push(&mut self, name: &[u8], value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.headers.push((start..middle, middle..self.bytes.len()));
    }

    /// Records a Content-Length and adds the header.
    pub(crate) fn push_length(&mut self, name: &[u8], length: u64) {
        self.content_length = Some(length);
        self.push(name, length.to_string().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_head_forgets_everything() {
        let mut head = ResponseHead::default();
        head.restart(200, b"OK");
        head.push(b"X-A", b"1");
        head.push_length(b"Content-Length", 12);
        assert_eq!(
            head.headers().collect::<Vec<_>>(),
            [(&b"X-A"[..], &b"1"[..]), (b"Content-Length", b"12")]
        );
        assert_eq!((head.status(), head.reason(), head.content_length()), (200, &b"OK"[..], Some(12)));
        head.restart(304, b"");
        assert_eq!((head.headers().len(), head.reason(), head.content_length()), (0, &b""[..], None));
        assert!(head.forbids_body());
    }
}
