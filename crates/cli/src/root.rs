//! The private server root: a folder with the configuration, the logs and the sockets of one server.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::error::{Doing, Error, Result};

/// A server root; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct ServerRoot {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl ServerRoot {
    /// The folder given, which is kept, else a temporary one with an unguessable name.
    ///
    /// Root's is passable for others (0711), because the workers' sockets are below it; nobody else can list it.
    pub fn create(given: Option<&Path>) -> Result<Self> {
        let mode = if geteuid().is_root() { 0o711 } else { 0o700 };
        let root = match given {
            Some(path) => {
                let path = std::path::absolute(path).doing("find", path)?;
                make(&path, mode)?;
                Self { path, temporary: None }
            }
            None => {
                let built = tempfile::Builder::new().prefix("wsgictl-").tempdir();
                let temporary = built.doing("create a folder in", &std::env::temp_dir())?;
                let path = temporary.path().to_path_buf();
                std::fs::set_permissions(&path, Permissions::from_mode(mode))
                    .doing("change the mode of", &path)?;
                Self { path, temporary: Some(temporary) }
            }
        };
        make(&root.path.join("run"), mode)?;
        make(&root.path.join("htdocs"), mode)?;
        make(&root.path.join("logs"), 0o700)?;
        Ok(root)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder goes when the server ends.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// Apache's error log.
    pub fn error_log(&self) -> PathBuf {
        self.path.join("logs/error.log")
    }

    /// Whether a supervisor still has its folder of sockets here.
    pub fn has_sockets(&self) -> bool {
        let entries = std::fs::read_dir(self.path.join("run")).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("wsgi."))
    }
}

/// Creates a folder, or takes one that is ours alone: what others can write to, they can replace under a running server.
fn make(path: &Path, mode: u32) -> Result<()> {
    let bad =
        |why: String| Error::BadPath { what: "--server-root: the folder", path: path.to_path_buf(), why };
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let found = std::fs::symlink_metadata(path).doing("look at", path)?;
            if !found.is_dir() {
                return Err(bad(
                    "it is no folder; name one that is yours, or one that does not exist yet".to_owned()
                ));
            }
            if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
                return Err(bad(
                    "others own it or may write to it; name one that only you may write to".to_owned()
                ));
            }
        }
        Err(source) => return Err(source).doing("create", path),
    }
    std::fs::set_permissions(path, Permissions::from_mode(mode)).doing("change the mode of", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_root_goes_away() {
        let root = ServerRoot::create(None).unwrap();
        let path = root.path().to_path_buf();
        assert!(path.join("run").is_dir() && !root.has_sockets());
        drop(root);
        assert!(!path.exists());
    }

    #[test]
    fn st_2_a_root_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(ServerRoot::create(Some(&open)).unwrap_err().to_string().contains("others own it"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(ServerRoot::create(Some(&link)).unwrap_err().to_string().contains("it is no folder"));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(ServerRoot::create(Some(&file)).is_err());
    }
}
