//! Directives of the main server: `WSGISocketPrefix`, `WSGIPythonHome`, `WSGIRestrictEmbedded`.

use std::path::PathBuf;

use httpd::{Outcome, Scope};

use super::shown;
use crate::hooks::Wsgi;

pub(super) fn socket_prefix(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let path = absolute(scope, word)?;
    if word.ends_with(b"/") {
        let word = shown(word);
        return Err(format!(
            "WSGISocketPrefix \"{word}\" ends with a slash, but the rest of a file name follows it: write for example {word}wsgi"
        ));
    }
    scope.main_config()?.global.socket_prefix = Some(path);
    Ok(())
}

pub(super) fn python_home(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let path = absolute(scope, word)?;
    scope.main_config()?.global.python_home = Some(path);
    Ok(())
}

pub(super) fn restrict_embedded(scope: &mut Scope<'_, Wsgi>, on: bool) -> Outcome {
    scope.main_config()?.global.restrict_embedded = Some(on);
    Ok(())
}

/// The path, made absolute with `ServerRoot`.
pub(super) fn absolute(scope: &Scope<'_, Wsgi>, word: &[u8]) -> Result<PathBuf, String> {
    let path = if word.is_empty() { None } else { scope.server_root_relative(word) };
    let text = path.and_then(|path| String::from_utf8(path).ok());
    text.map(PathBuf::from).ok_or_else(|| {
        let (name, word) = (scope.name(), shown(word));
        format!(
            "{name} \"{word}\" is not a valid path: write an absolute path, or one below ServerRoot, in UTF-8"
        )
    })
}
