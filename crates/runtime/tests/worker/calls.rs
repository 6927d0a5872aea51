//! Calls: what a worker answers when it is asked about users and groups, and what it does not let itself be asked.

use std::path::Path;

use spec::{Allowed, Purpose, Root};
use wire::{Answer, RefusalReason, Task};

use crate::child::{Ask, Frame};
use crate::harness::{Wish, Worker, root};

/// Everything below the site may be asked about access, in the main interpreter; and has applications.
fn roots(site: &Path) -> Vec<Root> {
    let application_group = Allowed::Only(vec![String::new()]);
    let access = Root {
        purpose: Purpose::Access,
        callable: Allowed::Only(Vec::new()),
        application_group,
        ..root(site)
    };
    vec![access, root(site)]
}

fn call<'a>(worker: &'a Worker, task: Task<'a>) -> Ask<'a> {
    Ask { callable: "", task, ..worker.ask("") }
}

#[test]
fn a_call_is_answered_and_the_connection_goes_on() {
    let worker = Wish { roots: Some(roots), ..Wish::new() }.start();
    let mut child = worker.connect();
    for (host, expected) in [
        ("10.0.0.1", Answer::Yes),
        ("10.0.0.2", Answer::No),
        ("unknown", Answer::Nothing),
        ("10.0.0.1", Answer::Yes),
    ] {
        let answer = child.get(&call(&worker, Task::AllowAccess { host: host.as_bytes() }));
        let Some(Frame::Answer(payload)) = &answer.last else { panic!("{host}: {answer:?}") };
        assert_eq!(Answer::decode(payload), Ok(expected), "{host}");
        assert_eq!(answer.logs, [format!("asked about {host}")]);
    }
    let answer = child.get(&call(&worker, Task::AllowAccess { host: b"raise" }));
    assert_eq!(answer.last, Some(Frame::Fail(500)));
    assert!(answer.logs.iter().any(|line| line.starts_with("WSGI0174: allow_access() raised")), "{answer:?}");
    assert_eq!(child.get(&worker.ask("/hello")).status, 200, "the connection goes on");
}

/// Who speaks to the worker directly cannot have a script do what it is not there for.
#[test]
fn sk_10_a_worker_is_asked_only_what_its_roots_are_for() {
    let worker = Wish { roots: Some(roots), ..Wish::new() }.start();
    let mut child = worker.connect();
    let access = Task::AllowAccess { host: b"10.0.0.1" };
    let evil = worker.directory.path().join("evil.py");
    let asks = [
        call(&worker, Task::CheckPassword { user: b"a", password: b"b" }),
        call(&worker, Task::RealmHash { user: b"a", realm: b"b" }),
        call(&worker, Task::GroupsForUser { user: b"a" }),
        call(&worker, Task::Dispatch),
        Ask { group: "other", ..call(&worker, access) },
        Ask { script: evil.as_os_str().as_encoded_bytes(), ..call(&worker, access) },
    ];
    for ask in &asks {
        let answer = child.get(ask);
        assert!(matches!(answer.last, Some(Frame::Refuse(RefusalReason::Script, _))), "{answer:?}");
        assert!(answer.logs.is_empty(), "nothing ran: {answer:?}");
    }
    assert!(!Path::new("/tmp/never").exists());
    // And a worker that is there for applications only answers no calls.
    let worker = Wish::new().start();
    let answer = worker.connect().get(&call(&worker, access));
    assert!(matches!(answer.last, Some(Frame::Refuse(RefusalReason::Script, _))), "{answer:?}");
}
