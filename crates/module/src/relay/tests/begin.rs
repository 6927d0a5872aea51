//! Which clients are taken for fast ones.

use std::time::Instant;

use super::super::begin::{BEGINNING, PATIENCE, WORTHWHILE, is_fast};
use super::*;
use crate::body::{Gathered, IN_MEMORY, gather};

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

#[test]
fn a_client_that_stops_keeps_little_memory_while_it_is_waited_for() {
    for begun in [0, 10_000, 500_000] {
        let (ours, mut theirs) = pair();
        let sender = thread::spawn(move || {
            theirs.write_all(&vec![b'x'; begun]).unwrap();
            theirs
        });
        let mut client = Recorder { upload_socket: Some(ours), ..Recorder::default() };
        let mut buffer = Vec::new();
        assert!(!is_fast(&mut client, &mut buffer).unwrap());
        drop(sender.join().unwrap());
        let rest: Vec<u8> = vec![b'y'; usize::try_from(WORTHWHILE).unwrap() - buffer.len()];
        let (mut pieces, mut waits) = (rest.chunks(50_000), 0);
        let read = |buffer: &mut Vec<u8>, _| {
            assert!(buffer.capacity() <= 2 * IN_MEMORY, "{} bytes, {waits} reads", buffer.capacity());
            waits += 1;
            Ok(pieces.next().map_or(BodyRead::End, |piece| {
                buffer.extend_from_slice(piece);
                BodyRead::Data
            }))
        };
        let gathered = gather(read, Some(WORTHWHILE), Path::new("/tmp"), &mut buffer).unwrap();
        assert!(matches!(gathered, Gathered::InFile(_, WORTHWHILE)), "{gathered:?}");
        assert!(waits > 10);
    }
}
