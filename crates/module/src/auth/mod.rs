//! Who may come in: the answers of access and authentication scripts, asked for by httpd's hooks and providers. Whatever goes wrong
//! lets nobody in. Where a request goes is `dispatch`'s part.

mod dispatch;
mod environ;

use httpd::{Answer, Authn, Authz, Level, RealmHash, Request};
use spec::options::words::Words;
use wire::Task;

pub use dispatch::{Chooser, choose};

use crate::generation::Generation;
use crate::groups::GroupHandle;
use crate::hooks::Wsgi;
use crate::relay::{Target, Unanswered, printable};
use crate::routing::calls::{CallScript, CallScripts};
use crate::routing::expand::Facts;
use crate::variables;

/// `WSGIAccessScript`: whether whoever asks may come in.
pub fn access(request: &Request<'_>) -> Answer {
    let Some(script) = &scripts(request).access else { return Answer::Declined };
    let host = request.remote_host().unwrap_or(request.useragent().ip);
    let answer = ask(request, script, Task::AllowAccess { host });
    match answer.as_deref().map(wire::Answer::decode) {
        Ok(Ok(wire::Answer::Yes)) => Answer::Ok,
        Ok(Ok(wire::Answer::Nothing)) => Answer::Declined,
        Ok(Ok(wire::Answer::No)) | Err(Unanswered::Script) => {
            if request.refusal_is_final() {
                let file = printable(request.filename().unwrap_or_default());
                let line = format!("WSGI0057: Client denied by server configuration: '{file}'.");
                request.log().write(Level::Error, line.as_bytes());
            }
            Answer::Status(403)
        }
        Ok(_) => {
            misfit(request, script);
            Answer::Status(500)
        }
        Err(Unanswered::Worker(status)) => Answer::Status(*status),
    }
}

/// `AuthBasicProvider wsgi`: whether the user has this password.
pub fn check_password(request: &mut Request<'_>, user: &[u8], password: &[u8]) -> Authn {
    let Some(script) = &scripts(request).user else {
        missing(request, "WSGI0041", "AuthBasicProvider wsgi", "WSGIAuthUserScript");
        return Authn::Failed;
    };
    let answer = ask(request, script, Task::CheckPassword { user, password });
    match answer.as_deref().map(wire::Answer::decode) {
        Ok(Ok(wire::Answer::Yes)) => Authn::Granted,
        Ok(Ok(wire::Answer::No)) => Authn::Denied,
        Ok(Ok(wire::Answer::Nothing)) => Authn::NotFound,
        Ok(Ok(wire::Answer::Text(name))) => {
            request.set_user(name);
            Authn::Granted
        }
        Ok(_) => {
            misfit(request, script);
            Authn::Failed
        }
        Err(_) => Authn::Failed,
    }
}

/// `AuthDigestProvider wsgi`: what the user's password looks like.
pub fn realm_hash(request: &Request<'_>, user: &[u8], realm: &[u8]) -> RealmHash {
    let Some(script) = &scripts(request).user else {
        missing(request, "WSGI0044", "AuthDigestProvider wsgi", "WSGIAuthUserScript");
        return RealmHash::Failed;
    };
    let answer = ask(request, script, Task::RealmHash { user, realm });
    match answer.as_deref().map(wire::Answer::decode) {
        Ok(Ok(wire::Answer::Text(hash))) => RealmHash::Found(hash.to_vec()),
        Ok(Ok(wire::Answer::Nothing)) => RealmHash::NotFound,
        Ok(_) => {
            misfit(request, script);
            RealmHash::Failed
        }
        Err(_) => RealmHash::Failed,
    }
}

/// Checks the groups of a `Require wsgi-group`.
///
/// # Errors
/// What is wrong with them.
pub fn check_requirement(line: &[u8]) -> Result<(), String> {
    match required(line) {
        Ok(groups) if groups.is_empty() => {
            Err("Require wsgi-group names no group, so it would never let anybody in: write \
             Require wsgi-group GROUP [GROUP ...]"
                .to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(format!("Require wsgi-group: {error}")),
    }
}

fn required(line: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Words::new(line);
    let mut groups = Vec::new();
    while let Some(word) = words.word().map_err(|error| error.to_string())? {
        groups.push(word);
    }
    Ok(groups)
}

/// `Require wsgi-group`: whether the user is in one of the groups.
pub fn is_authorized(request: &Request<'_>, line: &[u8]) -> Authz {
    let Some(user) = request.user() else { return Authz::NoUser };
    let Some(script) = &scripts(request).group else {
        missing(request, "WSGI0058", "Require wsgi-group", "WSGIAuthGroupScript");
        return Authz::Denied;
    };
    let Ok(groups) = required(line) else { return Authz::Failed };
    let answer = ask(request, script, Task::GroupsForUser { user });
    let names = match answer.as_deref().map(wire::Answer::decode) {
        Ok(Ok(wire::Answer::Names(names))) => names,
        Ok(_) => {
            misfit(request, script);
            return Authz::Failed;
        }
        Err(Unanswered::Script) => return Authz::Denied,
        Err(Unanswered::Worker(_)) => return Authz::Failed,
    };
    // Case does not matter, as in mod_wsgi, which looks them up in a table of httpd.
    let is_required = |name: &[u8]| groups.iter().any(|group| group.eq_ignore_ascii_case(name));
    if names.iter().any(is_required) {
        return Authz::Granted;
    }
    let (user, uri) = (printable(user), printable(request.uri().unwrap_or_default()));
    let (code, why) =
        if names.is_empty() { ("WSGI0059", "any groups") } else { ("WSGI0060", "designated groups") };
    let line = format!(
        "{code}: Authorization of user '{user}' to access '{uri}' failed. User is not a member of {why}."
    );
    request.log().write(Level::Error, line.as_bytes());
    Authz::Denied
}

fn scripts<'r>(request: &Request<'r>) -> &'r CallScripts {
    &request.dir_config::<Wsgi>().calls
}

/// Asks a script about who may come in.
fn ask(request: &Request<'_>, script: &CallScript, task: Task<'_>) -> Result<Vec<u8>, Unanswered> {
    let target = target(request, script)?;
    let reloading = script_reloading(request);
    let application_group = with_facts(request, |facts| script.application_group(facts));
    crate::relay::ask(request, &target, |out| {
        environ::write(request, (script, target.group), &application_group, reloading, task, out)
    })
}

/// `WSGIScriptReloading` where the request is.
fn script_reloading(request: &Request<'_>) -> bool {
    let (section, server) = (request.dir_config::<Wsgi>(), request.server_config::<Wsgi>());
    section.settings.script_reloading.or(server.settings.script_reloading).unwrap_or(true)
}

/// Hands on what names can depend on.
fn with_facts<T>(request: &Request<'_>, expand: impl FnOnce(&Facts<'_>) -> T) -> T {
    let now = |name: &[u8]| variables::now(request, name);
    expand(&Facts {
        server_name: request.server().hostname().unwrap_or_default(),
        host: request.hostname(),
        port: request.server_port(),
        script_name: b"",
        variable: &now,
    })
}

/// Who is asked: the group of a script.
fn target<'a>(request: &Request<'a>, script: &'a CallScript) -> Result<Target<'a>, Unanswered> {
    let reason = match Generation::of(request) {
        Some(generation) => match generation.groups.find(script.group().as_bytes()) {
            Some(group) if may_use(request, group) => {
                return Ok(Target { groups: &generation.groups, group, script: script.path.as_bytes() });
            }
            Some(group) => {
                format!("is declared in the virtual host {} and serves only that", group.definition.server)
            }
            None => "is not declared".to_owned(),
        },
        None => "has not been started yet".to_owned(),
    };
    let (path, name) = (printable(script.path.as_bytes()), printable(script.group().as_bytes()));
    let line = format!(
        "[script {path}] WSGI1381: The process group '{name}' of this script {reason}. The request is refused. Declare it with \
         WSGIDaemonProcess outside of <VirtualHost>, or correct process-group= of the directive that names the script."
    );
    request.log().write(Level::Error, line.as_bytes());
    Err(Unanswered::Worker(500))
}

fn may_use(request: &Request<'_>, group: &GroupHandle) -> bool {
    let declared_in = group.definition.server.as_bytes();
    declared_in.is_empty() || Some(declared_in) == request.server().hostname()
}

/// An answer that does not fit the question: the worker is not what it should be.
fn misfit(request: &Request<'_>, script: &CallScript) {
    let (path, name) = (printable(script.path.as_bytes()), printable(script.group().as_bytes()));
    let line = format!(
        "[script {path}] WSGI1382: A worker of process group '{name}' answered something that was not asked. The request is \
         refused. Code in the worker writes to the connection past mod_wsgi, or mod_wsgi has a bug."
    );
    request.log().write(Level::Error, line.as_bytes());
}

/// Somebody relies on a script that is not configured.
fn missing(request: &Request<'_>, code: &str, who: &str, directive: &str) {
    let line = format!(
        "{code}: {who} applies here, but {directive} does not. The request is refused. Write {directive} FILE for this place, or \
         remove the other."
    );
    request.log().write(Level::Error, line.as_bytes());
}
