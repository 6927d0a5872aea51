//! `cargo xtask dist`: the four release files, stripped, in one folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run;
use crate::workspace::{Workspace, cargo};

/// One release file: the package that makes it, cargo's name of the target, the name it is installed under.
struct Part {
    package: &'static str,
    target: &'static str,
    file: &'static str,
}

const PARTS: [Part; 4] = [
    Part { package: "module", target: "mod_wsgi", file: "mod_wsgi.so" },
    Part { package: "supervisor", target: "wsgi-supervisor", file: "wsgi-supervisor" },
    Part { package: "runtime", target: "_wsgi_runtime", file: "_wsgi_runtime.abi3.so" },
    Part { package: "cli", target: "wsgictl", file: "wsgictl" },
];

/// Builds, copies and strips; prints the sizes. Returns the folder.
pub fn run() -> Result<PathBuf> {
    let workspace = Workspace::find()?;
    let built = build(&workspace, &[])?;
    let dist = workspace.dist();
    std::fs::create_dir_all(&dist).with_context(|| format!("cannot create {}", dist.display()))?;
    for part in &PARTS {
        let Some(from) = built.iter().find(|(name, _)| name == part.target).map(|(_, path)| path) else {
            bail!(
                "package `{}` builds no target `{}`, so there is no {}",
                part.package,
                part.target,
                part.file
            );
        };
        place(from, &dist.join(part.file))?;
    }
    println!("{}:", dist.display());
    for part in &PARTS {
        let size = std::fs::metadata(dist.join(part.file))?.len();
        println!("  {:<24}{:>8} KiB", part.file, size.div_ceil(1024));
    }
    Ok(dist)
}

/// Runs cargo and returns each target's name with the file it became. `more` are further arguments: which targets, when not those
/// that cargo builds by itself.
pub fn build(workspace: &Workspace, more: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let mut command = Command::new(cargo());
    command.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    for part in &PARTS {
        command.args(["--package", part.package]);
    }
    let out = command
        .args(more)
        .current_dir(&workspace.root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !out.status.success() {
        bail!("cargo could not build the release files ({})", out.status);
    }
    let text = String::from_utf8(out.stdout).context("cargo printed something that is no UTF-8")?;
    Ok(text.lines().filter_map(artifact).collect())
}

/// The target and file in one line of cargo's report; `None` for lines about anything but a program or a shared library.
/// <https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages>
fn artifact(line: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    let name = message["target"]["name"].as_str()?.to_owned();
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    let program = message["executable"].as_str().map(PathBuf::from);
    let file = program.or_else(|| files.into_iter().find(|f| f.extension().is_some_and(|e| e == "so")))?;
    Some((name, file))
}

/// Copies and strips beside the destination, then renames: a running server keeps the file it has mapped.
fn place(from: &Path, to: &Path) -> Result<()> {
    let new = to.with_extension("new");
    std::fs::copy(from, &new)
        .with_context(|| format!("cannot copy {} to {}", from.display(), new.display()))?;
    run::check(Command::new("strip").arg("--strip-unneeded").arg(&new))?;
    std::fs::rename(&new, to).with_context(|| format!("cannot rename {} to {}", new.display(), to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_library_and_a_program_are_found_in_cargos_report() {
        let library = r#"{"reason":"compiler-artifact","target":{"name":"mod_wsgi"},"executable":null,
            "filenames":["/t/libmod_wsgi.rlib","/t/libmod_wsgi.so"]}"#;
        assert_eq!(artifact(library), Some(("mod_wsgi".into(), "/t/libmod_wsgi.so".into())));
        let program = r#"{"reason":"compiler-artifact","target":{"name":"wsgictl"},"executable":"/t/wsgictl",
            "filenames":["/t/wsgictl"]}"#;
        assert_eq!(artifact(program), Some(("wsgictl".into(), "/t/wsgictl".into())));
        assert_eq!(artifact(r#"{"reason":"build-finished","success":true}"#), None);
    }
}
