//! A running Apache of one test: requests to it, its processes, its logs, its restarts, its end. What must hold when it ends
//! is in `invariants.rs`.

use crate::http::{Connection, Request, Response};
use crate::invariants::Baseline;
use crate::log::ErrorLog;
use crate::proc::{self, Process};
use crate::setup::Setup;
use crate::wait::{holds_within, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// How long a test waits for what must come, such as Apache's start or its end. It says nothing about how soon that is: a slow or
/// busy machine is given the time it needs.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What httpd's parent says at level notice when it has started the children of a generation.
const GENERATION_RUNS: &str = "resuming normal operations";

/// A running Apache. [`Apache::finish`] checks the invariants; dropping it does the same unless the test already failed.
pub struct Apache {
    pub(crate) setup: Setup,
    child: Child,
    process: Process,
    address: SocketAddr,
    log: ErrorLog,
    baseline: Baseline,
    over: bool,
}

impl Apache {
    #[track_caller]
    pub(crate) fn start(setup: Setup) -> Self {
        // Orphans of Apache become ours, so that none gets lost.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        let baseline = Baseline::before();
        setup.hand_over();
        let (child, address) = launch(&setup);
        let process = Process::get(child.id().cast_signed()).expect("a child that was not waited for exists");
        let log = ErrorLog::new(setup.root().join("logs/error.log"), &setup.expected, setup.is_ours());
        let mut apache = Self { setup, child, process, address, log, baseline, over: false };
        if apache.setup.settles {
            apache.wait_settled();
            apache.baseline.note_fds(&apache.processes_of_root());
        }
        apache
    }

    /// The process httpd's manual calls the parent.
    pub fn parent(&self) -> &Process {
        &self.process
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder of this Apache.
    pub fn root(&self) -> &Path {
        self.setup.root()
    }

    /// A file in the folder for scripts.
    pub fn site(&self, name: &str) -> PathBuf {
        self.root().join("site").join(name)
    }

    /// A file in the folder that every worker may write to.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.root().join("scratch").join(name)
    }

    /// Waits until a worker has written this file in the scratch folder, and returns what it wrote.
    #[track_caller]
    pub fn wait_scratch(&self, name: &str) -> String {
        let path = self.scratch(name);
        wait_for(LIMIT, &format!("{} is written", path.display()), || {
            fs::read_to_string(&path).ok().filter(|text| !text.is_empty())
        })
    }

    /// Makes a file in the scratch folder that an application waits for.
    pub fn let_go(&self, name: &str) {
        fs::write(self.scratch(name), "go").expect("the scratch folder is ours");
    }

    /// Its error log.
    pub fn log(&self) -> &ErrorLog {
        &self.log
    }

    /// Announces lines of level warn or worse.
    pub fn expect_log(&self, regex: &str) {
        self.log.expect(regex);
    }

    /// A request to be completed and sent.
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.address, method, target)
    }

    /// GETs `target`.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.request("GET", target).send()
    }

    /// POSTs `body` to `target`.
    #[track_caller]
    pub fn post(&self, target: &str, body: impl Into<Vec<u8>>) -> Response {
        self.request("POST", target).body(body).send()
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address).expect("Apache listens")
    }

    /// Runs Python statements in the worker behind `target`, which serves the fixture `eval.wsgi`, and returns what they
    /// assigned to `result`.
    #[track_caller]
    pub fn eval(&self, target: &str, code: &str) -> Value {
        self.post(target, code).expect_status(200).json()
    }

    /// Our worker that answers `target`, which serves the fixture `eval.wsgi`.
    #[track_caller]
    pub fn worker_of(&self, target: &str) -> Process {
        let pid = self.eval(target, "import os; result = os.getpid()").as_i64().expect("a process id");
        Process::get(pid as i32).expect("the worker lives")
    }

    /// The socket files in the run folder.
    pub fn sockets(&self) -> Vec<PathBuf> {
        let run = self.root().join("run");
        let mut found = files_below(&run);
        found.retain(|path| path.extension().is_some_and(|extension| extension == "sock"));
        found.sort();
        found
    }

    /// How many Unix sockets Apache's children have connected: to workers, which may not have accepted them yet, and what they
    /// inherited.
    pub fn unix_connections_of_children(&self) -> usize {
        self.children().iter().map(proc::unix_connections).sum()
    }

    /// Everything in the run folder that belongs to us: not Apache's pid file.
    pub(crate) fn run_files(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = fs::read_dir(self.root().join("run"))
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wsgi")));
        found
    }

    /// Waits until the supervisor has one worker for each socket.
    #[track_caller]
    pub fn wait_settled(&self) {
        if self.setup.is_ours() && self.setup.declares_daemons() {
            let settled = || {
                let sockets = self.sockets().len();
                let Some(supervisor) = self.supervisor() else { return false };
                // The configuration of a worker is held for it until it is ready.
                let starting = supervisor.fds().values().any(|target| target.starts_with("/memfd:"));
                let children = supervisor.children().len();
                !starting && sockets > 0 && children == sockets && self.workers().len() == sockets
            };
            if !holds_within(LIMIT, settled) {
                panic!(
                    "not one worker for each socket: sockets {:?}, processes {:#?}\n{}",
                    self.sockets(),
                    proc::descendants(self.process.pid),
                    self.log.tail()
                );
            }
        }
    }

    /// The parent and, for ours, the supervisor: whose descriptors must not grow.
    pub(crate) fn processes_of_root(&self) -> Vec<Process> {
        std::iter::once(self.process.clone()).chain(self.supervisor()).collect()
    }

    /// Restarts it gracefully (SIGUSR1, what `apachectl graceful` sends) and waits until the new generation runs.
    #[track_caller]
    pub fn graceful(&self) {
        self.new_generation(Signal::SIGUSR1);
    }

    /// Restarts it (SIGHUP, what `apachectl restart` sends) and waits until the new generation runs.
    #[track_caller]
    pub fn restart(&self) {
        self.new_generation(Signal::SIGHUP);
    }

    #[track_caller]
    fn new_generation(&self, signal: Signal) {
        let count = || self.log.text().matches(GENERATION_RUNS).count();
        let before = count();
        self.process.signal(signal);
        wait_until(LIMIT, "the new generation runs", || count() > before);
    }

    /// Rewrites the site part of the configuration for the next restart.
    pub fn reconfigure(&mut self, change: impl FnOnce(&str) -> String) {
        self.setup.change_config(change);
        self.setup.write_config(self.address.port());
    }

    /// Starts Apache again in the same folder after it was killed, with whatever that left behind.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(!self.process.runs(), "the former Apache still runs");
        let (child, address) = launch(&self.setup);
        self.process =
            Process::get(child.id().cast_signed()).expect("a child that was not waited for exists");
        (self.child, self.address) = (child, address);
        self.wait_settled();
        self.baseline.note_fds(&self.processes_of_root());
    }

    /// Kills every process of it with SIGKILL. They are stopped before, so that none sees another die and cleans up.
    #[track_caller]
    pub fn kill_everything(&mut self) {
        let family = proc::descendants(self.process.pid);
        family.iter().for_each(|process| process.signal(Signal::SIGSTOP));
        self.stop(Signal::SIGKILL);
        family.iter().for_each(Process::kill);
        wait_until(LIMIT, "everything is dead", || family.iter().all(|process| !process.runs()));
    }

    /// What Apache itself printed before it had its log.
    pub fn output(&self) -> String {
        fs::read_to_string(self.root().join("logs/output.txt")).unwrap_or_default()
    }

    /// The access log.
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.root().join("logs/access.log")).unwrap_or_default()
    }

    /// Stops it (SIGTERM) and checks every invariant; what a test ends with.
    #[track_caller]
    pub fn finish(mut self) {
        self.end();
    }

    /// Like [`Apache::finish`], for a test that killed the parent itself.
    #[track_caller]
    fn end(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if self.setup.settles && self.setup.is_ours() && self.process.runs() {
            self.wait_settled();
            self.baseline.check_running(self);
        }
        let family = proc::descendants(self.process.pid);
        self.stop(Signal::SIGTERM);
        self.baseline.check_stopped(self, &family);
        self.log.check();
    }

    /// Sends `signal` to the parent and waits until it is gone.
    pub fn stop(&mut self, signal: Signal) {
        self.process.signal(signal);
        let gone = holds_within(LIMIT, || matches!(self.child.try_wait(), Ok(Some(_))));
        if !gone {
            let _ = self.child.kill();
            let _ = self.child.wait();
            panic!("Apache did not end within {LIMIT:?} after {signal}\n{}", self.log.tail());
        }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
            return;
        }
        if std::mem::replace(&mut self.over, true) && !self.process.runs() {
            eprintln!("--- error log of the failed test\n{}", self.log.tail());
            return;
        }
        let family = proc::descendants(self.process.pid);
        self.process.signal(Signal::SIGTERM);
        if !holds_within(Duration::from_secs(5), || matches!(self.child.try_wait(), Ok(Some(_)))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if !holds_within(Duration::from_secs(5), || family.iter().all(|process| !process.runs())) {
            family.iter().for_each(Process::kill);
        }
        eprintln!("--- error log of the failed test\n{}", self.log.tail());
    }
}

/// Starts Apache on a port the kernel chooses; another try when somebody took the port in between.
#[track_caller]
fn launch(setup: &Setup) -> (Child, SocketAddr) {
    for _ in 0..5 {
        let address = free_address();
        setup.write_config(address.port());
        let _ = fs::remove_file(setup.root().join("logs/error.log"));
        let output = File::create(setup.root().join("logs/output.txt")).expect("the folder is ours");
        let mut command = setup.command(&["-DFOREGROUND"]);
        command.stdin(Stdio::null()).stdout(output.try_clone().expect("a descriptor is left")).stderr(output);
        let mut child = command.spawn().expect("apache2 can be executed");
        let pid_file = setup.root().join("run/apache.pid");
        let mut ended = false;
        let up = holds_within(LIMIT, || {
            ended = matches!(child.try_wait(), Ok(Some(_)));
            ended
                || (pid_file.exists()
                    && log_says(setup, GENERATION_RUNS)
                    && TcpStream::connect(address).is_ok())
        });
        if up && !ended {
            return (child, address);
        }
        let _ = child.kill();
        let _ = child.wait();
        let told = ["output.txt", "error.log"]
            .map(|name| fs::read_to_string(setup.root().join("logs").join(name)).unwrap_or_default())
            .concat();
        assert!(
            told.contains("Address already in use"),
            "Apache did not come up (it ended: {ended}):\n{told}"
        );
    }
    panic!("no free port in five tries");
}

fn log_says(setup: &Setup, words: &str) -> bool {
    fs::read_to_string(setup.root().join("logs/error.log")).is_ok_and(|text| text.contains(words))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is left");
    listener.local_addr().expect("a bound socket has an address")
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_below(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
