//! The environ of a request, straight from httpd's request record into the frame for the worker. httpd's own
//! `ap_add_cgi_vars` is not used: it runs a sub-request for PATH_TRANSLATED, and sets more than applications should see.

mod encode;
mod names;

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use httpd::{PassAuth, Request};
use wire::{Body, Flags, RequestEncoder, RequestFields, Task, WireError};

pub use encode::{Facts, Redirect, encode};
pub use names::{escaped_for_html, header_key, target};

use crate::groups::RequestPlan;
use crate::proxies::{self, Changes, Rules};
use crate::routing::HeadAsGet;
use crate::routing::calls::CallScript;

/// Writes the whole request frame.
///
/// # Errors
/// [`WireError::TooLong`]; what is in `out` is then of no use.
pub fn write_frame(
    request: &Request<'_>,
    plan: &RequestPlan<'_>,
    body: Body<'_>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let variables = request.subprocess_env();
    let forwarded = forwarded(request, plan);
    let is_https = || variables.get(c"HTTPS").is_some_and(names::is_on) || request.connection().is_https();
    let fields = RequestFields {
        flags: Flags {
            https: forwarded.https.unwrap_or_else(is_https),
            script_reloading: plan.script_reloading,
            seekable_input: plan.seekable_input,
            ignore_activity: plan.ignore_activity,
        },
        request_start: microseconds(request.request_time()),
        queue_start: microseconds(SystemTime::now()),
        application_group: &plan.application_group,
        script: &plan.script,
        callable: &plan.callable,
        task: Task::Application,
    };
    let mut frame = RequestEncoder::new(out, &fields)?;
    encode(&mut frame, &facts(request, plan, &forwarded), variables.iter(), request.headers_in().iter())?;
    frame.finish(body)
}

/// Writes the frame of a call to a dispatch script: the environ that an application of the plan would see, as far as it is known
/// before one is chosen. Variables of httpd are left out where they are not to decide.
///
/// # Errors
/// As [`write_frame`].
pub fn write_dispatch(
    request: &Request<'_>,
    plan: &RequestPlan<'_>,
    script: &CallScript,
    with_variables: bool,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let forwarded = forwarded(request, plan);
    let fields = RequestFields {
        flags: Flags { script_reloading: plan.script_reloading, ..Flags::default() },
        request_start: microseconds(request.request_time()),
        queue_start: microseconds(SystemTime::now()),
        application_group: &plan.application_group,
        script: plan.group.inside(script.path.as_bytes()),
        callable: b"",
        task: Task::Dispatch,
    };
    let mut frame = RequestEncoder::new(out, &fields)?;
    let variables = request.subprocess_env();
    let variables = variables.iter().filter(|_| with_variables);
    encode(&mut frame, &facts(request, plan, &forwarded), variables, request.headers_in().iter())?;
    frame.pair(b"mod_wsgi.process_group", script.shown_group())?;
    frame.pair(b"mod_wsgi.application_group", &plan.application_group)?;
    frame.finish(Body::Inline(b""))
}

/// What trusted proxies say about the request; usually nothing is configured.
fn forwarded<'a>(request: &Request<'a>, plan: &RequestPlan<'_>) -> Changes<'a> {
    let Some(headers) = plan.proxy_headers.as_deref() else { return Changes::default() };
    let rules = Rules { headers, networks: plan.proxies.as_deref() };
    proxies::changes(rules, request.useragent().ip, |name| request.headers_in().get(name))
}

fn facts<'a>(request: &Request<'a>, plan: &'a RequestPlan<'_>, forwarded: &'a Changes<'a>) -> Facts<'a> {
    let (child, connection) = (child(), request.connection());
    let (local, remote) = (connection.local(), request.useragent());
    let pass_auth = request.cgi_pass_auth() == PassAuth::On;
    Facts {
        method: request.method().unwrap_or_default(),
        protocol: request.protocol().unwrap_or_default(),
        request_line: request.the_request().unwrap_or_default(),
        current_uri: request.shows_current_uri().then(|| request.uri().unwrap_or_default()),
        query: request.args().unwrap_or_default(),
        scheme: request.scheme(),
        server_software: &child.software,
        server_name: request.server_name(),
        server_addr: local.ip,
        server_port: request.server_port(),
        server_admin: request.server().admin(),
        remote_addr: remote.ip,
        remote_port: remote.port,
        remote_user: request.user(),
        auth_type: request.auth_type(),
        document_root: plan.group.directory(request.document_root()),
        context_prefix: request.context_prefix(),
        context_document_root: plan.group.directory(request.context_document_root()),
        script_filename: plan.resource.as_ref().unwrap_or(&plan.script),
        handler_script: plan.resource.as_ref().map_or(b"", |_| &plan.script),
        script_name: &plan.script_name,
        path_info: &plan.path_info,
        redirect: redirect(request),
        handler: request.handler().unwrap_or_default(),
        listener_host: local.ip,
        listener_port: local.port,
        server_pid: child.pid,
        request_id: request.log_id().unwrap_or_default(),
        connection_id: connection.log_id().unwrap_or_default(),
        authorization: plan.pass_authorization || pass_auth,
        proxy_authorization: pass_auth,
        forwarded,
        head_as_get: request.header_only()
            && match plan.response.head_as_get {
                HeadAsGet::Off => false,
                HeadAsGet::On => true,
                HeadAsGet::Auto => request.has_content_filter(),
            },
    }
}

fn redirect<'a>(request: &Request<'a>) -> Option<Redirect<'a>> {
    let before = request.prev()?;
    let mut remote_user = before.user();
    let mut earlier = before.prev();
    while let (None, Some(request)) = (remote_user, &earlier) {
        remote_user = request.user();
        earlier = request.prev();
    }
    Some(Redirect { url: before.uri().unwrap_or_default(), query: before.args(), remote_user })
}

/// What is the same for all requests of an httpd child.
struct Child {
    software: Vec<u8>,
    pid: u32,
}

fn child() -> &'static Child {
    static CHILD: OnceLock<Child> = OnceLock::new();
    CHILD.get_or_init(|| Child { software: httpd::server_banner(), pid: std::process::id() })
}

/// Since the epoch.
pub fn microseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
