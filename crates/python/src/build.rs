//! Making Python objects from Rust values.

use std::ffi::{CString, c_char};

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::error::{Error, Kind, Result};
use crate::object::Object;

fn size(bytes: &[u8]) -> ffi::Py_ssize_t {
    // A slice is never longer than isize::MAX bytes.
    bytes.len() as ffi::Py_ssize_t
}

/// `None`.
pub fn none(py: Attached<'_>) -> Object<'_> {
    singleton(py, ffi::Py_None)
}

/// `True` or `False`.
pub fn bool(py: Attached<'_>, value: bool) -> Object<'_> {
    singleton(py, if value { ffi::Py_True } else { ffi::Py_False })
}

#[expect(clippy::expect_used, reason = "statics of libpython have an address")]
fn singleton(py: Attached<'_>, get: unsafe fn() -> *mut ffi::PyObject) -> Object<'_> {
    // SAFETY: the functions return the address of an object that lives as long as Python.
    unsafe { Object::borrowed(py, get()) }.expect("None, True and False exist")
}

/// A `str` from UTF-8.
pub fn str<'py>(py: Attached<'py>, text: &str) -> Result<'py, Object<'py>> {
    // SAFETY: pointer and size describe valid UTF-8.
    unsafe {
        Object::owned(
            py,
            ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast::<c_char>(), size(text.as_bytes())),
        )
    }
}

/// A `str` with one code point for each byte.
pub fn latin1<'py>(py: Attached<'py>, bytes: &[u8]) -> Result<'py, Object<'py>> {
    // SAFETY: pointer and size describe the slice.
    unsafe {
        let data = bytes.as_ptr().cast::<c_char>();
        Object::owned(py, ffi::PyUnicode_DecodeLatin1(data, size(bytes), std::ptr::null()))
    }
}

/// A `str` as Python makes it from a file name (`os.fsdecode`).
pub fn fs_path<'py>(py: Attached<'py>, bytes: &[u8]) -> Result<'py, Object<'py>> {
    // SAFETY: pointer and size describe the slice.
    unsafe {
        Object::owned(py, ffi::PyUnicode_DecodeFSDefaultAndSize(bytes.as_ptr().cast::<c_char>(), size(bytes)))
    }
}

/// An interned `str` from latin-1 bytes, for dict keys and attribute names.
pub fn interned<'py>(py: Attached<'py>, bytes: &[u8]) -> Result<'py, Object<'py>> {
    let mut ptr = latin1(py, bytes)?.into_ptr();
    // SAFETY: we own the reference; the function exchanges it for the interned one.
    unsafe {
        ffi::PyUnicode_InternInPlace(&raw mut ptr);
        Object::owned(py, ptr)
    }
}

/// A `bytes`.
pub fn bytes<'py>(py: Attached<'py>, content: &[u8]) -> Result<'py, Object<'py>> {
    // SAFETY: pointer and size describe the slice, which is copied.
    unsafe { Object::owned(py, ffi::PyBytes_FromStringAndSize(content.as_ptr().cast(), size(content))) }
}

/// An `int`.
pub fn int(py: Attached<'_>, value: i64) -> Result<'_, Object<'_>> {
    // SAFETY: attached.
    unsafe { Object::owned(py, ffi::PyLong_FromLongLong(value)) }
}

/// A `float`.
pub fn float(py: Attached<'_>, value: f64) -> Result<'_, Object<'_>> {
    // SAFETY: attached.
    unsafe { Object::owned(py, ffi::PyFloat_FromDouble(value)) }
}

/// An empty `dict`.
pub fn dict(py: Attached<'_>) -> Result<'_, Object<'_>> {
    // SAFETY: attached.
    unsafe { Object::owned(py, ffi::PyDict_New()) }
}

/// A `list` of the items.
pub fn list<'py>(
    py: Attached<'py>,
    items: impl IntoIterator<Item = Object<'py>>,
) -> Result<'py, Object<'py>> {
    // SAFETY: attached.
    let list = unsafe { Object::owned(py, ffi::PyList_New(0)) }?;
    for item in items {
        list.list_append(&item)?;
    }
    Ok(list)
}

/// A `tuple` of the items.
pub fn tuple<'py, const N: usize>(py: Attached<'py>, items: [Object<'py>; N]) -> Result<'py, Object<'py>> {
    tuple_of(py, &items.each_ref())
}

pub(crate) fn tuple_of<'py>(py: Attached<'py>, items: &[&Object<'py>]) -> Result<'py, Object<'py>> {
    // SAFETY: a new tuple of that size is filled once; SetItem takes over one reference for each slot.
    unsafe {
        let tuple = Object::owned(py, ffi::PyTuple_New(items.len() as ffi::Py_ssize_t))?;
        for (index, item) in items.iter().enumerate() {
            ffi::PyTuple_SetItem(tuple.as_ptr(), index as ffi::Py_ssize_t, (*item).clone().into_ptr());
        }
        Ok(tuple)
    }
}

/// Compiles and names: a C string for Python; ValueError when the text has a NUL.
pub(crate) fn c_string<'py>(py: Attached<'py>, text: &str) -> Result<'py, CString> {
    CString::new(text).map_err(|_| Error::new(py, Kind::ValueError, "text with a NUL character"))
}

unsafe extern "C" {
    /// Of the stable ABI; `pyo3-ffi` has it only for other builds.
    fn _PyBytes_Resize(bytes: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> std::ffi::c_int;
}

/// Up to this length in bytes, a buffer that is too large is copied instead of cut: the rest would stay with it.
const COPIED: usize = 64 * 1024;

/// A `bytes` object that is still being filled: nobody else has seen it.
pub struct BytesBuffer<'py> {
    object: Object<'py>,
    capacity: usize,
}

impl<'py> BytesBuffer<'py> {
    /// A zeroed buffer.
    pub fn new(py: Attached<'py>, capacity: usize) -> Result<'py, Self> {
        let Ok(size) = ffi::Py_ssize_t::try_from(capacity) else {
            return Err(Error::new(py, Kind::MemoryError, "the buffer is too large"));
        };
        // SAFETY: a null pointer asks for uninitialised content, which is zeroed before anybody can read it.
        let object = unsafe {
            let object = Object::owned(py, ffi::PyBytes_FromStringAndSize(std::ptr::null(), size))?;
            std::ptr::write_bytes(ffi::PyBytes_AsString(object.as_ptr()), 0, capacity);
            object
        };
        // CPython shares the objects for zero and one byte, which must not be written to.
        let capacity = if capacity > 1 { capacity } else { 0 };
        Ok(Self { object, capacity })
    }

    /// What may be written to: empty for capacities below two, use [`bytes`] there.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the object is ours alone and larger than one byte, or the slice is empty.
        unsafe {
            std::slice::from_raw_parts_mut(ffi::PyBytes_AsString(self.object.as_ptr()).cast(), self.capacity)
        }
    }

    /// Makes it larger; what is in it stays, the rest is zeroed. A buffer of less than two bytes stays as it is.
    pub fn grow(self, capacity: usize) -> Result<'py, Self> {
        let old = self.capacity;
        if old < 2 || capacity <= old {
            return Ok(self);
        }
        let grown = self.resize(capacity)?;
        // SAFETY: the object is ours alone and has `capacity` bytes; those behind the old ones are uninitialised.
        unsafe {
            let content: *mut c_char = ffi::PyBytes_AsString(grown.object.as_ptr());
            std::ptr::write_bytes(content.add(old), 0, capacity - old);
        }
        Ok(grown)
    }

    /// Another capacity, at least two bytes; bytes that it did not have before are uninitialised.
    fn resize(self, capacity: usize) -> Result<'py, Self> {
        let py = self.object.py();
        let Ok(size) = ffi::Py_ssize_t::try_from(capacity) else {
            return Err(Error::new(py, Kind::MemoryError, "the buffer is too large"));
        };
        let mut ptr = self.object.into_ptr();
        // SAFETY: the only reference is ours, and nobody has hashed the object; on failure the function releases it, leaves null
        // and sets MemoryError (Python's C API, Bytes Objects).
        let object = unsafe {
            _PyBytes_Resize(&raw mut ptr, size);
            Object::owned(py, ptr)?
        };
        Ok(Self { object, capacity })
    }

    /// The object, cut to `length` bytes: a short one by copying.
    pub fn finish(mut self, length: usize) -> Result<'py, Object<'py>> {
        if length == self.capacity && length > 0 {
            return Ok(self.object);
        }
        if length > COPIED && length < self.capacity {
            return Ok(self.resize(length)?.object);
        }
        let py = self.object.py();
        let filled = self.as_mut_slice();
        bytes(py, filled.get(..length.min(filled.len())).unwrap_or_default())
    }
}
