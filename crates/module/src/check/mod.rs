//! From the directives of all servers to resolved process groups, and every mistake that can be found without serving.
//!
//! `apache2 -t` fails for every mistake. A start or restart fails for mistakes that only root can make (names, users, options); what
//! a site's user can break by himself (virtual environment, script) is logged by the supervisor, so that one site cannot keep
//! httpd from starting.

mod accounts;
mod code;
mod files;
pub mod reach;
mod report;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use httpd::{Level, Parent, RunMode};
use spec::options::{Draft, ServerFacts};

use crate::config::{Declared, Remark, ServerConfig};
use crate::groups::Resolved;
use crate::hooks::Wsgi;
use crate::refusal::Refusal;
use crate::routing::calls::CallRoot;
use crate::routing::leads::{self, ServerLeads};
use accounts::{Databases, FileSystem};

/// The directives whose scripts run in the automatic group.
const AUTOMATIC_FOR: &str =
    "WSGIAccessScript, WSGIAuthUserScript, WSGIAuthGroupScript and WSGIDispatchScript";

/// What the configuration means on this machine.
#[derive(Debug, Default)]
pub struct Resolution {
    /// The groups, in the order of the configuration.
    pub groups: Vec<Resolved>,
    /// Sentences about mistakes that forbid a start.
    pub mistakes: Vec<String>,
    /// Sentences about mistakes that break single requests; they fail `apache2 -t` only.
    pub doubts: Vec<String>,
    /// Sentences worth knowing.
    pub notices: Vec<String>,
    /// What directives have left to say.
    pub remarks: BTreeSet<Remark>,
}

/// Whether this process can become somebody else.
#[must_use]
pub fn is_root() -> bool {
    uzers::get_effective_uid() == 0
}

/// uid of httpd's children.
#[must_use]
pub fn children_uid() -> u32 {
    if is_root() { httpd::apache_user().uid } else { uzers::get_effective_uid() }
}

/// The check after the configuration is read, also under `apache2 -t`.
///
/// # Errors
/// The last mistake, after the others were printed.
pub fn configuration(parent: &Parent<'_>) -> Result<(), String> {
    let mut resolution = resolve(parent);
    if httpd::run_mode() == RunMode::ConfigTest {
        resolution.notices.iter().for_each(|notice| httpd::startup_notice(notice));
        resolution.remarks.iter().for_each(|remark| httpd::startup_notice(&remark.to_string()));
        let warnings = files::warnings(parent);
        warnings.iter().for_each(|warning| httpd::startup_notice(warning));
        let doubts = std::mem::take(&mut resolution.doubts);
        resolution.mistakes.extend(doubts);
        let mut pythons = Vec::new();
        if resolution.mistakes.is_empty() && !resolution.groups.is_empty() {
            let found = trial::run(parent, &resolution.groups);
            resolution.mistakes.extend(found.mistakes);
            pythons = found.pythons;
        }
        if report::is_wanted() {
            resolution.notices.extend(warnings);
            report::print(parent, &resolution, &code::leads(parent), &pythons);
        }
    }
    let Some(last) = resolution.mistakes.pop() else { return Ok(()) };
    resolution.mistakes.iter().for_each(|mistake| httpd::startup_notice(mistake));
    Err(last)
}

/// Resolves every declared group.
#[must_use]
pub fn resolve(parent: &Parent<'_>) -> Resolution {
    let main = parent.server().config::<Wsgi>();
    let leads = code::leads(parent);
    let (imports, calls) = (code::Imports::of(parent), code::calls(parent));
    let mut resolution = Resolution::default();
    let mut ignored = Vec::new();
    for server in parent.servers() {
        let config = server.config::<Wsgi>();
        // A virtual host without directives of ours shares the main server's value.
        if server.is_virtual() && std::ptr::eq(config, main) {
            continue;
        }
        let facts = facts(&server, main);
        for declared in &config.declared {
            if !facts.root && declared.draft.names_account() {
                ignored.push(declared.draft.name.clone());
            }
            resolution.add(declared, &facts, &leads, (&imports, &calls));
        }
        resolution.remarks.append(&mut config.remarks());
    }
    resolution.add_automatic(&facts(&parent.server(), main), &imports, &calls);
    resolution.look_at_sections(main);
    resolution.mistakes.extend(imports.mistakes(&resolution.groups));
    resolution.notices.extend(account_notice(&ignored));
    resolution.doubts.extend(main.global.python_home.as_deref().and_then(home_doubt));
    resolution.look_at_names(main, &leads, &calls);
    resolution.look_at_owners(parent, &leads);
    resolution.mistakes.extend(prefix_mistake(main).filter(|_| !resolution.groups.is_empty()));
    resolution.notices.extend(sockets_notice(parent, main).filter(|_| !resolution.groups.is_empty()));
    if let Err(reason) = check_paths(parent, main, &resolution.groups) {
        resolution.mistakes.push(reason);
    }
    resolution
}

fn facts(server: &httpd::Server<'_>, main: &ServerConfig) -> ServerFacts {
    let user = httpd::apache_user();
    let name = if server.is_virtual() { server.hostname().unwrap_or_default() } else { b"" };
    ServerFacts {
        root: is_root(),
        uid: children_uid(),
        gid: user.gid,
        timeout: server.timeout(),
        python_home: main.global.python_home.clone(),
        server: String::from_utf8_lossy(name).into_owned(),
        python: main.global.python.clone(),
    }
}

fn account_notice(groups: &[String]) -> Option<String> {
    let names = groups.join(", ");
    (!groups.is_empty()).then(|| {
        format!(
            "WSGI1303: the web server was not started by root, so user=, group= and supplementary-groups= of WSGIDaemonProcess have \
             no effect (process groups: {names}): workers run as the user who started it"
        )
    })
}

/// What is wrong with `WSGIPythonHome`. A home that only a site's user can see is judged by the trial that runs as this user.
fn home_doubt(home: &Path) -> Option<String> {
    let missing = std::fs::metadata(home).is_err_and(|error| error.kind() == ErrorKind::NotFound);
    missing.then(|| {
        format!(
            "WSGI1319: WSGIPythonHome {}: there is no such directory: name a virtual environment or a Python installation, or remove \
             the directive",
            home.display()
        )
    })
}

/// The declared groups, for somebody who has mistyped one.
fn listed(declared: &BTreeSet<&[u8]>) -> String {
    let names: Vec<String> = declared.iter().map(|name| name.escape_ascii().to_string()).collect();
    if names.is_empty() { "none is declared".to_owned() } else { format!("declared: {}", names.join(", ")) }
}

impl Resolution {
    fn add(
        &mut self,
        declared: &Declared,
        facts: &ServerFacts,
        servers: &[ServerLeads],
        (imports, calls): (&code::Imports, &[CallRoot]),
    ) {
        let destination = leads::destination(servers, declared.draft.name.as_bytes());
        let code =
            code::of(&declared.draft.name, destination.roots, servers, imports, calls, &mut self.mistakes);
        match declared.draft.resolve(facts, &Databases, &FileSystem, code) {
            Ok(definition) => {
                self.groups.push(Resolved { definition, sole_application: destination.sole });
            }
            Err(error) => self.mistakes.push(format!("{error} ({}:{})", declared.file, declared.line)),
        }
    }

    /// The group for scripts that the server asks and that name no group of their own, when there are some.
    fn add_automatic(&mut self, facts: &ServerFacts, imports: &code::Imports, calls: &[CallRoot]) {
        if !calls.iter().any(|call| call.script.process_group.is_none()) {
            return;
        }
        let draft = Draft::automatic();
        let code = code::of(&draft.name, BTreeMap::new(), &[], imports, calls, &mut self.mistakes);
        match draft.resolve(facts, &Databases, &FileSystem, code) {
            Ok(definition) => self.groups.push(Resolved { definition, sole_application: false }),
            Err(error) => self.mistakes.push(format!(
                "{error} (this group runs the scripts of {AUTOMATIC_FOR}; process-group=NAME has one run in another)"
            )),
        }
    }

    /// Groups that nobody declares, and aliases that lead to none.
    fn look_at_names(&mut self, main: &ServerConfig, servers: &[ServerLeads], calls: &[CallRoot]) {
        let declared: BTreeSet<&[u8]> = main.global.names.iter().map(|(name, _)| name.as_bytes()).collect();
        let asked = calls.iter().filter_map(|call| call.script.process_group.as_ref());
        let asked = asked.map(|name| name.as_bytes().to_vec());
        for name in leads::used_names(servers).into_iter().chain(asked).collect::<BTreeSet<_>>() {
            if !declared.contains(name.as_slice()) {
                let name = name.escape_ascii();
                let known = listed(&declared);
                self.doubts.push(format!(
                    "WSGI1304: process group {name} is used by WSGIProcessGroup or process-group=, but no WSGIDaemonProcess \
                     declares it: declare it or correct the name ({known}); until then no request for it can be served"
                ));
            }
        }
        for directive in leads::without_group(servers) {
            self.notices.push(format!(
                "WSGI1305: {directive} leads to no process group, and this version of mod_wsgi-rs does not run \
                 applications in the web server itself: its requests are answered 500; add WSGIProcessGroup NAME or \
                 process-group=NAME"
            ));
        }
    }

    /// Aliases that lead to a group of another virtual host, which answers none of their requests. One that the owner inherits is
    /// fine there.
    fn look_at_owners(&mut self, parent: &Parent<'_>, servers: &[ServerLeads]) {
        let hosts: Vec<String> = parent
            .servers()
            .map(|server| String::from_utf8_lossy(server.hostname().unwrap_or_default()).into_owned())
            .collect();
        for Resolved { definition, .. } in &self.groups {
            let (group, server) = (definition.name.clone(), definition.server.clone());
            let refusal = Refusal::ForeignGroup { group, server }.to_string();
            let foreign = leads::foreign(servers, &hosts, definition.name.as_bytes(), &definition.server);
            self.doubts.extend(foreign.into_iter().map(|directive| format!("{refusal} ({directive})")));
        }
    }

    /// Sections about interpreters that are about none, or about more than they say.
    fn look_at_sections(&mut self, main: &ServerConfig) {
        let python = &main.global.python;
        let names: Vec<&str> = main.global.names.iter().map(|(name, _)| name.as_str()).collect();
        for section in &python.sections {
            match section.selector.process_group.as_deref() {
                None => {}
                Some("") => self.remarks.extend([Remark::EmbeddedSection(section.place.clone())]),
                Some(name) if names.contains(&name) => {}
                Some(name) => self.remarks.extend([Remark::SectionOfNobody(name.to_owned())]),
            }
        }
        // Without a process group, a section is held against any.
        let names = if names.is_empty() { vec![""] } else { names };
        let misplaced: BTreeSet<String> = names
            .iter()
            .flat_map(|name| python.misplaced_intervals(name))
            .map(|misplaced| misplaced.to_string())
            .collect();
        self.mistakes.extend(misplaced);
    }

    /// Writes what a start should say.
    pub fn log(&self, parent: &Parent<'_>) {
        for remark in &self.remarks {
            parent.log().write(remark.level(), remark.to_string().as_bytes());
        }
        self.notices.iter().for_each(|text| parent.log().write(Level::Notice, text.as_bytes()));
        self.doubts.iter().for_each(|text| parent.log().write(Level::Error, text.as_bytes()));
    }
}

/// The directory for the sockets of the process `pid`.
///
/// # Errors
/// When httpd cannot say where its run-time directory is.
pub fn socket_directory(parent: &Parent<'_>, main: &ServerConfig, pid: u32) -> Result<PathBuf, String> {
    let usual = || {
        let path = httpd::runtime_dir_relative(parent.pconf(), b"wsgi")?;
        String::from_utf8(path).ok().map(PathBuf::from)
    };
    let prefix = main.global.socket_prefix.clone().or_else(usual).ok_or_else(|| {
        "WSGISocketPrefix: httpd's DefaultRuntimeDir is no valid path: write WSGISocketPrefix /run/NAME/wsgi".to_owned()
    })?;
    let mut path = prefix.into_os_string();
    path.push(format!(".{pid}"));
    Ok(PathBuf::from(path))
}

/// What is wrong with `WSGISocketPrefix`: the directory is root's to make, so that nobody else can be in the way.
fn prefix_mistake(main: &ServerConfig) -> Option<String> {
    let prefix = main.global.socket_prefix.as_deref()?;
    let directory = prefix.parent().filter(|directory| !directory.is_dir())?;
    let (prefix, directory) = (prefix.display(), directory.display());
    Some(format!(
        "WSGISocketPrefix {prefix}: there is no directory {directory}: create it (owner root, mode 0755), or name a path in a directory \
         that is there, such as /run/apache2/wsgi"
    ))
}

/// What keeps Apache's user from the sockets. Children say so too when they start, from their own experience.
fn sockets_notice(parent: &Parent<'_>, main: &ServerConfig) -> Option<String> {
    let directory = socket_directory(parent, main, LONGEST_PID).ok()?;
    let closed = files::Reader::children().closed_above(&directory)?;
    Some(format!("WSGI1317: by its mode, {}", sockets_out_of_reach(&closed, children_uid())))
}

/// The part of a sentence about a directory that Apache's user cannot pass.
#[must_use]
pub fn sockets_out_of_reach(directory: &Path, uid: u32) -> String {
    format!(
        "the directory {} does not let the web server's user (uid {uid}) pass on the way to the sockets of process groups: their \
         requests are answered with 503; `chmod o+x` the directory, or write WSGISocketPrefix with another one, such as /run/wsgi",
        directory.display()
    )
}

/// Process ids are below 4194304 (proc(5), `pid_max`).
const LONGEST_PID: u32 = 4_000_000;

/// Whether every socket's path fits, whatever this server's process id will be.
fn check_paths(parent: &Parent<'_>, main: &ServerConfig, groups: &[Resolved]) -> Result<(), String> {
    let directory = socket_directory(parent, main, LONGEST_PID)?;
    for Resolved { definition, .. } in groups {
        let file = spec::group::socket_file_name(&definition.name, definition.processes - 1);
        spec::group::socket_path(&directory, &file)
            .map_err(|error| format!("WSGIDaemonProcess {}: {error}", definition.name))?;
    }
    Ok(())
}
