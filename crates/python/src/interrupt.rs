//! Raising an exception in another thread, as `PyThreadState_SetAsyncExc` does: it is seen when that thread runs Python code next,
//! not while it waits in C.

use std::ffi::c_long;

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::object::Object;

/// What `threading.get_ident()` says on this thread. Needs no GIL.
pub fn thread_ident() -> u64 {
    // SAFETY: asks the C library who this thread is.
    unsafe { ffi::PyThread_get_thread_ident() }
}

/// Has the thread raise `class` in this interpreter; false when the thread has no state in it.
pub fn interrupt<'py>(_py: Attached<'py>, ident: u64, class: &Object<'py>) -> bool {
    // SAFETY: the GIL is held and the class is live; CPython takes a reference of its own and looks the thread up by number,
    // so a number without a thread does nothing.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident as c_long, class.as_ptr()) > 0 }
}

/// Takes back what [`interrupt`] has asked for and the thread has not raised yet.
pub fn clear_interrupt(_py: Attached<'_>, ident: u64) {
    // SAFETY: as above; null takes it back.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident as c_long, std::ptr::null_mut()) };
}
