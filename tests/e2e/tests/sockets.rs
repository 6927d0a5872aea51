//! The workers' sockets and the supervisor's channel: SK-1, SK-2, SK-3, SK-5, SK-7, SK-8, SK-9.

use crate::{ours, ours_as_root, socket_of, two_sites};
use kit::{Process, Strace, need, python_as, users, wait_until};
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn connect_as(account: &kit::Account, socket: &str) -> String {
    let code = format!(
        "import socket\ntry:\n    socket.socket(socket.AF_UNIX).connect({socket:?})\n    print('connected')\n\
         except OSError as error:\n    print(error.errno)\n"
    );
    python_as(account, &code).expect("Python runs as the account").trim().to_owned()
}

#[test]
fn sk_1_only_apaches_user_can_connect() {
    let (setup, a, b) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let socket = socket_of(&apache, "a");
    let denied = nix::libc::EACCES.to_string();
    let visitor = kit::Account::named("nobody").expect("nobody exists");
    for account in [&a, &b, &visitor] {
        assert_eq!(connect_as(account, &socket), denied, "as {}", account.name);
    }
    assert_eq!(connect_as(&users::apache(), &socket), "connected");
    let file = Path::new(&socket).metadata().expect("the socket is there");
    assert_eq!((file.uid(), file.permissions().mode() & 0o7777), (users::apache().uid, 0o600));
    let dir = Path::new(&socket).parent().expect("is in a folder").metadata().expect("the folder is there");
    assert_eq!((dir.uid(), dir.gid(), dir.permissions().mode() & 0o7777), (0, 0, 0o711));
    apache.finish();
}

#[test]
fn sk_2_there_is_no_moment_with_wider_rights() {
    let (setup, _, _) = need!(two_sites("threads=1 processes=3"));
    need!(Strace::available());
    let calls = "chown,fchown,lchown,fchownat,chmod,fchmod,fchmodat,listen,rename,renameat,renameat2";
    let slow =
        format!("strace -f -D -qq -o @ROOT@/strace.txt -e trace={calls} -e inject={calls}:delay_enter=30000");
    let setup = setup.supervisor_through(&slow);
    let run = setup.root().join("run");
    let owner = users::apache().uid;
    let done = Arc::new(AtomicBool::new(false));
    let watcher = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut wrong = Vec::new();
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                for dir in std::fs::read_dir(&run).into_iter().flatten().flatten() {
                    for entry in std::fs::read_dir(dir.path()).into_iter().flatten().flatten() {
                        let Ok(meta) = entry.metadata() else { continue };
                        let (mode, uid) = (meta.permissions().mode() & 0o777, meta.uid());
                        seen += 1;
                        let private = meta.is_dir() && mode == 0o700;
                        if !private && (mode != 0o600 || uid != owner) {
                            wrong.push(format!("{} {mode:o} {uid}", entry.path().display()));
                        }
                    }
                }
                std::thread::yield_now();
            }
            (seen, wrong)
        }
    });
    let apache = setup.start();
    done.store(true, Ordering::Relaxed);
    let (seen, wrong) = watcher.join().expect("the watcher does not panic");
    assert!(seen > 0);
    assert!(wrong.is_empty(), "{wrong:?}");
    apache.finish();
}

#[test]
fn sk_3_a_worker_checks_its_peer_before_it_reads() {
    let (setup, _, b) = need!(two_sites("threads=2"));
    let apache = setup.start();
    let socket = socket_of(&apache, "a");
    let dir = Path::new(&socket).parent().expect("is in a folder");
    for path in [dir, Path::new(&socket)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("we are root");
    }
    apache.expect_log(&format!("WSGI.*{}", b.uid));
    let code = format!(
        "import socket\npeer = socket.socket(socket.AF_UNIX)\npeer.settimeout(5)\npeer.connect({socket:?})\n\
         try:\n    peer.sendall(b'x' * 1000000)\n    said = peer.recv(100)\nexcept ConnectionError:\n    said = b''\nprint(said)\n"
    );
    assert_eq!(python_as(&b, &code).expect("Python runs as b").trim(), "b''");
    let line = apache.log().wait(&format!(r"WSGI\d{{4}}.*{}", b.uid));
    assert!(line.contains("[wsgi:"), "{line}");
    assert_eq!(apache.eval("/a", "result = 1"), 1);
    apache.finish();
}

#[test]
fn sk_7_a_long_prefix_works_or_is_refused() {
    let mut refused = 0;
    for length in [60, 70, 76, 80, 84, 88, 92, 96, 100, 104, 108, 120] {
        let setup = need!(ours()).one_daemon("threads=1").fixture("hello");
        let base = format!("{}/run/", setup.root().display());
        let name = "w".repeat(length - base.len());
        let check =
            need!(ours()).config(&format!("WSGISocketPrefix {base}{name}")).one_daemon("threads=1").check();
        if check.good {
            let apache = setup.config(&format!("WSGISocketPrefix {base}{name}")).unsettled();
            let apache = apache.start();
            apache.get("/hello").expect_status(200);
            apache.finish();
        } else {
            refused += 1;
            assert!(check.text.contains("WSGISocketPrefix"), "{length}: {}", check.text);
        }
    }
    assert!(refused >= 1, "a prefix of 120 bytes was taken");
}

#[test]
fn sk_7_after_kill_9_of_everything_the_next_start_cleans_only_its_own() {
    let setup = need!(ours()).one_daemon("threads=1 processes=2").fixture("hello");
    let mut apache = setup.start();
    apache.get("/hello").expect_status(200);
    let foreign = apache.root().join("run/foreign.999999");
    std::fs::create_dir(&foreign).expect("the folder is ours");
    let former = apache.sockets();
    apache.kill_everything();
    assert_eq!(apache.sockets(), former, "nobody was there to remove them");
    apache.start_again();
    apache.get("/hello").expect_status(200);
    assert!(former.iter().all(|socket| !socket.exists()), "left of the killed one: {:?}", apache.sockets());
    assert!(foreign.exists());
    apache.expect_log(r"AH00098: pid file .* overwritten");
    apache.finish();
}

#[test]
fn sk_8_no_abstract_socket_is_used() {
    let (setup, _, _) = need!(two_sites("threads=1"));
    let apache = setup.start();
    let supervisor = apache.wait_supervisor();
    let pids: Vec<i32> = kit::proc::descendants(supervisor.pid)
        .iter()
        .map(|process| process.pid)
        .chain([supervisor.pid])
        .collect();
    let abstract_inodes: Vec<String> = std::fs::read_to_string("/proc/net/unix")
        .expect("proc is mounted")
        .lines()
        .filter(|line| line.split_whitespace().nth(7).is_some_and(|path| path.starts_with('@')))
        .filter_map(|line| line.split_whitespace().nth(6).map(|inode| format!("socket:[{inode}]")))
        .collect();
    for pid in pids {
        let fds = kit::Process::get(pid).expect("runs").fds();
        assert!(fds.values().all(|target| !abstract_inodes.contains(target)), "{fds:?}");
    }
    apache.finish();
}

#[test]
fn sk_9_nothing_secret_stands_in_command_lines_or_environments() {
    let apache = need!(ours_as_root()).one_daemon("threads=1").fixture("eval").start();
    let long_token = regex::Regex::new(r"\b[0-9a-fA-F]{32,}\b|\b[A-Za-z0-9+]{40,}\b").expect("is valid");
    let supervisor = apache.wait_supervisor();
    for process in kit::proc::descendants(supervisor.pid).iter().chain([&supervisor]) {
        let line = process.command_line();
        assert!(!long_token.is_match(&line), "{line}");
        let environ = process.environ();
        assert!(environ.values().all(|value| !long_token.is_match(value)), "{environ:?}");
    }
    assert!(!long_token.is_match(&apache.log().text()));
    apache.finish();
}

#[test]
fn the_path_of_a_socket_outlives_workers_and_gracefuls() {
    let apache = need!(ours()).one_daemon("threads=2").fixture("eval").start();
    let sockets = apache.sockets();
    apache.expect_log("WSGI1002");
    let former = apache.worker_of("/eval");
    former.kill();
    wait_until(kit::LIMIT, "the worker is replaced", || !former.runs() && apache.workers().len() == 1);
    assert_eq!(apache.eval("/eval", "result = 1"), 1);
    assert_eq!(apache.sockets(), sockets);
    apache.graceful();
    assert_eq!(apache.eval("/eval", "result = 2"), 2);
    apache.wait_settled();
    assert_eq!(apache.sockets(), sockets);
    apache.finish();
}

/// Takes the descriptor of the supervisor's channel out of `/proc`, with root's rights, and sends a message of its own over it.
const FORGED: &str = r#"
import ctypes, json, os, socket, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
holder, channel = int(sys.argv[1]), int(sys.argv[2])
PIDFD_GETFD = 438
taken = libc.syscall(PIDFD_GETFD, os.pidfd_open(holder), channel, 0)
assert taken >= 0, os.strerror(ctypes.get_errno())
message = json.dumps("Stop").encode()
socket.socket(fileno=taken).sendall(struct.pack("<II", len(message), 0) + message)
"#;

/// The Unix sockets of Apache's parent that no one but it and its like may have: the channel to the supervisor and the workers'
/// listeners.
fn unix_sockets_of(process: &Process) -> BTreeMap<i32, String> {
    let known = kit::proc::unix_sockets();
    let mut fds = process.fds();
    fds.retain(|_, target| known.contains(target));
    fds
}

#[test]
fn sk_5_a_daemon_of_another_module_inherits_no_socket_of_ours() {
    let setup = need!(ours_as_root()).modules(&["cgid"]).one_daemon("threads=1").fixture("eval");
    let apache = setup.config("ScriptSock @ROOT@/run/cgid.sock").start();
    // At the graceful restart mod_cgid makes its daemon anew, of a parent that has all by then.
    for restart in [false, true] {
        if restart {
            apache.graceful();
            apache.wait_settled();
        }
        let listens =
            |child: &Process| kit::proc::unix_listeners(child).iter().any(|path| path.contains("cgid.sock"));
        let mut daemon = None;
        wait_until(kit::LIMIT, "mod_cgid has a daemon", || {
            daemon = apache.children().into_iter().find(listens);
            daemon.is_some()
        });
        let held = unix_sockets_of(&daemon.expect("was just found"));
        let ours = unix_sockets_of(apache.parent());
        assert!(ours.len() >= 2, "the test wants the parent to hold a channel and a listener: {ours:?}");
        let common: Vec<_> =
            held.values().filter(|socket| ours.values().any(|ours| ours == *socket)).collect();
        assert!(common.is_empty(), "after a restart: {restart}: {common:?}");
    }
    apache.finish();
}

#[test]
fn sk_5_who_gets_hold_of_the_channel_cannot_command_the_supervisor() {
    let apache = need!(ours_as_root()).one_daemon("threads=1").fixture("eval").start();
    let (supervisor, worker) = (apache.wait_supervisor(), apache.worker_of("/eval"));
    let python = need!(kit::Python::default_for_tests()).executable;
    // One of them is the channel; the listeners take no message.
    for fd in unix_sockets_of(apache.parent()).into_keys() {
        let ids = [apache.parent().pid.to_string(), fd.to_string()];
        let _ = kit::run(std::process::Command::new(&python).args(["-c", FORGED]).args(ids));
    }
    let line = apache.log().wait("WSGI1017");
    assert!(line.contains("[wsgi:error]"), "{line}");
    assert!(supervisor.runs());
    assert_eq!(apache.worker_of("/eval"), worker);
    apache.graceful();
    apache.wait_settled();
    assert_eq!(apache.wait_supervisor(), supervisor);
    assert_eq!(apache.eval("/eval", "result = 1"), 1);
    apache.finish();
}
