//! The place where things are kept that take long to make (Pythons, virtual environments, peers), made once for all test
//! processes. What is in them is decided by the callers.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of the cache: `MOD_WSGI_RS_CACHE`, else `/var/cache/mod-wsgi-rs-tests` for root (site users must be able to
/// read it), else `~/.cache/mod-wsgi-rs-tests`.
pub fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = match std::env::var_os("MOD_WSGI_RS_CACHE") {
            Some(dir) => PathBuf::from(dir),
            None if crate::users::am_root() => PathBuf::from("/var/cache/mod-wsgi-rs-tests"),
            None => {
                PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/mod-wsgi-rs-tests")
            }
        };
        fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("cannot make {}: {error}", dir.display()));
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).expect("the cache is ours");
        dir
    })
}

/// The folder `name` of the cache, filled by `make` the first time. Other test processes wait meanwhile. `make` gets the final
/// path (virtual environments cannot be moved); a failure leaves nothing behind and is told to every caller of this process.
pub fn once(name: &str, make: impl FnOnce(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let path = dir().join(name);
    let _lock = lock(name);
    let done = dir().join(format!("{}.done", name.replace('/', "-")));
    if done.exists() {
        return Ok(path);
    }
    if path.exists() {
        fs::remove_dir_all(&path).map_err(|error| format!("cannot remove {}: {error}", path.display()))?;
    }
    fs::create_dir_all(path.parent().expect("is below the cache")).map_err(|error| error.to_string())?;
    make(&path).inspect_err(|_| {
        let _ = fs::remove_dir_all(&path);
    })?;
    File::create(&done).map_err(|error| error.to_string())?;
    Ok(path)
}

/// Holds the lock `name` among all test processes until the result is dropped.
pub fn lock(name: &str) -> File {
    let path = dir().join(format!("{}.lock", name.replace('/', "-")));
    let file = File::create(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
    file.lock().expect("flock works on a local file");
    file
}
