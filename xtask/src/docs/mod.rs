//! `cargo xtask docs`: the parts of the documentation that sources decide. `directives` writes the reference from the tables that
//! the module reads configuration by; `errors` writes what log codes mean; `promises` writes which tests prove what.

mod directives;
mod errors;
mod promises;

use anyhow::{Context, Result};

use crate::gates::Source;
use crate::workspace::Workspace;

/// Writes all pages.
pub fn run() -> Result<()> {
    let workspace = Workspace::find()?;
    let sources = crate::gates::sources(&workspace)?;
    for (path, text) in pages(&workspace, &sources)? {
        std::fs::write(workspace.root.join(path), text).with_context(|| format!("cannot write {path}"))?;
        println!("written: {path}");
    }
    Ok(())
}

/// A sentence for each page that is not what the sources make of it, and for each promise without a test or a name.
pub fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<String>> {
    let mut broken = promises::check(workspace, sources)?;
    for (path, text) in pages(workspace, sources)? {
        if std::fs::read_to_string(workspace.root.join(path)).unwrap_or_default() != text {
            broken.push(format!("{path} is not what the sources say: run `cargo xtask docs`"));
        }
    }
    Ok(broken)
}

fn pages(workspace: &Workspace, sources: &[Source]) -> Result<[(&'static str, String); 3]> {
    Ok([
        (directives::PAGE, directives::page()?),
        (errors::PAGE, errors::page()?),
        (promises::PAGE, promises::page(workspace, sources)?),
    ])
}
