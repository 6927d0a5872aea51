//! A client that takes its response more slowly than the worker makes it, and heads that the configuration makes something else of.

use wire::Kind;

use super::*;

const LENGTH: usize = 3_000_000;

fn bytes() -> Vec<u8> {
    (0..LENGTH).map(|n| (n % 253) as u8).collect()
}

/// A client whose socket is full, and the socket's other end.
fn full_client() -> (Recorder, UnixStream) {
    let (output, peer) = pair();
    while (&output).write(&[0; 4096]).is_ok() {}
    (Recorder { output: Some(output), ..Recorder::default() }, peer)
}

fn whole_response() -> Vec<u8> {
    [head(200, &[]), data(&bytes()), empty(Kind::End)].concat()
}

fn read_all(mut peer: UnixStream) {
    let mut all = Vec::new();
    let _ = peer.read_to_end(&mut all);
}

#[test]
fn sl_2_a_client_that_takes_nothing_does_not_hold_the_worker() {
    let (client, _peer) = full_client();
    let frame = frame();
    let outcome = run(client, &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        // Far more than the sockets between worker and child hold: written only when the child takes it.
        worker.write_all(&whole_response()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert!(outcome.client.body == bytes() && outcome.kept);
    assert_eq!(outcome.client.calls, [Then::End]);
    assert!(outcome.client.held > LENGTH as u64 / 2, "{} bytes", outcome.client.held);
}

/// Writes a whole response, which the child does not take before `peer` is read from.
fn write_past_a_wait(mut worker: UnixStream, peer: UnixStream) {
    take_request(&mut worker);
    worker.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let whole = whole_response();
    let mut written = 0;
    while let Ok(count) = worker.write(&whole[written..]) {
        written += count;
    }
    assert!(written < LENGTH, "the child took everything");
    thread::spawn(|| read_all(peer));
    worker.set_write_timeout(None).unwrap();
    worker.write_all(&whole[written..]).unwrap();
    assert_eq!(worker.read(&mut [0]).unwrap(), 0);
}

#[test]
fn sl_2_what_is_held_has_a_bound() {
    let (client, peer) = full_client();
    let frame = frame();
    let request = Outgoing { terms: Terms { ahead: 256 * 1024, ..terms() }, ..outgoing(&frame) };
    let outcome = run(client, &request, |worker| write_past_a_wait(worker, peer));
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert!(outcome.client.body == bytes());
    assert!(outcome.client.held <= 256 * 1024 + 64 * 1024, "{} bytes", outcome.client.held);
}

#[test]
fn sl_2_without_a_file_the_worker_waits_and_the_log_says_so() {
    let (client, peer) = full_client();
    let frame = frame();
    let request = Outgoing { terms: Terms { spool: Path::new("/nowhere"), ..terms() }, ..outgoing(&frame) };
    let outcome = run(client, &request, |worker| write_past_a_wait(worker, peer));
    assert!(matches!(outcome.result, Ok(Ended::Response)), "{:?}", outcome.result);
    assert!(outcome.client.body == bytes());
    assert_eq!(outcome.client.held, 0);
    let warned = outcome.client.logs.iter().filter(|(_, line)| line.starts_with("WSGI1360: ")).count();
    assert_eq!(warned, 1, "{:?}", outcome.client.logs);
}

#[test]
fn a_client_that_takes_nothing_for_too_long_gets_no_more() {
    let (client, _peer) = full_client();
    let client = Recorder { patience: Some(Duration::from_millis(50)), ..client };
    let frame = frame();
    let outcome = run(client, &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[head(200, &[]), data(b"one")].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert!(matches!(outcome.result, Err((Failure::ClientGone, _))), "{:?}", outcome.result);
    assert!(outcome.client.abandoned && !outcome.kept);
}

#[test]
fn a_flush_delay_puts_pieces_together() {
    let frame = frame();
    let request =
        Outgoing { terms: Terms { flush_delay: Duration::from_secs(10), ..terms() }, ..outgoing(&frame) };
    let outcome = run(Recorder::default(), &request, |mut worker| {
        take_request(&mut worker);
        worker.write_all(&[head(200, &[]), data(b"one")].concat()).unwrap();
        thread::sleep(Duration::from_millis(30));
        worker.write_all(&[data(b"two"), empty(Kind::End)].concat()).unwrap();
        assert_eq!(worker.read(&mut [0]).unwrap(), 0);
    });
    assert_eq!(
        (outcome.client.body.as_slice(), &outcome.client.calls[..]),
        (&b"onetwo"[..], &[Then::End][..])
    );
}

/// The outcome of a response under these rules.
fn under(rules: Rules, bytes: &[u8]) -> Outcome {
    let frame = frame();
    let request = Outgoing { terms: Terms { rules, ..terms() }, ..outgoing(&frame) };
    run(Recorder::default(), &request, |mut worker| {
        take_request(&mut worker);
        let _ = worker.write_all(bytes);
    })
}

#[test]
fn an_error_response_is_replaced_where_that_is_wanted() {
    let headers: &[(&[u8], &[u8])] =
        &[(b"Retry-After", b"7"), (b"X-Mine", b"1"), (b"Set-Cookie", b"a=1"), (b"Content-Length", b"4")];
    let response = |status| [head(status, headers), data(b"mine"), empty(Kind::End)].concat();
    let rules = Rules { error_override: true, ..Rules::default() };
    let outcome = under(rules, &response(503));
    assert_eq!((outcome.error_status(), outcome.client.pages, outcome.client.status), (503, 1, None));
    let names: Vec<_> = outcome.client.headers.iter().map(|(name, _)| name.as_slice()).collect();
    assert_eq!(names, [&b"Retry-After"[..], b"Set-Cookie"]);
    assert!(outcome.kept);
    for (rules, status) in [(rules, 200), (rules, 399), (rules, 600), (Rules::default(), 503)] {
        let outcome = under(rules, &response(status));
        assert_eq!((outcome.client.status, outcome.client.body.as_slice()), (Some(status), &b"mine"[..]));
    }
}

#[test]
fn rs_5_a_local_location_is_fetched_only_where_that_is_wanted() {
    let response = |status, place: &[u8]| {
        [head(status, &[(b"Location", place)]), data(b"mine"), empty(Kind::End)].concat()
    };
    let on = Rules { location_redirect: true, ..Rules::default() };
    let outcome = under(on, &response(200, b"/files/a?b"));
    assert_eq!(outcome.result.unwrap(), Ended::Redirect(b"/files/a?b".to_vec()));
    assert!(outcome.client.calls.is_empty());
    let off = Rules::default();
    for (rules, status, place) in [
        (off, 200, &b"/a"[..]),
        (on, 302, b"/a"),
        (on, 201, b"/a"),
        (on, 200, b"http://other/"),
        (on, 200, b""),
    ] {
        let outcome = under(rules, &response(status, place));
        assert_eq!(outcome.client.status, Some(status));
        assert_eq!(outcome.client.body, b"mine");
    }
}

#[test]
fn rs_9_a_header_that_is_too_long_is_named() {
    let value = vec![b'v'; 40_000];
    let response =
        [head(401, &[(b"X-Short", b"1"), (b"WWW-Authenticate", &value)]), empty(Kind::End)].concat();
    let rules = Rules { longest_header: Some(32768), ..Rules::default() };
    let Err((failure, _)) = under(rules, &response).result else { panic!("it passed") };
    assert_eq!((failure.verdict().status, failure.verdict().code), (500, "WSGI0144"));
    let text = failure.to_string();
    assert!(text.contains("\"WWW-Authenticate\" has 40016 bytes") && text.contains("32768"), "{text}");
    assert_eq!(under(Rules::default(), &response).client.status, Some(401));
}
