//! What other modules of httpd (mod_lua, say) may say about a request that an alias has mapped, in notes of mod_wsgi's names. They
//! win over aliases and directives.

use std::ffi::CStr;

use httpd::Request;

use crate::refusal::Refusal;
use crate::routing::Settings;
use crate::routing::expand::{Callable, Template};
use crate::variables;

const PROCESS_GROUP: &CStr = c"mod_wsgi.process_group";
const APPLICATION_GROUP: &CStr = c"mod_wsgi.application_group";
const CALLABLE_OBJECT: &CStr = c"mod_wsgi.callable_object";
const PASS_AUTHORIZATION: &CStr = c"mod_wsgi.pass_authorization";

/// Puts what the notes say on top of the settings. A note that is no name says nothing.
///
/// # Errors
/// When a note names another process group, and it could come from somebody who writes an `.htaccess` file.
pub fn apply(request: &Request<'_>, settings: &mut Settings) -> Result<(), Refusal> {
    let notes = request.notes();
    let template = |name| notes.get(name).and_then(|text| Template::parse(text).ok());
    if let Some(group) = template(PROCESS_GROUP).map(Some).filter(|group| *group != settings.process_group) {
        if !variables::are_settled(request) {
            let text = notes.get(PROCESS_GROUP).unwrap_or_default();
            return Err(Refusal::UnsettledNote(text.escape_ascii().to_string()));
        }
        settings.process_group = group;
    }
    if let Some(group) = template(APPLICATION_GROUP) {
        settings.application_group = Some(group);
    }
    if let Some(callable) = notes.get(CALLABLE_OBJECT).and_then(|text| Callable::literal(text).ok()) {
        settings.callable = Some(callable);
    }
    match notes.get(PASS_AUTHORIZATION) {
        Some(b"1") => settings.pass_authorization = Some(true),
        Some(b"0") => settings.pass_authorization = Some(false),
        _ => {}
    }
    Ok(())
}
