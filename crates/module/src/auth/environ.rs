//! The environ of calls about who may come in: what the client sent and httpd knows, without passwords and without variables that
//! SetEnv and the like could set.

use std::ffi::CStr;
use std::time::SystemTime;

use httpd::Request;
use wire::{Body, Flags, RequestEncoder, RequestFields, Task, WireError};

use crate::environ::{escaped_for_html, header_key, microseconds, target};
use crate::groups::GroupHandle;
use crate::routing::calls::CallScript;
use crate::routing::path;

/// What `mod_ssl.var_lookup` finds; the worker strips the prefix.
const SSL_VARIABLE: &[u8] = b"mod_ssl.var.";
/// The variables of mod_ssl about the connection and the client's certificate.
const SSL_VARIABLES: [&CStr; 38] = [
    c"HTTPS",
    c"SSL_PROTOCOL",
    c"SSL_SESSION_RESUMED",
    c"SSL_SECURE_RENEG",
    c"SSL_CIPHER",
    c"SSL_CIPHER_EXPORT",
    c"SSL_CIPHER_USEKEYSIZE",
    c"SSL_CIPHER_ALGKEYSIZE",
    c"SSL_COMPRESS_METHOD",
    c"SSL_VERSION_INTERFACE",
    c"SSL_VERSION_LIBRARY",
    c"SSL_TLS_SNI",
    c"SSL_CLIENT_VERIFY",
    c"SSL_CLIENT_CERT",
    c"SSL_CLIENT_M_VERSION",
    c"SSL_CLIENT_M_SERIAL",
    c"SSL_CLIENT_S_DN",
    c"SSL_CLIENT_S_DN_C",
    c"SSL_CLIENT_S_DN_ST",
    c"SSL_CLIENT_S_DN_L",
    c"SSL_CLIENT_S_DN_O",
    c"SSL_CLIENT_S_DN_OU",
    c"SSL_CLIENT_S_DN_CN",
    c"SSL_CLIENT_S_DN_UID",
    c"SSL_CLIENT_S_DN_Email",
    c"SSL_CLIENT_I_DN",
    c"SSL_CLIENT_I_DN_O",
    c"SSL_CLIENT_I_DN_CN",
    c"SSL_CLIENT_V_START",
    c"SSL_CLIENT_V_END",
    c"SSL_CLIENT_V_REMAIN",
    c"SSL_CLIENT_A_SIG",
    c"SSL_CLIENT_A_KEY",
    c"SSL_CLIENT_CERT_RFC4523_CEA",
    c"SSL_SERVER_M_SERIAL",
    c"SSL_SERVER_S_DN",
    c"SSL_SERVER_S_DN_CN",
    c"SSL_SERVER_I_DN",
];

/// Writes the frame of a call.
///
/// # Errors
/// [`WireError::TooLong`]; what is in `out` is then of no use.
pub(super) fn write(
    request: &Request<'_>,
    (script, group): (&CallScript, &GroupHandle),
    application_group: &[u8],
    script_reloading: bool,
    task: Task<'_>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let https = request.connection().is_https();
    let fields = RequestFields {
        flags: Flags { https, script_reloading, ..Flags::default() },
        request_start: microseconds(request.request_time()),
        queue_start: microseconds(SystemTime::now()),
        application_group,
        script: group.inside(script.path.as_bytes()),
        callable: b"",
        task,
    };
    let mut frame = RequestEncoder::new(out, &fields)?;
    headers(&mut frame, request)?;
    server(&mut frame, request, group)?;
    client(&mut frame, request)?;
    frame.pair(b"mod_wsgi.process_group", script.shown_group())?;
    frame.pair(b"mod_wsgi.application_group", application_group)?;
    if https {
        for name in SSL_VARIABLES {
            if let Some(value) = request.ssl_variable(name) {
                frame.pair(&[SSL_VARIABLE, name.to_bytes()].concat(), value)?;
            }
        }
    }
    frame.finish(Body::Inline(b""))
}

fn headers(frame: &mut RequestEncoder<'_>, request: &Request<'_>) -> Result<(), WireError> {
    let mut key = Vec::with_capacity(64);
    for (name, value) in request.headers_in().iter() {
        let secret =
            name.eq_ignore_ascii_case(b"authorization") || name.eq_ignore_ascii_case(b"proxy-authorization");
        if !secret && header_key(name, &mut key) {
            frame.pair(&key, value)?;
        }
    }
    Ok(())
}

fn server(
    frame: &mut RequestEncoder<'_>,
    request: &Request<'_>,
    group: &GroupHandle,
) -> Result<(), WireError> {
    let name = request.server_name();
    frame.pair(b"SERVER_SIGNATURE", request.signature())?;
    frame.pair(b"SERVER_SOFTWARE", &httpd::server_banner())?;
    frame.pair(b"SERVER_NAME", escaped_for_html(name).as_deref().unwrap_or(name))?;
    frame.pair(b"SERVER_ADDR", request.connection().local().ip)?;
    frame.pair(b"SERVER_PORT", request.server_port().to_string().as_bytes())?;
    if let Some(directory) = group.directory(request.document_root()) {
        frame.pair(b"DOCUMENT_ROOT", directory)?;
    }
    if let Some(admin) = request.server().admin() {
        frame.pair(b"SERVER_ADMIN", admin)?;
    }
    frame.pair(b"SERVER_PROTOCOL", request.protocol().unwrap_or_default())
}

fn client(frame: &mut RequestEncoder<'_>, request: &Request<'_>) -> Result<(), WireError> {
    let remote = request.useragent();
    if let Some(host) = request.remote_host() {
        frame.pair(b"REMOTE_HOST", host)?;
    }
    frame.pair(b"REMOTE_ADDR", remote.ip)?;
    frame.pair(b"REMOTE_PORT", remote.port.to_string().as_bytes())?;
    frame.pair(b"REQUEST_METHOD", request.method().unwrap_or_default())?;
    frame.pair(b"QUERY_STRING", request.args().unwrap_or_default())?;
    frame.pair(b"REQUEST_URI", target(request.the_request().unwrap_or_default()))?;
    let (uri, info) = (request.uri().unwrap_or_default(), request.path_info().unwrap_or_default());
    frame.pair(b"SCRIPT_NAME", &path::script_name(uri, info))?;
    frame.pair(b"PATH_INFO", &path::collapse(info))
}
