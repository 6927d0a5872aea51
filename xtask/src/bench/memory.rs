//! Memory of many sites on one Apache: proportional set size (PSS, proc_pid_smaps_rollup(5)) by kind of process, summed up.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use super::cases::Application;
use super::load::http::Client;
use super::peers::install::{self, Installed};
use super::peers::{Peer, apache};
use super::plan::Sites;
use super::server::{self, Server};
use super::{cpu, stop};

/// Children of prefork in the comparison of warm sites.
const CHILDREN: u32 = 16;
/// Threads of each site's process.
const THREADS: u32 = 2;
/// How long the sites may take to get warm.
const WARM: Duration = Duration::from_secs(240);

/// Apache's first process.
pub const PARENT: &str = "Apache's parent";
/// The processes that it has forked to answer clients.
pub const CHILD: &str = "Apache's children";
/// Ours has one process between Apache and the workers.
pub const SUPERVISOR: &str = "supervisor";
/// The processes in which the sites run.
pub const WORKER: &str = "workers";
/// All kinds, in the order of tables and charts.
pub const KINDS: [&str; 4] = [PARENT, CHILD, SUPERVISOR, WORKER];

/// Number of processes and their PSS in MB, by kind.
pub type Kinds = BTreeMap<String, (u32, f64)>;

/// What one server with some sites holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memory {
    /// The server.
    pub peer: Peer,
    /// How many sites.
    pub sites: u32,
    /// Whether every site has served its page in every process that can serve it.
    pub warm: bool,
    /// Its processes.
    pub kinds: Kinds,
}

impl Memory {
    /// Of which sites it is.
    pub fn sites(&self) -> Sites {
        Sites { peer: self.peer, count: self.sites, warm: self.warm }
    }

    /// All kinds together, in MB.
    pub fn total(&self) -> f64 {
        self.kinds.values().map(|(_, megabytes)| megabytes).sum()
    }
}

/// Starts Django sites in a server, asks for their pages when they are to be warm, and weighs all processes.
pub fn weigh(wanted: Sites, installed: &Installed, folder: &Path) -> Result<Memory> {
    let Sites { peer, count: sites, warm } = wanted;
    let folder = server::folder(folder)?;
    install::application(Application::Site, &folder)?;
    let mut server = Server::new(peer.name(), server::address()?, &folder);
    let mut text = apache::basics("mpm_prefork", &folder, &server)?;
    writeln!(text, "StartServers {CHILDREN}\nServerLimit {CHILDREN}\nMaxRequestWorkers {CHILDREN}")?;
    writeln!(text, "MinSpareServers {CHILDREN}\nMaxSpareServers {}", CHILDREN + 1)?;
    text.push_str(&configuration(wanted, installed, &folder)?);
    apache::start(&text, &folder, &mut server)?;
    server.wait(|address| Client::connect(address).is_ok())?;
    let steady = wait_for_children(&server)
        .and_then(|()| if warm { make_warm(&server, sites) } else { wait_for_workers(wanted, &server) });
    steady.map_err(|error| anyhow!("{error:#}{}", server.log_told()))?;
    Ok(Memory { peer, sites, warm, kinds: kinds(&server)? })
}

/// The sites, `/site1/` and so on, each in a process or an interpreter of its own.
fn configuration(wanted: Sites, installed: &Installed, folder: &Path) -> Result<String> {
    let Sites { peer, count: sites, .. } = wanted;
    let (place, home) = (folder.display(), installed.home.display());
    let mut text = String::new();
    match peer {
        Peer::Ours => {
            writeln!(text, "LoadModule wsgi_module {}", apache::copies(installed, folder)?.display())?
        }
        Peer::ModWsgi => {
            let module = installed.mod_wsgi.as_deref().context("mod_wsgi was not installed")?;
            writeln!(text, "LoadModule wsgi_module {}", apache::copy(module, folder)?.display())?;
        }
        Peer::ModWsgi4 => writeln!(text, "LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so")?,
        Peer::ModPython => {
            writeln!(text, "LoadModule python_module /usr/lib/apache2/modules/mod_python.so")?;
            let packages = apache::packages_of(installed)?;
            writeln!(text, "PythonPath \"['{place}', '{packages}'] + sys.path\"")?;
            writeln!(text, "PythonOption wsgi.application {}", Application::Site.module())?;
        }
        _ => bail!("{} hosts no sites in one Apache", peer.name()),
    }
    if peer != Peer::ModPython {
        writeln!(text, "WSGIRestrictEmbedded On\nWSGISocketPrefix {place}/run/wsgi")?;
    }
    for number in 1..=sites {
        if peer == Peer::ModPython {
            writeln!(
                text,
                "<Location /site{number}/>\nSetHandler mod_python\nPythonHandler with_mod_python"
            )?;
            writeln!(
                text,
                "PythonOption wsgi.script_name /site{number}\nPythonInterpreter site{number}\n</Location>"
            )?;
            continue;
        }
        let script = folder.join(format!("site{number}.wsgi"));
        std::fs::copy(folder.join("application.wsgi"), &script)?;
        writeln!(
            text,
            "WSGIDaemonProcess site{number} threads={THREADS} python-home={home} display-name=%{{GROUP}}"
        )?;
        // With a fixed application group, too, mod_wsgi would load the script at the start; idle sites are to be idle.
        writeln!(text, "WSGIScriptAlias /site{number} {} process-group=site{number}", script.display())?;
        writeln!(text, "<Location /site{number}>\nWSGIApplicationGroup %{{GLOBAL}}\n</Location>")?;
    }
    Ok(text)
}

fn wait_for_children(server: &Server) -> Result<()> {
    wait("Apache's children start", || {
        let found = kinds(server).map(|kinds| kinds.get(CHILD).map_or(0, |(count, _)| *count));
        found.is_ok_and(|count| count >= CHILDREN)
    })
}

/// Until all processes of the sites are there, and none grows any more.
fn wait_for_workers(wanted: Sites, server: &Server) -> Result<()> {
    let mut total = Total::default();
    wait("the sites' processes start", || {
        std::thread::sleep(Duration::from_millis(500));
        kinds(server).is_ok_and(|kinds| total.is_steady(&kinds) && are_complete(wanted, &kinds))
    })
}

/// Whether every site has its process.
fn are_complete(wanted: Sites, kinds: &Kinds) -> bool {
    let has = |kind: &str, count: u32| kinds.get(kind).map_or(0, |(count, _)| *count) >= count;
    wanted.peer == Peer::ModPython || has(WORKER, wanted.count)
}

/// The memory of all processes when it was last looked at, in MB.
#[derive(Default)]
struct Total(f64);

impl Total {
    /// Whether it is the same as before, within 0.2 %.
    fn is_steady(&mut self, kinds: &Kinds) -> bool {
        let now: f64 = kinds.values().map(|(_, size)| size).sum();
        let before = std::mem::replace(&mut self.0, now);
        (now - before).abs() < now * 0.002
    }
}

/// Asks every site many times over many connections, until no process grows any more.
fn make_warm(server: &Server, sites: u32) -> Result<()> {
    let mut total = Total::default();
    wait("the sites get warm", || {
        for number in 1..=sites {
            let target = format!("/site{number}/admin/login/");
            let ask = || Client::connect(server.address).and_then(|mut client| client.get(&target)).is_ok();
            // At the same time, so that each of Apache's children gets its turn.
            let fine = std::thread::scope(|scope| {
                let all: Vec<_> = (0..2 * CHILDREN).map(|_| scope.spawn(ask)).collect();
                all.into_iter().all(|one| one.join().unwrap_or(false))
            });
            if !fine {
                return false;
            }
        }
        kinds(server).is_ok_and(|kinds| total.is_steady(&kinds))
    })
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
    let limit = Instant::now() + WARM;
    while Instant::now() < limit {
        stop::check()?;
        if condition() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("not within {WARM:?}: {what}")
}

/// The server's processes by what they are for.
fn kinds(server: &Server) -> Result<Kinds> {
    let mut kinds = Kinds::new();
    let started = server.pids();
    for pid in cpu::pids_of_trees(&started)? {
        // A process may end between the reads.
        let Some(megabytes) = pss(pid) else { continue };
        let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let title = String::from_utf8_lossy(&title);
        let kind = kind(&title, started.contains(&pid));
        let entry = kinds.entry(kind.to_owned()).or_default();
        *entry = (entry.0 + 1, entry.1 + megabytes);
    }
    Ok(kinds)
}

fn kind(title: &str, is_first: bool) -> &'static str {
    match title {
        _ if title.contains("wsgi-supervisor") => SUPERVISOR,
        _ if title.starts_with("(wsgi:") => WORKER,
        _ if is_first => PARENT,
        _ => CHILD,
    }
}

/// Proportional set size in MB.
fn pss(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_size() {
        assert!(pss(std::process::id()).is_some_and(|size| size > 0.5));
    }

    #[test]
    fn kinds_are_told_by_titles() {
        assert_eq!(kind("/srv/wsgi-supervisor\0", false), SUPERVISOR);
        assert_eq!(kind("(wsgi:site1)\0\0", false), WORKER);
        assert_eq!(kind("/usr/sbin/apache2\0-f\0", false), CHILD);
        assert_eq!(kind("/usr/sbin/apache2\0-f\0", true), PARENT);
    }

    fn kinds_of(counts: &[(&str, u32)]) -> Kinds {
        counts.iter().map(|(kind, count)| ((*kind).to_owned(), (*count, f64::from(*count)))).collect()
    }

    #[test]
    fn idle_sites_are_weighed_when_all_are_there_and_none_grows() {
        let wanted = Sites { peer: Peer::Ours, count: 50, warm: false };
        let few = kinds_of(&[(CHILD, 16), (WORKER, 49)]);
        let all = kinds_of(&[(CHILD, 16), (WORKER, 50)]);
        assert!(!are_complete(wanted, &few) && are_complete(wanted, &all));
        assert!(are_complete(Sites { peer: Peer::ModPython, ..wanted }, &kinds_of(&[(CHILD, 16)])));
        let mut total = Total::default();
        assert_eq!([&few, &all, &all].map(|kinds| total.is_steady(kinds)), [false, false, true]);
    }
}
