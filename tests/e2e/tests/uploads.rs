//! Uploads that are slow, too large for the disk, or larger than memory (security.md: SL-1, SL-5, RS-10).

use crate::{ours, ours_as_root};
use kit::{Apache, Connection, LIMIT, Mpm, Process, need, promised, run, wait_until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Answers with the size of the body; writes down that it has begun.
const SIZE: &str = r#"
def application(environ, start_response):
    open("@SCRATCH@/begun", "a").write("x")
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    return [str(size).encode()]
"#;

fn begun(apache: &Apache) -> usize {
    std::fs::read(apache.scratch("begun")).map_or(0, |marks| marks.len())
}

/// Starts uploads of 100 bytes of which only some come.
fn slow(apache: &Apache, count: usize, expect: bool) -> Vec<Connection> {
    let headers = if expect { "Expect: 100-continue\r\n" } else { "" };
    let head = format!("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n{headers}\r\n");
    let start = |_| {
        let mut connection = apache.connect();
        connection.send(&head).expect("is sent");
        if expect {
            assert_eq!(connection.read_head().expect("it may go on").status, 100);
        }
        connection.send("some").expect("is sent");
        connection
    };
    (0..count).map(start).collect()
}

fn finish(connections: Vec<Connection>) {
    for mut connection in connections {
        connection.send([b'y'; 96]).expect("is sent");
        assert_eq!(connection.read_response("POST").expect("is answered").expect_status(200).text(), "100");
    }
}

#[test]
fn sl_1_many_slow_uploads_leave_two_threads_free() {
    // As many as the promise says need an Apache with more threads than tests have.
    let many = std::env::var_os("WSGI_LARGE_BODIES").is_some();
    let (count, limits) = match Mpm::from_env() {
        Mpm::Prefork => (30, ""),
        _ if many => (500, "ServerLimit 8\nThreadLimit 100\nThreadsPerChild 100\nMaxRequestWorkers 800"),
        _ => (70, ""),
    };
    let setup = need!(ours())
        .config(limits)
        .one_daemon("threads=2 listen-backlog=600")
        .app("app", SIZE)
        .fixture("hello");
    let apache = setup.start();
    let mut uploads = slow(&apache, count, false);
    let over = AtomicBool::new(false);
    let (mut took, mut sent) = (Vec::new(), 0);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            // Ten bytes a second each, until the visitors were served.
            let mut sent = 0;
            while !over.load(Ordering::Relaxed) && sent < 90 {
                for upload in &mut uploads {
                    upload.send("y").expect("is sent");
                }
                sent += 1;
                let _ = kit::holds_within(Duration::from_millis(100), || over.load(Ordering::Relaxed));
            }
            sent
        });
        // Apache may have to start processes first.
        apache.get("/hello").expect_status(200);
        for _ in 0..100 {
            let asked = Instant::now();
            apache
                .request("GET", "/hello")
                .patience(promised(Duration::from_secs(3)))
                .send()
                .expect_status(200);
            took.push(asked.elapsed());
        }
        over.store(true, Ordering::Relaxed);
        sent = sender.join().expect("it ends");
    });
    assert_eq!(begun(&apache), 0, "an application was called before its body was there");
    for upload in &mut uploads {
        upload.send(vec![b'y'; 96 - sent]).expect("is sent");
    }
    took.sort_unstable();
    eprintln!(
        "{count} slow uploads; of 100 other requests 50 took up to {:?}, 99 up to {:?}",
        took[49], took[98]
    );
    assert!(took[98] < promised(Duration::from_secs(1)), "{took:?}");
    for mut upload in uploads {
        assert_eq!(upload.read_response("POST").expect("is answered").expect_status(200).text(), "100");
    }
    apache.finish();
}

#[test]
fn sl_1_uploads_that_expect_100_hold_at_most_half_of_the_threads() {
    for (threads, half) in [(1, 0), (2, 1), (5, 2)] {
        let setup = need!(ours()).one_daemon(&format!("threads={threads}")).app("app", SIZE).fixture("hello");
        let apache = setup.start();
        let uploads = slow(&apache, 8, true);
        assert_eq!(begun(&apache), half, "of {threads} threads");
        for _ in 0..10 {
            apache
                .request("GET", "/hello")
                .patience(promised(Duration::from_secs(3)))
                .send()
                .expect_status(200);
        }
        assert_eq!(begun(&apache), half, "of {threads} threads");
        finish(uploads);
        assert_eq!(begun(&apache), 8);
        apache.finish();
    }
}

/// A small file system of its own; gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path) -> Result<Self, String> {
        std::fs::create_dir(at).expect("the folder is ours");
        let options = ["-t", "tmpfs", "-o", "size=256k,mode=1777", "none"];
        run(Command::new("mount").args(options).arg(at)).map(|_| Self(at.to_owned()))
    }

    /// Bytes of it that are in use.
    fn used(&self) -> u64 {
        let facts = nix::sys::statvfs::statvfs(&self.0).expect("it is mounted");
        (facts.blocks() - facts.blocks_free()) * facts.fragment_size()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(&self.0));
    }
}

#[test]
fn sl_5_a_full_disk_is_507_and_leaves_nothing_behind() {
    let setup = need!(ours_as_root()).one_daemon("threads=2").app("app", SIZE).fixture("hello");
    let place = setup.root().join("small");
    let small = need!(Small::mount(&place));
    let setup = setup.env("TMPDIR", &place.display().to_string()).config("WSGIRequestBuffering On");
    let apache = setup.expect_log("WSGI1105").start();
    let hidden = "GET /app HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut connection = apache.connect();
    connection
        .send(format!("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", 2 << 20))
        .expect("is sent");
    // The server may close before it has read all.
    let _ = connection.send(vec![b'x'; 2 << 20]).and_then(|()| connection.send(hidden));
    connection.read_response("POST").expect("is answered").expect_status(507);
    assert_eq!(connection.read_to_end().unwrap_or_default(), b"", "the connection goes on");
    assert_eq!(begun(&apache), 0, "the application was called");
    apache.log().wait(&format!("WSGI1105: .*could not be stored in {}: .*No space left", place.display()));
    wait_until(LIMIT, "the space is free again", || small.used() == 0);
    assert_eq!(apache.post("/app", vec![b'x'; 100_000]).expect_status(200).text(), "100000");
    wait_until(LIMIT, "the space is free again", || small.used() == 0);
    apache.finish();
}

#[test]
fn sl_5_a_body_that_waits_has_no_name() {
    let setup = need!(ours()).one_daemon("threads=1").app("app", SIZE);
    let place = setup.root().join("scratch/spool");
    std::fs::create_dir(&place).expect("the folder is ours");
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o1777))
        .expect("it is ours");
    let apache = setup.env("TMPDIR", &place.display().to_string()).start();
    let mut connection = apache.connect();
    connection.send("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n").expect("is sent");
    connection.send(vec![b'x'; 200_000]).expect("is sent");
    let prefix = format!("{}/", place.display());
    let spools = || {
        let files = apache.children().iter().flat_map(|child| child.fds().into_values()).collect::<Vec<_>>();
        files.into_iter().filter(|file| file.starts_with(&prefix)).collect::<Vec<_>>()
    };
    wait_until(LIMIT, "a file is open", || !spools().is_empty());
    assert!(spools().iter().all(|file| file.ends_with(" (deleted)")), "{:?}", spools());
    assert_eq!(std::fs::read_dir(&place).expect("it is ours").count(), 0);
    connection.send(vec![b'x'; 100_000]).expect("is sent");
    assert_eq!(connection.read_response("POST").expect("is answered").expect_status(200).text(), "300000");
    wait_until(LIMIT, "the file is closed", || spools().is_empty());
    apache.finish();
}

#[test]
fn sl_5_a_directory_that_apache_must_not_write_to_is_named() {
    let setup = need!(ours_as_root()).one_daemon("threads=1").app("app", SIZE).fixture("hello");
    let place = setup.root().join("site").display().to_string();
    let apache = setup.env("TMPDIR", &place).expect_log("WSGI1105").start();
    apache.post("/app", vec![b'x'; 100_000]).expect_status(500);
    apache.log().wait(&format!("WSGI1105: .*could not be stored in {place}: .*TMPDIR"));
    assert_eq!(apache.post("/app", "small").expect_status(200).text(), "5");
    apache.finish();
}

/// The most memory the process has had at a time, in KiB.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid)).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn rs_10_large_bodies_take_no_memory() {
    const BODY: usize = 96 << 20;
    let echo = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", environ["CONTENT_LENGTH"])])
    return iter(lambda: environ["wsgi.input"].read(100000), b"")
"#;
    let streamed = "WSGIScriptAlias /streamed @SITE@/app.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>";
    let apache = need!(ours()).one_daemon("threads=2").app("app", echo).config(streamed).start();
    apache.post("/app", vec![b'x'; 1 << 20]).expect_status(200);
    let processes = || [apache.children(), apache.workers()].concat();
    let before: Vec<(Process, u64)> =
        processes().into_iter().map(|process| (process.clone(), peak(&process))).collect();
    for path in ["/app", "/streamed"] {
        let mut connection = apache.connect();
        let mut upstream = connection.try_clone().expect("a descriptor is left");
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY}\r\n\r\n");
        let sender =
            std::thread::spawn(move || upstream.send(head).and_then(|()| upstream.send(vec![b'x'; BODY])));
        assert_eq!(
            connection.read_response("POST").expect("is answered").expect_status(200).body.len(),
            BODY
        );
        sender.join().expect("it ends").expect("all is taken");
    }
    for (process, before) in before {
        let grown = peak(&process).saturating_sub(before);
        assert!(grown < 12 * 1024, "{process:?} grew by {grown} KiB");
    }
    apache.finish();
}
