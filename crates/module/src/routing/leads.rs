//! Where aliases can lead, decided from the configuration alone: the scripts that each process group may load, whether a group
//! serves exactly one application, and which aliases lead nowhere.

use std::collections::BTreeSet;

use super::expand::Template;

/// An alias as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// As written: the URL path, or the regular expression.
    pub location: Vec<u8>,
    /// Whether `location` is a regular expression.
    pub pattern: bool,
    /// File or directory.
    pub target: Vec<u8>,
    /// Whether the target is a directory or depends on the request: more than one script.
    pub several: bool,
    /// Its `process-group=`.
    pub group: Option<Template>,
}

/// A `WSGIProcessGroup` in a section: it may apply to some aliases of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The section's argument: a directory, a URL path, a file name or a regular expression.
    pub path: Vec<u8>,
    /// The group.
    pub group: Template,
}

/// One server, main or virtual host, with what it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerLeads {
    /// Its aliases.
    pub leads: Vec<Lead>,
    /// `WSGIProcessGroup` at its level.
    pub group: Option<Template>,
    /// Those in its sections.
    pub sections: Vec<Section>,
}

/// What is known about a process group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// The targets that can lead to it, sorted.
    pub roots: BTreeSet<Vec<u8>>,
    /// Whether it serves exactly one script.
    pub sole: bool,
}

impl ServerLeads {
    /// The groups that a request of `lead` may be sent to. A name that depends on the request stays a template.
    fn groups<'a>(&'a self, lead: &'a Lead) -> Vec<&'a Template> {
        if let Some(group) = &lead.group {
            return vec![group];
        }
        let sections = self.sections.iter().filter(|section| section.may_cover(lead)).map(|s| &s.group);
        self.group.iter().chain(sections).collect()
    }
}

impl Section {
    /// Whether a request of the alias may be inside the section. Unsure means yes.
    fn may_cover(&self, lead: &Lead) -> bool {
        let plain =
            self.path.starts_with(b"/") && !self.path.iter().any(|byte| b"*?[](){}^$|\\+".contains(byte));
        !plain
            || lead.pattern
            || lead.target.contains(&b'$')
            || related(&self.path, &lead.location)
            || related(&self.path, &lead.target)
    }
}

/// Whether one path is the other or lies below it.
fn related(a: &[u8], b: &[u8]) -> bool {
    let parts = |path: &[u8]| -> Vec<Vec<u8>> {
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect()
    };
    parts(a).iter().zip(&parts(b)).all(|(x, y)| x == y)
}

/// What can reach the group of this name.
#[must_use]
pub fn destination(servers: &[ServerLeads], name: &[u8]) -> Destination {
    let mut found = Destination { roots: BTreeSet::new(), sole: true };
    for server in servers {
        for lead in &server.leads {
            let reaches = |group: &&Template| group.fixed().is_none_or(|fixed| fixed == name);
            if server.groups(lead).iter().any(reaches) {
                found.sole &= !lead.several;
                found.roots.insert(root(&lead.target));
            }
        }
    }
    found.sole &= found.roots.len() == 1;
    found
}

/// The part of a target that holds for every request: up to the last slash in front of the first `$`.
fn root(target: &[u8]) -> Vec<u8> {
    match target.iter().position(|byte| *byte == b'$') {
        None => target.to_vec(),
        Some(end) => {
            let fixed = target.get(..end).unwrap_or_default();
            let slash = fixed.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            fixed.get(..slash.max(1)).unwrap_or_default().to_vec()
        }
    }
}

/// The aliases that no group can serve, as written.
#[must_use]
pub fn without_group(servers: &[ServerLeads]) -> BTreeSet<Vec<u8>> {
    let embedded = |group: &&Template| group.fixed() == Some(b"");
    let nowhere =
        servers.iter().flat_map(|s| s.leads.iter().filter(|lead| s.groups(lead).iter().all(embedded)));
    nowhere.map(|lead| lead.location.clone()).collect()
}

/// Every fixed group name that an alias, a server or a section uses.
#[must_use]
pub fn used_names(servers: &[ServerLeads]) -> BTreeSet<Vec<u8>> {
    let templates = servers.iter().flat_map(|server| {
        let aliases = server.leads.iter().filter_map(|lead| lead.group.as_ref());
        aliases.chain(&server.group).chain(server.sections.iter().map(|section| &section.group))
    });
    templates.filter_map(Template::fixed).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}
