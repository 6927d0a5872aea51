//! How Python is set up in the workers: what directives say about it, and what that comes to for a process group and for each of
//! its interpreters (application groups). Nothing here looks at a Python; doing what is written here is the worker's part.

mod directives;
pub mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use directives::{MisplacedInterval, PythonDirectives, Said, Section, Selector};

/// Python in the workers of a process group. The first fields hold for the process and are settled before Python starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PythonSettings {
    /// Level of optimisation, 0 to 2: `-O` that many times (`WSGIPythonOptimize`).
    pub optimize: u8,
    /// Warning filters, each the argument of a `-W`, in this order (`WSGIPythonWarnings`).
    pub warnings: Vec<String>,
    /// False: `-B` (`WSGIDontWriteBytecode`).
    pub write_bytecode: bool,
    /// The seed of hashes (`WSGIPythonHashSeed`).
    pub hash_seed: HashSeed,
    /// False: the process ends without finalizing Python, and without running what `atexit` has (`WSGIDestroyInterpreter`).
    pub destroy_interpreters: bool,
    /// Whether a free-threaded build of Python runs without the GIL; other builds always have it (`WSGIFreeThreading`).
    pub free_threading: bool,
    /// False: script paths that differ only in case name one module (`WSGICaseSensitivity`).
    pub case_sensitive: bool,
    /// What holds for each interpreter.
    pub interpreters: Interpreters,
}

/// The seed that Python's hashes of `str` and `bytes` start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum HashSeed {
    /// Nothing was said: what Python does by itself, which is random unless `env=PYTHONHASHSEED=...` of the group says otherwise.
    #[default]
    Usual,
    /// Another one in each process.
    Random,
    /// This one (`PYTHONHASHSEED`); 0 gives hashes that are the same each time.
    Fixed(u32),
}

/// What holds for the interpreters of a process, by the name of the application group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreters {
    /// For application groups that are not in `named`.
    usual: InterpreterSettings,
    /// The main interpreter under the empty name, always; and those that a section names.
    named: BTreeMap<String, InterpreterSettings>,
}

impl Interpreters {
    /// What holds for the interpreter of an application group; the empty name is the main interpreter.
    #[must_use]
    pub fn of(&self, application_group: &[u8]) -> &InterpreterSettings {
        let named = std::str::from_utf8(application_group).ok().and_then(|name| self.named.get(name));
        named.unwrap_or(&self.usual)
    }
}

/// One interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterpreterSettings {
    /// Whether it has a GIL of its own (Python 3.12 or newer; never the main interpreter) (`WSGIPerInterpreterGIL`).
    pub own_gil: bool,
    /// What to call `sys.setswitchinterval` with when the interpreter is made. `None` leaves it: Python's default, or where the
    /// GIL is shared, what the main interpreter has set.
    pub switch_interval: Option<Duration>,
    /// Directories for the front of `sys.path`, in this order, before those of `python-path=`, which come behind them; `.pth`
    /// files in them count (`WSGIPythonPath` in `<WSGIInterpreterOptions>`).
    pub python_path: Vec<PathBuf>,
    /// Each use of `sys.stdin` is an `OSError` (`WSGIRestrictStdin`).
    pub restrict_stdin: bool,
    /// Each use of `sys.stdout` is an `OSError` (`WSGIRestrictStdout`).
    pub restrict_stdout: bool,
    /// `signal.signal` takes no handlers (`WSGIRestrictSignal`).
    pub restrict_signal: bool,
}

impl Default for PythonSettings {
    fn default() -> Self {
        PythonDirectives::default().resolve("", None)
    }
}

#[cfg(test)]
mod tests;
