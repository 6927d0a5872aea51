//! The folders whose files root's configuration makes WSGI scripts without an alias: httpd's tree of directives for
//! `routing::handled`, and what it finds as leads.

use httpd::{Directives, Parent};

use crate::routing::handled::{self, Folder, Written};
use crate::routing::leads::{Lead, ServerLeads};

/// The leads of all servers, in httpd's order, with those of the folders.
pub(super) fn added(parent: &Parent<'_>, leads: &[ServerLeads]) -> Vec<ServerLeads> {
    let main = read(parent.written());
    let with_folders = |(server, leads): (httpd::Server<'_>, &ServerLeads)| {
        let host = parent.written().find(|written| written.made(&server));
        let host = host.map_or_else(Vec::new, |host| read(host.inside()));
        let folders = handled::folders(&[&host, &main]);
        let mut leads = leads.clone();
        leads.leads.extend(folders.into_iter().map(lead));
        leads
    };
    parent.servers().zip(leads).map(with_folders).collect()
}

fn read(directives: Directives<'_>) -> Vec<Written> {
    let one = |written: httpd::Written<'_>| Written {
        name: String::from_utf8_lossy(written.name()).to_ascii_lowercase(),
        arguments: written.arguments().to_vec(),
        inside: read(written.inside()),
    };
    directives.map(one).collect()
}

fn lead(folder: Folder) -> Lead {
    Lead {
        directive: format!("Options ExecCGI of {}", folder.path.escape_ascii()),
        pattern: folder.section.is_none(),
        location: folder.section.unwrap_or_else(|| folder.path.clone()),
        target: folder.path,
        several: true,
        group: None,
        application_group: None,
        callable: None,
    }
}
