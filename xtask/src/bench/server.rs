//! A running server of a comparison: a process in a folder of its own, on a free port of the loopback address. Dropping it stops it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{cpu, stop};
use crate::run;

/// How long a server may take until it answers: a Django site starts in it.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(15);
/// How long it may take until all of its processes have started and are at rest, and how long they have to be that.
const REST: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(300));
/// A server that uses less than this part of a processor is at rest.
const AT_REST: f64 = 0.05;

/// A folder for one server, which everybody may read.
pub fn folder(path: &Path) -> Result<PathBuf> {
    for dir in [path.to_path_buf(), path.join("run")] {
        std::fs::create_dir_all(&dir)?;
        std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755))?;
    }
    Ok(path.to_path_buf())
}

/// A free port.
pub fn address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its name, for messages.
    name: String,
    folder: PathBuf,
    settings: Vec<String>,
    /// The last one started faces the clients; earlier ones stand behind it.
    processes: Vec<Child>,
}

impl Server {
    /// A server without a process.
    pub fn new(name: &str, address: SocketAddr, folder: &Path) -> Self {
        Self {
            address,
            name: name.to_owned(),
            folder: folder.to_path_buf(),
            settings: Vec::new(),
            processes: Vec::new(),
        }
    }

    /// Notes what it was started with: lines of a configuration.
    pub fn note(&mut self, text: &str) {
        self.settings.push(text.trim().to_owned());
    }

    /// What it was started with. What differs from run to run is replaced: its folder, and where it listens.
    pub fn settings(&self) -> String {
        let text = self.settings.join("\n");
        let text = text.replace(&self.folder.display().to_string(), "$FOLDER");
        text.replace(&self.address.to_string(), "$ADDRESS").replace(&self.address.port().to_string(), "$PORT")
    }

    /// Starts one of its processes; what it prints goes to `output.log` in its folder.
    pub fn spawn(&mut self, command: &mut Command) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("output.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(&self.folder);
        // A process group of its own: a stopping prefork parent signals its whole group.
        command.process_group(0);
        self.note(&run::shown(command));
        let child = command
            .spawn()
            .with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))?;
        self.processes.push(child);
        Ok(())
    }

    /// Waits until `answers` says so.
    pub fn wait(&mut self, answers: impl Fn(SocketAddr) -> bool) -> Result<()> {
        let limit = Instant::now() + START;
        while Instant::now() < limit {
            for process in &mut self.processes {
                if let Some(status) = process.try_wait()? {
                    bail!("{} ended at once ({status}){}", self.name, self.log_told());
                }
            }
            if answers(self.address) {
                return Ok(());
            }
            stop::check()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{} does not answer as it should{}", self.name, self.log_told());
    }

    /// Waits until all of its processes have started and have nothing more to do, so that none of this is measured.
    pub fn settle(&self) -> Result<()> {
        let (limit, rest) = (Instant::now() + REST.0, REST.1);
        while Instant::now() < limit {
            let before = (cpu::pids_of_trees(&self.pids())?.len(), cpu::of_trees(&self.pids())?);
            std::thread::sleep(rest);
            let after = (cpu::pids_of_trees(&self.pids())?.len(), cpu::of_trees(&self.pids())?);
            if before.0 == after.0 && after.1.saturating_sub(before.1) < rest.mul_f64(AT_REST) {
                return Ok(());
            }
            stop::check()?;
        }
        bail!("{} does not come to rest within {:?} of its start{}", self.name, REST.0, self.log_told());
    }

    /// The processes that were started; their children belong to the server as well.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Child::id).collect()
    }

    /// The last lines that it has written, for the end of a message; nothing when there are none.
    pub fn log_told(&self) -> String {
        let log = self.log_end();
        if log.is_empty() { log } else { format!("\nits log ends with:\n{log}") }
    }

    /// The last lines that it has written.
    fn log_end(&self) -> String {
        let texts = ["output.log", "error.log"]
            .map(|name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default());
        let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        while let Some(mut process) = self.processes.pop() {
            // It is not reaped yet, so its number is still its own.
            let asked = kill(Pid::from_raw(process.id().cast_signed()), Signal::SIGTERM);
            let limit = Instant::now() + STOP;
            while asked.is_ok() && Instant::now() < limit && matches!(process.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if matches!(process.try_wait(), Ok(None)) {
                eprintln!("{} does not stop; killing it", self.name);
                // It is gone, or nothing more can be done about it here.
                let _ = process.kill();
                let _ = process.wait();
            }
        }
        // Children that outlive their parent for a moment still hold the port.
        let limit = Instant::now() + STOP;
        while TcpStream::connect(self.address).is_ok() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
