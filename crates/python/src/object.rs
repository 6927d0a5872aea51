//! References to Python objects: [`Object`] while attached, [`Stored`] in between. Making new ones is in `build`.

use std::ffi::c_int;
use std::ptr::NonNull;

use pyo3_ffi as ffi;

use crate::attach::{self, Attached};
use crate::error::{Error, Result};

/// An owned reference, usable while attached to the interpreter it belongs to.
pub struct Object<'py> {
    ptr: NonNull<ffi::PyObject>,
    py: Attached<'py>,
}

impl<'py> Object<'py> {
    /// Takes over a new reference; null means that an exception is set.
    ///
    /// # Safety
    /// `ptr` is null or a reference the caller owns.
    pub(crate) unsafe fn owned(py: Attached<'py>, ptr: *mut ffi::PyObject) -> Result<'py, Self> {
        match NonNull::new(ptr) {
            Some(ptr) => Ok(Self { ptr, py }),
            None => Err(Error::fetch(py)),
        }
    }

    /// Adds a reference to a borrowed one.
    ///
    /// # Safety
    /// `ptr` is null or valid now.
    pub(crate) unsafe fn borrowed(py: Attached<'py>, ptr: *mut ffi::PyObject) -> Option<Self> {
        let ptr = NonNull::new(ptr)?;
        // SAFETY: valid by the caller's promise, and we are attached.
        unsafe { ffi::Py_INCREF(ptr.as_ptr()) };
        Some(Self { ptr, py })
    }

    pub(crate) fn as_ptr(&self) -> *mut ffi::PyObject {
        self.ptr.as_ptr()
    }

    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        std::mem::ManuallyDrop::new(self).ptr.as_ptr()
    }

    /// The attachment this belongs to.
    pub fn py(&self) -> Attached<'py> {
        self.py
    }

    pub(crate) fn done(&self, outcome: c_int) -> Result<'py, ()> {
        if outcome < 0 { Err(Error::fetch(self.py)) } else { Ok(()) }
    }

    fn type_ptr(&self) -> *mut ffi::PyTypeObject {
        // SAFETY: a live object has a type.
        unsafe { ffi::Py_TYPE(self.as_ptr()) }
    }

    /// Whether both are the same object.
    pub fn is(&self, other: &Object<'py>) -> bool {
        self.ptr == other.ptr
    }

    /// Whether this is `None`.
    pub fn is_none(&self) -> bool {
        // SAFETY: reads the address of a static.
        unsafe { ffi::Py_IsNone(self.as_ptr()) != 0 }
    }

    /// Whether its type, exactly, is `class`.
    pub fn is_exactly(&self, class: &Object<'py>) -> bool {
        self.type_ptr().cast() == class.as_ptr()
    }

    /// `isinstance(self, class)`, without looking at `__instancecheck__`.
    pub fn is_instance(&self, class: &Object<'py>) -> bool {
        // SAFETY: both live; PyObject_TypeCheck only walks types, and `class` is checked to be one.
        unsafe {
            ffi::PyType_Check(class.as_ptr()) != 0
                && ffi::PyObject_TypeCheck(self.as_ptr(), class.as_ptr().cast()) != 0
        }
    }

    /// How many references to the object exist, this handle included.
    pub fn references(&self) -> u32 {
        // SAFETY: the count is part of the stable ABI; from 3.12 on only its low 32 bits count.
        unsafe { ffi::Py_REFCNT(self.as_ptr()) as u32 }
    }

    /// The name of its type, for messages.
    pub fn type_name(&self) -> String {
        // SAFETY: a live object has a type, which is an object.
        let class = unsafe { Object::borrowed(self.py, self.type_ptr().cast()) };
        let name = class.and_then(|class| class.attr("__name__").ok());
        name.and_then(|name| name.as_utf8().map(str::to_owned)).unwrap_or_else(|| "object".to_owned())
    }

    /// `getattr(self, name)`.
    pub fn attr(&self, name: &str) -> Result<'py, Object<'py>> {
        self.attr_by(&crate::build::str(self.py, name)?)
    }

    /// `getattr` with a name made before.
    pub fn attr_by(&self, name: &Object<'py>) -> Result<'py, Object<'py>> {
        // SAFETY: both live; returns a new reference or sets an exception.
        unsafe { Object::owned(self.py, ffi::PyObject_GetAttr(self.as_ptr(), name.as_ptr())) }
    }

    /// `setattr(self, name, value)`.
    pub fn set_attr(&self, name: &str, value: &Object<'py>) -> Result<'py, ()> {
        let name = crate::build::str(self.py, name)?;
        // SAFETY: all live.
        self.done(unsafe { ffi::PyObject_SetAttr(self.as_ptr(), name.as_ptr(), value.as_ptr()) })
    }

    /// `self(*args)`.
    pub fn call<const N: usize>(&self, args: [&Object<'py>; N]) -> Result<'py, Object<'py>> {
        let f = self.as_ptr();
        let end = std::ptr::null_mut::<ffi::PyObject>();
        // SAFETY: all live; the variadic function wants object pointers and a null at the end.
        unsafe {
            let result = match args.as_slice() {
                [] => ffi::PyObject_CallNoArgs(f),
                [a] => ffi::PyObject_CallFunctionObjArgs(f, a.as_ptr(), end),
                [a, b] => ffi::PyObject_CallFunctionObjArgs(f, a.as_ptr(), b.as_ptr(), end),
                [a, b, c] => ffi::PyObject_CallFunctionObjArgs(f, a.as_ptr(), b.as_ptr(), c.as_ptr(), end),
                many => {
                    let args = crate::build::tuple_of(self.py, many)?;
                    ffi::PyObject_CallObject(f, args.as_ptr())
                }
            };
            Object::owned(self.py, result)
        }
    }

    /// `iter(self)`.
    pub fn iter(&self) -> Result<'py, Object<'py>> {
        // SAFETY: live.
        unsafe { Object::owned(self.py, ffi::PyObject_GetIter(self.as_ptr())) }
    }

    /// `next(self)` of an iterator; `None` at its end.
    pub fn next(&self) -> Option<Result<'py, Object<'py>>> {
        // SAFETY: PyIter_Next wants an iterator, which is checked; null without exception means the end.
        unsafe {
            if ffi::PyIter_Check(self.as_ptr()) == 0 {
                let text = format!("'{}' object is not an iterator", self.type_name());
                return Some(Err(Error::new(self.py, crate::Kind::TypeError, &text)));
            }
            let item = ffi::PyIter_Next(self.as_ptr());
            if item.is_null() && ffi::PyErr_Occurred().is_null() {
                return None;
            }
            Some(Object::owned(self.py, item))
        }
    }

    /// The bytes of a `bytes` object.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        // SAFETY: a bytes object never changes or moves its content while it is alive, which `self` ensures.
        unsafe {
            if ffi::PyBytes_Check(self.as_ptr()) == 0 {
                return None;
            }
            let size = usize::try_from(ffi::PyBytes_Size(self.as_ptr())).ok()?;
            Some(std::slice::from_raw_parts(ffi::PyBytes_AsString(self.as_ptr()).cast(), size))
        }
    }

    /// A `bytes` object with the content of a bytes-like one; TypeError otherwise.
    pub fn to_bytes(&self) -> Result<'py, Object<'py>> {
        // SAFETY: live; accepts any object and sets an exception for unsuitable ones.
        unsafe { Object::owned(self.py, ffi::PyBytes_FromObject(self.as_ptr())) }
    }

    /// The text of a `str` as UTF-8; `None` for other types and for text with lone surrogates.
    pub fn as_utf8(&self) -> Option<&str> {
        // SAFETY: the UTF-8 form is kept inside the str object, which does not change while it is alive; CPython's encoder refuses
        // what UTF-8 has no form for.
        unsafe {
            if ffi::PyUnicode_Check(self.as_ptr()) == 0 {
                return None;
            }
            let mut size = 0;
            let data = ffi::PyUnicode_AsUTF8AndSize(self.as_ptr(), &raw mut size);
            if data.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            let bytes = std::slice::from_raw_parts(data.cast(), usize::try_from(size).ok()?);
            Some(std::str::from_utf8_unchecked(bytes))
        }
    }

    /// `str(self)` for people to read: what cannot be encoded is escaped; `None` when `__str__` fails.
    pub fn to_text(&self) -> Option<String> {
        // SAFETY: each step yields a new reference or null with an exception, which is dropped.
        unsafe {
            let text = Object::owned(self.py, ffi::PyObject_Str(self.as_ptr())).ok()?;
            if let Some(text) = text.as_utf8() {
                return Some(text.to_owned());
            }
            let coded = ffi::PyUnicode_AsEncodedString(
                text.as_ptr(),
                c"utf-8".as_ptr(),
                c"backslashreplace".as_ptr(),
            );
            let coded = Object::owned(self.py, coded).ok()?;
            coded.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        }
    }

    /// Whether this is a `str`.
    pub fn is_str(&self) -> bool {
        // SAFETY: live.
        unsafe { ffi::PyUnicode_Check(self.as_ptr()) != 0 }
    }

    /// A `bytes` object with the latin-1 form of a `str`; UnicodeEncodeError when it has none.
    pub fn to_latin1(&self) -> Result<'py, Object<'py>> {
        // SAFETY: live; sets TypeError for what is no str.
        unsafe { Object::owned(self.py, ffi::PyUnicode_AsLatin1String(self.as_ptr())) }
    }

    /// The value of an `int` that fits.
    pub fn as_i64(&self) -> Option<i64> {
        // SAFETY: live; the conversion sets OverflowError when it does not fit, which is dropped.
        unsafe {
            if ffi::PyLong_Check(self.as_ptr()) == 0 {
                return None;
            }
            let value = ffi::PyLong_AsLongLong(self.as_ptr());
            if value == -1 && !ffi::PyErr_Occurred().is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            Some(value)
        }
    }

    /// The value of an `int`, or of what can stand for one (`__index__`); TypeError for anything else, OverflowError when it does
    /// not fit.
    pub fn as_index(&self) -> Result<'py, i64> {
        // SAFETY: live; the exception class is a static of libpython.
        let value = unsafe { ffi::PyNumber_AsSsize_t(self.as_ptr(), ffi::PyExc_OverflowError) };
        // SAFETY: attached.
        if value == -1 && unsafe { !ffi::PyErr_Occurred().is_null() } {
            return Err(Error::fetch(self.py));
        }
        Ok(value as i64)
    }

    /// Truth; an exception in `__bool__` counts as false.
    pub fn is_true(&self) -> bool {
        // SAFETY: live.
        let truth = unsafe { ffi::PyObject_IsTrue(self.as_ptr()) };
        if truth < 0 {
            drop(Error::fetch(self.py));
        }
        truth > 0
    }

    /// Keeps the reference beyond this attachment.
    pub fn store(self) -> Stored {
        let interpreter = self.py.interpreter_id();
        let ptr = std::mem::ManuallyDrop::new(self).ptr;
        Stored { ptr, interpreter }
    }
}

impl Clone for Object<'_> {
    fn clone(&self) -> Self {
        // SAFETY: live, attached.
        unsafe { ffi::Py_INCREF(self.as_ptr()) };
        Self { ptr: self.ptr, py: self.py }
    }
}

impl Drop for Object<'_> {
    fn drop(&mut self) {
        // SAFETY: this handle owns one reference; `'py` proves that we are attached.
        unsafe { ffi::Py_DECREF(self.as_ptr()) };
    }
}

/// A reference kept while not attached. Give it back with [`release`](Self::release) or drop it while attached to its
/// interpreter; dropped elsewhere, the object is leaked (nothing else would be safe).
pub struct Stored {
    ptr: NonNull<ffi::PyObject>,
    interpreter: i64,
}

// SAFETY: the object is touched only through `get`, `release` and `drop`, which check the attachment.
unsafe impl Send for Stored {}
// SAFETY: as above.
unsafe impl Sync for Stored {}

impl Stored {
    /// The object.
    ///
    /// # Panics
    /// When attached to another interpreter than the one it belongs to: that would be a bug of the caller.
    pub fn get<'py>(&self, py: Attached<'py>) -> Object<'py> {
        assert_eq!(py.interpreter_id(), self.interpreter, "a Python object is used in a foreign interpreter");
        // SAFETY: `self` owns a reference, and we are attached to the object's interpreter.
        unsafe { ffi::Py_INCREF(self.ptr.as_ptr()) };
        Object { ptr: self.ptr, py }
    }

    /// Turns back into an owned reference.
    ///
    /// # Panics
    /// As [`get`](Self::get).
    pub fn release<'py>(self, py: Attached<'py>) -> Object<'py> {
        assert_eq!(py.interpreter_id(), self.interpreter, "a Python object is used in a foreign interpreter");
        Object { ptr: std::mem::ManuallyDrop::new(self).ptr, py }
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if attach::current() == Some(self.interpreter) {
            // SAFETY: attached to the object's interpreter; we own one reference.
            unsafe { ffi::Py_DECREF(self.ptr.as_ptr()) };
        }
    }
}
