//! The report as text for a terminal: each process group, what it may take, and what leads to it; then what is wrong.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use spec::report::{Group, Lead, Report};
use spec::{ProcessGroup, Root};

use super::advice::leads_to;

/// The whole text.
pub fn render(report: &Report, advice: &[String]) -> String {
    let mut text = String::new();
    for group in &report.groups {
        add_group(&mut text, group, &leads_to(report, group));
    }
    if report.groups.is_empty() {
        text.push_str("No process group is declared.\n");
    }
    add_list(&mut text, "Wrong", &report.mistakes);
    let doubtful: Vec<String> = report.notices.iter().chain(advice).cloned().collect();
    add_list(&mut text, "Worth a look", &doubtful);
    if report.mistakes.is_empty() && doubtful.is_empty() {
        text.push_str("\nNothing wrong was found.\n");
    }
    text
}

fn add_group(text: &mut String, group: &Group, leads: &[&Lead]) {
    let definition = &group.definition;
    let of = if definition.server.is_empty() { String::new() } else { format!(" of {}", definition.server) };
    if !text.is_empty() {
        text.push('\n');
    }
    // Writing to a String cannot fail.
    let place = if group.place.is_empty() { "made for scripts that Apache asks" } else { &group.place };
    let _ = writeln!(text, "Process group {}{of} ({place})", definition.name);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    line("user", user(definition));
    line("python", python(group));
    line("capacity", capacity(definition));
    line("limits", limits(definition));
    for (at, lead) in leads.iter().enumerate() {
        line(if at == 0 { "serves" } else { "" }, served(lead));
    }
    if leads.is_empty() {
        let shown = |root: &Root| match root.patterns.as_slice() {
            [] => vec![root.path.display().to_string()],
            patterns => patterns.to_vec(),
        };
        let scripts: BTreeSet<String> = definition.roots.iter().flat_map(shown).collect();
        let scripts: Vec<String> = scripts.into_iter().collect();
        line("serves", if scripts.is_empty() { "nothing".to_owned() } else { scripts.join(", ") });
    }
}

fn user(definition: &ProcessGroup) -> String {
    match &definition.account {
        None => "the one who starts Apache".to_owned(),
        Some(account) => {
            let name = account.name.as_deref().unwrap_or("without a name");
            format!("{name} (uid {}, gid {})", account.uid, account.gid)
        }
    }
}

fn python(group: &Group) -> String {
    let program = group.definition.python.display();
    match &group.python {
        None => format!("{program} (not tried, as something else is wrong)"),
        Some(python) => match &python.environment {
            Some(environment) => {
                format!("{} ({program}), virtual environment {environment}", python.version)
            }
            None => format!("{} ({program}), no virtual environment", python.version),
        },
    }
}

fn capacity(definition: &ProcessGroup) -> String {
    let ProcessGroup { processes, threads, listen_backlog, .. } = definition;
    let at_once = u64::from(*processes) * u64::from(*threads);
    format!(
        "{}, {} each: {} at once; {listen_backlog} more may wait, the next get 503",
        counted(*processes, "process", "processes"),
        counted(*threads, "thread", "threads"),
        if at_once == 1 { "1 request".to_owned() } else { format!("{at_once} requests") }
    )
}

fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn limits(definition: &ProcessGroup) -> String {
    let timeouts = &definition.timeouts;
    let mut limits = vec![
        ("socket-timeout", seconds(timeouts.socket)),
        ("connect-timeout", seconds(timeouts.connect)),
        ("shutdown-timeout", seconds(timeouts.shutdown)),
        ("graceful-timeout", seconds(timeouts.graceful)),
    ];
    limits.extend(timeouts.queue.map(|queue| ("queue-timeout", seconds(queue))));
    limits.extend(definition.memory_limit.map(|bytes| ("memory-limit", format!("{bytes} bytes"))));
    limits.extend(
        definition.virtual_memory_limit.map(|bytes| ("virtual-memory-limit", format!("{bytes} bytes"))),
    );
    let limits: Vec<String> = limits.into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    limits.join(", ")
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn served(lead: &Lead) -> String {
    let at = if lead.server.is_empty() { String::new() } else { format!(" of {}", lead.server) };
    let group = match lead.application_group.as_deref() {
        None => String::new(),
        Some(name) => format!(", application group {name}"),
    };
    let each = if lead.several { " (each file in it)" } else { "" };
    format!("{}{at} -> {}{each}{group}", lead.directive, lead.target)
}

fn add_list(text: &mut String, title: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for sentence in sentences {
        let _ = writeln!(text, "  - {sentence}");
    }
}
