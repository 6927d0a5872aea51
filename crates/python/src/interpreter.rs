//! Interpreters: the main one, legacy sub-interpreters (shared GIL), and isolated ones with a GIL of their own, which `own_gil`
//! makes. Thread states are in `thread`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3_ffi as ffi;

use crate::attach::{Attached, Enter};

/// One interpreter. Shared by all threads that run Python in it.
pub struct Interpreter {
    pub(crate) state: *mut ffi::PyInterpreterState,
    id: i64,
    /// The thread state a sub-interpreter was made with. It is kept until the end and never run with again: CPython
    /// 3.11 cannot make a thread state in an interpreter that has lost all of them.
    initial: *mut ffi::PyThreadState,
    own_gil: bool,
    /// Thread states this crate made in it and has not deleted yet.
    pub(crate) thread_states: AtomicUsize,
}

// SAFETY: the pointer is only handed to CPython functions that take it with the GIL held or need no lock
// (PyThreadState_New); the interpreter stays alive until `end`, which refuses while thread states exist.
unsafe impl Send for Interpreter {}
// SAFETY: as above.
unsafe impl Sync for Interpreter {}

impl Interpreter {
    /// The interpreter this thread is attached to.
    pub fn current(_py: Attached<'_>) -> Arc<Self> {
        // SAFETY: attached, so there is a current thread state with an interpreter.
        unsafe { Self::from_state(ffi::PyInterpreterState_Get(), std::ptr::null_mut(), false) }
    }

    /// # Safety
    /// `state` is alive; `initial` belongs to it and is given to nobody else, or null; `own_gil` is true.
    pub(crate) unsafe fn from_state(
        state: *mut ffi::PyInterpreterState,
        initial: *mut ffi::PyThreadState,
        own_gil: bool,
    ) -> Arc<Self> {
        // SAFETY: the caller promises that it is alive.
        let id = unsafe { ffi::PyInterpreterState_GetID(state) };
        Arc::new(Self { state, id, initial, own_gil, thread_states: AtomicUsize::new(0) })
    }

    /// Unique within the process; 0 is the main interpreter.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Whether it has a GIL of its own.
    pub fn has_own_gil(&self) -> bool {
        self.own_gil
    }

    /// Ends a sub-interpreter: waits for its non-daemon threads, runs its atexit functions, frees it. Called attached
    /// to the main interpreter. First `ready` runs in the sub-interpreter; when it returns false, or when thread
    /// states of native threads are left, the interpreter stays and this returns false.
    pub fn end(
        self: &Arc<Self>,
        _main: Attached<'_>,
        ready: impl for<'py> FnOnce(Attached<'py>) -> bool,
    ) -> bool {
        if self.id == 0 || self.thread_states.load(Ordering::Acquire) != 0 {
            return false;
        }
        // SAFETY: we hold the main GIL, which legacy sub-interpreters share; where the other has its own, PyThreadState_Swap
        // exchanges the one for the other (Python 3.12). The state is new and used by this thread alone. Py_EndInterpreter wants no other thread state of the interpreter: the counter is zero, the initial
        // one is deleted here, once, and `ready` answers for Python's own threads. PyThreadState_Swap takes the GIL back where ending has let it go.
        unsafe {
            let state = ffi::PyThreadState_New(self.state);
            if state.is_null() {
                return false;
            }
            let main = ffi::PyThreadState_Swap(state);
            let sure = {
                let _enter = Enter::new();
                ready(Attached::assume())
            };
            if sure {
                ffi::PyThreadState_Clear(self.initial);
                ffi::PyThreadState_Delete(self.initial);
                ffi::Py_EndInterpreter(state);
                ffi::PyThreadState_Swap(main);
            } else {
                ffi::PyThreadState_Clear(state);
                ffi::PyThreadState_Swap(main);
                ffi::PyThreadState_Delete(state);
            }
            sure
        }
    }
}
