//! Who the workers are: PD-4, PD-6, PD-7, PD-10, PD-11, PD-13.

use crate::{ours_as_root, two_sites};
use kit::{need, users};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn workers_run_as_the_users_of_their_sites() {
    let (setup, a, b) = need!(two_sites("threads=2"));
    let apache = setup.start();
    for (path, account) in [("/a", &a), ("/b", &b)] {
        let worker = apache.worker_of(path);
        assert_eq!(worker.uids(), Some(vec![account.uid; 4]), "{path}");
        assert_eq!(worker.status("Gid"), Some(vec![account.gid.to_string(); 4].join(" ")), "{path}");
    }
    for child in apache.children() {
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.pid)).unwrap_or_default();
        assert!(
            !maps.contains("libpython") && !maps.contains("_wsgi_runtime"),
            "a child of Apache holds Python"
        );
        assert_eq!(child.uids().map(|ids| ids[0]), Some(users::apache().uid));
    }
    apache.finish();
}

#[test]
fn pd_4_supplementary_groups_are_exactly_the_configured_ones() {
    let (setup, a, _) = need!(two_sites("threads=1"));
    let extra = ["adm", "audio"].map(|name| users::group(name).unwrap_or_else(|| panic!("no group {name}")));
    let apache = setup
        .launcher(&["setpriv", "--groups", "0,4,27"])
        .daemon("listed", &format!("user={0} group={0} supplementary-groups=adm,audio", a.name))
        .daemon("none", &format!("user={0} group={0} supplementary-groups=", a.name))
        .config("WSGIScriptAlias /listed @SITE@/eval.wsgi process-group=listed")
        .config("WSGIScriptAlias /none @SITE@/eval.wsgi process-group=none")
        .start();
    let groups = |path: &str| -> BTreeSet<u32> {
        let line = apache.worker_of(path).status("Groups").expect("the worker lives");
        line.split_whitespace().map(|id| id.parse().expect("a number")).collect()
    };
    let own = BTreeSet::from([a.gid]);
    assert_eq!(groups("/a"), own);
    let listed = groups("/listed");
    assert!(extra.iter().all(|id| listed.contains(id)), "{listed:?}");
    assert!(listed.iter().all(|id| extra.contains(id) || *id == a.gid), "{listed:?}");
    assert!(groups("/none").is_subset(&own), "{:?}", groups("/none"));
    apache.finish();
}

#[test]
fn pd_4_a_numeric_user_without_passwd_entry_keeps_no_group_of_root() {
    let setup = need!(ours_as_root()).fixture("eval");
    let apache = setup
        .launcher(&["setpriv", "--groups", "0,4,27"])
        .one_daemon("user=#61999 group=#61998 supplementary-groups=#61997 threads=1")
        .start();
    let code = "import os; result = [os.getresuid(), os.getresgid(), sorted(set(os.getgroups()) - {61998})]";
    assert_eq!(apache.eval("/eval", code), json!([vec![61999; 3], vec![61998; 3], vec![61997]]));
    apache.finish();
}

#[test]
fn pd_4_too_many_groups_are_a_configuration_error() {
    let setup = need!(ours_as_root()).fixture("eval");
    let list: Vec<String> = (1..=65_537).map(|id| format!("#{}", 100_000 + id)).collect();
    let check = setup
        .one_daemon(&format!("user=#61999 group=#61998 supplementary-groups={}", list.join(",")))
        .check();
    assert!(!check.good, "{}", check.text);
    let sentence = ["WSGIDaemonProcess app", "supplementary-groups", "65537", "65536"];
    assert!(
        sentence.iter().all(|word| check.text.contains(word)),
        "{}",
        &check.text[..check.text.len().min(2000)]
    );
}

const SETUID_ID: &str = r#"
import subprocess
result = subprocess.run(["@ROOT@/id-of-root", "-u"], capture_output=True, text=True).stdout.strip()
"#;

fn setuid_id(root: &std::path::Path) {
    let copy = root.join("id-of-root");
    fs::copy("/usr/bin/id", &copy).expect("id can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o4755)).expect("we are root");
}

#[test]
fn pd_6_no_new_privileges_is_the_default() {
    let (setup, a, _) = need!(two_sites("threads=1"));
    setuid_id(setup.root());
    let apache = setup.start();
    let code = SETUID_ID.replace("@ROOT@", &apache.root().display().to_string());
    assert_eq!(apache.eval("/a", &code), json!(a.uid.to_string()));
    assert_eq!(apache.worker_of("/a").status("NoNewPrivs").as_deref(), Some("1"));
    apache.finish();
}

#[test]
fn pd_6_a_group_may_opt_out_which_is_logged() {
    let (setup, _, _) = need!(two_sites("threads=1 new-privs=On"));
    setuid_id(setup.root());
    let apache = setup.start();
    assert_eq!(apache.worker_of("/a").status("NoNewPrivs").as_deref(), Some("0"));
    let code = SETUID_ID.replace("@ROOT@", &apache.root().display().to_string());
    assert_eq!(apache.eval("/a", &code), json!("0"));
    apache.log().wait("WSGI1010");
    apache.finish();
}

#[test]
fn pd_7_no_capability_is_left() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let worker = apache.worker_of("/a");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(worker.status(set).as_deref(), Some("0000000000000000"), "{set}");
    }
    apache.finish();
}

#[test]
fn pd_10_every_thread_has_dropped() {
    let (setup, _, _) = need!(two_sites("threads=5"));
    let apache = setup.start();
    let worker = apache.worker_of("/a");
    let tasks: Vec<_> =
        fs::read_dir(format!("/proc/{}/task", worker.pid)).expect("the worker lives").flatten().collect();
    assert!(tasks.len() > 1, "{} threads", tasks.len());
    for field in ["Uid", "Gid", "Groups", "NoNewPrivs", "CapPrm", "CapBnd"] {
        // A thread that has ended meanwhile has no status.
        let values: Vec<String> = tasks
            .iter()
            .filter_map(|task| kit::proc::status(&task.path().join("status").display().to_string(), field))
            .collect();
        assert!(values.len() > 1, "{field}: {} threads", values.len());
        assert_eq!(values.iter().collect::<BTreeSet<_>>().len(), 1, "{field}: {values:?}");
    }
    apache.finish();
}

/// Makes a terminal, takes it as the controlling one and executes its arguments.
const ON_A_TERMINAL: &str = "import fcntl, os, sys, termios
os.setpgid(0, os.getpgid(os.getppid()))
os.setsid()
master, terminal = os.openpty()
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.set_inheritable(master, True)
os.dup2(terminal, 0)
os.execvp(sys.argv[1], sys.argv[1:])";

#[test]
fn pd_11_own_session_no_terminal_and_null_as_input() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.launcher(&["/usr/bin/python3", "-c", ON_A_TERMINAL]).start();
    let (parent_session, parent_terminal) = apache.parent().session_and_terminal().expect("Apache runs");
    assert_ne!(parent_terminal, 0, "the test wants Apache on a terminal");
    let worker = apache.worker_of("/a");
    let (session, terminal) = worker.session_and_terminal().expect("the worker lives");
    assert_eq!((session, terminal), (worker.pid, 0));
    assert_ne!(session, parent_session);
    assert_eq!(worker.fds().get(&0).map(String::as_str), Some("/dev/null"));
    let code = r#"
import fcntl, termios
try:
    open("/dev/tty")
    result = "opened"
except OSError:
    try:
        fcntl.ioctl(0, termios.TIOCSTI, b"x")
        result = "pushed"
    except OSError:
        result = "neither"
"#;
    assert_eq!(apache.eval("/a", code), json!("neither"));
    apache.finish();
}

#[test]
fn pd_13_home_names_and_umask_are_the_sites() {
    let (setup, a, _) = need!(two_sites("threads=1 umask=027"));
    let apache = setup.start();
    let code = r#"
import os
path = "@SCRATCH@/written"
open(path, "w").write("x")
result = [os.stat(path).st_mode & 0o777, os.path.expanduser("~"), os.environ["HOME"], os.environ["USER"],
          os.environ["LOGNAME"], os.getcwd()]
"#;
    let code = code.replace("@SCRATCH@", &apache.scratch("").display().to_string());
    let home = &a.home;
    assert_eq!(apache.eval("/a", &code), json!([0o640, home, home, a.name, a.name, home]));
    apache.finish();
}
