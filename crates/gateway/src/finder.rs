//! The names of scripts as modules, and the Python finder that loads them (`scripts.py`), also for pickle.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;

use md5::{Digest, Md5};
use python::{Args, Attached, ClassDef, Error, Kind, Object, Result, Stored};

use crate::config::{Config, ScriptOwner};

static ROOTS: LazyLock<ClassDef<Roots>> = LazyLock::new(class);

/// Not more files of a directory are looked at for a script nobody has asked for yet.
const MAX_FILES: usize = 4096;

/// `_mod_wsgi_` and the MD5 of the path, or of its lower case: pickles of mod_wsgi's users name it.
pub(crate) fn module_name(path: &[u8], case_sensitive: bool) -> String {
    let digest = if case_sensitive { Md5::digest(path) } else { Md5::digest(path.to_ascii_lowercase()) };
    digest.iter().fold("_mod_wsgi_".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// The finder of one interpreter. Holds Python references: to be dropped attached.
pub(crate) struct Finder {
    load: Stored,
    unload: Stored,
    case_sensitive: bool,
}

impl Finder {
    /// Enters the finder in `sys.meta_path`. It knows the scripts that the configuration allows for the application group.
    pub(crate) fn new<'py>(py: Attached<'py>, config: &Config, group: &str) -> Result<'py, Self> {
        let (roots, case_sensitive) = (&config.roots, config.case_sensitive);
        let paths = roots.iter().filter(|root| root.allows(group)).map(|root| root.path.clone()).collect();
        let globals = python::dict(py)?;
        let roots = ROOTS.create(py)?.instance(py, Roots { paths, case_sensitive })?;
        globals.dict_set(&python::str(py, "roots")?, &roots)?;
        globals.dict_set(&python::str(py, "__name__")?, &python::str(py, "mod_wsgi.scripts")?)?;
        globals.dict_set(&python::str(py, "owner")?, &owner(py, config.script_owner)?)?;
        python::run_source(py, include_str!("scripts.py"), "<mod_wsgi.scripts>", &globals)?;
        let get = |name: &str| -> Result<'py, Stored> {
            let found = globals.dict_get(&python::str(py, name)?)?;
            let found = found.ok_or_else(|| Error::new(py, Kind::SystemError, "scripts.py is incomplete"))?;
            Ok(found.store())
        };
        Ok(Self { load: get("load")?, unload: get("unload")?, case_sensitive })
    }

    /// Module of the script, and modification time (in nanoseconds) and size of the file when it was read.
    pub(crate) fn load<'py>(&self, py: Attached<'py>, path: &[u8]) -> Result<'py, (Object<'py>, i64, i64)> {
        let (name, file) =
            (python::str(py, &module_name(path, self.case_sensitive))?, python::fs_path(py, path)?);
        let loaded = self.load.get(py).call([&name, &file])?;
        let stamp = loaded.tuple_item(1);
        let number = |index| stamp.as_ref().and_then(|stamp| stamp.tuple_item(index)?.as_i64());
        match (loaded.tuple_item(0), number(0), number(1)) {
            (Some(module), Some(modified), Some(size)) => Ok((module, modified, size)),
            _ => Err(Error::new(py, Kind::SystemError, "load() of scripts.py returned something else")),
        }
    }

    /// Takes the module of the script with this `__dict__` out of `sys.modules`.
    pub(crate) fn unload<'py>(
        &self,
        py: Attached<'py>,
        path: &[u8],
        namespace: &Object<'py>,
    ) -> Result<'py, ()> {
        let name = python::str(py, &module_name(path, self.case_sensitive))?;
        self.unload.get(py).call([&name, namespace]).map(drop)
    }
}

/// `("user", uid)`, `("group", gid)` or `None`, for `scripts.py`.
fn owner<'py>(py: Attached<'py>, owner: Option<ScriptOwner>) -> Result<'py, Object<'py>> {
    let (kind, id) = match owner {
        None => return Ok(python::none(py)),
        Some(ScriptOwner::User(uid)) => ("user", uid),
        Some(ScriptOwner::Group(gid)) => ("group", gid),
    };
    python::tuple(py, [python::str(py, kind)?, python::int(py, id.into())?])
}

/// Takes the frames of the import system off the traceback of a failed load: what is left begins in the script. False when nothing
/// is left.
pub(crate) fn strip(error: &Error<'_>) -> bool {
    let exception = error.exception();
    let mut next = exception.attr("__traceback__").ok();
    while let Some(entry) = next.take_if(|entry| !entry.is_none()) {
        let file = || entry.attr("tb_frame")?.attr("f_code")?.attr("co_filename");
        let file = file().ok();
        let file = file.as_ref().and_then(Object::as_utf8).unwrap_or_default();
        if !file.starts_with("<frozen importlib") && file != "<mod_wsgi.scripts>" {
            // Fails only for what is no traceback.
            let _ = exception.set_attr("__traceback__", &entry);
            return true;
        }
        next = entry.attr("tb_next").ok();
    }
    let _ = exception.set_attr("__traceback__", &python::none(exception.py()));
    false
}

/// Where the configuration says that scripts are.
struct Roots {
    paths: Vec<Vec<u8>>,
    case_sensitive: bool,
}

fn class() -> ClassDef<Roots> {
    ClassDef::new(c"mod_wsgi.ScriptRoots", c"The scripts of the configuration.").method(
        c"find",
        c"find(name) -> path of the script with this module name, or None",
        find,
    )
}

fn find<'py>(roots: &Roots, py: Attached<'py>, args: Args<'_, 'py>) -> Result<'py, Object<'py>> {
    let [name] = args.bind("find", ["name"], 1)?;
    let name = name.as_ref().and_then(Object::as_utf8).unwrap_or_default();
    match py.detach(|| roots.find(name)) {
        Some(path) => python::fs_path(py, &path),
        None => Ok(python::none(py)),
    }
}

impl Roots {
    /// The configured script with this name: one that the configuration names, or one directly in a directory it names.
    fn find(&self, name: &str) -> Option<Vec<u8>> {
        let named = self.paths.iter().find(|path| self.is_named(path, name));
        named.cloned().or_else(|| self.paths.iter().find_map(|path| self.within(path, name)))
    }

    fn is_named(&self, path: &[u8], name: &str) -> bool {
        module_name(path, self.case_sensitive) == name
    }

    fn within(&self, directory: &[u8], name: &str) -> Option<Vec<u8>> {
        let directory = Path::new(OsStr::from_bytes(directory));
        let entries = directory.read_dir().ok()?.take(MAX_FILES);
        let mut paths = entries.flatten().map(|entry| entry.path().into_os_string().into_encoded_bytes());
        paths.find(|path| self.is_named(path, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_as_in_mod_wsgi() {
        let name = "_mod_wsgi_295f8766fc4bd953ab4cd252da58a6a3";
        assert_eq!(module_name(b"/srv/app.wsgi", true), name);
        assert_eq!(module_name(b"/srv/App.WSGI", false), name);
        assert_ne!(module_name(b"/srv/App.WSGI", true), name);
    }
}
