//! A real httpd in a temporary folder with the probe module loaded, on a port the kernel chose, and a client that shows
//! the bytes it gets. Stopped, by pid, when dropped.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Names of httpd's program and of its module folder, by distribution.
const PROGRAMS: [&str; 4] =
    ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd", "/usr/local/sbin/httpd"];
const MODULE_FOLDERS: [&str; 4] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/local/apache2/modules",
    "/usr/local/libexec/apache24",
];

/// What `make` returns, tried until it is some.
pub fn wait_for<T>(what: &str, mut make: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = make() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder with a configuration, not started.
pub struct Setup {
    program: &'static str,
    /// Everything of this server is in here.
    pub folder: PathBuf,
    /// Where it listens.
    pub port: u16,
}

impl Setup {
    /// A configuration with the probe module and `extra`; an error is why there can be none here.
    pub fn new(extra: &str) -> Result<Setup, String> {
        Setup::with_mpm("event", extra)
    }

    /// As [`Setup::new`], with another MPM; an error also when it is not installed.
    pub fn with_mpm(mpm: &str, extra: &str) -> Result<Setup, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let missing = "httpd is not installed (Debian: apt-get install apache2)";
        let program = *PROGRAMS.iter().find(|program| Path::new(program).exists()).ok_or(missing)?;
        let modules = *MODULE_FOLDERS.iter().find(|folder| Path::new(folder).exists()).ok_or(missing)?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("httpd-probe-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("docs")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = String::new();
        let mpm = format!("mpm_{mpm}");
        for name in [&mpm, "authz_core", "alias", "filter", "deflate"] {
            if Path::new(modules).join(format!("mod_{name}.so")).exists() {
                writeln!(text, "LoadModule {name}_module {modules}/mod_{name}.so").unwrap();
            }
        }
        let home = folder.display();
        write!(
            text,
            "LoadModule probe_module {probe}\nServerRoot {home}\nServerName localhost\nListen 127.0.0.1:{port}\n\
             DefaultRuntimeDir {home}\nPidFile {home}/pid\nErrorLog {home}/error.log\nMutex posixsem\n\
             User #65534\nGroup #65534\nDocumentRoot {home}/docs\nStartServers 1\nServerLimit 1\n\
             MaxRequestWorkers 4\n<IfModule !mpm_prefork_module>\nThreadsPerChild 4\nMinSpareThreads 1\n\
             MaxSpareThreads 4\n</IfModule>\n<IfModule mpm_prefork_module>\nServerLimit 4\n</IfModule>\nTimeout 1\n\
             GracefulShutdownTimeout 2\n{extra}\n",
            probe = probe().display(),
        )
        .unwrap();
        std::fs::write(folder.join("httpd.conf"), text).unwrap();
        Ok(Setup { program, folder, port })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.arg("-f").arg(self.folder.join("httpd.conf")).stdin(Stdio::null());
        // On SIGTERM the prefork MPM signals its whole process group, which would be ours.
        command.process_group(0);
        command
    }

    /// Checks the configuration; what httpd said, and whether it was content.
    pub fn check(&self) -> (String, bool) {
        let Output { status, stdout, stderr } = self.command().arg("-t").output().unwrap();
        (String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned(), status.success())
    }

    /// Starts a server that is to refuse, and waits until it has; what it wrote to its error log, and whether it was
    /// content.
    pub fn start_in_vain(&self) -> (String, bool) {
        let status = self.command().arg("-DFOREGROUND").stderr(Stdio::null()).status().unwrap();
        (std::fs::read_to_string(self.folder.join("error.log")).unwrap_or_default(), status.success())
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Server {
        let process = self.command().arg("-DFOREGROUND").stderr(Stdio::null()).spawn().unwrap();
        let mut server = Server { setup: self, process };
        wait_for("the server to answer", || {
            if let Some(status) = server.process.try_wait().unwrap() {
                panic!("httpd ended with {status}:\n{}", server.log());
            }
            TcpStream::connect(("127.0.0.1", server.setup.port)).ok()
        });
        // The port is open before there is a child; an answer comes from one.
        server.get("localhost", "/");
        server
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The probe, as cargo built it for this test.
fn probe() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let probe = deps.parent().unwrap().join("../examples/libprobe.so");
    probe
        .canonicalize()
        .unwrap_or_else(|_| panic!("{} is not built: cargo build --examples", probe.display()))
}

/// A running server.
pub struct Server {
    setup: Setup,
    process: Child,
}

impl Server {
    /// The error log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.setup.folder.join("error.log")).unwrap_or_default()
    }

    /// Lines of the error log that contain `text`.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        self.log().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }

    /// Sends `bytes`, and returns everything up to the end of the connection.
    pub fn exchange(&self, bytes: &[u8]) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.setup.port)).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// As [`Server::exchange`], for answers that are no text; a connection that is reset ends the answer, too.
    pub fn exchange_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.setup.port)).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        connection.write_all(bytes).unwrap();
        let (mut answer, mut piece) = (Vec::new(), [0; 65536]);
        loop {
            match connection.read(&mut piece) {
                Ok(count) if count > 0 => answer.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
                _ => return answer,
            }
        }
    }

    /// Sends `bytes` and closes the connection without waiting for an answer.
    pub fn send_and_leave(&self, bytes: &[u8]) {
        TcpStream::connect(("127.0.0.1", self.setup.port)).unwrap().write_all(bytes).unwrap();
    }

    /// The server's folder.
    pub fn folder(&self) -> &Path {
        &self.setup.folder
    }

    /// GET, for the virtual host `host`, on a connection of its own.
    pub fn get(&self, host: &str, path: &str) -> String {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        self.exchange(head.as_bytes())
    }

    /// The server's children that are httpd; what the probe starts is not.
    pub fn children(&self) -> Vec<u32> {
        let pid = self.process.id();
        let program = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let list = std::fs::read_to_string(path).unwrap();
        let children = list.split_whitespace().map(|pid| pid.parse().unwrap());
        children.filter(|&child| program(child) == program(pid)).collect()
    }

    /// Sends a signal to the parent.
    pub fn signal(&self, name: &str) {
        let done = Command::new("sh")
            .args(["-c", "kill -s $0 $1", name, &self.process.id().to_string()])
            .status()
            .unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().ok().flatten().is_none() {
            self.signal("TERM");
        }
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait().ok().flatten().is_none() {
            if Instant::now() > deadline {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
