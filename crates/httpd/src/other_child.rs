//! Watching processes that are no children of the MPM (`apr_proc_other_child`): the parent's loop reaps them and tells.

use crate::fence::{self, fence};
use crate::hook::Parent;
use crate::log::Log;
use crate::pool::Pool;
use httpd_sys as sys;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

/// What became of a watched process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildEvent {
    /// It has ended and was reaped; this is the last event. The status is `waitpid`'s.
    Died {
        /// As `waitpid` gave it; -1 if unknown.
        status: i32,
    },
    /// httpd restarts; the process lives. The watch ends with the configuration.
    Restart,
}

/// What a watcher calls.
type Report = Box<dyn FnMut(&Parent<'_>, ChildEvent)>;

/// One watched process. APR keeps pointers to both fields, so it stays where it is until the pool goes.
struct Watch {
    process: sys::apr_proc_t,
    report: RefCell<Option<Report>>,
}

/// Has httpd watch `pid`, a child of this process, until it dies or `pconf` is cleared.
pub(crate) fn watch(pconf: Pool<'_>, pid: i32, report: Report) {
    let process = sys::apr_proc_t { pid, in_: null_mut(), out: null_mut(), err: null_mut() };
    let watch = Box::into_raw(Box::new(Watch { process, report: RefCell::new(Some(report)) }));
    // The pool runs cleanups last in, first out: APR's own, registered below, forgets the watch before it is dropped.
    pconf.drop_with_pool(watch);
    // SAFETY: the watch lives until the pool goes; APR's list entry too (it registers a cleanup of its own).
    unsafe {
        sys::apr_proc_other_child_register(
            &raw mut (*watch).process,
            Some(maintain),
            watch.cast(),
            null_mut(),
            pconf.raw(),
        );
    }
}

unsafe extern "C" fn maintain(reason: c_int, watch: *mut c_void, status: c_int) {
    let event = match reason {
        sys::APR_OC_REASON_DEATH => ChildEvent::Died { status },
        sys::APR_OC_REASON_LOST => ChildEvent::Died { status: -1 },
        sys::APR_OC_REASON_RESTART => ChildEvent::Restart,
        _ => return,
    };
    if matches!(event, ChildEvent::Died { .. }) {
        // SAFETY: APR asks for this on death. It calls back with UNREGISTER, which returns above; the watch itself
        // stays until its pool goes.
        unsafe { sys::apr_proc_other_child_unregister(watch) };
    }
    // SAFETY: the pointer is the watch that was registered, alive until its pool goes.
    let slot = unsafe { &(*watch.cast::<Watch>()).report };
    // SAFETY: APR calls from the parent's loop, its only thread, while a configuration is in force.
    let Some(parent) = (unsafe { Parent::current() }) else { return };
    let Some(mut report) = slot.borrow_mut().take() else { return };
    let outcome = fence("a watched process's report", || report(&parent, event));
    if event == ChildEvent::Restart {
        slot.replace(Some(report));
    }
    if let Err(panic) = outcome {
        fence::report(&panic, &Log::process());
    }
}
