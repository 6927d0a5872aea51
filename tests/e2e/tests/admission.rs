//! Admission: 503 with Retry-After at once when the queue is full, 504 at queue-timeout, no slot that leaks (RE-7), and slow
//! uploads that keep nobody waiting (SL-1).

use crate::ours;
use kit::{need, promised, wait_until};
use std::time::{Duration, Instant};

const WAITS: &str = r#"
import os, time

def application(environ, start_response):
    open("@SCRATCH@/begun", "a").write("x")
    end = time.monotonic() + 20
    while not os.path.exists("@SCRATCH@/go") and time.monotonic() < end:
        time.sleep(0.005)
    start_response("200 OK", [])
    return [b"finished"]
"#;

#[test]
fn re_7_a_request_that_waits_too_long_is_504() {
    let setup = need!(ours()).one_daemon("threads=1 queue-timeout=1").app("waits", WAITS).fixture("hello");
    let apache = setup.start();
    apache.expect_log(r"no worker was free within 1 s");
    let request = apache.request("GET", "/waits");
    let first = std::thread::spawn(move || request.send());
    apache.wait_scratch("begun");
    let asked = Instant::now();
    apache.get("/hello").expect_status(504);
    let took = asked.elapsed();
    assert!((Duration::from_millis(900)..promised(Duration::from_millis(1200))).contains(&took), "{took:?}");
    apache.let_go("go");
    first.join().expect("it is answered").expect_status(200);
    apache.get("/hello").expect_status(200);
    apache.finish();
}

#[test]
fn re_7_a_full_queue_answers_503_at_once() {
    let setup = need!(ours())
        .one_daemon("threads=1 listen-backlog=2 queue-timeout=15")
        .app("waits", WAITS)
        .fixture("hello");
    let apache = setup.start();
    apache.expect_log(r"requests already wait for a worker");
    let mut clients = Vec::new();
    for _ in 0..20 {
        let request = apache.request("GET", "/waits");
        clients.push(std::thread::spawn(move || {
            let asked = Instant::now();
            (request.send(), asked.elapsed())
        }));
    }
    apache.wait_scratch("begun");
    wait_until(kit::LIMIT, "surplus requests are refused", || {
        clients.iter().any(std::thread::JoinHandle::is_finished)
    });
    apache.let_go("go");
    let answers: Vec<_> = clients.into_iter().map(|client| client.join().expect("it is answered")).collect();
    let refused: Vec<_> = answers.iter().filter(|(response, _)| response.status == 503).collect();
    assert!(!refused.is_empty());
    for (response, took) in &refused {
        assert!(response.header("Retry-After").is_some(), "{:?}", response.head);
        assert!(*took < promised(Duration::from_secs(1)), "{took:?}");
    }
    assert!(answers.iter().all(|(response, _)| matches!(response.status, 200 | 503)));
    apache.get("/hello").expect_status(200);
    apache.finish();
}

#[test]
fn re_7_a_killed_child_gives_its_slots_back() {
    let setup = need!(ours()).one_daemon("threads=1 queue-timeout=5").app("waits", WAITS).fixture("hello");
    let apache = setup.start();
    apache.expect_log(r"AH00052: child pid \d+ exit signal Killed");
    let request = apache.request("GET", "/waits");
    let lost = std::thread::spawn(move || request.try_send());
    apache.wait_scratch("begun");
    apache.children().iter().for_each(kit::Process::kill);
    let _ = lost.join().expect("the client ends");
    apache.let_go("go");
    wait_until(kit::LIMIT, "the slot is free again", || {
        apache.request("GET", "/hello").try_send().is_ok_and(|response| response.status == 200)
    });
    apache.finish();
}

#[test]
fn sl_1_a_slow_upload_holds_no_worker() {
    let apache = need!(ours()).one_daemon("threads=1").fixture("echo").fixture("hello").start();
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut connection = apache.connect();
        connection
            .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nsome")
            .expect("is sent");
        slow.push(connection);
    }
    for _ in 0..20 {
        apache.request("GET", "/hello").patience(promised(Duration::from_secs(3))).send().expect_status(200);
    }
    for mut connection in slow {
        connection.send(vec![b'y'; 96]).expect("is sent");
        let response = connection.read_response("POST").expect("is answered").expect_status(200);
        assert_eq!(response.body.len(), 100);
    }
    apache.finish();
}
