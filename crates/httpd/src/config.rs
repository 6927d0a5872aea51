//! A module's configuration values: made, merged and dropped at httpd's request, one per server and one per directory.
//! Reading directives into them is `directive`'s part.

use crate::fence::{self, fence};
use crate::log::Log;
use crate::module::Module;
use crate::pool::Pool;
use httpd_sys as sys;
use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

/// A configuration value. It is shared by all threads of a child, hence `Sync`; values computed after the
/// configuration was read belong into a `OnceLock` inside.
///
/// A virtual host in which no directive of the module stands shares the main server's value.
pub trait Config: Send + Sync + 'static {
    /// The value of a server or section in which nothing was said yet.
    fn create() -> Self;

    /// The value in force where `over` (the virtual host, the inner section, the `.htaccess` file) stands on `base`.
    fn merge(base: &Self, over: &Self) -> Self;
}

impl Config for () {
    fn create() {}

    fn merge((): &(), (): &()) {}
}

/// Set when making a configuration value panicked: the start is refused then.
static POISONED: AtomicBool = AtomicBool::new(false);

/// Has the next check of the configuration fail.
pub(crate) fn poison() {
    POISONED.store(true, Ordering::Relaxed);
}

/// Whether something panicked since the last call.
pub(crate) fn take_poison() -> bool {
    POISONED.swap(false, Ordering::Relaxed)
}

/// Makes a value in `pool`. A panic leaves null, which [`get`] refuses.
fn make<T: Config>(pool: *mut sys::apr_pool_t, what: &'static str, make: impl FnOnce() -> T) -> *mut c_void {
    match fence(what, || Box::into_raw(Box::new(make()))) {
        Ok(value) => {
            // SAFETY: httpd's pool for this configuration; it outlives the value.
            unsafe { Pool::from_raw(pool) }.drop_with_pool(value);
            value.cast()
        }
        Err(panic) => {
            fence::report(&panic, &Log::process());
            poison();
            null_mut()
        }
    }
}

/// The module's value in a configuration vector.
///
/// # Safety
/// `vector` is a live vector whose values live for `'a` and are not changed meanwhile.
pub(crate) unsafe fn get<'a, M: Module, T: Config>(vector: *const sys::ap_conf_vector_t) -> &'a T {
    // SAFETY: the caller's promise, handed on.
    match unsafe { raw::<M>(vector).cast::<T>().as_ref() } {
        Some(value) => value,
        None => panic!("the module has no configuration here"),
    }
}

/// The module's pointer in a configuration vector; null where there is none.
///
/// # Safety
/// `vector` is a live configuration vector or null.
pub(crate) unsafe fn raw<M: Module>(vector: *const sys::ap_conf_vector_t) -> *mut c_void {
    match M::record().index() {
        // SAFETY: the vector has a place for every loaded module.
        Some(index) if !vector.is_null() => unsafe { sys::ap_module_config(vector, index) },
        _ => null_mut(),
    }
}

/// Merges two values this module made.
///
/// # Safety
/// Both pointers are null or came from [`make`] with this `T` and are live.
unsafe fn merge<T: Config>(
    pool: *mut sys::apr_pool_t,
    what: &'static str,
    base: *mut c_void,
    over: *mut c_void,
) -> *mut c_void {
    // SAFETY: the caller's promise.
    match unsafe { (base.cast::<T>().as_ref(), over.cast::<T>().as_ref()) } {
        (Some(base), Some(over)) => make(pool, what, || T::merge(base, over)),
        (_, None) | (None, _) => null_mut(),
    }
}

pub(crate) unsafe extern "C" fn create_server<M: Module>(
    pool: *mut sys::apr_pool_t,
    server: *mut sys::server_rec,
) -> *mut c_void {
    // SAFETY: httpd hands out the server this value is for.
    if unsafe { (*server).is_virtual } == 0 {
        M::record().set_main(server);
    }
    make(pool, "making a server's configuration", M::Server::create)
}

pub(crate) unsafe extern "C" fn merge_server<M: Module>(
    pool: *mut sys::apr_pool_t,
    base: *mut c_void,
    over: *mut c_void,
) -> *mut c_void {
    // SAFETY: httpd passes what `create_server` or `merge_server` of this module returned.
    unsafe { merge::<M::Server>(pool, "merging a server's configuration", base, over) }
}

pub(crate) unsafe extern "C" fn create_dir<M: Module>(
    pool: *mut sys::apr_pool_t,
    _directory: *mut c_char,
) -> *mut c_void {
    make(pool, "making a directory's configuration", M::Dir::create)
}

pub(crate) unsafe extern "C" fn merge_dir<M: Module>(
    pool: *mut sys::apr_pool_t,
    base: *mut c_void,
    over: *mut c_void,
) -> *mut c_void {
    // SAFETY: httpd passes what `create_dir` or `merge_dir` of this module returned.
    unsafe { merge::<M::Dir>(pool, "merging a directory's configuration", base, over) }
}
