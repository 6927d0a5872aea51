//! Graceful and plain restarts under light load, on each multi-processing module.

use crate::ours;
use kit::{Load, Mpm, Setup, need};

fn setup(mpm: Mpm) -> Result<Setup, String> {
    Ok(ours()?.mpm(mpm).one_daemon("threads=4 processes=2").fixture("hello").fixture("eval"))
}

fn graceful_loses_nothing(mpm: Mpm) -> Result<(), String> {
    let apache = setup(mpm)?.start();
    let first: Vec<i32> = apache.workers().iter().map(|worker| worker.pid).collect();
    let load = Load::start(apache.address(), "/hello", 4);
    for _ in 0..4 {
        load.wait_served(30);
        apache.graceful();
    }
    load.wait_served(60);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{mpm:?}: {} served, but {:?}", tally.good, tally.bad);
    apache.wait_settled();
    assert!(apache.workers().iter().all(|worker| !first.contains(&worker.pid)), "old workers still serve");
    apache.finish();
    Ok(())
}

fn restart_loses_only_what_runs(mpm: Mpm) -> Result<(), String> {
    const CLIENTS: usize = 4;
    const RESTARTS: usize = 3;
    let apache = setup(mpm)?.start();
    apache.expect_log("AH000(45|46): child process");
    let load = Load::start(apache.address(), "/hello", CLIENTS);
    for _ in 0..RESTARTS {
        load.wait_served(30);
        apache.restart();
    }
    load.wait_served(60);
    let tally = load.stop();
    // Each client once, and once more where a child that is about to end has accepted its next connection.
    assert!(tally.bad.len() <= 2 * CLIENTS * RESTARTS, "{mpm:?}: {} served, but {:?}", tally.good, tally.bad);
    assert!(!tally.bad.iter().any(|why| why.starts_with('5')), "{mpm:?}: {:?}", tally.bad);
    apache.finish();
    Ok(())
}

#[test]
fn graceful_loses_no_request_with_event() {
    need!(graceful_loses_nothing(Mpm::Event));
}

#[test]
fn graceful_loses_no_request_with_worker() {
    need!(graceful_loses_nothing(Mpm::Worker));
}

#[test]
fn graceful_loses_no_request_with_prefork() {
    need!(graceful_loses_nothing(Mpm::Prefork));
}

#[test]
fn restart_loses_only_what_runs_with_event() {
    need!(restart_loses_only_what_runs(Mpm::Event));
}

#[test]
fn restart_loses_only_what_runs_with_worker() {
    need!(restart_loses_only_what_runs(Mpm::Worker));
}

#[test]
fn restart_loses_only_what_runs_with_prefork() {
    need!(restart_loses_only_what_runs(Mpm::Prefork));
}

const WAITS: &str = r#"
import os, time

def application(environ, start_response):
    name = environ["QUERY_STRING"]
    open("@SCRATCH@/begun-" + name, "w").write("begun")
    end = time.monotonic() + 20
    while not os.path.exists("@SCRATCH@/go") and time.monotonic() < end:
        time.sleep(0.005)
    start_response("200 OK", [])
    return [b"finished " + name.encode()]
"#;

#[test]
fn a_long_request_finishes_through_gracefuls() {
    let apache = need!(ours()).one_daemon("threads=4").app("waits", WAITS).fixture("hello").start();
    let request = apache.request("GET", "/waits?one");
    let long = std::thread::spawn(move || request.send());
    apache.wait_scratch("begun-one");
    apache.graceful();
    apache.get("/hello").expect_status(200);
    apache.graceful();
    apache.get("/hello").expect_status(200);
    apache.let_go("go");
    assert_eq!(long.join().expect("it is answered").expect_status(200).text(), "finished one");
    apache.finish();
}

#[test]
fn a_graceful_takes_the_new_configuration() {
    let mut apache = need!(ours()).one_daemon("threads=2 env=RELEASE=first").fixture("eval").start();
    let release = "import os; result = os.environ['RELEASE']";
    assert_eq!(apache.eval("/eval", release), "first");
    apache.reconfigure(|config| config.replace("RELEASE=first", "RELEASE=second"));
    apache.graceful();
    kit::wait_until(kit::LIMIT, "the new release serves", || apache.eval("/eval", release) == "second");
    apache.wait_settled();
    assert_eq!(apache.eval("/eval", release), "second");
    apache.finish();
}

#[test]
fn groups_come_and_go_with_gracefuls() {
    let mut apache =
        need!(ours()).daemon("one", "threads=1").fixture("eval").config("WSGIProcessGroup one").start();
    let place = "result = environ['mod_wsgi.process_group']";
    assert_eq!(apache.eval("/eval", place), "one");
    assert_eq!(apache.sockets().len(), 1);
    apache.reconfigure(|config| {
        let two = config
            .lines()
            .find(|line| line.starts_with("WSGIDaemonProcess one"))
            .unwrap_or_default()
            .replace(" one ", " two ");
        config.replace("WSGIProcessGroup one", &format!("{two}\nWSGIProcessGroup two"))
    });
    apache.graceful();
    kit::wait_until(kit::LIMIT, "the second group serves", || apache.eval("/eval", place) == "two");
    assert_eq!(apache.sockets().len(), 2);
    apache.reconfigure(|config| config.replace("WSGIDaemonProcess one", "# WSGIDaemonProcess one"));
    apache.graceful();
    kit::wait_until(kit::LIMIT, "the socket of the first group goes", || apache.sockets().len() == 1);
    assert_eq!(apache.eval("/eval", place), "two");
    apache.finish();
}
