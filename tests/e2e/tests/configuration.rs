//! Mistakes in the configuration: found by `apache2 -t`, with the directive, the value and what to do.

use crate::{ours, ours_as_root};
use kit::{Python, Setup, need};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

/// Why `config` is not refused with all of `words`, if that is so.
pub fn badly_refused(setup: Setup, config: &str, words: &[&str]) -> Option<String> {
    let check = setup.config(config).check();
    let lacks: Vec<_> = words.iter().filter(|word| !check.text.contains(**word)).collect();
    let why = if check.good {
        "was taken".to_owned()
    } else if check.text.contains("panicked") {
        "made a panic".to_owned()
    } else if lacks.is_empty() {
        return None;
    } else {
        format!("the message lacks {lacks:?}")
    };
    Some(format!("{config}\n  {why}: {}", check.text))
}

#[track_caller]
fn refused(setup: Setup, config: &str, words: &[&str]) {
    if let Some(why) = badly_refused(setup, config, words) {
        panic!("{why}");
    }
}

/// Mistakes that everybody can make, and words the message must have.
const MISTAKES: &[(&str, &[&str])] = &[
    ("WSGIDaemonProcess", &["WSGIDaemonProcess", "name"]),
    ("WSGIDaemonProcess app threads", &["WSGIDaemonProcess", "threads"]),
    ("WSGIDaemonProcess app threads=x", &["threads", "x"]),
    ("WSGIDaemonProcess app threads=-1", &["threads", "-1"]),
    ("WSGIDaemonProcess app threads=70000", &["threads"]),
    ("WSGIDaemonProcess app threads=99999999", &["threads", "99999999"]),
    ("WSGIDaemonProcess app threads=4x", &["threads", "4x"]),
    ("WSGIDaemonProcess app processes=0", &["processes", "0"]),
    ("WSGIDaemonProcess app threds=4", &["threds", "threads"]),
    ("WSGIDaemonProcess app umask=999", &["umask", "999"]),
    ("WSGIDaemonProcess app home=relative", &["home", "relative"]),
    ("WSGIDaemonProcess app python-home=/nonexistent/venv", &["python-home", "/nonexistent/venv"]),
    ("WSGIDaemonProcess app python-home=/etc", &["python-home", "/etc", "bin/python"]),
    ("WSGIDaemonProcess app python=/nonexistent/python", &["python", "/nonexistent/python"]),
    ("WSGIDaemonProcess app python=python3", &["python", "python3"]),
    ("WSGIDaemonProcess app python=/etc/passwd", &["python", "/etc/passwd"]),
    ("WSGIDaemonProcess app env=NOVALUE", &["env", "NOVALUE"]),
    ("WSGIDaemonProcess app new-privs=maybe", &["new-privs", "maybe"]),
    ("WSGIDaemonProcess app queue-timeout=soon", &["queue-timeout", "soon"]),
    ("WSGIDaemonProcess app listen-backlog=-5", &["listen-backlog", "-5"]),
    ("WSGIDaemonProcess app cpu-priority=100", &["cpu-priority", "100"]),
    ("WSGIDaemonProcess app threads=1 threads=2", &["threads", "twice"]),
    ("WSGIDaemonProcess app threads=1\nWSGIDaemonProcess app threads=2", &["WSGIDaemonProcess", "app"]),
    ("WSGIScriptAlias /only", &["WSGIScriptAlias"]),
    ("WSGIScriptAlias /a /b.wsgi process-grup=x", &["WSGIScriptAlias", "process-grup"]),
    ("WSGIScriptAlias /a /b.wsgi pass-authorization=yes", &["pass-authorization", "yes"]),
    ("WSGIScriptAliasMatch ^/(a /b.wsgi", &["WSGIScriptAliasMatch", "^/(a"]),
    ("WSGIPassAuthorization yes", &["WSGIPassAuthorization"]),
    ("WSGIRestrictEmbedded maybe", &["WSGIRestrictEmbedded"]),
    ("WSGIChunkedRequest 1", &["WSGIChunkedRequest"]),
    (
        "WSGIPythonHome /nonexistent/home\nWSGIDaemonProcess app threads=1",
        &["WSGIPythonHome", "/nonexistent/home"],
    ),
    ("<VirtualHost 127.0.0.1:@PORT@>\nWSGISocketPrefix /run/x\n</VirtualHost>", &["WSGISocketPrefix"]),
];

#[test]
fn mistakes_are_found_before_the_start() {
    let mut bad = Vec::new();
    for (config, words) in MISTAKES {
        bad.extend(badly_refused(need!(ours()), config, words));
    }
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), MISTAKES.len(), bad.join("\n"));
}

/// Mistakes with accounts, which only root can make.
const ACCOUNTS: &[(&str, &[&str])] = &[
    ("WSGIDaemonProcess app user=nobody-of-this-name", &["WSGIDaemonProcess", "user", "nobody-of-this-name"]),
    ("WSGIDaemonProcess app user=root", &["WSGIDaemonProcess", "user", "root"]),
    (
        "WSGIDaemonProcess app user=nobody group=no-such-group",
        &["WSGIDaemonProcess", "group", "no-such-group"],
    ),
    (
        "WSGIDaemonProcess app user=nobody supplementary-groups=no-such-group",
        &["supplementary-groups", "no-such-group"],
    ),
    (
        "WSGIDaemonProcess app user=nobody chroot=/no/such/place",
        &["Invalid chroot directory", "/no/such/place"],
    ),
    ("WSGIDaemonProcess app user=nobody socket-user=no-such-user", &["socket-user", "no-such-user"]),
];

#[test]
fn mistakes_with_accounts_are_found_before_the_start() {
    let mut bad = Vec::new();
    for (config, words) in ACCOUNTS {
        bad.extend(badly_refused(need!(ours_as_root()), config, words));
    }
    assert!(bad.is_empty(), "{} of {}:\n{}", bad.len(), ACCOUNTS.len(), bad.join("\n"));
}

#[test]
fn a_python_that_is_too_old_is_refused_with_its_version() {
    let old = [9, 8, 7].into_iter().find_map(|minor| Python::version(minor).ok());
    let old = need!(old.ok_or("no Python older than 3.10 is installed"));
    let config = format!("WSGIDaemonProcess app threads=1 python={}", old.executable.display());
    refused(need!(ours()), &config, &["WSGIDaemonProcess", &format!("3.{}", old.minor), "3.10"]);
}

#[test]
fn a_home_whose_python_dangles_is_refused() {
    let setup = need!(ours());
    let bin = setup.root().join("broken/bin");
    fs::create_dir_all(&bin).expect("the folder is ours");
    symlink("/nonexistent/python3", bin.join("python")).expect("the folder is ours");
    refused(setup, "WSGIDaemonProcess app threads=1 python-home=@ROOT@/broken", &["python-home", "broken"]);
}

#[test]
fn lc_9_a_good_configuration_is_good_and_the_check_leaves_nothing() {
    let setup = need!(ours()).one_daemon("threads=1").fixture("hello");
    let files = || -> BTreeSet<PathBuf> {
        ["run", "logs", "site", "scratch"]
            .iter()
            .flat_map(|dir| fs::read_dir(setup.root().join(dir)).expect("the folder is ours").flatten())
            .map(|entry| entry.path())
            .collect()
    };
    let before = files();
    let check = setup.check();
    assert!(check.good && check.text.contains("Syntax OK"), "{}", check.text);
    assert_eq!(files(), before);
}

#[test]
fn if_module_finds_both_names() {
    let config = "<IfModule mod_wsgi.c>\n<IfModule wsgi_module>\nnonsense\n</IfModule>\n</IfModule>";
    refused(need!(ours()), config, &["nonsense"]);
}
