//! The order of frames against the grammar in the crate's documentation, written down a second time as plain matching.

use crate::common::cases;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use wire::{Kind, RequestOrder, ResponseOrder, WireError};

/// One letter for each kind, so that a sequence of frames is a word.
fn letter(kind: Kind) -> char {
    match kind {
        Kind::Request => 'R',
        Kind::Body => 'b',
        Kind::BodyEnd => 'e',
        Kind::BodyAbort => 'a',
        Kind::Head => 'H',
        Kind::Data => 'D',
        Kind::File => 'F',
        Kind::End => 'E',
        Kind::Abort => 'A',
        Kind::Fail => 'X',
        Kind::Log => 'L',
        Kind::WantBody => 'W',
        Kind::Refuse => 'r',
        Kind::Answer => 'Y',
    }
}

/// Is `word` the beginning of a child's side of one request?
fn request_prefix(word: &str, streamed: bool) -> bool {
    let Some(rest) = word.strip_prefix('R') else { return word.is_empty() };
    if !streamed {
        return rest.is_empty();
    }
    let rest = rest.trim_start_matches('b');
    matches!(rest, "" | "e" | "a")
}

/// Is `word` the beginning of a worker's answer?
fn response_prefix(word: &str, streamed: bool) -> bool {
    if word.matches('W').count() > usize::from(streamed) {
        return false;
    }
    let plain: String = word.chars().filter(|letter| !"LW".contains(*letter)).collect();
    // Nothing may follow the last frame, log text included.
    let ended = word.find(['E', 'A', 'X', 'r']).is_none_or(|place| place + 1 == word.len());
    let in_order = match plain.strip_prefix('H') {
        None => matches!(&plain[..], "" | "X" | "r"),
        Some(rest) => matches!(rest.trim_start_matches(['D', 'F']), "" | "E" | "A"),
    };
    ended && in_order
}

proptest! {
    #![proptest_config(cases(50_000))]

    #[test]
    fn wf_3_request_order_is_the_grammar(kinds in vec(select(&Kind::ALL[..]), 0..7), streamed: bool) {
        let (mut order, mut word) = (RequestOrder::default(), String::new());
        for kind in kinds {
            word.push(letter(kind));
            let taken = order.accept(kind, streamed).is_ok();
            prop_assert_eq!(taken, request_prefix(&word, streamed), "{}", word);
            if !taken {
                break;
            }
        }
    }

    #[test]
    fn wf_3_response_order_is_the_grammar(
        kinds in vec(select(&Kind::ALL[4..]), 0..9),
        streamed: bool,
        head_first: bool,
    ) {
        let (mut order, mut word) = (ResponseOrder::new(streamed), String::new());
        for kind in head_first.then_some(Kind::Head).into_iter().chain(kinds) {
            word.push(letter(kind));
            let taken = order.accept(kind).is_ok();
            prop_assert_eq!(taken, response_prefix(&word, streamed), "{}", word);
            if !taken {
                break;
            }
            prop_assert_eq!(order.is_done(), word.ends_with(['E', 'A', 'X', 'r']));
        }
    }

    #[test]
    fn wf_3_a_call_is_answered_by_one_frame(kinds in vec(select(&Kind::ALL[4..]), 0..5)) {
        let (mut order, mut word) = (ResponseOrder::call(), String::new());
        for kind in kinds {
            word.push(letter(kind));
            let taken = order.accept(kind).is_ok();
            let rest = word.trim_start_matches('L');
            prop_assert_eq!(taken, matches!(rest, "" | "Y" | "X" | "r"), "{}", word);
            if !taken {
                break;
            }
            prop_assert_eq!(order.is_done(), !rest.is_empty());
        }
    }
}

#[test]
fn wf_3_each_end_refuses_the_frames_of_the_other_side() {
    use Kind::{Abort, Answer, Data, End, Fail, File, Head, Log, Refuse, WantBody};
    let from_worker = [Head, Data, File, End, Abort, Fail, Log, WantBody, Refuse, Answer];
    for kind in Kind::ALL {
        for streamed in [false, true] {
            if from_worker.contains(&kind) {
                assert!(RequestOrder::default().accept(kind, streamed).is_err(), "{kind:?}");
            } else {
                assert!(ResponseOrder::new(streamed).accept(kind).is_err(), "{kind:?}");
                assert!(ResponseOrder::call().accept(kind).is_err(), "{kind:?}");
            }
        }
    }
}

#[test]
fn wf_3_nothing_follows_the_end() {
    for last in [Kind::End, Kind::Abort] {
        for next in Kind::ALL {
            let mut order = ResponseOrder::new(true);
            order.accept(Kind::Head).unwrap();
            order.accept(last).unwrap();
            assert!(
                matches!(order.accept(next), Err(WireError::OutOfOrder { .. })),
                "{next:?} after {last:?}"
            );
        }
    }
}

/// An empty frame moves the state machine forward or is an error: there is no kind of empty frame that can be repeated.
#[test]
fn wf_3_a_flood_of_empty_frames_ends_at_once() {
    let empty = |kind: &Kind| kind.payload_limits().0 == 0;
    for kind in Kind::ALL.into_iter().filter(empty) {
        let mut request = RequestOrder::Streaming;
        let taken = (0..10).take_while(|_| request.accept(kind, true).is_ok()).count();
        assert!(taken <= 1, "{kind:?} was taken {taken} times");
        for mut response in [
            ResponseOrder::Before { body_wanted: true },
            ResponseOrder::After { body_wanted: true },
            ResponseOrder::Call,
        ] {
            let taken = (0..10).take_while(|_| response.accept(kind).is_ok()).count();
            assert!(taken <= 1, "{kind:?} was taken {taken} times");
        }
    }
}

#[test]
fn only_a_completely_received_request_leaves_the_connection_reusable() {
    let mut order = RequestOrder::default();
    order.accept(Kind::Request, false).unwrap();
    assert!(order.answered());
    order.accept(Kind::Request, true).unwrap();
    order.accept(Kind::Body, true).unwrap();
    assert!(!order.answered());
    order.accept(Kind::Request, true).unwrap();
    order.accept(Kind::BodyEnd, true).unwrap();
    assert!(order.answered());
}
