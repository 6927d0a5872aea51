//! The servers that are programs of their own, alone or behind Apache, each with the settings its documentation names for production.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::apache::{self, BEHIND};
use super::install::Installed;
use super::{Peer, THREADS};
use crate::bench::cases::{Stage, Transport};

/// Key and certificate, in the server's folder.
const KEY: &str = "run/server.key";
const CERTIFICATE: &str = "run/server.crt";

/// Listens on a socket in the folder, for an Apache in front.
pub fn behind(peer: Peer, stage: Stage, installed: &Installed, folder: &Path) -> Result<Command> {
    let socket = folder.join(BEHIND).display().to_string();
    // TLS and HTTP/2 end in Apache.
    let stage = Stage { transport: Transport::Http, ..stage };
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
    if stage.transport == Transport::Https {
        apache::certificate(folder)?;
    }
    let (place, module) = (address.to_string(), stage.application.module());
    let mut command = match peer {
        Peer::Gunicorn => gunicorn(stage, installed, &place),
        Peer::Uwsgi if stage.transport == Transport::Https => {
            uwsgi(stage, installed, &["--https", &format!("{place},{CERTIFICATE},{KEY}"), "--http-keepalive"])
        }
        Peer::Uwsgi => uwsgi(stage, installed, &["--http11-socket", &place]),
        Peer::Granian => granian(stage, installed, address),
        Peer::Waitress => {
            let mut waitress = Command::new(installed.program(Peer::Waitress, "waitress-serve"));
            waitress.args([format!("--listen={place}"), format!("--threads={THREADS}")]);
            waitress.args(["--connection-limit=1000", "--backlog=1024", "--asyncore-use-poll"]);
            waitress.arg(format!("{module}:application"));
            waitress
        }
        Peer::Bjoern => {
            let mut bjoern = Command::new(installed.program(Peer::Bjoern, "python"));
            let (host, port) = (address.ip().to_string(), address.port());
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
    let mut gunicorn = Command::new(installed.program(Peer::Gunicorn, "gunicorn"));
    gunicorn.args(["--worker-class=gthread", "--bind", bind]);
    gunicorn.args([format!("--workers={}", stage.processes), format!("--threads={THREADS}")]);
    gunicorn.args(["--keep-alive=30", "--worker-connections=1000", "--backlog=1024"]);
    gunicorn.args(["--worker-tmp-dir=/dev/shm", "--log-level=warning", "--umask=0"]);
    match stage.transport {
        Transport::Http | Transport::HttpOnce => {}
        Transport::Https => {
            gunicorn.args([format!("--certfile={CERTIFICATE}"), format!("--keyfile={KEY}")]);
        }
        Transport::Http2 => {
            gunicorn.args(["--http-protocols=h2,h1", "--http2-cleartext=prior-knowledge"]);
        }
    }
    gunicorn.arg(format!("{}:application", stage.application.module()));
    gunicorn
}

fn granian(stage: Stage, installed: &Installed, address: SocketAddr) -> Command {
    let mut granian = Command::new(installed.program(Peer::Granian, "granian"));
    granian.args([format!("--host={}", address.ip()), format!("--port={}", address.port())]);
    granian.args([format!("--workers={}", stage.processes), format!("--blocking-threads={THREADS}")]);
    granian.args(["--interface=wsgi", "--no-ws", "--backlog=1024", "--log-level=warning"]);
    match stage.transport {
        Transport::Http | Transport::HttpOnce => granian.arg("--http=1"),
        Transport::Https => granian.args([
            "--http=1".to_owned(),
            format!("--ssl-certificate={CERTIFICATE}"),
            format!("--ssl-keyfile={KEY}"),
        ]),
        Transport::Http2 => granian.arg("--http=2"),
    };
    granian.arg(format!("{}:application", stage.application.module()));
    granian
}

fn uwsgi(stage: Stage, installed: &Installed, listen: &[&str]) -> Command {
    let mut uwsgi = Command::new(installed.program(Peer::Uwsgi, "uwsgi"));
    uwsgi.args(listen).args(["--master", "--need-app", "--die-on-term", "--disable-logging"]);
    uwsgi.args([format!("--processes={}", stage.processes), format!("--threads={THREADS}")]);
    uwsgi.args(["--enable-threads", "--thunder-lock", "--listen=1024"]);
    uwsgi.arg(format!("--virtualenv={}", installed.home_of(Peer::Uwsgi).display()));
    uwsgi.arg("--module").arg(stage.application.module());
    uwsgi
}
