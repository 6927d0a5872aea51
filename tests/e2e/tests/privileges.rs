//! How a worker becomes its user, watched and disturbed with strace: PD-1 and PD-3; and refused identities: PD-5.

use crate::{ours_as_root, two_sites};
use kit::{Strace, need, skip};
use regex::Regex;

/// The system calls of `pid` in a trace, in order.
fn calls_of(trace: &str, pid: i32) -> Vec<String> {
    let mine = Regex::new(&format!(r"^{pid}\s+(.*)$")).expect("is valid");
    trace.lines().filter_map(|line| Some(mine.captures(line)?[1].to_owned())).collect()
}

#[test]
fn pd_1_groups_then_gid_then_uid_before_anything_of_the_site() {
    let (setup, a, _) = need!(two_sites("threads=1 processes=1"));
    need!(Strace::available());
    let apache = setup.start();
    let supervisor = apache.wait_supervisor();
    let former = apache.worker_of("/a");
    let filter = "trace=setgroups,setresgid,setresuid,setuid,setgid,setreuid,openat,open,execve,chdir,prctl,capset,stat,newfstatat";
    let strace = Strace::attach(supervisor.pid, apache.root(), &["-e", filter]);
    apache.expect_log("WSGI1002");
    former.kill();
    kit::wait_until(kit::LIMIT, "a new worker serves", || {
        apache
            .request("POST", "/a")
            .body("result = 1")
            .try_send()
            .is_ok_and(|response| response.status == 200)
    });
    let worker = apache.worker_of("/a");
    let trace = strace.text();
    drop(strace);
    let calls = calls_of(&trace, worker.pid);
    let first = |start: &str| {
        let place = calls.iter().position(|call| call.starts_with(start) && call.ends_with("= 0"));
        place.unwrap_or_else(|| panic!("no successful {start} in {calls:#?}"))
    };
    let (groups, gid, uid, exec) =
        (first("setgroups"), first("setresgid"), first("setresuid"), first("execve"));
    assert!(groups < gid && gid < uid && uid < exec, "{calls:#?}");
    let site = apache.root().display().to_string();
    for call in &calls[..uid] {
        assert!(!call.contains(&site) && !call.contains(&a.home), "before the drop: {call}");
    }
    let regain = calls[uid..exec].iter().any(|call| call.contains("EPERM") && call.starts_with("set"));
    assert!(regain, "it did not try to become root again: {calls:#?}");
    apache.finish();
}

#[test]
fn pd_5_root_and_odd_ids_are_refused_with_the_line() {
    let refused = [
        "user=root",
        "user=#0",
        "user=#-1",
        "user=#4294967295",
        "user=#4294967296",
        "user=0x0",
        "user=",
        "user=\"a b\"",
        "user=no-such-user-here",
        "user=wsgi-test-a group=root",
        "user=wsgi-test-a group=#0",
        "user=wsgi-test-a group=#-1",
        "user=wsgi-test-a group=wsgi-test-a supplementary-groups=root",
    ];
    if let Err(reason) = kit::users::site('a') {
        skip!("{reason}");
    }
    let line = Regex::new(r"on line \d+ of .*httpd\.conf|httpd\.conf:\d+").expect("is valid");
    for option in refused {
        let check = need!(ours_as_root()).daemon("odd", option).check();
        assert!(!check.good, "{option} was taken: {}", check.text);
        assert!(line.is_match(&check.text), "{option}: {}", check.text);
        assert!(check.text.contains("WSGIDaemonProcess"), "{option}: {}", check.text);
    }
}
