//! What happens between a child and a worker that keeps to the protocol.

use std::os::fd::AsFd;

use wire::Kind;

use super::*;

fn end() -> Vec<u8> {
    empty(Kind::End)
}

#[test]
fn a_small_response_is_passed_on_in_one_piece_and_the_connection_is_kept() {
    let frame = frame();
    let outcome = run(Recorder::default(), &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        let all = [head(200, &[(b"X-A", b"1")]), data(b"hello"), end()].concat();
        worker.write_all(&all).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)));
    assert_eq!((outcome.client.status, outcome.client.body.as_slice()), (Some(200), b"hello".as_slice()));
    assert_eq!(outcome.client.calls, [Then::End]);
    assert!(outcome.kept);
}

#[test]
fn a_streaming_response_is_flushed_when_nothing_more_is_there() {
    let first = [head(200, &[]), data(b"one")].concat();
    let outcome = answer_in_two(&first, &[data(b"two"), end()].concat(), true);
    assert_eq!(outcome.client.body, b"onetwo");
    assert_eq!(outcome.client.calls, [Then::Flush, Then::End]);
    assert!(outcome.kept);
}

#[test]
fn frames_of_every_size_arrive_whole_however_they_are_cut() {
    let sizes = [1, 9, 4096, 65_527, 65_528, 65_536, 200_000, 3_000_000];
    for size in sizes {
        let body: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        let big = vec![b'v'; 300_000.min(size)];
        let all = [head(200, &[(b"X-Big", &big)]), data(&body), end()].concat();
        for cut in [all.len(), 70_001, 4_099] {
            let frame = frame();
            let outcome = run(Recorder::default(), &outgoing(&frame), |mut worker| {
                take_request(&mut worker);
                all.chunks(cut).for_each(|piece| worker.write_all(piece).unwrap());
                assert_eq!(worker.read(&mut [0]).unwrap(), 0);
            });
            assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
            assert!(outcome.client.body == body && outcome.kept, "{size} bytes cut at {cut}");
        }
    }
}

#[test]
fn each_line_of_a_log_frame_is_a_record() {
    let mut bytes = Vec::new();
    wire::response::put_log(&mut bytes, LogLevel::Error, b"one\r\n\ntwo\n");
    wire::response::put_log(&mut bytes, LogLevel::Info, b"three");
    bytes.extend([head(204, &[]), end()].concat());
    let outcome = answer(&bytes);
    let lines: Vec<_> = outcome.client.logs.iter().map(|(level, line)| (*level, line.as_str())).collect();
    let (error, info) = (LogLevel::Error, LogLevel::Info);
    assert_eq!(lines, [(error, "one"), (error, ""), (error, "two"), (info, "three")]);
    assert!(matches!(outcome.result, Ok(Ended::Response)));
}

#[test]
fn an_application_error_is_a_status_and_the_connection_is_kept() {
    let mut bytes = Vec::new();
    wire::response::put_fail(&mut bytes, 504);
    let outcome = answer(&bytes);
    assert_eq!(outcome.error_status(), 504);
    assert!(outcome.kept);
}

#[test]
fn a_file_is_passed_on_by_its_descriptor() {
    let mut file = unix::files::unnamed(&std::env::temp_dir()).unwrap();
    file.write_all(b"0123456789").unwrap();
    let frame = frame();
    let outcome = run(Recorder::default(), &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[head(200, &[(b"Content-Length", b"8")]), data(b"a")].concat()).unwrap();
        let mut part = Vec::new();
        wire::FilePart { offset: 2, length: 6 }.put(&mut part);
        let part = [std::io::IoSlice::new(&part)];
        assert_eq!(stream_send(&worker, &part, &[file.as_fd()]), 24);
        worker.write_all(&[data(b"z"), end()].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert_eq!((outcome.client.body.as_slice(), outcome.client.files), (b"a234567z".as_slice(), 1));
}

pub(super) fn stream_send(
    socket: &UnixStream,
    parts: &[std::io::IoSlice<'_>],
    files: &[BorrowedFd<'_>],
) -> usize {
    unix::stream::send(socket, parts, files).unwrap()
}

#[test]
fn rs_10_both_directions_move_at_once() {
    // An echo: neither side may wait until the other has finished.
    let client = Recorder { upload: vec![b'u'; 20_000_000], ..Recorder::default() };
    let frame = frame();
    let request = Outgoing { terms: Terms { streamed: true, ..terms() }, ..outgoing(&frame) };
    let outcome = run(client, &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[empty(Kind::WantBody), head(200, &[])].concat()).unwrap();
        loop {
            let mut header = [0; wire::HEADER_LEN];
            worker.read_exact(&mut header).unwrap();
            let header = wire::FrameHeader::parse(header).unwrap();
            if header.kind == Kind::BodyEnd {
                break;
            }
            let mut bytes = vec![0; header.length as usize];
            worker.read_exact(&mut bytes).unwrap();
            worker.write_all(&data(&bytes)).unwrap();
        }
        worker.write_all(&end()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert_eq!((outcome.client.body.len(), outcome.kept), (20_000_000, true));
}

#[test]
fn rs_10_an_answer_to_an_unread_upload_gets_through() {
    let client = Recorder { upload: vec![b'u'; 5_000_000], ..Recorder::default() };
    let frame = frame();
    let request = Outgoing { terms: Terms { streamed: true, ..terms() }, ..outgoing(&frame) };
    let body = vec![b'd'; 5_000_000];
    let outcome = run(client, &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[empty(Kind::WantBody), head(413, &[]), data(&body), end()].concat()).unwrap();
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert_eq!((outcome.client.body.len(), outcome.kept), (5_000_000, false));
}

#[test]
fn rs_11_a_streamed_body_is_not_read_before_it_is_wanted() {
    let client = Recorder { upload: vec![b'u'; 10], ..Recorder::default() };
    let frame = frame();
    let request = Outgoing { terms: Terms { streamed: true, ..terms() }, ..outgoing(&frame) };
    let outcome = run(client, &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[head(200, &[]), end()].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert_eq!((outcome.client.uploaded, outcome.kept), (0, false));
}

/// Reads frames of a body up to its end.
pub(super) fn take_body(worker: &mut UnixStream) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut header = [0; wire::HEADER_LEN];
        worker.read_exact(&mut header).unwrap();
        let header = wire::FrameHeader::parse(header).unwrap();
        if header.kind == Kind::BodyEnd {
            return body;
        }
        let start = body.len();
        body.resize(start + header.length as usize, 0);
        worker.read_exact(&mut body[start..]).unwrap();
    }
}

#[test]
fn sl_6_the_beginning_of_a_body_comes_before_the_rest_also_at_a_second_worker() {
    let whole: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (begun, rest) = whole.split_at(1_100_000);
    let line = Prepared::default();
    let ((first_end, mut first), (second_end, mut second)) = (pair(), pair());
    line.fresh.borrow_mut().extend([first_end.into(), second_end.into()]);
    let (mut client, frame) = (Recorder { upload: rest.to_vec(), ..Recorder::default() }, frame());
    let request = Outgoing { terms: Terms { streamed: true, begun, ..terms() }, ..outgoing(&frame) };
    thread::scope(|scope| {
        let workers = scope.spawn(move || {
            take_request(&mut first);
            let mut refusal = Vec::new();
            wire::Refusal { reason: wire::RefusalReason::Reload, text: b"" }.put(&mut refusal);
            first.write_all(&refusal).unwrap();
            take_request(&mut second);
            second.write_all(&empty(Kind::WantBody)).unwrap();
            let body = take_body(&mut second);
            second.write_all(&[head(200, &[]), end()].concat()).unwrap();
            (body, second)
        });
        let result = deliver(&mut client, &mut Inbox::default(), &line, &request, || {});
        assert!(matches!(result, Ok(Ended::Response)), "{result:?}");
        assert!(workers.join().unwrap().0 == whole);
    });
}

#[test]
fn rs_10_a_client_that_takes_nothing_before_all_was_taken_from_it() {
    // It sends all of its body first; the worker does not read on before its answer is taken.
    let (client_end, mut browser) = pair();
    let (output, taken) = pair();
    while (&output).write(&[0; 4096]).is_ok() {}
    let client = Recorder { upload_socket: Some(client_end), output: Some(output), ..Recorder::default() };
    let frame = frame();
    let request =
        Outgoing { terms: Terms { streamed: true, ahead: 256 * 1024, ..terms() }, ..outgoing(&frame) };
    let answer = vec![b'd'; 5_000_000];
    let sent: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let expected = sent.clone();
    let sender = thread::spawn(move || {
        browser.write_all(&sent).unwrap();
        drop(taken);
        browser.shutdown(std::net::Shutdown::Write).unwrap();
        browser
    });
    let outcome = run(client, &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&empty(Kind::WantBody)).unwrap();
        worker.write_all(&[head(200, &[]), data(&answer)].concat()).unwrap();
        assert!(take_body(&mut worker) == expected);
        worker.write_all(&end()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert_eq!(outcome.client.body.len(), 5_000_000);
    drop(sender.join().unwrap());
}

#[test]
fn a_client_that_sends_slowly_does_not_hold_up_the_answer() {
    let (client_end, mut browser) = pair();
    let client = Recorder { upload_socket: Some(client_end), ..Recorder::default() };
    let frame = frame();
    let request = Outgoing { terms: Terms { streamed: true, ..terms() }, ..outgoing(&frame) };
    let outcome = run(client, &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&empty(Kind::WantBody)).unwrap();
        for byte in b"abc" {
            browser.write_all(&[*byte]).unwrap();
            let mut body = [0; wire::HEADER_LEN + 1];
            worker.read_exact(&mut body).unwrap();
            assert_eq!(body[wire::HEADER_LEN], *byte);
        }
        browser.shutdown(std::net::Shutdown::Both).unwrap();
        let mut last = [0; wire::HEADER_LEN];
        worker.read_exact(&mut last).unwrap();
        assert_eq!(wire::FrameHeader::parse(last).unwrap().kind, Kind::BodyEnd);
        worker.write_all(&[head(200, &[]), data(b"ok"), end()].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert!(outcome.kept);
}

#[test]
fn sl_4_when_the_client_is_gone_the_worker_is_told() {
    let frame = frame();
    let client = Recorder { gone: true, ..Recorder::default() };
    let outcome = run(client, &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        worker.write_all(&head(200, &[])).unwrap();
        let piece = data(&[b'x'; 65_536]);
        while worker.write_all(&piece).is_ok() {}
    });
    assert!(matches!(outcome.result, Err((Failure::ClientGone, _))));
    assert!(!outcome.kept);
}

#[test]
fn sl_4_a_client_that_misses_the_only_piece_has_still_been_answered() {
    let frame = frame();
    let client = Recorder { gone: true, ..Recorder::default() };
    let outcome = run(client, &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[head(200, &[]), data(b"x"), end()].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Err((Failure::ClientGone, Stage::Answering(1)))));
    assert!(outcome.kept);
}

#[test]
fn an_idle_connection_that_is_closed_costs_nothing() {
    let line = Prepared::default();
    for _ in 0..3 {
        line.idle.borrow_mut().push(pair().0.into());
    }
    let (ours, mut theirs) = pair();
    line.fresh.borrow_mut().push_back(ours.into());
    theirs.write_all(&[head(200, &[]), data(b"ok"), end()].concat()).unwrap();
    let (mut client, frame) = (Recorder::default(), frame());
    let result = deliver(&mut client, &mut Inbox::default(), &line, &outgoing(&frame), || {});
    assert!(matches!(result, Ok(Ended::Response)));
    assert_eq!(client.body, b"ok");
}

#[test]
fn cr_5_a_request_that_was_not_read_is_sent_once_more_and_only_once() {
    // None of a streamed body was read from the client before the worker asks for it.
    for streamed in [false, true] {
        let line = Prepared::default();
        // Closed with the request unread: reset.
        let unread = |line: &Prepared| {
            let (ours, theirs) = pair();
            line.fresh.borrow_mut().push_back(ours.into());
            theirs
        };
        let frame = frame();
        let mut client = Recorder { upload: b"body".to_vec(), ..Recorder::default() };
        let (first, second) = (unread(&line), unread(&line));
        let third = unread(&line);
        let request = Outgoing { terms: Terms { streamed, ..terms() }, ..outgoing(&frame) };
        thread::scope(|scope| {
            scope.spawn(move || {
                for worker in [first, second] {
                    wait_for_bytes(&worker);
                }
            });
            let result = deliver(&mut client, &mut Inbox::default(), &line, &request, || {});
            assert!(matches!(result, Err((Failure::NotTaken(2), Stage::Sending))), "{result:?}");
        });
        assert!(line.forgotten.get());
        assert_eq!((line.fresh.borrow().len(), client.uploaded), (1, 0));
        drop(third);
    }
}

/// Waits until something can be read, and leaves it unread.
fn wait_for_bytes(socket: &UnixStream) {
    assert!(unix::stream::wait([(socket.as_fd(), unix::stream::Interest::Read)], SILENCE).unwrap());
}

#[test]
fn cr_5_a_request_that_may_have_started_is_not_repeated() {
    let outcome = answer(b"");
    assert_eq!(outcome.error_status(), 502);
    assert!(matches!(outcome.result, Err((Failure::Closed, Stage::Working))));
}

#[test]
fn workers_that_always_want_to_load_the_script_again_are_a_503() {
    let line = Prepared::default();
    let (workers, frame): (Vec<_>, _) = ((0..5).map(|_| pair()).collect(), frame());
    let mut refusal = Vec::new();
    wire::Refusal { reason: wire::RefusalReason::Reload, text: b"" }.put(&mut refusal);
    let mut others = Vec::new();
    for (ours, mut theirs) in workers {
        theirs.write_all(&refusal).unwrap();
        line.fresh.borrow_mut().push_back(ours.into());
        others.push(theirs);
    }
    let mut client = Recorder::default();
    let result = deliver(&mut client, &mut Inbox::default(), &line, &outgoing(&frame), || {});
    let Err((failure @ Failure::Reloading(3), _)) = result else { panic!("{result:?}") };
    assert_eq!((failure.verdict().status, client.calls.len(), line.fresh.borrow().len()), (503, 0, 2));
    // Each of them was sent the whole request.
    for mut worker in others.into_iter().take(3) {
        take_request(&mut worker);
    }
}

#[test]
fn a_worker_that_closes_every_new_connection_is_given_up() {
    let line = Prepared::default();
    for _ in 0..9 {
        line.fresh.borrow_mut().push_back(pair().0.into());
    }
    let (mut client, frame) = (Recorder::default(), frame());
    let result = deliver(&mut client, &mut Inbox::default(), &line, &outgoing(&frame), || {});
    assert!(matches!(result, Err((Failure::NotTaken(4), Stage::Sending))), "{result:?}");
    assert_eq!(line.fresh.borrow().len(), 5);
}
