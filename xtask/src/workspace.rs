//! Where things are: the checkout, the build folder, what `cargo metadata` knows. Nothing is built here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::run;

/// The checkout and the folder cargo builds into.
#[derive(Debug)]
pub struct Workspace {
    /// Folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder, which `CARGO_TARGET_DIR` may have moved.
    pub target: PathBuf,
    metadata: Value,
}

impl Workspace {
    /// Asks cargo. Fails where cargo cannot read the workspace.
    pub fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask has no parent folder")?.to_path_buf();
        Self::at(&root)
    }

    /// The workspace whose root is `root`.
    pub fn at(root: &Path) -> Result<Self> {
        let mut cargo = Command::new(cargo());
        cargo.args(["metadata", "--format-version=1", "--no-deps"]).current_dir(root);
        let text = run::output(&mut cargo)?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata printed no JSON")?;
        let target =
            metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
        Ok(Self { root: root.to_path_buf(), target: PathBuf::from(target), metadata })
    }

    /// Where the release files go.
    pub fn dist(&self) -> PathBuf {
        self.target.join("dist")
    }

    /// The packages of the workspace, as `cargo metadata` describes them.
    pub fn packages(&self) -> impl Iterator<Item = &Value> {
        self.metadata["packages"].as_array().into_iter().flatten()
    }
}

/// The cargo that runs this command.
pub fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}
