//! The machine's side of an example site: which Python, which user, a virtual environment with Django.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use nix::unistd::{Gid, Uid, User};

use crate::run;

/// The oldest Python that the runtime extension loads into.
const OLDEST: (u32, u32) = (3, 10);

/// Whom a site's programs run as. `None` = whoever runs this.
#[derive(Debug, Clone)]
pub struct Account {
    /// The login name.
    pub name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Looks the name up.
    pub fn named(name: &str) -> Result<Option<Self>> {
        let user = User::from_name(name).with_context(|| format!("cannot look up the user {name}"))?;
        Ok(user.map(|u| Self { name: u.name, uid: u.uid, gid: u.gid }))
    }

    /// Gives a file or folder to the account.
    pub fn own(&self, path: &Path) -> Result<()> {
        nix::unistd::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to {}", path.display(), self.name))
    }
}

/// A command that runs as the account, with an environment of its own. `std` drops the supplementary groups of root too.
pub fn command_as(account: Option<&Account>, program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

/// The first Python that is new enough and that the account can run: the system's, else what `PATH` has.
pub fn python(account: Option<&Account>) -> Result<PathBuf> {
    let candidates = [Some(PathBuf::from("/usr/bin/python3")), run::which("python3")];
    for candidate in candidates.into_iter().flatten() {
        let test = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST:?})");
        if run::succeeds(command_as(account, &candidate).args(["-I", "-c", &test])) {
            return Ok(candidate);
        }
    }
    bail!(
        "no Python {}.{} or newer was found; install one: apt-get install python3 python3-venv",
        OLDEST.0,
        OLDEST.1
    )
}

/// A virtual environment with what the site's list names, made in `folder` unless it is there already and works.
pub fn venv(python: &Path, folder: &Path, requirements: &Path) -> Result<PathBuf> {
    let inside = folder.join("bin/python");
    if !run::succeeds(Command::new(&inside).args(["-I", "-c", "import django"])) {
        println!("making a virtual environment with Django in {}", folder.display());
        run::check(Command::new(python).args(["-m", "venv", "--clear"]).arg(folder))?;
        let mut pip = Command::new(&inside);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--only-binary",
            ":all:",
        ]);
        run::check(pip.arg("--root-user-action=ignore").arg("-r").arg(requirements))?;
    }
    Ok(inside)
}

/// Copies a folder of plain files and folders, replacing files that are there; everybody may read the copies. Links and caches are
/// left out.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    std::fs::set_permissions(to, PermissionsExt::from_mode(0o755))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() && entry.file_name() != "__pycache__" && entry.file_name() != "var" {
            copy_tree(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)
                .with_context(|| format!("cannot write {}", target.display()))?;
            std::fs::set_permissions(&target, PermissionsExt::from_mode(0o644))?;
        }
    }
    Ok(())
}
