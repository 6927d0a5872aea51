//! Which process group, application group, script and callable serve a request: pure functions of configuration and facts.
//! Reading directives is `directives`' part, asking httpd for the facts `handler`'s.

pub mod alias;
pub mod calls;
pub mod expand;
pub mod leads;
pub mod part;
pub mod path;
pub mod places;

use std::sync::Arc;

use calls::CallScript;
use expand::{Callable, Facts, Template};

use crate::proxies::{Header, Network};

/// What the directives say about requests, at one level: alias, directory, or server. `None` is "nothing said here".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `WSGIProcessGroup`, `process-group=`.
    pub process_group: Option<Template>,
    /// `WSGIApplicationGroup`, `application-group=`.
    pub application_group: Option<Template>,
    /// `WSGICallableObject`, `callable-object=`.
    pub callable: Option<Callable>,
    /// `WSGIPassAuthorization`, `pass-authorization=`.
    pub pass_authorization: Option<bool>,
    /// `WSGIChunkedRequest`.
    pub chunked_request: Option<bool>,
    /// `WSGIRequestBuffering`.
    pub buffering: Option<bool>,
    /// `WSGISeekableInput`.
    pub seekable_input: Option<bool>,
    /// `WSGIScriptReloading`.
    pub script_reloading: Option<bool>,
    /// `WSGIErrorOverride`.
    pub error_override: Option<bool>,
    /// `WSGIMapHEADToGET`.
    pub head_as_get: Option<HeadAsGet>,
    /// `WSGIIgnoreActivity`.
    pub ignore_activity: Option<bool>,
    /// `WSGIEnableSendfile`.
    pub sendfile: Option<bool>,
    /// `WSGILocationRedirect`: a local `Location` with status 200 is fetched by the web server.
    pub location_redirect: Option<bool>,
    /// `WSGIRestrictProcess`: the only process groups; an empty name is the web server itself.
    pub restrict_process: Option<Arc<[Vec<u8>]>>,
    /// `WSGITrustedProxyHeaders`, in the configured order.
    pub proxy_headers: Option<Arc<[&'static Header]>>,
    /// `WSGITrustedProxies`.
    pub proxies: Option<Arc<[Network]>>,
    /// `WSGIDispatchScript`.
    pub dispatch: Option<Arc<CallScript>>,
}

/// `WSGIMapHEADToGET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadAsGet {
    /// Applications see HEAD.
    Off,
    /// Applications see GET.
    On,
    /// Applications see GET where a filter needs the body to make the headers.
    Auto,
}

impl Settings {
    /// What holds where `self` stands on `base`.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        Self {
            process_group: self.process_group.clone().or_else(|| base.process_group.clone()),
            application_group: self.application_group.clone().or_else(|| base.application_group.clone()),
            callable: self.callable.clone().or_else(|| base.callable.clone()),
            pass_authorization: self.pass_authorization.or(base.pass_authorization),
            chunked_request: self.chunked_request.or(base.chunked_request),
            buffering: self.buffering.or(base.buffering),
            seekable_input: self.seekable_input.or(base.seekable_input),
            script_reloading: self.script_reloading.or(base.script_reloading),
            error_override: self.error_override.or(base.error_override),
            head_as_get: self.head_as_get.or(base.head_as_get),
            ignore_activity: self.ignore_activity.or(base.ignore_activity),
            sendfile: self.sendfile.or(base.sendfile),
            location_redirect: self.location_redirect.or(base.location_redirect),
            restrict_process: self.restrict_process.clone().or_else(|| base.restrict_process.clone()),
            proxy_headers: self.proxy_headers.clone().or_else(|| base.proxy_headers.clone()),
            proxies: self.proxies.clone().or_else(|| base.proxies.clone()),
            dispatch: self.dispatch.clone().or_else(|| base.dispatch.clone()),
        }
    }

    /// Name of the process group of a request; empty for embedded mode.
    #[must_use]
    pub fn process_group(&self, facts: &Facts<'_>) -> Vec<u8> {
        self.process_group.as_ref().map(|template| template.expand(facts)).unwrap_or_default()
    }

    /// Whether `WSGIRestrictProcess` permits the process group; the empty name is the web server itself.
    #[must_use]
    pub fn permits_group(&self, name: &[u8]) -> bool {
        self.restrict_process.as_ref().is_none_or(|permitted| permitted.iter().any(|one| one == name))
    }

    /// The variable that the process group depends on.
    #[must_use]
    pub fn group_variable(&self) -> Option<&[u8]> {
        self.process_group.as_ref().and_then(Template::variable)
    }

    /// Name of the application group of a request; empty for the main interpreter.
    ///
    /// Without a setting it is the main interpreter for the `sole` application of a process group, as many C extensions
    /// work in no other; applications that share a group are kept apart by `%{RESOURCE}`, as in mod_wsgi.
    #[must_use]
    pub fn application_group(&self, facts: &Facts<'_>, sole: bool) -> Vec<u8> {
        match &self.application_group {
            Some(template) => template.expand(facts),
            None if sole => Vec::new(),
            None => Template::Resource.expand(facts),
        }
    }

    /// Name of the callable.
    #[must_use]
    pub fn callable(&self, facts: &Facts<'_>) -> Vec<u8> {
        self.callable.as_ref().map_or_else(|| Callable::DEFAULT.to_vec(), |callable| callable.expand(facts))
    }
}

#[cfg(test)]
mod tests;
