//! Sub-interpreters with a GIL of their own (PEP 684): not part of the stable ABI, so the function that makes them is looked up when
//! it is needed.

use std::ffi::{c_char, c_int};

use pyo3_ffi as ffi;

/// CPython's `PyInterpreterConfig`, the same in 3.12 to 3.14.
#[repr(C)]
struct Config {
    use_main_obmalloc: c_int,
    allow_fork: c_int,
    allow_exec: c_int,
    allow_threads: c_int,
    allow_daemon_threads: c_int,
    check_multi_interp_extensions: c_int,
    gil: c_int,
}

/// `PyInterpreterConfig_OWN_GIL`
const OWN_GIL: c_int = 2;

/// CPython's `PyStatus`.
#[repr(C)]
struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

type NewInterpreter = unsafe extern "C" fn(*mut *mut ffi::PyThreadState, *const Config) -> Status;

/// Python's function that makes such interpreters.
#[derive(Clone, Copy)]
pub struct OwnGil(NewInterpreter);

impl OwnGil {
    /// Looks it up; `None` before Python 3.12.
    pub fn find() -> Option<Self> {
        // SAFETY: a lookup by name among what the process has loaded.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"Py_NewInterpreterFromConfig".as_ptr()) };
        if symbol.is_null() {
            return None;
        }
        // SAFETY: CPython's function of this name has this signature since 3.12, its first version.
        Some(Self(unsafe { std::mem::transmute::<*mut libc::c_void, NewInterpreter>(symbol) }))
    }

    /// Makes an isolated interpreter, as CPython's own default for such a GIL has it: threads, but no daemon threads, no
    /// `os.fork` and `os.exec`, and only extension modules that say they can be used there. Null when Python cannot.
    ///
    /// # Safety
    /// As for `Py_NewInterpreter`: the main interpreter's thread state is current and its GIL held. On success the new state is
    /// current with the new GIL held.
    pub(crate) unsafe fn new_interpreter(self) -> *mut ffi::PyThreadState {
        let config = Config {
            use_main_obmalloc: 0,
            allow_fork: 0,
            allow_exec: 0,
            allow_threads: 1,
            allow_daemon_threads: 0,
            check_multi_interp_extensions: 1,
            gil: OWN_GIL,
        };
        let mut state = std::ptr::null_mut();
        // SAFETY: both pointers are valid during the call; the rest is the caller's promise.
        let status = unsafe { (self.0)(&raw mut state, &raw const config) };
        // `_PyStatus_TYPE_OK` is 0.
        if status.kind == 0 { state } else { std::ptr::null_mut() }
    }
}
