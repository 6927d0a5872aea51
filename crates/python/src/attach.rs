//! Being attached: the proof that this thread holds the GIL of one interpreter, and leaving it around blocking calls.

use std::cell::Cell;
use std::marker::PhantomData;

use pyo3_ffi as ffi;

use crate::sync;

/// No interpreter: ids of interpreters are never negative.
const DETACHED: i64 = -1;

thread_local! {
    /// Id of the interpreter this thread is attached to through this crate.
    static CURRENT: Cell<i64> = const { Cell::new(DETACHED) };
}

/// Proof that this thread is attached to an interpreter for the lifetime `'py`. The lifetime is invariant and made
/// anew by each attachment, so objects of two interpreters cannot be mixed up. Not `Send`.
#[derive(Clone, Copy)]
pub struct Attached<'py>(PhantomData<fn(&'py ()) -> &'py ()>, PhantomData<*mut ()>);

impl<'py> Attached<'py> {
    /// # Safety
    /// The calling thread holds the GIL with a current thread state, for as long as `'py`, and [`Enter`] has recorded
    /// the interpreter.
    pub(crate) unsafe fn assume() -> Self {
        Self(PhantomData, PhantomData)
    }

    /// Id of the interpreter: unique within the process, 0 is the main one.
    pub fn interpreter_id(self) -> i64 {
        CURRENT.get()
    }

    /// Runs `work` without the GIL. What it captures must be `Send`, which objects and `Attached` are not.
    pub fn detach<R: Send>(self, work: impl FnOnce() -> R + Send) -> R {
        /// Takes the GIL again, also when `work` panics.
        struct Back(*mut ffi::PyThreadState, i64);
        impl Drop for Back {
            fn drop(&mut self) {
                sync::assert_no_lock_held();
                // SAFETY: the state was returned by PyEval_SaveThread on this thread just before, and nobody else
                // attaches the states of this thread.
                unsafe { ffi::PyEval_RestoreThread(self.0) };
                CURRENT.set(self.1);
            }
        }
        let interpreter = CURRENT.replace(DETACHED);
        // SAFETY: `self` proves that this thread holds the GIL.
        let _back = Back(unsafe { ffi::PyEval_SaveThread() }, interpreter);
        work()
    }
}

/// Id of the interpreter this thread is attached to, as far as this crate knows.
pub(crate) fn current() -> Option<i64> {
    Some(CURRENT.get()).filter(|id| *id != DETACHED)
}

/// Whether this thread holds a GIL through this crate.
pub(crate) fn is_attached() -> bool {
    CURRENT.get() != DETACHED
}

/// Records the attachment while it lives and restores what was before.
pub(crate) struct Enter(i64);

impl Enter {
    /// # Safety
    /// The thread holds the GIL with a current thread state.
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: the caller promises a current thread state, which always has an interpreter.
        let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
        Self(CURRENT.replace(id))
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
