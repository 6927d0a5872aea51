//! Scripts that the server asks: `WSGIAccessScript`, `WSGIAuthUserScript`, `WSGIAuthGroupScript`, `WSGIDispatchScript`, and
//! `WSGIHtaccessScripts`.

use std::sync::Arc;

use httpd::{Outcome, Scope};
use spec::Purpose;
use spec::directives::{self as rows, DirectiveRow, Key};
use spec::options::words::Words;

use super::settings::{put, section};
use super::{name_of, options, shown};
use crate::hooks::Wsgi;
use crate::routing::calls::{CallRoot, CallScript, is_below};
use crate::routing::expand::Template;
use crate::routing::leads::Section;

pub(super) fn access(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let script = script(scope, &rows::ACCESS_SCRIPT, Purpose::Access, line)?;
    scope.dir_config().calls.access = Some(script);
    Ok(())
}

pub(super) fn user(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let script = script(scope, &rows::AUTH_USER_SCRIPT, Purpose::AuthUser, line)?;
    scope.dir_config().calls.user = Some(script);
    Ok(())
}

pub(super) fn group(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let script = script(scope, &rows::AUTH_GROUP_SCRIPT, Purpose::AuthGroup, line)?;
    scope.dir_config().calls.group = Some(script);
    Ok(())
}

pub(super) fn dispatch(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let script = script(scope, &rows::DISPATCH_SCRIPT, Purpose::Dispatch, line)?;
    if let Some(section) = section(scope) {
        let section = Section { dispatch: true, ..section };
        scope.server().config::<Wsgi>().add_section(section);
    }
    put(scope, |settings| settings.dispatch = Some(script))
}

pub(super) fn htaccess_scripts(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let directories = read_directories(line).map_err(|reason| format!("WSGIHtaccessScripts{reason}"))?;
    scope.server_config()?.htaccess_scripts = Some(directories.into());
    Ok(())
}

/// Reads a script and notes it for the process groups, unless it stands in an `.htaccess` file: what those may name is known
/// beforehand, and whoever writes them must not choose what else is run as another user.
fn script(
    scope: &Scope<'_, Wsgi>,
    row: &DirectiveRow,
    purpose: Purpose,
    line: &[u8],
) -> Result<Arc<CallScript>, String> {
    let name = scope.name();
    let script = read_script(row, line).map_err(|reason| format!("{name}{reason}"))?;
    let server = scope.server();
    if !scope.in_htaccess() {
        server.config::<Wsgi>().add_call(CallRoot { purpose, script: script.clone() });
        return Ok(Arc::new(script));
    }
    let path = &script.path;
    // All sites share the interpreters of that process group, and there can be only so many.
    let own_interpreter = script.application_group != Template::Global;
    if script.process_group.is_some() || own_interpreter {
        let option = if own_interpreter { "application-group=" } else { "process-group=" };
        return Err(format!(
            "WSGI1384: {name} {path}: {option} cannot be chosen in an .htaccess file: remove the option, or move the directive \
             into a <Directory> section of the server's configuration"
        ));
    }
    let permitted = server.config::<Wsgi>().htaccess_scripts.clone().unwrap_or_default();
    if !is_below(path, &permitted) {
        return Err(format!(
            "WSGI1385: {name} {path}: an .htaccess file may only name scripts below a directory of WSGIHtaccessScripts: let the \
             server's administrator permit the directory there, or name the script in a <Directory> section"
        ));
    }
    Ok(Arc::new(script))
}

pub(super) fn read_script(row: &DirectiveRow, line: &[u8]) -> Result<CallScript, String> {
    let mut words = Words::new(line);
    let path = words
        .word()
        .map_err(|error| format!(": {error}"))?
        .ok_or_else(|| format!(" needs the path of a script: write {} {}", name_of(row), row.usage()))?;
    let path = absolute(path)?;
    let mut script =
        CallScript { path: path.clone(), application_group: Template::Global, process_group: None };
    let sentence = |reason: String| format!(" {path}: {reason}");
    while let Some(option) = options::next(row, &mut words).map_err(sentence)? {
        let refused = |reason: &str| sentence(option.refused(reason));
        match option.key() {
            Key::ApplicationGroup => {
                script.application_group = application_group(&option.value).map_err(refused)?;
            }
            Key::ProcessGroup => script.process_group = Some(process_group(&option.value).map_err(refused)?),
            key @ (Key::CallableObject | Key::PassAuthorization) => {
                return Err(sentence(options::unknown(row, key.name())));
            }
        }
    }
    Ok(script)
}

/// What mod_wsgi expands here; any other text is a name as it stands.
fn application_group(value: &[u8]) -> Result<Template, &'static str> {
    match value {
        b"" => Err("is empty"),
        b"%{GLOBAL}" => Ok(Template::Global),
        b"%{SERVER}" => Ok(Template::Server),
        b"%{HOST}" => Ok(Template::Host),
        name => Ok(Template::Name(name.to_vec())),
    }
}

fn process_group(value: &[u8]) -> Result<String, &'static str> {
    const NAME: &str = "is no name of a process group";
    let name = String::from_utf8(value.to_vec()).map_err(|_| NAME)?;
    if name.is_empty() || name.starts_with('%') { Err(NAME) } else { Ok(name) }
}

fn absolute(path: Vec<u8>) -> Result<String, String> {
    let path = String::from_utf8(path).map_err(|error| {
        let path = shown(error.as_bytes());
        format!(": the path {path} is not UTF-8: name it through a link that is")
    })?;
    if path.starts_with('/') {
        return Ok(path);
    }
    let path = path.escape_debug();
    Err(format!(" \"{path}\" is not an absolute path: write it from the root, /..."))
}

fn read_directories(line: &[u8]) -> Result<Vec<String>, String> {
    let mut words = Words::new(line);
    let mut directories = Vec::new();
    while let Some(word) = words.word().map_err(|error| format!(": {error}"))? {
        let directory = absolute(word)?;
        if directory.split('/').any(|part| part == "..") || directory.split('/').all(str::is_empty) {
            let directory = directory.escape_debug();
            return Err(format!(
                " \"{directory}\" is the root directory or climbs with ..: name the directory that holds the scripts"
            ));
        }
        directories.push(directory);
    }
    if directories.is_empty() {
        return Err(" needs a directory, or several: write WSGIHtaccessScripts DIRECTORY".to_owned());
    }
    Ok(directories)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_read() {
        let read = |line: &str| read_script(&rows::ACCESS_SCRIPT, line.as_bytes());
        let script = read("/srv/a.wsgi").unwrap();
        assert_eq!((script.path.as_str(), &script.application_group), ("/srv/a.wsgi", &Template::Global));
        assert_eq!((script.group(), script.shown_group()), ("%{AUTH}", &b""[..]));
        let script = read("\"/srv/a b.wsgi\" application-group=%{SERVER} process-group=g").unwrap();
        assert_eq!((script.path.as_str(), &script.application_group), ("/srv/a b.wsgi", &Template::Server));
        assert_eq!((script.group(), script.shown_group()), ("g", &b"g"[..]));
        let script = read("/a application-group=%{RESOURCE}").unwrap();
        assert_eq!(script.application_group, Template::Name(b"%{RESOURCE}".to_vec()));
        for (line, part) in [
            ("", "needs the path"),
            ("a.wsgi", "absolute path"),
            ("\"/a", "quote"),
            ("/a application-group=", "is empty"),
            ("/a process-group=", "no name of a process group"),
            ("/a process-group=%{GLOBAL}", "no name of a process group"),
            ("/a process-group=%{AUTH}", "no name of a process group"),
            ("/a callable-object=x", "not an option here"),
            ("/a x", "without spaces"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn directories_are_read() {
        let read = |line: &str| read_directories(line.as_bytes());
        assert_eq!(read("/srv/auth \"/opt/a b/\"").unwrap(), ["/srv/auth", "/opt/a b/"]);
        for (line, part) in [
            ("", "needs a directory"),
            ("auth", "absolute path"),
            ("/", "root directory"),
            ("/a/../b", "climbs"),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
