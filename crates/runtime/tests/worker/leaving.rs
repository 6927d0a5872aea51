//! Draining and leaving.

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::Signal;
use spec::worker::{Cause, Command, Report};

use crate::child::{Ask, Frame};
use crate::harness::{LIMIT, Wish};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn lc_4_an_idle_worker_leaves_at_once_and_runs_atexit() {
    for signal in [Signal::TERM, Signal::INT, Signal::USR1] {
        let mut worker = Wish::new().start();
        worker.get("/hello");
        worker.signal(signal);
        let cause = if signal == Signal::USR1 { Cause::GracefulSignal } else { Cause::ShutdownSignal };
        assert_eq!(worker.report(), Some(Report::Leaving(cause)));
        let (status, taken) = worker.wait();
        assert_eq!(status.code(), Some(0), "{}", worker.errors());
        assert!(taken < SECOND / 2, "{taken:?}");
        assert!(worker.errors().contains("atexit ran"), "{}", worker.errors());
    }
}

#[test]
fn a_drain_finishes_requests_and_tells_idle_children_with_epipe() {
    let mut worker = Wish::new().start();
    let mut idle = worker.connect();
    idle.get(&worker.ask("/hello"));
    let fresh = worker.connect();
    let mut running = worker.connect();
    running.send(&worker.ask("/sleep"));
    // The request must have been taken before the drain begins.
    std::thread::sleep(SECOND / 5);
    worker.order(Command::Drain);
    assert_eq!(worker.report(), Some(Report::Leaving(Cause::GracefulSignal)));
    kit::wait_until(LIMIT, "EPIPE for the idle child", || {
        idle.send_bytes(&worker.ask("/hello").encode(), &[]) == Err(Errno::PIPE)
    });
    drop(fresh);
    let answer = running.answer();
    assert_eq!((answer.text().as_str(), answer.last), ("hello\n", Some(Frame::End)));
    assert!(running.is_closed());
    assert_eq!(worker.wait().0.code(), Some(0), "{}", worker.errors());
    // The listener outlives the worker: connections wait for its successor.
    drop(worker.connect());
}

/// Requests race with the drain: each is answered, or the child knows that it was not seen.
#[test]
fn lc_1_a_drain_under_load_loses_no_request() {
    for round in 0..5 {
        let mut worker = Wish { threads: 2, ..Wish::new() }.start();
        let mut children: Vec<_> = (0..8).map(|_| worker.connect()).collect();
        // Those that were not accepted before the drain wait for the next worker, which does not come here.
        children.iter_mut().for_each(|child| drop(child.get(&worker.ask("/hello"))));
        let (request, script) = (worker.ask("/hello").encode(), worker.script.clone());
        let answered = std::thread::scope(|scope| {
            let threads: Vec<_> = children
                .into_iter()
                .map(|mut child| {
                    let (request, script) = (&request, &script);
                    scope.spawn(move || {
                        let mut answered = 0_u32;
                        loop {
                            match child.send_bytes(request, &[]) {
                                Ok(()) => {}
                                Err(Errno::PIPE) => return answered,
                                Err(other) => panic!("{other}"),
                            }
                            child.expect(&Ask::new(script.as_os_str().as_encoded_bytes(), "/hello"));
                            match child.try_frame() {
                                Ok(Some(Frame::Head(200, _))) => answered += 1,
                                // Closed with unread data: not seen.
                                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                                    return answered;
                                }
                                other => panic!("a request was lost: {other:?}"),
                            }
                            assert_eq!(child.answer().last, Some(Frame::End));
                        }
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(100 + 37 * round));
            worker.order(Command::Drain);
            threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u32>()
        });
        assert!(answered > 100, "{answered}");
        assert_eq!(worker.wait().0.code(), Some(0), "{}", worker.errors());
    }
}

#[test]
fn ki_3_a_worker_whose_supervisor_is_gone_drains() {
    let mut worker = Wish::new().start();
    let mut running = worker.connect();
    running.send(&worker.ask("/sleep"));
    std::thread::sleep(SECOND / 5);
    worker.abandon();
    assert_eq!(running.answer().text(), "hello\n");
    assert_eq!(worker.wait().0.code(), Some(0), "{}", worker.errors());
}

#[test]
fn lc_4_sigterm_is_obeyed_in_time_whatever_the_application_does() {
    for (path, line) in [
        ("/busy", "WSGI1260: 1 request(s) did not finish"),
        ("/hold_gil", "WSGI1260: 1 request(s) did not finish"),
        ("/thread_forever", "WSGI1261: "),
    ] {
        let mut worker = Wish { shutdown: SECOND, ..Wish::new() }.start();
        let mut child = worker.connect();
        child.send(&worker.ask(path));
        if path == "/thread_forever" {
            child.answer();
        }
        std::thread::sleep(SECOND / 5);
        let start = Instant::now();
        worker.signal(Signal::TERM);
        let (status, _) = worker.wait();
        let taken = start.elapsed();
        assert!(
            taken < 2 * SECOND && status.code() == Some(2),
            "{path}: {status} after {taken:?}\n{}",
            worker.errors()
        );
        assert!(worker.errors().contains(line), "{path}: {}", worker.errors());
    }
}

#[test]
fn sigterm_shortens_a_graceful_drain() {
    let mut worker = Wish { shutdown: SECOND / 2, graceful: 60 * SECOND, ..Wish::new() }.start();
    worker.connect().send(&worker.ask("/busy"));
    std::thread::sleep(SECOND / 5);
    worker.signal(Signal::USR1);
    assert_eq!(worker.report(), Some(Report::Leaving(Cause::GracefulSignal)));
    worker.signal(Signal::TERM);
    let (status, taken) = worker.wait();
    assert!(taken < 2 * SECOND && status.code() == Some(2), "{status} after {taken:?}");
}

#[test]
fn ki_5_a_killed_worker_ends_its_connections_only() {
    let mut worker = Wish::new().start();
    let mut running = worker.connect();
    running.send(&worker.ask("/sleep"));
    std::thread::sleep(SECOND / 5);
    worker.signal(Signal::KILL);
    assert!(running.is_closed());
    worker.wait();
    assert_eq!(worker.report(), None);
    drop(worker.connect());
}
