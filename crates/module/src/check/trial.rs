//! The part of `apache2 -t` that must be done as each site's user: virtual environments, Python versions, scripts. It is left to
//! `wsgi-supervisor --check`, which drops its privileges as it would for a worker.

use std::io::Write;
use std::process::{Command, Stdio};

use httpd::Parent;

use crate::companions::Companions;
use crate::groups::Resolved;
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
    let mistakes: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    if !output.status.success() && mistakes.is_empty() {
        let (program, status) = (companions.supervisor.display(), output.status);
        return Err(format!(
            "{program} --check ended with {status} and said nothing: install mod_wsgi-rs again"
        ));
    }
    Ok(if output.status.success() { Vec::new() } else { mistakes })
}
