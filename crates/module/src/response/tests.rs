//! What a hostile worker might put into a head.

use super::*;

fn encode(status: u16, reason: &[u8], headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::response::put_head(&mut out, status, reason, headers.iter().copied()).unwrap();
    out.split_off(wire::HEADER_LEN)
}

fn check(status: u16, reason: &[u8], headers: &[(&[u8], &[u8])]) -> Result<(), BadHead> {
    let bytes = encode(status, reason, headers);
    CheckedHead::check(ResponseHead::decode(&bytes).unwrap(), false).map(drop)
}

#[test]
fn rs_2_only_final_statuses_pass() {
    for status in [0, 1, 99, 100, 101, 199, 1000, u16::MAX] {
        assert_eq!(check(status, b"", &[]), Err(BadHead::Status(status)));
    }
    for status in [200, 204, 299, 304, 404, 599, 600, 999] {
        assert_eq!(check(status, b"", &[]), Ok(()));
    }
}

#[test]
fn rs_2_no_control_character_passes() {
    for byte in (0..0x20_u8).chain([0x7f]) {
        let text = [b'a', byte, b'b'];
        assert_eq!(check(200, &text, &[]), Err(BadHead::Reason(byte)));
        let value = BadHead::Value { name: "X".into(), byte };
        assert_eq!(check(200, b"", &[(b"X", &text)]), Err(value));
        assert!(matches!(check(200, b"", &[(&text, b"v")]), Err(BadHead::Name(_))));
    }
    assert_eq!(check(200, b"Gut \xfcber", &[(b"X-Latin", b"caf\xe9 au lait")]), Ok(()));
}

#[test]
fn rs_2_header_names_are_tokens() {
    for name in [&b""[..], b"A B", b"A:", b"A\r\nB", b"\xc3\xa9", b"(x)", b"a/b", b"a,b"] {
        assert!(matches!(check(200, b"", &[(name, b"v")]), Err(BadHead::Name(_))), "{name:?}");
    }
    assert_eq!(check(200, b"", &[(b"X-A_b.c~!#$%&'*+^`|", b"")]), Ok(()));
    assert_eq!(check(200, b"", &[(&[b'x'; 257], b"")]), Err(BadHead::NameLength(257)));
}

#[test]
fn rs_2_a_reason_of_nine_kilobytes_is_refused() {
    assert_eq!(check(200, &[b'x'; 9000], &[]), Err(BadHead::ReasonLength(9000)));
}

#[test]
fn rs_6_content_length_is_one_number() {
    for value in [&b""[..], b"-1", b"+1", b"1,1", b"0x10", b"1 1", b"9223372036854775808", b"1e3"] {
        assert_eq!(check(200, b"", &[(b"content-length", value)]), Err(BadHead::Length), "{value:?}");
    }
    let twice = |a: &'static [u8], b: &'static [u8]| {
        check(200, b"", &[(b"Content-Length", a), (b"content-length", b)])
    };
    assert_eq!(twice(b"5", b"6"), Err(BadHead::TwoLengths));
    assert_eq!(twice(b"5", b"5"), Ok(()));
}

#[test]
fn rs_6_bodies_and_lengths_that_a_status_forbids_are_dropped() {
    let bytes = |status| encode(status, b"", &[(b"Content-Length", b"7")]);
    let look = |status, head_only| {
        let bytes = bytes(status);
        let head = CheckedHead::check(ResponseHead::decode(&bytes).unwrap(), head_only).unwrap();
        (head.body(), head.length())
    };
    assert_eq!(look(200, false), (Body::Sent, Some(7)));
    assert_eq!(look(200, true), (Body::Dropped, Some(7)));
    assert_eq!(look(204, false), (Body::Dropped, None));
    assert_eq!(look(304, false), (Body::Dropped, Some(7)));
}

#[test]
fn rs_6_hop_by_hop_headers_are_the_servers() {
    let bytes = encode(
        200,
        b"OK",
        &[
            (b"Connection", b"close"),
            (b"Transfer-Encoding", b"chunked"),
            (b"UPGRADE", b"h2c"),
            (b"Keep-Alive", b"x"),
            (b"Content-Type", b" text/plain "),
            (b"Set-Cookie", b"a=1"),
            (b"Set-Cookie", b"b=2"),
            (b"WWW-Authenticate", b"Basic"),
            (b"Location", b"/x"),
        ],
    );
    let head = CheckedHead::check(ResponseHead::decode(&bytes).unwrap(), false).unwrap();
    let fields: Vec<_> = head.fields().map(|field| (field.kind, field.value)).collect();
    assert_eq!(
        fields,
        [
            (Kind::ContentType, &b"text/plain"[..]),
            (Kind::Repeated, b"a=1"),
            (Kind::Repeated, b"b=2"),
            (Kind::OnErrorsToo, b"Basic"),
            (Kind::Single, b"/x"),
        ]
    );
}
