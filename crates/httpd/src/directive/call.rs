//! The functions httpd calls for a directive, one per way of passing arguments. They find the directive by the
//! record's data pointer, check the place, and pass the panic fence.

use super::{Allowed, Call, Directive, Outcome, Scope};
use crate::fence::fence;
use crate::module::Module;
use crate::pool::Pool;
use crate::text;
use httpd_sys as sys;
use std::ffi::{c_char, c_int, c_void};
use std::ptr::null;

/// The arguments as httpd passed them.
enum Args {
    Flag(bool),
    Word(*const c_char),
    Raw(*const c_char),
}

pub(super) unsafe extern "C" fn flag<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    on: c_int,
) -> *const c_char {
    // SAFETY: httpd calls with live parameters of a record of this module.
    unsafe { dispatch::<M>(parms, dir, Args::Flag(on != 0)) }
}

pub(super) unsafe extern "C" fn take1<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    word: *const c_char,
) -> *const c_char {
    // SAFETY: as in `flag`.
    unsafe { dispatch::<M>(parms, dir, Args::Word(word)) }
}

pub(super) unsafe extern "C" fn raw_args<M: Module>(
    parms: *mut sys::cmd_parms,
    dir: *mut c_void,
    line: *const c_char,
) -> *const c_char {
    // SAFETY: as in `flag`.
    unsafe { dispatch::<M>(parms, dir, Args::Raw(line)) }
}

/// Calls the directive's function. Null is success; else the sentence, in the configuration's pool.
///
/// # Safety
/// httpd is calling with `parms` for a record of `M`'s table, `dir` being `M`'s value of the section.
unsafe fn dispatch<M: Module>(parms: *mut sys::cmd_parms, dir: *mut c_void, args: Args) -> *const c_char {
    // SAFETY: httpd sets `info` to the record's data pointer, which is a `Directive<M>` (see `record`).
    let (directive, pool) =
        unsafe { (&*(*parms).info.cast::<Directive<M>>(), Pool::from_raw((*parms).pool)) };
    if directive.allowed == Allowed::MainServer {
        // SAFETY: live parameters; GLOBAL_ONLY is a small positive constant.
        let refused = unsafe { sys::ap_check_cmd_context(parms, sys::GLOBAL_ONLY.unsigned_abs()) };
        if !refused.is_null() {
            return refused;
        }
    }
    // SAFETY: parameters and value are httpd's for this call, and nothing else uses the values meanwhile.
    let mut scope = unsafe { Scope::new(parms, dir) };
    // SAFETY: the argument strings live for this call.
    match fence("reading a directive", || unsafe { run(directive, &mut scope, &args) }) {
        Ok(Ok(())) => null(),
        Ok(Err(sentence)) => pool.copy(sentence.as_bytes()),
        Err(panic) => pool.copy(panic.to_string().as_bytes()),
    }
}

/// # Safety
/// The strings in `args` live for this call.
unsafe fn run<M: Module>(directive: &Directive<M>, scope: &mut Scope<'_, M>, args: &Args) -> Outcome {
    match (directive.call, args) {
        (Call::Flag(call), Args::Flag(on)) => call(scope, *on),
        // SAFETY: the caller's promise.
        (Call::Raw(call), Args::Raw(line)) => call(scope, unsafe { text::bytes(*line) }.unwrap_or_default()),
        // SAFETY: the caller's promise.
        (Call::One(call), Args::Word(word)) => match unsafe { text::bytes(*word) } {
            Some(word) => call(scope, word),
            None => Err(format!("{} was given no argument", scope.name())),
        },
        _ => Err(format!("{} was given arguments of another kind", scope.name())),
    }
}
