//! One response header: is it one, and what httpd does with it. Pure.

use super::BadHead;

/// Where a header goes in httpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `Content-Type`: httpd has a function for it. It comes from outside and must never choose a handler.
    ContentType,
    /// One value: a later one replaces it.
    Single,
    /// Each one is kept on a line of its own: joining cookies, or dates, would change their meaning.
    Repeated,
    /// Kept with error pages as well (`err_headers_out`), each one on its own.
    OnErrorsToo,
}

/// A checked header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// What httpd does with it.
    pub kind: Kind,
    /// A token.
    pub name: &'a [u8],
    /// Without controls and surrounding white space.
    pub value: &'a [u8],
}

/// Headers that httpd writes itself: those that describe the connection between server and client, not the response (RFC 9110,
/// 7.6.1), and the length of the body, which is [`super::CheckedHead::length`].
const OF_THE_SERVER: [&[u8]; 8] = [
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
    b"content-length",
];

/// Headers of which a response has one.
const SINGLE: [&[u8]; 6] =
    [b"location", b"content-range", b"last-modified", b"etag", b"expires", b"retry-after"];

impl<'a> Field<'a> {
    /// Sorts a header that [`check`] has accepted; `None` when httpd gets it in another way or not at all.
    pub(super) fn new(name: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let is = |list: &[&[u8]]| list.iter().any(|known| name.eq_ignore_ascii_case(known));
        let kind = match () {
            () if is(&OF_THE_SERVER) => return None,
            () if is(&[b"content-type"]) => Kind::ContentType,
            () if is(&[b"www-authenticate"]) => Kind::OnErrorsToo,
            () if is(&SINGLE) => Kind::Single,
            () => Kind::Repeated,
        };
        Some(Self { kind, name, value: value.trim_ascii() })
    }
}

/// Name and value must be what RFC 9110 (5.1, 5.5) lets a sender send.
pub(super) fn check(name: &[u8], value: &[u8]) -> Result<(), BadHead> {
    let shown = || super::super::relay::printable(name.get(..name.len().min(60)).unwrap_or_default());
    if name.is_empty() || name.len() > super::MAX_NAME || !name.iter().copied().all(is_token) {
        return Err(BadHead::Name(shown()));
    }
    match control_in(value) {
        Some(byte) => Err(BadHead::Value { name: shown(), byte }),
        None => Ok(()),
    }
}

/// The first control character; a tab is none.
pub(super) fn control_in(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f)
}

/// Decimal digits that fit a file size; no sign, no list.
pub(super) fn content_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    u64::try_from(number).ok()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
