//! Writes the environ into a request frame: a pure function of the facts of a request. Where the facts come from is the parent
//! module's part; which type a value has in Python is the gateway's.

use std::io::Write;

use wire::{RequestEncoder, WireError};

use super::names;
use crate::proxies::Changes;

/// What httpd knows about a request, as far as an environ shows it.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "each field is the CGI variable, or the mod_wsgi key, of its name")]
pub struct Facts<'a> {
    pub method: &'a [u8],
    pub protocol: &'a [u8],
    pub request_line: &'a [u8],
    /// The URI as rules have rewritten it, where `CGIVar` says that it is `REQUEST_URI`.
    pub current_uri: Option<&'a [u8]>,
    pub query: &'a [u8],
    pub scheme: &'a [u8],
    pub server_software: &'a [u8],
    pub server_name: &'a [u8],
    pub server_addr: &'a [u8],
    pub server_port: u16,
    pub server_admin: Option<&'a [u8]>,
    pub remote_addr: &'a [u8],
    pub remote_port: u16,
    pub remote_user: Option<&'a [u8]>,
    pub auth_type: Option<&'a [u8]>,
    pub document_root: Option<&'a [u8]>,
    pub context_prefix: &'a [u8],
    pub context_document_root: Option<&'a [u8]>,
    pub script_filename: &'a [u8],
    pub handler_script: &'a [u8],
    pub script_name: &'a [u8],
    pub path_info: &'a [u8],
    pub redirect: Option<Redirect<'a>>,
    pub handler: &'a [u8],
    pub listener_host: &'a [u8],
    pub listener_port: u16,
    pub server_pid: u32,
    pub request_id: &'a [u8],
    pub connection_id: &'a [u8],
    /// Whether `HTTP_AUTHORIZATION` is shown.
    pub authorization: bool,
    /// Whether `HTTP_PROXY_AUTHORIZATION` is shown.
    pub proxy_authorization: bool,
    /// A filter of httpd needs the body of a HEAD request's response: the application is told GET.
    pub head_as_get: bool,
    /// What trusted proxies say otherwise.
    pub forwarded: &'a Changes<'a>,
}

/// The request before an internal redirect.
#[derive(Debug, Clone, Copy)]
pub struct Redirect<'a> {
    /// `REDIRECT_URL`
    pub url: &'a [u8],
    /// `REDIRECT_QUERY_STRING`
    pub query: Option<&'a [u8]>,
    /// `REDIRECT_REMOTE_USER`, when this request has no user of its own.
    pub remote_user: Option<&'a [u8]>,
}

/// Writes all entries: variables of httpd first, so that what the request itself says wins.
///
/// # Errors
/// [`WireError::TooLong`]
pub fn encode<'a>(
    frame: &mut RequestEncoder<'_>,
    facts: &Facts<'_>,
    variables: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), WireError> {
    for (name, value) in variables.filter(|(name, _)| names::is_free(name) && !facts.forwarded.hides(name)) {
        frame.pair(name, value)?;
    }
    let mut key = Vec::with_capacity(64);
    for (name, value) in headers {
        let hidden = (!facts.authorization && name.eq_ignore_ascii_case(b"authorization"))
            || (!facts.proxy_authorization && name.eq_ignore_ascii_case(b"proxy-authorization"));
        if !hidden && names::header_key(name, &mut key) && !facts.forwarded.hides(&key) {
            frame.pair(&key, value)?;
        }
    }
    server(frame, facts)?;
    request(frame, facts)?;
    ours(frame, facts)?;
    forwarded(frame, facts)
}

fn server(frame: &mut RequestEncoder<'_>, facts: &Facts<'_>) -> Result<(), WireError> {
    // The address in a URL (RFC 3986, 3.2.2), as httpd writes it.
    let bracketed = facts.server_name.contains(&b':').then(|| [b"[", facts.server_name, b"]"].concat());
    let name = facts.forwarded.server_name.or(bracketed.as_deref()).unwrap_or(facts.server_name);
    let escaped = names::escaped_for_html(name);
    frame.pair(b"SERVER_SOFTWARE", facts.server_software)?;
    frame.pair(b"SERVER_NAME", escaped.as_deref().unwrap_or(name))?;
    frame.pair(b"SERVER_ADDR", facts.server_addr)?;
    match facts.forwarded.server_port {
        Some(port) => frame.pair(b"SERVER_PORT", port)?,
        None => number(frame, b"SERVER_PORT", facts.server_port.into())?,
    }
    optional(frame, b"SERVER_ADMIN", facts.server_admin)?;
    frame.pair(b"SERVER_PROTOCOL", facts.protocol)?;
    optional(frame, b"DOCUMENT_ROOT", facts.document_root)?;
    frame.pair(b"CONTEXT_PREFIX", facts.context_prefix)?;
    optional(frame, b"CONTEXT_DOCUMENT_ROOT", facts.context_document_root)
}

fn request(frame: &mut RequestEncoder<'_>, facts: &Facts<'_>) -> Result<(), WireError> {
    let get = facts.head_as_get && facts.method == b"HEAD";
    frame.pair(b"REQUEST_METHOD", if get { b"GET" } else { facts.method })?;
    frame.pair(b"REQUEST_SCHEME", facts.scheme)?;
    frame.pair(b"REQUEST_URI", facts.current_uri.unwrap_or_else(|| names::target(facts.request_line)))?;
    frame.pair(b"QUERY_STRING", facts.query)?;
    frame.pair(b"SCRIPT_NAME", facts.forwarded.script_name.unwrap_or(facts.script_name))?;
    frame.pair(b"PATH_INFO", facts.path_info)?;
    frame.pair(b"SCRIPT_FILENAME", facts.script_filename)?;
    frame.pair(b"REMOTE_ADDR", facts.forwarded.remote_addr.unwrap_or(facts.remote_addr))?;
    number(frame, b"REMOTE_PORT", facts.remote_port.into())?;
    optional(frame, b"REMOTE_USER", facts.remote_user)?;
    optional(frame, b"AUTH_TYPE", facts.auth_type)?;
    let Some(redirect) = facts.redirect else { return Ok(()) };
    frame.pair(b"REDIRECT_URL", redirect.url)?;
    optional(frame, b"REDIRECT_QUERY_STRING", redirect.query)?;
    optional(frame, b"REDIRECT_REMOTE_USER", redirect.remote_user.filter(|_| facts.remote_user.is_none()))
}

fn ours(frame: &mut RequestEncoder<'_>, facts: &Facts<'_>) -> Result<(), WireError> {
    frame.pair(b"mod_wsgi.request_handler", facts.handler)?;
    frame.pair(b"mod_wsgi.handler_script", facts.handler_script)?;
    frame.pair(b"mod_wsgi.listener_host", facts.listener_host)?;
    number(frame, b"mod_wsgi.listener_port", facts.listener_port.into())?;
    number(frame, b"mod_wsgi.server_pid", facts.server_pid)?;
    frame.pair(b"mod_wsgi.request_id", facts.request_id)?;
    frame.pair(b"mod_wsgi.connection_id", facts.connection_id)
}

/// What trusted proxies add: entries that stand behind the request's own win.
fn forwarded(frame: &mut RequestEncoder<'_>, facts: &Facts<'_>) -> Result<(), WireError> {
    let forwarded = facts.forwarded;
    optional(frame, b"HTTP_HOST", forwarded.host)?;
    optional(frame, b"HTTP_X_FORWARDED_FOR", forwarded.forwarded_for.as_deref())?;
    let Some(mount_point) = forwarded.script_name else { return Ok(()) };
    frame.pair(b"mod_wsgi.mount_point", mount_point)?;
    // The worker takes SCRIPT_NAME for it otherwise.
    frame.pair(b"mod_wsgi.script_name", facts.script_name)
}

fn optional(frame: &mut RequestEncoder<'_>, key: &[u8], value: Option<&[u8]>) -> Result<(), WireError> {
    value.map_or(Ok(()), |value| frame.pair(key, value))
}

fn number(frame: &mut RequestEncoder<'_>, key: &[u8], value: u32) -> Result<(), WireError> {
    let mut digits = [0; 10];
    let mut rest = &mut digits[..];
    // Ten digits are enough for every u32, so this cannot fail.
    let _ = write!(rest, "{value}");
    let left = rest.len();
    frame.pair(key, digits.get(..10 - left).unwrap_or_default())
}
