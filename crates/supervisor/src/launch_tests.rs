//! Tests of what a launch gives to a new process.

use std::collections::BTreeMap;
use std::time::Duration;

use spec::{Account, Timeouts, Timers};

use super::*;

fn group() -> ProcessGroup {
    let second = Duration::from_secs(1);
    ProcessGroup {
        name: "site".to_owned(),
        server: String::new(),
        account: Some(Account { name: None, uid: 61_999, gid: 61_999, groups: vec![], home: None }),
        processes: 1,
        multiprocess: false,
        threads: 1,
        stack_size: 8 << 20,
        python: "/usr/bin/python3".into(),
        python_path: vec![],
        python_eggs: None,
        chroot: None,
        home: None,
        umask: None,
        lang: None,
        locale: None,
        display_name: "(wsgi:site)".to_owned(),
        environment: BTreeMap::new(),
        listen_backlog: 100,
        socket_uid: 33,
        cpu_priority: None,
        virtual_memory_limit: None,
        memory_limit: None,
        new_privileges: false,
        timers: Timers::default(),
        timeouts: Timeouts {
            shutdown: second,
            graceful: second,
            connect: second,
            socket: second,
            queue: None,
        },
        transfer: spec::Transfer::default(),
        roots: vec![],
        preload: vec![],
        script_owner: None,
        python_settings: Default::default(),
    }
}

fn lines(group: &ProcessGroup) -> Vec<String> {
    environment(group).into_iter().map(|entry| String::from_utf8(entry).unwrap()).collect()
}

#[test]
fn en_1_environment_is_an_allow_list() {
    let mut group = group();
    assert_eq!(lines(&group), ["HOME=/", "PATH=/usr/local/bin:/usr/bin:/bin"]);
    group.lang = Some("de_DE.UTF-8".to_owned());
    group.environment.insert("KEY".to_owned(), "a=b".to_owned());
    group.environment.insert("PATH".to_owned(), "/opt".to_owned());
    assert_eq!(lines(&group), ["HOME=/", "KEY=a=b", "LANG=de_DE.UTF-8", "PATH=/opt"]);
}

#[test]
fn pd_13_user_and_home_are_the_accounts() {
    let mut group = group();
    let account = group.account.as_mut().unwrap();
    (account.name, account.home) = (Some("jo".to_owned()), Some("/home/jo".into()));
    let lines = lines(&group);
    for expected in ["USER=jo", "LOGNAME=jo", "HOME=/home/jo"] {
        assert!(lines.contains(&expected.to_owned()), "{expected}");
    }
}

#[test]
fn me_2_the_configuration_cannot_be_changed() {
    let file = sealed(b"{}").unwrap();
    assert!(rustix::io::write(&file, b"x").is_err());
    assert!(rustix::fs::ftruncate(&file, 0).is_err());
    let mut bytes = [0; 8];
    assert_eq!(rustix::io::read(&file, &mut bytes).unwrap(), 2);
}

#[test]
fn a_nul_byte_is_refused_before_anything_is_forked() {
    let mut group = group();
    group.environment.insert("KEY".to_owned(), "a\0b".to_owned());
    let inherited = Inherited { umask: 0o22, open_files: rustix::process::getrlimit(Resource::Nofile) };
    let facts = Facts { httpd_uid: 33, httpd_version: (2, 4, 0), runtime: "/r.so".into(), inherited };
    assert!(plan(&group, &facts, &[]).is_err());
}
