//! The rights of the supervisor itself: with few capabilities, with one too few, and without root.

use std::fs;
use std::os::unix::net::UnixStream;

use crate::kit::{Place, Supervisor, group, is_root, needs, status};
use spec::group::socket_file_name;

/// The capabilities that root's supervisor is promised to need at most.
const ENOUGH: [&str; 7] = ["setuid", "setgid", "kill", "chown", "setpcap", "sys_resource", "sys_chroot"];

fn bounded(set: &str) -> Vec<&str> {
    vec!["setpriv", "--bounding-set", set, "--inh-caps=-all"]
}

#[test]
fn pd_8_the_promised_capabilities_are_enough() {
    if !needs("root", is_root()) {
        return;
    }
    let place = Place::new();
    let set = format!("-all,+{}", ENOUGH.join(",+"));
    let mut supervisor = Supervisor::start_with(&place, &bounded(&set), "");
    supervisor.define(&place.definitions(vec![group("site", &place.good_worker())]));
    supervisor.wait_for_log("WSGI1001");
    let worker = supervisor.workers()[0];
    assert_eq!(status(worker, "CapBnd"), "0000000000000000");
    supervisor.channel = None;
    assert_eq!(supervisor.wait().code(), Some(0), "{}", supervisor.log());
    assert!(!supervisor.log().contains("[wsgi:error]"), "{}", supervisor.log());
}

#[test]
fn pd_8_each_missing_capability_is_named() {
    if !needs("root", is_root()) {
        return;
    }
    for missing in &ENOUGH[..5] {
        let place = Place::new();
        let left: Vec<&str> = ENOUGH.iter().copied().filter(|name| name != missing).collect();
        let set = format!("-all,+{}", left.join(",+"));
        let mut supervisor = Supervisor::start_with(&place, &bounded(&set), "");
        assert_eq!(supervisor.wait().code(), Some(1));
        let expected = format!("the capability CAP_{} is missing", missing.to_uppercase());
        assert!(supervisor.log().contains(&expected), "{}", supervisor.log());
    }
}

#[test]
fn an_ordinary_user_can_run_it() {
    let wrapper: &[&str] =
        if is_root() { &["setpriv", "--reuid=61998", "--regid=61998", "--clear-groups"] } else { &[] };
    let place = Place::new();
    let run = place.path("run");
    fs::create_dir(&run).unwrap();
    let mut site = group("site", &place.good_worker());
    site.account = None;
    let own = if is_root() { 61_998 } else { rustix::process::geteuid().as_raw() };
    site.socket_uid = own;
    std::os::unix::fs::chown(&run, Some(own), None).unwrap();
    let mut definitions = place.definitions(vec![site]);
    definitions.socket_directory = run.join("wsgi.4000");
    // The program lies where this user may not look: a copy can be executed.
    let program = place.path("wsgi-supervisor");
    fs::copy(crate::kit::PROGRAM, &program).unwrap();
    let mut supervisor = Supervisor::start_program(&place, &program, wrapper);
    supervisor.define(&definitions);
    supervisor.wait_for_log("WSGI1001");
    let worker = supervisor.workers()[0];
    assert_eq!(status(worker, "Uid"), [own.to_string().as_str(); 4].join(" "));
    assert_eq!(status(worker, "NoNewPrivs"), "1");
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    use std::os::unix::fs::MetadataExt as _;
    assert_eq!(fs::metadata(&definitions.socket_directory).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    UnixStream::connect(&path).unwrap();
    let mut other = definitions.clone();
    other.groups[0].account = group("x", &program).account.or(Some(spec::Account {
        name: None,
        uid: 1,
        gid: 1,
        groups: vec![],
        home: None,
    }));
    assert!(supervisor.try_define(&other, &[]).unwrap_err().contains("Apache was not started by root"));
    supervisor.channel = None;
    assert_eq!(supervisor.wait().code(), Some(0), "{}", supervisor.log());
}
