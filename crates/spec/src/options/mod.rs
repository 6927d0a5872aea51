//! The options of `WSGIDaemonProcess`: one table, the values that cannot be wrong, the draft that a directive makes, and its
//! resolution into a [`crate::ProcessGroup`]. Nothing here looks at files or the user database; callers bring those facts.

mod draft;
mod error;
mod hint;
mod life;
mod python;
mod resolve;
mod table;
pub mod value;
pub mod words;

pub use draft::{AUTOMATIC, Draft};
pub use error::{OptionError, ResolveError};
pub use python::{Executables, PythonChoice};
pub use resolve::{Accounts, Code, MAX_GROUPS, ServerFacts, User};
pub use table::{OptionRow, State, row, rows};

#[cfg(test)]
mod tests;
