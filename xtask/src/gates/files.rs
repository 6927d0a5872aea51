//! Rules about single source files: size, first line, open ends, and which crates forbid unsafe code.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::run;
use crate::workspace::Workspace;

/// No file is longer.
const LINES: usize = 400;
/// The crates that may hold unsafe blocks. The libraries and programs of all others forbid them.
const UNSAFE: [&str; 4] = ["httpd-sys", "httpd", "python", "unix"];

/// A source file of the repository.
pub struct Source {
    /// Path below the checkout, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// The folder below `crates/` that the file is in.
    pub fn krate(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether the file is generated from httpd's headers rather than written.
    fn generated(&self) -> bool {
        self.path == "crates/httpd-sys/src/bindings.rs"
    }

    /// Whether the file is Rust of a crate rather than of its tests.
    pub fn ships(&self) -> bool {
        let tests = |part: &str| part == "tests" || part == "tests.rs" || part.ends_with("_tests.rs");
        self.krate().is_some_and(|krate| self.path.starts_with(&format!("crates/{krate}/src/")))
            && self.path.ends_with(".rs")
            && !self.path.split('/').any(tests)
    }

    /// The lines, with their numbers, without comments and without the tests at the file's end.
    pub fn shipped_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(at, line)| {
            let comment = line.trim_start().starts_with("//");
            (at + 1, if comment { "" } else { line.split(" // ").next().unwrap_or_default() })
        })
    }
}

/// The Rust and Python files that git tracks or would track.
pub fn sources(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard", "--", "*.rs", "*.py", "*.wsgi"]);
    let list = run::output(git.current_dir(&workspace.root))?;
    let mut sources = Vec::new();
    for path in list.lines() {
        let file: PathBuf = workspace.root.join(path);
        if file.is_file() {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {path}"))?;
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}

/// The rules that one file breaks.
pub fn check(source: &Source) -> Vec<String> {
    let mut broken = Vec::new();
    let path = &source.path;
    let rust = path.ends_with(".rs");
    let lines = source.text.lines().count();
    if lines > LINES && !source.generated() {
        broken.push(format!(
            "{path} has {lines} lines; {LINES} are allowed: split it by what its parts are for"
        ));
    }
    if rust && !source.text.starts_with("//! ") {
        broken.push(format!("{path} does not open with a `//!` line that says what lives in it"));
    }
    for (number, line) in source.text.lines().enumerate() {
        // Split so that this line is not one of them.
        for mark in
            [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("allow(dead", "_code")]
        {
            if line.contains(mark) {
                broken.push(format!("{path}:{} says {mark}: finish it or take it out", number + 1));
            }
        }
    }
    broken
}

/// The crate roots that ought to forbid unsafe code and do not.
pub fn check_roots(workspace: &Workspace, sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in workspace.packages() {
        let name = package["name"].as_str().unwrap_or_default();
        if UNSAFE.contains(&name) {
            continue;
        }
        for target in package["targets"].as_array().into_iter().flatten() {
            let kinds: Vec<&str> =
                target["kind"].as_array().into_iter().flatten().filter_map(|k| k.as_str()).collect();
            if kinds.iter().any(|kind| ["test", "bench", "example", "custom-build"].contains(kind)) {
                continue;
            }
            let Some(path) = target["src_path"].as_str() else { continue };
            let root = format!("{}/", workspace.root.display());
            let path = path.strip_prefix(&root).unwrap_or(path);
            let source = sources.iter().find(|s| s.path == path);
            if source.is_some_and(|s| !s.text.contains("#![forbid(unsafe_code)]")) {
                broken.push(format!(
                    "{path} is the root of `{name}`, which needs no unsafe: add `#![forbid(unsafe_code)]`"
                ));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_short_file_that_says_what_it_holds_passes() {
        assert!(check(&source("crates/wire/src/lib.rs", "//! Frames.\nfn f() {}\n")).is_empty());
    }

    #[test]
    fn each_rule_is_one_sentence() {
        let long = format!("fn f() {{}}\n// {}DO\n{}", "TO", "\n".repeat(LINES));
        let broken = check(&source("crates/wire/src/lib.rs", &long));
        assert_eq!(broken.len(), 3, "{broken:?}");
        assert!(broken[2].starts_with("crates/wire/src/lib.rs:2 says "));
    }
}
