//! `cargo xtask gates`: what neither rustfmt nor clippy checks. One sentence for each violation. How long a function may be is
//! clippy's business (`clippy.toml`).

mod codes;
mod deps;
mod files;
mod libraries;

pub use files::{Source, sources};

use anyhow::{Result, bail};

use crate::docs;
use crate::workspace::Workspace;

/// Checks all rules; fails when any is broken.
pub fn run() -> Result<()> {
    let workspace = Workspace::find()?;
    let sources = sources(&workspace)?;
    let mut broken = Vec::new();
    for source in &sources {
        broken.extend(files::check(source));
        broken.extend(deps::check_source(source));
    }
    broken.extend(codes::check(&sources));
    broken.extend(files::check_roots(&workspace, &sources));
    broken.extend(deps::check_manifests(&workspace));
    broken.extend(libraries::check(&workspace)?);
    broken.extend(docs::check(&workspace, &sources)?);
    for sentence in &broken {
        println!("{sentence}");
    }
    if !broken.is_empty() {
        bail!("{} gate violations in {} files", broken.len(), sources.len());
    }
    println!("gates: {} files keep the rules", sources.len());
    Ok(())
}
