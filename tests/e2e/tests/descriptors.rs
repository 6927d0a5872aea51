//! What a worker inherits: environment (EN-1) and descriptors (FD-1 to FD-4, LG-1).

use crate::{ours, two_sites};
use kit::{Process, need};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::net::TcpListener;

const CANARIES: [&str; 20] = [
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "PYTHONDEBUG",
    "BASH_ENV",
    "ENV",
    "IFS",
    "CDPATH",
    "PERL5LIB",
    "AWS_SECRET_ACCESS_KEY",
    "HTTP_PROXY",
    "TMPDIR",
    "LISTEN_FDS",
    "NOTIFY_SOCKET",
    "GCONV_PATH",
];

#[test]
fn en_1_the_environment_is_an_allow_list() {
    let (mut setup, a, _) =
        need!(two_sites("threads=1 env=SITE_MODE=live env=\"GREETING=hello world\" lang=C.UTF-8"));
    for name in CANARIES {
        setup = setup.env(name, "/nonexistent/canary");
    }
    for number in 0..20 {
        setup = setup.env(&format!("CANARY_{number}"), "canary");
    }
    let apache = setup.env("SITE_MODE", "canary").start();
    let worker = apache.worker_of("/a");
    let environ = worker.environ();
    let allowed = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LC_ALL",
        "PYTHON_EGG_CACHE",
        "SITE_MODE",
        "GREETING",
    ];
    for (name, value) in &environ {
        assert!(allowed.contains(&name.as_str()), "{name}={value}");
        assert!(!value.contains("canary"), "{name}={value}");
    }
    let expected = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", a.home.as_str()),
        ("USER", a.name.as_str()),
        ("LOGNAME", a.name.as_str()),
        ("SITE_MODE", "live"),
        ("GREETING", "hello world"),
        ("LANG", "C.UTF-8"),
    ];
    for (name, value) in expected {
        assert_eq!(environ.get(name).map(String::as_str), Some(value), "{name}");
    }
    let seen = apache.eval(
        "/a",
        "import os; result = [os.environ.get('SITE_MODE'), os.environ.get('AWS_SECRET_ACCESS_KEY')]",
    );
    assert_eq!(seen, serde_json::json!(["live", null]));
    apache.finish();
}

/// What a worker may have open, by the words `/proc` shows.
fn is_listed(target: &str) -> bool {
    target == "/dev/null"
        || ["pipe:", "socket:", "anon_inode:", "/memfd:"].iter().any(|kind| target.starts_with(kind))
}

/// The descriptors of the TCP listeners of this machine, as `/proc` shows them.
fn tcp_listeners() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/net/tcp").expect("proc is mounted");
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(3) == Some(&"0A"))
        .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect()
}

#[test]
fn fd_1_a_worker_holds_only_listed_descriptors() {
    let (setup, _, _) = need!(two_sites("threads=2"));
    let secret = setup.root().join("secret").display().to_string();
    let open = (42..62).map(|fd| format!("{fd}<>{secret}")).collect::<Vec<_>>().join(" ");
    let script = format!("exec {open}; exec \"$@\"");
    let apache = setup.launcher(&["bash", "-c", &script, "bash"]).start();
    assert!(
        apache.parent().fds().values().any(|target| *target == secret),
        "the test wants Apache to hold the canaries"
    );
    let worker = apache.worker_of("/a");
    let fds = worker.fds();
    assert!(fds.values().all(|target| is_listed(target)), "{fds:#?}");
    let tcp = tcp_listeners();
    assert!(fds.values().all(|target| !tcp.contains(target)), "a TCP listener among {fds:#?}");
    assert!(fds.len() <= 16, "{fds:#?}");
    // Of two sites' workers no pipe and no socket is the same one.
    let other = apache.worker_of("/b").fds();
    let private = |target: &&String| target.starts_with("pipe:") || target.starts_with("socket:");
    let common: Vec<_> =
        fds.values().filter(private).filter(|target| other.values().any(|have| have == *target)).collect();
    assert!(common.is_empty(), "A and B share {common:?}");
    apache.finish();
}

#[test]
fn fd_1_the_supervisor_holds_only_what_it_needs() {
    let apache = need!(ours()).one_daemon("threads=1").fixture("hello").start();
    let fds = apache.wait_supervisor().fds();
    let tcp = tcp_listeners();
    assert!(fds.values().all(|target| !tcp.contains(target)), "{fds:#?}");
    let run = apache.root().join("run").display().to_string();
    let needed =
        |target: &str| is_listed(target) || target.ends_with("logs/error.log") || target.starts_with(&run);
    let extra = fds.values().filter(|target| !needed(target));
    assert_eq!(extra.collect::<Vec<_>>(), Vec::<&String>::new());
    apache.finish();
}

#[test]
fn fd_2_grandchildren_inherit_nothing_of_ours() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let code = r#"
import subprocess
listing = "import os\nfor fd in os.listdir('/proc/self/fd'):\n    try: print(fd, os.readlink('/proc/self/fd/' + fd))\n    except OSError: pass"
child = subprocess.run(["/usr/bin/python3", "-c", listing], close_fds=False, capture_output=True, text=True)
result = sorted(int(line.split()[0]) for line in child.stdout.splitlines())
"#;
    assert_eq!(apache.eval("/a", code), serde_json::json!([0, 1, 2]));
    apache.finish();
}

#[test]
fn fd_3_no_listener_of_apache_is_in_a_worker() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let mut apache = setup.start();
    let code = r#"
import subprocess
result = subprocess.Popen(["sleep", "999"], close_fds=False, start_new_session=True).pid
"#;
    let pid = apache.eval("/a", code).as_i64().expect("a process id") as i32;
    let sleeper = Process::get(pid).expect("sleep runs");
    let address = apache.address();
    apache.stop(Signal::SIGTERM);
    let bound = TcpListener::bind(address).map(drop);
    sleeper.kill();
    kit::wait_until(kit::LIMIT, "the sleeper is gone", || !sleeper.runs());
    bound.expect("the port of the stopped Apache is free");
}

#[test]
fn fd_4_a_worker_can_write_to_its_descriptors_without_harm_to_apache() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    // What it writes to the connection, to the status pipe and to the log pipe.
    apache.expect_log(r"it broke the protocol|WSGI0146: .* the worker closed the connection");
    apache.expect_log("wrote to its status pipe what is no report");
    // It ends when it told its own threads to stop.
    apache.expect_log("WSGI1002: Process group .a.");
    apache.expect_log(r"\(group a\) \\x0[0b]");
    let children: BTreeSet<i32> = apache.children().iter().map(|child| child.pid).collect();
    let supervisor = apache.wait_supervisor();
    let code = r#"
import os
result = None
for fd in sorted(int(name) for name in os.listdir("/proc/self/fd")):
    for value in range(256):
        try:
            os.set_blocking(fd, False)
            os.write(fd, bytes([value]))
        except OSError:
            break
"#;
    let _ = apache.request("POST", "/a").body(code).try_send();
    // B is served by its own worker, whatever became of A's.
    assert_eq!(apache.eval("/b", "result = 1"), 1);
    kit::wait_until(kit::LIMIT, "A serves again", || {
        apache
            .request("POST", "/a")
            .body("result = 1")
            .try_send()
            .is_ok_and(|response| response.status == 200)
    });
    assert!(supervisor.runs(), "{}", apache.log().tail());
    let now: BTreeSet<i32> = apache.children().iter().map(|child| child.pid).collect();
    assert!(children.is_subset(&now), "children before {children:?}, now {now:?}");
    apache.finish();
}

#[test]
fn lg_1_a_worker_holds_no_log_file() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let logs = apache.root().join("logs").display().to_string();
    for path in ["/a", "/b"] {
        let fds = apache.worker_of(path).fds();
        assert!(fds.values().all(|target| !target.starts_with(&logs)), "{fds:?}");
    }
    let opened = "import glob\nresult = []\nfor path in glob.glob('@LOGS@/*'):\n    try:\n        open(path, 'a')\n        result.append(path)\n    except OSError:\n        pass\n";
    assert_eq!(apache.eval("/a", &opened.replace("@LOGS@", &logs)), serde_json::json!([]));
    apache.finish();
}
