//! Which Python a group executes: `python=`, else a home's `bin/python`, else the machine's own.

use std::path::{Path, PathBuf};

/// Answers whether a path can be executed.
pub trait Executables {
    /// True for a file that somebody may execute. False also when it cannot be seen.
    fn is_executable(&self, path: &Path) -> bool;
}

/// Where the interpreter of a group comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonChoice {
    /// `python=` names it.
    Path(PathBuf),
    /// `python-home=` or `WSGIPythonHome` names its home.
    Home(PathBuf),
    /// The first of [`PythonChoice::USUAL`] that exists.
    Usual,
}

impl PythonChoice {
    /// Where a machine's own Python is looked for.
    pub const USUAL: [&'static str; 2] = ["/usr/local/bin/python3", "/usr/bin/python3"];

    /// The path to execute; `None` when none of the usual places has one.
    ///
    /// A home's interpreter is named even when it cannot be seen: root may be kept out of a site's files, and the check
    /// that runs as the site's user says what is missing.
    #[must_use]
    pub fn interpreter(self, files: &dyn Executables) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path),
            Self::Home(home) => {
                let other = home.join("bin/python3");
                let first = home.join("bin/python");
                Some(if !files.is_executable(&first) && files.is_executable(&other) { other } else { first })
            }
            Self::Usual => Self::USUAL.iter().map(PathBuf::from).find(|path| files.is_executable(path)),
        }
    }
}
