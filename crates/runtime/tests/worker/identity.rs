//! Who the worker is, and what its programs inherit.

use kit::skip;
use spec::worker::{Failure, Report};

use crate::harness::Wish;

fn refused(mut wish: Wish, change: impl FnOnce(&mut Wish)) -> String {
    change(&mut wish);
    let mut worker = wish.launch();
    assert_eq!(worker.report(), Some(Report::Failed(Failure::Identity)), "{}", worker.errors());
    assert_eq!(worker.wait().0.code(), Some(1));
    worker.errors()
}

#[test]
fn pd_3_a_worker_with_another_identity_leaves_at_once() {
    if !kit::users::am_root() {
        skip!("only root can start a worker as somebody else");
    }
    let said = refused(Wish::new(), |wish| wish.configured.as_mut().unwrap().uid += 1);
    assert!(said.contains("its uids are not all"), "{said}");
    let said = refused(Wish::new(), |wish| wish.configured.as_mut().unwrap().gid += 1);
    assert!(said.contains("its gids are not all"), "{said}");
    let said = refused(Wish::new(), |wish| wish.configured.as_mut().unwrap().groups = vec![4]);
    assert!(said.contains("its supplementary groups are not 4"), "{said}");
}

#[test]
fn pd_6_a_worker_without_no_new_privs_leaves_unless_configured() {
    if !kit::users::am_root() {
        skip!("only root can start a worker as somebody else");
    }
    let said = refused(Wish::new(), |wish| wish.started_with_new_privileges = true);
    assert!(said.contains("no_new_privs is not set"), "{said}");
    let wish = Wish { started_with_new_privileges: true, new_privileges: true, ..Wish::new() };
    assert_eq!(wish.start().get("/hello"), "hello\n");
}

#[test]
fn pd_3_root_is_refused() {
    if !kit::users::am_root() {
        skip!("only root can start a worker as root");
    }
    let said = refused(Wish::new(), |wish| wish.account = None);
    assert!(said.contains("runs as root") && said.contains("user="), "{said}");
    let said = refused(Wish::new(), |wish| (wish.account, wish.configured) = (None, None));
    assert!(said.contains("runs as root"), "{said}");
}

#[test]
fn pd_10_every_thread_has_the_same_identity() {
    let worker = Wish::new().start();
    worker.get("/hello");
    let mut seen = std::collections::BTreeSet::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", worker.pid)).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let lines = status.lines().filter(|line| {
            ["Uid:", "Gid:", "Groups:", "NoNewPrivs:", "CapEff:", "SigBlk:"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        seen.insert(lines.collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn fd_2_programs_of_the_site_inherit_nothing() {
    let worker = Wish::new().start();
    // What a program started here inherits comes from whoever runs the tests.
    let ours = kit::run(std::process::Command::new("/bin/ls").arg("/proc/self/fd")).unwrap();
    assert_eq!(worker.get("/descriptors"), ours);
}

#[test]
fn pr_2_ps_shows_the_display_name() {
    let worker = Wish::new().start();
    let shown = worker.seen().command_line();
    assert_eq!(shown.trim_matches(['\0', ' ']), "(wsgi:tests)");
    let name = std::fs::read_to_string(format!("/proc/{}/comm", worker.pid)).unwrap();
    assert_eq!(name.trim(), "(wsgi:tests)");
}

#[test]
fn programs_and_forks_of_the_site_can_be_terminated() {
    let worker = Wish::new().start();
    assert_eq!(worker.get("/terminate"), "-15");
    assert_eq!(worker.get("/fork"), "15");
    assert_eq!(worker.get("/hello"), "hello\n");
}

#[test]
fn threads_that_cannot_be_made_are_one_sentence() {
    // More than any address space has; a great number of threads would take them from other tests.
    let mut worker = Wish { stack_size: 1 << 60, ..Wish::new() }.launch();
    assert_eq!(worker.report(), Some(Report::Failed(Failure::System)), "{}", worker.errors());
    assert_eq!(worker.wait().0.code(), Some(1));
    let said = worker.errors();
    assert!(
        said.starts_with("\u{1}3WSGI1256: ") && said.contains("threads=") && said.contains("stack-size="),
        "{said}"
    );
}
