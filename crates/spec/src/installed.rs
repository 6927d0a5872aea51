//! The files of an installation, all in one directory: names only.

/// The module that Apache loads.
pub const MODULE: &str = "mod_wsgi.so";
/// The program that the module starts.
pub const SUPERVISOR: &str = "wsgi-supervisor";
/// The extension that a site's Python loads.
pub const RUNTIME: &str = "_wsgi_runtime.abi3.so";
