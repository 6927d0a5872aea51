//! Where aliases can lead, decided from the configuration alone: the scripts that each process group may load and under which
//! names, whether a group serves exactly one application, and which aliases lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use spec::Allowed;

use super::expand::{Callable, Template};

/// An alias or a handler script as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// The directive, for sentences: `WSGIScriptAlias /app`.
    pub directive: String,
    /// As written: the URL path, or the regular expression; for a handler script its name.
    pub location: Vec<u8>,
    /// What requests it is for.
    pub reach: Reach,
    /// File or directory.
    pub target: Vec<u8>,
    /// For a target with wildcards, of which `target` is the part in front of them: the whole of it.
    pub pattern: Option<String>,
    /// Whether the target is a directory or depends on the request: more than one script.
    pub several: bool,
    /// Its `process-group=`.
    pub group: Option<Template>,
    /// Its `application-group=`.
    pub application_group: Option<Template>,
    /// Its `callable-object=`.
    pub callable: Option<Callable>,
    /// Its place in the configuration among what is loaded at the start.
    pub order: u32,
}

impl Lead {
    /// The place behind all that are counted.
    pub const LAST: u32 = u32::MAX;
}

/// The requests that a script can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// URL paths that begin with the location.
    Prefix,
    /// URL paths that the location, a regular expression, matches.
    Pattern,
    /// Any file that has the handler: where the script lies says nothing about the sections that apply.
    Handler,
    /// The files below the target, which are scripts themselves, whatever their URLs are.
    Files,
}

/// What the argument of a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A URL path.
    Location,
    /// A file's name, a regular expression, a condition.
    Other,
}

/// A `WSGIProcessGroup`, `WSGIApplicationGroup` or `WSGIDispatchScript` in a section: it may apply to some aliases of its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What its argument is.
    pub kind: Kind,
    /// The section's argument.
    pub path: Vec<u8>,
    /// The process group, where the directive names one.
    pub group: Option<Template>,
    /// The application group, where the directive names one.
    pub application_group: Option<Template>,
    /// Whether a dispatch script decides.
    pub dispatch: bool,
}

/// One server, main or virtual host, with what it inherits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerLeads {
    /// Its aliases.
    pub leads: Vec<Lead>,
    /// `WSGIProcessGroup` at its level.
    pub group: Option<Template>,
    /// `WSGIApplicationGroup` at its level.
    pub application_group: Option<Template>,
    /// Whether a dispatch script decides at its level.
    pub dispatch: bool,
    /// The same in its sections.
    pub sections: Vec<Section>,
}

/// The names that requests for a target can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// For the callable.
    pub callable: Allowed,
    /// For the application group.
    pub application_group: Allowed,
}

/// What is known about scripts that can lead to a process group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The names that requests for them can have.
    pub names: Names,
    /// Wildcards that hold for them; none where some lead goes without.
    pub patterns: BTreeSet<String>,
}

impl Names {
    /// The names of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            callable: either(self.callable, other.callable),
            application_group: either(self.application_group, other.application_group),
        }
    }
}

impl Target {
    /// What both leave open.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let open = self.patterns.is_empty() || other.patterns.is_empty();
        let patterns = if open { BTreeSet::new() } else { &self.patterns | &other.patterns };
        Self { names: self.names.or(other.names), patterns }
    }
}

impl From<Names> for Target {
    fn from(names: Names) -> Self {
        Self { names, patterns: BTreeSet::new() }
    }
}

/// What is known about a process group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Destination {
    /// The targets that can lead to it.
    pub roots: BTreeMap<Vec<u8>, Target>,
    /// Whether it serves exactly one script.
    pub sole: bool,
}

impl ServerLeads {
    /// The groups that a request of `lead` may be sent to. A name that depends on the request stays a template.
    ///
    /// Of the directories that surround all files of the lead, the innermost decides, and what it says stands above the server
    /// level (httpd merges directories from the outside to the inside, then files, then locations).
    pub fn groups<'a>(&'a self, lead: &'a Lead) -> Vec<&'a Template> {
        if let Some(group) = &lead.group {
            return vec![group];
        }
        let sections: Vec<&Section> =
            self.sections_of(lead).filter(|section| section.group.is_some()).collect();
        let depths = sections.iter().filter_map(|section| section.surrounds(lead));
        let innermost = depths.max();
        let counts =
            |section: &&&Section| section.surrounds(lead).is_none_or(|depth| Some(depth) == innermost);
        let inside = sections.iter().filter(counts).filter_map(|section| section.group.as_ref());
        self.group.iter().filter(|_| innermost.is_none()).chain(inside).collect()
    }

    /// Whether a dispatch script may decide where requests of `lead` go: to any group, under any names.
    fn is_dispatched(&self, lead: &Lead) -> bool {
        self.dispatch || self.sections_of(lead).any(|section| section.dispatch)
    }

    fn sections_of<'a>(&'a self, lead: &'a Lead) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(|section| section.may_cover(lead))
    }

    /// The names that requests of `lead` can have in a group that does or does not serve a `sole` application. It follows
    /// [`super::Settings::over`].
    fn names(&self, lead: &Lead, sole: bool) -> Names {
        if self.is_dispatched(lead) {
            return Names { callable: Allowed::Any, application_group: Allowed::Any };
        }
        // Where the alias names none, an .htaccess file may, and those are read with each request.
        let callable = lead.callable.as_ref().map_or(Allowed::Any, |callable| match callable {
            Callable::Name(name) => only(name),
            Callable::Variable(_) => Allowed::Any,
        });
        if let Some(template) = &lead.application_group {
            return Names { callable, application_group: given_by(template) };
        }
        // Not every request of the alias has to be inside the section: what holds outside of it is possible, too.
        let usual = if sole { Template::Global } else { Template::Resource };
        let outside = given_by(self.application_group.as_ref().unwrap_or(&usual));
        let inside = self.sections_of(lead).filter_map(|section| section.application_group.as_ref());
        Names { callable, application_group: inside.map(given_by).fold(outside, either) }
    }
}

/// The application groups that a template can give.
///
/// `%{SERVER}`, `%{HOST}` and `%{RESOURCE}` depend on the port or the `Host` header that a request came with, the last on
/// `SCRIPT_NAME`, too, and variables on anything: those names cannot be listed.
fn given_by(template: &Template) -> Allowed {
    template.fixed().map_or(Allowed::Any, only)
}

/// This name. One that is not UTF-8 cannot be written down in a definition, so nothing is held against it.
fn only(name: &[u8]) -> Allowed {
    std::str::from_utf8(name).map_or(Allowed::Any, |name| Allowed::Only(vec![name.to_owned()]))
}

/// The names of both.
fn either(a: Allowed, b: Allowed) -> Allowed {
    let (Allowed::Only(a), Allowed::Only(b)) = (a, b) else { return Allowed::Any };
    let names: BTreeSet<String> = a.into_iter().chain(b).collect();
    Allowed::Only(names.into_iter().collect())
}

impl Section {
    /// Whether a request of the alias may be inside the section. Unsure means yes.
    fn may_cover(&self, lead: &Lead) -> bool {
        match (self.kind, lead.reach) {
            _ if !self.is_plain() => true,
            (Kind::Directory, Reach::Handler) => true,
            (Kind::Directory, _) => lead.target.contains(&b'$') || related(&self.path, &lead.target),
            (Kind::Location, Reach::Prefix) => related(&self.path, &lead.location),
            (Kind::Location | Kind::Other, _) => true,
        }
    }

    /// Whether the argument stands for itself: no wildcards, no expression.
    fn is_plain(&self) -> bool {
        self.path.starts_with(b"/") && !self.path.iter().any(|byte| b"*?[](){}^$|\\+".contains(byte))
    }

    /// For a directory that all files of the lead are below: how deep it is.
    fn surrounds(&self, lead: &Lead) -> Option<usize> {
        let fixed = lead.reach != Reach::Handler && !lead.target.contains(&b'$');
        let inside =
            self.kind == Kind::Directory && self.is_plain() && fixed && is_below(&lead.target, &self.path);
        inside.then(|| parts(&self.path).count())
    }
}

/// Whether one path is the other or lies below it.
#[must_use]
pub fn related(a: &[u8], b: &[u8]) -> bool {
    parts(a).zip(parts(b)).all(|(x, y)| x == y)
}

/// Whether a path is a directory or lies below it.
#[must_use]
pub fn is_below(path: &[u8], directory: &[u8]) -> bool {
    related(path, directory) && parts(path).count() >= parts(directory).count()
}

/// The names in a path.
pub fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

/// What can reach the group of this name. An alias whose group depends on the request, or on a dispatch script, reaches every
/// group: which one it is, the script or the request's variables say, and those that a process group depends on must not come from an `.htaccess` file
/// (`crate::variables`).
#[must_use]
pub fn destination(servers: &[ServerLeads], name: &[u8]) -> Destination {
    let reaches = |group: &&Template| group.fixed().is_none_or(|fixed| fixed == name);
    let leads = servers.iter().flat_map(|server| server.leads.iter().map(move |lead| (server, lead)));
    let reached: Vec<_> = leads
        .filter(|(server, lead)| server.is_dispatched(lead) || server.groups(lead).iter().any(reaches))
        .collect();
    let targets: BTreeSet<&[u8]> = reached.iter().map(|(_, lead)| lead.target.as_slice()).collect();
    let sole = targets.len() == 1 && !reached.iter().any(|(_, lead)| lead.several);
    let mut roots: BTreeMap<Vec<u8>, Target> = BTreeMap::new();
    for (server, lead) in reached {
        let patterns = lead.pattern.iter().cloned().collect();
        let target = Target { names: server.names(lead, sole), patterns };
        let joined = match roots.remove(root(&lead.target)) {
            None => target,
            Some(others) => others.or(target),
        };
        roots.insert(root(&lead.target).to_vec(), joined);
    }
    Destination { roots, sole }
}

/// The part of a target that holds for every request: up to the last slash in front of the first `$`.
fn root(target: &[u8]) -> &[u8] {
    match target.iter().position(|byte| *byte == b'$') {
        None => target,
        Some(end) => {
            let fixed = target.get(..end).unwrap_or_default();
            let slash = fixed.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            fixed.get(..slash.max(1)).unwrap_or_default()
        }
    }
}

/// The scripts that a group loads at its start because their aliases name it and the interpreter once and for all: the place in the
/// configuration, the script and the application group. An alias that several servers have is there as often.
pub fn preloads<'a>(
    servers: &'a [ServerLeads],
    name: &'a [u8],
) -> impl Iterator<Item = (u32, &'a [u8], &'a [u8])> {
    let leads = servers.iter().flat_map(|server| &server.leads).filter(|lead| !lead.several);
    leads.filter_map(move |lead| {
        let group = lead.group.as_ref().and_then(Template::fixed)?;
        let application_group = lead.application_group.as_ref().and_then(Template::fixed)?;
        (group == name).then_some((lead.order, lead.target.as_slice(), application_group))
    })
}

/// The directives whose scripts no group can serve, as written.
#[must_use]
pub fn without_group(servers: &[ServerLeads]) -> BTreeSet<String> {
    let embedded = |group: &&Template| group.fixed() == Some(b"");
    let nowhere = servers.iter().flat_map(|s| {
        s.leads.iter().filter(|lead| !s.is_dispatched(lead) && s.groups(lead).iter().all(embedded))
    });
    nowhere.map(|lead| lead.directive.clone()).collect()
}

/// The directives of other servers than `owner` that name its group, where it does not have them, too. `hosts` are the names of the
/// servers; a group without an owner serves all.
#[must_use]
pub fn foreign(servers: &[ServerLeads], hosts: &[String], group: &[u8], owner: &str) -> BTreeSet<String> {
    let has = |lead: &Lead| {
        servers.iter().zip(hosts).any(|(server, host)| host == owner && server.leads.contains(lead))
    };
    let others = servers.iter().zip(hosts).filter(|(_, host)| !owner.is_empty() && *host != owner);
    let named = others.flat_map(|(server, _)| {
        let leads = server.leads.iter().filter(|lead| !server.is_dispatched(lead) && !has(lead));
        leads.filter(|lead| server.groups(lead).iter().any(|name| name.fixed() == Some(group)))
    });
    named.map(|lead| lead.directive.clone()).collect()
}

/// Every fixed group name that an alias, a server or a section uses.
#[must_use]
pub fn used_names(servers: &[ServerLeads]) -> BTreeSet<Vec<u8>> {
    let templates = servers.iter().flat_map(|server| {
        let aliases = server.leads.iter().filter_map(|lead| lead.group.as_ref());
        let sections = server.sections.iter().filter_map(|section| section.group.as_ref());
        aliases.chain(&server.group).chain(sections)
    });
    templates.filter_map(Template::fixed).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect()
}
