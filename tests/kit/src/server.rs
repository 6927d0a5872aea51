//! The server under test: our four files, or mod_wsgi from PyPI, so that one suite runs against both.

use crate::cache;
use crate::pythons::Python;
use crate::run;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The release of mod_wsgi that behaviour is compared with.
pub const PEER_VERSION: &str = include_str!("../mod_wsgi-version").trim_ascii();

/// What `cargo xtask dist` makes and a user installs.
pub const DIST_FILES: [&str; 4] = ["mod_wsgi.so", "wsgi-supervisor", "_wsgi_runtime.abi3.so", "wsgictl"];

/// Which implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This project.
    Ours,
    /// Graham Dumpleton's mod_wsgi.
    ModWsgi,
}

/// An implementation that Apache can load here.
#[derive(Debug, Clone)]
pub struct Server {
    /// Which one.
    pub kind: Kind,
    /// The file for `LoadModule wsgi_module`.
    pub module: PathBuf,
    /// A Python home that every worker user can read and that fits the module.
    pub python_home: PathBuf,
}

impl Server {
    /// The one that `SERVER_UNDER_TEST` names: `ours` (also when unset) or `mod_wsgi`. `Err` is a reason to skip.
    ///
    /// # Panics
    /// When ours is asked for and not built: a suite that skips everything must not look green.
    pub fn under_test() -> Result<Self, String> {
        static FOUND: OnceLock<Result<Server, String>> = OnceLock::new();
        FOUND
            .get_or_init(|| match kind() {
                Kind::Ours => Self::ours(),
                Kind::ModWsgi => Self::mod_wsgi(),
            })
            .clone()
    }

    /// Ours.
    ///
    /// # Panics
    /// When the files are not there.
    pub fn ours() -> Result<Self, String> {
        let home = Python::default_for_tests()?.home()?;
        let dist = readable_dist();
        Ok(Self { kind: Kind::Ours, module: dist.join("mod_wsgi.so"), python_home: home })
    }

    /// mod_wsgi, built from PyPI the first time; needs Apache's and Python's development files.
    pub fn mod_wsgi() -> Result<Self, String> {
        let python = Python::default_for_tests()?;
        if !python.has_headers() {
            return Err(format!("mod_wsgi cannot be built: Python 3.{} has no headers here", python.minor));
        }
        let name = format!("mod_wsgi-{PEER_VERSION}");
        let home = python.home_with(&name, &[&format!("mod_wsgi=={PEER_VERSION}")])?;
        let location = run(Command::new(home.join("bin/mod_wsgi-express")).arg("module-location"))?;
        Ok(Self { kind: Kind::ModWsgi, module: PathBuf::from(location.trim()), python_home: home })
    }

    /// The folder with the companions of the module.
    pub fn dist(&self) -> &Path {
        self.module.parent().expect("the module is a file in a folder")
    }

    /// The file of ours called `name`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dist().join(name)
    }
}

/// What `SERVER_UNDER_TEST` asks for.
pub fn kind() -> Kind {
    match std::env::var("SERVER_UNDER_TEST").as_deref() {
        Err(_) | Ok("" | "ours") => Kind::Ours,
        Ok("mod_wsgi") => Kind::ModWsgi,
        Ok(other) => panic!("SERVER_UNDER_TEST={other}: it is `ours` or `mod_wsgi`"),
    }
}

/// The expectation for the server under test, where the two rightly differ.
pub fn pick<T>(ours: T, mod_wsgi: T) -> T {
    match kind() {
        Kind::Ours => ours,
        Kind::ModWsgi => mod_wsgi,
    }
}

/// The built files: `WSGI_DIST`, else `target/dist` of the main workspace.
fn built_dist() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/dist");
    let dir = std::env::var_os("WSGI_DIST").map_or(beside, PathBuf::from);
    for name in DIST_FILES {
        let file = dir.join(name);
        assert!(file.is_file(), "{} is missing: run `cargo xtask dist`, or set WSGI_DIST", file.display());
    }
    dir
}

/// A copy of the built files that workers of any user can read; one for each state of the files.
fn readable_dist() -> PathBuf {
    let built = built_dist();
    let stamp = DIST_FILES.map(|name| {
        let meta = fs::metadata(built.join(name)).expect("was there a moment ago");
        let changed = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        format!("{:x}.{:x}", meta.len(), changed.map_or(0, |span| span.as_micros()))
    });
    let made = cache::once(&format!("dist/{}", stamp.join("-")), |path| {
        fs::create_dir_all(path).map_err(|error| error.to_string())?;
        copy_dist(&built, path)
    });
    made.unwrap_or_else(|error| panic!("cannot copy {}: {error}", built.display()))
}

/// Copies the four files of `from` into `to`, readable and executable for all.
pub fn copy_dist(from: &Path, to: &Path) -> Result<(), String> {
    for name in DIST_FILES {
        let target = to.join(name);
        fs::copy(from.join(name), &target).map_err(|error| format!("{}: {error}", target.display()))?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    }
    Ok(())
}
