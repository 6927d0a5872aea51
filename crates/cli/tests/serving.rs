//! `wsgictl serve` with the real Apache and the release files. Skipped, and counted, where either is missing.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use kit::skip::skipped;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

const SCRIPT: &str = "\
def application(environ, start_response):
    print('a line for the log', file=environ['wsgi.errors'])
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'hello from ' + environ['SCRIPT_NAME'].encode()]
";

/// The folder of release files, or a counted skip.
fn dist(test: &str) -> Option<PathBuf> {
    let dist = std::env::var_os("WSGI_DIST").map(PathBuf::from);
    let there =
        dist.filter(|dist| dist.join("mod_wsgi.so").is_file() && Path::new("/usr/sbin/apache2").is_file());
    if there.is_none() {
        skipped(test, "it needs apache2 and release files, named by WSGI_DIST");
    }
    there
}

/// A running wsgictl; dropping it ends it.
struct Served {
    process: Child,
    port: u16,
    said: Vec<String>,
}

impl Served {
    fn start(dist: &Path, folder: &Path) -> Self {
        for file in fs::read_dir(dist).unwrap().flatten() {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        fs::write(folder.join("hello.wsgi"), SCRIPT).unwrap();
        fs::create_dir(folder.join("files")).unwrap();
        fs::write(folder.join("files/a.txt"), "a file").unwrap();
        let mut command = Command::new(folder.join("wsgictl"));
        command.arg("serve").arg(folder.join("hello.wsgi")).args([
            "--port",
            "0",
            "--python",
            "/usr/bin/python3",
        ]);
        command.args(["--url-path", "/app", "--threads", "2"]).env("TMPDIR", folder);
        command.arg("--static").arg(format!("/files={}", folder.join("files").display()));
        if geteuid().is_root() {
            command.args(["--user", "nobody"]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines {
            let last = line.starts_with("Ctrl-C");
            said.push(line);
            if last {
                break;
            }
        }
        let port =
            said.iter().find_map(|line| line.split("127.0.0.1:").nth(1)?.split('/').next()?.parse().ok());
        let Some(port) = port else {
            let _ = process.kill();
            panic!("wsgictl said {said:?} and {}", all(process.stderr.take().unwrap()));
        };
        Self { process, port, said }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Sends the signal and waits for the end; what was printed to standard error is returned.
    fn stop(mut self, signal: Signal) -> String {
        let stderr = self.process.stderr.take().unwrap();
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
        let limit = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return all(stderr);
            }
            assert!(Instant::now() < limit, "wsgictl does not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that failed half-way; SIGTERM lets it take Apache along.
        if let Ok(None) = self.process.try_wait() {
            let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
            let _ = self.process.wait();
        }
    }
}

/// Waits for a condition.
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < limit, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn all(mut stream: ChildStderr) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// Processes that have a file of the folder mapped: Apache the module, the supervisor its program, a worker the runtime.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ours = entries.filter(|entry| {
        let maps = fs::read_to_string(entry.path().join("maps"));
        maps.is_ok_and(|maps| maps.contains(&folder))
    });
    let lines = ours.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    lines.map(|line| line.replace('\0', " ")).collect()
}

#[test]
fn a_script_is_served_until_the_signal_and_nothing_stays() {
    let Some(dist) = dist("a_script_is_served_until_the_signal_and_nothing_stays") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let place = folder.path().join(signal.as_str());
        fs::create_dir(&place).unwrap();
        let served = Served::start(&dist, &place);
        assert!(served.said.iter().any(|line| line.contains("by     Python 3.")), "{:?}", served.said);
        let answer = served.get("/app/x");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("hello from /app"), "{answer}");
        let answer = served.get("/files/a.txt");
        assert!(answer.contains("text/plain") && answer.ends_with("a file"), "{answer}");
        assert!(served.get("/hello.wsgi").starts_with("HTTP/1.1 40"), "only what was asked for is served");
        assert!(processes_of(&place).len() >= 4, "wsgictl, Apache, the supervisor and a worker");
        let port = served.port;
        let log = served.stop(signal);
        assert!(log.contains("a line for the log"), "{log}");
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "the port is free again");
        let roots = fs::read_dir(&place).unwrap().flatten();
        let roots: Vec<_> =
            roots.filter(|e| e.file_name().to_string_lossy().starts_with("wsgictl-")).collect();
        assert!(roots.is_empty(), "{roots:?}");
        assert_eq!(processes_of(&place), Vec::<String>::new());
    }
}

#[test]
fn a_killed_apache_leaves_no_child_behind() {
    let Some(dist) = dist("a_killed_apache_leaves_no_child_behind") else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut served = Served::start(&dist, folder.path());
    // Apache listens before it writes the file.
    let pid_file = || {
        let roots = fs::read_dir(folder.path()).unwrap().flatten();
        let text = roots.map(|entry| fs::read_to_string(entry.path().join("run/httpd.pid")));
        text.flatten().find_map(|text| text.trim().parse().ok())
    };
    wait_until("Apache has written its pid file", || pid_file().is_some());
    let apache = pid_file().unwrap();
    kill(Pid::from_raw(apache), Signal::SIGKILL).unwrap();
    let said = all(served.process.stderr.take().unwrap());
    assert!(!served.process.wait().unwrap().success());
    assert!(said.contains("Apache was killed (SIGKILL)") && !said.contains("lines above"), "{said}");
    // A killed process is gone a moment after it was told so.
    wait_until("the port is free again", || TcpStream::connect(("127.0.0.1", served.port)).is_err());
    wait_until("supervisor and workers have left", || processes_of(folder.path()).is_empty());
}
