//! The functions CPython calls: each recreates its Rust function (a type without data), records the attachment, and
//! turns errors and panics into exceptions.

use std::any::Any;
use std::ffi::{CStr, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::args::Args;
use crate::attach::{Attached, Enter};
use crate::class::{Instance, Payload};
use crate::error::{Error, Kind, Result};
use crate::object::Object;

/// A Rust function as a method: the value, then what the caller passed.
pub trait Method<C>:
    for<'a, 'py> Fn(&'a C, Attached<'py>, Args<'a, 'py>) -> Result<'py, Object<'py>>
    + Copy
    + Send
    + Sync
    + 'static
{
}
impl<C, F> Method<C> for F where
    F: for<'a, 'py> Fn(&'a C, Attached<'py>, Args<'a, 'py>) -> Result<'py, Object<'py>>
        + Copy
        + Send
        + Sync
        + 'static
{
}

/// A Rust function as a read-only attribute.
pub trait Getter<C>:
    for<'a, 'py> Fn(&'a C, Attached<'py>) -> Result<'py, Object<'py>> + Copy + Send + Sync + 'static
{
}
impl<C, F> Getter<C> for F where
    F: for<'a, 'py> Fn(&'a C, Attached<'py>) -> Result<'py, Object<'py>> + Copy + Send + Sync + 'static
{
}

/// A Rust function as `__next__`: `None` is the end.
pub trait Next<C>:
    for<'a, 'py> Fn(&'a C, Attached<'py>) -> Result<'py, Option<Object<'py>>> + Copy + Send + Sync + 'static
{
}
impl<C, F> Next<C> for F where
    F: for<'a, 'py> Fn(&'a C, Attached<'py>) -> Result<'py, Option<Object<'py>>>
        + Copy
        + Send
        + Sync
        + 'static
{
}

/// A Rust function as a function of a module.
pub trait Function:
    for<'a, 'py> Fn(Attached<'py>, Args<'a, 'py>) -> Result<'py, Object<'py>> + Copy + Send + Sync + 'static
{
}
impl<F> Function for F where
    F: for<'a, 'py> Fn(Attached<'py>, Args<'a, 'py>) -> Result<'py, Object<'py>>
        + Copy
        + Send
        + Sync
        + 'static
{
}

/// Gives back the function of a type that has no data.
///
/// # Safety
/// A value of `F` existed (one was passed when the trampoline was chosen), so the type is inhabited.
pub(crate) unsafe fn recreate<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "only function items and closures without captures") };
    // SAFETY: reading a type without size touches no memory; F is inhabited and Copy.
    unsafe { NonNull::<F>::dangling().read() }
}

/// Records the attachment and runs `work`; a panic becomes a SystemError (which stays set) and `failed`.
///
/// # Safety
/// CPython called us: the GIL is held.
pub(crate) unsafe fn fenced<R>(failed: R, work: impl for<'py> FnOnce(Attached<'py>) -> R) -> R {
    // SAFETY: the GIL is held by the caller's promise.
    let (_enter, py) = unsafe { (Enter::new(), Attached::assume()) };
    match catch_unwind(AssertUnwindSafe(|| work(py))) {
        Ok(result) => result,
        Err(panic) => {
            Error::new(py, Kind::SystemError, &format!("internal error: {}", panic_text(&*panic))).raise();
            failed
        }
    }
}

/// As [`fenced`], for functions that return an object or raise.
unsafe fn object_or_raise(
    work: impl for<'py> FnOnce(Attached<'py>) -> Result<'py, Option<Object<'py>>>,
) -> *mut ffi::PyObject {
    // SAFETY: passed on.
    unsafe {
        fenced(std::ptr::null_mut(), |py| match work(py) {
            Ok(Some(object)) => object.into_ptr(),
            Ok(None) => std::ptr::null_mut(),
            Err(error) => {
                error.raise();
                std::ptr::null_mut()
            }
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic")
}

fn unfilled(py: Attached<'_>) -> Error<'_> {
    Error::new(py, Kind::SystemError, "the object was never initialised")
}

pub(crate) fn method_def<C: Payload, F: Method<C>>(
    name: &'static CStr,
    doc: &'static CStr,
    _method: F,
) -> ffi::PyMethodDef {
    unsafe extern "C" fn call<C: Payload, F: Method<C>>(
        object: *mut ffi::PyObject,
        args: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: CPython checks that `object` is an instance of the class the method belongs to, keeps it and the
        // arguments alive during the call, and holds the GIL; `_method` was a value of F.
        unsafe {
            object_or_raise(|py| {
                let value = Instance::<C>::value(object).ok_or_else(|| unfilled(py))?;
                recreate::<F>()(value, py, Args::new(py, object, args, count, names)).map(Some)
            })
        }
    }
    fast_call_def(name, doc, call::<C, F>)
}

pub(crate) fn function_def<F: Function>(name: &'static CStr, _function: F) -> ffi::PyMethodDef {
    unsafe extern "C" fn call<F: Function>(
        _module: *mut ffi::PyObject,
        args: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        // SAFETY: CPython keeps the arguments alive during the call and holds the GIL; `_function` was a value of F.
        unsafe {
            object_or_raise(|py| {
                recreate::<F>()(py, Args::new(py, std::ptr::null_mut(), args, count, names)).map(Some)
            })
        }
    }
    fast_call_def(name, c"", call::<F>)
}

fn fast_call_def(
    name: &'static CStr,
    doc: &'static CStr,
    call: ffi::PyCFunctionFastWithKeywords,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: call },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: doc.as_ptr(),
    }
}

pub(crate) fn getter_def<C: Payload, F: Getter<C>>(name: &'static CStr, _getter: F) -> ffi::PyGetSetDef {
    unsafe extern "C" fn get<C: Payload, F: Getter<C>>(
        object: *mut ffi::PyObject,
        _closure: *mut c_void,
    ) -> *mut ffi::PyObject {
        // SAFETY: as for methods.
        unsafe {
            object_or_raise(|py| {
                let value = Instance::<C>::value(object).ok_or_else(|| unfilled(py))?;
                recreate::<F>()(value, py).map(Some)
            })
        }
    }
    ffi::PyGetSetDef { name: name.as_ptr(), get: Some(get::<C, F>), ..Default::default() }
}

pub(crate) fn next_slot<C: Payload, F: Next<C>>(_next: F) -> *mut c_void {
    unsafe extern "C" fn next<C: Payload, F: Next<C>>(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
        // SAFETY: as for methods; null without an exception ends the iteration.
        unsafe {
            object_or_raise(|py| {
                let value = Instance::<C>::value(object).ok_or_else(|| unfilled(py))?;
                recreate::<F>()(value, py)
            })
        }
    }
    next::<C, F> as *mut c_void
}
