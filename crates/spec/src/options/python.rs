//! Which Python a group executes: `python=`, else a home's `bin/python`, else the machine's own.

use std::path::{Path, PathBuf};

/// Answers what is at a path.
pub trait Executables {
    /// True for a file that somebody may execute, with `root` as the root directory. False also when it cannot be seen.
    fn is_executable(&self, root: &Path, path: &Path) -> bool;
    /// True for a directory.
    fn is_directory(&self, path: &Path) -> bool;
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
    pub fn interpreter(self, root: &Path, files: &dyn Executables) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path),
            Self::Home(home) => {
                let other = home.join("bin/python3");
                let first = home.join("bin/python");
                let is_there = |path: &Path| files.is_executable(root, path);
                Some(if !is_there(&first) && is_there(&other) { other } else { first })
            }
            Self::Usual => Self::USUAL.iter().map(PathBuf::from).find(|path| files.is_executable(root, path)),
        }
    }
}
