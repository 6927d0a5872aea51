//! When workers are replaced, as far as both servers agree.

use kit::server::pick;
use kit::{LIMIT, Setup, need, wait_until};
use std::collections::BTreeSet;

/// Answers with its process and `wsgi.run_once`; sleeps in Python as many seconds as the query says.
const PLACE: &str = r#"
import os, time

def application(environ, start_response):
    end = time.monotonic() + float(environ["QUERY_STRING"] or 0)
    while time.monotonic() < end:
        time.sleep(0.01)
    start_response("200 OK", [])
    return [b"%d %s" % (os.getpid(), str(environ["wsgi.run_once"]).encode())]
"#;

fn place(options: &str) -> Result<Setup, String> {
    Ok(Setup::new()?.one_daemon(options).app("place", PLACE))
}

#[test]
fn one_thread_with_one_request_runs_once() {
    let apache = need!(place("threads=1 maximum-requests=1")).start();
    let mut processes = BTreeSet::new();
    for _ in 0..3 {
        let answer = apache.get("/place").expect_status(200).text();
        let (process, run_once) = answer.split_once(' ').expect("two words");
        assert_eq!(run_once, "True");
        assert!(processes.insert(process.to_owned()), "{process} served twice");
    }
    apache.finish();
}

#[test]
fn more_requests_or_threads_do_not_run_once() {
    for options in ["threads=1 maximum-requests=2", "threads=2 maximum-requests=1"] {
        let apache = need!(place(options)).start();
        let answer = apache.get("/place").expect_status(200).text();
        assert!(answer.ends_with(" False"), "{options}: {answer}");
        apache.finish();
    }
}

#[test]
fn replaced_workers_are_followed_by_others() {
    // mod_wsgi looks at its other timers so seldom that 15 s were too short for one of 1 s.
    let timers: &[&str] = &["maximum-requests=3", "restart-interval=1", "inactivity-timeout=1"];
    for option in pick(timers, &timers[..1]) {
        let apache = need!(place(&format!("threads=1 {option}"))).start();
        let first = apache.get("/place").expect_status(200).text();
        if option.starts_with("inactivity") {
            // A look would be activity.
            wait_until(LIMIT, "the worker is replaced", || {
                apache.workers().iter().all(|worker| !first.starts_with(&format!("{} ", worker.pid)))
            });
        }
        wait_until(LIMIT, "another process serves", || {
            apache.get("/place").expect_status(200).text() != first
        });
        apache.finish();
    }
}

#[test]
fn an_interrupted_request_is_504_and_its_process_serves_on() {
    let options = "threads=1 request-timeout=1 interrupt-timeout=10";
    let apache =
        need!(place(options)).expect_log("WSGI1270|RequestTimeout|WSGI0174|Traceback|  File|    ").start();
    let first = apache.get("/place").expect_status(200).text();
    apache.get("/place?20").expect_status(504);
    assert_eq!(apache.get("/place").expect_status(200).text(), first);
    apache.finish();
}
