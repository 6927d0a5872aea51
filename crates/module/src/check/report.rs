//! The effective configuration for `wsgictl check`, which renders it.

use httpd::{Line, Parent};
use spec::report::{Group, Lead, MARK, Python, Report, VARIABLE};

use super::Resolution;
use crate::config::ServerConfig;
use crate::hooks::Wsgi;
use crate::routing::leads::ServerLeads;

/// Whether somebody wants the report.
pub(super) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Prints it. `pythons` are the groups' Pythons as far as they could be run.
pub(super) fn print(
    parent: &Parent<'_>,
    resolution: &Resolution,
    servers: &[ServerLeads],
    pythons: &[(String, Python)],
) {
    use std::io::Write;
    let main = parent.server().config::<Wsgi>();
    let remarks = resolution.remarks.iter().map(ToString::to_string);
    let mut variables = Vec::new();
    collect_variables(&parent.configuration(), &mut variables);
    let report = Report {
        groups: groups(main, resolution, pythons),
        leads: leads(parent, servers),
        variables,
        mistakes: resolution.mistakes.clone(),
        notices: resolution.notices.iter().cloned().chain(remarks).collect(),
    };
    if let Ok(text) = serde_json::to_string(&report) {
        // Without anybody at the other end there is nobody to tell.
        let _ = writeln!(std::io::stdout(), "{MARK}{text}");
    }
}

fn groups(main: &ServerConfig, resolution: &Resolution, pythons: &[(String, Python)]) -> Vec<Group> {
    let place = |name: &str| main.global.names.iter().find(|(known, _)| known == name);
    let python = |name: &str| pythons.iter().find(|(known, _)| known == name);
    let group = |definition: &spec::ProcessGroup| Group {
        place: place(&definition.name).map(|(_, place)| place.clone()).unwrap_or_default(),
        python: python(&definition.name).map(|(_, python)| python.clone()),
        definition: definition.clone(),
    };
    resolution.groups.iter().map(|resolved| group(&resolved.definition)).collect()
}

fn leads(parent: &Parent<'_>, servers: &[ServerLeads]) -> Vec<Lead> {
    let main = servers.first().map_or(&[][..], |server| &server.leads);
    let mut all = Vec::new();
    for (server, own) in parent.servers().zip(servers) {
        let name = if server.is_virtual() { server.hostname().unwrap_or_default() } else { b"" };
        // What a virtual host inherits is there once already, unless it leads elsewhere here.
        let inherited = |lead: &crate::routing::leads::Lead| {
            server.is_virtual()
                && main.contains(lead)
                && servers.first().is_some_and(|first| first.group == own.group)
        };
        for lead in own.leads.iter().filter(|lead| !inherited(lead)) {
            let group = lead.application_group.as_ref().or(own.application_group.as_ref());
            all.push(Lead {
                directive: lead.directive.clone(),
                server: String::from_utf8_lossy(name).into_owned(),
                target: String::from_utf8_lossy(&lead.target).into_owned(),
                several: lead.several,
                groups: own.groups(lead).into_iter().map(ToString::to_string).collect(),
                application_group: group.map(ToString::to_string),
            });
        }
    }
    all
}

fn collect_variables(lines: &[Line<'_>], found: &mut Vec<String>) {
    for line in lines {
        let name = line.name.to_ascii_lowercase();
        let arguments = String::from_utf8_lossy(line.arguments);
        let words = arguments.split_whitespace().map(|word| word.trim_matches('"').to_owned());
        match name.as_slice() {
            b"setenv" => found.extend(words.take(1)),
            b"passenv" => found.extend(words),
            _ => collect_variables(&line.inside, found),
        }
    }
}
