//! Apache started by an ordinary user.

use crate::{ours, two_sites};
use kit::{Load, need, users};

#[test]
fn an_ordinary_user_can_run_it_and_user_is_ignored_with_a_line() {
    let (setup, a, _) = need!(two_sites("threads=2"));
    let apache = setup.as_account(&a).start();
    for path in ["/a", "/b"] {
        let worker = apache.worker_of(path);
        assert_eq!(worker.uids(), Some(vec![a.uid; 4]), "{path}");
        assert_eq!(worker.status("NoNewPrivs").as_deref(), Some("1"));
    }
    let said = apache.output() + &apache.log().text();
    let lines: Vec<&str> =
        said.lines().filter(|line| line.contains("user=") && line.contains("no effect")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    apache.expect_log("user=, group= .* no effect");
    let load = Load::start(apache.address(), "/static.txt", 2);
    apache.graceful();
    assert_eq!(load.stop().bad, Vec::<String>::new());
    assert_eq!(apache.eval("/a", "result = 1"), 1);
    apache.finish();
}

#[test]
fn the_own_user_needs_no_root() {
    if users::am_root() {
        let account = need!(users::site('b'));
        let apache = need!(ours()).as_account(&account).one_daemon("threads=2").fixture("hello").start();
        apache.get("/hello").expect_status(200);
        apache.finish();
    } else {
        let apache = need!(ours()).one_daemon("threads=2").fixture("hello").start();
        apache.get("/hello").expect_status(200);
        apache.finish();
    }
}
