//! Modules: importing, making, running source text, and the entry point of an extension module.

use std::ffi::{c_int, c_void};

use pyo3_ffi as ffi;

use crate::attach::Attached;
use crate::build::{self, c_string};
use crate::class::leak_name;
use crate::error::Result;
use crate::object::Object;
use crate::trampoline::{self, Function};

/// `import name`, and the module it names.
pub fn import<'py>(py: Attached<'py>, name: &str) -> Result<'py, Object<'py>> {
    let name = build::str(py, name)?;
    // SAFETY: live.
    unsafe { Object::owned(py, ffi::PyImport_Import(name.as_ptr())) }
}

/// A new empty module, which is not in `sys.modules` yet.
pub fn new_module<'py>(py: Attached<'py>, name: &str) -> Result<'py, Object<'py>> {
    let name = build::str(py, name)?;
    // SAFETY: live.
    unsafe { Object::owned(py, ffi::PyModule_NewObject(name.as_ptr())) }
}

/// Compiles source text and runs it with the globals (a dict); `file` is the name tracebacks show.
pub fn run_source<'py>(
    py: Attached<'py>,
    source: &str,
    file: &str,
    globals: &Object<'py>,
) -> Result<'py, ()> {
    let (source, file) = (c_string(py, source)?, c_string(py, file)?);
    // SAFETY: all live; evaluation wants a code object and a dict, anything else sets an exception.
    unsafe {
        let code =
            Object::owned(py, ffi::Py_CompileString(source.as_ptr(), file.as_ptr(), ffi::Py_file_input))?;
        let builtins = build::str(py, "__builtins__")?;
        if globals.dict_get(&builtins)?.is_none() {
            globals.dict_set(&builtins, &import(py, "builtins")?)?;
        }
        let result = ffi::PyEval_EvalCode(code.as_ptr(), globals.as_ptr(), globals.as_ptr());
        Object::owned(py, result).map(drop)
    }
}

/// Runs a code object as the module `name`, which is entered in `sys.modules` with `__file__` set, and taken out again
/// when it raises.
pub fn exec_module<'py>(
    py: Attached<'py>,
    name: &str,
    code: &Object<'py>,
    file: &Object<'py>,
) -> Result<'py, Object<'py>> {
    let name = build::str(py, name)?;
    let null = std::ptr::null_mut();
    // SAFETY: all live; the last argument may be null: there is no cached file.
    unsafe {
        let module = ffi::PyImport_ExecCodeModuleObject(name.as_ptr(), code.as_ptr(), file.as_ptr(), null);
        Object::owned(py, module)
    }
}

/// The `__dict__` of a module.
pub fn module_dict<'py>(module: &Object<'py>) -> Result<'py, Object<'py>> {
    module.attr("__dict__")
}

/// A built-in function. Each call keeps a few bytes for ever: make functions once for each interpreter.
pub fn function<'py>(py: Attached<'py>, name: &str, function: impl Function) -> Result<'py, Object<'py>> {
    let def = Box::leak(Box::new(trampoline::function_def(leak_name(py, name)?, function)));
    // SAFETY: the definition is leaked, so it outlives the function object.
    unsafe {
        let null = std::ptr::null_mut();
        Object::owned(py, ffi::PyCFunction_NewEx(def, null, null))
    }
}

/// Makes the library an extension module: defines the function that CPython looks up, `PyInit_NAME`. `fill` gets the new
/// module. For a crate that forbids unsafe code of its own.
///
/// ```ignore
/// python::extension_module!(PyInit_name: "name", fill);
/// ```
#[macro_export]
macro_rules! extension_module {
    ($entry:ident: $name:literal, $fill:expr) => {
        #[doc = "What Python calls when the extension is loaded."]
        #[allow(non_snake_case)]
        // SAFETY: CPython's rule for the name keeps it apart from all others in the library.
        #[unsafe(no_mangle)]
        pub extern "C" fn $entry() -> *mut ::std::ffi::c_void {
            // SAFETY: CPython calls this function from its import, with the GIL held.
            unsafe { $crate::initialise_extension($name, $fill) }
        }
    };
}

/// What `PyInit_NAME` of an extension module returns: a definition whose execution calls `fill` with the new module.
/// See [`extension_module`].
///
/// # Safety
/// Called by CPython's import, with the GIL held.
#[doc(hidden)]
pub unsafe fn initialise_extension<F>(name: &str, _fill: F) -> *mut c_void
where
    F: for<'py> Fn(Attached<'py>, &Object<'py>) -> Result<'py, ()> + Copy + Send + Sync + 'static,
{
    unsafe extern "C" fn exec<F>(module: *mut ffi::PyObject) -> c_int
    where
        F: for<'py> Fn(Attached<'py>, &Object<'py>) -> Result<'py, ()> + Copy + Send + Sync + 'static,
    {
        // SAFETY: CPython executes the module with the GIL held and a live module; `_fill` was a value of F.
        unsafe {
            trampoline::fenced(-1, |py| {
                let Some(module) = Object::borrowed(py, module) else { return -1 };
                match trampoline::recreate::<F>()(py, &module) {
                    Ok(()) => 0,
                    Err(error) => {
                        error.raise();
                        -1
                    }
                }
            })
        }
    }
    let slots = vec![
        ffi::PyModuleDef_Slot { slot: ffi::Py_mod_exec, value: exec::<F> as *mut c_void },
        ffi::PyModuleDef_Slot { slot: 0, value: std::ptr::null_mut() },
    ];
    let name = std::ffi::CString::new(name).unwrap_or_default();
    let def = ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: name.into_raw(),
        m_doc: std::ptr::null(),
        m_size: 0,
        m_methods: std::ptr::null_mut(),
        m_slots: slots.leak().as_mut_ptr(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    };
    // SAFETY: called by CPython's import with the GIL held (the caller's promise); the definition and all it points to are leaked, as CPython
    // wants them to be static.
    unsafe { ffi::PyModuleDef_Init(Box::leak(Box::new(def))).cast() }
}
