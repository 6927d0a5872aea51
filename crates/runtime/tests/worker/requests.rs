//! Requests and responses.

use std::fs;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

use spec::{Allowed, Purpose, Root};
use wire::{Body, Kind, RefusalReason};

use crate::child::{Answer, Ask, Frame};
use crate::harness::{LIMIT, Wish};

/// Sub-interpreters of one process.
const LIMIT_OF_INTERPRETERS: usize = 100;

fn ok(answer: &Answer) -> bool {
    answer.status == 200 && answer.last == Some(Frame::End)
}

#[test]
fn a_small_response_comes_in_one_piece() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    for round in 1..=50 {
        let answer = child.get(&worker.ask("/hello"));
        assert!(ok(&answer), "{answer:?}");
        assert_eq!((answer.text().as_str(), child.reads), ("hello\n", round));
    }
}

#[test]
fn every_python_serves_from_the_same_file() {
    let pythons = kit::Python::all();
    for minor in [10, 11, 12, 13] {
        if !pythons.iter().any(|python| python.minor == minor) {
            kit::skip::skipped(
                "every_python_serves_from_the_same_file",
                &format!("no Python 3.{minor} here"),
            );
        }
    }
    for python in pythons {
        let mut worker = Wish { python: python.executable.clone(), ..Wish::new() }.start();
        let mut child = worker.connect();
        assert!(ok(&child.get(&worker.ask("/hello"))), "{python:?}");
        let mut ask = worker.ask("/hello");
        ask.group = "another";
        assert!(ok(&child.get(&ask)), "{python:?}");
        worker.signal(rustix::process::Signal::TERM);
        let (status, _) = worker.wait();
        assert_eq!(status.code(), Some(0), "{python:?}: {}", worker.errors());
        assert!(worker.errors().contains("atexit ran"), "{python:?}: {}", worker.errors());
    }
}

#[test]
fn environ_holds_what_was_sent_and_what_the_worker_knows() {
    let worker = Wish::new().start();
    let mut ask = worker.ask("/environ");
    ask.environ = &[("HTTP_X_ODD", "a=b\u{e9}"), ("HTTP_HOST", "first"), ("HTTP_HOST", "second")];
    let text = worker.connect().get(&ask).text();
    for line in [
        "PATH_INFO='/environ'",
        "HTTP_X_ODD='a=b\u{c3}\u{a9}'",
        "HTTP_HOST='second'",
        "wsgi.url_scheme='http'",
        "wsgi.multithread=True",
        "wsgi.multiprocess=False",
        "wsgi.run_once=False",
        "mod_wsgi.process_group='tests'",
        "mod_wsgi.application_group=''",
        "apache.version=(2, 4, 62)",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn bodies_arrive_whole_however_they_travel() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let block: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();

    let mut ask = worker.ask("/echo");
    ask.body = Body::Inline(&block[..65536]);
    assert!(child.get(&ask).body == block[..65536]);

    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&block).unwrap();
    ask.body = Body::File(block.len() as u64);
    child.send_with_files(&ask, &[&file]);
    assert!(child.answer().body == block);

    for announced in [None, Some(block.len() as u64)] {
        ask.body = Body::Stream(announced);
        child.send(&ask);
        assert_eq!(child.frame(), Frame::WantBody);
        let (mut body, mut sent) = (Vec::new(), 0);
        for piece in block.chunks(50_000) {
            child.send_body(piece);
            sent += piece.len();
            // Both directions move: the application holds back less than the 100,000 bytes it reads at once.
            while body.len() + 100_000 < sent {
                match child.frame() {
                    Frame::Data(data) => body.extend_from_slice(&data),
                    Frame::Head(200, _) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        child.send_empty(Kind::BodyEnd);
        body.extend_from_slice(&child.answer().body);
        assert!(body == block);
    }
    assert!(ok(&child.get(&worker.ask("/hello"))));
}

#[test]
fn a_streamed_body_is_asked_for_only_when_read() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let mut ask = worker.ask("/unread");
    ask.body = Body::Stream(Some(10));
    child.send(&ask);
    assert!(matches!(child.frame(), Frame::Head(200, _)));
    assert!(ok(&Answer { status: 200, ..child.answer() }));
    assert!(child.is_closed(), "the body is still on its way: the connection cannot go on");

    let mut child = worker.connect();
    ask.path = "/echo";
    child.send(&ask);
    assert_eq!(child.frame(), Frame::WantBody);
    child.send_body(b"abc");
    child.send_empty(Kind::BodyAbort);
    let answer = child.answer();
    assert_eq!(answer.last, Some(Frame::Fail(500)), "the application was told: {answer:?}");
    assert!(ok(&child.get(&worker.ask("/hello"))), "an aborted body is complete: the connection goes on");
}

#[test]
fn large_responses_arrive_whole() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let answer = child.get(&worker.ask("/big"));
    assert!(ok(&answer) && answer.body == vec![b'x'; 5_000_000]);
    let answer = child.get(&worker.ask("/pieces"));
    let expected: Vec<u8> =
        (0..200).flat_map(|number| format!("{number:05}").repeat(2000).into_bytes()).collect();
    assert!(ok(&answer) && answer.body == expected);
}

#[test]
fn a_file_leaves_as_a_descriptor() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let answer = child.get(&worker.ask("/file"));
    assert!(ok(&answer), "{answer:?}");
    let ([part], [file]) = (&answer.files[..], &child.files[..]) else { panic!("{answer:?}") };
    let mut content = vec![0; usize::try_from(part.length).unwrap()];
    let file = fs::File::from(file.try_clone().unwrap());
    file.read_exact_at(&mut content, part.offset).unwrap();
    assert_eq!(content, fs::read(&worker.script).unwrap());
}

#[test]
fn lg_4_log_lines_belong_to_their_request() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let answer = child.get(&worker.ask("/logs"));
    assert!(ok(&answer));
    let logs = answer.logs.join("\n");
    assert!(logs.contains("one line for wsgi.errors") && logs.contains("one line printed"), "{logs}");
    let answer = child.get(&worker.ask("/long_log"));
    assert!(answer.logs.iter().map(String::len).sum::<usize>() >= 200_000);
    assert!(child.get(&worker.ask("/hello")).logs.is_empty());
}

#[test]
fn lg_4_last_words_of_a_crashing_application_arrive() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    child.send(&worker.ask("/crash_after_log"));
    assert!(matches!(child.frame(), Frame::Log(text) if text.contains("last words")));
    assert!(child.is_closed());
}

#[test]
fn rs_7_failures_look_like_failures() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let answer = child.get(&worker.ask("/raises"));
    assert_eq!(answer.last, Some(Frame::Fail(500)));
    assert!(answer.logs.iter().any(|line| line.contains("ValueError: as asked")), "{answer:?}");
    let answer = child.get(&worker.ask("/raises_late"));
    assert_eq!((answer.text().as_str(), answer.last), ("begun", Some(Frame::Abort)));
    assert!(ok(&child.get(&worker.ask("/hello"))), "the connection goes on");
}

#[test]
fn rs_9_a_head_that_is_too_large_is_named() {
    let worker = Wish::new().start();
    let answer = worker.connect().get(&worker.ask("/huge_header"));
    assert_eq!(answer.last, Some(Frame::Fail(500)));
    assert!(answer.logs.iter().any(|line| line.contains("\"X-Huge\" with 600000 bytes")), "{answer:?}");
}

#[test]
fn sk_10_a_script_outside_the_roots_is_refused() {
    let worker = Wish::new().start();
    let mut child = worker.connect();
    let evil = worker.directory.path().join("evil.py");
    let climbing = worker.directory.path().join("site/../evil.py");
    for script in
        [evil.as_os_str().as_encoded_bytes(), climbing.as_os_str().as_encoded_bytes(), b"/etc/passwd"]
    {
        let mut ask = worker.ask("/hello");
        ask.script = script;
        let answer = child.get(&ask);
        assert!(matches!(answer.last, Some(Frame::Refuse(RefusalReason::Script, _))), "{answer:?}");
    }
    assert!(ok(&child.get(&worker.ask("/hello"))), "the connection goes on");
    assert!(!std::path::Path::new("/tmp/never").exists());
}

/// Who passes every other check and speaks to the worker directly still gets only what the configuration can ask for.
#[test]
fn sk_10_another_callable_or_application_group_is_refused() {
    let roots = |site: &Path| {
        let only = |name: &str| Allowed::Only(vec![name.to_owned()]);
        vec![Root {
            patterns: Vec::new(),
            path: site.to_owned(),
            purpose: Purpose::Application,
            callable: only("application"),
            application_group: only(""),
        }]
    };
    let worker = Wish { roots: Some(roots), ..Wish::new() }.start();
    let mut child = worker.connect();
    assert!(ok(&child.get(&worker.ask("/hello"))));
    for (group, callable, expected) in [
        ("", "other_application", "callable \"other_application\""),
        ("other", "application", "application group \"other\""),
    ] {
        let answer = child.get(&Ask { group, callable, ..worker.ask("/hello") });
        let Some(Frame::Refuse(RefusalReason::Script, text)) = &answer.last else { panic!("{answer:?}") };
        assert!(text.contains(expected) && text.contains("allowed: "), "{text}");
    }
    assert!(ok(&child.get(&worker.ask("/hello"))), "the connection goes on");
}

/// A name that comes from the client must not fill the memory with interpreters.
#[test]
fn sk_10_the_number_of_interpreters_is_limited() {
    let worker = Wish { threads: 1, ..Wish::new() }.start();
    let mut child = worker.connect();
    let names: Vec<_> = (0..=LIMIT_OF_INTERPRETERS).map(|number| format!("host{number}.example")).collect();
    let ask = |group| Ask { group, ..worker.ask("/hello") };
    let (last, allowed) = names.split_last().unwrap();
    for name in allowed {
        let answer = child.get(&ask(name));
        assert!(ok(&answer), "{name}: {answer:?}");
    }
    let answer = child.get(&ask(last));
    assert_eq!(answer.last, Some(Frame::Fail(500)));
    let line = format!("WSGI1205: Application group '{last}' gets no Python interpreter: this process has ");
    assert!(
        answer.logs.iter().any(|log| log.starts_with(&line) && log.contains("WSGIApplicationGroup")),
        "{answer:?}"
    );
    assert!(ok(&child.get(&ask(&names[0]))) && ok(&child.get(&ask(""))), "those that exist go on");
}

#[test]
fn many_connections_share_few_threads() {
    let worker = Wish { threads: 2, ..Wish::new() }.start();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut child = worker.connect();
                for _ in 0..100 {
                    assert!(ok(&child.get(&worker.ask("/hello"))));
                }
            });
        }
    });
    kit::wait_until(LIMIT, "closed connections to be closed", || worker.seen().fds().len() < 20);
}

#[test]
fn deep_recursion_fits_the_stack() {
    let worker = Wish::new().start();
    assert!(ok(&worker.connect().get(&worker.ask("/deep"))));
}

/// With `-S` nothing of a virtual environment runs before the worker knows who it is.
#[test]
fn a_python_that_starts_without_site_has_it_when_requests_come() {
    for python in kit::Python::all() {
        let home = python.home().unwrap();
        let wish = |options| Wish { python: home.join("bin/python"), options, ..Wish::new() };
        let (usual, late) = (wish(&[]).start().get("/paths"), wish(&["-S"]).start().get("/paths"));
        assert!(
            usual.contains("site-packages") && usual.starts_with(home.to_str().unwrap()),
            "{python:?}: {usual}"
        );
        assert_eq!(late, usual, "{python:?}");
    }
}
