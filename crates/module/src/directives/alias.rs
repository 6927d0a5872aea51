//! `WSGIScriptAlias` and `WSGIScriptAliasMatch`, and the options of scripts.

use std::sync::Arc;

use httpd::{Outcome, Regex, Scope};
use spec::directives::{self as rows, DirectiveRow, Key};
use spec::options::words::Words;

use super::{name_of, options, shown};
use crate::config::{Alias, Location};
use crate::hooks::Wsgi;
use crate::routing::Settings;
use crate::routing::expand::{Callable, Template};

/// An alias as written; the expression of a pattern is not compiled yet.
#[derive(Debug)]
pub(super) struct Written {
    location: Vec<u8>,
    target: Vec<u8>,
    settings: Settings,
}

pub(super) fn prefix(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let written = read(&rows::SCRIPT_ALIAS, line)?;
    if !written.location.starts_with(b"/") {
        let (name, location) = (scope.name(), shown(&written.location));
        return Err(format!(
            "{name}: \"{location}\" is no URL path: write one that begins with /, such as / or /app"
        ));
    }
    add(scope, written, Location::Prefix)
}

pub(super) fn pattern(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let written = read(&rows::SCRIPT_ALIAS_MATCH, line)?;
    let regex = Regex::new(&written.location).map_err(|error| {
        let (name, location) = (scope.name(), shown(&written.location));
        format!("{name}: \"{location}\" is not a regular expression: {error}: correct it (PCRE syntax)")
    })?;
    add(scope, written, Location::Pattern(regex))
}

fn add(scope: &mut Scope<'_, Wsgi>, written: Written, location: Location) -> Outcome {
    let Written { location: written, target, settings } = written;
    let order = scope.main_config()?.global.next_place();
    let alias = Alias { written, location, target, settings, order };
    scope.server_config()?.aliases.push(Arc::new(alias));
    Ok(())
}

pub(super) fn read(row: &DirectiveRow, line: &[u8]) -> Result<Written, String> {
    let name = name_of(row);
    let mut words = Words::new(line);
    let mut word = || words.word().map_err(|error| format!("{name}: {error}"));
    let (Some(location), Some(target)) = (word()?, word()?) else {
        return Err(format!(
            "{name} needs a URL path and the path of a WSGI script: write {name} {}",
            row.usage()
        ));
    };
    let path = shown(&location);
    if !target.starts_with(b"/") {
        let target = shown(&target);
        return Err(format!(
            "{name} {path}: \"{target}\" is not an absolute path: write it from the root, /..."
        ));
    }
    let settings = settings(row, &mut words).map_err(|reason| format!("{name} {path}: {reason}"))?;
    Ok(Written { location, target, settings })
}

/// Reads the options of a script.
pub(super) fn settings(row: &DirectiveRow, words: &mut Words<'_>) -> Result<Settings, String> {
    let mut settings = Settings::default();
    while let Some(option) = options::next(row, words)? {
        set(&mut settings, option.key(), &option.value).map_err(|reason| option.refused(reason))?;
    }
    Ok(settings)
}

fn set(settings: &mut Settings, key: Key, value: &[u8]) -> Result<(), &'static str> {
    match key {
        Key::ProcessGroup => settings.process_group = Some(Template::parse(value)?),
        Key::ApplicationGroup => settings.application_group = Some(Template::parse(value)?),
        Key::CallableObject => settings.callable = Some(Callable::literal(value)?),
        Key::PassAuthorization => {
            let text = std::str::from_utf8(value).map_err(|_| "is neither On nor Off")?;
            settings.pass_authorization = Some(spec::options::value::flag(text)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Written, String> {
        read(&rows::SCRIPT_ALIAS, text.as_bytes())
    }

    #[test]
    fn options_are_read() {
        let alias = line(
            "/app \"/srv/a b.wsgi\" process-group=g application-group=%{GLOBAL} callable-object=app pass-authorization=On",
        )
        .map_err(|error| panic!("{error}"))
        .unwrap();
        assert_eq!(alias.target, b"/srv/a b.wsgi");
        assert_eq!(alias.settings.process_group, Some(Template::Name(b"g".to_vec())));
        assert_eq!(alias.settings.application_group, Some(Template::Global));
        assert_eq!(alias.settings.callable, Some(Callable::Name(b"app".to_vec())));
        assert_eq!(alias.settings.pass_authorization, Some(true));
    }

    #[test]
    fn mistakes_are_sentences_that_say_what_to_write() {
        for (text, part) in [
            ("/", "needs a URL path"),
            ("/ \"/a process-group=g", "quote"),
            ("/ /a process-group=\"g", "quote"),
            ("/ app.wsgi", "absolute path"),
            ("/ /a process-group", "not an option"),
            ("/ /a process-group=", "is empty: write process-group=NAME"),
            ("/ /a process-group=%{WHAT}", "write process-group=NAME"),
            ("/ /a callable-object=%{ENV:X}", "nothing is expanded"),
            ("/ /a pass-authorization=1", "write pass-authorization=On or Off"),
            ("/ /a threads=5", "not an option here"),
        ] {
            let error = line(text).map(|_| ()).unwrap_err();
            assert!(error.starts_with("WSGIScriptAlias") && error.contains(part), "{text}: {error}");
        }
    }
}
