//! One response header: is it one, and what httpd does with it. Pure.

use wire::head::{MAX_NAME, control_in, is_hop_by_hop, is_token};

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

/// Headers of which a response has one.
const SINGLE: [&[u8]; 6] =
    [b"location", b"content-range", b"last-modified", b"etag", b"expires", b"retry-after"];

impl<'a> Field<'a> {
    /// Sorts a header that [`check`] has accepted; `None` when httpd gets it in another way or not at all.
    pub(super) fn new(name: &'a [u8], value: &'a [u8]) -> Option<Self> {
        let is = |list: &[&[u8]]| list.iter().any(|known| name.eq_ignore_ascii_case(known));
        let kind = match () {
            // httpd writes these itself; the length it is told by `CheckedHead::length`.
            () if is_hop_by_hop(name) || is(&[b"content-length"]) => return None,
            () if is(&[b"content-type"]) => Kind::ContentType,
            () if is(&[b"www-authenticate"]) => Kind::OnErrorsToo,
            () if is(&SINGLE) => Kind::Single,
            () => Kind::Repeated,
        };
        Some(Self { kind, name, value: value.trim_ascii() })
    }
}

/// Name and value must be what a worker lets an application send.
pub(super) fn check(name: &[u8], value: &[u8]) -> Result<(), BadHead> {
    let shown = || super::super::relay::printable(name.get(..name.len().min(60)).unwrap_or_default());
    if name.len() > MAX_NAME {
        return Err(BadHead::NameLength(name.len()));
    }
    if !is_token(name) {
        return Err(BadHead::Name(shown()));
    }
    match control_in(value) {
        Some(byte) => Err(BadHead::Value { name: shown(), byte }),
        None => Ok(()),
    }
}
