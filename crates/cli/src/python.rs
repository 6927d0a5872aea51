//! The site's Python: which one, asked by running it as the site's user. Root never runs a program that a site may have written.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::account::Account;
use crate::error::{Error, Result, reason};

/// The oldest version the runtime extension loads into.
const OLDEST: (u32, u32) = (3, 10);

/// What a Python says about itself and about the files its worker will open.
#[derive(Debug, Deserialize)]
pub struct Python {
    /// Its program, without wrappers such as pyenv's.
    pub executable: PathBuf,
    /// Major, minor and patch version.
    pub version: (u32, u32, u32),
    implementation: String,
    unreadable: Vec<(PathBuf, String)>,
}

/// Prints the answer as JSON; the arguments are files to open. Each may be one that only root can read.
const QUESTION: &str = r"
import json, sys
unreadable = []
for path in sys.argv[1:]:
    try:
        open(path, 'rb').close()
    except OSError as error:
        unreadable.append((path, error.strerror.lower()))
print(json.dumps({'executable': sys.executable, 'version': sys.version_info[:3],
                  'implementation': sys.implementation.name, 'unreadable': unreadable}))
";

/// What named the Python: part of every sentence about it.
pub struct Choice {
    /// The option, or where the default came from.
    pub what: &'static str,
    /// The program to ask.
    pub program: PathBuf,
}

/// The Python of the options, else that of the active virtual environment, else `python3`.
pub fn choose(python: Option<&Path>, home: Option<&Path>) -> Result<Choice> {
    if let Some(program) = python {
        return Ok(Choice { what: "--python", program: absolute(program) });
    }
    if let Some(home) = home {
        let program = absolute(home).join("bin/python");
        return Ok(Choice { what: "--python-home:", program });
    }
    if let Some(home) = std::env::var_os("VIRTUAL_ENV") {
        return Ok(Choice { what: "VIRTUAL_ENV:", program: Path::new(&home).join("bin/python") });
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join("python3")).find(|file| file.is_file());
    found.map(|program| Choice { what: "the python3 of PATH,", program }).ok_or(Error::NoPython)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Asks the Python, as the account, about itself and whether it can read these files. `files` are what a worker opens first.
pub fn ask(choice: &Choice, account: Option<&Account>, files: &[&Path]) -> Result<Python> {
    let bad = |why: String| Error::BadPython { what: choice.what, path: choice.program.clone(), why };
    let mut command = Command::new(&choice.program);
    command.args(["-I", "-c", QUESTION]).args(files).stdin(Stdio::null()).current_dir("/");
    if let Some(account) = account {
        // With a uid, std drops root's supplementary groups too.
        command.uid(account.uid).gid(account.gid);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    }
    let who = account.map_or(String::new(), |account| format!(" as {}", account.user));
    let out = command.output().map_err(|error| {
        bad(format!("it cannot be run{who}: {}; name another with --python or --python-home", reason(&error)))
    })?;
    let answer: Option<Python> = serde_json::from_slice(&out.stdout).ok();
    let Some(answer) = answer else {
        let said = String::from_utf8_lossy(&out.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(bad(format!(
            "it does not run Python code{who} ({last}); name another Python with --python"
        )));
    };
    judge(choice, answer, account)
}

fn judge(choice: &Choice, answer: Python, account: Option<&Account>) -> Result<Python> {
    let bad = |why: String| Error::BadPython { what: choice.what, path: choice.program.clone(), why };
    let (major, minor, patch) = answer.version;
    if (major, minor) < OLDEST {
        return Err(bad(format!(
            "it is Python {major}.{minor}.{patch}; {}.{} or newer is needed: name another one with --python",
            OLDEST.0, OLDEST.1
        )));
    }
    if answer.implementation != "cpython" {
        return Err(bad(format!(
            "it is {}; only CPython can run a site here: name another one with --python",
            answer.implementation
        )));
    }
    if let Some((path, why)) = answer.unreadable.first() {
        let who = account.map_or("you", |account| account.user.as_str());
        let why = format!("{who} cannot read it: {why}; every folder above it must let {who} through, too");
        return Err(Error::BadPath { what: "the file", path: path.clone(), why });
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(version: (u32, u32, u32), implementation: &str) -> Python {
        let implementation = implementation.to_owned();
        Python { executable: "/usr/bin/python3".into(), version, implementation, unreadable: Vec::new() }
    }

    fn choice() -> Choice {
        Choice { what: "--python", program: "/opt/python".into() }
    }

    #[test]
    fn an_old_python_is_refused_with_both_versions() {
        let error = judge(&choice(), answer((3, 9, 18), "cpython"), None).unwrap_err().to_string();
        assert_eq!(
            error,
            "--python /opt/python: it is Python 3.9.18; 3.10 or newer is needed: name another one with --python"
        );
    }

    #[test]
    fn another_implementation_is_refused() {
        assert!(judge(&choice(), answer((3, 11, 0), "pypy"), None).is_err());
    }

    #[test]
    fn a_file_that_the_site_cannot_read_is_named() {
        let mut python = answer((3, 11, 0), "cpython");
        python.unreadable.push(("/root/a.wsgi".into(), "permission denied".into()));
        let error = judge(&choice(), python, None).unwrap_err().to_string();
        assert!(error.starts_with("the file /root/a.wsgi: you cannot read it: permission denied"), "{error}");
    }
}
