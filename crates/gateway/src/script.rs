//! A script file and the module made from it: loading, what goes wrong then, and whether the file has changed since. How a name
//! becomes a file is in `finder`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use python::{Attached, Error, Kind, Mutex, Object, Result, Stored};

use crate::codes::{self, Code};
use crate::finder::{self, Finder};

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
    loaded: Mutex<Option<Arc<Loaded>>>,
    warned: [AtomicBool; 2],
}

/// The module of a script. Holds Python references: to be dropped attached.
pub(crate) struct Loaded {
    /// The module's `__dict__`.
    namespace: Stored,
    /// The script's function `reload_required`.
    hook: Option<Stored>,
    stamp: Stamp,
    /// A callable was found in it: it is in use from then on.
    used: AtomicBool,
}

/// What a file was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    /// Nanoseconds since the epoch.
    modified: i64,
    size: i64,
}

impl Script {
    pub(crate) fn new(path: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(path).into_owned();
        Self { path: path.into(), shown, loaded: Mutex::default(), warned: Default::default() }
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

    /// The module, when it is loaded.
    pub(crate) fn loaded(&self) -> Option<Arc<Loaded>> {
        self.loaded.lock().clone()
    }

    /// Whether it is loaded.
    pub(crate) fn is_loaded(&self) -> bool {
        self.loaded.lock().is_some()
    }

    /// Whether the file is another one than the module was made from; one that is gone is. One call of stat(2), which follows
    /// symbolic links.
    pub(crate) fn has_changed(&self, loaded: &Loaded) -> bool {
        let path = Path::new(OsStr::from_bytes(&self.path));
        let Ok(facts) = std::fs::metadata(path) else { return true };
        let modified = facts.mtime().wrapping_mul(1_000_000_000).wrapping_add(facts.mtime_nsec());
        loaded.stamp != Stamp { modified, size: facts.size().cast_signed() }
    }

    /// Loads the module. Other threads that need the same script wait in Python's import, those that need another one do not.
    pub(crate) fn load<'py>(
        &self,
        py: Attached<'py>,
        finder: &Finder,
    ) -> std::result::Result<Arc<Loaded>, Failure<'py>> {
        let (module, modified, size) = finder.load(py, &self.path).map_err(Failure::of)?;
        let make = || {
            let namespace = python::module_dict(&module)?;
            let hook = namespace.dict_get(&python::str(py, "reload_required")?)?;
            let used = AtomicBool::new(false);
            let (namespace, hook) = (namespace.store(), hook.map(Object::store));
            Ok(Arc::new(Loaded { namespace, hook, stamp: Stamp { modified, size }, used }))
        };
        let loaded = make().map_err(Failure::Raised)?;
        // Not in one expression: dropping the old module may run Python code, and no lock is held then.
        let before = self.loaded.lock().replace(Arc::clone(&loaded));
        drop(before);
        Ok(loaded)
    }

    /// The module of a script that the server calls: when the file has changed, the old module makes room for a new one in the same
    /// interpreter. Calls that run in the old one keep it.
    pub(crate) fn current<'py>(
        &self,
        py: Attached<'py>,
        finder: &Finder,
        reloading: bool,
    ) -> std::result::Result<Arc<Loaded>, Failure<'py>> {
        if let Some(loaded) = self.loaded() {
            if !reloading || !py.detach(|| self.has_changed(&loaded)) {
                return Ok(loaded);
            }
            // Does nothing when another thread was faster.
            finder.unload(py, &self.path, &loaded.namespace.get(py)).map_err(Failure::Raised)?;
        }
        self.load(py, finder)
    }

    /// Forgets a module in which nothing was found to call: the next request loads the script again.
    pub(crate) fn forget<'py>(
        &self,
        py: Attached<'py>,
        loaded: &Arc<Loaded>,
        finder: &Finder,
    ) -> Result<'py, ()> {
        if loaded.used.load(Ordering::Acquire) {
            return Ok(());
        }
        let forgotten = self.loaded.lock().take_if(|known| Arc::ptr_eq(known, loaded));
        match forgotten {
            Some(_) => finder.unload(py, &self.path, &loaded.namespace.get(py)),
            None => Ok(()),
        }
    }
}

impl Loaded {
    /// The callable with this name.
    pub(crate) fn callable<'py>(&self, py: Attached<'py>, name: &str) -> Result<'py, Option<Object<'py>>> {
        let found = self.namespace.get(py).dict_get(&python::str(py, name)?)?;
        if found.is_some() && !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Release);
        }
        Ok(found)
    }

    /// The module's `__dict__`.
    pub(crate) fn namespace<'py>(&self, py: Attached<'py>) -> Object<'py> {
        self.namespace.get(py)
    }

    /// Whether the script has its own opinion about being out of date.
    pub(crate) fn has_hook(&self) -> bool {
        self.hook.is_some()
    }

    /// The result of the script's `reload_required(resource)`.
    pub(crate) fn reload_required<'py>(&self, resource: &Object<'py>) -> Result<'py, bool> {
        match &self.hook {
            Some(hook) => Ok(hook.get(resource.py()).call([resource])?.is_true()),
            None => Ok(false),
        }
    }
}

/// Why a script could not be loaded.
pub(crate) enum Failure<'py> {
    Unreadable(Error<'py>),
    Uncompilable(Error<'py>),
    Raised(Error<'py>),
}

impl<'py> Failure<'py> {
    /// A script that ran has left a frame in the traceback.
    fn of(error: Error<'py>) -> Self {
        let ran = finder::strip(&error);
        if !ran && error.is(Kind::OSError) {
            Failure::Unreadable(error)
        } else if !ran && (error.is(Kind::SyntaxError) || error.is(Kind::ValueError)) {
            Failure::Uncompilable(error)
        } else {
            Failure::Raised(error)
        }
    }

    /// Whether the script has asked to end (`sys.exit()`).
    pub(crate) fn is_exit(&self) -> bool {
        matches!(self, Failure::Raised(error) if error.is(Kind::SystemExit))
    }

    /// Code, facts, and the exception whose traceback follows.
    pub(crate) fn report(&self) -> (Code, String, Option<&Error<'py>>) {
        match self {
            Failure::Unreadable(error) => {
                let why = error.exception().to_text().unwrap_or_default();
                (codes::SCRIPT_UNREADABLE, format!("Cannot read the script file: {why}."), None)
            }
            Failure::Uncompilable(error) => {
                (codes::SCRIPT_UNCOMPILABLE, "Cannot compile the script file:".to_owned(), Some(error))
            }
            Failure::Raised(error) if error.is(Kind::SystemExit) => {
                let facts = "The script raised SystemExit while it was loaded:".to_owned();
                (codes::SCRIPT_EXIT, facts, Some(error))
            }
            Failure::Raised(error) => {
                let facts = "The script raised an exception while it was loaded:".to_owned();
                (codes::SCRIPT_RAISED, facts, Some(error))
            }
        }
    }
}
