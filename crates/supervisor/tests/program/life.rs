//! What happens over time: crashes, roll-over, the end of the supervisor, of its parent, of a group.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::kit::{
    Place, READY, Supervisor, UNTIL_DRAINED, group, is_alive, is_root, kill, log_attachment, wait_for,
};
use rustix::process::Signal;
use spec::control::ToSupervisor;
use spec::group::socket_file_name;

#[test]
fn cr_1_cr_4_a_crashing_group_backs_off_and_leaves_others_alone() {
    let place = Place::new();
    let out = place.writable("out");
    let crash = place.script("crash", &format!("echo >> {}/starts\nexit 3", out.display()));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("bad", &crash), group("good", &place.good_worker())]));
    let start = Instant::now();
    supervisor.wait_for_log("'good' is ready");
    let starts = || fs::read_to_string(out.join("starts")).unwrap_or_default().lines().count();
    wait_for("four starts", || starts() == 4);
    // 0, 0, 1 and 2 seconds, each up to 20 % less.
    assert!(start.elapsed() >= Duration::from_millis(2400), "{:?}", start.elapsed());
    let good = supervisor.workers()[0];
    let killed = Instant::now();
    kill(good, Signal::KILL);
    wait_for("a new worker", || supervisor.workers().first().is_some_and(|pid| *pid != good));
    assert!(killed.elapsed() < Duration::from_secs(1));
    let log = supervisor.log();
    let deaths: Vec<&str> = log.lines().filter(|line| line.contains("'bad'")).collect();
    assert!(deaths.len() <= 4, "{log}");
    assert!(deaths[0].contains("WSGI1002") && deaths[0].contains("ended with exit status 3 while starting"));
    assert!(deaths[0].contains("A new one starts at once."), "{}", deaths[0]);
    assert!(log.contains("was ended by SIGKILL while ready to serve"), "{log}");
}

#[test]
fn ki_1_the_listener_outlives_the_worker() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    supervisor.define(&definitions);
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    let worker = supervisor.wait_for_workers(1)[0];
    let inode = |pid: i32| fs::read_link(format!("/proc/{pid}/fd/4")).ok();
    let before = inode(worker).unwrap();
    kill(worker, Signal::KILL);
    // Waits in the backlog meanwhile.
    let mut waiting = UnixStream::connect(&path).unwrap();
    waiting.write_all(b"request").unwrap();
    wait_for("the replacement", || {
        supervisor.workers().first().is_some_and(|pid| *pid != worker && inode(*pid) == Some(before.clone()))
    });
}

#[test]
fn roll_over_keeps_listeners_and_drains_when_the_new_ones_are_ready() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut definitions = place.definitions(vec![group("site", &place.good_worker())]);
    definitions.groups[0].processes = 2;
    assert_eq!(supervisor.define(&definitions).len(), 2);
    supervisor.wait_for_log("WSGI1001");
    let old = supervisor.workers();
    definitions.generation = 2;
    assert!(supervisor.define(&definitions).is_empty(), "the listeners stay");
    wait_for("only new workers", || {
        let workers = supervisor.workers();
        workers.len() == 2 && workers.iter().all(|pid| !old.contains(pid))
    });
    let log = supervisor.log();
    assert!(!log.contains("[wsgi:error]") && !log.contains("[wsgi:warn]"), "{log}");
}

#[test]
fn roll_over_to_a_broken_python_keeps_the_old_workers() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut definitions = place.definitions(vec![group("site", &place.good_worker())]);
    supervisor.define(&definitions);
    supervisor.wait_for_log("WSGI1001");
    let old = supervisor.workers()[0];
    definitions.groups[0].python = place.path("absent-python");
    supervisor.define(&definitions);
    supervisor.wait_for_log("executing its Python (execve) failed: No such file or directory");
    assert!(is_alive(old));
    definitions.groups[0].python = place.good_worker();
    supervisor.define(&definitions);
    wait_for("the old worker's end", || !is_alive(old));
}

#[test]
fn a_group_that_is_no_longer_defined_goes_with_its_sockets() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let python = place.good_worker();
    let mut definitions = place.definitions(vec![group("a", &python), group("b", &python)]);
    definitions.groups[0].processes = 2;
    supervisor.define(&definitions);
    let old = supervisor.wait_for_workers(3);
    supervisor.wait_for_log("'a' is ready");
    supervisor.wait_for_log("'b' is ready");
    definitions.groups[0].processes = 1;
    definitions.groups.truncate(1);
    supervisor.define(&definitions);
    let sockets = || {
        let entries = fs::read_dir(&definitions.socket_directory).unwrap().flatten();
        entries.filter(|entry| entry.file_name() != ".new").count()
    };
    assert_eq!(sockets(), 1);
    wait_for("one new worker", || supervisor.workers().len() == 1 && !old.contains(&supervisor.workers()[0]));
}

#[test]
fn a_worker_that_does_not_drain_is_terminated_then_killed() {
    let place = Place::new();
    let stubborn = place.script("stubborn", &format!("trap '' TERM\n{READY}while :; do sleep 1; done"));
    let supervisor = Supervisor::start(&place);
    let mut definitions = place.definitions(vec![group("site", &stubborn)]);
    definitions.groups[0].timeouts.graceful = Duration::from_millis(300);
    definitions.groups[0].timeouts.shutdown = Duration::from_millis(300);
    supervisor.define(&definitions);
    supervisor.wait_for_log("WSGI1001");
    let old = supervisor.workers()[0];
    definitions.groups[0].python = place.good_worker();
    supervisor.define(&definitions);
    wait_for("its end", || !is_alive(old));
    supervisor.wait_for_log("WSGI1006");
}

#[test]
fn ki_3_listeners_survive_the_supervisor() {
    let place = Place::new();
    let mut first = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let listeners = first.define(&definitions);
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    let worker = first.wait_for_workers(1)[0];
    first.wait_for_log("WSGI1001");
    kill(first.pid(), Signal::KILL);
    first.wait();
    // Nobody accepts, but nobody is refused.
    UnixStream::connect(&path).unwrap();
    wait_for("the worker's end (its lifeline is gone)", || !is_alive(worker));
    let second = Supervisor::start(&place);
    let new = second.try_define(&definitions, &crate::kit::attachments(&listeners)).unwrap();
    assert!(new.is_empty(), "the listener was adopted");
    let adopted = second.wait_for_workers(1)[0];
    let inode = rustix::fs::fstat(&listeners[&crate::kit::listener("site", 0)]).unwrap().st_ino;
    assert_eq!(
        fs::read_link(format!("/proc/{adopted}/fd/4")).unwrap().to_str().unwrap(),
        format!("socket:[{inode}]")
    );
}

#[test]
fn ki_3_a_wrong_listener_is_not_adopted() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let (stream, _peer) = UnixStream::pair().unwrap();
    let wrong = std::collections::BTreeMap::from([(crate::kit::listener("site", 0), stream.into())]);
    let new = supervisor.try_define(&definitions, &crate::kit::attachments(&wrong)).unwrap();
    assert_eq!(new.len(), 1, "a new one was bound");
    supervisor.wait_for_log("WSGI1011");
}

#[test]
fn ki_2_nothing_outlives_the_parent() {
    let place = Place::new();
    let stubborn = place.script("stubborn", &format!("trap '' TERM\n{READY}while :; do sleep 1; done"));
    let mut definitions =
        place.definitions(vec![group("stubborn", &stubborn), group("good", &place.good_worker())]);
    definitions.groups[0].timeouts.shutdown = Duration::from_secs(100);
    // The shell is the parent; the channel stays open, so only its death can tell.
    let mut parent = Supervisor::start_with(&place, &["sh", "-c", "\"$0\" 3<&3 & wait"], "");
    parent.define(&definitions);
    let supervisor = parent.workers()[0];
    wait_for("workers", || crate::kit::children(supervisor).len() == 2);
    parent.wait_for_log("'stubborn' is ready");
    let workers = crate::kit::children(supervisor);
    let start = Instant::now();
    kill(parent.pid(), Signal::KILL);
    parent.wait();
    wait_for("the end of all", || ![supervisor, workers[0], workers[1]].into_iter().any(is_alive));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(!definitions.socket_directory.exists());
}

#[test]
fn stop_and_end_of_channel_and_sigterm_end_everything() {
    for way in 0..3 {
        let place = Place::new();
        let mut supervisor = Supervisor::start(&place);
        let definitions = place.definitions(vec![group("site", &place.good_worker())]);
        supervisor.define(&definitions);
        let worker = supervisor.wait_for_workers(1)[0];
        match way {
            0 => supervisor.send(&ToSupervisor::Stop, &[]),
            1 => supervisor.channel = None,
            _ => kill(supervisor.pid(), Signal::TERM),
        }
        assert_eq!(supervisor.wait().code(), Some(0), "{}", supervisor.log());
        assert!(!is_alive(worker) && !definitions.socket_directory.exists());
        assert!(!supervisor.log().contains("[wsgi:error]"), "{}", supervisor.log());
    }
}

#[test]
fn sk_7_a_start_after_kill_removes_only_its_own_leftovers() {
    let place = Place::new();
    let mut definitions = place.definitions(vec![group("site", &place.good_worker())]);
    // Above any pid: the directory of a dead server.
    definitions.socket_directory = place.path("wsgi.2147483000");
    let mut first = Supervisor::start(&place);
    first.define(&definitions);
    kill(first.pid(), Signal::KILL);
    first.wait();
    fs::create_dir(place.path("wsgi.backup")).unwrap();
    let old = std::mem::replace(&mut definitions.socket_directory, place.path("wsgi.4000"));
    assert!(old.exists());
    let second = Supervisor::start(&place);
    second.define(&definitions);
    assert!(!old.exists() && place.path("wsgi.backup").exists());
}

#[test]
fn sk_7_a_path_that_is_too_long_is_refused_with_a_sentence() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let good = definitions.clone();
    definitions.socket_directory = place.path(&"x".repeat(100));
    let refusal = supervisor.try_define(&definitions, &[]).unwrap_err();
    assert!(refusal.contains("write a shorter WSGISocketPrefix"), "{refusal}");
    assert_eq!(supervisor.define(&good).len(), 1, "and good ones are taken afterwards");
}

#[test]
fn definitions_that_fail_halfway_leave_everything_as_it_was() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut first = place.definitions(vec![group("site", &place.good_worker())]);
    // The socket of a group with a short name fits below this directory, that of one with a long name does not.
    let padding = 75 - place.path("").as_os_str().len();
    first.socket_directory = place.path(&"d".repeat(padding));
    supervisor.define(&first);
    let worker = supervisor.wait_for_workers(1)[0];
    let sockets = || {
        let entries = fs::read_dir(&first.socket_directory).unwrap().map(|entry| entry.unwrap());
        let facts = entries.map(|entry| (entry.file_name(), entry.metadata().unwrap()));
        let mut all: Vec<_> = facts.map(|(name, facts)| (name, facts.uid(), facts.ino())).collect();
        all.sort();
        all
    };
    let before = sockets();
    let mut second = first.clone();
    second.groups[0].processes = 2;
    if is_root() {
        second.groups[0].socket_uid = 34;
    }
    second.groups.push(group("other", &place.good_worker()));
    second.groups.push(group(&"x".repeat(40), &place.good_worker()));
    let rotated = fs::File::create(place.path("rotated.log")).unwrap();
    let refusal = supervisor.try_define(&second, &[log_attachment("", &rotated)]).unwrap_err();
    assert!(refusal.contains("107 are possible"), "{refusal}");
    assert_eq!(sockets(), before);
    let mut moved = second.clone();
    moved.socket_directory = place.path(&"e".repeat(padding));
    assert!(supervisor.try_define(&moved, &[log_attachment("", &rotated)]).is_err());
    assert!(!moved.socket_directory.exists());
    assert_eq!((sockets(), supervisor.workers()), (before, vec![worker]));
    supervisor.wait_for_log("The configuration was not taken");
    assert_eq!(rotated.metadata().unwrap().len(), 0, "the former log stays in use");
    second.groups.truncate(2);
    assert_eq!(supervisor.define(&second).len(), 2, "and good ones are taken afterwards");
}

#[test]
fn lc_7_a_rotated_log_is_let_go() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let path = place.path("new.log");
    let log = fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
    supervisor.try_define(&definitions, &[log_attachment("", &log)]).unwrap();
    let descriptors = fs::read_dir(format!("/proc/{}/fd", supervisor.pid())).unwrap();
    let targets: Vec<_> =
        descriptors.map(|entry| fs::read_link(entry.unwrap().path()).unwrap_or_default()).collect();
    assert!(!targets.contains(&place.path("error.log")), "{targets:?}");
    assert_eq!(
        targets.iter().filter(|target| **target == path).count(),
        3,
        "the log, and 1 and 2: {targets:?}"
    );
}

#[test]
fn a_moved_socket_directory_gets_new_listeners() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut definitions = place.definitions(vec![group("site", &place.good_worker())]);
    supervisor.define(&definitions);
    let old = std::mem::replace(&mut definitions.socket_directory, place.path("other.4000"));
    assert_eq!(supervisor.define(&definitions).len(), 1);
    assert!(!old.exists());
    UnixStream::connect(definitions.socket_directory.join(socket_file_name("site", 0))).unwrap();
}

#[test]
fn pd_5_definitions_that_would_run_workers_as_root_are_refused() {
    if !crate::kit::needs("root", crate::kit::is_root()) {
        return;
    }
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let good = place.definitions(vec![group("site", &place.good_worker())]);
    let refused = |change: &dyn Fn(&mut spec::ProcessGroup)| {
        let mut definitions = good.clone();
        change(&mut definitions.groups[0]);
        supervisor.try_define(&definitions, &[]).unwrap_err()
    };
    assert!(refused(&|group| group.account = None).contains("never run as root"));
    assert!(refused(&|group| group.account.as_mut().unwrap().uid = 0).contains("would run as root"));
    assert!(refused(&|group| group.account.as_mut().unwrap().gid = 0).contains("would run as root"));
    assert!(refused(&|group| group.account.as_mut().unwrap().uid = u32::MAX).contains("-1"));
    let many = refused(&|group| group.account.as_mut().unwrap().groups = (1..65_538).collect());
    assert!(many.contains("65537 supplementary groups"), "{many}");
    assert!(supervisor.workers().is_empty());
}

#[test]
fn hd_10_output_of_workers_goes_escaped_to_their_groups_log() {
    let place = Place::new();
    let text = format!("printf 'one\\r\\ntwo\\033[2J\\nno end' >&2\n{READY}{UNTIL_DRAINED}");
    let supervisor = Supervisor::start(&place);
    let log = place.path("site.log");
    let file = fs::File::create(&log).unwrap();
    let definitions = place.definitions(vec![group("site", &place.script("talks", &text))]);
    supervisor.try_define(&definitions, &[crate::kit::log_attachment("site", &file)]).unwrap();
    let read = || {
        let mut text = String::new();
        fs::File::open(&log).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    wait_for("two lines", || read().contains("two"));
    let worker = supervisor.workers()[0];
    supervisor.send(&ToSupervisor::Stop, &[]);
    wait_for("the rest", || read().contains("no end"));
    let expected = format!("[wsgi:error] [pid {worker}] (group site) ");
    for line in ["one", "two\\x1b[2J", "no end"] {
        assert!(read().contains(&format!("{expected}{line}\n")), "{line}: {}", read());
    }
    assert!(!supervisor.log().contains("one"));
}

#[test]
fn lg_4_a_python_without_the_runtime_says_so() {
    let python = std::path::Path::new("/usr/bin/python3");
    if !crate::kit::needs("/usr/bin/python3", python.exists()) {
        return;
    }
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", python)]));
    supervisor.wait_for_log("cannot load");
    supervisor.wait_for_log("ended with exit status 90 while starting");
    supervisor.wait_for_log("its Python could not load the runtime extension");
}

#[test]
fn started_by_hand_it_says_one_sentence() {
    let output = Command::new(crate::kit::PROGRAM).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("is started by Apache's mod_wsgi, not by hand") && text.lines().count() == 1,
        "{text}"
    );
    let output = Command::new(crate::kit::PROGRAM).arg("--nonsense").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn messages_that_are_none_are_refused_with_a_sentence() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let channel = supervisor.channel.as_ref().unwrap();
    unix::channel::send(channel, b"{\"Nonsense\":1}", &[], crate::kit::soon()).unwrap();
    let answer = unix::channel::receive(channel, crate::kit::soon()).unwrap().unwrap();
    assert!(String::from_utf8(answer.bytes).unwrap().contains("install both from the same version"));
}
