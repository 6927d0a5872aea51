//! Which clients are taken for fast ones.

use std::time::Instant;

use super::super::begin::{BEGINNING, PATIENCE, is_fast};
use super::*;

#[test]
fn a_client_is_fast_whose_bytes_are_there() {
    let mut client = Recorder { upload: vec![b'x'; 3 * BEGINNING], ..Recorder::default() };
    let mut buffer = Vec::new();
    assert!(is_fast(&mut client, &mut buffer).unwrap());
    assert_eq!((buffer.len(), client.uploaded), (BEGINNING, BEGINNING));
}

#[test]
fn sl_1_a_client_that_stops_is_not_fast_and_what_it_sent_is_kept() {
    let (ours, mut theirs) = pair();
    theirs.write_all(&[b'x'; 50_000]).unwrap();
    let mut client = Recorder { upload_socket: Some(ours), ..Recorder::default() };
    let mut buffer = Vec::new();
    let begin = Instant::now();
    assert!(!is_fast(&mut client, &mut buffer).unwrap());
    assert!(begin.elapsed() >= PATIENCE);
    assert_eq!(buffer.len(), 50_000);
}

#[test]
fn a_body_that_ends_early_is_left_to_gathering() {
    let mut client = Recorder { upload: vec![b'x'; 1000], ..Recorder::default() };
    let mut buffer = Vec::new();
    assert!(!is_fast(&mut client, &mut buffer).unwrap());
    assert_eq!(buffer.len(), 1000);
}
