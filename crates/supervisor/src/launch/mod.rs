//! Starting workers: plan, descriptors, fork. What happens inside the new process is in `child`.

pub mod bootstrap;
pub mod child;
pub mod failure;

use std::ffi::CString;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, SeekFrom};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, Rlimit};
use spec::interpreter::HashSeed;
use spec::worker::{WorkerConfig, descriptor};
use spec::{Definitions, ProcessGroup, PythonSettings};

use child::{Home, Plan};

/// What workers find as `PATH`.
const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Limits of the httpd that started us, for its workers.
#[derive(Debug, Clone)]
pub struct Inherited {
    /// File mode creation mask.
    pub umask: u32,
    /// `RLIMIT_NOFILE`.
    pub open_files: Rlimit,
}

/// What is the same for all groups of one configuration.
#[derive(Debug, Clone)]
pub struct Facts {
    /// uid of httpd's children.
    pub httpd_uid: u32,
    /// Version of the web server.
    pub httpd_version: (u32, u32, u32),
    /// Path of the runtime extension.
    pub runtime: PathBuf,
    /// From httpd.
    pub inherited: Inherited,
}

impl Facts {
    /// Those of `definitions`.
    #[must_use]
    pub fn new(definitions: &Definitions, inherited: Inherited) -> Self {
        let Definitions { httpd_uid, httpd_version, ref runtime, .. } = *definitions;
        Self { httpd_uid, httpd_version, runtime: runtime.clone(), inherited }
    }
}

/// A worker that was forked, and our ends of its pipes.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub child: unix::process::Child,
    /// Its reports; never blocks.
    pub status: OwnedFd,
    /// What it prints; never blocks.
    pub output: OwnedFd,
    /// Commands to it; never blocks.
    pub lifeline: OwnedFd,
}

/// Starts the worker of a slot.
///
/// # Errors
/// No process was made. (That a process could not become a worker comes through its status pipe.)
pub fn start(group: &ProcessGroup, facts: &Facts, listener: BorrowedFd<'_>) -> Result<Started> {
    let flags = python_flags(&group.python_settings);
    let mut arguments = vec![group.python.as_os_str().as_bytes()];
    arguments.extend(flags.iter().map(String::as_bytes));
    arguments.extend([b"-c", bootstrap::WORKER.as_bytes(), facts.runtime.as_os_str().as_bytes()]);
    let plan = plan(group, facts, &arguments)?;
    let config = sealed(&serde_json::to_vec(&worker_config(group, facts))?)?;
    let null = null()?;
    let (output, log) = pipe_with(PipeFlags::CLOEXEC)?;
    let (status, report) = pipe_with(PipeFlags::CLOEXEC)?;
    let (command, lifeline) = pipe_with(PipeFlags::CLOEXEC)?;
    for ours in [&output, &status, &lifeline] {
        rustix::fs::fcntl_setfl(ours, OFlags::NONBLOCK)?;
    }
    // The order is the numbering in `spec::worker::descriptor`.
    let table =
        [null.as_fd(), log.as_fd(), log.as_fd(), config.as_fd(), listener, report.as_fd(), command.as_fd()];
    let child = child::fork(&plan, &table, descriptor::STATUS)?;
    Ok(Started { child, status, output, lifeline })
}

/// What Python is told on its command line.
fn python_flags(settings: &PythonSettings) -> Vec<String> {
    let mut flags = vec!["-O".to_owned(); usize::from(settings.optimize)];
    if !settings.write_bytecode {
        flags.push("-B".to_owned());
    }
    for warning in &settings.warnings {
        flags.extend(["-W".to_owned(), warning.clone()]);
    }
    flags
}

/// What Python reads from `PYTHONHASHSEED`: there is no other way to give it a seed. The worker takes it out of its environment.
fn hash_seed(settings: &PythonSettings) -> Option<String> {
    match settings.hash_seed {
        HashSeed::Usual => None,
        HashSeed::Random => Some("random".to_owned()),
        HashSeed::Fixed(seed) => Some(seed.to_string()),
    }
}

/// The plan for a process of this group with these arguments.
///
/// # Errors
/// `InvalidInput` when a text contains a NUL byte.
pub fn plan(group: &ProcessGroup, facts: &Facts, arguments: &[&[u8]]) -> Result<Plan> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(|_| Error::from(ErrorKind::InvalidInput));
    let account_home = group.account.as_ref().and_then(|account| account.home.clone());
    let home = match (&group.home, account_home) {
        (Some(home), _) => Home::Required(home.clone()),
        (None, Some(home)) => Home::Preferred(home),
        (None, None) => Home::Preferred(PathBuf::from("/")),
    };
    Ok(Plan {
        program: text(group.python.as_os_str().as_bytes())?,
        arguments: arguments.iter().map(|argument| text(argument)).collect::<Result<_>>()?,
        environment: environment(group).iter().map(|entry| text(entry)).collect::<Result<_>>()?,
        account: group.account.clone(),
        chroot: group.chroot.as_ref().map(|root| root.directory().to_owned()),
        home,
        umask: group.umask.unwrap_or(facts.inherited.umask),
        priority: group.cpu_priority,
        limits: limits(group, &facts.inherited),
        new_privileges: group.new_privileges,
        supervisor: rustix::process::getpid(),
    })
}

/// The whole environment of a process of this group: an allow-list, then what the administrator wrote.
fn environment(group: &ProcessGroup) -> Vec<Vec<u8>> {
    let (name, home) = match &group.account {
        Some(account) => (account.name.clone(), account.home.clone()),
        None => unix::identity::own_account().unzip(),
    };
    let home = home.unwrap_or_else(|| PathBuf::from("/"));
    let mut all = std::collections::BTreeMap::from([
        ("PATH", SEARCH_PATH.as_bytes().to_vec()),
        ("HOME", home.as_os_str().as_bytes().to_vec()),
    ]);
    let mut add = |key, value: Option<&[u8]>| {
        if let Some(value) = value {
            all.insert(key, value.to_vec());
        }
    };
    add("USER", name.as_deref().map(str::as_bytes));
    add("LOGNAME", name.as_deref().map(str::as_bytes));
    add("LANG", group.lang.as_deref().map(str::as_bytes));
    add("LC_ALL", group.locale.as_deref().map(str::as_bytes));
    add("PYTHON_EGG_CACHE", group.python_eggs.as_deref().map(|path| path.as_os_str().as_bytes()));
    for (key, value) in &group.environment {
        add(key.as_str(), Some(value.as_bytes()));
    }
    add("PYTHONHASHSEED", hash_seed(&group.python_settings).as_deref().map(str::as_bytes));
    all.into_iter().map(|(key, value)| [key.as_bytes(), b"=", &value].concat()).collect()
}

fn limits(group: &ProcessGroup, inherited: &Inherited) -> Vec<(Resource, Rlimit)> {
    let both = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    // A core file holds what the application knows: passwords, sessions, the requests of the moment.
    let mut limits = vec![(Resource::Core, both(0)), (Resource::Nofile, inherited.open_files)];
    if let Some(bytes) = group.virtual_memory_limit {
        limits.push((Resource::As, both(bytes)));
    }
    if let Some(bytes) = group.memory_limit.or(group.virtual_memory_limit) {
        limits.push((Resource::Data, both(bytes)));
    }
    if let Some(soft) = group.timers.cpu.map(|time| time.as_secs()) {
        // SIGXCPU at the first, SIGKILL at the second.
        let hard = soft.saturating_add(1).saturating_add(group.timeouts.shutdown.as_secs());
        limits.push((Resource::Cpu, Rlimit { current: Some(soft), maximum: Some(hard) }));
    }
    limits
}

fn worker_config(group: &ProcessGroup, facts: &Facts) -> WorkerConfig {
    WorkerConfig {
        group: group.name.clone(),
        account: group.account.clone(),
        new_privileges: group.new_privileges,
        peer_uid: facts.httpd_uid,
        threads: group.threads,
        stack_size: group.stack_size,
        processes: group.processes,
        multiprocess: group.multiprocess,
        python_path: group.python_path.clone(),
        home: group.home.clone(),
        display_name: group.display_name.clone(),
        script_owner: group.script_owner,
        roots: group.chroot.as_ref().map_or_else(|| group.roots.clone(), |root| root.roots(&group.roots)),
        preload: group
            .chroot
            .as_ref()
            .map_or_else(|| group.preload.clone(), |root| root.preload(&group.preload)),
        python_settings: group.python_settings.clone(),
        shutdown_timeout: group.timeouts.shutdown,
        graceful_timeout: group.timeouts.graceful,
        timers: group.timers.clone(),
        socket_timeout: group.timeouts.socket,
        send_buffer: group.transfer.send_buffer,
        receive_buffer: group.transfer.receive_buffer,
        httpd_version: facts.httpd_version,
    }
}

/// `bytes` as a file that nobody can change (memfd_create(2)), at its beginning.
fn sealed(bytes: &[u8]) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match rustix::fs::memfd_create("wsgi-worker", flags | MemfdFlags::NOEXEC_SEAL) {
        // Before Linux 6.3 the flag is not known.
        Err(Errno::INVAL) => rustix::fs::memfd_create("wsgi-worker", flags)?,
        file => file?,
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let count = rustix::io::retry_on_intr(|| rustix::io::write(&file, rest))?;
        rest = rest.get(count..).unwrap_or_default();
    }
    rustix::fs::seek(&file, SeekFrom::Start(0))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// `/dev/null`, to read nothing from.
///
/// # Errors
/// Any of open(2).
pub fn null() -> Result<OwnedFd> {
    Ok(rustix::fs::open(Path::new("/dev/null"), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?)
}

#[cfg(test)]
#[path = "../launch_tests.rs"]
mod tests;
