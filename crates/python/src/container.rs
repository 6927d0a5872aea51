//! What can be done with lists, tuples and dicts.

use pyo3_ffi as ffi;

use crate::error::{Error, Result};
use crate::object::Object;

impl<'py> Object<'py> {
    /// Number of items of a `list` (or of a subclass).
    pub fn list_len(&self) -> Option<usize> {
        // SAFETY: live and checked.
        unsafe {
            if ffi::PyList_Check(self.as_ptr()) == 0 {
                return None;
            }
            usize::try_from(ffi::PyList_Size(self.as_ptr())).ok()
        }
    }

    /// Item of a list; `None` past the end and for other types.
    pub fn list_item(&self, index: usize) -> Option<Object<'py>> {
        // SAFETY: type and bounds are checked against what the list is now; the item is made our own at once.
        unsafe {
            let inside = self.list_len().is_some_and(|length| index < length);
            let index = ffi::Py_ssize_t::try_from(index).ok()?;
            if inside { Object::borrowed(self.py(), ffi::PyList_GetItem(self.as_ptr(), index)) } else { None }
        }
    }

    /// Number of items of a `tuple` (or of a subclass).
    pub fn tuple_len(&self) -> Option<usize> {
        // SAFETY: live and checked.
        unsafe {
            if ffi::PyTuple_Check(self.as_ptr()) == 0 {
                return None;
            }
            usize::try_from(ffi::PyTuple_Size(self.as_ptr())).ok()
        }
    }

    /// Item of a tuple; `None` past the end and for other types.
    pub fn tuple_item(&self, index: usize) -> Option<Object<'py>> {
        // SAFETY: type and bounds are checked; tuples do not change.
        unsafe {
            let inside = self.tuple_len().is_some_and(|length| index < length);
            let index = ffi::Py_ssize_t::try_from(index).ok()?;
            if inside {
                Object::borrowed(self.py(), ffi::PyTuple_GetItem(self.as_ptr(), index))
            } else {
                None
            }
        }
    }

    /// Whether this is exactly a `list` or a `tuple`, so that taking its items runs no code of the application.
    pub fn is_plain_sequence(&self) -> bool {
        // SAFETY: reads types only.
        unsafe { ffi::PyList_CheckExact(self.as_ptr()) != 0 || ffi::PyTuple_CheckExact(self.as_ptr()) != 0 }
    }

    /// `self[key] = value` of a `dict`.
    pub fn dict_set(&self, key: &Object<'py>, value: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: all live; anything but a dict sets SystemError.
        self.done(unsafe { ffi::PyDict_SetItem(self.as_ptr(), key.as_ptr(), value.as_ptr()) })
    }

    /// `self.copy()` of a `dict`.
    pub fn dict_copy(&self) -> Result<'py, Object<'py>> {
        // SAFETY: live; anything but a dict sets SystemError.
        unsafe { Object::owned(self.py(), ffi::PyDict_Copy(self.as_ptr())) }
    }

    /// `self.get(key)` of a `dict`.
    pub fn dict_get(&self, key: &Object<'py>) -> Result<'py, Option<Object<'py>>> {
        // SAFETY: all live; the borrowed result becomes our own at once; null may mean missing or an exception.
        unsafe {
            let value = ffi::PyDict_GetItemWithError(self.as_ptr(), key.as_ptr());
            if value.is_null() && !ffi::PyErr_Occurred().is_null() {
                return Err(Error::fetch(self.py()));
            }
            Ok(Object::borrowed(self.py(), value))
        }
    }

    /// `self.pop(key, None)` of a `dict`.
    pub fn dict_remove(&self, key: &Object<'py>) {
        // SAFETY: all live; KeyError is dropped.
        unsafe {
            if ffi::PyDict_DelItem(self.as_ptr(), key.as_ptr()) < 0 {
                ffi::PyErr_Clear();
            }
        }
    }

    /// `self.append(item)` of a `list`.
    pub fn list_append(&self, item: &Object<'py>) -> Result<'py, ()> {
        // SAFETY: all live; anything but a list sets SystemError.
        self.done(unsafe { ffi::PyList_Append(self.as_ptr(), item.as_ptr()) })
    }
}
