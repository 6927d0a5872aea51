//! The two servers that are compared: where their module comes from and the lines that only one of them has.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run;
use crate::workspace::Workspace;

/// The release of mod_wsgi that is compared with: the one that the tests compare with.
pub const MOD_WSGI: &str = include_str!("../../../tests/kit/mod_wsgi-version").trim_ascii();

/// One of the servers.
pub enum Peer {
    /// The release files in this folder, with this Python.
    Ours { dist: PathBuf, python: PathBuf },
    /// mod_wsgi, built for a Python of its own.
    ModWsgi { module: PathBuf },
}

impl Peer {
    /// What a person calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ours { .. } => "ours",
            Self::ModWsgi { .. } => "mod_wsgi",
        }
    }

    /// The files to copy to where Apache and its workers can read them; the first is the module.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Ours { dist, .. } => ["mod_wsgi.so", "wsgi-supervisor", "_wsgi_runtime.abi3.so"]
                .map(|file| dist.join(file))
                .to_vec(),
            Self::ModWsgi { module } => vec![module.clone()],
        }
    }

    /// What the definition of the process group says beyond the shared options.
    pub fn options(&self) -> String {
        match self {
            Self::Ours { python, .. } => format!(" python={}", python.display()),
            Self::ModWsgi { .. } => String::new(),
        }
    }
}

/// Our release files; fails with what to do when they are not built.
pub fn ours(workspace: &Workspace) -> Result<PathBuf> {
    let dist = workspace.dist();
    if !dist.join("mod_wsgi.so").is_file() {
        bail!("{} has no mod_wsgi.so: run `cargo xtask dist` first", dist.display());
    }
    Ok(dist)
}

/// Installs mod_wsgi from PyPI into a virtual environment of the chosen Python, unless that was done before.
pub fn build_mod_wsgi(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let version = python_version(python)?;
    let folder = workspace.target.join("peers").join(format!("mod_wsgi-{MOD_WSGI}-python{version}"));
    let inside = folder.join("bin/python");
    if module_of(&inside).is_err() {
        println!("building mod_wsgi {MOD_WSGI} for Python {version} in {}", folder.display());
        run::check(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut pip = Command::new(&inside);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]);
        pip.arg("--no-cache-dir").arg(format!("mod_wsgi=={MOD_WSGI}"));
        // The build must find this Python's own configuration, not that of a version manager in PATH.
        let bin =
            python_says(python, "import sys, os; print(os.path.dirname(os.path.realpath(sys.executable)))")?;
        pip.env("PATH", format!("{bin}:/usr/sbin:/usr/bin:/sbin:/bin"));
        // mod_wsgi links libpython by name; a Python outside the system's folders needs the way to it in the module.
        let library = python_says(python, "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))")?;
        run::check(pip.env("LDFLAGS", format!("-Wl,-rpath,{library}")))?;
    }
    module_of(&inside)
}

fn module_of(python: &Path) -> Result<PathBuf> {
    let mut ask = Command::new(python);
    ask.args(["-m", "mod_wsgi.express.cli", "module-location"]).stderr(std::process::Stdio::null());
    let out = ask.output().with_context(|| format!("cannot run {}", python.display()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    if !path.is_file() {
        bail!("{} does not say where the module of mod_wsgi is", python.display());
    }
    Ok(path)
}

/// The program behind wrappers such as pyenv's.
pub fn real_python(python: &Path) -> Result<PathBuf> {
    python_says(python, "import sys; print(sys.executable)").map(PathBuf::from)
}

/// `3.11.2` and the like.
pub fn python_version(python: &Path) -> Result<String> {
    python_says(python, "import platform; print(platform.python_version())")
}

fn python_says(python: &Path, code: &str) -> Result<String> {
    Ok(run::output(Command::new(python).args(["-I", "-c", code]))?.trim().to_owned())
}
