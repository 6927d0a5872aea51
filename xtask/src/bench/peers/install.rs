//! Where the servers come from: Debian's packages and PyPI's, each installed once into a cache below the build folder.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Peer;
use crate::bench::cases::{Application, Work};
use crate::bench::report::{Failure, INSTALLING};
use crate::bench::stop;
use crate::packages::{self, Package};
use crate::run;
use crate::workspace::Workspace;

/// The release of mod_wsgi that is compared with: the one that the tests compare with.
pub const MOD_WSGI: &str = include_str!("../../../../tests/kit/mod_wsgi-version").trim_ascii();
/// What the applications need.
const DJANGO: &str = "Django>=5.2,<5.3";

/// What was found or installed.
#[derive(Debug)]
pub struct Installed {
    /// The Python that all of them run, where they can choose.
    pub python: PathBuf,
    /// A virtual environment of that Python with what the applications need.
    pub home: PathBuf,
    /// Our release files.
    pub dist: PathBuf,
    /// The module of mod_wsgi 6, where it is wanted.
    pub mod_wsgi: Option<PathBuf>,
    /// Of the Python.
    version: String,
}

impl Installed {
    /// Installs what these servers need. A server that cannot be installed is told in the second list and does not keep the others
    /// from being compared; what everything needs does.
    pub fn new(peers: &[Peer], python: &Path, workspace: &Workspace) -> Result<(Self, Vec<Failure>)> {
        packages::need(&[
            &packages::APACHE,
            &packages::VENV,
            &packages::WRK,
            &packages::H2LOAD,
            &packages::OPENSSL,
        ])?;
        let dist = workspace.dist();
        if !dist.join("mod_wsgi.so").is_file() {
            bail!("{} has no mod_wsgi.so: run `cargo xtask dist` first", dist.display());
        }
        let version = python_version(python)?;
        let cache = std::env::var_os("MOD_WSGI_RS_CACHE").map_or_else(cache_folder, PathBuf::from);
        // Servers of any user read it.
        std::fs::create_dir_all(&cache)?;
        std::fs::set_permissions(&cache, PermissionsExt::from_mode(0o755))?;
        let mut installed = Self {
            python: python_says(python, "import sys; print(sys.executable)")?.into(),
            home: cache.join(format!("bench-python{version}-applications")),
            dist,
            mod_wsgi: None,
            version,
        };
        venv(python, &installed.home)?;
        pip_missing(python, &installed.home, &[("django", DJANGO)])
            .context("the applications need Django")?;
        let mut failures = Vec::new();
        for peer in peers {
            if let Err(error) = installed.add(*peer, python) {
                stop::check()?;
                println!("{} cannot be installed: {error:#}", peer.name());
                failures.push(Failure::new(*peer, INSTALLING, &error));
            }
        }
        Ok((installed, failures))
    }

    /// Installs what only this server needs.
    fn add(&mut self, peer: Peer, python: &Path) -> Result<()> {
        packages::need(&debian(peer))?;
        let Some(home) = self.environment(peer) else { return Ok(()) };
        venv(python, &home)?;
        pip_missing(python, &home, pypi(peer))?;
        // After what the server needs itself, what the applications need is found where it is.
        let packages = |home: &Path| purelib(&home.join("bin/python")).map(PathBuf::from);
        let path = packages(&home)?.join("applications.pth");
        std::fs::write(&path, packages(&self.home)?.as_os_str().as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        if matches!(peer, Peer::ModWsgi | Peer::ModWsgiEmbedded) && self.mod_wsgi.is_none() {
            self.mod_wsgi = Some(mod_wsgi(python, &home)?);
        }
        Ok(())
    }

    /// The virtual environment of a server that comes from PyPI: one for each, so that what one needs is no matter to the others.
    fn environment(&self, peer: Peer) -> Option<PathBuf> {
        let name = match peer {
            Peer::ModWsgi | Peer::ModWsgiEmbedded => "mod_wsgi",
            _ => pypi(peer).first()?.0,
        };
        Some(self.home.with_file_name(format!("bench-python{}-{name}", self.version)))
    }

    /// Where the programs of this server are: its own virtual environment, or that of the applications.
    pub fn home_of(&self, peer: Peer) -> PathBuf {
        self.environment(peer).unwrap_or_else(|| self.home.clone())
    }

    /// A program of this server.
    pub fn program(&self, peer: Peer, name: &str) -> PathBuf {
        self.home_of(peer).join("bin").join(name)
    }
}

/// Beside the tests' own, where this user may write.
fn cache_folder() -> PathBuf {
    if nix::unistd::geteuid().is_root() {
        return PathBuf::from("/var/cache/mod-wsgi-rs-tests");
    }
    std::env::temp_dir().join(format!("mod-wsgi-rs-tests-{}", nix::unistd::geteuid()))
}

fn debian(peer: Peer) -> Vec<&'static Package> {
    use packages::{
        APACHE_DEV, COMPILER, LIBEV, LIBSSL_DEV, MOD_PROXY_UWSGI, MOD_PYTHON, MOD_WSGI_4, PASSENGER,
        PYTHON_DEV,
    };
    match peer {
        Peer::ModWsgi | Peer::ModWsgiEmbedded => vec![&APACHE_DEV, &COMPILER, &PYTHON_DEV],
        Peer::ModWsgi4 => vec![&MOD_WSGI_4],
        Peer::ModPython => vec![&MOD_PYTHON],
        Peer::Passenger => vec![&PASSENGER],
        Peer::ProxyUwsgi => vec![&MOD_PROXY_UWSGI, &COMPILER, &PYTHON_DEV, &LIBSSL_DEV],
        Peer::Uwsgi => vec![&COMPILER, &PYTHON_DEV, &LIBSSL_DEV],
        Peer::Bjoern => vec![&COMPILER, &PYTHON_DEV, &LIBEV],
        Peer::Ours | Peer::Static | Peer::ProxyGunicorn | Peer::Gunicorn | Peer::Granian | Peer::Waitress => {
            Vec::new()
        }
    }
}

/// Packages of PyPI: the name of what shows that it is there, and what to ask for.
fn pypi(peer: Peer) -> &'static [(&'static str, &'static str)] {
    match peer {
        Peer::ProxyGunicorn | Peer::Gunicorn => &[("gunicorn", "gunicorn[http2]"), ("h2", "gunicorn[http2]")],
        Peer::ProxyUwsgi | Peer::Uwsgi => &[("uwsgi", "uwsgi")],
        Peer::Granian => &[("granian", "granian")],
        Peer::Waitress => &[("waitress", "waitress")],
        Peer::Bjoern => &[("bjoern", "bjoern")],
        _ => &[],
    }
}

/// Makes the virtual environment where it is missing.
fn venv(python: &Path, home: &Path) -> Result<()> {
    let inside = home.join("bin/python");
    if !run::succeeds(Command::new(&inside).args(["-I", "-c", "import pip"])) {
        println!("making {}", home.display());
        run::check(Command::new(python).args(["-m", "venv", "--clear"]).arg(home))?;
    }
    Ok(())
}

/// Installs what is missing; asks no index when nothing is.
fn pip_missing(python: &Path, home: &Path, packages: &[(&str, &str)]) -> Result<()> {
    for (name, wanted) in packages {
        let code = format!("from importlib.metadata import version; version({name:?})");
        if !run::succeeds(Command::new(home.join("bin/python")).args(["-I", "-c", &code])) {
            println!("installing {wanted} from PyPI");
            pip(python, home, &[wanted])?;
        }
    }
    Ok(())
}

fn pip(python: &Path, home: &Path, wanted: &[&str]) -> Result<()> {
    let mut pip = Command::new(home.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
    // What is built must find this Python's own configuration, not that of a version manager in PATH.
    let bin =
        python_says(python, "import sys, os; print(os.path.dirname(os.path.realpath(sys.executable)))")?;
    pip.arg("--no-cache-dir").args(wanted).env("PATH", format!("{bin}:/usr/sbin:/usr/bin:/sbin:/bin"));
    // What is linked with libpython needs the way to one outside the system's folders.
    let library = python_says(python, "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))")?;
    let out = pip.env("LDFLAGS", format!("-Wl,-rpath,{library}")).output().context("cannot run pip")?;
    if !out.status.success() {
        // The last line is about what was to be installed; those before it about the index, or about the compiler.
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        eprint!("{text}");
        let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
        bail!("pip cannot install {}: {}", wanted.join(" "), last.trim());
    }
    Ok(())
}

/// Builds mod_wsgi in the virtual environment unless it is there.
fn mod_wsgi(python: &Path, home: &Path) -> Result<PathBuf> {
    if module_of(home).is_err() {
        println!("building mod_wsgi {MOD_WSGI}");
        pip(python, home, &[&format!("mod_wsgi=={MOD_WSGI}")])?;
    }
    module_of(home)
}

fn module_of(home: &Path) -> Result<PathBuf> {
    let mut ask = Command::new(home.join("bin/python"));
    ask.args(["-m", "mod_wsgi.express.cli", "module-location"]).stderr(std::process::Stdio::null());
    let out = ask.output().with_context(|| format!("cannot run the Python of {}", home.display()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    if !path.is_file() {
        bail!("{} does not say where the module of mod_wsgi is", home.display());
    }
    Ok(path)
}

/// `3.11.2` and the like.
pub fn python_version(python: &Path) -> Result<String> {
    python_says(python, "import platform; print(platform.python_version())")
}

fn python_says(python: &Path, code: &str) -> Result<String> {
    Ok(run::output(Command::new(python).args(["-I", "-c", code]))?.trim().to_owned())
}

/// Where a virtual environment keeps its packages.
pub fn purelib(python: &Path) -> Result<String> {
    python_says(python, "import sysconfig; print(sysconfig.get_path('purelib'))")
}

/// The versions of packages in the virtual environments of these servers, `name version` each.
pub fn versions(installed: &Installed, peers: &[Peer]) -> Result<Vec<String>> {
    let code = "
from importlib.metadata import distributions
names = {'gunicorn', 'uwsgi', 'granian', 'waitress', 'bjoern', 'django', 'mod-wsgi', 'mod_wsgi'}
for found in sorted(f'{d.name} {d.version}' for d in distributions() if d.name.lower() in names):
    print(found)";
    let mut versions = BTreeSet::new();
    for peer in peers {
        let python = installed.program(*peer, "python");
        // One that could not be installed is told elsewhere.
        if python.is_file() {
            versions.extend(python_says(&python, code)?.lines().map(str::to_owned));
        }
    }
    Ok(versions.into_iter().collect())
}

/// Puts the application and the files it serves into a server's folder. The files have no holes: they are read as any other.
pub fn application(application: Application, folder: &Path) -> Result<()> {
    let source = match application {
        Application::Small => include_str!("../app/small.py"),
        Application::Site => include_str!("../app/site_with_django.py"),
    };
    std::fs::write(folder.join(format!("{}.py", application.module())), source)?;
    std::fs::write(folder.join("application.wsgi"), source)?;
    std::fs::write(folder.join("with_mod_python.py"), include_str!("../app/with_mod_python.py"))?;
    let import = format!("from {} import application\n", application.module());
    std::fs::write(folder.join("passenger_wsgi.py"), import)?;
    if application == Application::Small {
        std::fs::write(folder.join("hello"), "Hello, world!\n")?;
        std::fs::write(folder.join("page"), "0123456789abcdef".repeat(4096))?;
        for size in Work::ALL.iter().filter(|work| matches!(work, Work::File(_))).map(|work| work.transfer())
        {
            blob(&folder.join(format!("blob{size}")), size)?;
        }
    }
    Ok(())
}

fn blob(path: &Path, size: u64) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let block: Vec<u8> = (0..1_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    for _ in 0..size / 1_000_000 {
        file.write_all(&block)?;
    }
    Ok(file.flush()?)
}
