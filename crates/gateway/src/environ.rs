//! The environ of one request (PEP 3333, "environ Variables"): which type each value has. Keys are made once and kept.

use std::collections::HashMap;

use python::{Attached, Object, Result, Stored};
use rustc_hash::FxBuildHasher;

use crate::config::Request;
use crate::group::InPython;

/// Header names are the client's choice: not more than this many different keys are kept for each thread.
const MAX_KEPT_KEYS: usize = 512;

/// Keys of environs as interned strings.
#[derive(Default)]
pub(crate) struct KeyCache(HashMap<Box<[u8]>, Stored, FxBuildHasher>);

impl KeyCache {
    pub(crate) fn key<'py>(&mut self, py: Attached<'py>, name: &[u8]) -> Result<'py, Object<'py>> {
        if let Some(key) = self.0.get(name) {
            return Ok(key.get(py));
        }
        if self.0.len() >= MAX_KEPT_KEYS {
            return python::latin1(py, name);
        }
        let key = python::interned(py, name)?;
        self.0.insert(name.into(), key.clone().store());
        Ok(key)
    }
}

/// What building an environ tells besides the environ.
pub(crate) struct Environ<'py> {
    pub(crate) object: Object<'py>,
    pub(crate) is_head: bool,
}

/// All but `wsgi.input`, `wsgi.errors` and `mod_wsgi.application_start`.
#[inline(never)] // `cargo xtask guard` counts its instructions.
pub(crate) fn build<'py>(
    py: Attached<'py>,
    constants: &InPython,
    cache: &mut KeyCache,
    thread_id: &Stored,
    request: &mut Request<'_>,
) -> Result<'py, Environ<'py>> {
    let object = constants.environ.get(py).dict_copy()?;
    let keys = &constants.keys;
    let mut is_head = false;
    for (name, value) in &mut *request.environ {
        let text = match name {
            b"SCRIPT_FILENAME" | b"DOCUMENT_ROOT" => {
                python::fs_path(py, value).or_else(|_| python::latin1(py, value))?
            }
            // Consumed for wsgi.url_scheme.
            b"HTTPS" => continue,
            b"REQUEST_METHOD" => {
                is_head = value == b"HEAD";
                python::latin1(py, value)?
            }
            _ => python::latin1(py, value)?,
        };
        object.dict_set(&cache.key(py, name)?, &text)?;
    }
    let scheme = if request.https { &constants.https } else { &constants.http };
    object.dict_set(&keys.url_scheme.get(py), &scheme.get(py))?;
    object.dict_set(&keys.callable_object.get(py), &cache.key(py, request.callable.as_bytes())?)?;
    object.dict_set(&keys.thread_id.get(py), &thread_id.get(py))?;
    object.dict_set(&keys.request_start.get(py), &python::float(py, request.request_start)?)?;
    object.dict_set(&keys.queue_start.get(py), &python::float(py, request.queue_start)?)?;
    object.dict_set(&keys.daemon_start.get(py), &python::float(py, request.daemon_start)?)?;
    // What the mount point was before trusted proxy headers changed it; the server tells when they did.
    for (ours, cgi) in [(&keys.script_name, &keys.cgi_script_name), (&keys.path_info, &keys.cgi_path_info)] {
        let ours = ours.get(py);
        if object.dict_get(&ours)?.is_none()
            && let Some(value) = object.dict_get(&cgi.get(py))?
        {
            object.dict_set(&ours, &value)?;
        }
    }
    Ok(Environ { object, is_head })
}
