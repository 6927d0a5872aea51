//! The part of `apache2 -t` that must be done as each site's user: virtual environments, Python versions, scripts. It is left to
//! `wsgi-supervisor --check`, which drops its privileges as it would for a worker.

use std::io::Write;
use std::process::{Command, Stdio};

use httpd::Parent;

use crate::companions::Companions;
use crate::groups::Resolved;
use crate::hooks::Wsgi;
use crate::supervise;

/// The mistakes that were found, as sentences.
pub(super) fn run(parent: &Parent<'_>, groups: &[Resolved]) -> Vec<String> {
    match try_run(parent, groups) {
        Ok(mistakes) => mistakes,
        Err(reason) => vec![reason],
    }
}

fn try_run(parent: &Parent<'_>, groups: &[Resolved]) -> Result<Vec<String>, String> {
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
    let names = &parent.server().config::<Wsgi>().global.names;
    let mistakes: Vec<String> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| at_its_directive(line, names)).collect();
    if !output.status.success() && mistakes.is_empty() {
        let (program, status) = (companions.supervisor.display(), output.status);
        return Err(format!(
            "{program} --check ended with {status} and said nothing: install mod_wsgi-rs again"
        ));
    }
    Ok(if output.status.success() { Vec::new() } else { mistakes })
}

/// A sentence that begins with `process group 'NAME': ` with the directive and its place instead. `names` are the groups and where
/// they were declared.
fn at_its_directive(line: &str, names: &[(String, String)]) -> String {
    let named = names.iter().find_map(|(name, place)| {
        let rest = line.strip_prefix("process group '")?.strip_prefix(name.as_str())?.strip_prefix("': ")?;
        Some(format!("WSGIDaemonProcess {name}: {rest} ({place})"))
    });
    named.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_its_directive() {
        let names = [("a".to_owned(), "x.conf:1".to_owned()), ("ab".to_owned(), "x.conf:2".to_owned())];
        assert_eq!(at_its_directive("process group 'ab': no", &names), "WSGIDaemonProcess ab: no (x.conf:2)");
        assert_eq!(at_its_directive("something else", &names), "something else");
    }
}
