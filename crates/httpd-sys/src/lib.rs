//! Bindings of the httpd 2.4 and APR items in use, and the C macros among them written by hand. Nothing safe lives
//! here: the crate `httpd` wraps it, and no other crate names this one.
//!
//! Symbols are resolved when httpd loads the module; nothing is linked. The oldest httpd that has all of them is 2.4.19.

#[allow(missing_docs, non_camel_case_types, non_upper_case_globals, clippy::all)]
#[rustfmt::skip]
mod bindings;
mod macros;

pub use bindings::*;
pub use macros::*;
