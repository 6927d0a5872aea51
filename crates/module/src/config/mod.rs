//! What the directives leave behind: values per server and per section, their defaults and merge rules. No parsing and no lookups.

mod aliases;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use spec::options::Draft;

pub use aliases::{Alias, Location};

use crate::generation::Generation;
use crate::routing::Settings;
use crate::routing::expand::Template;
use crate::routing::leads::{Section, ServerLeads};

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

/// Values of the main server or a virtual host.
#[derive(Debug, Default)]
pub struct ServerConfig {
    /// In the order in which they are tried.
    pub aliases: Vec<Arc<Alias>>,
    /// Directives at server level.
    pub settings: Settings,
    /// Groups declared right here; what a virtual host declares is not inherited.
    pub declared: Vec<Declared>,
    /// `WSGIProcessGroup` and `WSGIApplicationGroup` in sections of this server. Behind a lock because a section sees its server read-only.
    sections: Mutex<Vec<Section>>,
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
    /// `WSGIRestrictEmbedded`.
    pub restrict_embedded: Option<bool>,
    /// The name of every group and where it was declared, to find duplicates.
    pub names: Vec<(String, String)>,
}

impl ServerConfig {
    /// Notes a `WSGIProcessGroup` or `WSGIApplicationGroup` in a section.
    pub fn add_section(&self, section: Section) {
        self.sections.lock().unwrap_or_else(PoisonError::into_inner).push(section);
    }

    /// The server for the analysis of where aliases lead.
    #[must_use]
    pub fn leads(&self) -> ServerLeads {
        ServerLeads {
            leads: self.aliases.iter().map(|alias| alias.lead()).collect(),
            group: self.settings.process_group.clone(),
            application_group: self.settings.application_group.clone(),
            sections: self.sections(),
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
            let sections = self.sections();
            let aliases = self.aliases.iter().filter_map(|alias| alias.settings.process_group.as_ref());
            let in_sections = sections.iter().filter_map(|section| section.group.as_ref());
            let all = aliases.chain(&self.settings.process_group).chain(in_sections);
            all.filter_map(Template::variable).map(<[u8]>::to_vec).collect()
        })
    }

    fn sections(&self) -> Vec<Section> {
        self.sections.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
            sections: Mutex::new([over.sections(), base.sections()].concat()),
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
}

impl httpd::Config for DirConfig {
    fn create() -> Self {
        Self::default()
    }

    fn merge(base: &Self, over: &Self) -> Self {
        Self { settings: over.settings.over(&base.settings) }
    }
}
