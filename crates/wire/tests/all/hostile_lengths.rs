//! Lengths that lie, frames that end early, values outside their range: an error each time, never a panic or a reservation.

use crate::common::{Owned, OwnedBody, cases};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::frame::MAX_INLINE_BODY;
use wire::head::MAX_HEADERS;
use wire::response::{decode_fail, put_head};
use wire::{
    Answer, Body, FilePart, Flags, FrameHeader, HEADER_LEN, Kind, Log, Refusal, Request, RequestEncoder,
    RequestFields, ResponseHead, Split, Task, VERSION, WireError, split,
};

fn sample_payload() -> Vec<u8> {
    let mut bytes = Vec::new();
    Owned::sample().encode(&mut bytes).unwrap();
    bytes.split_off(HEADER_LEN)
}

fn sample_head() -> Vec<u8> {
    let mut bytes = Vec::new();
    let headers: [(&[u8], &[u8]); 3] = [(b"A", b"1"), (b"Set-Cookie", b"\0"), (b"Set-Cookie", b"")];
    put_head(&mut bytes, 200, b"OK", headers).unwrap();
    bytes.split_off(HEADER_LEN)
}

#[test]
fn wf_1_truncation_at_every_byte_is_an_error() {
    for body in [OwnedBody::Inline(b"abc".to_vec()), OwnedBody::File(9), OwnedBody::Stream(Some(9))] {
        let mut bytes = Vec::new();
        Owned { body, ..Owned::sample() }.encode(&mut bytes).unwrap();
        let payload = bytes.split_off(HEADER_LEN);
        for end in 0..payload.len() {
            assert!(Request::decode(&payload[..end]).is_err(), "{end} of {}", payload.len());
        }
        let longer = [&payload[..], b"\0"].concat();
        assert_eq!(Request::decode(&longer), Err(WireError::Trailing(1)));
    }
    let head = sample_head();
    for end in 0..head.len() {
        assert!(ResponseHead::decode(&head[..end]).is_err(), "{end} of {}", head.len());
    }
    assert!(ResponseHead::decode(&[&head[..], b"\0"].concat()).is_err());
    let part = [7_u8; 16];
    for end in 0..part.len() {
        assert!(FilePart::decode(&part[..end]).is_err());
        assert!(end == 0 || FilePart::decode(&[&part[..], &part[..end]].concat()).is_err());
    }
    for bad in [&b""[..], b"\x90", b"\x90\x01\0"] {
        assert!(decode_fail(bad).is_err());
    }
    assert!(Log::decode(b"").is_err());
    assert!(Refusal::decode(b"").is_err());
}

/// Every place of the payload at which a length or a count could stand is overwritten by every interesting number:
/// the result is an error or a value that covers exactly these bytes.
#[test]
fn wf_1_every_length_at_every_place_is_checked() {
    let numbers = |now: u64| {
        let around = [now.wrapping_add(1), now.wrapping_sub(1), 0, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff];
        around.into_iter().chain([u64::MAX, u64::MAX >> 1])
    };
    for (payload, decode) in [
        (sample_payload(), (|bytes| Request::decode(bytes).is_ok()) as fn(&[u8]) -> bool),
        (sample_head(), |bytes| ResponseHead::decode(bytes).is_ok()),
    ] {
        for place in 0..payload.len() {
            for width in [2_usize, 4, 8] {
                let Some(old) = payload.get(place..place + width) else { continue };
                let mut word = [0; 8];
                word[..width].copy_from_slice(old);
                for number in numbers(u64::from_le_bytes(word)) {
                    let mut changed = payload.clone();
                    changed[place..place + width].copy_from_slice(&number.to_le_bytes()[..width]);
                    if decode(&changed) {
                        assert!(!decode(&[&changed[..], b"\0"].concat()), "trailing byte unnoticed");
                    }
                }
            }
        }
    }
}

#[test]
fn wf_1_header_lengths_are_checked_before_the_payload_comes() {
    for kind in Kind::ALL {
        let (least, most) = kind.payload_limits();
        for length in [0, 1, least, most, most.saturating_add(1), 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            let result = split(&FrameHeader { kind, length }.to_bytes()).map(|split| match split {
                Split::Frame { consumed, .. } => consumed,
                Split::Need(bytes) => bytes,
            });
            match result {
                Ok(bytes) => {
                    assert!((least..=most).contains(&length), "{kind:?} took {length}");
                    assert_eq!(bytes, HEADER_LEN + length as usize);
                }
                Err(WireError::Truncated(_)) => assert!(length < least, "{kind:?} refused {length}"),
                Err(WireError::TooLong { .. }) => assert!(length > most, "{kind:?} refused {length}"),
                Err(other) => panic!("{kind:?} {length}: {other}"),
            }
        }
    }
}

#[test]
fn wf_1_limits_hold_for_the_encoder_too() {
    let fields = |script| RequestFields {
        flags: Flags::default(),
        request_start: 0,
        queue_start: 0,
        application_group: b"",
        script,
        callable: b"application",
        task: Task::Application,
    };
    let long = vec![b'/'; 65_536];
    let mut out = b"kept".to_vec();
    assert!(matches!(RequestEncoder::new(&mut out, &fields(&long)), Err(WireError::TooLong { .. })));
    assert_eq!(out, b"kept");

    let mut encoder = RequestEncoder::new(&mut out, &fields(b"/a")).unwrap();
    assert_eq!(encoder.pair(b"", b"1"), Err(WireError::Invalid("environ key")));

    out.clear();
    let body = vec![0; MAX_INLINE_BODY as usize + 1];
    let encoder = RequestEncoder::new(&mut out, &fields(b"/a")).unwrap();
    assert!(matches!(encoder.finish(Body::Inline(&body)), Err(WireError::TooLong { what: "body", .. })));
    assert!(out.is_empty());

    let mut encoder = RequestEncoder::new(&mut out, &fields(b"/a")).unwrap();
    encoder.pair(b"A", &vec![0; 1024 * 1024]).unwrap();
    encoder.pair(b"B", &vec![0; 64 * 1024]).unwrap();
    assert!(matches!(encoder.finish(Body::Inline(b"")), Err(WireError::TooLong { what: "payload", .. })));
    assert!(out.is_empty());
}

#[test]
fn wf_1_too_many_entries_are_refused() {
    let mut out = Vec::new();
    let mut owned = Owned::sample();
    owned.environ = vec![(b"A".to_vec(), Vec::new()); 65_536];
    assert!(matches!(owned.encode(&mut out), Err(WireError::TooLong { what: "environ count", .. })));
    out.clear();
    let headers = vec![(&b"A"[..], &b"1"[..]); usize::from(MAX_HEADERS) + 1];
    assert!(matches!(put_head(&mut out, 200, b"", headers), Err(WireError::TooLong { .. })));
    assert!(out.is_empty());
}

#[test]
fn values_outside_their_range_are_refused() {
    let mut payload = sample_payload();
    payload[0] = 16;
    assert_eq!(Request::decode(&payload), Err(WireError::Invalid("flags")));
    for script in [&b"relative"[..], b"", b"/with\0nul"] {
        let mut owned = Owned::sample();
        owned.names.1 = script.to_vec();
        let mut bytes = Vec::new();
        owned.encode(&mut bytes).unwrap();
        assert_eq!(Request::decode(&bytes[HEADER_LEN..]), Err(WireError::Invalid("script")));
    }
    for level in [0, 1, 8, 255] {
        assert!(Log::decode(&[level, b'x']).is_err());
    }
    for reason in [0, 5, 255] {
        assert!(Refusal::decode(&[reason]).is_err());
    }
}

#[test]
fn wf_1_answers_and_calls_outside_their_range_are_refused() {
    for bad in [
        &b""[..],
        b"\x06",
        b"\xff",
        b"\0\0",
        b"\x02x",
        b"\x03",
        b"\x03\0\0",
        b"\x03\x03\0ab",
        b"\x03\x02\0a\0",
        b"\x04",
        b"\x04\x01\0",
        b"\x04\xff\xff\x01\0a",
        b"\x04\x01\0\x02\0a\0",
        b"\x04\0\0a",
        b"\x05",
        b"\x05\0\0",
        b"\x05\x02\0\0",
        b"\x05\x01\x01\0\0\0\0",
        b"\x05\0\0\0\0",
    ] {
        assert!(Answer::decode(bad).is_err(), "{}", bad.escape_ascii());
    }
    let payload = |owned: &Owned| {
        let mut bytes = Vec::new();
        owned.encode(&mut bytes).unwrap();
        bytes.split_off(HEADER_LEN)
    };
    for number in 1..=5 {
        let call = Owned::call(number);
        let good = payload(&call);
        assert!(Request::decode(&good).is_ok());
        for end in 0..good.len() {
            assert!(Request::decode(&good[..end]).is_err(), "task {number}, {end} of {}", good.len());
        }
        // A call has neither a body nor a callable of its own.
        let body = Owned { body: OwnedBody::Stream(None), ..call.clone() };
        assert_eq!(Request::decode(&payload(&body)), Err(WireError::Invalid("body")));
        let mut named = call;
        named.names.2 = b"application".to_vec();
        assert_eq!(Request::decode(&payload(&named)), Err(WireError::Invalid("callable")));
    }
    let mut unknown = payload(&Owned::call(5));
    let place = unknown.windows(3).position(|bytes| bytes == [0, 0, 5]).unwrap() + 2;
    unknown[place] = 6;
    assert_eq!(Request::decode(&unknown), Err(WireError::Invalid("task")));
}

#[test]
fn wf_5_another_version_is_named_whatever_else_the_header_holds() {
    for theirs in (0..=u8::MAX).filter(|theirs| *theirs != VERSION) {
        for kind in [0, 1, 0x41, 0xff] {
            let header = [kind, theirs, 9, 9, 0xff, 0xff, 0xff, 0xff];
            assert_eq!(split(&header), Err(WireError::Version { theirs }));
        }
    }
    assert_eq!(split(&[1, VERSION, 0, 1, 1, 0, 0, 0]), Err(WireError::Reserved));
    let sentence = WireError::Version { theirs: 9 }.to_string();
    assert!(sentence.contains("version 9") && sentence.contains("stop and start Apache"), "{sentence}");
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn wf_1_any_bytes_give_a_value_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Request::decode(&bytes);
        let _ = ResponseHead::decode(&bytes);
        let _ = FilePart::decode(&bytes);
        let _ = Log::decode(&bytes);
        let _ = Refusal::decode(&bytes);
        let _ = decode_fail(&bytes);
        let _ = Answer::decode(&bytes);
    }

    #[test]
    fn wf_1_split_asks_for_no_more_than_the_kinds_limit(tag: u8, length: u32, rest in vec(any::<u8>(), 0..40)) {
        let [a, b, c, d] = length.to_le_bytes();
        let bytes = [&[tag, VERSION, 0, 0, a, b, c, d][..], &rest].concat();
        for end in 0..=bytes.len() {
            match split(&bytes[..end]) {
                Ok(Split::Need(needed)) => {
                    let most = Kind::from_tag(tag).map_or(0, |kind| kind.payload_limits().1 as usize);
                    prop_assert!(needed > end);
                    prop_assert!(needed <= HEADER_LEN + most);
                }
                Ok(Split::Frame { payload, consumed, .. }) => {
                    prop_assert_eq!(payload.len(), length as usize);
                    prop_assert_eq!(consumed, HEADER_LEN + payload.len());
                    prop_assert!(consumed <= end);
                }
                Err(_) => prop_assert!(end >= HEADER_LEN),
            }
        }
    }
}
