//! The servers that stand in or behind an Apache: one configuration for all of them, then what only one has.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::{User, geteuid};

use super::install::{self, Installed};
use super::{Peer, THREADS};
use crate::bench::cases::{Application, Stage, Transport};
use crate::bench::server::Server;
use crate::run;

/// Debian's folder of Apache modules.
const MODULES: &str = "/usr/lib/apache2/modules";
/// The socket of the server behind Apache, in the server's folder.
pub const BEHIND: &str = "run/behind.sock";
/// Requests that may wait for a thread of a process group: more than there are clients.
const BACKLOG: u32 = 1024;

/// Starts Apache for `peer`.
pub fn spawn(
    peer: Peer,
    stage: Stage,
    installed: &Installed,
    folder: &Path,
    server: &mut Server,
) -> Result<()> {
    let mut text = common(stage, folder, server)?;
    let special = special(peer, stage, installed, folder)?;
    text.push_str(&special);
    start(&text, folder, server)?;
    server.note(&special);
    Ok(())
}

/// Runs Apache with this configuration.
pub fn start(text: &str, folder: &Path, server: &mut Server) -> Result<()> {
    let config = folder.join("httpd.conf");
    std::fs::write(&config, text)?;
    let httpd = run::which("apache2").context("there is no apache2: apt-get install apache2")?;
    server.spawn(Command::new(httpd).arg("-d").arg(folder).arg("-f").arg(&config).arg("-DFOREGROUND"))
}

/// Addresses, files, users and rights.
pub fn basics(mpm: &str, folder: &Path, server: &Server) -> Result<String> {
    let mut text = String::new();
    let place = folder.display();
    for module in [mpm, "authz_core", "alias", "env"] {
        writeln!(text, "{}", load(module))?;
    }
    writeln!(text, "ServerName localhost\nListen {}\nDefaultRuntimeDir {place}/run", server.address)?;
    writeln!(
        text,
        "PidFile {place}/run/httpd.pid\nErrorLog {place}/error.log\nLogLevel warn\nMutex posixsem"
    )?;
    writeln!(
        text,
        "DocumentRoot {place}\nKeepAlive On\nMaxKeepAliveRequests 0\nKeepAliveTimeout 30\nEnableSendfile On"
    )?;
    if geteuid().is_root() {
        let www = User::from_name("www-data")?.context("there is no user www-data")?;
        writeln!(text, "User {}\nGroup #{}", www.name, www.gid)?;
    }
    // As in Debian's own apache2.conf.
    writeln!(text, "<Directory />\nOptions FollowSymLinks\nAllowOverride None\n</Directory>")?;
    writeln!(text, "<Directory {place}>\nRequire all granted\n</Directory>")?;
    Ok(text)
}

fn common(stage: Stage, folder: &Path, server: &Server) -> Result<String> {
    let mut text = basics("mpm_event", folder, server)?;
    // A fixed number of children: one that Apache starts or ends during a measurement would be measured too. Each has more
    // threads than there are connections: a child without an idle one closes connections that are kept alive.
    writeln!(
        text,
        "StartServers 2\nServerLimit 2\nThreadLimit 300\nThreadsPerChild 300\nMaxRequestWorkers 600"
    )?;
    writeln!(text, "MinSpareThreads 1\nMaxSpareThreads 600\nListenBacklog 1024")?;
    match stage.transport {
        Transport::Http | Transport::HttpOnce => {}
        Transport::Https => {
            certificate(folder)?;
            writeln!(text, "{}\nSSLEngine On\nSSLSessionCache none", load("ssl"))?;
            writeln!(text, "SSLCertificateFile run/server.crt\nSSLCertificateKeyFile run/server.key")?;
        }
        Transport::Http2 => writeln!(text, "{}\nProtocols h2c http/1.1", load("http2"))?,
    }
    Ok(text)
}

fn special(peer: Peer, stage: Stage, installed: &Installed, folder: &Path) -> Result<String> {
    let place = folder.display();
    let processes = stage.processes;
    let home = installed.home.display();
    let script = format!("WSGIScriptAlias / {place}/application.wsgi\n");
    let daemon = |options: String| {
        format!(
            "WSGIRestrictEmbedded On\nWSGISocketPrefix {place}/run/wsgi\nWSGIDaemonProcess bench processes={processes} threads={THREADS} \
             listen-backlog={BACKLOG} python-home={home}{options}\nWSGIProcessGroup bench\nWSGIApplicationGroup %{{GLOBAL}}\n{script}"
        )
    };
    let wsgi = |module: PathBuf, rest: String| format!("LoadModule wsgi_module {}\n{rest}", module.display());
    Ok(match peer {
        Peer::Ours => wsgi(copies(installed, folder)?, daemon(String::new())),
        Peer::ModWsgi => wsgi(copy(&mod_wsgi(installed)?, folder)?, daemon(String::new())),
        Peer::ModWsgi4 => wsgi(PathBuf::from(MODULES).join("mod_wsgi.so"), daemon(String::new())),
        Peer::ModWsgiEmbedded => {
            let rest = format!(
                "WSGIPythonHome {home}\nWSGIEnableSendfile On\nWSGIApplicationGroup %{{GLOBAL}}\n{script}"
            );
            wsgi(copy(&mod_wsgi(installed)?, folder)?, rest)
        }
        Peer::ModPython => mod_python(stage, installed, folder)?,
        Peer::ProxyGunicorn => format!(
            "{}\n{}\nProxyPass / unix:{place}/{BEHIND}|http://localhost/ enablereuse=on\n",
            load("proxy"),
            load("proxy_http")
        ),
        Peer::ProxyUwsgi => format!(
            "{}\n{}\nProxyPass / unix:{place}/{BEHIND}|uwsgi://localhost/\n",
            load("proxy"),
            load("proxy_uwsgi")
        ),
        Peer::Passenger => passenger(stage, installed, folder)?,
        Peer::Static | Peer::Gunicorn | Peer::Uwsgi | Peer::Granian | Peer::Waitress | Peer::Bjoern => {
            String::new()
        }
    })
}

fn mod_wsgi(installed: &Installed) -> Result<PathBuf> {
    installed.mod_wsgi.clone().context("mod_wsgi was not installed")
}

/// The lines for mod_python, which imports from the path and knows nothing of virtual environments.
fn mod_python(stage: Stage, installed: &Installed, folder: &Path) -> Result<String> {
    let place = folder.display();
    let packages = packages_of(installed)?;
    Ok(format!(
        "{}\nPythonPath \"['{place}', '{packages}'] + sys.path\"\nPythonOption wsgi.application {}\nPythonAutoReload Off\n\
         PythonImport with_mod_python main_interpreter\n<Location />\nSetHandler mod_python\nPythonHandler with_mod_python\nPythonInterpreter main_interpreter\n</Location>\n",
        load("python"),
        stage.application.module()
    ))
}

/// Where what the applications need is.
pub fn packages_of(installed: &Installed) -> Result<String> {
    install::purelib(&installed.home.join("bin/python"))
}

/// Passenger's open-source edition has one thread in each process: it gets as many processes as the others have threads.
fn passenger(stage: Stage, installed: &Installed, folder: &Path) -> Result<String> {
    let root = run::output(Command::new("passenger-config").arg("--root"))?.trim().to_owned();
    let pool = stage.processes * THREADS;
    let place = folder.display();
    std::fs::create_dir_all(folder.join("public"))?;
    Ok(format!(
        "{}\nPassengerRoot {root}\nPassengerPython {}\nPassengerMaxPoolSize {pool}\nPassengerMinInstances {pool}\n\
         PassengerMaxRequestQueueSize 0\nPassengerDisableAnonymousTelemetry on\nPassengerDisableSecurityUpdateCheck on\n\
         PassengerInstanceRegistryDir {place}/run\nPassengerLogFile {place}/error.log\nPassengerUser www-data\n\
         PassengerAppRoot {place}\nPassengerAppType wsgi\nPassengerStartupFile passenger_wsgi.py\nPassengerEnabled on\n\
         DocumentRoot {place}/public\n",
        load("passenger"),
        installed.home.join("bin/python").display()
    ))
}

fn load(module: &str) -> String {
    format!("LoadModule {module}_module {MODULES}/mod_{module}.so")
}

/// Copies our files to where Apache and its workers can read them.
pub fn copies(installed: &Installed, folder: &Path) -> Result<PathBuf> {
    for name in ["wsgi-supervisor", "_wsgi_runtime.abi3.so"] {
        copy(&installed.dist.join(name), folder)?;
    }
    copy(&installed.dist.join("mod_wsgi.so"), folder)
}

/// Copies a file into the folder.
pub fn copy(file: &Path, folder: &Path) -> Result<PathBuf> {
    let target = folder.join(file.file_name().context("a file of the server has no name")?);
    std::fs::copy(file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(target)
}

/// The settings of the Apache in all of its rows, for the report.
pub fn common_settings() -> Result<String> {
    let server = Server::new("apache", std::net::SocketAddr::from(([127, 0, 0, 1], 0)), Path::new("$FOLDER"));
    let stage = Stage { application: Application::Small, processes: 1, transport: Transport::Http };
    common(stage, Path::new("$FOLDER"), &server).map(|text| text.replace("127.0.0.1:0", "$ADDRESS"))
}

/// Makes a key and a certificate for this run, `run/server.key` and `run/server.crt`.
pub fn certificate(folder: &Path) -> Result<()> {
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]);
    openssl.args(["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"]);
    openssl.current_dir(folder.join("run"));
    if !run::succeeds(&mut openssl) {
        bail!("openssl cannot make a certificate");
    }
    Ok(())
}
