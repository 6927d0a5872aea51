//! What a response head may hold: one table for both ends. A worker raises in the application what breaks it, a child refuses a
//! head that breaks it all the same; so nothing that an application was allowed to say becomes a broken response.

use crate::frame::MAX_RESPONSE_HEAD;

/// Statuses that an application can answer with. httpd itself passes on three digits, known or not; those below 200 are not the
/// end of a response (RFC 9110, 15.2).
pub const STATUSES: core::ops::RangeInclusive<u16> = 200..=999;
/// Longest reason phrase in bytes. Real ones are a few words; httpd builds the status line in a buffer of 8 KiB.
pub const MAX_REASON: usize = 512;
/// Longest header name in bytes. The longest registered ones have about 40.
pub const MAX_NAME: usize = 256;
/// Most headers in one response. httpd's own default for a request is 100.
pub const MAX_HEADERS: u16 = 1000;
/// Most bytes of a head as [`encoded_len`] counts them.
pub const MAX_LEN: usize = MAX_RESPONSE_HEAD as usize;

/// Headers that describe the connection between server and client and not the response (RFC 9110, 7.6.1; PEP 3333 forbids them
/// to applications). They are the server's: a response with them goes on without them.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Whether a header of this name belongs to the connection.
#[must_use]
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a header may have this name, apart from its length: a token (RFC 9110, 5.6.2).
#[must_use]
pub fn is_token(name: &[u8]) -> bool {
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !name.is_empty() && name.iter().all(token)
}

/// The first control character: neither a reason phrase nor a header may hold one (PEP 3333), not even a tab.
#[must_use]
pub fn control_in(text: &[u8]) -> Option<u8> {
    text.iter().copied().find(|byte| *byte < b' ' || *byte == 0x7f)
}

/// The number of bytes that a Content-Length announces: decimal digits below 2^63, no sign, no list.
#[must_use]
pub fn content_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    u64::try_from(number).ok()
}

/// Length in bytes of a head in a frame: `text` is the length of reason, names and values together, `headers` their number.
#[must_use]
pub const fn encoded_len(text: usize, headers: usize) -> usize {
    // Status, length of the reason, number of headers; two lengths for each header.
    6 + text + 6 * headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::put_head;

    #[test]
    fn the_length_is_that_of_the_frame() {
        for headers in [vec![], vec![(&b"A"[..], &b"bc"[..]), (b"Set-Cookie", b"")]] {
            let mut out = Vec::new();
            put_head(&mut out, 200, b"OK", headers.iter().copied()).unwrap();
            let text = headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + 2;
            assert_eq!(out.len() - crate::HEADER_LEN, encoded_len(text, headers.len()));
        }
    }

    #[test]
    fn rs_9_what_the_limits_allow_fits_a_frame() {
        let count = usize::from(MAX_HEADERS);
        let name = [b'x'; MAX_NAME];
        let empty = encoded_len(MAX_REASON + count * MAX_NAME, count);
        assert!(empty < MAX_LEN, "names alone fill the head");
        let value = vec![b'v'; MAX_LEN - empty];
        let values = |index| if index == 0 { &value[..] } else { &[] };
        let mut out = Vec::new();
        put_head(&mut out, 999, &[b'r'; MAX_REASON], (0..count).map(|index| (&name[..], values(index))))
            .unwrap();
        assert_eq!(out.len() - crate::HEADER_LEN, MAX_LEN);
    }

    #[test]
    fn rs_1_names_and_texts() {
        assert!(is_token(b"X-A_b.c~!#$%&'*+^`|"));
        for name in [&b""[..], b"A B", b"A:", b"A\r\nB", b"\xc3\xa9", b"(x)", b"a/b", b"a,b"] {
            assert!(!is_token(name), "{name:?}");
        }
        assert_eq!(control_in(b"caf\xe9 au lait"), None);
        assert_eq!(
            (control_in(b"a\tb"), control_in(b"\x7f"), control_in(b"a\0")),
            (Some(9), Some(0x7f), Some(0))
        );
        assert!(is_hop_by_hop(b"Transfer-Encoding") && !is_hop_by_hop(b"Proxy-Status"));
    }

    #[test]
    fn rs_6_content_length_is_one_number() {
        for value in
            [&b""[..], b"-1", b"+1", b"1,1", b"0x10", b"1 1", b"9223372036854775808", b"1e3", b"\xb2"]
        {
            assert_eq!(content_length(value), None, "{value:?}");
        }
        assert_eq!(content_length(b" 12 "), Some(12));
        assert_eq!(content_length(b"9223372036854775807"), Some(i64::MAX as u64));
    }
}
