//! The pieces of work: each a function that stays one, so that callgrind knows what belongs to it.

use std::hint::black_box;

use wire::response::{data_frames, put_head};
use wire::{
    Body, HEADER_LEN, Kind, Request, RequestEncoder, RequestOrder, ResponseHead, ResponseOrder, Split,
    WireError, frame, split,
};

use crate::facts::{self, HEADERS, Pair};

/// What is done once for the first time weighs nothing then.
const TIMES: u32 = 1000;
const SCRIPT: &[u8] = b"/srv/www/shop/shop.wsgi";
const BODY: &[u8] =
    b"{\"items\": [{\"id\": 1, \"price\": \"12.50\", \"title\": \"A cup\"}], \"page\": 2, \"pages\": 40}";
/// Headers of a page of Django.
const RESPONSE: [Pair; 8] = [
    (b"Content-Type", b"application/json"),
    (b"Vary", b"Accept, Cookie"),
    (b"Allow", b"GET, POST, HEAD, OPTIONS"),
    (b"X-Frame-Options", b"DENY"),
    (b"Content-Length", b"85"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Set-Cookie", b"csrftoken=Wq2mX0bVb7sX5l1o9aQkq8cXoGdVb3Jt; Path=/; SameSite=Lax; Secure"),
];

/// Does everything; one that comes to something else than expected is an error.
pub fn run() -> Result<(), WireError> {
    let (mut request, mut response) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        request.clear();
        guard_environ_encode(black_box(SCRIPT), &mut request)?;
    }
    let entries = guard_request_decode(black_box(&request))?;
    let mut plain = Vec::new();
    for _ in 0..TIMES {
        plain.clear();
        guard_request_encode(black_box(&HEADERS), black_box(BODY), &mut plain)?;
        response.clear();
        guard_response_encode(black_box(&RESPONSE), black_box(BODY), &mut response)?;
        if guard_request_decode(black_box(&request))? != entries
            || guard_response_decode(black_box(&response))? != (RESPONSE.len(), BODY.len())
        {
            return Err(WireError::Invalid("what was encoded"));
        }
    }
    Ok(())
}

/// From what httpd knows to a request frame.
#[inline(never)]
fn guard_environ_encode(script: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    facts::frame(script, out)
}

/// A request frame from entries that are there, with a body.
#[inline(never)]
fn guard_request_encode(entries: &[Pair], body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut encoder = RequestEncoder::new(out, &facts::fields(SCRIPT))?;
    for (key, value) in entries {
        encoder.pair(key, value)?;
    }
    encoder.finish(Body::Inline(body))
}

/// A worker's look at a request frame: all of it is checked and each entry is visited. The number of bytes of all entries.
#[inline(never)]
fn guard_request_decode(bytes: &[u8]) -> Result<usize, WireError> {
    let Split::Frame { kind, payload, .. } = split(bytes)? else { return Err(WireError::Truncated("frame")) };
    let request = Request::decode(payload)?;
    RequestOrder::default().accept(kind, matches!(request.body, Body::Stream(_)))?;
    Ok(request.environ().map(|(key, value)| black_box(key).len() + black_box(value).len()).sum())
}

/// Head, a piece of the body and the end, put together as a worker sends them.
#[inline(never)]
fn guard_response_encode(headers: &[Pair], body: &[u8], out: &mut Vec<u8>) -> Result<(), WireError> {
    put_head(out, 200, b"OK", headers.iter().copied())?;
    for (header, piece) in data_frames(Kind::Data, body) {
        out.extend_from_slice(&header);
        out.extend_from_slice(piece);
    }
    frame::put_empty(Kind::End, out);
    Ok(())
}

/// A child's look at the same. The number of headers and the length of the body.
#[inline(never)]
fn guard_response_decode(mut bytes: &[u8]) -> Result<(usize, usize), WireError> {
    let mut order = ResponseOrder::new(false);
    let (mut headers, mut length) = (0, 0);
    while !order.is_done() {
        let Split::Frame { kind, payload, consumed } = split(bytes)? else {
            return Err(WireError::Truncated("frame"));
        };
        order.accept(kind)?;
        match kind {
            Kind::Head => headers = ResponseHead::decode(payload)?.headers().map(black_box).count(),
            Kind::Data => length += black_box(payload).len(),
            _ => {}
        }
        bytes = bytes.get(consumed..).unwrap_or_default();
    }
    debug_assert!(HEADER_LEN < length);
    Ok((headers, length))
}
