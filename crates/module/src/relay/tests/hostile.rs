//! What a worker that runs an attacker's code may send. The child must answer 502 (or break the response visibly), never pass on
//! a byte it has not checked, and never use the connection again.

use std::io::IoSlice;
use std::os::fd::AsFd;

use wire::{FilePart, Kind};

use super::flow::{stream_send, take_body};
use super::*;

fn refused(bytes: &[u8]) -> Outcome {
    let outcome = answer(bytes);
    assert_eq!(outcome.error_status(), 502, "{:?}", outcome.result);
    assert!(!outcome.kept);
    outcome
}

/// Broken after its first bytes reached the client.
fn broken(outcome: &Outcome) {
    assert!(matches!(outcome.result, Err((_, Stage::Answering(_)))), "{:?}", outcome.result);
    assert_eq!(outcome.client.calls.last(), Some(&Then::Broken));
    assert!(!outcome.kept);
}

#[test]
fn rs_2_bad_heads_never_reach_the_client() {
    let complete = |head: Vec<u8>| [head, data(b"x"), empty(Kind::End)].concat();
    for status in [0, 100, 101, 199, 1000] {
        refused(&complete(head(status, &[])));
    }
    let bad: [(&[u8], &[u8]); 7] = [
        (b"X", b"a\r\nSet-Cookie: evil=1"),
        (b"X", b"a\0b"),
        (b"X", b"\x7f"),
        (b"", b"v"),
        (b"A B", b"v"),
        (b"A:B", b"v"),
        (b"Content-Length", b"1, 1"),
    ];
    for (name, value) in bad {
        let outcome = refused(&complete(head(200, &[(name, value)])));
        assert!(outcome.client.status.is_none() && outcome.client.body.is_empty());
    }
}

#[test]
fn rs_3_missing_and_reordered_parts() {
    let head = || head(200, &[]);
    let end = || empty(Kind::End);
    let mut fail = Vec::new();
    wire::response::put_fail(&mut fail, 500);
    let hostile = [
        end(),
        data(b"x"),
        [head(), head(), end()].concat(),
        [head(), data(b"x"), head(), end()].concat(),
        [head(), fail].concat(),
        empty(Kind::WantBody),
        empty(Kind::Abort),
        empty(Kind::BodyEnd),
        [0x7f, wire::VERSION, 0, 0, 0, 0, 0, 0].to_vec(),
        [Kind::End as u8, wire::VERSION, 1, 0, 0, 0, 0, 0].to_vec(),
        head(),
        [head(), data(b"x")].concat(),
    ];
    for bytes in hostile {
        // The last two lack only their end; when nothing was sent yet, the client still gets a status.
        let outcome = answer(&bytes);
        if outcome.client.calls.is_empty() {
            assert_eq!(outcome.error_status(), 502, "{bytes:?}");
        } else {
            broken(&outcome);
        }
        assert!(!outcome.kept);
    }
}

#[test]
fn rs_3_a_worker_that_asks_for_a_body_and_refuses_the_request_then() {
    // A successor would get the body without the bytes that this one has got.
    let mut refusal = Vec::new();
    wire::Refusal { reason: wire::RefusalReason::Reload, text: b"" }.put(&mut refusal);
    let frame = frame();
    let request =
        Outgoing { terms: Terms { streamed: true, begun: b"begun", ..terms() }, ..outgoing(&frame) };
    for taken in [0, 1, 2_000_000, 4_000_000] {
        let line = Prepared::default();
        let ((first, mut worker), (second, _successor)) = (pair(), pair());
        line.fresh.borrow_mut().extend([first.into(), second.into()]);
        let mut client = Recorder { upload: vec![b'u'; 3_000_000], ..Recorder::default() };
        thread::scope(|scope| {
            let refusal = &refusal;
            scope.spawn(move || {
                take_request(&mut worker);
                worker.write_all(&empty(Kind::WantBody)).unwrap();
                if taken > 3_000_000 {
                    assert_eq!(take_body(&mut worker).len(), 3_000_005);
                } else {
                    worker.read_exact(&mut vec![0; taken]).unwrap();
                }
                worker.write_all(refusal).unwrap();
                // Until the child closes, after which nothing more comes.
                worker.read_to_end(&mut Vec::new()).unwrap();
            });
            let result = deliver(&mut client, &mut Inbox::default(), &line, &request, || {});
            let Err((failure @ Failure::Protocol(_), Stage::Working)) = result else { panic!("{result:?}") };
            assert_eq!(failure.verdict().status, 502, "{taken} bytes were taken");
            assert_eq!((line.fresh.borrow().len(), line.kept.get(), client.calls.len()), (1, 0, 0));
        });
    }
}

#[test]
fn rs_4_a_head_above_the_limit_is_refused_at_its_first_bytes() {
    let length = wire::frame::MAX_RESPONSE_HEAD + 1;
    let mut bytes = vec![Kind::Head as u8, wire::VERSION, 0, 0];
    bytes.extend_from_slice(&length.to_le_bytes());
    refused(&bytes);
    bytes[4..].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(&bytes);
    let many = vec![(&b"X"[..], &b"v"[..]); usize::from(wire::head::MAX_HEADERS)];
    let mut bytes = head(200, &many);
    // One header more than allowed: status, empty reason, then the count.
    bytes[12..14].copy_from_slice(&(wire::head::MAX_HEADERS + 1).to_le_bytes());
    refused(&bytes);
}

#[test]
fn rs_6_lengths_agree_or_the_response_is_broken() {
    let with = |body: &[u8]| [head(200, &[(b"Content-Length", b"5")]), data(body), empty(Kind::End)].concat();
    refused(&with(b"four"));
    refused(&with(b"longer"));
    assert!(matches!(answer(&with(b"fives")).result, Ok(Ended::Response)));
    let late = |body: &[u8]| {
        let first = [head(200, &[(b"Content-Length", b"5")]), data(b"123")].concat();
        answer_in_two(&first, &[data(body), empty(Kind::End)].concat(), false)
    };
    let short = late(b"4");
    broken(&short);
    let long = late(b"45678");
    broken(&long);
    assert_eq!(long.client.body, b"12345");
}

#[test]
fn rs_7_a_worker_that_dies_in_the_middle_breaks_the_response() {
    for abort in [Vec::new(), empty(Kind::Abort)] {
        let outcome = answer_in_two(&[head(200, &[]), data(b"half")].concat(), &abort, false);
        broken(&outcome);
        assert_eq!(outcome.client.body, b"half");
    }
}

#[test]
fn wf_3_nothing_may_follow_the_end() {
    let whole = [head(200, &[]), data(b"x"), empty(Kind::End)].concat();
    for more in [empty(Kind::End), data(b"y"), vec![0]] {
        let outcome = answer(&[whole.clone(), more].concat());
        assert!(matches!(outcome.result, Ok(Ended::Response)));
        assert!(!outcome.kept, "the next request would read what follows");
    }
}

#[test]
fn wf_4_a_worker_that_dribbles_or_is_silent_is_given_up() {
    let frame = frame();
    let silence = Duration::from_millis(120);
    let request = Outgoing { terms: Terms { silence, ..terms() }, ..outgoing(&frame) };
    let dribble = |bytes: Vec<u8>| {
        run(Recorder::default(), &request, move |mut worker| {
            take_request(&mut worker);
            for byte in bytes {
                if worker.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(silence / 4);
            }
            let _ = worker.read(&mut [0]);
        })
    };
    assert_eq!(dribble(Vec::new()).error_status(), 504);
    assert_eq!(dribble(head(200, &[(b"X-Long", &[b'v'; 100])])).error_status(), 504);
}

#[test]
fn wf_5_another_version_is_a_503() {
    let outcome = answer(&[Kind::Head as u8, wire::VERSION + 1, 0, 0, 6, 0, 0, 0]);
    assert_eq!(outcome.error_status(), 503);
    let mut refusal = Vec::new();
    let reason = wire::RefusalReason::Version;
    wire::Refusal { reason, text: b"version 2 was expected\r\n\x1b[2J" }.put(&mut refusal);
    let outcome = answer(&refusal);
    assert_eq!(outcome.error_status(), 503);
    let Err((failure, _)) = outcome.result else { panic!("refused") };
    assert!(!failure.to_string().contains(char::is_control));
}

fn with_files(files: &[BorrowedFd<'_>], part: FilePart) -> Outcome {
    let frame = frame();
    run(Recorder::default(), &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        worker.write_all(&head(200, &[])).unwrap();
        let mut bytes = Vec::new();
        part.put(&mut bytes);
        stream_send(&worker, &[IoSlice::new(&bytes)], files);
        let _ = worker.write_all(&empty(Kind::End));
    })
}

#[test]
fn wf_6_only_one_readable_regular_file_is_taken() {
    let part = FilePart { offset: 0, length: 4 };
    let mut file = unix::files::unnamed(&std::env::temp_dir()).unwrap();
    file.write_all(b"good").unwrap();
    let socket = UnixStream::pair().unwrap().0;
    let directory = std::fs::File::open("/").unwrap();
    let device = std::fs::File::open("/dev/zero").unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    assert!(matches!(with_files(&[file.as_fd()], part).result, Ok(Ended::Response)));
    let bad: [&[BorrowedFd<'_>]; 6] = [
        &[],
        &[file.as_fd(), file.as_fd()],
        &[socket.as_fd()],
        &[directory.as_fd()],
        &[device.as_fd()],
        &[reader.as_fd()],
    ];
    for files in bad {
        let outcome = with_files(files, part);
        assert!(matches!(outcome.result, Err((Failure::Descriptor(_), _))), "{:?}", outcome.result);
        assert_eq!(outcome.error_status(), 502);
    }
    let many = vec![file.as_fd(); unix::descriptors::MAX_DESCRIPTORS];
    assert_eq!(with_files(&many, part).error_status(), 502);
}

#[test]
fn wf_6_descriptors_that_come_with_other_frames_are_refused() {
    let file = std::fs::File::open("/etc/passwd").unwrap();
    let frame = frame();
    let outcome = run(Recorder::default(), &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        stream_send(&worker, &[IoSlice::new(&head(200, &[]))], &[file.as_fd()]);
        let _ = worker.read(&mut [0]);
    });
    assert_eq!(outcome.error_status(), 502);
}

#[test]
fn wf_6_a_response_has_a_limited_number_of_files() {
    let mut file = unix::files::unnamed(&std::env::temp_dir()).unwrap();
    file.write_all(b"x").unwrap();
    let with = |count: usize| {
        let frame = frame();
        run(Recorder::default(), &outgoing(&frame), |mut worker| {
            take_request(&mut worker);
            worker.write_all(&head(200, &[])).unwrap();
            let mut bytes = Vec::new();
            FilePart { offset: 0, length: 1 }.put(&mut bytes);
            for _ in 0..count {
                let _ = unix::stream::send(&worker, &[IoSlice::new(&bytes)], &[file.as_fd()]);
            }
            let _ = worker.write_all(&empty(Kind::End));
        })
    };
    assert!(matches!(with(16).result, Ok(Ended::Response)));
    let outcome = with(17);
    assert!(matches!(outcome.result, Err((Failure::TooManyFiles(16), _))), "{:?}", outcome.result);
    assert!(outcome.client.files <= 16 && !outcome.kept);
}

#[test]
fn wf_6_no_descriptor_is_left_open() {
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let file = std::fs::File::open("/etc/passwd").unwrap();
    let before = count();
    for _ in 0..200 {
        with_files(&[file.as_fd(); 50], FilePart { offset: 0, length: 1 });
    }
    // Other tests run beside this one and have a few open.
    assert!(count() < before + 200);
}

#[test]
fn a_file_shorter_than_announced_is_cut_and_named() {
    let mut file = unix::files::unnamed(&std::env::temp_dir()).unwrap();
    file.write_all(b"short").unwrap();
    let outcome = with_files(&[file.as_fd()], FilePart { offset: 1, length: 100 });
    assert!(
        matches!(outcome.result, Err((Failure::Length { sent: 4, announced: 100 }, _))),
        "{:?}",
        outcome.result
    );
    assert!(outcome.client.logs[0].1.contains("a file that has 4 left"));
}
