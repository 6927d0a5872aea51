//! A script file and the module made from it: name, loading, what goes wrong then.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use md5::{Digest, Md5};
use python::{Attached, Error, Kind, Object, Result, Stored};

use crate::active::Active;
use crate::codes;
use crate::exchange::Level;
use crate::latch::{Claim, Latch};

/// Mistakes of an application that are logged once for each script.
#[derive(Clone, Copy)]
pub(crate) enum Warning {
    HopByHop,
    BodyTooLong,
}

/// One script in one interpreter.
pub(crate) struct Script {
    path: Box<[u8]>,
    shown: String,
    /// The module's `__dict__`.
    module: Latch<Arc<Stored>>,
    warned: [AtomicBool; 2],
}

impl Script {
    pub(crate) fn new(path: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(path).into_owned();
        Self { path: path.into(), shown, module: Latch::default(), warned: Default::default() }
    }

    /// The path for log lines.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// True for the first caller with this warning.
    pub(crate) fn first_time(&self, warning: Warning) -> bool {
        let [hop_by_hop, too_long] = &self.warned;
        let flag = match warning {
            Warning::HopByHop => hop_by_hop,
            Warning::BodyTooLong => too_long,
        };
        !flag.swap(true, Ordering::Relaxed)
    }

    /// The module's `__dict__`, loading the module when this is the first use. Other threads that need the same
    /// script wait; those that need another one do not. `None`: the reason is logged, the next request tries again.
    pub(crate) fn module(&self, py: Attached<'_>, active: &Active) -> Option<Arc<Stored>> {
        if let Some(module) = self.module.get() {
            return Some(module);
        }
        let permit = match py.detach(|| self.module.claim()) {
            Claim::Ready(module) => return Some(module),
            Claim::Make(permit) => permit,
        };
        match self.load(py) {
            Ok(module) => {
                let module = Arc::new(module.store());
                permit.fill(Arc::clone(&module));
                Some(module)
            }
            Err(failure) => {
                failure.log(py, active);
                None
            }
        }
    }

    fn load<'py>(&self, py: Attached<'py>) -> std::result::Result<Object<'py>, Failure<'py>> {
        let path = Path::new(std::ffi::OsStr::from_bytes(&self.path));
        let (source, modified) = py
            .detach(|| {
                let modified = std::fs::metadata(path)?.modified()?;
                std::fs::read(path).map(|source| (source, modified))
            })
            .map_err(Failure::Unreadable)?;
        let micros = modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let file = python::fs_path(py, &self.path).map_err(Failure::Uncompilable)?;
        let code = compile(py, &source, &file).map_err(Failure::Uncompilable)?;
        let run = || {
            let module = python::exec_module(py, &module_name(&self.path), &code, &file)?;
            module.set_attr("__mtime__", &python::int(py, i64::try_from(micros).unwrap_or(i64::MAX))?)?;
            python::module_dict(&module)
        };
        run().map_err(Failure::Raised)
    }
}

/// `_mod_wsgi_` and the MD5 of the path: pickles of mod_wsgi's users name it.
fn module_name(path: &[u8]) -> String {
    let digest = Md5::digest(path);
    digest.iter().fold("_mod_wsgi_".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

fn compile<'py>(py: Attached<'py>, source: &[u8], file: &Object<'py>) -> Result<'py, Object<'py>> {
    let compile = python::import(py, "builtins")?.attr("compile")?;
    let (flags, dont_inherit) = (python::int(py, 0)?, python::bool(py, true));
    compile.call([&python::bytes(py, source)?, file, &python::str(py, "exec")?, &flags, &dont_inherit])
}

/// Why a script could not be loaded.
enum Failure<'py> {
    Unreadable(std::io::Error),
    Uncompilable(Error<'py>),
    Raised(Error<'py>),
}

impl Failure<'_> {
    fn log(&self, py: Attached<'_>, active: &Active) {
        let (code, facts, error) = match self {
            Failure::Unreadable(error) => {
                let facts = format!(
                    "Cannot read the script file: {error}. Check that it exists and that the user of the process group may \
                     read it and search the directories above it."
                );
                (codes::SCRIPT_UNUSABLE, facts, None)
            }
            Failure::Uncompilable(error) => {
                (codes::SCRIPT_UNUSABLE, "Cannot compile the script file:".to_owned(), Some(error))
            }
            Failure::Raised(error) if error.is(Kind::SystemExit) => (
                codes::SCRIPT_EXIT,
                "The script raised SystemExit while it was loaded:".to_owned(),
                Some(error),
            ),
            Failure::Raised(error) => (
                codes::SCRIPT_RAISED,
                "The script raised an exception while it was loaded:".to_owned(),
                Some(error),
            ),
        };
        active.report(py, Level::Error, code, facts, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_in_mod_wsgi() {
        assert_eq!(module_name(b"/srv/app.wsgi"), "_mod_wsgi_295f8766fc4bd953ab4cd252da58a6a3");
    }
}
