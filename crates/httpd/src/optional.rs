//! Functions of other modules, and of newer httpds, that are looked up while running: mod_ssl's, and
//! `ap_set_content_type_ex`. Their absence is a normal answer.

use crate::connection::Connection;
use crate::request::Request;
use crate::text;
use httpd_sys as sys;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;
use std::sync::OnceLock;

/// mod_ssl.h: `APR_DECLARE_OPTIONAL_FN(int, ssl_is_https, (conn_rec *))`.
type IsHttps = unsafe extern "C" fn(*mut sys::conn_rec) -> c_int;

/// Whether mod_ssl says that the connection is TLS.
pub(crate) fn is_https(connection: &Connection<'_>) -> bool {
    // SAFETY: the name is a C string; the registry lives as long as httpd's configuration.
    let Some(function) = (unsafe { sys::apr_dynamic_fn_retrieve(c"ssl_is_https".as_ptr()) }) else {
        return false;
    };
    // SAFETY: mod_ssl registers a function of this type under this name.
    let function = unsafe { transmute::<unsafe extern "C" fn(), IsHttps>(function) };
    // SAFETY: the connection is live and belongs to this thread.
    unsafe { function(connection.raw()) != 0 }
}

/// mod_ssl.h: `APR_DECLARE_OPTIONAL_FN(char *, ssl_var_lookup, (apr_pool_t *, server_rec *, conn_rec *, request_rec *, char *))`.
type VarLookup = unsafe extern "C" fn(
    *mut sys::apr_pool_t,
    *mut sys::server_rec,
    *mut sys::conn_rec,
    *mut sys::request_rec,
    *const c_char,
) -> *mut c_char;

/// A variable of mod_ssl; `None` without mod_ssl, and for what it does not know.
pub(crate) fn ssl_variable<'r>(request: &Request<'r>, name: &CStr) -> Option<&'r [u8]> {
    // SAFETY: the name is a C string; the registry lives as long as httpd's configuration.
    let function = unsafe { sys::apr_dynamic_fn_retrieve(c"ssl_var_lookup".as_ptr()) }?;
    // SAFETY: mod_ssl registers a function of this type under this name; it does not write to the name.
    let function = unsafe { transmute::<unsafe extern "C" fn(), VarLookup>(function) };
    // SAFETY: all of them are live and belong to this thread; the text is put into the request's pool.
    unsafe {
        let raw = request.raw();
        text::bytes(function((*raw).pool, (*raw).server, (*raw).connection, raw, name.as_ptr()))
    }
}

/// http_protocol.h, since 2.4.60.
type SetContentType = unsafe extern "C" fn(*mut sys::request_rec, *const c_char, c_int);

/// Sets a content type that came from outside. Since 2.4.60 httpd can be told so, and then does not let the type
/// choose a handler (CVE-2024-38476); older ones have only `ap_set_content_type`.
///
/// # Safety
/// `request` is live and belongs to this thread; `content_type` lives as long as the request.
pub(crate) unsafe fn set_untrusted_content_type(request: *mut sys::request_rec, content_type: *const c_char) {
    static FOUND: OnceLock<Option<SetContentType>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SAFETY: the name is a C string; with the default handle the whole process is searched.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"ap_set_content_type_ex".as_ptr()) };
        // SAFETY: a symbol of this name is httpd's function, of this type.
        (!symbol.is_null()).then(|| unsafe { transmute::<*mut c_void, SetContentType>(symbol) })
    });
    // SAFETY: the caller's promise.
    unsafe {
        match found {
            Some(function) => function(request, content_type, 0),
            None => sys::ap_set_content_type(request, content_type),
        }
    }
}
