//! Scripts beside aliases: `WSGIHandlerScript` and `WSGIImportScript`.

use httpd::{Outcome, Scope};
use spec::directives::{self as rows, Key};
use spec::options::words::Words;

use super::{alias, options, shown};
use crate::config::{HandlerScript, Import, Remark};
use crate::hooks::Wsgi;

/// Handlers that are ours already.
const TAKEN: [&[u8]; 2] = [b"wsgi-script", b"application/x-httpd-wsgi"];

pub(super) fn handler(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let (name, script) = read_handler(line).map_err(|reason| format!("WSGIHandlerScript{reason}"))?;
    if scope.section().is_some() {
        scope.server().config::<Wsgi>().add_handler(script.lead(&name));
        scope.dir_config().handlers.insert(name, script);
    } else {
        scope.server_config()?.handlers.insert(name, script);
    }
    Ok(())
}

pub(super) fn read_handler(line: &[u8]) -> Result<(Vec<u8>, HandlerScript), String> {
    let mut words = Words::new(line);
    let mut word = || words.word().map_err(|error| format!(": {error}"));
    let (Some(name), Some(path)) = (word()?, word()?) else {
        return Err(format!(
            " needs the name of a handler and the path of a script: write WSGIHandlerScript {}",
            rows::HANDLER_SCRIPT.usage()
        ));
    };
    let shown_name = shown(&name);
    if TAKEN.contains(&name.as_slice()) || name.is_empty() {
        return Err(format!(
            " \"{shown_name}\": this name is empty or that of WSGI scripts themselves: choose another one for SetHandler and AddHandler"
        ));
    }
    if !path.starts_with(b"/") {
        let path = shown(&path);
        return Err(format!(
            " {shown_name}: \"{path}\" is not an absolute path: write it from the root, /..."
        ));
    }
    let settings = alias::settings(&rows::HANDLER_SCRIPT, &mut words)
        .map_err(|reason| format!(" {shown_name}: {reason}"))?;
    Ok((name, HandlerScript::new(path, settings)))
}

pub(super) fn import(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let mut import = read_import(line).map_err(|reason| format!("WSGIImportScript{reason}"))?;
    if import.process_group.is_empty() {
        let remark = Remark::EmbeddedImport(import.script);
        scope.server().config::<Wsgi>().remark(remark);
        return Ok(());
    }
    let (file, number) = scope.location();
    import.place = format!("{}:{number}", String::from_utf8_lossy(file));
    import.order = scope.main_config()?.global.next_place();
    scope.server_config()?.imports.push(import);
    Ok(())
}

pub(super) fn read_import(line: &[u8]) -> Result<Import, String> {
    let mut words = Words::new(line);
    let script = words.word().map_err(|error| format!(": {error}"))?.ok_or_else(|| {
        let usage = rows::IMPORT_SCRIPT.usage();
        format!(" needs the path of a script: write WSGIImportScript {usage}")
    })?;
    let shown_script = shown(&script);
    if !script.starts_with(b"/") {
        return Err(format!(" \"{shown_script}\" is not an absolute path: write it from the root, /..."));
    }
    let sentence = |reason: String| format!(" {shown_script}: {reason}");
    let (mut process_group, mut application_group) = (None, None);
    while let Some(option) = options::next(&rows::IMPORT_SCRIPT, &mut words).map_err(sentence)? {
        let slot = match option.key() {
            Key::ProcessGroup => &mut process_group,
            Key::ApplicationGroup => &mut application_group,
            key @ (Key::CallableObject | Key::PassAuthorization) => {
                return Err(sentence(options::unknown(&rows::IMPORT_SCRIPT, key.name())));
            }
        };
        *slot = Some(group(&option.value).map_err(|reason| sentence(option.refused(reason)))?);
    }
    let missing = |option: &str, what: &str| {
        sentence(format!("{option}= is missing: add {option}=NAME, {what}, or {option}=%{{GLOBAL}}"))
    };
    Ok(Import {
        process_group: process_group
            .ok_or_else(|| missing("process-group", "the process group that loads the script"))?,
        application_group: application_group
            .ok_or_else(|| missing("application-group", "the interpreter that it is loaded in"))?,
        script: text(script)
            .map_err(|()| sentence("the path is not UTF-8: name a link that is".to_owned()))?,
        place: String::new(),
        order: 0,
    })
}

/// A group's name; empty for `%{GLOBAL}`.
fn group(value: &[u8]) -> Result<String, &'static str> {
    match value {
        b"" => Err("is empty"),
        b"%{GLOBAL}" => Ok(String::new()),
        _ if value.starts_with(b"%") => {
            Err("depends on requests, and there is none when the script is loaded")
        }
        _ => text(value.to_vec()).map_err(|()| "is not UTF-8"),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, ()> {
    String::from_utf8(bytes).map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::expand::Template;

    #[test]
    fn handlers_are_read() {
        let (name, script) = read_handler(b"h /a.py process-group=g pass-authorization=On").unwrap();
        assert_eq!((name, script.path), (b"h".to_vec(), b"/a.py".to_vec()));
        assert_eq!(script.settings.process_group, Some(Template::Name(b"g".to_vec())));
        assert_eq!(script.settings.pass_authorization, Some(true));
        for (line, part) in [
            ("", "needs the name"),
            ("h", "needs the name"),
            ("wsgi-script /a", "choose another one"),
            ("h a.py", "absolute path"),
            ("h /a callable-object=x", "not an option here"),
            ("h /a x", "without spaces"),
            ("h /a process-group=", "is empty"),
            ("h /a pass-authorization=1", "write pass-authorization=On or Off"),
        ] {
            let error = read_handler(line.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn imports_are_read() {
        let import = read_import(b"/a.py process-group=g application-group=%{GLOBAL}").unwrap();
        assert_eq!((import.script.as_str(), import.process_group.as_str()), ("/a.py", "g"));
        assert_eq!(import.application_group, "");
        for (line, part) in [
            ("", "needs the path"),
            ("a.py process-group=g application-group=x", "absolute path"),
            ("/a.py process-group=g", "application-group= is missing"),
            ("/a.py application-group=g", "process-group= is missing"),
            ("/a.py process-group= application-group=g", "is empty"),
            ("/a.py process-group=%{ENV:X} application-group=g", "depends on requests"),
            ("/a.py callable-object=x", "not an option here"),
            ("/a.py process-group", "without spaces"),
        ] {
            let error = read_import(line.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
