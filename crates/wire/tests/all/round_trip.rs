//! What one end encodes, the other decodes to the same value, and the bytes are the only ones for that value.

use crate::common::{Owned, cases, request, value};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::response::{decode_fail, put_fail, put_head, put_log};
use wire::task::put_names;
use wire::{
    Answer, Choice, FilePart, HEADER_LEN, Kind, Log, LogLevel, Refusal, RefusalReason, Request, ResponseHead,
    Split, split,
};

/// The only frame in `bytes`.
fn only(bytes: &[u8]) -> (Kind, &[u8]) {
    match split(bytes) {
        Ok(Split::Frame { kind, payload, consumed }) => {
            assert_eq!(consumed, bytes.len());
            (kind, payload)
        }
        other => panic!("no whole frame: {other:?}"),
    }
}

fn level() -> impl Strategy<Value = LogLevel> {
    (2_u8..=7).prop_map(|number| LogLevel::from_number(number).unwrap())
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn wf_2_request_decodes_to_what_was_encoded(owned in request(), before in vec(any::<u8>(), 0..9)) {
        let mut bytes = before.clone();
        owned.encode(&mut bytes).unwrap();
        prop_assert_eq!(&bytes[..before.len()], &before);
        let (kind, payload) = only(&bytes[before.len()..]);
        prop_assert_eq!(kind, Kind::Request);
        let request = Request::decode(payload).unwrap();
        prop_assert_eq!(request.environ_len(), owned.environ.len());
        prop_assert_eq!(Owned::of(&request), owned);
    }

    #[test]
    fn wf_2_any_accepted_request_is_what_the_encoder_writes(mut payload in payload(), changes in vec(any::<(u16, u8)>(), 0..4)) {
        for (place, byte) in changes {
            let length = payload.len();
            payload[usize::from(place) % length] = byte;
        }
        if let Ok(request) = Request::decode(&payload) {
            let mut again = Vec::new();
            Owned::of(&request).encode(&mut again).unwrap();
            prop_assert_eq!(&again[HEADER_LEN..], &payload);
        }
    }

    #[test]
    fn wf_2_head_decodes_to_what_was_encoded(
        status: u16,
        reason in vec(any::<u8>(), 0..40),
        headers in vec((vec(any::<u8>(), 0..6), value()), 0..7),
    ) {
        let mut bytes = Vec::new();
        put_head(&mut bytes, status, &reason, headers.iter().map(|(n, v)| (&n[..], &v[..]))).unwrap();
        let (kind, payload) = only(&bytes);
        let head = ResponseHead::decode(payload).unwrap();
        prop_assert_eq!((kind, head.status, head.reason), (Kind::Head, status, &reason[..]));
        prop_assert_eq!((head.len(), head.is_empty()), (headers.len(), headers.is_empty()));
        let decoded: Vec<_> = head.headers().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
        prop_assert_eq!(decoded, headers);
    }

    #[test]
    fn wf_2_answers_decode_to_what_was_encoded(
        text in vec(any::<u8>(), 0..40),
        names in vec(value(), 0..6),
        chosen in any::<[Option<Vec<u8>>; 3]>(),
    ) {
        let free = |bytes: &[u8]| !bytes.contains(&0);
        let mut bytes = Vec::new();
        let [process_group, application_group, callable] = chosen.each_ref().map(|name| name.as_deref());
        let fits = chosen.iter().flatten().all(|name| free(name) && name.len() <= 65_535);
        for (answer, fits) in [
            (Answer::Nothing, true),
            (Answer::No, true),
            (Answer::Yes, true),
            (Answer::Text(&text), free(&text) && !text.is_empty()),
            (Answer::Choice(Choice { process_group, application_group, callable }), fits),
        ] {
            bytes.clear();
            prop_assert_eq!(answer.put(&mut bytes).is_ok(), fits, "{:?}", answer);
            prop_assert!(fits || bytes.is_empty());
            if fits {
                let (kind, payload) = only(&bytes);
                prop_assert_eq!((kind, Answer::decode(payload)), (Kind::Answer, Ok(answer)));
            }
        }
        bytes.clear();
        let total: usize = names.iter().map(|name| name.len() + 2).sum();
        let fits = total + 3 <= wire::frame::MAX_ANSWER as usize
            && names.iter().all(|name| free(name) && name.len() <= 65_535);
        prop_assert_eq!(put_names(&mut bytes, names.iter().map(|name| &name[..])).is_ok(), fits);
        if fits {
            let Ok(Answer::Names(found)) = Answer::decode(only(&bytes).1) else { panic!("no names") };
            prop_assert_eq!((found.len(), found.is_empty()), (names.len(), names.is_empty()));
            prop_assert_eq!(found.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), names);
        }
    }

    #[test]
    fn wf_2_log_frames_join_to_the_text(level in level(), text in vec(any::<u8>(), 0..300), repeat in 1_usize..400) {
        let text = text.repeat(repeat);
        let mut bytes = Vec::new();
        put_log(&mut bytes, level, &text);
        let (mut rest, mut joined) = (&bytes[..], Vec::new());
        while let Split::Frame { kind, payload, consumed } = split(rest).unwrap() {
            let log = Log::decode(payload).unwrap();
            prop_assert_eq!((kind, log.level), (Kind::Log, level));
            prop_assert!(!log.text.is_empty());
            joined.extend_from_slice(log.text);
            rest = &rest[consumed..];
        }
        prop_assert!(rest.is_empty());
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn wf_2_small_frames_decode_to_what_was_encoded(offset: u64, length: u64, status: u16, text in vec(any::<u8>(), 0..6000)) {
        let (part, mut bytes) = (FilePart { offset, length }, Vec::new());
        part.put(&mut bytes);
        let fits = length > 0 && offset.checked_add(length).is_some_and(|end| i64::try_from(end).is_ok());
        prop_assert_eq!(FilePart::decode(only(&bytes).1).ok(), fits.then_some(part));

        bytes.clear();
        put_fail(&mut bytes, status);
        prop_assert_eq!(decode_fail(only(&bytes).1).ok(), (400..600).contains(&status).then_some(status));

        for reason in [RefusalReason::Malformed, RefusalReason::Script, RefusalReason::Version, RefusalReason::Reload] {
            bytes.clear();
            Refusal { reason, text: &text }.put(&mut bytes);
            let decoded = Refusal::decode(only(&bytes).1).unwrap();
            let kept = &text[..text.len().min(wire::frame::MAX_REFUSAL as usize)];
            prop_assert_eq!((decoded.reason, decoded.text), (reason, kept));
        }
    }

    #[test]
    fn wf_2_data_frames_join_to_the_block(length in 0_usize..3_000_000) {
        let block = vec![7; length];
        let mut total = 0;
        for (header, piece) in wire::response::data_frames(Kind::Data, &block) {
            let header = wire::FrameHeader::parse(header).unwrap();
            prop_assert_eq!((header.kind, header.length as usize), (Kind::Data, piece.len()));
            total += piece.len();
        }
        prop_assert_eq!(total, length);
    }
}

/// Payload of a valid request frame without 64 KiB values.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    request().prop_filter_map("large", |owned| {
        let mut bytes = Vec::new();
        owned.encode(&mut bytes).ok()?;
        (bytes.len() < 2000).then(|| bytes.split_off(HEADER_LEN))
    })
}
