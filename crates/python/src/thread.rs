//! Thread states: one for each pair of native thread and interpreter, kept between uses so that `threading.local`
//! data lives as long as the thread.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pyo3_ffi as ffi;

use crate::attach::{self, Attached, Enter};
use crate::interpreter::Interpreter;
use crate::own_gil::OwnGil;
use crate::sync;

/// The Python thread states of one native thread that Python did not start. Made, used and dropped on that thread;
/// dropped before Python is finalised.
pub struct NativeThread {
    main: Arc<Interpreter>,
    /// The main interpreter's state is always the first: PyGILState_Ensure of C extensions finds it then.
    states: Vec<(Arc<Interpreter>, *mut ffi::PyThreadState)>,
    _here: PhantomData<*mut ()>,
}

impl NativeThread {
    /// Nothing is allocated in Python yet.
    pub fn new(main: Arc<Interpreter>) -> Self {
        Self { main, states: Vec::new(), _here: PhantomData }
    }

    /// Takes the GIL and runs `work` in the interpreter.
    ///
    /// # Panics
    /// When this thread is attached already, and when Python has no memory for a thread state.
    pub fn attach<R>(
        &mut self,
        interpreter: &Arc<Interpreter>,
        work: impl for<'py> FnOnce(Attached<'py>) -> R,
    ) -> R {
        let state = self.state(interpreter);
        let _guard = Hold::new(state);
        // SAFETY: `Hold` has just attached this thread and detaches after `work`.
        work(unsafe { Attached::assume() })
    }

    /// Makes a sub-interpreter that shares the GIL with the main one, or one with its own ([`OwnGil`]). `None` when Python cannot.
    pub fn create_interpreter(&mut self, own_gil: Option<OwnGil>) -> Option<Arc<Interpreter>> {
        let main = Arc::clone(&self.main);
        let hold = Hold::new(self.state(&main));
        // SAFETY: the GIL is held with the main interpreter's state; on success the new state is current with its GIL held (the
        // shared one or its own), so that the two can be exchanged. On failure the old state is current again.
        unsafe {
            let state = own_gil.map_or_else(|| ffi::Py_NewInterpreter(), |own_gil| own_gil.new_interpreter());
            if state.is_null() {
                return None;
            }
            let interpreter =
                Interpreter::from_state(ffi::PyThreadState_GetInterpreter(state), state, own_gil.is_some());
            ffi::PyThreadState_Swap(hold.state);
            Some(interpreter)
        }
    }

    fn state(&mut self, interpreter: &Arc<Interpreter>) -> *mut ffi::PyThreadState {
        if let Some((_, state)) = self.states.iter().find(|(known, _)| Arc::ptr_eq(known, interpreter)) {
            return *state;
        }
        if self.states.is_empty() && !Arc::ptr_eq(interpreter, &self.main) {
            let main = Arc::clone(&self.main);
            self.add(&main);
        }
        self.add(interpreter)
    }

    fn add(&mut self, interpreter: &Arc<Interpreter>) -> *mut ffi::PyThreadState {
        // SAFETY: the interpreter is alive (see `Interpreter`); this function needs no GIL.
        let state = unsafe { ffi::PyThreadState_New(interpreter.state) };
        assert!(!state.is_null(), "no memory for a Python thread state");
        interpreter.thread_states.fetch_add(1, Ordering::AcqRel);
        self.states.push((Arc::clone(interpreter), state));
        state
    }
}

impl Drop for NativeThread {
    fn drop(&mut self) {
        // Sub-interpreters first: the main state stays the one PyGILState_Ensure knows until the end.
        while let Some((interpreter, state)) = self.states.pop() {
            let hold = Hold::new(state);
            // SAFETY: attached with this very state, as PyThreadState_Clear wants; it may run destructors.
            unsafe { ffi::PyThreadState_Clear(state) };
            drop(hold);
            // SAFETY: cleared, not current anywhere, and removed from our list.
            unsafe { ffi::PyThreadState_Delete(state) };
            interpreter.thread_states.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Attached with one state; detaches when dropped.
struct Hold {
    state: *mut ffi::PyThreadState,
    _enter: Enter,
}

impl Hold {
    fn new(state: *mut ffi::PyThreadState) -> Self {
        assert!(!attach::is_attached(), "this thread is attached to an interpreter already");
        sync::assert_no_lock_held();
        // SAFETY: the state belongs to this native thread and is not current: `is_attached` is false.
        unsafe { ffi::PyEval_RestoreThread(state) };
        // SAFETY: attached by the line before.
        let enter = unsafe { Enter::new() };
        Self { state, _enter: enter }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: this thread is attached with `state`: attachments are properly nested.
        let state = unsafe { ffi::PyEval_SaveThread() };
        debug_assert_eq!(state, self.state);
    }
}
