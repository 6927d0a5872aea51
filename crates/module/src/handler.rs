//! The front half of a request: mapping its path to a script, the checks before anything is sent, and the plan for the relay.

use httpd::{Answer, FileType, Level, PathInfo, Request};

use crate::auth;
use crate::config::HandlerScript;
use crate::generation::Generation;
use crate::groups::{GroupHandle, Groups, RequestPlan};
use crate::hooks::Wsgi;
use crate::notes;
use crate::owner;
use crate::refusal::{Asked, Refusal};
use crate::routing::Settings;
use crate::routing::expand::Facts;
use crate::routing::path;
use crate::variables;

/// The handler's name, as mod_wsgi's, for `SetHandler` and `AddHandler`.
const HANDLER: &[u8] = b"wsgi-script";
/// The same as a media type.
const MEDIA_TYPE: &[u8] = b"application/x-httpd-wsgi";
/// Set by mod_alias and us: the handler comes from an alias, which permits execution.
const FORCED: &std::ffi::CStr = c"alias-forced-type";
/// Number of the alias in its server's list.
const ALIAS: &std::ffi::CStr = c"mod_wsgi.alias";

/// Maps the path through the first alias that matches it.
///
/// httpd's own walk applies sections and the options about symbolic links. When the alias names a script, it is spared the search
/// for it, one `lstat` for each directory; otherwise it finds the file and splits off the path info.
pub fn translate(request: &mut Request<'_>) -> Answer {
    let Some(uri) = request.uri().filter(|uri| uri.starts_with(b"/")) else { return Answer::Declined };
    let aliases = &request.server_config::<Wsgi>().aliases;
    let pool = request.pool();
    let found = aliases.iter().enumerate().find_map(|(n, alias)| alias.way(uri, pool).map(|way| (n, way)));
    let Some((number, way)) = found else { return Answer::Declined };
    if !way.script().is_some_and(|(script, path_info)| request.set_regular_file(script, path_info)) {
        request.set_filename(&way.file());
    }
    request.set_handler(HANDLER);
    request.notes().set(FORCED.to_bytes(), HANDLER);
    request.notes().set(ALIAS.to_bytes(), number.to_string().as_bytes());
    Answer::Ok
}

/// Notes what process groups depend on, before anybody but the server's administrator has a say.
pub fn look_ahead(request: &Request<'_>) -> Answer {
    variables::keep(request);
    Answer::Declined
}

/// Answers a request for a WSGI script, or for a file that a handler script stands for.
pub fn handle(request: &mut Request<'_>) -> Answer {
    let script = match request.handler() {
        Some(HANDLER | MEDIA_TYPE) => None,
        Some(name) => match HandlerScript::of(request, name) {
            None => return Answer::Declined,
            script => script,
        },
        None => return Answer::Declined,
    };
    let Some(generation) = Generation::of(request) else { return Answer::Declined };
    let mut settings = settings(request, script);
    let checked = asked(request, &settings, script).check().and_then(|()| match script {
        None if is_aliased(request) => notes::apply(request, &mut settings),
        _ => Ok(()),
    });
    let (dispatch, mut chooser) = (settings.dispatch.take(), None);
    if let (Ok(()), Some(dispatch)) = (&checked, &dispatch) {
        match auth::choose(request, dispatch, script, &mut settings) {
            Ok(group) => chooser = group,
            Err(status) => return Answer::Status(status),
        }
    }
    match checked.and_then(|()| plan(request, &settings, script, generation, chooser)) {
        Ok(plan) => crate::relay::serve(request, &plan),
        Err(refusal) => {
            let script = script.map_or_else(|| request.filename().unwrap_or_default(), |script| &script.path);
            let script = script.escape_ascii();
            let line = format!("[script {script}] {refusal}");
            request.log().write(Level::Error, line.as_bytes());
            Answer::Status(refusal.status())
        }
    }
}

/// The settings in force: those of the handler script or of the alias, then the section's, then the server's.
fn settings(request: &Request<'_>, script: Option<&HandlerScript>) -> Settings {
    let server = request.server_config::<Wsgi>();
    let below = request.dir_config::<Wsgi>().settings.over(&server.settings);
    if let Some(script) = script {
        return script.settings.over(&below);
    }
    let number =
        request.notes().get(ALIAS).and_then(|text| std::str::from_utf8(text).ok()?.parse::<usize>().ok());
    let alias = number.and_then(|number| server.aliases.get(number)).filter(|_| is_aliased(request));
    alias.map_or(below.clone(), |alias| alias.settings.over(&below))
}

fn is_aliased(request: &Request<'_>) -> bool {
    request.notes().get(FORCED) == Some(HANDLER)
}

/// What the checks need to know. What a handler script stands for is not executed, and need not be there.
fn asked<'r>(request: &Request<'r>, settings: &Settings, script: Option<&HandlerScript>) -> Asked<'r> {
    let headers = request.headers_in();
    Asked {
        executable: script.is_some() || is_aliased(request) || request.allows_exec_cgi(),
        file: if script.is_some() { FileType::Regular } else { request.file().kind },
        forbidden_path_info: request
            .path_info()
            .filter(|info| !info.is_empty() && request.path_info_rule() == PathInfo::Reject),
        transfer_encoding: headers.get(c"Transfer-Encoding"),
        is_stream: request.connection().is_secondary(),
        chunked_allowed: settings.chunked_request.unwrap_or(false),
        content_length: headers.get(c"Content-Length"),
        body_limit: request.limit_request_body(),
    }
}

/// The process group of this name, if a request of this server may use it.
fn group<'g>(
    settings: &Settings,
    generation: &'g Generation,
    name: &[u8],
    server_name: &[u8],
) -> Result<&'g GroupHandle, Refusal> {
    if !settings.permits_group(name) {
        let group = name.escape_ascii();
        return Err(Refusal::Restricted(match name.is_empty() {
            true => "%{GLOBAL}, the web server itself".to_owned(),
            false => format!("process group {group}"),
        }));
    }
    if name.is_empty() {
        return Err(if generation.restrict_embedded {
            Refusal::EmbeddedForbidden
        } else {
            Refusal::Embedded
        });
    }
    let Some(group) = generation.groups.find(name) else {
        return Err(Refusal::UnknownGroup(name.escape_ascii().to_string()));
    };
    let declared_in = group.definition.server.as_bytes();
    if !declared_in.is_empty() && declared_in != server_name {
        let (group, server) = (group.definition.name.clone(), group.definition.server.clone());
        return Err(Refusal::ForeignGroup { group, server });
    }
    if group.definition.threads == 0 {
        return Err(Refusal::Service(group.definition.name.clone()));
    }
    Ok(group)
}

fn plan<'g>(
    request: &Request<'_>,
    settings: &Settings,
    script: Option<&HandlerScript>,
    generation: &'g Generation,
    chooser: auth::Chooser<'_>,
) -> Result<RequestPlan<'g>, Refusal> {
    let (uri, info) = (request.uri().unwrap_or_default(), request.path_info().unwrap_or_default());
    let script_name = path::script_name(uri, info);
    let resource = path::resource(&script_name, generation.case_sensitive);
    let now = |name: &[u8]| variables::now(request, name);
    let facts = Facts {
        server_name: request.server().hostname().unwrap_or_default(),
        host: request.hostname(),
        port: request.server_port(),
        script_name: &resource,
        variable: &now,
    };
    let name = settings.process_group(&facts);
    if let Some(variable) = settings.group_variable().filter(|_| !variables::are_settled(request)) {
        let before = |name: &[u8]| variables::before(request, name);
        // Who may write an .htaccess file must not choose whose processes run a script.
        if settings.process_group(&Facts { variable: &before, ..facts }) != name {
            let (variable, group) = (variable.escape_ascii().to_string(), name.escape_ascii().to_string());
            return Err(Refusal::UnsettledGroup { variable, group });
        }
    }
    let group = group(settings, generation, &name, facts.server_name).map_err(|refusal| {
        let missing = settings.group_variable().filter(|variable| now(variable).is_none());
        match missing {
            Some(variable) => refusal.without_variable(variable),
            None => refusal,
        }
    })?;
    if let Some(by) = chooser.filter(|by| by.definition.account != group.definition.account) {
        let (group, by) = (group.definition.name.clone(), by.definition.name.clone());
        return Err(Refusal::ForeignChoice { group, by });
    }
    let filename = request.filename().unwrap_or_default();
    if let Some(root) = group.definition.chroot.as_ref().filter(|root| root.inside(filename).is_none()) {
        let (group, chroot) = (group.definition.name.clone(), root.directory().display().to_string());
        return Err(Refusal::OutsideRoot { group, chroot });
    }
    if let Some(owner) = group.definition.script_owner {
        owner::check(owner, script.map_or(filename, |script| &script.path))?;
    }
    let application_group = settings.application_group(&facts, group.sole_application);
    let callable = settings.callable(&facts);
    let to = (&generation.groups, group);
    Ok(RequestPlan { callable, ..plan_for(request, settings, script, to, application_group, script_name) })
}

/// The plan of a request for a group, without a callable.
pub fn plan_for<'g>(
    request: &Request<'_>,
    settings: &Settings,
    script: Option<&HandlerScript>,
    (groups, group): (&'g Groups, &'g GroupHandle),
    application_group: Vec<u8>,
    script_name: Vec<u8>,
) -> RequestPlan<'g> {
    let filename = request.filename().unwrap_or_default();
    RequestPlan {
        groups,
        group,
        application_group,
        callable: Vec::new(),
        path_info: path::collapse(request.path_info().unwrap_or_default()),
        script: group.inside(script.map_or(filename, |script| &script.path)).to_vec(),
        resource: script.map(|_| group.inside(filename).to_vec()),
        pass_authorization: settings.pass_authorization.unwrap_or(false),
        buffering: settings.buffering,
        script_reloading: settings.script_reloading.unwrap_or(true),
        seekable_input: settings.seekable_input.unwrap_or(false),
        response: settings.into(),
        ignore_activity: settings.ignore_activity.unwrap_or(false),
        proxy_headers: settings.proxy_headers.clone(),
        proxies: settings.proxies.clone(),
        script_name,
    }
}
