//! What decides about counts besides the source. Measured: the same files took 1 % more where callgrind was made to offer a
//! processor without AVX2, as glibc then copies memory otherwise; each Python has counts of its own for what it does itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::reference::Machine;
use crate::run;

/// Supported minor versions of Python 3.
const MINORS: std::ops::RangeInclusive<u32> = 10..=14;

/// The facts about this machine.
pub fn facts(root: &Path) -> Result<Machine> {
    let rustc = run::output(Command::new("rustc").arg("-vV").current_dir(root))?;
    let line = |name: &str| {
        let found = rustc.lines().find_map(|line| line.strip_prefix(name));
        found
            .map(|value| value.trim().to_owned())
            .with_context(|| format!("rustc does not tell its `{name}`"))
    };
    let said = |program: &str, word: &str| -> Result<String> {
        Ok(run::output(Command::new(program).arg(word))?.trim().to_owned())
    };
    let facts = [
        ("rustc", format!("{} ({})", line("release:")?, line("commit-hash:")?)),
        ("target", line("host:")?),
        ("C library", said("getconf", "GNU_LIBC_VERSION")?),
        ("valgrind", said("valgrind", "--version")?),
        ("vector instructions", vectors()),
    ];
    Ok(facts.into_iter().map(|(fact, value)| (fact.to_owned(), value)).collect())
}

/// The widest vectors of this processor that valgrind can offer to a program.
fn vectors() -> String {
    let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    ["avx2", "avx"].into_iter().find(|flag| has(flag)).unwrap_or("neither avx2 nor avx").to_owned()
}

/// A Python that is installed here.
#[derive(Debug, PartialEq, Eq)]
pub struct Python {
    /// Its program.
    pub program: PathBuf,
    /// `sys.version`: also when it was built and by which compiler.
    pub version: String,
}

/// Pythons of the system and of pyenv, oldest first.
pub fn pythons() -> Vec<Python> {
    let mut folders: Vec<PathBuf> = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from).into();
    let pyenv = std::env::home_dir().map(|home| home.join(".pyenv/versions"));
    let versions = pyenv.and_then(|path| path.read_dir().ok()).into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let names = |minor: u32| folders.iter().map(move |folder| folder.join(format!("python3.{minor}")));
    let mut found: Vec<Python> = Vec::new();
    for program in MINORS.flat_map(names).filter(|program| program.is_file()) {
        let code = "import sys; print(' '.join(sys.version.split()))";
        if let Ok(version) = run::output(Command::new(&program).args(["-I", "-c", code])) {
            let version = version.trim().to_owned();
            if found.iter().all(|known| known.version != version) {
                found.push(Python { program, version });
            }
        }
    }
    found
}
