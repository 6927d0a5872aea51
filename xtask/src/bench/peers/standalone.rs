//! The servers that are programs of their own, alone or behind Apache, each with the settings its documentation names for production.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::apache::BEHIND;
use super::install::Installed;
use super::{Peer, THREADS};
use crate::bench::cases::Stage;

/// Listens on a socket in the folder, for an Apache in front.
pub fn behind(peer: Peer, stage: Stage, installed: &Installed, folder: &Path) -> Result<Command> {
    let socket = folder.join(BEHIND).display().to_string();
    match peer {
        Peer::ProxyGunicorn => Ok(gunicorn(stage, installed, &format!("unix:{socket}"))),
        Peer::ProxyUwsgi => Ok(uwsgi(stage, installed, &["--socket", &socket, "--chmod-socket=666"])),
        _ => bail!("{} does not stand behind Apache", peer.name()),
    }
}

/// Listens on `address`.
pub fn alone(
    peer: Peer,
    stage: Stage,
    installed: &Installed,
    address: SocketAddr,
    folder: &Path,
) -> Result<Command> {
    let (place, module) = (address.to_string(), stage.application.module());
    let target = format!("{module}:application");
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let mut command = match peer {
        Peer::Gunicorn => gunicorn(stage, installed, &place),
        Peer::Uwsgi => uwsgi(stage, installed, &["--http11-socket", &place]),
        Peer::Granian => {
            let mut granian = Command::new(installed.program("granian"));
            granian.args(["--interface", "wsgi", "--host", &host, "--port", &port, "--no-ws", "--http", "1"]);
            granian.args([
                "--log-level",
                "warning",
                "--backlog",
                "1024",
                "--workers",
                &stage.processes.to_string(),
            ]);
            granian.args(["--blocking-threads", &THREADS.to_string(), &target]);
            granian
        }
        Peer::Waitress => {
            let mut waitress = Command::new(installed.program("waitress-serve"));
            waitress.args([
                format!("--listen={place}"),
                format!("--threads={THREADS}"),
                "--connection-limit=1000".to_owned(),
            ]);
            waitress.arg(target);
            waitress
        }
        Peer::Bjoern => {
            let mut bjoern = Command::new(installed.program("python"));
            let code = format!("import bjoern, {module}; bjoern.run({module}.application, {host:?}, {port})");
            bjoern.args(["-c", &code]);
            bjoern
        }
        _ => bail!("{} is not a program of its own", peer.name()),
    };
    command.env("PYTHONPATH", folder);
    Ok(command)
}

fn gunicorn(stage: Stage, installed: &Installed, bind: &str) -> Command {
    let mut gunicorn = Command::new(installed.program("gunicorn"));
    gunicorn.args([
        "--worker-class",
        "gthread",
        "--bind",
        bind,
        "--keep-alive",
        "30",
        "--log-level",
        "warning",
    ]);
    gunicorn.args([format!("--workers={}", stage.processes), format!("--threads={THREADS}")]);
    gunicorn.args(["--worker-connections=1000", "--backlog=1024", "--umask=0"]);
    gunicorn.arg(format!("{}:application", stage.application.module()));
    gunicorn
}

fn uwsgi(stage: Stage, installed: &Installed, listen: &[&str]) -> Command {
    let mut uwsgi = Command::new(installed.program("uwsgi"));
    uwsgi.args(listen).args([
        "--master",
        "--need-app",
        "--die-on-term",
        "--disable-logging",
        "--enable-threads",
    ]);
    uwsgi.args([format!("--processes={}", stage.processes), format!("--threads={THREADS}")]);
    uwsgi.arg(format!("--virtualenv={}", installed.home.display()));
    uwsgi.args(["--thunder-lock", "--module"]).arg(stage.application.module());
    uwsgi
}
