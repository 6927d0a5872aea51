//! The module as httpd sees it: its hooks, in which order they run, and what each hands over to.

use httpd::{
    Answer, Authn, Authz, Child, ChildStatus, Hooks, Module, ModuleRecord, Order, Parent, Position,
    RealmHash, Request,
};

use crate::config::{DirConfig, ServerConfig};
use crate::directives::DIRECTIVES;
use crate::{auth, check, handler, supervise};

/// The module.
#[derive(Debug)]
pub struct Wsgi;

// The names are mod_wsgi's, so that LoadModule lines and <IfModule mod_wsgi.c> go on working.
httpd::module!(pub wsgi_module: Wsgi, file: c"mod_wsgi.c", directives: DIRECTIVES);

impl Module for Wsgi {
    type Server = ServerConfig;
    type Dir = DirConfig;

    fn record() -> &'static ModuleRecord<Self> {
        &wsgi_module
    }

    fn register(hooks: &mut Hooks<'_, Self>) {
        supervise::close_in_forked_processes();
        hooks.check_config(Order::at(Position::Middle));
        hooks.post_config(Order::at(Position::Middle));
        hooks.child_init(Order::at(Position::Middle));
        hooks.child_status(Order::at(Position::Middle));
        hooks.monitor(Order::at(Position::Middle));
        // An Alias written for part of an application's URLs (static files) must win over WSGIScriptAlias /, and home
        // directories and mass virtual hosts map what nobody else did.
        hooks.translate_name(Order {
            position: Position::Middle,
            after: &[c"mod_alias.c"],
            before: &[c"mod_userdir.c", c"mod_vhost_alias.c"],
        });
        // Everything else of this hook may read .htaccess files.
        hooks.map_to_storage(Order::at(Position::ReallyFirst));
        // What mod_ssl refuses needs no script, and hosts are refused before a script is asked about users.
        hooks.access_checker(Order {
            position: Position::Middle,
            after: &[c"mod_ssl.c"],
            before: &[c"mod_authz_host.c"],
        });
        hooks.authn_provider(c"wsgi");
        hooks.authz_provider(c"wsgi-group");
        hooks.handler(Order::at(Position::Middle));
    }

    fn check_config(parent: &Parent<'_>) -> Result<(), String> {
        check::configuration(parent)
    }

    fn post_config(parent: &Parent<'_>) -> Result<(), String> {
        if httpd::config_test() || httpd::is_first_pass() {
            return Ok(());
        }
        supervise::put_in_force(parent).map_err(coded)
    }

    fn child_init(child: &Child<'_>) {
        supervise::forget_in_child();
        supervise::look_for_sockets(child);
    }

    fn child_status(parent: &Parent<'_>, status: ChildStatus) {
        supervise::child_changed(parent, status);
    }

    fn monitor(parent: &Parent<'_>) {
        supervise::restart_if_due(parent);
    }

    fn translate_name(request: &mut Request<'_>) -> Answer {
        handler::translate(request)
    }

    fn map_to_storage(request: &mut Request<'_>) -> Answer {
        handler::look_ahead(request)
    }

    fn access_checker(request: &mut Request<'_>) -> Answer {
        auth::access(request)
    }

    fn check_password(request: &mut Request<'_>, user: &[u8], password: &[u8]) -> Authn {
        auth::check_password(request, user, password)
    }

    fn realm_hash(request: &mut Request<'_>, user: &[u8], realm: &[u8]) -> RealmHash {
        auth::realm_hash(request, user, realm)
    }

    fn check_requirement(line: &[u8]) -> Result<(), String> {
        auth::check_requirement(line)
    }

    fn is_authorized(request: &mut Request<'_>, line: &[u8]) -> Authz {
        auth::is_authorized(request, line)
    }

    fn handler(request: &mut Request<'_>) -> Answer {
        handler::handle(request)
    }
}

/// Why httpd does not start, with a code where the sentence has none: `apache2 -t` says the same to a person, without.
fn coded(sentence: String) -> String {
    let is_coded = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    if sentence.strip_prefix("WSGI").is_some_and(is_coded) {
        return sentence;
    }
    format!("WSGI1315: The server does not start: {sentence}")
}
