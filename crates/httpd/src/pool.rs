//! APR pools: memory and cleanups that live as long as a request, a connection or a configuration.

use crate::fence::{self, fence};
use crate::log::Log;
use crate::text;
use httpd_sys as sys;
use std::ffi::{c_char, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// A pool that lives at least for `'p`. Used by one thread at a time, as all pools.
#[derive(Clone, Copy)]
pub struct Pool<'p> {
    raw: NonNull<sys::apr_pool_t>,
    life: PhantomData<&'p sys::apr_pool_t>,
}

impl<'p> Pool<'p> {
    /// Wraps a pool httpd handed out.
    ///
    /// # Safety
    /// `raw` lives for `'p` and is used by this thread only.
    pub(crate) unsafe fn from_raw(raw: *mut sys::apr_pool_t) -> Pool<'p> {
        match NonNull::new(raw) {
            Some(raw) => Pool { raw, life: PhantomData },
            None => panic!("httpd handed out no pool"),
        }
    }

    pub(crate) fn raw(self) -> *mut sys::apr_pool_t {
        self.raw.as_ptr()
    }

    /// A NUL-terminated copy of `bytes` (cut at the first NUL) that lives as long as the pool.
    pub(crate) fn copy(self, bytes: &[u8]) -> *mut c_char {
        let bytes = text::up_to_nul(bytes);
        // SAFETY: the pool is live; APR copies `len` bytes and adds the NUL.
        unsafe { sys::apr_pstrmemdup(self.raw(), bytes.as_ptr().cast(), bytes.len()) }
    }

    /// Runs `action` when the pool is cleared or destroyed, in the process that does so; not in a child that is about
    /// to exec. Actions run in the reverse order of their registration.
    pub fn on_cleanup(self, action: impl FnOnce() + 'static) {
        self.own(Cleanup { action: Some(Box::new(action)) });
    }

    /// Moves `value` into the pool, which drops it when it is cleared or destroyed.
    pub fn own<T: 'static>(self, value: T) -> &'p T {
        let value = Box::into_raw(Box::new(value));
        self.drop_with_pool(value);
        // SAFETY: the box lives until the pool's cleanup and is only shared from here on.
        unsafe { &*value }
    }

    /// Has the pool drop a box.
    pub(crate) fn drop_with_pool<T: 'static>(self, value: *mut T) {
        // SAFETY: the pool is live; `drop_box::<T>` is called once, with this pointer.
        unsafe {
            sys::apr_pool_cleanup_register(
                self.raw(),
                value.cast(),
                Some(drop_box::<T>),
                Some(sys::apr_pool_cleanup_null),
            );
        }
    }
}

/// A closure that runs when it is dropped.
struct Cleanup {
    action: Option<Box<dyn FnOnce()>>,
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        if let Some(action) = self.action.take() {
            action();
        }
    }
}

unsafe extern "C" fn drop_box<T>(value: *mut c_void) -> sys::apr_status_t {
    let dropped = fence("dropping what a pool owns", || {
        // SAFETY: `drop_with_pool` registered this pointer, which came from `Box::into_raw::<T>`; APR calls it once.
        drop(unsafe { Box::from_raw(value.cast::<T>()) });
    });
    if let Err(panic) = dropped {
        fence::report(&panic, &Log::process());
    }
    sys::APR_SUCCESS
}
