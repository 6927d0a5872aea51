//! Facts about the server process: what it was started for, as whom it serves, its paths and definitions.

use crate::pool::Pool;
use crate::text;
use httpd_sys as sys;
use std::ffi::c_int;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr::NonNull;

/// What httpd was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunMode {
    /// To serve.
    Serve,
    /// To check the configuration (`-t`).
    ConfigTest,
    /// To print the configuration (`-S`, `-M`, ...).
    ConfigDump,
}

/// What httpd was started for.
pub fn run_mode() -> RunMode {
    match query(sys::AP_SQ_RUN_MODE) {
        sys::AP_SQ_RM_CONFIG_TEST => RunMode::ConfigTest,
        sys::AP_SQ_RM_CONFIG_DUMP => RunMode::ConfigDump,
        _ => RunMode::Serve,
    }
}

/// Whether httpd only checks or prints its configuration.
pub fn config_test() -> bool {
    run_mode() != RunMode::Serve
}

/// Whether this is the first of the two passes at start, whose results httpd throws away.
pub fn is_first_pass() -> bool {
    query(sys::AP_SQ_MAIN_STATE) == sys::AP_SQ_MS_CREATE_PRE_CONFIG
}

/// Whether httpd is ending, as opposed to clearing its configuration for the next: for cleanups of the configuration's pool.
pub fn is_exiting() -> bool {
    query(sys::AP_SQ_MAIN_STATE) == sys::AP_SQ_MS_EXITING
}

/// Closes the sockets on which httpd listens in this process, so that the next httpd can have their addresses while this one still
/// ends. For cleanups of the configuration's pool when [`is_exiting`]; closing again later is no mistake.
pub fn close_listeners() {
    // SAFETY: httpd keeps its list of listeners as long as the process lives, and takes each one's cleanup back as it closes it.
    unsafe { sys::ap_close_listeners() }
}

/// The version of the running httpd: major, minor, patch.
pub fn httpd_version() -> (u32, u32, u32) {
    let mut version = sys::ap_version_t { major: 0, minor: 0, patch: 0, add_string: std::ptr::null() };
    // SAFETY: httpd fills in the structure.
    unsafe { sys::ap_get_server_revision(&raw mut version) };
    (version.major.unsigned_abs(), version.minor.unsigned_abs(), version.patch.unsigned_abs())
}

fn query(what: c_int) -> c_int {
    // SAFETY: a plain question; unknown ones are answered AP_SQ_NOT_SUPPORTED.
    unsafe { sys::ap_state_query(what) }
}

/// As whom httpd's children serve (`User`, `Group`). In force only if httpd was started as root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApacheUser {
    /// `User` as written: a name or `#uid`.
    pub name: Option<Vec<u8>>,
    /// Its id.
    pub uid: u32,
    /// The id of `Group`.
    pub gid: u32,
}

/// As whom httpd's children serve; final once the configuration is read.
pub fn apache_user() -> ApacheUser {
    // SAFETY: httpd writes its record only while it reads the configuration, with one thread.
    let config = unsafe { (&raw const sys::ap_unixd_config).read() };
    // SAFETY: the name is text of the configuration.
    let name = unsafe { text::bytes(config.user_name) }.map(<[u8]>::to_vec);
    ApacheUser { name, uid: config.user_id, gid: config.group_id }
}

/// `path` made absolute with `ServerRoot`; `None` if it is no valid path.
pub fn server_root_relative(pool: Pool<'_>, path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the pool is live; the copy lives in it.
    unsafe { text::bytes(sys::ap_server_root_relative(pool.raw(), pool.copy(path))) }.map(<[u8]>::to_vec)
}

/// `path` made absolute with `DefaultRuntimeDir`; `None` if it is no valid path.
pub fn runtime_dir_relative(pool: Pool<'_>, path: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the pool is live; the copy lives in it.
    unsafe { text::bytes(sys::ap_runtime_dir_relative(pool.raw(), pool.copy(path))) }.map(<[u8]>::to_vec)
}

/// Adds `component` ("name/1.0") to the server's name in the log and, as `ServerTokens` says, in responses. For
/// `post_config`.
pub fn add_version_component(pconf: Pool<'_>, component: &str) {
    // SAFETY: the pool is the configuration's; httpd copies the text.
    unsafe { sys::ap_add_version_component(pconf.raw(), text::c_string(component.as_bytes()).as_ptr()) }
}

/// The server's name and version as `ServerTokens` says (`SERVER_SOFTWARE`).
pub fn server_banner() -> Vec<u8> {
    // SAFETY: text of the configuration, copied at once.
    unsafe { text::bytes(sys::ap_get_server_banner()) }.unwrap_or_default().to_vec()
}

/// A new descriptor (close-on-exec) of an open APR file; `None` for no file.
pub(crate) fn duplicate_of(file: *mut sys::apr_file_t) -> io::Result<Option<OwnedFd>> {
    let Some(file) = NonNull::new(file) else { return Ok(None) };
    let mut fd = -1;
    // SAFETY: a live file of httpd's configuration.
    let status = unsafe { sys::apr_os_file_get(&raw mut fd, file.as_ptr()) };
    if status != sys::APR_SUCCESS || fd < 0 {
        return Ok(None);
    }
    // SAFETY: APR has just said that the file is open under this number; only this thread could close it.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned().map(Some)
}
