//! Python exceptions as Rust errors, and their text for logs.

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::build;
use crate::extension::import;
use crate::object::Object;

/// What may raise.
pub type Result<'py, T> = std::result::Result<T, Error<'py>>;

/// A Python exception: an instance with its traceback.
pub struct Error<'py> {
    exception: Object<'py>,
}

/// Built-in exceptions that Rust code raises or looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `AttributeError`
    AttributeError,
    /// `MemoryError`
    MemoryError,
    /// `OSError`
    OSError,
    /// `RuntimeError`
    RuntimeError,
    /// `SyntaxError`
    SyntaxError,
    /// `SystemError`
    SystemError,
    /// `SystemExit`
    SystemExit,
    /// `TypeError`
    TypeError,
    /// `ValueError`
    ValueError,
}

impl Kind {
    fn class(self) -> *mut ffi::PyObject {
        // SAFETY: reads pointers libpython sets before any extension is loaded.
        unsafe {
            match self {
                Kind::AttributeError => ffi::PyExc_AttributeError,
                Kind::MemoryError => ffi::PyExc_MemoryError,
                Kind::OSError => ffi::PyExc_OSError,
                Kind::RuntimeError => ffi::PyExc_RuntimeError,
                Kind::SyntaxError => ffi::PyExc_SyntaxError,
                Kind::SystemError => ffi::PyExc_SystemError,
                Kind::SystemExit => ffi::PyExc_SystemExit,
                Kind::TypeError => ffi::PyExc_TypeError,
                Kind::ValueError => ffi::PyExc_ValueError,
            }
        }
    }
}

impl<'py> Error<'py> {
    /// A new exception with a message.
    pub fn new(py: Attached<'py>, kind: Kind, message: &str) -> Self {
        // SAFETY: sets an exception from a live class and a live str (or leaves the one that making the str raised).
        unsafe {
            if let Ok(message) = build::str(py, message) {
                ffi::PyErr_SetObject(kind.class(), message.as_ptr());
            } else {
                ffi::PyErr_SetNone(kind.class());
            }
        }
        Self::fetch(py)
    }

    /// The exception `raise type, value, traceback` would raise, with the traceback it had (`sys.exc_info()`).
    pub fn from_parts(class: &Object<'py>, value: &Object<'py>, traceback: &Object<'py>) -> Self {
        let py = class.py();
        // SAFETY: PyErr_Restore takes over three references; the class is checked, and the traceback is given only
        // when it is one (None is refused by some versions).
        unsafe {
            if ffi::PyExceptionClass_Check(class.as_ptr()) == 0 {
                return Self::new(
                    py,
                    Kind::TypeError,
                    "exc_info must hold an exception class, value and traceback",
                );
            }
            let is_traceback = ffi::PyTraceBack_Check(traceback.as_ptr()) != 0;
            let traceback = if is_traceback { traceback.clone().into_ptr() } else { std::ptr::null_mut() };
            ffi::PyErr_Restore(class.clone().into_ptr(), value.clone().into_ptr(), traceback);
        }
        Self::fetch(py)
    }

    /// An exception instance that Python code has caught; a TypeError about what is none.
    pub fn from_exception(exception: Object<'py>) -> Self {
        // SAFETY: live.
        if unsafe { ffi::PyExceptionInstance_Check(exception.as_ptr()) } == 0 {
            let text = format!("an exception is wanted, not {}", exception.type_name());
            return Self::new(exception.py(), Kind::TypeError, &text);
        }
        Self { exception }
    }

    /// Takes the exception that is set; a SystemError when none is.
    pub(crate) fn fetch(py: Attached<'py>) -> Self {
        // SAFETY: the three functions hand us new references or null; normalising makes `value` an instance.
        unsafe {
            if ffi::PyErr_Occurred().is_null() {
                let text = c"an operation failed without setting an exception";
                ffi::PyErr_SetString(ffi::PyExc_SystemError, text.as_ptr());
            }
            let (mut class, mut value, mut traceback) =
                (std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut());
            ffi::PyErr_Fetch(&raw mut class, &raw mut value, &raw mut traceback);
            ffi::PyErr_NormalizeException(&raw mut class, &raw mut value, &raw mut traceback);
            if !value.is_null() && !traceback.is_null() {
                ffi::PyException_SetTraceback(value, traceback);
            }
            ffi::Py_XDECREF(traceback);
            // A normalised exception always has a value; the class stands in if Python ever breaks that promise.
            let exception = if value.is_null() {
                class
            } else {
                ffi::Py_XDECREF(class);
                value
            };
            match Object::owned(py, exception) {
                Ok(exception) => Self { exception },
                Err(error) => error,
            }
        }
    }

    /// Sets it as the current exception, as it is (no new context).
    pub(crate) fn raise(self) {
        // SAFETY: PyErr_Restore takes over a reference to the class, to the instance and to its traceback (or null).
        unsafe {
            let class = ffi::Py_TYPE(self.exception.as_ptr()).cast::<ffi::PyObject>();
            ffi::Py_INCREF(class);
            let traceback = ffi::PyException_GetTraceback(self.exception.as_ptr());
            ffi::PyErr_Restore(class, self.exception.into_ptr(), traceback);
        }
    }

    /// The exception instance.
    pub fn exception(&self) -> &Object<'py> {
        &self.exception
    }

    /// Whether it is an instance of the class.
    pub fn is(&self, kind: Kind) -> bool {
        // SAFETY: both live.
        unsafe { ffi::PyErr_GivenExceptionMatches(self.exception.as_ptr(), kind.class()) != 0 }
    }

    /// The text Python prints for it: traceback, chain and message, several lines. Just type and message when the
    /// traceback module does not work.
    pub fn format(&self) -> String {
        self.format_with_traceback().unwrap_or_else(|_| {
            let text = self.exception.to_text().unwrap_or_else(|| "<no text>".to_owned());
            format!("{}: {text}\n(The module traceback cannot format it.)\n", self.exception.type_name())
        })
    }

    fn format_with_traceback(&self) -> Result<'py, String> {
        let py = self.exception.py();
        let format = import(py, "traceback")?.attr("format_exception")?;
        let class = self.exception.attr("__class__")?;
        let lines = format.call([&class, &self.exception, &self.exception.attr("__traceback__")?])?;
        let mut text = String::new();
        let mut index = 0;
        while let Some(line) = lines.list_item(index) {
            text.push_str(&line.to_text().unwrap_or_default());
            index += 1;
        }
        Ok(text)
    }
}
