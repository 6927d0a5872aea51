//! The parent's SIGCHLD: a handler that does nothing, so that the signal interrupts the parent's sleep. Which children matter is
//! the caller's part.

use std::mem::zeroed;
use std::ptr::{null, null_mut};

use crate::pool::Pool;

/// Has the death of a child interrupt the parent's sleep until `pconf` is cleared.
///
/// httpd's parent asks for dead children once a second (`ap_wait_or_timeout` ends with `apr_sleep` of one second). A signal that is
/// ignored by default does not interrupt that sleep, one with a handler does. Another module's handler is left alone.
pub fn notice_children_at_once(pconf: Pool<'_>) {
    // SAFETY: zeroed memory is a valid sigaction; the call only reads the present one.
    let present = unsafe {
        let mut present: libc::sigaction = zeroed();
        (libc::sigaction(libc::SIGCHLD, null(), &raw mut present) == 0).then_some(present)
    };
    if present.is_none_or(|present| present.sa_sigaction != libc::SIG_DFL) {
        return;
    }
    set(handler());
    let parent = std::process::id();
    pconf.on_cleanup(move || {
        // The code of the handler is unloaded with the configuration.
        if std::process::id() == parent {
            stop_noticing_children();
        }
    });
}

/// Puts the default back; for children of httpd, which inherit the handler.
pub fn stop_noticing_children() {
    // SAFETY: zeroed memory is a valid sigaction; the call only reads the present one.
    let ours = unsafe {
        let mut present: libc::sigaction = zeroed();
        libc::sigaction(libc::SIGCHLD, null(), &raw mut present) == 0 && present.sa_sigaction == handler()
    };
    if ours {
        set(libc::SIG_DFL);
    }
}

fn handler() -> libc::sighandler_t {
    nothing as extern "C" fn(libc::c_int) as libc::sighandler_t
}

fn set(action: libc::sighandler_t) {
    // SAFETY: zeroed memory is a valid sigaction; the handler touches nothing, so it is safe at any moment. Without SA_RESTART:
    // the sleep is to be interrupted.
    unsafe {
        let mut wanted: libc::sigaction = zeroed();
        wanted.sa_sigaction = action;
        wanted.sa_flags = libc::SA_NOCLDSTOP;
        libc::sigaction(libc::SIGCHLD, &raw const wanted, null_mut());
    }
}

extern "C" fn nothing(_: libc::c_int) {}
