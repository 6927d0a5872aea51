//! A supervisor that fails in ways other than dying: asleep, or told to stop by somebody else (KI-3).

use crate::ours;
use kit::need;
use nix::sys::signal::Signal;

#[test]
fn ki_3_a_sleeping_supervisor_is_replaced_and_does_not_come_back() {
    let apache = need!(ours()).one_daemon("threads=2").fixture("hello").start();
    apache.get("/hello").expect_status(200);
    apache.expect_log("WSGI1307");
    let first = apache.wait_supervisor();
    first.signal(Signal::SIGSTOP);
    // The parent waits 10 s for an answer.
    apache.graceful();
    assert_ne!(apache.wait_supervisor().pid, first.pid);
    assert!(!first.runs(), "two supervisors for the same sockets");
    apache.get("/hello").expect_status(200);
    apache.graceful();
    apache.get("/hello").expect_status(200);
    assert_eq!(apache.log().text().matches("WSGI1307").count(), 1);
    apache.finish();
}

#[test]
fn ki_3_a_supervisor_that_stops_does_not_end_httpd_at_the_next_graceful() {
    let source = "import time\ndef application(environ, start_response):\n    \
                  open('@SCRATCH@/in', 'w').write('x')\n    time.sleep(2)\n    \
                  start_response('200 OK', [])\n    return [b'slow']\n";
    let setup = need!(ours()).one_daemon("threads=2").fixture("hello").app("slow", source);
    let apache = setup.start();
    apache.get("/hello").expect_status(200);
    apache.expect_log("WSGI13");
    let first = apache.wait_supervisor();
    let request = apache.request("GET", "/slow");
    let slow = std::thread::spawn(move || request.try_send());
    apache.wait_scratch("in");
    first.signal(Signal::SIGTERM);
    apache.graceful();
    assert!(apache.parent().runs());
    apache.get("/hello").expect_status(200);
    assert_ne!(apache.wait_supervisor().pid, first.pid);
    drop(slow.join().expect("it ends, whatever the answer is"));
    apache.finish();
}
