//! `WSGIScriptAlias` and `WSGIScriptAliasMatch`, and the options of scripts.

use std::sync::Arc;

use httpd::{Outcome, Regex, Scope};
use spec::options::OptionError;
use spec::options::words::Words;

use super::shown;
use crate::config::{Alias, Location};
use crate::hooks::Wsgi;
use crate::routing::Settings;
use crate::routing::expand::{Callable, Template};

/// The options of an alias.
pub(super) const ALIAS: [&str; 4] =
    ["process-group", "application-group", "callable-object", "pass-authorization"];
/// The options of a handler script, whose callable has a fixed name.
pub(super) const HANDLER: [&str; 3] = ["process-group", "application-group", "pass-authorization"];

/// An alias as written; the expression of a pattern is not compiled yet.
struct Written {
    location: Vec<u8>,
    target: Vec<u8>,
    settings: Settings,
}

pub(super) fn prefix(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let written = read(scope.name(), line)?;
    if !written.location.starts_with(b"/") {
        let (name, location) = (scope.name(), shown(&written.location));
        return Err(format!(
            "{name}: \"{location}\" is no URL path: write one that begins with /, such as / or /app"
        ));
    }
    add(scope, written, Location::Prefix)
}

pub(super) fn pattern(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let written = read(scope.name(), line)?;
    let regex = Regex::new(&written.location).map_err(|error| {
        let (name, location) = (scope.name(), shown(&written.location));
        format!("{name}: \"{location}\" is not a regular expression: {error}: correct it (PCRE syntax)")
    })?;
    add(scope, written, Location::Pattern(regex))
}

fn add(scope: &mut Scope<'_, Wsgi>, written: Written, location: Location) -> Outcome {
    let alias =
        Alias { written: written.location, location, target: written.target, settings: written.settings };
    scope.server_config()?.aliases.push(Arc::new(alias));
    Ok(())
}

fn read(name: &str, line: &[u8]) -> Result<Written, String> {
    let mut words = Words::new(line);
    let mut word = || words.word().map_err(|error| format!("{name}: {error}"));
    let (Some(location), Some(target)) = (word()?, word()?) else {
        return Err(format!(
            "{name} needs a URL path and the path of a WSGI script: write {name} URL-PATH FILE [option=value ...]"
        ));
    };
    let path = shown(&location);
    if !target.starts_with(b"/") {
        let target = shown(&target);
        return Err(format!(
            "{name} {path}: \"{target}\" is not an absolute path: write it from the root, /..."
        ));
    }
    let settings = options(&mut words, &ALIAS).map_err(|reason| format!("{name} {path}: {reason}"))?;
    Ok(Written { location, target, settings })
}

/// Reads the options of a script, of which `known` are allowed.
pub(super) fn options(words: &mut Words<'_>, known: &[&str]) -> Result<Settings, String> {
    let mut settings = Settings::default();
    while let Some((option, value)) = words.option().map_err(|error| not_an_option(error, known))? {
        let outcome = if known.iter().any(|name| name.as_bytes() == option) {
            set(&mut settings, option, &value)
        } else {
            Err(format!("is not an option here: options are {}", known.join("=, ") + "="))
        };
        outcome.map_err(|reason| format!("{}=\"{}\" {reason}", shown(option), shown(&value)))?;
    }
    Ok(settings)
}

/// The sentence about a word that is no option.
pub(super) fn not_an_option(error: OptionError, known: &[&str]) -> String {
    match error {
        OptionError::NotAnOption(word) => format!(
            "\"{word}\" is not an option: options are {}, without spaces around the \"=\"",
            known.join("=, ") + "="
        ),
        error => error.to_string(),
    }
}

fn set(settings: &mut Settings, option: &[u8], value: &[u8]) -> Result<(), String> {
    const GROUP: &str = "write a name, %{GLOBAL}, %{SERVER}, %{HOST}, %{RESOURCE} or %{ENV:NAME}";
    let group = || Template::parse(value).map(Some).map_err(|reason| format!("{reason}: {GROUP}"));
    match option {
        b"process-group" => settings.process_group = group()?,
        b"application-group" => settings.application_group = group()?,
        b"callable-object" => {
            let callable = Callable::literal(value).map_err(|reason| {
                format!("{reason}: write the name of the application, such as application (nothing is expanded here)")
            })?;
            settings.callable = Some(callable);
        }
        _ => {
            let flag = std::str::from_utf8(value).ok().and_then(|text| spec::options::value::flag(text).ok());
            settings.pass_authorization = Some(flag.ok_or("is neither On nor Off: write On or Off")?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Written, String> {
        read("WSGIScriptAlias", text.as_bytes())
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
            ("/ /a process-group=", "is empty: write a name"),
            ("/ /a process-group=%{WHAT}", "write a name"),
            ("/ /a callable-object=%{ENV:X}", "nothing is expanded"),
            ("/ /a pass-authorization=1", "write On or Off"),
            ("/ /a threads=5", "not an option here"),
        ] {
            let error = line(text).map(|_| ()).unwrap_err();
            assert!(error.starts_with("WSGIScriptAlias") && error.contains(part), "{text}: {error}");
        }
    }
}
