//! The servers that are compared: their names, what they can do, and how each is started with its own best settings for the case.

pub mod apache;
pub mod install;
mod standalone;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::cases::{Application, Case, Stage, Transport, Work};
use super::server::Server;
use install::Installed;

/// Threads that run the application, in each worker process of a server that has threads.
pub const THREADS: u32 = 10;

/// A server. In files it is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Peer {
    /// This project's, in daemon mode.
    Ours,
    /// mod_wsgi 6 from PyPI, daemon mode: what everything is a ratio to.
    ModWsgi,
    /// The same, embedded mode.
    ModWsgiEmbedded,
    /// mod_wsgi 4.9 of Debian, daemon mode.
    ModWsgi4,
    /// mod_python of Debian.
    ModPython,
    /// Apache's own static files.
    Static,
    /// mod_proxy_http to gunicorn's threads.
    ProxyGunicorn,
    /// mod_proxy_uwsgi to uWSGI.
    ProxyUwsgi,
    /// Passenger of Debian.
    Passenger,
    /// gunicorn's threads, alone.
    Gunicorn,
    /// uWSGI, alone.
    Uwsgi,
    /// Granian, alone.
    Granian,
    /// Waitress, alone.
    Waitress,
    /// bjoern, alone.
    Bjoern,
}

impl Peer {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 14] = [
        Self::Ours,
        Self::ModWsgi,
        Self::ModWsgiEmbedded,
        Self::ModWsgi4,
        Self::ModPython,
        Self::Static,
        Self::ProxyGunicorn,
        Self::ProxyUwsgi,
        Self::Passenger,
        Self::Gunicorn,
        Self::Uwsgi,
        Self::Granian,
        Self::Waitress,
        Self::Bjoern,
    ];
    /// One of each kind: ours, mod_wsgi's two modes, no Python at all, behind Apache, a server in Python, one in Rust.
    pub const SOME: [Self; 7] = [
        Self::Ours,
        Self::ModWsgi,
        Self::ModWsgiEmbedded,
        Self::Static,
        Self::ProxyGunicorn,
        Self::Gunicorn,
        Self::Granian,
    ];
    /// Those of `--quick`.
    pub const QUICK: [Self; 3] = [Self::Ours, Self::ModWsgi, Self::Static];

    /// Its name, on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::ModWsgi => "mod_wsgi",
            Self::ModWsgiEmbedded => "mod_wsgi-embedded",
            Self::ModWsgi4 => "mod_wsgi-4.9",
            Self::ModPython => "mod_python",
            Self::Static => "apache-static",
            Self::ProxyGunicorn => "apache-gunicorn",
            Self::ProxyUwsgi => "apache-uwsgi",
            Self::Passenger => "passenger",
            Self::Gunicorn => "gunicorn",
            Self::Uwsgi => "uwsgi",
            Self::Granian => "granian",
            Self::Waitress => "waitress",
            Self::Bjoern => "bjoern",
        }
    }

    /// Whether Apache answers the clients.
    pub fn is_behind_apache(self) -> bool {
        !matches!(self, Self::Gunicorn | Self::Uwsgi | Self::Granian | Self::Waitress | Self::Bjoern)
    }

    /// Why its settings are as they are, and what to know when it is compared.
    pub fn remark(self) -> &'static str {
        match self {
            Self::Ours => "Daemon mode.",
            Self::ModWsgi => "Daemon mode, with the same directives as ours.",
            Self::ModWsgiEmbedded => {
                "Python runs in Apache's two children, so that it has two processes where others have one, and up to 600 threads."
            }
            Self::ModWsgi4 => "Daemon mode, with Debian's own Python.",
            Self::ModPython => {
                "As embedded mode: two processes. The adapter to WSGI is this comparison's, because mod_python has none."
            }
            Self::Static => {
                "Files of the same sizes from the disk cache: what Apache takes without any Python."
            }
            Self::ProxyGunicorn => {
                "`enablereuse=on`: Apache keeps its connections to gunicorn; without it each request makes one."
            }
            Self::ProxyUwsgi => "The uwsgi protocol makes a connection for each request.",
            Self::Passenger => {
                "The open-source edition has one thread in each process, so it gets as many processes as others have threads: it can use all \
                 cores where others have one process."
            }
            Self::Gunicorn => {
                "The class of workers that has threads and keeps connections open; the heartbeat file in memory, as its FAQ says."
            }
            Self::Uwsgi => {
                "HTTP with connections that stay open, spoken by the workers themselves; HTTPS by its router in front of them."
            }
            Self::Granian => {
                "No WebSockets; as many threads for Python as others have, which is more than with one here."
            }
            Self::Waitress => "One process; `poll` instead of `select`.",
            Self::Bjoern => "One process with one thread: requests that wait or compute follow each other.",
        }
    }

    /// Why a case is not measured with it; `None` when it is.
    pub fn cannot(self, case: &Case) -> Option<&'static str> {
        match self {
            Self::Static if !matches!(case.work, Work::Hello | Work::Page | Work::File(_)) => {
                Some("a file is all it can answer with")
            }
            Self::Static if case.processes > 1 => Some("it has no worker processes"),
            Self::ModWsgiEmbedded | Self::ModPython if case.processes > 1 => {
                Some("its worker processes are Apache's children")
            }
            Self::Waitress | Self::Bjoern if case.processes > 1 => Some("it is one process"),
            Self::Waitress | Self::Bjoern if case.transport == Transport::Https => Some("it has no TLS"),
            Self::Uwsgi | Self::Waitress | Self::Bjoern if case.transport == Transport::Http2 => {
                Some("it has no HTTP/2")
            }
            _ => None,
        }
    }

    /// Path and query of the request for this work.
    pub fn target(self, work: Work) -> String {
        match (self, work) {
            (Self::Static, Work::File(_)) => format!("/blob{}", work.transfer()),
            _ => work.target(),
        }
    }

    /// Starts it in `folder` and waits for its first right answer.
    pub fn start(self, stage: Stage, installed: &Installed, folder: &Path) -> Result<Server> {
        let folder = super::server::folder(folder)?;
        install::application(stage.application, &folder)?;
        let mut server = Server::new(self.name(), super::server::address()?, &folder);
        match self {
            Self::ProxyGunicorn | Self::ProxyUwsgi => {
                server.spawn(&mut standalone::behind(self, stage, installed, &folder)?)?;
                apache::spawn(self, stage, installed, &folder, &mut server)?;
            }
            _ if self.is_behind_apache() => apache::spawn(self, stage, installed, &folder, &mut server)?,
            _ => server.spawn(&mut standalone::alone(self, stage, installed, server.address, &folder)?)?,
        }
        let first = match stage.application {
            Application::Small => Work::Hello,
            Application::Site => Work::Django,
        };
        server.wait(|address| super::load::answers(address, first, stage.transport))?;
        server.settle()?;
        Ok(server)
    }
}

impl From<Peer> for String {
    fn from(peer: Peer) -> Self {
        peer.name().to_owned()
    }
}

impl TryFrom<String> for Peer {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|peer| peer.name() == name);
        found.ok_or_else(|| format!("no server is called {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_a_name_of_its_own_and_something_to_do() {
        let names: std::collections::HashSet<_> = Peer::ALL.iter().map(|peer| peer.name()).collect();
        assert_eq!(names.len(), Peer::ALL.len());
        for peer in Peer::ALL {
            assert!(Case::all().iter().any(|case| peer.cannot(case).is_none()), "{}", peer.name());
            assert_eq!(Peer::try_from(String::from(peer)), Ok(peer));
        }
    }
}
