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

/// How long a server may take until it answers: a Django site starts in it.
const START: Duration = Duration::from_secs(30);
/// How long it may take to stop.
const STOP: Duration = Duration::from_secs(15);

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
    /// The last one started faces the clients; earlier ones stand behind it.
    processes: Vec<Child>,
}

impl Server {
    /// A server without a process.
    pub fn new(name: &str, address: SocketAddr, folder: &Path) -> Self {
        Self { address, name: name.to_owned(), folder: folder.to_path_buf(), processes: Vec::new() }
    }

    /// Starts one of its processes; what it prints goes to `output.log` in its folder.
    pub fn spawn(&mut self, command: &mut Command) -> Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("output.log"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir(&self.folder);
        // A process group of its own: a stopping prefork parent signals its whole group.
        command.process_group(0);
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
                    bail!("{} ended at once ({status}):\n{}", self.name, self.log_end());
                }
            }
            if answers(self.address) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{} does not answer as it should:\n{}", self.name, self.log_end());
    }

    /// The processes that were started; their children belong to the server as well.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Child::id).collect()
    }

    /// The last lines that it has written.
    pub fn log_end(&self) -> String {
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
