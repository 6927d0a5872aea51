//! What is probably not meant the way it is configured, though nothing forbids it. Pure, but for a look which files there are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use spec::options::AUTOMATIC;
use spec::report::{Group, Lead, Report};

/// Variables that applications look for in `os.environ`.
const OF_PROCESSES: [&str; 6] =
    ["DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTHONHOME", "PYTHONPATH", "SECRET_KEY", "VIRTUAL_ENV"];
/// And their beginnings.
const BEGINNINGS: [&str; 2] = ["DJANGO_", "FLASK_"];
/// Folders in which virtual environments usually are.
const ENVIRONMENTS: [&str; 4] = ["venv", ".venv", "env", "virtualenv"];

/// Sentences, in the order of the configuration.
pub fn about(report: &Report, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut sentences = Vec::new();
    // The group that the module makes by itself is as it has to be.
    for group in report.groups.iter().filter(|group| group.definition.name != AUTOMATIC) {
        let leads = leads_to(report, group);
        sentences.extend(interpreters(group, &leads));
        sentences.extend(environment(group, &leads, exists));
        sentences.extend(user(group));
        sentences.extend(capacity(group));
        sentences.extend(unused(group, &leads));
    }
    sentences.extend(variables(report));
    sentences
}

/// What can lead to the group. A name that depends on the request may be any; a group of a virtual host serves that and what it
/// inherits.
pub fn leads_to<'a>(report: &'a Report, group: &Group) -> Vec<&'a Lead> {
    let name = &group.definition.name;
    let reaches = |to: &String| to == name || to.starts_with("%{ENV:");
    let owner = &group.definition.server;
    let may = |lead: &&Lead| owner.is_empty() || lead.server.is_empty() || lead.server == *owner;
    report.leads.iter().filter(may).filter(|lead| lead.groups.iter().any(reaches)).collect()
}

/// Several applications in one process group: sub-interpreters, in which C extensions hang, or one interpreter for all.
fn interpreters(group: &Group, leads: &[&Lead]) -> Option<String> {
    let name = &group.definition.name;
    let scripts: BTreeSet<&str> = leads.iter().map(|lead| lead.target.as_str()).collect();
    if scripts.len() < 2 && !leads.iter().any(|lead| lead.several) {
        return None;
    }
    let is_main = |lead: &&&Lead| lead.application_group.as_deref() == Some("%{GLOBAL}");
    let main: BTreeSet<&str> = leads.iter().filter(is_main).map(|lead| lead.target.as_str()).collect();
    let remedy = "give each application a WSGIDaemonProcess of its own";
    if main.len() == scripts.len() {
        return (main.len() > 1).then(|| {
            format!(
                "process group {name} runs {} applications in one interpreter (%{{GLOBAL}}): they share modules and os.environ, so two \
                 projects of Django, or two modules named settings, get mixed up; {remedy}",
                main.len()
            )
        });
    }
    Some(format!(
        "process group {name} serves several applications, which run in sub-interpreters: C extensions such as numpy, cryptography or \
         pydantic refuse to be loaded there, or hang; {remedy}, or write application-group=%{{GLOBAL}} for the one that needs it"
    ))
}

/// A virtual environment beside a script that is not used.
fn environment(group: &Group, leads: &[&Lead], exists: &dyn Fn(&Path) -> bool) -> Option<String> {
    const LEVELS: usize = 3;
    let python = group.python.as_ref().filter(|python| python.environment.is_none())?;
    let candidates = |lead: &&Lead| -> Vec<PathBuf> {
        let above = Path::new(&lead.target).ancestors().skip(1).take(LEVELS);
        let above = above.filter(|folder| folder.parent().is_some());
        above.flat_map(|folder| ENVIRONMENTS.iter().map(|name| folder.join(name))).collect()
    };
    let found = leads.iter().flat_map(candidates).find(|folder| exists(&folder.join("pyvenv.cfg")))?;
    Some(format!(
        "process group {} uses Python {} without a virtual environment, and there is one in {}: if the application's packages are \
         there, write python-home={}",
        group.definition.name,
        python.version,
        found.display(),
        found.display()
    ))
}

/// Code of a site with the rights of the web server.
fn user(group: &Group) -> Option<String> {
    let account = group.definition.account.as_ref()?;
    (account.uid == group.definition.socket_uid).then(|| {
        format!(
            "process group {} runs as the web server's own user{}: its code can read what Apache can, and connect to all other \
             groups; give it an account of its own with user=",
            group.definition.name,
            account.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default()
        )
    })
}

fn capacity(group: &Group) -> Option<String> {
    let definition = &group.definition;
    (u64::from(definition.processes) * u64::from(definition.threads) == 1).then(|| {
        format!(
            "process group {} serves one request at a time: a slow one makes all others wait; raise threads= or processes=",
            definition.name
        )
    })
}

fn unused(group: &Group, leads: &[&Lead]) -> Option<String> {
    let definition = &group.definition;
    (leads.is_empty() && definition.roots.is_empty() && definition.preload.is_empty()).then(|| {
        let name = &definition.name;
        format!(
            "nothing leads to process group {name}: write WSGIProcessGroup {name} or process-group={name} where it is meant to serve, or \
             remove its WSGIDaemonProcess"
        )
    })
}

/// Variables of requests that applications look for in their process.
fn variables(report: &Report) -> Vec<String> {
    let of_process = |name: &&String| {
        OF_PROCESSES.contains(&name.as_str()) || BEGINNINGS.iter().any(|begin| name.starts_with(begin))
    };
    let names: BTreeSet<&String> = report.variables.iter().filter(of_process).collect();
    // A group that has it already has it right.
    let set = |name: &str| report.groups.iter().all(|group| group.definition.environment.contains_key(name));
    let missing = names.into_iter().filter(|name| report.groups.is_empty() || !set(name));
    missing
        .map(|name| {
            format!(
                "SetEnv or PassEnv {name} reaches the environ of requests, not os.environ, where this one is usually looked for: write \
                 env={name}=VALUE in WSGIDaemonProcess"
            )
        })
        .collect()
}
