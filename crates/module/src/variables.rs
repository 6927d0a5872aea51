//! Variables that names in directives depend on (`%{ENV:NAME}`): their values now, and as they were before any `.htaccess` file
//! was read. What becomes of a difference is `handler`'s part.

use httpd::Request;

use crate::hooks::Wsgi;

/// In front of a variable's name: the note with the value that it had before any `.htaccess` file.
const BEFORE: &[u8] = b"mod_wsgi.before.";
/// The note of a request that httpd made for another one. It moves along when that other one goes on in its place (httpd:
/// ap_internal_fast_redirect).
const DERIVED: &[u8] = b"mod_wsgi.derived";

/// Keeps the values of the variables that process groups depend on. Called when the server's own rules have run (SetEnvIf,
/// RewriteRule), and directories were not looked at yet.
pub fn keep(request: &Request<'_>) {
    let config = request.server_config::<Wsgi>();
    let names = config.group_variables();
    if names.is_empty() {
        return;
    }
    if is_derived(request) {
        request.notes().set(DERIVED, b"1");
        return;
    }
    for name in names {
        if let Some(value) = of_request(request, name) {
            request.notes().set(&[BEFORE, name].concat(), value);
        }
    }
}

/// Whether only the server's configuration can have set variables: no `.htaccess` file applies, and no other request, to which
/// one might apply, has led to this.
pub fn are_settled(request: &Request<'_>) -> bool {
    !is_derived(request) && request.notes().get(DERIVED).is_none() && !request.has_htaccess()
}

/// A note, a variable of the request or one of the process, in this order.
pub fn now(request: &Request<'_>, name: &[u8]) -> Option<Vec<u8>> {
    of_request(request, name).map(<[u8]>::to_vec).or_else(|| of_process(name))
}

/// The value before any `.htaccess` file was read, of a variable that a process group depends on.
pub fn before(request: &Request<'_>, name: &[u8]) -> Option<Vec<u8>> {
    let note = [BEFORE, name].concat();
    match request.prev().or_else(|| request.main()) {
        Some(origin) => before(&origin, name),
        None => request.notes().get(note.as_slice()).map(<[u8]>::to_vec).or_else(|| of_process(name)),
    }
}

fn is_derived(request: &Request<'_>) -> bool {
    request.prev().is_some() || request.main().is_some()
}

fn of_request<'r>(request: &Request<'r>, name: &[u8]) -> Option<&'r [u8]> {
    request.notes().get(name).or_else(|| request.subprocess_env().get(name))
}

fn of_process(name: &[u8]) -> Option<Vec<u8>> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    std::env::var_os(std::ffi::OsStr::from_bytes(name)).map(OsStringExt::into_vec)
}
