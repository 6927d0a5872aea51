//! The private server root: a folder with the configuration, the logs and the sockets of one server.

use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::error::{Doing, Error, Result};

/// A server root; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub struct ServerRoot {
    path: PathBuf,
    temporary: Option<TempDir>,
    /// Locked as long as this server may use the folder. Not inherited by Apache.
    _lock: Option<Flock<File>>,
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
                let lock = lock(&path)?;
                Self { path, temporary: None, _lock: Some(lock) }
            }
            None => {
                let built = tempfile::Builder::new().prefix("wsgictl-").tempdir();
                let temporary = built.doing("create a folder in", &std::env::temp_dir())?;
                let path = temporary.path().to_path_buf();
                std::fs::set_permissions(&path, Permissions::from_mode(mode))
                    .doing("change the mode of", &path)?;
                Self { path, temporary: Some(temporary), _lock: None }
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

/// Takes the folder for this process alone, before anything in it is written: another server may run from it. The system frees
/// the lock when this process ends, however it ends; then Apache may still run, which its pid file tells.
fn lock(root: &Path) -> Result<Flock<File>> {
    let bad =
        |why: String| Error::BadPath { what: "--server-root: the folder", path: root.to_path_buf(), why };
    let path = root.join("wsgictl.lock");
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.doing("open", &path)?;
    let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((_, Errno::EWOULDBLOCK)) => {
            return Err(bad(
                "it is in use by another `wsgictl serve`; stop that one, or name another folder".to_owned(),
            ));
        }
        Err((_, error)) => return Err(error.into()).doing("lock", &path),
    };
    match running(root) {
        Some(pid) => Err(bad(format!(
            "it is in use by an Apache that a former `wsgictl serve` left behind; stop it with `kill {pid}`, or name another \
             folder"
        ))),
        None => Ok(lock),
    }
}

/// The Apache that still runs with this folder's configuration. A number in a pid file alone says little: it may be another
/// process's by now.
fn running(root: &Path) -> Option<u32> {
    let pid = std::fs::read_to_string(root.join("run/httpd.pid")).ok()?.trim().parse().ok()?;
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let config = root.join("httpd.conf");
    let config = config.as_os_str().as_bytes();
    arguments.split(|byte| *byte == 0).any(|argument| argument == config).then_some(pid)
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
    fn a_root_in_use_is_refused_until_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root");
        let first = ServerRoot::create(Some(&path)).unwrap();
        let error = ServerRoot::create(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("in use by another `wsgictl serve`"), "{error}");
        drop(first);
        // A pid file whose number is some other process's by now.
        std::fs::write(path.join("run/httpd.pid"), format!("{}\n", std::process::id())).unwrap();
        ServerRoot::create(Some(&path)).unwrap();
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
