//! Python classes whose instances hold a Rust value. How CPython calls into them is in `trampoline`.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::build::c_string;
use crate::error::Result;
use crate::object::{Object, Stored};
use crate::trampoline::{self, Getter, Method, Next};

/// What a Rust value inside Python objects must be: any thread may call its methods, and it lives as long as Python
/// likes.
pub trait Payload: Send + Sync + 'static {}
impl<T: Send + Sync + 'static> Payload for T {}

/// An instance: CPython's header, then the value.
#[repr(C)]
pub(crate) struct Instance<C> {
    header: ffi::PyObject,
    /// Memory comes zeroed: false until the value is in place.
    filled: bool,
    value: MaybeUninit<C>,
}

impl<C> Instance<C> {
    /// # Safety
    /// `object` is a live instance of a class made from a `ClassDef<C>`.
    pub(crate) unsafe fn value<'a>(object: *mut ffi::PyObject) -> Option<&'a C> {
        // SAFETY: the caller's promise; the value is never moved or replaced while the object is alive.
        unsafe {
            let instance = &*object.cast::<Self>();
            instance.filled.then(|| instance.value.assume_init_ref())
        }
    }
}

/// tp_dealloc of all our classes. They hold no references Python's cycle collector would have to know.
pub(crate) unsafe extern "C" fn dealloc<C: Payload>(object: *mut ffi::PyObject) {
    // SAFETY: CPython calls this once, when the last reference is gone, with the GIL. Heap types are owned by their
    // instances (bpo-35810), so the type is released after the memory.
    unsafe {
        trampoline::fenced((), |_| {
            let instance = &mut *object.cast::<Instance<C>>();
            if std::mem::take(&mut instance.filled) {
                instance.value.assume_init_drop();
            }
        });
        let class = ffi::Py_TYPE(object);
        ffi::PyObject_Free(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

/// The description of a class. Lives in a static, because CPython keeps pointers into it.
pub struct ClassDef<C> {
    name: &'static CStr,
    methods: Vec<ffi::PyMethodDef>,
    getters: Vec<ffi::PyGetSetDef>,
    slots: Vec<ffi::PyType_Slot>,
    _value: PhantomData<fn() -> C>,
}

// SAFETY: the raw pointers point to statics and functions and are not changed after the description is complete.
unsafe impl<C> Send for ClassDef<C> {}
// SAFETY: as above.
unsafe impl<C> Sync for ClassDef<C> {}

impl<C: Payload> ClassDef<C> {
    /// `name` is dotted: `mod_wsgi.Input`.
    pub fn new(name: &'static CStr, doc: &'static CStr) -> Self {
        let slots = vec![
            slot(ffi::Py_tp_doc, doc.as_ptr().cast_mut().cast()),
            slot(ffi::Py_tp_dealloc, dealloc::<C> as *mut c_void),
        ];
        Self { name, methods: Vec::new(), getters: Vec::new(), slots, _value: PhantomData }
    }

    /// A method. `method` is a function item or a closure without captures.
    pub fn method<F: Method<C>>(mut self, name: &'static CStr, doc: &'static CStr, method: F) -> Self {
        self.methods.push(trampoline::method_def(name, doc, method));
        self
    }

    /// A read-only attribute, computed at each access.
    pub fn getter<F: Getter<C>>(mut self, name: &'static CStr, getter: F) -> Self {
        self.getters.push(trampoline::getter_def(name, getter));
        self
    }

    /// Instances are their own iterators; `next` returns `None` at the end.
    pub fn iterator<F: Next<C>>(mut self, next: F) -> Self {
        self.slots.push(slot(ffi::Py_tp_iter, ffi::PyObject_SelfIter as *mut c_void));
        self.slots.push(slot(ffi::Py_tp_iternext, trampoline::next_slot(next)));
        self
    }

    /// Makes the class in the interpreter. It cannot be subclassed or called.
    pub fn create<'py>(&'static self, py: Attached<'py>) -> Result<'py, Class<C>> {
        let end = ffi::PyMethodDef::zeroed();
        // CPython keeps pointers to these tables as long as the type lives: types live as long as their interpreter,
        // so does this small leak, once for each class and interpreter.
        let methods = self.methods.iter().copied().chain([end]).collect::<Vec<_>>().leak();
        let last = ffi::PyGetSetDef { name: std::ptr::null(), ..Default::default() };
        let getters = self.getters.iter().copied().chain([last]).collect::<Vec<_>>().leak();
        let mut slots = self.slots.clone();
        slots.push(slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()));
        slots.push(slot(ffi::Py_tp_getset, getters.as_mut_ptr().cast()));
        slots.push(slot(0, std::ptr::null_mut()));
        let mut spec = ffi::PyType_Spec {
            name: self.name.as_ptr(),
            basicsize: size_of::<Instance<C>>() as c_int,
            itemsize: 0,
            flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as c_uint,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: spec and slots are complete and end with zeroes; what they point to is static or leaked; the slot
        // functions are for instances of exactly this layout.
        let class = unsafe { Object::owned(py, ffi::PyType_FromSpec(&raw mut spec)) }?;
        Ok(Class { object: class.store(), _value: PhantomData })
    }
}

fn slot(id: c_int, value: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot: id, pfunc: value }
}

/// A class in one interpreter.
pub struct Class<C> {
    object: Stored,
    _value: PhantomData<fn() -> C>,
}

impl<C: Payload> Class<C> {
    /// The class itself, as Python sees it.
    pub fn object<'py>(&self, py: Attached<'py>) -> Object<'py> {
        self.object.get(py)
    }

    /// A new instance around the value.
    pub fn instance<'py>(&self, py: Attached<'py>, value: C) -> Result<'py, Object<'py>> {
        let class = self.object.get(py);
        // SAFETY: the type was made from ClassDef<C>, so the memory has the layout of Instance<C>; it is zeroed and
        // nobody else has seen it yet.
        unsafe {
            let object = Object::owned(py, ffi::PyType_GenericAlloc(class.as_ptr().cast(), 0))?;
            let instance = &mut *object.as_ptr().cast::<Instance<C>>();
            instance.value.write(value);
            instance.filled = true;
            Ok(object)
        }
    }

    /// The value inside an instance of exactly this class.
    pub fn value<'a>(&self, object: &'a Object<'_>) -> Option<&'a C> {
        let class = self.object.get(object.py());
        // SAFETY: the type is compared; the reference keeps the object alive.
        if object.is_exactly(&class) { unsafe { Instance::value(object.as_ptr()) } } else { None }
    }
}

/// Checks that a name can be given to Python and makes the C string for it.
pub(crate) fn leak_name<'py>(py: Attached<'py>, name: &str) -> Result<'py, &'static CStr> {
    Ok(Box::leak(c_string(py, name)?.into_boxed_c_str()))
}
