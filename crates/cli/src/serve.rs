//! `wsgictl serve`: from the options to a running Apache, and back to nothing.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use spec::installed;

use crate::account;
use crate::apache::Apache;
use crate::args::ServeArgs;
use crate::config::{PythonOption, Site, httpd_conf};
use crate::error::{Doing, Error, Result, reason};
use crate::log::Follower;
use crate::python::{self, Python};
use crate::root::ServerRoot;

/// How long Apache may take until it listens.
const START: Duration = Duration::from_secs(30);
/// How long it and the workers may take to stop before they are killed.
const STOP: Duration = Duration::from_secs(15);
/// How long its children may take when it has ended before them.
const STOP_CHILDREN: Duration = Duration::from_secs(2);
/// Between two looks at something that changes soon.
const PAUSE: Duration = Duration::from_millis(20);

/// Serves until a signal ends it.
pub fn run(args: &ServeArgs) -> Result<()> {
    let account = account::choose(args.user.as_deref(), args.group.as_deref())?;
    let script = script(&args.script)?;
    let apache = Apache::find(args.httpd.as_deref())?;
    let module = companions()?;
    let choice = python::choose(args.python.as_deref(), args.python_home.as_deref())?;
    let runtime = module.with_file_name(installed::RUNTIME);
    let python = python::ask(&choice, account.as_ref(), &[&script, &runtime])?;
    let address = SocketAddr::new(args.host, free_port(args.host, args.port)?);
    let root = ServerRoot::create(args.server_root.as_deref())?;
    let site = Site {
        root: root.path().to_path_buf(),
        modules: apache.modules,
        wsgi_module: module,
        account,
        address,
        processes: args.processes,
        threads: args.threads,
        python: match &args.python_home {
            Some(home) => PythonOption::Home(folder("--python-home", home)?),
            None => PythonOption::Program(python.executable.clone()),
        },
        python_path: args
            .python_path
            .iter()
            .map(|path| folder("--python-path", path))
            .collect::<Result<_>>()?,
        script,
        callable: args.callable.clone(),
        url_path: args.url_path.clone(),
        static_files: static_files(args)?,
        log_level: args.log_level.clone(),
    };
    let config = root.path().join("httpd.conf");
    std::fs::write(&config, httpd_conf(&site)?).doing("write", &config)?;
    check(&apache.program, &config)?;
    serve(&apache.program, &config, &root, &site, &python)
}

/// The module, which lies with its companions in the folder of this program.
fn companions() -> Result<PathBuf> {
    let program = std::env::current_exe().doing("find", Path::new("wsgictl"))?;
    let folder = program.parent().unwrap_or(Path::new("/")).to_path_buf();
    for file in [installed::MODULE, installed::SUPERVISOR, installed::RUNTIME] {
        if !folder.join(file).is_file() {
            return Err(Error::NoCompanion { file, folder });
        }
    }
    Ok(folder.join(installed::MODULE))
}

/// The script as an absolute path. Links stay: a deployment may switch releases by one.
fn script(path: &Path) -> Result<PathBuf> {
    let bad = |why: String| Error::BadPath { what: "the script", path: path.to_path_buf(), why };
    let found = std::fs::metadata(path)
        .map_err(|error| bad(format!("{}; give the path of a WSGI script", reason(&error))))?;
    if !found.is_file() {
        return Err(bad("it is no file; give the path of a WSGI script".to_owned()));
    }
    std::path::absolute(path).doing("find", path)
}

fn folder(what: &'static str, path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        let why = "there is no such folder; make it, or give one that exists".to_owned();
        return Err(Error::BadPath { what, path: path.to_path_buf(), why });
    }
    std::path::absolute(path).doing("find", path)
}

fn static_files(args: &ServeArgs) -> Result<Vec<(String, PathBuf)>> {
    args.static_files
        .iter()
        .map(|files| Ok((files.url.clone(), folder("--static", &files.folder)?)))
        .collect()
}

/// The port, or a free one for 0. Apache binds it again a moment later.
fn free_port(host: IpAddr, port: u16) -> Result<u16> {
    let listener = TcpListener::bind((host, port)).and_then(|listener| listener.local_addr());
    listener.map(|address| address.port()).map_err(|error| Error::Listen { host, port, why: reason(&error) })
}

/// `httpd -t`: what the module finds wrong is shown before anything starts.
fn check(program: &Path, config: &Path) -> Result<()> {
    let out = Command::new(program).arg("-t").arg("-f").arg(config).stdin(Stdio::null()).output();
    let out = out.doing("run", program)?;
    if out.status.success() {
        return Ok(());
    }
    Err(Error::Refused(String::from_utf8_lossy(&out.stderr).trim().to_owned()))
}

/// Starts Apache, says what is served, and waits for a signal or Apache's end.
fn serve(program: &Path, config: &Path, root: &ServerRoot, site: &Site, python: &Python) -> Result<()> {
    let signals = [SIGINT, SIGTERM, SIGHUP, SIGCHLD];
    let mut signals = Signals::new(signals).doing("handle the signals of", Path::new("wsgictl"))?;
    let follower = Follower::start(root.error_log());
    let mut command = Command::new(program);
    // In a process group of its own, so that Ctrl-C reaches Apache once, from here, as the signal it stops by.
    command.arg("-f").arg(config).arg("-DFOREGROUND").stdin(Stdio::null()).process_group(0);
    let mut server = Server { process: command.spawn().doing("run", program)?, ended: false, root };
    let outcome = ready(&mut server, &mut signals, site.address).and_then(|go_on| {
        if go_on {
            announce(root, site, python);
            wait(&mut server, &mut signals)?;
        }
        Ok(())
    });
    drop(server);
    drop(follower);
    outcome
}

/// Waits until Apache listens; `false` = a signal came first.
fn ready(server: &mut Server<'_>, signals: &mut Signals, address: SocketAddr) -> Result<bool> {
    let limit = Instant::now() + START;
    while Instant::now() < limit {
        if let Some(status) = server.status() {
            return Err(ended(status));
        }
        if signals.pending().any(|signal| signal != SIGCHLD) {
            return Ok(false);
        }
        if TcpStream::connect(reachable(address)).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(PAUSE);
    }
    Err(Error::NotReady(address))
}

/// An address for "all addresses" is one to listen on, not one to call.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn announce(root: &ServerRoot, site: &Site, python: &Python) {
    let (major, minor, patch) = python.version;
    let mut text = format!("Serving  {}\n", site.script.display());
    let mut line = |what: &str, value: String| text.push_str(&format!("  {what:<7}{value}\n"));
    line("at", format!("http://{}{}", reachable(site.address), site.url_path));
    line("by", format!("Python {major}.{minor}.{patch}, {}", python.executable.display()));
    if let Some(account) = &site.account {
        line("as", format!("{}, group {}", account.user, account.group));
    }
    for (url, folder) in &site.static_files {
        line("files", format!("{url} from {}", folder.display()));
    }
    let fate = if root.is_temporary() { ", removed at the end" } else { "" };
    line("logs", format!("{}{fate}; the error log follows", root.path().join("logs").display()));
    text.push_str("Ctrl-C stops it.\n");
    // Whoever started this may not read what it says; that is no reason not to serve.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Returns when a signal asks to stop; fails when Apache ends by itself.
fn wait(server: &mut Server<'_>, signals: &mut Signals) -> Result<()> {
    for signal in signals.forever() {
        if signal != SIGCHLD {
            return Ok(());
        }
        if let Some(status) = server.status() {
            return Err(ended(status));
        }
    }
    Ok(())
}

/// The sentence for an Apache that nobody has asked to end. One that is killed has logged nothing about it.
fn ended(status: ExitStatus) -> Error {
    if status.signal() == Some(Signal::SIGKILL as i32) { Error::Killed } else { Error::Ended(status) }
}

/// The running Apache; dropping it stops it, whatever the reason.
struct Server<'a> {
    process: Child,
    ended: bool,
    root: &'a ServerRoot,
}

impl Server<'_> {
    /// How it ended, if it did.
    fn status(&mut self) -> Option<ExitStatus> {
        let status = match self.process.try_wait() {
            Ok(status) => status,
            // It cannot be asked any more: it is gone, and nobody knows how.
            Err(_) => Some(ExitStatus::from_raw(0)),
        };
        if status.is_some() && !self.ended {
            self.ended = true;
            self.end_children();
        }
        status
    }

    /// The number of the process group, which is the main process's.
    fn group(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }

    /// Ends what a crashed or killed Apache leaves behind: its children would go on serving and hold the port. The number of a
    /// process group is given to nobody else while a member lives; without members nothing is signalled.
    fn end_children(&self) {
        let limit = Instant::now() + STOP_CHILDREN;
        let mut left = killpg(self.group(), Signal::SIGTERM);
        while left.is_ok() && Instant::now() < limit {
            std::thread::sleep(PAUSE);
            left = killpg(self.group(), None);
        }
        if left.is_ok() {
            // Those that end in this moment need no signal.
            let _ = killpg(self.group(), Signal::SIGKILL);
        }
    }
}

impl Drop for Server<'_> {
    /// Stops Apache, waits for the supervisor to clear its sockets away, and kills what does not stop.
    fn drop(&mut self) {
        let limit = Instant::now() + STOP;
        if !self.ended {
            // Not waited for yet, so the number still names this process.
            let asked = kill(self.group(), Signal::SIGTERM);
            while asked.is_ok() && self.status().is_none() && Instant::now() < limit {
                std::thread::sleep(PAUSE);
            }
        }
        if !self.ended {
            // It is gone, or there is nothing more to be done; nor is there anybody left to tell when standard error is closed.
            let _ = writeln!(
                std::io::stderr(),
                "wsgictl: Apache did not stop within {} s; killing it",
                STOP.as_secs()
            );
            let _ = killpg(self.group(), Signal::SIGKILL);
            let _ = self.process.wait();
        }
        while self.root.has_sockets() && Instant::now() < limit {
            std::thread::sleep(PAUSE);
        }
    }
}
