//! Replacement of workers: what asks for it, what it costs (nothing), and what is logged.

use crate::ours;

use kit::{Apache, LIMIT, Load, Setup, need, promised, stays_true, wait_until};
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    let setup = need!(planned("threads=4 processes=2 maximum-requests=20"));
    let apache = setup.app("counts", COUNTS).start();
    let load = Load::start(apache.address(), "/counts", 4);
    let replaced = || apache.log().lines("WSGI1030").len();
    wait_until(LIMIT, "workers are replaced", || replaced() >= 6);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{} served, but {:?}", tally.good, tally.bad);
    let line = apache.log().wait("WSGI1030");
    assert!(line.contains("[wsgi:info]") && line.contains("because of maximum_requests"), "{line}");
    // The last requests of the load may have asked for one more replacement.
    wait_until(LIMIT, "two workers are left", || apache.workers().len() == 2);
    apache.wait_settled();
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

/// Answers with its process; `/slow` takes as many seconds as the query says, in Python code.
const SLOW: &str = r#"
import ctypes, os, time

def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    open("@SCRATCH@/begun" + query, "w").write("begun")
    if path == "/steps":
        end = time.monotonic() + float(query)
        while time.monotonic() < end:
            time.sleep(0.01)
    elif path == "/until":
        while not os.path.exists("@SCRATCH@/" + query):
            time.sleep(0.01)
    elif path == "/sleep":
        time.sleep(float(query))
    elif path == "/stubborn":
        end = time.monotonic() + float(query)
        while time.monotonic() < end:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
    elif path == "/hold":
        ctypes.PyDLL(None).sleep(int(query))
    elif path == "/stream":
        start_response("200 OK", [])(b"begun")
        time.sleep(float(query))
        return [b"never"]
    elif path == "/burn":
        end = time.process_time() + float(query)
        while time.process_time() < end:
            pass
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"#;

/// A group with these options; the log shows what is planned, too.
fn planned(options: &str) -> Result<Setup, String> {
    Ok(ours()?.one_daemon(options).config("LogLevel wsgi:info"))
}

/// A site with `SLOW` at `/slow`.
fn slow(options: &str) -> Result<Setup, String> {
    Ok(planned(options)?.app("slow", SLOW))
}

/// Waits for the line about a replacement for this cause.
#[track_caller]
fn replaced(apache: &Apache, cause: &str) {
    apache.log().wait(&format!("WSGI1030: .*because of {cause}"));
}

/// Whether something took so many seconds, or at most half a second longer.
fn soon_after(seconds: u64, taken: Duration) -> bool {
    let (limit, early) = (Duration::from_secs(seconds), Duration::from_millis(100));
    (limit - early..limit + promised(Duration::from_millis(500))).contains(&taken)
}

/// Waits until another process answers than this one.
#[track_caller]
fn another_serves(apache: &Apache, before: &str) {
    wait_until(LIMIT, "another process serves", || apache.get("/slow/").expect_status(200).text() != before);
}

#[test]
fn restart_interval_replaces_workers_that_work() {
    let apache = need!(slow("threads=2 restart-interval=1 deadlock-timeout=0")).start();
    let first = apache.get("/slow/").expect_status(200).text();
    let load = Load::start(apache.address(), "/slow/", 2);
    replaced(&apache, "restart_interval");
    another_serves(&apache, &first);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{} served, but {:?}", tally.good, tally.bad);
    apache.finish();
}

#[test]
fn inactivity_timeout_replaces_idle_workers_that_were_used() {
    let apache = need!(slow("threads=2 inactivity-timeout=1 deadlock-timeout=0")).start();
    let first = apache.get("/slow/").expect_status(200).text();
    replaced(&apache, "inactivity_timeout");
    another_serves(&apache, &first);
    // The second one was used by that request, a third one would be idle for ever.
    apache.finish();
}

#[test]
fn to_1_a_request_that_takes_too_long_is_504_and_its_worker_is_replaced() {
    for path in ["/slow/steps?20", "/slow/sleep?20", "/slow/stubborn?20"] {
        let setup = need!(slow("threads=3 request-timeout=1 shutdown-timeout=1 deadlock-timeout=0"));
        let apache = setup.start();
        let first = apache.get("/slow/").expect_status(200).text();
        let start = Instant::now();
        let late = apache.request("GET", path);
        let late = std::thread::spawn(move || late.send());
        apache.wait_scratch("begun20");
        let status = late.join().unwrap().status;
        let taken = start.elapsed();
        assert_eq!(status, 504, "{path}");
        assert!(soon_after(1, taken), "{path}: {taken:?}");
        let line = apache.log().wait("WSGI1271");
        assert!(line.contains("slow.wsgi"), "{line}");
        apache.log().wait(r#"Thread \d+ executing file ".*slow.wsgi", line \d+, in application"#);
        replaced(&apache, "request_timeout");
        apache.expect_log("WSGI1260|WSGI1002");
        another_serves(&apache, &first);
        apache.finish();
    }
}

#[test]
fn to_1_siblings_of_a_late_request_finish() {
    let setup = need!(slow("threads=3 request-timeout=3 shutdown-timeout=2 deadlock-timeout=0"));
    let apache = setup.start();
    let late = apache.request("GET", "/slow/sleep?20");
    let late = std::thread::spawn(move || late.send());
    apache.wait_scratch("begun20");
    stays_true(Duration::from_millis(1500), "it is not late yet", || !late.is_finished());
    let sibling = apache.request("GET", "/slow/until?go");
    let sibling = std::thread::spawn(move || sibling.send());
    apache.log().wait("WSGI1271");
    // Not late when the other one is.
    apache.let_go("go");
    sibling.join().unwrap().expect_status(200);
    assert_eq!(late.join().unwrap().status, 504);
    apache.log().wait("executing file");
    apache.expect_log("WSGI1260|WSGI1002");
    apache.finish();
}

#[test]
fn to_1_a_late_response_that_has_begun_is_broken_off() {
    let setup = need!(slow("threads=2 request-timeout=1 shutdown-timeout=1 deadlock-timeout=0"));
    let apache = setup.start();
    let response = apache.get("/slow/stream?20");
    assert_eq!((response.status, response.end), (200, kit::End::Truncated));
    apache.log().wait("WSGI1271");
    apache.log().wait("executing file");
    apache.expect_log("WSGI1260|WSGI1002|WSGI0119");
    apache.finish();
}

#[test]
fn to_1_interrupt_timeout_ends_the_request_and_keeps_the_worker() {
    let options = "threads=2 request-timeout=1 interrupt-timeout=5 deadlock-timeout=0";
    let apache = need!(slow(options)).start();
    let first = apache.get("/slow/").expect_status(200).text();
    let start = Instant::now();
    apache.get("/slow/steps?20").expect_status(504);
    let taken = start.elapsed();
    assert!(soon_after(1, taken), "{taken:?}");
    apache.log().wait("WSGI1270");
    apache.log().wait(r"\[wsgi:info\].*Dumping stack trace for thread");
    apache.log().wait(r#"\[wsgi:info\].*Thread \d+ executing file ".*slow.wsgi""#);
    assert_eq!(apache.get("/slow/").expect_status(200).text(), first, "the worker goes on");
    apache.finish();
}

#[test]
fn to_1_who_ignores_the_interrupt_is_given_up() {
    let options = "threads=2 request-timeout=1 interrupt-timeout=1 shutdown-timeout=1 deadlock-timeout=0";
    let apache = need!(slow(options)).start();
    let first = apache.get("/slow/").expect_status(200).text();
    let start = Instant::now();
    apache.get("/slow/stubborn?20").expect_status(504);
    let taken = start.elapsed();
    assert!(soon_after(2, taken), "{taken:?}");
    apache.log().wait("WSGI1270");
    apache.log().wait("WSGI1271");
    apache.log().wait("executing file");
    replaced(&apache, "request_timeout");
    another_serves(&apache, &first);
    apache.expect_log("WSGI1260|WSGI1002");
    apache.finish();
}

#[test]
fn to_2_a_gil_held_in_c_is_noticed_and_the_worker_replaced() {
    let apache = need!(slow("threads=2 deadlock-timeout=1 shutdown-timeout=1")).start();
    let first = apache.get("/slow/").expect_status(200).text();
    let held = apache.request("GET", "/slow/hold?30");
    let held = std::thread::spawn(move || held.send());
    apache.wait_scratch("begun30");
    let line = apache.log().wait("WSGI1273");
    assert!(line.contains("deadlock-timeout") && line.contains("running: 1"), "{line}");
    apache.log().wait(r#"File ".*slow.wsgi", line \d+ in application"#);
    apache.expect_log(r#"Thread 0x|thread 0x|  File "|<no Python frame>|WSGI1260|WSGI1002|\(group app\) $"#);
    replaced(&apache, "deadlock_timeout");
    another_serves(&apache, &first);
    assert_eq!(held.join().unwrap().status, 502);
    apache.expect_log("WSGI0147|WSGI0146|WSGI0148");
    apache.finish();
}

#[test]
fn to_3_a_script_that_never_loads_ends_its_worker() {
    let code = "import os, time\nwhile not os.path.exists('@SCRATCH@/go'): time.sleep(0.01)\n\
                def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'loaded']\n";
    let options = "threads=2 startup-timeout=1 shutdown-timeout=1 deadlock-timeout=0";
    let apache = need!(planned(options)).app("hangs", code).start();
    let request = apache.request("GET", "/hangs");
    let request = std::thread::spawn(move || request.send());
    apache.log().wait("WSGI1272");
    replaced(&apache, "startup_timeout");
    apache.let_go("go");
    request.join().unwrap();
    wait_until(LIMIT, "it serves", || apache.get("/hangs").status == 200);
    apache.expect_log("WSGI1260|WSGI1002|WSGI014");
    apache.finish();
}

#[test]
fn cpu_time_limit_replaces_a_worker_and_keeps_its_requests() {
    let apache = need!(slow("threads=2 cpu-time-limit=1 shutdown-timeout=14")).start();
    let first = apache.get("/slow/").expect_status(200).text();
    let limits = std::fs::read_to_string(format!("/proc/{first}/limits")).unwrap();
    let cpu = limits.lines().find(|line| line.starts_with("Max cpu time")).unwrap_or_default();
    assert_eq!(cpu.split_whitespace().skip(3).collect::<Vec<_>>(), ["1", "16", "seconds"], "{cpu}");
    assert_eq!(apache.get("/slow/burn?1.3").expect_status(200).text(), first, "it may finish");
    replaced(&apache, "cpu_time_limit");
    another_serves(&apache, &first);
    apache.finish();
}

#[test]
fn dp_2_a_signalled_worker_is_replaced_and_loses_nothing() {
    for (options, cause) in
        [("threads=2", "graceful_signal"), ("threads=2 eviction-timeout=20", "eviction_signal")]
    {
        let apache = need!(slow(options)).start();
        let first = apache.get("/slow/").expect_status(200).text();
        let load = Load::start(apache.address(), "/slow/", 3);
        load.wait_served(20);
        let running = apache.request("GET", "/slow/steps?0.5");
        let running = std::thread::spawn(move || running.send());
        apache.wait_scratch("begun0.5");
        apache.workers().iter().for_each(|worker| worker.signal(Signal::SIGUSR1));
        replaced(&apache, cause);
        assert_eq!(running.join().unwrap().expect_status(200).text(), first);
        load.wait_served(20);
        let tally = load.stop();
        assert!(tally.bad.is_empty(), "{cause}: {} served, but {:?}", tally.good, tally.bad);
        apache.finish();
    }
}

/// A service that owns a file and writes a line when it begins and when it ends.
const SERVICE: &str = r#"
import os, time

def note(text):
    with open("@SCRATCH@/service", "a") as file:
        file.write("%s %d\n" % (text, os.getpid()))

note("begins")
first = len(open("@SCRATCH@/service").readlines()) == 1
try:
    while not (first and os.path.exists("@SCRATCH@/return")):
        time.sleep(0.01)
except SystemExit:
    time.sleep(0.2)
    note("ends")
    raise
note("returns")
"#;

fn service() -> Result<Setup, String> {
    let setup = planned("threads=1")?.file("site/service.py", SERVICE).fixture("hello");
    let group = "threads=0 shutdown-timeout=3";
    let config = "WSGIImportScript @SITE@/service.py process-group=service application-group=%{GLOBAL}\n\
                  WSGIScriptAlias /wrong @SITE@/hello.wsgi process-group=service\n";
    Ok(setup.daemon("service", group).config(config))
}

/// What the service has noted, word by word.
fn notes(apache: &Apache) -> Vec<String> {
    let text = std::fs::read_to_string(apache.scratch("service")).unwrap_or_default();
    text.lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_service_script_runs_on_the_main_thread_and_is_told_to_end() {
    let apache = need!(service()).start();
    wait_until(LIMIT, "the service begins", || notes(&apache) == ["begins"]);
    apache.get("/hello").expect_status(200);
    apache.get("/wrong").expect_status(500);
    let line = apache.log().wait("WSGI1040");
    assert!(line.contains("service") && line.contains("threads=0"), "{line}");
    apache.graceful();
    // Never two at a time: the second begins when the first has ended.
    wait_until(LIMIT, "the next one begins", || notes(&apache) == ["begins", "ends", "begins"]);
    apache.finish();
}

#[test]
fn a_service_script_that_returns_is_started_again() {
    let apache = need!(service()).start();
    wait_until(LIMIT, "the service begins", || notes(&apache) == ["begins"]);
    apache.let_go("return");
    let line = apache.log().wait("WSGI1002: .*'service'");
    assert!(line.contains("exit status 0"), "{line}");
    wait_until(LIMIT, "the next one begins", || notes(&apache) == ["begins", "returns", "begins"]);
    apache.finish();
}

#[test]
fn options_for_compatibility_say_that_they_have_no_effect() {
    let setup = need!(ours()).one_daemon("threads=1 shutdown-timeout=0 server-metrics=On").fixture("hello");
    let apache = setup.start();
    apache.get("/hello").expect_status(200);
    for option in ["shutdown-timeout=0", "server-metrics=On"] {
        let line = apache.log().wait(&format!("WSGI1041: .*{option} has no effect"));
        assert!(line.contains("[wsgi:notice]"), "{line}");
    }
    apache.finish();
}
