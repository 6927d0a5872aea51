//! Replacement of workers: what asks for it, what it costs (nothing), and what is logged.

use crate::ours;
use kit::{Load, need};
use std::collections::BTreeMap;

/// Answers with its process and how many requests that has had.
const COUNTS: &str = r#"
import itertools, os
numbers = itertools.count(1)

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d %d %s" % (os.getpid(), next(numbers), str(environ["wsgi.run_once"]).encode())]
"#;

#[test]
fn maximum_requests_replaces_workers_and_loses_nothing() {
    let setup = need!(ours()).one_daemon("threads=4 processes=2 maximum-requests=20");
    let apache = setup.app("counts", COUNTS).start();
    let load = Load::start(apache.address(), "/counts", 4);
    let replaced = || apache.log().lines("WSGI1030").len();
    kit::wait_until(kit::LIMIT, "workers are replaced", || replaced() >= 6);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{} served, but {:?}", tally.good, tally.bad);
    let line = apache.log().wait("WSGI1030");
    assert!(line.contains("[wsgi:info]") && line.contains("because of maximum_requests"), "{line}");
    apache.wait_settled();
    assert_eq!(apache.workers().len(), 2);
    assert!(apache.get("/counts").expect_status(200).text().ends_with(" False"));
    apache.finish();
}

#[test]
fn one_thread_with_one_request_is_a_process_for_each() {
    let setup = need!(ours()).one_daemon("threads=1 maximum-requests=1");
    let apache = setup.app("counts", COUNTS).start();
    let load = Load::start(apache.address(), "/counts", 3);
    load.wait_served(6);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{} served, but {:?}", tally.good, tally.bad);
    let mut served = BTreeMap::new();
    for _ in 0..3 {
        let answer = apache.get("/counts").expect_status(200).text();
        let words: Vec<&str> = answer.split(' ').collect();
        assert_eq!(words[1..], ["1", "True"], "{answer}");
        assert_eq!(served.insert(words[0].to_owned(), ()), None, "served twice by {answer}");
    }
    apache.finish();
}
