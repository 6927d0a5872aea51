//! The arguments a Python caller passed to a Rust function, and matching them with parameter names.

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::error::{Error, Kind, Result};
use crate::object::Object;

/// Positional and keyword arguments of one call (the vectorcall convention).
pub struct Args<'a, 'py> {
    py: Attached<'py>,
    receiver: *mut ffi::PyObject,
    positional: &'a [*mut ffi::PyObject],
    keywords: &'a [*mut ffi::PyObject],
    names: *mut ffi::PyObject,
}

impl<'a, 'py> Args<'a, 'py> {
    /// # Safety
    /// As CPython calls a METH_FASTCALL | METH_KEYWORDS function: `args` holds `count` positional arguments and then
    /// one for each item of the tuple `names` (which may be null), all valid for `'a`, as is `receiver` unless null.
    pub(crate) unsafe fn new(
        py: Attached<'py>,
        receiver: *mut ffi::PyObject,
        args: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> Self {
        let count = usize::try_from(count).unwrap_or(0);
        // SAFETY: the caller's promise; an empty call may pass a null array.
        unsafe {
            let named =
                if names.is_null() { 0 } else { usize::try_from(ffi::PyTuple_Size(names)).unwrap_or(0) };
            let all = if args.is_null() { &[] } else { std::slice::from_raw_parts(args, count + named) };
            let (positional, keywords) = all.split_at(count.min(all.len()));
            Self { py, receiver, positional, keywords, names }
        }
    }

    /// The arguments in the order of `parameters`; the first `required` must be given. TypeErrors name `function`.
    pub fn bind<const N: usize>(
        &self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Result<'py, [Option<Object<'py>>; N]> {
        if self.positional.len() > N {
            let given = self.positional.len();
            return Err(self.error(&format!("{function}() takes at most {N} arguments ({given} given)")));
        }
        let mut bound = std::array::from_fn(|index| {
            // SAFETY: arguments are valid during the call.
            self.positional.get(index).and_then(|ptr| unsafe { Object::borrowed(self.py, *ptr) })
        });
        for (index, value) in self.keywords.iter().enumerate() {
            // SAFETY: `names` has as many items as there are keyword arguments.
            let name = unsafe {
                Object::borrowed(self.py, ffi::PyTuple_GetItem(self.names, index as ffi::Py_ssize_t))
            };
            let name = name.as_ref().and_then(Object::as_utf8).unwrap_or_default();
            let slot = parameters.iter().position(|known| *known == name).and_then(|at| bound.get_mut(at));
            match slot {
                None => {
                    return Err(
                        self.error(&format!("{function}() got an unexpected keyword argument '{name}'"))
                    );
                }
                Some(Some(_)) => {
                    return Err(
                        self.error(&format!("{function}() got multiple values for argument '{name}'"))
                    );
                }
                // SAFETY: arguments are valid during the call.
                Some(slot) => *slot = unsafe { Object::borrowed(self.py, *value) },
            }
        }
        for (index, (slot, name)) in bound.iter().zip(parameters).enumerate() {
            if slot.is_none() && index < required {
                let position = index + 1;
                return Err(
                    self.error(&format!("{function}() missing required argument '{name}' (pos {position})"))
                );
            }
        }
        Ok(bound)
    }

    /// The object whose method was called.
    pub fn receiver(&self) -> Result<'py, Object<'py>> {
        // SAFETY: valid during the call, or null for functions.
        unsafe { Object::borrowed(self.py, self.receiver) }.ok_or_else(|| self.error("not a method"))
    }

    /// No arguments are allowed.
    pub fn none(&self, function: &str) -> Result<'py, ()> {
        self.bind(function, [], 0).map(|[]: [Option<Object<'py>>; 0]| ())
    }

    fn error(&self, text: &str) -> Error<'py> {
        Error::new(self.py, Kind::TypeError, text)
    }
}
