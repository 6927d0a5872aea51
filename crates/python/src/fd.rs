//! File descriptors that Python objects stand for.

use std::os::fd::{BorrowedFd, OwnedFd};

use pyo3_ffi as ffi;

use crate::object::Object;

/// A duplicate (close-on-exec) of the descriptor of a file-like object (`fileno()`); `None` when it has none.
pub fn descriptor_of(object: &Object<'_>) -> Option<OwnedFd> {
    // SAFETY: live; −1 comes with an exception, which is dropped.
    let number = unsafe {
        let number = ffi::PyObject_AsFileDescriptor(object.as_ptr());
        if number < 0 {
            ffi::PyErr_Clear();
            return None;
        }
        number
    };
    // SAFETY: borrowed only for the call that duplicates it, with the GIL held; if the application lies about the
    // number, the kernel answers EBADF or we get a descriptor of the same process, which the application has anyway.
    unsafe { BorrowedFd::borrow_raw(number) }.try_clone_to_owned().ok()
}
