//! Directives that hold for requests, at server level or in a section: `WSGIProcessGroup` and its kin.

use httpd::{Outcome, Scope};

use super::shown;
use crate::hooks::Wsgi;
use crate::routing::expand::{Callable, Template};
use crate::routing::leads::{Kind, Section};
use crate::routing::{HeadAsGet, Settings};

pub(super) fn process_group(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let group = template(scope.name(), word)?;
    if let Some(section) = section(scope) {
        let section = Section { group: Some(group.clone()), ..section };
        scope.server().config::<Wsgi>().add_section(section);
    }
    put(scope, |settings| settings.process_group = Some(group))
}

pub(super) fn application_group(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let group = template(scope.name(), word)?;
    if let Some(section) = section(scope) {
        let section = Section { application_group: Some(group.clone()), ..section };
        scope.server().config::<Wsgi>().add_section(section);
    }
    put(scope, |settings| settings.application_group = Some(group))
}

/// The section that a directive stands in.
pub(super) fn section(scope: &Scope<'_, Wsgi>) -> Option<Section> {
    let path = scope.section()?.to_vec();
    let (name, arguments) = scope.enclosing().unwrap_or_default();
    let expression = arguments.trim_ascii_start().starts_with(b"~");
    let kind = match name.to_ascii_lowercase().as_slice() {
        b"<directory" if !expression => Kind::Directory,
        b"<location" if !expression => Kind::Location,
        _ => Kind::Other,
    };
    Some(Section { kind, path, group: None, application_group: None, dispatch: false })
}

pub(super) fn callable_object(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let callable = Callable::parse(word).map_err(|reason| {
        let word = shown(word);
        format!(
            "WSGICallableObject \"{word}\" {reason}: write the name of the application in the script, such as application, or \
             %{{ENV:NAME}}"
        )
    })?;
    put(scope, |settings| settings.callable = Some(callable))
}

/// The functions of directives that are On or Off for requests.
macro_rules! flags {
    ($($name:ident => $field:ident;)+) => {$(
        pub(super) fn $name(scope: &mut Scope<'_, Wsgi>, on: bool) -> Outcome {
            put(scope, |settings| settings.$field = Some(on))
        }
    )+};
}

flags! {
    pass_authorization => pass_authorization;
    script_reloading => script_reloading;
    error_override => error_override;
    chunked_request => chunked_request;
    request_buffering => buffering;
    seekable_input => seekable_input;
    ignore_activity => ignore_activity;
    enable_sendfile => sendfile;
    location_redirect => location_redirect;
}

pub(super) fn map_head_to_get(scope: &mut Scope<'_, Wsgi>, word: &[u8]) -> Outcome {
    let value = match word.to_ascii_lowercase().as_slice() {
        b"on" => HeadAsGet::On,
        b"off" => HeadAsGet::Off,
        b"auto" => HeadAsGet::Auto,
        _ => {
            let word = shown(word);
            return Err(format!(
                "WSGIMapHEADToGET \"{word}\": WSGIMapHEADToGET must be one of: Off | On | Auto"
            ));
        }
    };
    put(scope, |settings| settings.head_as_get = Some(value))
}

fn template(name: &str, word: &[u8]) -> Result<Template, String> {
    Template::parse(word).map_err(|reason| {
        let word = shown(word);
        format!(
            "{name} \"{word}\" {reason}: write a name, %{{GLOBAL}}, %{{SERVER}}, %{{HOST}}, %{{RESOURCE}} or %{{ENV:NAME}}"
        )
    })
}

/// Stores in the section where there is one, else in the server.
pub(super) fn put(scope: &mut Scope<'_, Wsgi>, store: impl FnOnce(&mut Settings)) -> Outcome {
    if scope.section().is_some() {
        store(&mut scope.dir_config().settings);
    } else {
        store(&mut scope.server_config()?.settings);
    }
    Ok(())
}
