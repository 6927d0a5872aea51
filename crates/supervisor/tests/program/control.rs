//! The control channel and the socket directory: whom the supervisor listens to, and what it leaves to its successor.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use rustix::process::Signal;
use spec::control::{FromSupervisor, ToSupervisor};
use spec::group::socket_file_name;

use crate::kit::{Place, READY, Supervisor, attachments, group, is_alive, kill, soon, wait_for};

#[test]
fn sk_5_only_httpds_parent_is_obeyed() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    supervisor.define(&definitions);
    let worker = supervisor.wait_for_workers(1)[0];
    // What a helper that was forked by another module can do: it holds the parent's end.
    let stop = serde_json::to_vec(&ToSupervisor::Stop).unwrap();
    let mut message = u32::try_from(stop.len()).unwrap().to_le_bytes().to_vec();
    message.extend([0; 4]);
    message.extend(stop);
    let file = place.path("message");
    fs::write(&file, message).unwrap();
    for _ in 0..3 {
        let channel = OwnedFd::from(supervisor.channel.as_ref().unwrap().try_clone().unwrap());
        assert!(Command::new("cat").arg(&file).stdout(channel).status().unwrap().success());
    }
    supervisor.wait_for_log("WSGI1017");
    assert!(supervisor.define(&definitions).is_empty(), "the parent is listened to as before");
    assert!(is_alive(worker) || !supervisor.workers().is_empty());
    assert_eq!(supervisor.log().matches("WSGI1017").count(), 1, "{}", supervisor.log());
    supervisor.send(&ToSupervisor::Stop, &[]);
    wait_for("the end", || !is_alive(supervisor.pid()));
}

#[test]
fn ki_3_a_supervisor_that_was_told_to_stop_says_so() {
    let place = Place::new();
    let stubborn = place.script("stubborn", &format!("trap '' TERM\n{READY}sleep 1; sleep 1; sleep 1"));
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &stubborn)]);
    supervisor.define(&definitions);
    supervisor.wait_for_log("WSGI1001");
    kill(supervisor.pid(), Signal::TERM);
    wait_for("the beginning of the end", || {
        let definitions = Box::new(definitions.clone());
        supervisor.send(&ToSupervisor::Define { definitions, attached: vec![] }, &[]);
        let answer = unix::channel::receive(supervisor.channel.as_ref().unwrap(), soon()).unwrap().unwrap();
        serde_json::from_slice::<FromSupervisor>(&answer.bytes).unwrap() == FromSupervisor::Stopping
    });
}

#[test]
fn ki_3_a_supervisor_leaves_the_sockets_of_its_successor() {
    let place = Place::new();
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    let mut first = Supervisor::start(&place);
    first.define(&definitions);
    // The second binds its own: the parent had lost the listener.
    let mut second = Supervisor::start(&place);
    let listeners = second.define(&definitions);
    first.channel = None;
    assert_eq!(first.wait().code(), Some(0));
    UnixStream::connect(&path).unwrap();
    second.channel = None;
    assert_eq!(second.wait().code(), Some(0), "{}", second.log());
    assert!(!definitions.socket_directory.exists());
    drop(listeners);
}

#[test]
fn ki_3_a_directory_that_was_removed_comes_back_with_the_next_definitions() {
    let place = Place::new();
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let path = definitions.socket_directory.join(socket_file_name("site", 0));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&definitions);
    supervisor.wait_for_log("WSGI1001");
    fs::remove_dir_all(&definitions.socket_directory).unwrap();
    assert_eq!(supervisor.define(&definitions).len(), 1, "a new listener");
    UnixStream::connect(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let listeners = supervisor.define(&definitions);
    assert_eq!(listeners.len(), 1, "a new listener");
    UnixStream::connect(&path).unwrap();
    let mut next = Supervisor::start(&place);
    assert!(next.try_define(&definitions, &attachments(&listeners)).unwrap().is_empty(), "adopted");
    next.channel = None;
    next.wait();
}
