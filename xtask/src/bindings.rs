//! `cargo xtask bindings`: `crates/httpd-sys/src/bindings.rs` anew, from the installed headers of httpd. Only a change of
//! `bindings/allow.txt` calls for it; no build does.

use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{packages, run};

/// Runs the generator after a look at what it needs.
pub fn run() -> Result<()> {
    if run::which("bindgen").is_none() {
        bail!(
            "the bindings are made by bindgen, which is not on PATH: cargo install bindgen-cli \
             (it needs libclang: apt-get install libclang-dev)"
        );
    }
    packages::need(&[&packages::APACHE_DEV])?;
    let workspace = Workspace::find()?;
    let script = workspace.root.join("crates/httpd-sys/bindings/generate.sh");
    run::check(&mut Command::new(&script))?;
    println!(
        "written: crates/httpd-sys/src/bindings.rs; compare it with the headers: cargo test -p httpd-sys"
    );
    Ok(())
}
