//! Starting a worker as the supervisor does, and looking at it from outside.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use spec::worker::{Command as Order, REPORT_LEN, Report, WorkerConfig};
use spec::{Account, Allowed, Purpose, Root, Timers};

use crate::child::{Ask, Child};

const BOOTSTRAP: &str = r#"
import sys
sys.path[:] = [entry for entry in sys.path if entry]
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
loader = ExtensionFileLoader("_wsgi_runtime", sys.argv[1])
module = module_from_spec(ModuleSpec("_wsgi_runtime", loader, origin=sys.argv[1]))
loader.exec_module(module)
sys.exit(module.run(3))
"#;

/// The application all tests use; `PATH_INFO` names a function.
const SCRIPT: &str = include_str!("app.py");

/// How long anything in these tests may take.
pub const LIMIT: Duration = Duration::from_secs(20);

/// What a test wants different from the usual worker.
pub struct Wish {
    pub python: PathBuf,
    /// Options of Python before `-c`.
    pub options: &'static [&'static str],
    pub threads: u32,
    /// Stack of a request thread in bytes.
    pub stack_size: u64,
    pub peer_uid: u32,
    pub shutdown: Duration,
    pub graceful: Duration,
    pub socket: Duration,
    pub timers: Timers,
    /// Whom to start as; `None` as the test itself.
    pub account: Option<Account>,
    /// Whom the configuration names.
    pub configured: Option<Account>,
    /// Whether the configuration does without `no_new_privs`.
    pub new_privileges: bool,
    /// Whether the worker is started without it.
    pub started_with_new_privileges: bool,
    /// What may be loaded, in place of everything in the site's directory; made from that directory.
    pub roots: Option<fn(&Path) -> Vec<Root>>,
}

impl Wish {
    pub fn new() -> Self {
        let python = kit::Python::default_for_tests().expect("a Python for the tests").executable;
        let account = kit::users::am_root().then(|| {
            let account = kit::users::apache();
            let (uid, gid) = (account.uid, account.gid);
            Account { name: Some(account.name), uid, gid, groups: Vec::new(), home: None }
        });
        Self {
            python,
            options: &[],
            threads: 3,
            stack_size: 8 << 20,
            peer_uid: rustix::process::geteuid().as_raw(),
            shutdown: Duration::from_secs(3),
            graceful: Duration::from_secs(10),
            socket: Duration::from_secs(10),
            timers: Timers::default(),
            configured: account.clone(),
            // Whoever runs the tests without root may have the flag or not.
            new_privileges: account.is_none(),
            started_with_new_privileges: false,
            roots: None,
            account,
        }
    }

    pub fn start(self) -> Worker {
        let worker = self.launch();
        assert_eq!(worker.report(), Some(Report::Ready), "{}", worker.errors());
        worker
    }

    pub fn launch(self) -> Worker {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let site = directory.path().join("site");
        fs::create_dir(&site).unwrap();
        fs::write(site.join("app.wsgi"), SCRIPT).unwrap();
        fs::write(directory.path().join("evil.py"), "open('/tmp/never', 'w')").unwrap();
        let socket = directory.path().join("worker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o777)).unwrap();
        let errors = directory.path().join("errors");
        let (process, reports, lifeline) = self.spawn(directory.path(), &site, &listener, &errors);
        let pid = i32::try_from(process.id()).unwrap();
        let lifeline = Some(lifeline);
        Worker { directory, socket, script: site.join("app.wsgi"), listener, process, pid, reports, lifeline }
    }

    fn config(&self, site: &Path) -> WorkerConfig {
        WorkerConfig {
            group: "tests".to_owned(),
            account: self.configured.clone(),
            new_privileges: self.new_privileges,
            peer_uid: self.peer_uid,
            threads: self.threads,
            stack_size: self.stack_size,
            processes: 1,
            multiprocess: false,
            python_path: Vec::new(),
            home: None,
            display_name: "(wsgi:tests)".to_owned(),
            roots: self.roots.map_or_else(|| vec![root(site)], |roots| roots(site)),
            preload: Vec::new(),
            script_owner: None,
            python_settings: Default::default(),
            shutdown_timeout: self.shutdown,
            graceful_timeout: self.graceful,
            timers: self.timers.clone(),
            socket_timeout: self.socket,
            send_buffer: None,
            receive_buffer: None,
            httpd_version: (2, 4, 62),
        }
    }

    fn spawn(
        &self,
        directory: &Path,
        site: &Path,
        listener: &UnixListener,
        errors: &Path,
    ) -> (Process, PipeReader, PipeWriter) {
        let library = directory.join("_wsgi_runtime.abi3.so");
        fs::copy(library_path(), &library).unwrap();
        let config = directory.join("config.json");
        fs::write(&config, serde_json::to_vec(&self.config(site)).unwrap()).unwrap();
        let (reports, status) = std::io::pipe().unwrap();
        let (commands, lifeline) = std::io::pipe().unwrap();
        let mut command = match &self.account {
            Some(account) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={}", account.uid), format!("--regid={}", account.gid)]);
                command.args(["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
                if !self.started_with_new_privileges {
                    command.arg("--no-new-privs");
                }
                command.arg(&self.python);
                command
            }
            None => Command::new(&self.python),
        };
        let log = File::create(errors).unwrap();
        command
            .args(self.options)
            .args(["-c", BOOTSTRAP])
            .arg(&library)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let parents: [OwnedFd; 4] = [
            File::open(&config).unwrap().into(),
            listener.try_clone().unwrap().into(),
            status.into(),
            commands.into(),
        ];
        let mappings =
            parents.into_iter().zip(3..).map(|(parent_fd, child_fd)| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).unwrap();
        (command.spawn().unwrap(), reports, lifeline)
    }
}

/// Everything below the path, whatever names requests give.
pub fn root(path: &Path) -> Root {
    Root {
        patterns: Vec::new(),
        path: path.to_owned(),
        purpose: Purpose::Application,
        callable: Allowed::Any,
        application_group: Allowed::Any,
    }
}

/// The extension that Cargo built beside this test.
fn library_path() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().join("lib_wsgi_runtime.so")
}

/// A running worker. Killed at the end of the test when it still lives.
pub struct Worker {
    pub directory: tempfile::TempDir,
    pub socket: PathBuf,
    pub script: PathBuf,
    pub listener: UnixListener,
    pub process: Process,
    pub pid: i32,
    reports: PipeReader,
    lifeline: Option<PipeWriter>,
}

impl Worker {
    pub fn connect(&self) -> Child {
        Child::new(UnixStream::connect(&self.socket).unwrap())
    }

    pub fn ask<'a>(&'a self, path: &'a str) -> Ask<'a> {
        Ask::new(self.script.as_os_str().as_encoded_bytes(), path)
    }

    /// The body of the answer to a GET on a fresh connection.
    pub fn get(&self, path: &str) -> String {
        self.connect().get(&self.ask(path)).text()
    }

    /// The next report; `None` when the worker has closed the pipe.
    pub fn report(&self) -> Option<Report> {
        let mut bytes = [0; REPORT_LEN];
        (&self.reports).read_exact(&mut bytes).ok()?;
        Some(Report::from_bytes(bytes).expect("a report of the agreed form"))
    }

    pub fn order(&mut self, order: Order) {
        self.lifeline.as_mut().unwrap().write_all(&[order as u8]).unwrap();
    }

    pub fn abandon(&mut self) {
        self.lifeline = None;
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; how it ended and how long that took.
    pub fn wait(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let status = kit::wait_for(LIMIT, "the worker to end", || self.process.try_wait().unwrap());
        (status, start.elapsed())
    }

    /// What was written to standard output and error.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.directory.path().join("errors")).unwrap_or_default()
    }

    pub fn seen(&self) -> kit::Process {
        kit::Process::get(self.pid).unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
