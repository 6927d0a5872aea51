//! The Python interpreters of this machine, made readable for site users, and virtual environments of them.

use crate::{cache, run};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The minor versions of Python 3 the product supports.
pub const SUPPORTED: std::ops::RangeInclusive<u8> = 10..=14;

/// An interpreter every user of this machine may run.
#[derive(Debug, Clone)]
pub struct Python {
    /// Minor version: 12 for Python 3.12.
    pub minor: u8,
    /// Its executable.
    pub executable: PathBuf,
}

impl Python {
    /// Finds Python 3.`minor`; one that only root can read is copied into the cache.
    pub fn version(minor: u8) -> Result<Self, String> {
        let found = candidates(minor).into_iter().find(|path| path.exists());
        let found = found.ok_or_else(|| format!("no Python 3.{minor} is installed"))?;
        let real = fs::canonicalize(&found).map_err(|error| error.to_string())?;
        let executable = if readable_by_all(&real) { found } else { readable_copy(minor, &real)? };
        Ok(Self { minor, executable })
    }

    /// The Python tests use when they need just one: the version `TEST_PYTHON` names (`3.12`), else the system's, else the newest.
    pub fn default_for_tests() -> Result<Self, String> {
        if let Ok(wanted) = std::env::var("TEST_PYTHON") {
            let minor = wanted.strip_prefix("3.").and_then(|minor| minor.parse().ok());
            return Self::version(minor.ok_or_else(|| format!("TEST_PYTHON={wanted}: write it like 3.12"))?);
        }
        let system = SUPPORTED.rev().find(|minor| Path::new(&format!("/usr/bin/python3.{minor}")).exists());
        match system {
            Some(minor) => Self::version(minor),
            None => Self::all().pop().ok_or_else(|| "no Python from 3.10 on is installed".to_owned()),
        }
    }

    /// Every supported version that can be had here, oldest first.
    pub fn all() -> Vec<Self> {
        SUPPORTED.filter_map(|minor| Self::version(minor).ok()).collect()
    }

    /// A virtual environment without any package; what `python-home=` of a test names.
    pub fn home(&self) -> Result<PathBuf, String> {
        cache::once(&format!("venv-3.{}", self.minor), |path| self.make_venv(path, &["--without-pip"]))
    }

    /// A virtual environment of this test alone, at `path`: for tests that put something into it.
    pub fn private_venv(&self, path: &Path) -> Result<(), String> {
        self.make_venv(path, &["--without-pip"])
    }

    /// A virtual environment called `name` with packages from PyPI.
    pub fn home_with(&self, name: &str, requirements: &[&str]) -> Result<PathBuf, String> {
        let wanted = fingerprint(requirements);
        cache::once(&format!("venv-3.{}-{name}-{wanted:08x}", self.minor), |path| {
            self.make_venv(path, &[])?;
            // No cache: pip would take what it once built for another installation of the same version.
            let pip = ["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"];
            // What a package builds must find this Python's own configuration, not that of a version manager in PATH.
            let tools = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            run(Command::new(path.join("bin/python")).args(pip).args(requirements).env("PATH", tools))
                .map(drop)
        })
    }

    /// Whether an extension or an embedding program can be built for it here.
    pub fn has_headers(&self) -> bool {
        let code = "import sysconfig; print(sysconfig.get_path('include'))";
        let include = run(Command::new(&self.executable).args(["-c", code]));
        include.is_ok_and(|dir| Path::new(dir.trim()).join("Python.h").exists())
    }

    fn make_venv(&self, path: &Path, options: &[&str]) -> Result<(), String> {
        run(Command::new(&self.executable).args(["-m", "venv"]).args(options).arg(path)).map(drop)
    }
}

/// Other requirements make another environment: the words, and what is in the files they name.
fn fingerprint(requirements: &[&str]) -> u32 {
    let mut hasher = DefaultHasher::new();
    for word in requirements {
        word.hash(&mut hasher);
        fs::read(word).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish() as u32
}

fn candidates(minor: u8) -> Vec<PathBuf> {
    let name = format!("python3.{minor}");
    let mut found = vec![PathBuf::from("/usr/bin").join(&name), PathBuf::from("/usr/local/bin").join(&name)];
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map_or_else(|| home.join(".pyenv"), PathBuf::from);
    let Ok(versions) = fs::read_dir(pyenv.join("versions")) else { return found };
    let prefix = format!("3.{minor}.");
    let mut dirs: Vec<PathBuf> = versions.flatten().map(|entry| entry.path()).collect();
    dirs.retain(|dir| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)));
    dirs.sort();
    found.extend(dirs.into_iter().rev().map(|dir| dir.join("bin").join(&name)));
    found
}

fn readable_by_all(path: &Path) -> bool {
    path.ancestors()
        .all(|part| fs::metadata(part).is_ok_and(|meta| meta.permissions().mode() & 0o005 == 0o005))
}

/// Copies an installation (not what is installed into it, nor Python's own tests) to a place all may read.
fn readable_copy(minor: u8, executable: &Path) -> Result<PathBuf, String> {
    let prefix = executable.parent().and_then(Path::parent).ok_or("an interpreter outside any bin folder")?;
    let copy = cache::once(&format!("python-3.{minor}"), |path| {
        fs::create_dir_all(path).map_err(|error| error.to_string())?;
        let without = ["test", "site-packages/*", "idlelib", "config-*"]
            .map(|part| format!("--exclude=./lib/python3.{minor}/{part}"))
            .join(" ");
        let tar = format!("tar {without} --exclude=./share -cf - . | tar --no-same-owner -xf - -C \"$0\"");
        run(Command::new("sh").current_dir(prefix).args(["-ec", &tar]).arg(path))?;
        point_at_own_library(&path.join(format!("bin/python3.{minor}")))
    })?;
    Ok(copy.join(format!("bin/python3.{minor}")))
}

/// A Python built with `--enable-shared` remembers where its library was; the copy must use the copied one.
fn point_at_own_library(executable: &Path) -> Result<(), String> {
    let program = |args: &[&str]| run(Command::new("patchelf").args(args).arg(executable));
    let path = program(&["--print-rpath"])
        .map_err(|error| format!("patchelf is needed to copy a Python: {error}"))?;
    if path.trim().is_empty() {
        return Ok(());
    }
    program(&["--set-rpath", "$ORIGIN/../lib"]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_python_can_be_run_by_everybody() {
        let nobody = crate::users::am_root().then(|| crate::Account::named("nobody").expect("nobody exists"));
        for python in Python::all() {
            let home = python.home().expect("a virtual environment can be made");
            let mut command = match &nobody {
                Some(nobody) => {
                    let mut command = Command::new("setpriv");
                    command.args([format!("--reuid={}", nobody.uid), format!("--regid={}", nobody.gid)]);
                    command.arg("--clear-groups").arg(home.join("bin/python"));
                    command
                }
                None => Command::new(home.join("bin/python")),
            };
            let code = "import ssl, sqlite3, ctypes, sys; print(sys.version_info[1], sys.prefix)";
            let said = run(command.args(["-c", code]).current_dir("/").env("HOME", "/nonexistent"));
            assert_eq!(said, Ok(format!("{} {}\n", python.minor, home.display())));
        }
    }
}
