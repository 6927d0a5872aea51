//! What a worker process is given and who it is, seen from /proc while fake workers run.

use std::fs;
use std::os::unix::net::UnixStream;

use crate::kit::{Place, Supervisor, UID, group, is_root, needs, status, wait_for};

#[test]
fn pd_4_pd_6_pd_7_pd_10_pd_11_worker_is_who_it_should_be() {
    if !needs("root", is_root()) {
        return;
    }
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &place.good_worker())]));
    let worker = supervisor.wait_for_workers(1)[0];
    let ids = [UID.to_string(), UID.to_string(), UID.to_string(), UID.to_string()].join(" ");
    for task in fs::read_dir(format!("/proc/{worker}/task")).unwrap() {
        let task: i32 = task.unwrap().file_name().to_str().unwrap().parse().unwrap();
        assert_eq!(status(task, "Uid"), ids);
        assert_eq!(status(task, "Gid"), ids);
        assert_eq!(status(task, "Groups"), "4 27");
        assert_eq!(status(task, "NoNewPrivs"), "1");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status(task, set), "0000000000000000", "{set}");
        }
        // 32 and 33 belong to the C library.
        for mask in ["SigBlk", "SigIgn"] {
            assert_eq!(u64::from_str_radix(&status(task, mask), 16).unwrap() & 0x7fff_ffff, 0, "{mask}");
        }
    }
    let stat = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let (session, terminal) = (fields[3], fields[4]);
    assert_eq!((session, terminal), (worker.to_string().as_str(), "0"));
    // The supervisor itself keeps CHOWN, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT, SYS_NICE and SYS_RESOURCE at most.
    let kept = u64::from_str_radix(&status(supervisor.pid(), "CapEff"), 16).unwrap();
    assert_eq!(kept & !(1 << 0 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 18 | 1 << 23 | 1 << 24), 0);
}

#[test]
fn pd_6_new_privileges_can_be_allowed_and_it_is_logged() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let mut site = group("site", &place.good_worker());
    site.new_privileges = true;
    supervisor.define(&place.definitions(vec![site]));
    let worker = supervisor.wait_for_workers(1)[0];
    assert_eq!(status(worker, "NoNewPrivs"), "0");
    supervisor.wait_for_log("WSGI1010");
}

#[test]
fn en_1_fd_1_fd_3_lg_1_worker_gets_only_what_is_listed() {
    let place = Place::new();
    let before = "exec 8</etc/hostname 9<>/dev/zero; export LD_LIBRARY_PATH=/x PYTHONPATH=/x PYTHONHOME=/x BASH_ENV=/x SECRET=x LANG=C";
    let supervisor = Supervisor::start_with(&place, &[], before);
    let mut site = group("site", &place.good_worker());
    site.lang = Some("C.UTF-8".to_owned());
    site.environment.insert("KEY".to_owned(), "value with = and é".to_owned());
    supervisor.define(&place.definitions(vec![site.clone(), group("other", &site.python)]));
    let worker = supervisor.wait_for_workers(2)[0];
    wait_for("head", || fs::read_to_string(format!("/proc/{worker}/comm")).is_ok_and(|c| c == "head\n"));
    let environment = fs::read(format!("/proc/{worker}/environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    // The shell of the fake worker adds PWD (and dash nothing else).
    let lines: Vec<&str> =
        environment.split('\0').filter(|line| !line.is_empty() && !line.starts_with("PWD=")).collect();
    let mut expected = vec!["KEY=value with = and é", "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin"];
    if is_root() {
        expected.insert(0, "HOME=/");
        assert_eq!(sorted(lines), expected);
    } else {
        assert!(expected.iter().all(|line| lines.contains(line)), "{lines:?}");
    }
    let supervisors = fds(supervisor.pid());
    assert!(!supervisors.iter().any(|(_, target)| target.contains("hostname") || target.contains("zero")));
    let targets = fds(worker);
    // The fake worker's `<&6 >/dev/null` has changed 0 and 1.
    let kinds: Vec<(i32, &str)> =
        targets.iter().map(|(fd, target)| (*fd, target.split(&[':', ' '][..]).next().unwrap())).collect();
    let expected =
        [(0, "pipe"), (1, "/dev/null"), (2, "pipe"), (3, "/memfd"), (4, "socket"), (5, "pipe"), (6, "pipe")];
    assert_eq!(kinds, expected);
}

#[test]
fn pd_11_pd_13_stdin_umask_home_and_limits() {
    let place = Place::new();
    let out = place.writable("out");
    let home = place.writable("home");
    let text = format!(
        "cat > {0}/stdin\numask > {0}/umask\npwd > {0}/pwd\nulimit -d > {0}/data\n{1}sleep 100 & wait",
        out.display(),
        crate::kit::READY
    );
    let mut site = group("site", &place.script("worker", &text));
    site.umask = Some(0o027);
    site.home = Some(home.clone());
    site.memory_limit = Some(1 << 30);
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![site]));
    supervisor.wait_for_log("WSGI1001");
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(read("stdin"), "");
    assert_eq!(read("umask"), "0027\n");
    assert_eq!(read("pwd"), format!("{}\n", home.display()));
    assert_eq!(read("data"), "1048576\n");
}

#[test]
fn pd_2_home_and_python_that_the_user_may_not_use_end_the_launch() {
    if !needs("root", is_root()) {
        return;
    }
    let place = Place::new();
    let closed = place.closed();
    let mut homeless = group("homeless", &place.good_worker());
    homeless.home = Some(closed.clone());
    fs::copy(place.good_worker(), closed.join("python")).unwrap();
    let unreadable = group("unreadable", &closed.join("python"));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![homeless, unreadable]));
    supervisor.wait_for_log("entering its working directory (chdir) failed: Permission denied");
    supervisor.wait_for_log("executing its Python (execve) failed: Permission denied");
    assert!(!supervisor.log().contains("WSGI1001"), "{}", supervisor.log());
}

#[test]
fn me_2_worker_shares_no_writable_memory_and_reads_its_configuration() {
    let place = Place::new();
    let out = place.writable("out");
    let text = format!(
        "cat <&3 > {0}/config\n(echo x >&3) 2>/dev/null || echo refused > {0}/refused\n{1}{2}",
        out.display(),
        crate::kit::READY,
        crate::kit::UNTIL_DRAINED
    );
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![group("site", &place.script("worker", &text))]));
    supervisor.wait_for_log("WSGI1001");
    let config: spec::worker::WorkerConfig =
        serde_json::from_slice(&fs::read(out.join("config")).unwrap()).unwrap();
    assert_eq!((config.group.as_str(), config.threads), ("site", 2));
    assert!(out.join("refused").exists());
    for pid in [supervisor.workers()[0], supervisor.pid()] {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        assert!(!maps.lines().any(|line| line.split(' ').nth(1).unwrap().contains("ws")), "{maps}");
    }
}

#[test]
fn fd_4_nothing_a_worker_writes_hurts_the_supervisor_or_others() {
    let place = Place::new();
    let all_bytes = (0..=255).map(|byte| format!("\\{byte:03o}")).collect::<String>();
    let text =
        format!("for fd in 0 1 2 3 4 5 6; do printf '{all_bytes}' >&$fd; done 2>/dev/null\nsleep 100 & wait");
    let bad = group("bad", &place.script("bad", &text));
    let supervisor = Supervisor::start(&place);
    supervisor.define(&place.definitions(vec![bad, group("good", &place.good_worker())]));
    supervisor.wait_for_log("WSGI1008");
    supervisor.wait_for_log("'good' is ready");
    supervisor.wait_for_log("was ended by SIGTERM while stopping");
    assert!(!supervisor.log().contains("'good', slot"), "{}", supervisor.log());
    assert!(!supervisor.log().contains('\0') && supervisor.log().contains("\\x00\\x01"));
}

#[test]
fn sk_1_sk_8_sockets_are_private_and_have_paths() {
    let place = Place::new();
    let supervisor = Supervisor::start(&place);
    let definitions = place.definitions(vec![group("site", &place.good_worker())]);
    let listeners = supervisor.define(&definitions);
    assert_eq!(listeners.len(), 1);
    let path = definitions.socket_directory.join(spec::group::socket_file_name("site", 0));
    use std::os::unix::fs::MetadataExt as _;
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.mode() & 0o7777, found.uid()), (0o600, definitions.groups[0].socket_uid));
    UnixStream::connect(&path).unwrap();
    let unix = fs::read_to_string("/proc/net/unix").unwrap();
    assert!(!unix.contains("@site"), "an abstract socket");
}

fn fds(pid: i32) -> Vec<(i32, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut fds: Vec<(i32, String)> = entries
        .map(|entry| {
            let target = fs::read_link(entry.path()).unwrap().display().to_string();
            (entry.file_name().to_str().unwrap().parse().unwrap(), target)
        })
        .collect();
    fds.sort();
    fds
}

fn sorted(mut lines: Vec<&str>) -> Vec<&str> {
    lines.sort_unstable();
    lines
}
