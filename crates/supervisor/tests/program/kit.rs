//! Starts the real `wsgi-supervisor` with a channel and fake workers, in a private directory. Waits on conditions; everything
//! that was started is gone after `Drop`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use spec::control::{Attachment, FromSupervisor, ListenerName, ToSupervisor};
use spec::{Account, Definitions, ProcessGroup, Timeouts, Timers};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_wsgi-supervisor");
/// A uid without an entry in the user database.
pub const UID: u32 = 61_999;
pub const READY: &str = "printf 'wsr\\001\\000\\000\\000\\000' >&5\n";
/// Ends at the drain command, or when the supervisor is gone.
pub const UNTIL_DRAINED: &str = "exec head -c 1 <&6 >/dev/null\n";

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Polls until `condition` holds; fails the test after 15 s.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(15);
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A private directory that every user may enter.
pub struct Place(tempfile::TempDir);

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        Self(directory)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A new folder that only root may enter.
    pub fn closed(&self) -> PathBuf {
        let closed = self.path("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        closed
    }

    /// An executable shell script in place of Python.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A fake worker that gets ready and stays until it is told to leave.
    pub fn good_worker(&self) -> PathBuf {
        self.script("good", &format!("{READY}{UNTIL_DRAINED}"))
    }

    /// A directory that workers can write to.
    pub fn writable(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
        path
    }

    pub fn definitions(&self, groups: Vec<ProcessGroup>) -> Definitions {
        Definitions {
            generation: 1,
            httpd_uid: if is_root() { 33 } else { rustix::process::geteuid().as_raw() },
            socket_directory: self.path("wsgi.4000"),
            httpd_version: (2, 4, 62),
            runtime: self.path("absent.so"),
            groups,
        }
    }
}

pub fn group(name: &str, python: &Path) -> ProcessGroup {
    let account = Account { name: None, uid: UID, gid: UID, groups: vec![4, 27], home: None };
    ProcessGroup {
        name: name.to_owned(),
        server: String::new(),
        account: is_root().then_some(account),
        processes: 1,
        multiprocess: false,
        threads: 2,
        stack_size: 8 << 20,
        python: python.to_owned(),
        python_path: vec![],
        python_eggs: None,
        chroot: None,
        home: None,
        umask: None,
        lang: None,
        locale: None,
        display_name: format!("(wsgi:{name})"),
        environment: BTreeMap::new(),
        listen_backlog: 100,
        socket_uid: if is_root() { 33 } else { rustix::process::geteuid().as_raw() },
        cpu_priority: None,
        virtual_memory_limit: None,
        memory_limit: None,
        new_privileges: false,
        timers: Timers::default(),
        timeouts: Timeouts {
            shutdown: Duration::from_secs(2),
            graceful: Duration::from_secs(2),
            connect: Duration::from_secs(1),
            socket: Duration::from_secs(1),
            queue: None,
        },
        transfer: spec::Transfer::default(),
        roots: vec![],
        preload: vec![],
        script_owner: None,
        python_settings: Default::default(),
    }
}

/// A running supervisor.
pub struct Supervisor {
    pub process: Child,
    pub channel: Option<UnixStream>,
    log: PathBuf,
}

impl Supervisor {
    pub fn start(place: &Place) -> Self {
        Self::start_with(place, &[], "")
    }

    /// Starts it through `wrapper` (such as strace), after the shell has done `before`.
    pub fn start_with(place: &Place, wrapper: &[&str], before: &str) -> Self {
        Self::start_all(place, Path::new(PROGRAM), wrapper, before)
    }

    /// Starts a copy of the program through `wrapper`.
    pub fn start_program(place: &Place, program: &Path, wrapper: &[&str]) -> Self {
        Self::start_all(place, program, wrapper, "")
    }

    fn start_all(place: &Place, program: &Path, wrapper: &[&str], before: &str) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        unix::peer::name_senders(&theirs).unwrap();
        let log = place.path("error.log");
        let file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let process = Command::new("sh")
            .args(["-c", &format!("{before}\nexec \"$0\" \"$@\" 3<&0 </dev/null")])
            .args(wrapper)
            .arg(program)
            .stdin(OwnedFd::from(theirs))
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        Self { process, channel: Some(ours), log }
    }

    pub fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub fn send(&self, message: &ToSupervisor, attached: &[BorrowedFd<'_>]) {
        let bytes = serde_json::to_vec(message).unwrap();
        unix::channel::send(self.channel.as_ref().unwrap(), &bytes, attached, soon()).unwrap();
    }

    /// Sends definitions; the new listeners, or the refusal.
    pub fn try_define(
        &self,
        definitions: &Definitions,
        attached: &[(Attachment, BorrowedFd<'_>)],
    ) -> Result<BTreeMap<ListenerName, OwnedFd>, String> {
        let (attached, descriptors): (Vec<_>, Vec<_>) = attached.iter().cloned().unzip();
        let definitions = Box::new(definitions.clone());
        self.send(&ToSupervisor::Define { definitions, attached }, &descriptors);
        let message = unix::channel::receive(self.channel.as_ref().unwrap(), soon())
            .unwrap()
            .unwrap_or_else(|| panic!("the supervisor closed the channel: {}", self.log()));
        match serde_json::from_slice(&message.bytes).unwrap() {
            FromSupervisor::Defined { listeners } => {
                assert_eq!(listeners.len(), message.descriptors.len());
                Ok(listeners.into_iter().zip(message.descriptors).collect())
            }
            FromSupervisor::Refused { reason } => Err(reason),
            FromSupervisor::Stopping => Err("stopping".to_owned()),
        }
    }

    #[track_caller]
    pub fn define(&self, definitions: &Definitions) -> BTreeMap<ListenerName, OwnedFd> {
        self.try_define(definitions, &[]).unwrap()
    }

    pub fn workers(&self) -> Vec<i32> {
        children(self.pid())
    }

    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        wait_for(&format!("{text:?} in the log"), || self.log().contains(text));
    }

    /// Waits until so many workers have executed their program (not the supervisor's) and returns them.
    #[track_caller]
    pub fn wait_for_workers(&self, count: usize) -> Vec<i32> {
        let program = fs::canonicalize(PROGRAM).unwrap();
        let started = |pid: &i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe != program);
        wait_for("workers", || self.workers().iter().filter(|pid| started(pid)).count() == count);
        self.workers()
    }

    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the supervisor's end", || {
            status = self.process.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.channel = None;
        let end = Instant::now() + Duration::from_secs(6);
        while Instant::now() < end && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}

pub fn children(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// One line of /proc/PID/status.
pub fn status(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

pub fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

pub fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub fn listener(group: &str, slot: u32) -> ListenerName {
    ListenerName { group: group.to_owned(), slot }
}

/// Attachments for `Define`.
pub fn attachments(listeners: &BTreeMap<ListenerName, OwnedFd>) -> Vec<(Attachment, BorrowedFd<'_>)> {
    listeners.iter().map(|(name, fd)| (Attachment::Listener(name.clone()), fd.as_fd())).collect()
}

pub fn log_attachment<'a>(group: &str, file: &'a File) -> (Attachment, BorrowedFd<'a>) {
    (Attachment::ErrorLog { group: group.to_owned(), limit: spec::log::NO_LIMIT }, file.as_fd())
}

/// Says why a test did not run, and whether it may go on.
pub fn needs(what: &str, there: bool) -> bool {
    if !there {
        ::kit::skip::skipped(&::kit::skip::test_name(), &format!("it needs {what}"));
    }
    there
}

pub fn has_strace() -> bool {
    Command::new("strace").arg("-V").output().is_ok_and(|output| output.status.success())
}
