//! What the log says below a traceback that administrators often ask about. The sentences are in `hint.py`.

use python::{Error, Result};

/// A line with its end, or nothing. The application may have broken what is needed for it: then there is no hint.
pub(crate) fn about<'py>(error: &Error<'py>) -> String {
    let py = error.exception().py();
    let ask = || -> Result<'py, Option<String>> {
        let hint = python::import(py, "mod_wsgi")?.attr("_hint")?;
        Ok(hint.call([error.exception()])?.to_text())
    };
    match ask() {
        Ok(Some(text)) if !text.is_empty() => format!("{text}\n"),
        _ => String::new(),
    }
}
