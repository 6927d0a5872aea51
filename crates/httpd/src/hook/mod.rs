//! Hooks: registering for them in an order, the functions httpd calls (one per kind, each behind the panic fence), and
//! what they answer. `lifecycle` holds what start-up and parent hooks are handed.

mod lifecycle;

pub use lifecycle::{Child, ChildStatus, Parent};

use crate::fence::{self, fence};
use crate::module::Module;
use crate::pool::Pool;
use crate::request::Request;
use httpd_sys as sys;
use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr::{NonNull, null};

/// What a request hook answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done here; httpd goes on with the next phase.
    Ok,
    /// Not this module's; httpd asks the next one.
    Declined,
    /// The response is complete; httpd skips the remaining phases.
    Done,
    /// The response is httpd's page for this status (`ErrorDocument` applies).
    Status(u16),
    /// A filter has already sent an error response (`AP_FILTER_ERROR`).
    Answered,
}

impl Answer {
    fn code(self) -> c_int {
        match self {
            Answer::Ok => sys::OK,
            Answer::Declined => sys::DECLINED,
            Answer::Done => sys::DONE,
            Answer::Status(status) => c_int::from(status),
            Answer::Answered => sys::AP_FILTER_ERROR,
        }
    }
}

/// When a function runs among those of other modules for the same hook.
#[derive(Clone, Copy, Debug)]
pub enum Position {
    /// Before `First`.
    ReallyFirst,
    /// Early.
    First,
    /// Where most run.
    Middle,
    /// Late.
    Last,
    /// After `Last`.
    ReallyLast,
}

/// A position and the modules to run after and before, by file name (`c"mod_alias.c"`). A module that is not loaded is
/// no obstacle.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Among all.
    pub position: Position,
    /// Modules that run earlier.
    pub after: &'static [&'static CStr],
    /// Modules that run later.
    pub before: &'static [&'static CStr],
}

impl Order {
    /// A position, with no other module named.
    pub const fn at(position: Position) -> Order {
        Order { position, after: &[], before: &[] }
    }

    fn number(self) -> c_int {
        match self.position {
            Position::ReallyFirst => sys::APR_HOOK_REALLY_FIRST,
            Position::First => sys::APR_HOOK_FIRST,
            Position::Middle => sys::APR_HOOK_MIDDLE,
            Position::Last => sys::APR_HOOK_LAST,
            Position::ReallyLast => sys::APR_HOOK_REALLY_LAST,
        }
    }
}

/// Registers a module's hooks. Each method registers the function of that name in [`Module`].
pub struct Hooks<'p, M> {
    pool: Pool<'p>,
    of: PhantomData<fn() -> M>,
}

/// Writes the registering method for one hook.
macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident => $register:ident, $call:path;)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self, order: Order) {
            let (after, before) = (self.names(order.after), self.names(order.before));
            // SAFETY: both lists end with null and live in the configuration's pool, as long as the hooks do; the
            // function has the type of this hook.
            unsafe { sys::$register(Some($call), after, before, order.number()) }
        })*
    };
}

impl<'p, M: Module> Hooks<'p, M> {
    pub(crate) fn new(pool: Pool<'p>) -> Hooks<'p, M> {
        Hooks { pool, of: PhantomData }
    }

    pub(crate) fn pool(&self) -> Pool<'p> {
        self.pool
    }

    /// The names as httpd wants them: pointers, then null. No names are null altogether.
    fn names(&self, names: &[&'static CStr]) -> *const *const c_char {
        if names.is_empty() {
            return null();
        }
        let list: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).chain([null()]).collect();
        self.pool.own(list).as_ptr()
    }

    hooks! {
        /// [`Module::check_config`]. Every module should: panics while configuration is read surface here.
        check_config => ap_hook_check_config, lifecycle::check_config::<M>;
        /// [`Module::post_config`].
        post_config => ap_hook_post_config, lifecycle::post_config::<M>;
        /// [`Module::child_init`].
        child_init => ap_hook_child_init, lifecycle::child_init::<M>;
        /// [`Module::child_status`].
        child_status => ap_hook_child_status, lifecycle::child_status::<M>;
        /// [`Module::monitor`].
        monitor => ap_hook_monitor, lifecycle::monitor::<M>;
        /// [`Module::translate_name`].
        translate_name => ap_hook_translate_name, translate_name::<M>;
        /// [`Module::map_to_storage`].
        map_to_storage => ap_hook_map_to_storage, map_to_storage::<M>;
        /// [`Module::access_checker`].
        access_checker => ap_hook_access_checker, access_checker::<M>;
        /// [`Module::handler`].
        handler => ap_hook_handler, handler::<M>;
    }
}

unsafe extern "C" fn translate_name<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: httpd hands out the request for the length of this call.
    unsafe { request_hook(request, "translate_name", M::translate_name) }
}

unsafe extern "C" fn map_to_storage<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: as above.
    unsafe { request_hook(request, "map_to_storage", M::map_to_storage) }
}

unsafe extern "C" fn access_checker<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: as above.
    unsafe { request_hook(request, "access_checker", M::access_checker) }
}

unsafe extern "C" fn handler<M: Module>(request: *mut sys::request_rec) -> c_int {
    // SAFETY: as above.
    unsafe { request_hook(request, "handler", M::handler) }
}

/// Runs a request hook behind the fence. A panic is one line in the request's log and a 500; when the head of a
/// response is out already, the response is broken off visibly instead.
///
/// # Safety
/// `request` is null or lives, and belongs to this thread, for this call.
unsafe fn request_hook(
    request: *mut sys::request_rec,
    what: &'static str,
    hook: fn(&mut Request<'_>) -> Answer,
) -> c_int {
    let Some(request) = NonNull::new(request) else { return sys::DECLINED };
    // SAFETY: the caller's promise; the wrapper does not leave this function.
    let mut request = unsafe { Request::from_raw(request) };
    match fence(what, || hook(&mut request)) {
        Ok(answer) => answer.code(),
        Err(panic) => {
            fence::report(&panic, &request.log());
            if request.head_sent() {
                request.break_off();
                return sys::DONE;
            }
            Answer::Status(500).code()
        }
    }
}
