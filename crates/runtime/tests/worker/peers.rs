//! Peers that should not be there, or that do not behave.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use kit::wait_until;
use wire::{Body, RefusalReason};

use crate::child::{Child, Frame};
use crate::harness::{LIMIT, Wish, Worker};

fn refusal(child: &mut Child) -> RefusalReason {
    match child.answer().last {
        Some(Frame::Refuse(reason, _)) => reason,
        other => panic!("{other:?}"),
    }
}

fn serves(worker: &Worker) {
    assert_eq!(worker.get("/hello"), "hello\n");
}

#[test]
fn sk_3_another_uid_is_sent_away_before_a_byte_is_read() {
    let worker = Wish { peer_uid: 12345, ..Wish::new() }.start();
    let mut child = worker.connect();
    // Either the send fails or the answer is the end: what was sent is never answered.
    let sent = child.send_bytes(&worker.ask("/hello").encode(), &[]);
    assert!(sent.is_err() || child.try_frame().is_err() || child.is_closed());
    let line = format!(
        "WSGI1263: A connection from uid {}, pid {} was refused: ",
        rustix::process::geteuid().as_raw(),
        std::process::id()
    );
    wait_until(LIMIT, "the line about the peer", || worker.errors().contains(&line));
    assert_eq!(worker.errors().matches("WSGI1263").count(), 1);
}

#[test]
fn wf_1_malformed_requests_are_refused_and_the_connection_closed() {
    let worker = Wish::new().start();
    let good = worker.ask("/hello").encode();
    let mut broken = good.clone();
    broken[wire::HEADER_LEN] = 99;
    let twice = [&good[..], &good[..]].concat();
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], None),
        (&broken, Some(RefusalReason::Malformed)),
        (&twice, Some(RefusalReason::Malformed)),
        (&[3, 1, 0, 0, 0, 0, 0, 0], Some(RefusalReason::Malformed)),
    ] {
        let mut child = worker.connect();
        child.send_bytes(bytes, &[]).unwrap();
        let found = refusal(&mut child);
        assert!(reason.is_none_or(|reason| reason == found), "{found:?}");
        assert!(matches!(child.try_frame(), Ok(None) | Err(_)));
    }
    serves(&worker);
}

/// After an update of the packages an old httpd child may meet a new worker, or the other way round. The version is the second
/// byte of every frame, whatever else a version changes.
#[test]
fn wf_5_a_child_of_another_version_is_told_so_and_disconnected() {
    let worker = Wish::new().start();
    let good = worker.ask("/hello").encode();
    for version in [0, wire::VERSION - 1, wire::VERSION + 1, u8::MAX] {
        let mut other = good.clone();
        other[1] = version;
        let mut child = worker.connect();
        child.send_bytes(&other, &[]).unwrap();
        child.expect(&worker.ask("/hello"));
        let Frame::Refuse(RefusalReason::Version, text) = child.frame() else { panic!("version {version}") };
        assert!(text.contains(&version.to_string()) && text.contains(&wire::VERSION.to_string()), "{text}");
        assert!(matches!(child.try_frame(), Ok(None) | Err(_)), "the connection goes no further");
    }
    serves(&worker);
}

#[test]
fn wf_6_descriptors_are_checked_and_never_kept() {
    let worker = Wish::new().start();
    serves(&worker);
    let before = worker.seen().fds().len();
    let mut good = tempfile::tempfile().unwrap();
    good.write_all(b"12345").unwrap();
    let directory = File::open("/").unwrap();
    let (pipe, _writer) = std::io::pipe().unwrap();
    let many: Vec<&dyn std::os::fd::AsFd> = vec![&good; 253];
    let file = |length| Body::File(length);
    for round in 0..20 {
        for (body, files) in [
            (file(5), &[][..]),
            (file(5), &[&good as _, &good as _]),
            (file(6), &[&good as _]),
            (file(5), &[&directory as _]),
            (file(5), &[&pipe as _]),
            (file(5), &[&worker.listener as _]),
            (file(5), &many[..200]),
            (Body::Inline(b"x"), &[&good as _]),
            (Body::Stream(None), &[&good as _]),
        ] {
            let mut child = worker.connect();
            let mut ask = worker.ask("/echo");
            ask.body = body;
            child.send_with_files(&ask, files);
            assert_eq!(refusal(&mut child), RefusalReason::Malformed, "round {round}, {} files", files.len());
        }
    }
    serves(&worker);
    wait_until(LIMIT, "all descriptors to be closed", || worker.seen().fds().len() <= before);
}

#[test]
fn wf_4_a_dribbling_child_is_dropped() {
    let worker = Wish { threads: 1, socket: Duration::from_secs(1), ..Wish::new() }.start();
    let request = worker.ask("/hello").encode();
    let mut child = worker.connect();
    let start = Instant::now();
    for byte in &request {
        if child.send_bytes(&[*byte], &[]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let taken = start.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&taken), "{taken:?}");
    assert!(matches!(child.try_frame(), Ok(None) | Err(_)));
    serves(&worker);
}

#[test]
fn wf_4_a_silent_body_is_given_up() {
    let worker = Wish { threads: 1, socket: Duration::from_secs(1), ..Wish::new() }.start();
    let mut child = worker.connect();
    let mut ask = worker.ask("/first_byte");
    ask.body = Body::Stream(Some(5));
    child.send(&ask);
    assert_eq!(child.frame(), Frame::WantBody);
    let answer = child.answer();
    assert_eq!(answer.last, Some(Frame::Fail(500)), "{answer:?}");
    serves(&worker);
}

#[test]
fn sl_4_a_child_that_goes_away_frees_the_thread() {
    let worker = Wish { threads: 1, ..Wish::new() }.start();
    for path in ["/slow_stream", "/big", "/sleep", "/hello"] {
        let mut child = worker.connect();
        child.send(&worker.ask(path));
        if path == "/slow_stream" {
            child.frame();
        }
        drop(child);
        serves(&worker);
    }
}

#[test]
fn re_2_no_descriptor_left_is_survived_without_spinning() {
    let worker = Wish { threads: 1, ..Wish::new() }.start();
    serves(&worker);
    assert_eq!(worker.get("/no_descriptors_left"), "done");
    // One more connection than fits.
    let first = worker.connect();
    let mut second = worker.connect();
    let processor_time = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.pid)).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().map(str::to_owned).collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    second.send(&worker.ask("/hello"));
    let before = processor_time();
    std::thread::sleep(Duration::from_secs(1));
    assert!(processor_time() - before < 20, "ticks of 10 ms in one second");
    drop(first);
    assert_eq!(second.answer().text(), "hello\n");
}
