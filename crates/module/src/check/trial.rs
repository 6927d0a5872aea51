//! The part of `apache2 -t` that must be done as each site's user: virtual environments, Python versions, scripts. It is left to
//! `wsgi-supervisor --check`, which drops its privileges as it would for a worker.

use std::io::Write;
use std::process::{Command, Stdio};

use httpd::Parent;
use spec::control::{Finding, Problem};
use spec::options::AUTOMATIC;
use spec::report::Python;

use super::AUTOMATIC_FOR;
use crate::companions::Companions;
use crate::groups::Resolved;
use crate::hooks::Wsgi;
use crate::supervise;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Sentences.
    pub(super) mistakes: Vec<String>,
    /// The Pythons of groups, by the groups' names.
    pub(super) pythons: Vec<(String, Python)>,
}

/// Tries all groups.
pub(super) fn run(parent: &Parent<'_>, groups: &[Resolved]) -> Found {
    try_run(parent, groups).unwrap_or_else(|reason| Found { mistakes: vec![reason], pythons: Vec::new() })
}

fn try_run(parent: &Parent<'_>, groups: &[Resolved]) -> Result<Found, String> {
    let companions = Companions::find()?;
    let definitions = supervise::definitions(parent, groups, &companions, 1)?;
    let text = serde_json::to_vec(&definitions).map_err(|error| {
        format!("the process groups cannot be handed to {}: {error}", companions.supervisor.display())
    })?;
    let failed = |error: std::io::Error| {
        format!(
            "{} --check cannot be run: {error}: install mod_wsgi-rs again",
            companions.supervisor.display()
        )
    };
    let mut child = Command::new(&companions.supervisor)
        .arg("--check")
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that ends without reading says why by its status.
        let _ = input.write_all(&text);
    }
    let output = child.wait_with_output().map_err(failed)?;
    let program = companions.supervisor.display();
    let findings: Vec<Finding> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(|_| {
            format!("{program} --check answers what this module does not understand: install both from the same version")
        })?;
    let has_problem = findings.iter().any(|finding| matches!(finding, Finding::Problem(_)));
    if !output.status.success() && !has_problem {
        let status = output.status;
        return Err(format!(
            "{program} --check ended with {status} and said nothing: install mod_wsgi-rs again"
        ));
    }
    let names = &parent.server().config::<Wsgi>().global.names;
    let mut found = Found::default();
    for finding in findings {
        match finding {
            Finding::Problem(problem) => found.mistakes.push(at_its_directive(problem, names)),
            Finding::Python { group, python } => found.pythons.push((group, python)),
        }
    }
    Ok(found)
}

/// The sentence with the directive in front of it and its place behind. `names` are the groups and where they were declared.
fn at_its_directive(problem: Problem, names: &[(String, String)]) -> String {
    let Problem { group, sentence } = problem;
    let Some(group) = group else { return sentence };
    match names.iter().find(|(name, _)| *name == group) {
        Some((_, place)) => format!("WSGIDaemonProcess {group}: {sentence} ({place})"),
        None if group == AUTOMATIC => format!("{AUTOMATIC_FOR}: {sentence}"),
        None => format!("WSGIDaemonProcess {group}: {sentence}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_its_directive() {
        let names = [("a".to_owned(), "x.conf:1".to_owned()), ("ab".to_owned(), "x.conf:2".to_owned())];
        let problem =
            |group: Option<&str>| Problem { group: group.map(str::to_owned), sentence: "no".to_owned() };
        assert_eq!(at_its_directive(problem(Some("ab")), &names), "WSGIDaemonProcess ab: no (x.conf:2)");
        assert_eq!(at_its_directive(problem(None), &names), "no");
    }
}
