//! The environ of one request (PEP 3333, "environ Variables"): which type each value has. Keys are made once and kept.

mod keys;
mod steady;

use python::{Attached, Object, Result, Stored};

pub(crate) use keys::KeyCache;

use crate::config::Request;
use crate::group::InPython;
use steady::{Lesson, Steady};

/// What a thread keeps for the environs of one application group. Holds Python references: to be dropped attached.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) keys: KeyCache,
    steady: Option<Steady>,
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
    kept: &mut Kept,
    thread_id: &Stored,
    request: &mut Request<'_>,
) -> Result<'py, Environ<'py>> {
    let keys = &constants.keys;
    let Environ { object, is_head } = match kept.steady.take().filter(|steady| !steady.is_stale()) {
        Some(steady) => from_steady(py, kept, steady, request)?,
        None => {
            let object = constants.environ.get(py).dict_copy()?;
            object.dict_set(&keys.thread_id.get(py), &thread_id.get(py))?;
            from_nothing(py, kept, object, request)?
        }
    };
    let scheme = if request.https { &constants.https } else { &constants.http };
    object.dict_set(&keys.url_scheme.get(py), &scheme.get(py))?;
    object.dict_set(&keys.callable_object.get(py), &kept.keys.key(py, request.callable.as_bytes())?)?;
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

/// From what all environs have: the first request of a thread, and one after many that differed from what was kept.
fn from_nothing<'py>(
    py: Attached<'py>,
    kept: &mut Kept,
    object: Object<'py>,
    request: &mut Request<'_>,
) -> Result<'py, Environ<'py>> {
    let mut lesson = Lesson::new(object.dict_copy()?);
    let mut is_head = false;
    for (name, value) in &mut *request.environ {
        let Some(text) = text(py, name, value, &mut is_head)? else { continue };
        let (key, number) = kept.keys.find(py, name)?;
        object.dict_set(&key, &text)?;
        lesson.entry((name, value), (&key, &text), number)?;
    }
    kept.steady = lesson.learned(&mut kept.keys);
    Ok(Environ { object, is_head })
}

/// From what the last requests had.
fn from_steady<'py>(
    py: Attached<'py>,
    kept: &mut Kept,
    mut steady: Steady,
    request: &mut Request<'_>,
) -> Result<'py, Environ<'py>> {
    let keys = &mut kept.keys;
    let (object, mut walk) = steady.begin(py)?;
    let mut is_head = false;
    for (name, value) in &mut *request.environ {
        if walk.has(keys, name, value) {
            continue;
        }
        let Some(text) = text(py, name, value, &mut is_head)? else { continue };
        let (key, number) = keys.find(py, name)?;
        if let Some(number) = number {
            walk.passes(keys, number, &object);
        }
        object.dict_set(&key, &text)?;
    }
    walk.end(keys, &object);
    kept.steady = Some(steady);
    Ok(Environ { object, is_head })
}

/// The value as Python has it; `None` for what is no entry.
fn text<'py>(
    py: Attached<'py>,
    name: &[u8],
    value: &[u8],
    is_head: &mut bool,
) -> Result<'py, Option<Object<'py>>> {
    match name {
        b"SCRIPT_FILENAME" | b"DOCUMENT_ROOT" => {
            return python::fs_path(py, value).or_else(|_| python::latin1(py, value)).map(Some);
        }
        // Consumed for wsgi.url_scheme.
        b"HTTPS" => return Ok(None),
        b"REQUEST_METHOD" => *is_head = value == b"HEAD",
        _ => {}
    }
    python::latin1(py, value).map(Some)
}
