//! What the directives leave behind: values per server and per section, their defaults and merge rules. No parsing and no lookups.

mod aliases;
mod handlers;
mod remarks;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use spec::interpreter::PythonDirectives;
use spec::options::Draft;

pub use aliases::{Alias, Location};
pub use handlers::{HandlerScript, Handlers};
pub use remarks::Remark;

use crate::generation::Generation;
use crate::routing::Settings;
use crate::routing::calls::{CallRoot, CallScripts};
use crate::routing::expand::Template;
use crate::routing::leads::{self, Lead, Section, ServerLeads};

/// A `WSGIDaemonProcess` line and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The line.
    pub draft: Draft,
    /// File and line of the directive.
    pub file: String,
    /// Line number.
    pub line: u32,
}

/// A `WSGIImportScript` and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Absolute path of the script.
    pub script: String,
    /// The process group; empty for the web server itself.
    pub process_group: String,
    /// The application group; empty for the main interpreter.
    pub application_group: String,
    /// File and line of the directive.
    pub place: String,
    /// See [`Global::next_place`].
    pub order: u32,
}

/// What directives in sections leave behind for the server. Sections see their server read-only, hence a lock around it.
#[derive(Debug, Clone, Default)]
struct Noted {
    /// `WSGIProcessGroup` and `WSGIApplicationGroup`.
    sections: Vec<Section>,
    /// `WSGIHandlerScript`.
    handlers: Vec<Lead>,
    /// `WSGIAccessScript` and its kin; of the server level, too.
    calls: Vec<CallRoot>,
    /// Lines for the log, of the server level, too.
    remarks: BTreeSet<Remark>,
    /// Sections with `WSGITrustedProxyHeaders`.
    believing: BTreeSet<Vec<u8>>,
    /// Sections with `WSGITrustedProxies`.
    choosing: BTreeSet<Vec<u8>>,
}

impl Noted {
    /// What is noted for a virtual host and for the main server that it stands on.
    fn over(self, base: Self) -> Self {
        Self {
            sections: [self.sections, base.sections].concat(),
            handlers: [self.handlers, base.handlers].concat(),
            calls: [self.calls, base.calls].concat(),
            remarks: self.remarks.into_iter().chain(base.remarks).collect(),
            believing: self.believing.into_iter().chain(base.believing).collect(),
            choosing: self.choosing.into_iter().chain(base.choosing).collect(),
        }
    }
}

/// Values of the main server or a virtual host.
#[derive(Debug, Default)]
pub struct ServerConfig {
    /// In the order in which they are tried.
    pub aliases: Vec<Arc<Alias>>,
    /// Directives at server level.
    pub settings: Settings,
    /// Groups declared right here; what a virtual host declares is not inherited.
    pub declared: Vec<Declared>,
    /// Scripts to load at the start that are named right here.
    pub imports: Vec<Import>,
    /// `WSGIHandlerScript` at server level.
    pub handlers: Handlers,
    /// `WSGIHtaccessScripts`.
    pub htaccess_scripts: Option<Arc<[String]>>,
    noted: Mutex<Noted>,
    /// What only the main server has.
    pub global: Global,
    /// See [`ServerConfig::group_variables`].
    group_variables: OnceLock<BTreeSet<Vec<u8>>>,
    /// The configuration in force, once it is. Every server's value has it.
    generation: OnceLock<Arc<Generation>>,
}

/// Directives of the main server.
#[derive(Debug, Default)]
pub struct Global {
    /// `WSGISocketPrefix`, absolute.
    pub socket_prefix: Option<PathBuf>,
    /// `WSGIPythonHome`, absolute.
    pub python_home: Option<PathBuf>,
    /// Python in the workers.
    pub python: PythonDirectives,
    /// `WSGIRestrictEmbedded`.
    pub restrict_embedded: Option<bool>,
    /// The name of every group and where it was declared, to find duplicates.
    pub names: Vec<(String, String)>,
    /// See [`Global::next_place`].
    places: u32,
}

impl Global {
    /// Counts the directives that name scripts to load at the start, in the order of the configuration, virtual hosts included.
    pub fn next_place(&mut self) -> u32 {
        self.places = self.places.saturating_add(1);
        self.places
    }
}

impl ServerConfig {
    /// Notes a `WSGIProcessGroup` or `WSGIApplicationGroup` in a section.
    pub fn add_section(&self, section: Section) {
        self.note(|noted| noted.sections.push(section));
    }

    /// Notes a `WSGIHandlerScript` in a section.
    pub fn add_handler(&self, lead: Lead) {
        self.note(|noted| noted.handlers.push(lead));
    }

    /// Notes a script that the server asks.
    pub fn add_call(&self, root: CallRoot) {
        self.note(|noted| noted.calls.push(root));
    }

    /// The scripts that the server asks. Ask when the configuration is complete.
    #[must_use]
    pub fn calls(&self) -> Vec<CallRoot> {
        let directories = self.htaccess_scripts.as_deref().unwrap_or_default();
        let below = directories.iter().flat_map(|directory| CallRoot::below(directory));
        self.noted().calls.into_iter().chain(below).collect()
    }

    /// Notes a line for the log.
    pub fn remark(&self, remark: Remark) {
        self.note(|noted| noted.remarks.extend([remark]));
    }

    /// Notes that a section has `WSGITrustedProxyHeaders`.
    pub fn add_believing(&self, section: &[u8]) {
        self.note(|noted| noted.believing.extend([section.to_vec()]));
    }

    /// Notes that a section has `WSGITrustedProxies`.
    pub fn add_choosing(&self, section: &[u8]) {
        self.note(|noted| noted.choosing.extend([section.to_vec()]));
    }

    /// What is worth a line in the log. Ask when the configuration is complete.
    #[must_use]
    pub fn remarks(&self) -> BTreeSet<Remark> {
        let Noted { mut remarks, believing, choosing, .. } = self.noted();
        if self.settings.proxies.is_none() {
            if self.settings.proxy_headers.is_some() {
                remarks.insert(Remark::EverybodyTrusted("outside of all sections".to_owned()));
            }
            let open = believing.iter().filter(|section| {
                // A section further out or further in may have them: then somebody has thought of it.
                !choosing.iter().any(|other| leads::related(section, other))
            });
            let sentence = |section: &Vec<u8>| format!("in the section {}", section.escape_ascii());
            remarks.extend(open.map(|section| Remark::EverybodyTrusted(sentence(section))));
        }
        remarks
    }

    /// The server for the analysis of where aliases lead.
    #[must_use]
    pub fn leads(&self) -> ServerLeads {
        let noted = self.noted();
        ServerLeads {
            leads: self
                .aliases
                .iter()
                .map(|alias| alias.lead())
                .chain(self.handlers.iter().map(|(name, script)| script.lead(name)))
                .chain(noted.handlers)
                .collect(),
            group: self.settings.process_group.clone(),
            application_group: self.settings.application_group.clone(),
            dispatch: self.settings.dispatch.is_some(),
            sections: noted.sections,
        }
    }

    /// The configuration in force; `None` before the parent has made it.
    #[must_use]
    pub fn generation(&self) -> Option<&Generation> {
        self.generation.get().map(Arc::as_ref)
    }

    /// Puts a configuration in force for this server; only the first counts.
    pub fn set_generation(&self, generation: &Arc<Generation>) {
        self.generation.get_or_init(|| Arc::clone(generation));
    }

    /// The variables that process groups of this server depend on. Ask when the configuration is complete.
    #[must_use]
    pub fn group_variables(&self) -> &BTreeSet<Vec<u8>> {
        self.group_variables.get_or_init(|| {
            let noted = self.noted();
            let aliases = self.aliases.iter().filter_map(|alias| alias.settings.process_group.as_ref());
            let in_sections = noted.sections.iter().filter_map(|section| section.group.as_ref());
            let in_handlers = noted.handlers.iter().filter_map(|lead| lead.group.as_ref());
            let all = aliases.chain(&self.settings.process_group).chain(in_sections).chain(in_handlers);
            all.filter_map(Template::variable)
                .chain(self.handlers.group_variables())
                .map(<[u8]>::to_vec)
                .collect()
        })
    }

    fn note(&self, store: impl FnOnce(&mut Noted)) {
        store(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl httpd::Config for ServerConfig {
    fn create() -> Self {
        Self::default()
    }

    /// The virtual host's aliases are tried first; its sections come on top of the main server's.
    fn merge(base: &Self, over: &Self) -> Self {
        Self {
            aliases: over.aliases.iter().chain(&base.aliases).cloned().collect(),
            settings: over.settings.over(&base.settings),
            declared: over.declared.clone(),
            imports: over.imports.clone(),
            handlers: over.handlers.over(&base.handlers),
            htaccess_scripts: over.htaccess_scripts.clone().or_else(|| base.htaccess_scripts.clone()),
            noted: Mutex::new(over.noted().over(base.noted())),
            global: Global::default(),
            group_variables: OnceLock::new(),
            generation: OnceLock::new(),
        }
    }
}

/// Values of a section or `.htaccess` file.
#[derive(Debug, Default)]
pub struct DirConfig {
    /// Directives in it.
    pub settings: Settings,
    /// `WSGIHandlerScript` in it.
    pub handlers: Handlers,
    /// `WSGIAccessScript` and its kin in it.
    pub calls: CallScripts,
}

impl httpd::Config for DirConfig {
    fn create() -> Self {
        Self::default()
    }

    fn merge(base: &Self, over: &Self) -> Self {
        Self {
            settings: over.settings.over(&base.settings),
            handlers: over.handlers.over(&base.handlers),
            calls: over.calls.over(&base.calls),
        }
    }
}
