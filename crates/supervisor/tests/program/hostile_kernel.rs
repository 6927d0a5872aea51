//! System calls that fail or lie, made by strace: no worker may run as somebody else, and the log says what happened.

use std::fs;
use std::time::Instant;

use crate::kit::{Place, Supervisor, group, has_strace, is_root, needs, wait_for};
use spec::group::socket_file_name;

fn possible() -> bool {
    needs("root", is_root()) && needs("strace", has_strace())
}

/// Starts a worker under strace with an injection; the log once the first launch has failed. The worker must not have run.
fn log_with(injection: &str) -> String {
    let place = Place::new();
    let out = place.writable("out");
    let script =
        place.script("worker", &format!("id > {}/ran\n{}sleep 100", out.display(), crate::kit::READY));
    let trace = place.path("trace");
    let filter = injection.split(':').next().unwrap();
    let (filter, injection) = (format!("trace={filter}"), format!("inject={injection}"));
    let wrapper = ["strace", "-f", "-o", trace.to_str().unwrap(), "-e", &filter, "-e", &injection];
    let supervisor = Supervisor::start_with(&place, &wrapper, "");
    let mut site = group("site", &script);
    site.home = Some(out.clone());
    site.cpu_priority = Some(1);
    supervisor.define(&place.definitions(vec![site]));
    supervisor.wait_for_log("WSGI1003");
    assert!(!out.join("ran").exists(), "{injection}: {}", supervisor.log());
    supervisor.log()
}

#[test]
fn pd_1_groups_then_gid_then_uid_then_home_then_exec() {
    if !possible() {
        return;
    }
    let place = Place::new();
    let trace = place.path("trace");
    let calls = "trace=setgroups,setresgid,setresuid,openat,chdir,execve,prctl";
    let wrapper = ["strace", "-f", "-o", trace.to_str().unwrap(), "-e", calls];
    let supervisor = Supervisor::start_with(&place, &wrapper, "");
    let mut site = group("site", &place.good_worker());
    let home = place.writable("home");
    site.home = Some(home.clone());
    supervisor.define(&place.definitions(vec![site]));
    supervisor.wait_for_log("WSGI1001");
    let trace = fs::read_to_string(trace).unwrap();
    let worker = trace.lines().find(|line| line.contains("setgroups(")).unwrap().split(' ').next().unwrap();
    let lines: Vec<&str> = trace.lines().filter(|line| line.starts_with(worker)).collect();
    let at = |call: &str| {
        lines.iter().position(|line| line.contains(call)).unwrap_or_else(|| panic!("{call}: {lines:#?}"))
    };
    let order = [
        at("PR_CAPBSET_DROP"),
        at("setgroups("),
        at("setresgid("),
        at("setresuid("),
        at("PR_SET_NO_NEW_PRIVS"),
        at(&format!("chdir(\"{}\")", home.display())),
        at("execve("),
    ];
    assert!(order.is_sorted(), "{order:?} {lines:#?}");
    let before = lines.iter().take(at("setresuid("));
    assert!(before.clone().all(|line| !line.contains("openat(") && !line.contains("chdir(")), "{lines:#?}");
    // After the drop, each way back is tried and refused.
    for call in ["setresuid(0, 0, 0)", "setresgid(0, 0, 0)", "setgroups(1, [0])"] {
        assert!(lines[at(call)].contains("EPERM"), "{}", lines[at(call)]);
    }
}

#[test]
fn pd_2_any_failure_is_final() {
    if !possible() {
        return;
    }
    let cases = [
        ("setgroups:error=EAGAIN", "(setgroups) failed"),
        ("setgroups:error=ENOMEM", "(setgroups) failed"),
        ("setresgid:error=EINVAL", "(setresgid) failed"),
        ("setresuid:error=EAGAIN", "(setresuid) failed"),
        ("setresuid:error=EPERM", "(setresuid) failed"),
        ("setsid:error=EPERM", "(setsid) failed"),
        ("setpriority:error=EACCES", "(setpriority) failed"),
    ];
    for (injection, text) in cases {
        let log = log_with(injection);
        assert!(log.contains(text) && log.contains("'site', slot 0"), "{injection}: {log}");
    }
}

#[test]
fn pd_3_lying_setresuid_is_noticed() {
    if possible() {
        let log = log_with("setresuid:retval=0");
        assert!(log.contains("its uids were not those of the account"), "{log}");
    }
}

#[test]
fn pd_3_lying_setresgid_is_noticed() {
    if possible() {
        let log = log_with("setresgid:retval=0");
        assert!(log.contains("its gids were not those of the account"), "{log}");
    }
}

#[test]
fn pd_3_lying_setgroups_is_noticed() {
    if possible() {
        let log = log_with("setgroups:retval=0");
        assert!(log.contains("its supplementary groups were not the configured ones"), "{log}");
    }
}

#[test]
fn pd_3_a_way_back_to_root_is_noticed() {
    if possible() {
        let log = log_with("setresuid:retval=0:when=2");
        assert!(log.contains("it could become root again"), "{log}");
    }
}

#[test]
fn ki_7_signals_go_through_pidfds_only() {
    if !possible() {
        return;
    }
    let place = Place::new();
    let trace = place.path("trace");
    let calls = "trace=kill,tkill,tgkill,pidfd_send_signal";
    let wrapper = ["strace", "-o", trace.to_str().unwrap(), "-e", calls];
    let mut supervisor = Supervisor::start_with(&place, &wrapper, "");
    let stubborn =
        place.script("stubborn", &format!("trap '' TERM\n{}while :; do sleep 1; done", crate::kit::READY));
    let mut site = group("site", &stubborn);
    site.timeouts.shutdown = std::time::Duration::from_millis(100);
    supervisor.define(&place.definitions(vec![site]));
    supervisor.wait_for_log("WSGI1001");
    supervisor.channel = None;
    supervisor.wait();
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("SIGTERM") && trace.contains("SIGKILL"), "{trace}");
    let other = trace.lines().find(|line| line.contains("kill(") && !line.contains(", 0)"));
    assert_eq!(other, None);
}

#[test]
fn sk_2_there_is_no_moment_with_wider_rights() {
    if !possible() {
        return;
    }
    let place = Place::new();
    let delay = "inject=fchownat:delay_enter=700000";
    let supervisor = Supervisor::start_with(
        &place,
        &["strace", "-o", "/dev/null", "-e", "trace=fchownat", "-e", delay],
        "",
    );
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    let private = definitions.socket_directory.join(".new");
    let start = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| supervisor.define(&definitions));
        use std::os::unix::fs::MetadataExt as _;
        wait_for("the socket", || {
            if let Ok(private) = fs::metadata(&private) {
                assert_eq!(private.mode() & 0o077, 0);
            }
            let Ok(found) = fs::metadata(&path) else { return false };
            assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, 33));
            true
        });
    });
    assert!(start.elapsed().as_millis() >= 700, "the delay was not there");
}

#[test]
fn ki_6_no_worker_stays_that_cannot_be_watched() {
    if !possible() {
        return;
    }
    // The first pidfd is that of httpd's parent; the first descriptors to wait for are the channel, that pidfd and the signals.
    for injection in
        ["pidfd_open:error=EMFILE:when=2", "epoll_ctl:error=ENOSPC:when=4", "epoll_ctl:error=ENOSPC:when=6"]
    {
        let place = Place::new();
        let (filter, trace) = (injection.split(':').next().unwrap(), place.path("trace"));
        let (filter, inject) = (format!("trace={filter}"), format!("inject={injection}"));
        let wrapper = ["strace", "-f", "-o", trace.to_str().unwrap(), "-e", &filter, "-e", &inject];
        let supervisor = Supervisor::start_with(&place, &wrapper, "");
        supervisor.define(&place.definitions(vec![group("site", &place.good_worker())]));
        supervisor.wait_for_log("WSGI1003");
        supervisor.wait_for_log("WSGI1001");
        let tracee = crate::kit::children(supervisor.pid());
        let workers: Vec<i32> = tracee.iter().flat_map(|pid| crate::kit::children(*pid)).collect();
        assert_eq!(workers.len(), 1, "{injection}: {}", supervisor.log());
    }
}
