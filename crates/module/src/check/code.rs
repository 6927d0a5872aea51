//! The code of each process group: what its workers may load, and what they load at their start.

use std::collections::BTreeMap;
use std::path::PathBuf;

use httpd::{Line, Parent, Server};
use spec::options::Code;
use spec::{Allowed, Preload, Purpose, Root};

use crate::config::Import;
use crate::groups::Resolved;
use crate::hooks::Wsgi;
use crate::routing::calls::CallRoot;
use crate::routing::leads::{self, Names, ServerLeads, Target};
use crate::routing::places::{self, Said};

/// Where requests of each server can lead: through its aliases and handlers, and to files that root's configuration lets be
/// scripts.
pub(super) fn leads(parent: &Parent<'_>) -> Vec<ServerLeads> {
    let tree = parent.configuration();
    let absolute = |path: &[u8]| httpd::server_root_relative(parent.pconf(), path);
    let main = Said::of(&tree, &absolute);
    let of_server = |server: Server<'_>| {
        let places = if server.is_virtual() {
            let is_its = |line: &&Line<'_>| {
                line.name.eq_ignore_ascii_case(b"<VirtualHost")
                    && (line.file, line.number) == server.defined_at()
            };
            let own = tree.iter().find(is_its).map(|host| Said::of(&host.inside, &absolute));
            own.unwrap_or_default().places(Some(&main))
        } else {
            main.places(None)
        };
        let mut leads = server.config::<Wsgi>().leads();
        leads.leads.extend(places.iter().map(places::lead));
        leads
    };
    parent.servers().map(of_server).collect()
}

/// Every `WSGIImportScript`, with the `ServerName` of the virtual host that it stands in (empty: the main server).
#[derive(Debug, Default)]
pub(super) struct Imports(Vec<(String, Import)>);

impl Imports {
    /// Those of all servers.
    pub(super) fn of(parent: &Parent<'_>) -> Self {
        let main = parent.server().config::<Wsgi>();
        let mut all = Vec::new();
        for server in parent.servers() {
            let config = server.config::<Wsgi>();
            // A virtual host without directives of ours shares the main server's value.
            if server.is_virtual() && std::ptr::eq(config, main) {
                continue;
            }
            let name = if server.is_virtual() { server.hostname().unwrap_or_default() } else { b"" };
            let name = String::from_utf8_lossy(name).into_owned();
            all.extend(config.imports.iter().map(|import| (name.clone(), import.clone())));
        }
        Self(all)
    }

    fn for_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Import> {
        self.0.iter().map(|(_, import)| import).filter(move |import| import.process_group == group)
    }

    /// Scripts for groups that are not there, or that belong to another virtual host.
    pub(super) fn mistakes(&self, groups: &[Resolved]) -> Vec<String> {
        let mistakes = self.0.iter().filter_map(|(server, import)| {
            let Import { script, process_group, place, .. } = import;
            let found = groups.iter().find(|group| group.definition.name == *process_group);
            match found.map(|group| &group.definition.server) {
                None => Some(format!(
                    "WSGIImportScript {script}: WSGI process group not yet configured: no WSGIDaemonProcess declares {process_group}: \
                     declare it or correct process-group= ({place})"
                )),
                Some(owner) if !owner.is_empty() && owner != server => Some(format!(
                    "WSGIImportScript {script}: WSGI process group not accessible: {process_group} is declared in the virtual host \
                     {owner} and serves only that: move one of the two lines to the other ({place})"
                )),
                Some(_) => None,
            }
        });
        mistakes.collect()
    }
}

/// The code of a group. A path that cannot be handed to workers is one of the `mistakes`.
pub(super) fn of(
    group: &str,
    mut roots: BTreeMap<Vec<u8>, Target>,
    servers: &[ServerLeads],
    imports: &Imports,
    calls: &[CallRoot],
    mistakes: &mut Vec<String>,
) -> Code {
    let preload = preload(group, servers, imports);
    for import in imports.for_group(group) {
        // It is loaded, and never asked to answer a request: there is no callable.
        let names = Names {
            callable: Allowed::Only(Vec::new()),
            application_group: Allowed::Only(vec![import.application_group.clone()]),
        };
        let script = import.script.as_bytes();
        let target = Target::from(names);
        let joined = roots.remove(script).map_or(target.clone(), |others| others.or(target));
        roots.insert(script.to_vec(), joined);
    }
    let mut code = Code { roots: Vec::with_capacity(roots.len()), preload };
    for (path, Target { names: Names { callable, application_group }, patterns }) in roots {
        match String::from_utf8(path) {
            Ok(path) => code.roots.push(Root {
                path: PathBuf::from(path),
                patterns: patterns.into_iter().collect(),
                purpose: Purpose::Application,
                callable,
                application_group,
            }),
            Err(error) => {
                let path = error.as_bytes().escape_ascii();
                mistakes.push(format!(
                    "WSGIScriptAlias: the path {path} is not UTF-8: name the script through a link that is"
                ));
            }
        }
    }
    code.roots.extend(calls.iter().filter(|call| call.script.group() == group).map(root));
    code
}

/// What the workers of a group load at their start, in the order of the configuration, each once.
fn preload(group: &str, servers: &[ServerLeads], imports: &Imports) -> Vec<Preload> {
    let imports = imports
        .for_group(group)
        .map(|import| (import.order, import.script.as_str(), import.application_group.as_str()));
    let aliases = leads::preloads(servers, group.as_bytes()).filter_map(|(order, script, name)| {
        // A path that is not UTF-8 is one of the mistakes.
        Some((order, std::str::from_utf8(script).ok()?, std::str::from_utf8(name).ok()?))
    });
    let mut all: Vec<_> = imports.chain(aliases).collect();
    all.sort_by_key(|(order, ..)| *order);
    let mut preload: Vec<Preload> = Vec::with_capacity(all.len());
    for (_, script, application_group) in all {
        let one = Preload { script: script.into(), application_group: application_group.to_owned() };
        if !preload.contains(&one) {
            preload.push(one);
        }
    }
    preload
}

/// The root of a script that the server asks.
fn root(call: &CallRoot) -> Root {
    let application_group = match call.script.application_group.fixed().map(std::str::from_utf8) {
        Some(Ok(name)) => Allowed::Only(vec![name.to_owned()]),
        _ => Allowed::Any,
    };
    Root {
        path: PathBuf::from(&call.script.path),
        patterns: Vec::new(),
        purpose: call.purpose,
        callable: Allowed::Only(Vec::new()),
        application_group,
    }
}

/// The scripts that the servers ask, each once.
pub(super) fn calls(parent: &Parent<'_>) -> Vec<CallRoot> {
    let mut all: Vec<CallRoot> = Vec::new();
    for call in parent.servers().flat_map(|server| server.config::<Wsgi>().calls()) {
        if !all.contains(&call) {
            all.push(call);
        }
    }
    all
}
