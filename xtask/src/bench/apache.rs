//! A real Apache with one of the servers in it, in a folder of its own, on a free port of the loopback address.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use super::peers::Peer;
use crate::run;

/// Debian's folder of Apache modules.
const MODULES: &str = "/usr/lib/apache2/modules";
/// The file that is downloaded, in bytes.
pub const FILE_SIZE: u64 = 100 * 1_000_000;

/// A running Apache; dropping it stops it.
pub struct Apache {
    /// Where it listens.
    pub address: SocketAddr,
    /// What a person calls the server in it.
    pub name: &'static str,
    folder: PathBuf,
    process: Child,
}

impl Apache {
    /// Writes the configuration into `folder` (which is created), starts Apache and waits for its first answer.
    pub fn start(peer: &Peer, folder: &Path) -> Result<Self> {
        for dir in [folder.parent().unwrap_or(folder), folder, &folder.join("run")] {
            std::fs::create_dir_all(dir)?;
            std::fs::set_permissions(dir, PermissionsExt::from_mode(0o755))?;
        }
        application(folder)?;
        let mut module = None;
        for file in peer.files() {
            let copy = folder.join(file.file_name().context("a file of the server has no name")?);
            std::fs::copy(&file, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
            module.get_or_insert(copy);
        }
        let module = module.context("the server has no module")?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.join("httpd.conf");
        std::fs::write(&config, configuration(peer, &module, address, folder)?)?;
        let httpd = run::which("apache2").context("there is no apache2: apt-get install apache2")?;
        let mut command = Command::new(httpd);
        command.arg("-d").arg(folder).arg("-f").arg(&config).arg("-DFOREGROUND").stdin(Stdio::null());
        let process = command.spawn().context("cannot run apache2")?;
        let mut apache = Self { address, name: peer.name(), folder: folder.to_path_buf(), process };
        apache.wait_for_answer()?;
        Ok(apache)
    }

    /// The parent process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_for_answer(&mut self) -> Result<()> {
        let limit = Instant::now() + Duration::from_secs(20);
        while Instant::now() < limit {
            let left = self.process.try_wait()?;
            if left.is_none() && super::load::answers(self.address) {
                return Ok(());
            }
            if let Some(status) = left {
                bail!("Apache with {} ended at once ({status}):\n{}", self.name, self.log_end());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("Apache with {} answers nothing but errors:\n{}", self.name, self.log_end());
    }

    /// The last lines of the error log.
    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("error.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        // The child is not reaped yet, so its number is still its own.
        let pid = Pid::from_raw(self.process.id().cast_signed());
        let asked = kill(pid, Signal::SIGTERM);
        let limit = Instant::now() + Duration::from_secs(10);
        while asked.is_ok() && Instant::now() < limit {
            if !matches!(self.process.try_wait(), Ok(None)) && TcpStream::connect(self.address).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        eprintln!("Apache with {} does not stop; killing it", self.name);
        // It is gone, or nothing more can be done about it here.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The script and the file it serves. The file has no holes: it is read as any other.
fn application(folder: &Path) -> Result<()> {
    std::fs::write(folder.join("application.wsgi"), include_str!("application.wsgi"))?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join("100MB"))?);
    let block: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    for _ in 0..FILE_SIZE / 1_000_000 {
        std::io::Write::write_all(&mut file, &block)?;
    }
    Ok(())
}

/// What both servers share, then the process group.
fn configuration(peer: &Peer, module: &Path, address: SocketAddr, folder: &Path) -> Result<String> {
    let mut text = String::new();
    let folder = folder.display();
    writeln!(text, "LoadModule mpm_event_module {MODULES}/mod_mpm_event.so")?;
    writeln!(text, "LoadModule authz_core_module {MODULES}/mod_authz_core.so")?;
    writeln!(text, "LoadModule wsgi_module {}", module.display())?;
    writeln!(text, "ServerName localhost\nListen {address}\nDefaultRuntimeDir {folder}/run")?;
    writeln!(
        text,
        "PidFile {folder}/run/httpd.pid\nErrorLog {folder}/error.log\nLogLevel warn\nMutex posixsem"
    )?;
    writeln!(text, "DocumentRoot {folder}\nKeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 30")?;
    // A fixed number of children: one that Apache starts or ends during a measurement would be measured too. Each has more
    // threads than there are connections: a child without an idle one closes connections that are kept alive.
    writeln!(text, "StartServers 2\nServerLimit 2\nThreadsPerChild 64\nMaxRequestWorkers 128")?;
    writeln!(text, "MinSpareThreads 1\nMaxSpareThreads 128")?;
    if geteuid().is_root() {
        let www = User::from_name("www-data")?.context("there is no user www-data")?;
        writeln!(text, "User {}\nGroup #{}", www.name, www.gid)?;
    }
    // As in Debian's own apache2.conf.
    writeln!(text, "<Directory />\nOptions FollowSymLinks\nAllowOverride None\n</Directory>")?;
    writeln!(text, "WSGISocketPrefix {folder}/run/wsgi\nWSGIRestrictEmbedded On")?;
    writeln!(text, "WSGIDaemonProcess bench processes=1 threads=10{}", peer.options())?;
    writeln!(text, "WSGIProcessGroup bench\nWSGIApplicationGroup %{{GLOBAL}}")?;
    writeln!(text, "WSGIScriptAlias / {folder}/application.wsgi")?;
    writeln!(text, "<Directory {folder}>\nRequire all granted\n</Directory>")?;
    Ok(text)
}
