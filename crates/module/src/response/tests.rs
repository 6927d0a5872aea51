//! What a hostile worker might put into a head.

use proptest::prelude::*;

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

/// Bytes of which many are odd in a header.
fn odd() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => 0x20..0x7f_u8, 1 => any::<u8>(), 1 => prop::sample::select(b"\r\n\0: \t\x7f\xff".to_vec())];
    prop::collection::vec(byte, 0..12)
}

/// What RFC 9110 says, written down once more: 5.6.2 for names, 5.5 for values without obs-fold and tab.
fn is_clean(name: &[u8], value: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || br"!#$%&'*+-.^_`|~".contains(byte);
    let printable = |byte: &u8| matches!(byte, 0x20..=0x7e | 0x80..);
    !name.is_empty() && name.iter().all(letter) && value.iter().all(printable)
}

proptest! {
    #[test]
    fn rs_2_what_passes_is_clean_and_what_is_clean_passes(
        status in 0..1200_u16,
        reason in odd(),
        headers in prop::collection::vec((odd(), odd()), 0..4),
    ) {
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let bytes = encode(status, &reason, &pairs);
        let clean = (200..1000).contains(&status)
            && is_clean(b"X", &reason)
            && pairs.iter().all(|(name, value)| is_clean(name, value));
        let checked = CheckedHead::check(ResponseHead::decode(&bytes).unwrap(), false);
        prop_assert_eq!(checked.is_ok(), clean);
        for field in checked.iter().flat_map(CheckedHead::fields) {
            prop_assert!(is_clean(field.name, field.value) && field.value.trim_ascii() == field.value);
            prop_assert!(!wire::head::is_hop_by_hop(field.name));
        }
    }

    #[test]
    fn rs_6_only_one_length_passes(
        values in prop::collection::vec(prop_oneof!["[0-9]{1,20}", "[ +-]?[0-9]{1,3}[ ,x]?", ".{0,4}"], 1..3),
    ) {
        let headers: Vec<_> = values.iter().map(|value| (&b"Content-Length"[..], value.as_bytes())).collect();
        let bytes = encode(200, b"OK", &headers);
        let checked = CheckedHead::check(ResponseHead::decode(&bytes).unwrap(), false);
        let numbers: Vec<Option<i64>> = values
            .iter()
            .map(|value| {
                let text = value.trim_matches(|c: char| c.is_ascii_whitespace());
                text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
            })
            .collect();
        let same = numbers.iter().all(|number| number.is_some() && *number == numbers[0]);
        match checked {
            Ok(head) => prop_assert_eq!(head.length().map(u64::cast_signed), numbers[0].filter(|_| same)),
            Err(_) => prop_assert!(!same),
        }
    }
}
