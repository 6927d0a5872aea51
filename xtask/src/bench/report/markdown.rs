//! The page: goals, charts, one table for each case, memory, who is missing, settings, method.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;

use super::{Results, charts, method};
use crate::bench::cases::{Transport, Work};
use crate::bench::goals::Ratios;
use crate::bench::load::pace::Latency;
use crate::bench::measure::{Measured, NOT_STARTED, Seen};
use crate::bench::memory::{KINDS, Memory};
use crate::bench::noise::QUIET;
use crate::bench::peers::Peer;
use crate::bench::stats::Spread;

/// The whole page.
pub fn page(results: &Results) -> Result<String> {
    let mut text = String::from(method::INTRODUCTION);
    for (name, fact) in &results.facts {
        writeln!(text, "- {name}: {fact}")?;
    }
    for warning in &results.warnings {
        writeln!(text, "\n> Warning: {warning}.")?;
    }
    if !results.verdicts.is_empty() {
        writeln!(text, "\n## Goals\n\n| goal | seen | |\n|---|---|---|")?;
        for verdict in &results.verdicts {
            writeln!(
                text,
                "| {} | {} | {} |",
                verdict.promise,
                cell(&verdict.seen),
                verdict.outcome.words()
            )?;
        }
    }
    for chart in charts::all(results)?.iter().filter(|chart| chart.svg.is_some()) {
        writeln!(text, "\n![{}]({})", chart.title, chart.file)?;
    }
    for measured in &results.measured {
        case(measured, &mut text)?;
    }
    if !results.memory.is_empty() {
        memory(&results.memory, &mut text)?;
    }
    missing(results, &mut text)?;
    settings(results, &mut text)?;
    text.push_str(method::METHOD);
    Ok(text)
}

/// The columns of a case's table that not every case has.
struct Columns {
    outside: bool,
    latency: bool,
    calls: bool,
}

fn case(measured: &Measured, text: &mut String) -> Result<()> {
    writeln!(text, "\n## {}\n\n{}.\n", measured.case, describe(measured))?;
    let has = |of: &dyn Fn(&Seen) -> bool| measured.seen.values().any(of);
    let columns = Columns {
        outside: has(&|seen| seen.outside().is_some_and(|samples| !samples.is_empty())),
        latency: has(&|seen| !seen.latency.is_empty()),
        calls: has(&|seen| seen.system_calls.is_some()),
    };
    let mut head = vec!["server", "answers/s", "CPU per answer"];
    if columns.outside {
        head.extend(["outside of the application", "outside, to mod_wsgi's"]);
    }
    head.extend(["rate to mod_wsgi's", "CPU to mod_wsgi's"]);
    if columns.latency {
        head.extend(["p50", "p99", "p99.9"]);
    }
    if columns.calls {
        head.push("system calls");
    }
    writeln!(text, "| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()))?;
    let base = measured.seen.get(&Peer::ModWsgi);
    for (peer, seen) in &measured.seen {
        writeln!(text, "| {} | {} |", name(*peer, peer.name()), row(seen, base, &columns)?.join(" | "))?;
    }
    notes(measured, text)
}

/// Ours stands out.
fn name(peer: Peer, label: &str) -> String {
    if peer == Peer::Ours { format!("**{label}**") } else { label.to_owned() }
}

fn row(seen: &Seen, base: Option<&Seen>, columns: &Columns) -> Result<Vec<String>> {
    let rate = seen.median(|sample| sample.rate)?;
    let limit = if seen.is_limited_by_client() { " †" } else { "" };
    let rate = if rate < 100.0 { format!("{rate:.1}{limit}") } else { format!("{rate:.0}{limit}") };
    let mut row = vec![rate, format!("{:.0} µs", seen.median(|sample| sample.cpu)?)];
    if columns.outside {
        row.extend(outside(seen, base)?);
    }
    match base.map(|base| Ratios::of(seen, base)).transpose()? {
        Some(ratios) => row.extend([ratios.rate.to_string(), ratios.cpu.to_string()]),
        None => row.extend([String::new(), String::new()]),
    }
    if columns.latency {
        row.extend(latencies(&seen.latency)?);
    }
    if columns.calls {
        row.push(seen.system_calls.map_or_else(|| "–".to_owned(), |calls| format!("{calls:.1}")));
    }
    Ok(row)
}

fn outside(seen: &Seen, base: Option<&Seen>) -> Result<[String; 2]> {
    let Some(samples) = seen.outside() else { return Ok(["–".to_owned(), "–".to_owned()]) };
    let ratio = match base.and_then(Seen::outside) {
        Some(base) => Spread::of(samples.iter().zip(&base).map(|(a, b)| a / b).collect())?.to_string(),
        None => String::new(),
    };
    Ok([format!("{:.0} µs", Spread::of(samples)?.median), ratio])
}

fn latencies(latency: &[Latency]) -> Result<[String; 3]> {
    if latency.is_empty() {
        return Ok([const { String::new() }; 3]);
    }
    let median = |of: fn(&Latency) -> f64| Spread::of(latency.iter().map(of).collect()).map(|s| s.median);
    if latency.iter().filter(|latency| !latency.kept_up).count() * 2 > latency.len() {
        let rate = median(|latency| latency.rate)?;
        return Ok([format!("too slow: {rate:.0}/s"), "–".to_owned(), "–".to_owned()]);
    }
    let shown = |of| median(of).map(|time| format!("{time:.0} µs"));
    Ok([shown(|l| l.p50 as f64)?, shown(|l| l.p99 as f64)?, shown(|l| l.p999 as f64)?])
}

/// What belongs below the table.
fn notes(measured: &Measured, text: &mut String) -> Result<()> {
    if measured.seen.values().any(Seen::is_limited_by_client) {
        writeln!(text, "\n† The client used all of the processor time it could: this server may do more.")?;
    }
    let others = measured.seen.values().flat_map(|seen| &seen.samples).map(|sample| sample.others);
    if let Ok(others) = Spread::of(others.collect())
        && others.median > QUIET
    {
        writeln!(
            text,
            "\nOthers used {:.0} % of the machine's processors (median) while this was measured.",
            others.median * 100.0
        )?;
    }
    for (peer, reason) in &measured.failed {
        writeln!(text, "\n{} has failed: {}", peer.name(), brief(reason))?;
    }
    Ok(())
}

/// The first lines of a reason, safe in a paragraph or a table.
fn brief(reason: &str) -> String {
    let lines: Vec<&str> = reason.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = match lines.as_slice() {
        // A log is best told by its end, the cause by the beginning.
        [first, .., last] => format!("{} … {}", first.trim(), last.trim()),
        _ => lines.concat(),
    };
    format!("`{}`", shown.replace('`', "'"))
}

/// Safe in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn describe(measured: &Measured) -> String {
    let case = measured.case;
    let what = match case.work {
        Work::Hello => "14 bytes of text".to_owned(),
        Work::Django => {
            "The login page of Django's admin, with its templates, session middleware and CSRF token"
                .to_owned()
        }
        Work::Compute => "200 µs of pure Python".to_owned(),
        Work::Wait => "1 ms of waiting".to_owned(),
        Work::Document => "A JSON document of 10 KB is posted and read".to_owned(),
        Work::Page => "64 KiB from memory".to_owned(),
        Work::File(size) => {
            format!("A file of {size} MB through `wsgi.file_wrapper` where the server has it")
        }
        Work::Generator(size) => format!("{size} MB from a generator of 64 KiB blocks"),
        Work::Upload(size) => format!("{size} MB are uploaded and read"),
    };
    let how = match case.transport {
        Transport::Http => "",
        Transport::HttpOnce => ", a new connection for each request",
        Transport::Https => ", HTTPS",
        Transport::Http2 => ", HTTP/2 without TLS",
    };
    let pace = measured.pace.map_or_else(String::new, |rate| {
        format!("; latency at a fixed {rate:.0} requests/s, counted from when each was due")
    });
    let of = |count: u32, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let connections = of(case.connections, "connection", "connections");
    let processes = of(case.processes, "worker process", "worker processes");
    format!("{what}; {connections}{how}, {processes}{pace}")
}

fn memory(all: &[Memory], text: &mut String) -> Result<()> {
    text.push_str(method::MEMORY);
    writeln!(text, "| sites | server | {} | together | to mod_wsgi's |", KINDS.join(" | "))?;
    writeln!(text, "|{}", "---|".repeat(KINDS.len() + 4))?;
    for memory in all {
        let of = |kind: &str| match memory.kinds.get(kind) {
            Some((1, size)) => format!("{size:.1}"),
            Some((count, size)) => format!("{size:.1} in {count}"),
            None => "–".to_owned(),
        };
        let is_base = |other: &&Memory| {
            other.peer == Peer::ModWsgi && (other.sites, other.warm) == (memory.sites, memory.warm)
        };
        let ratio = all
            .iter()
            .find(is_base)
            .map_or_else(String::new, |base| format!("{:.2}", memory.total() / base.total()));
        writeln!(
            text,
            "| {} {} | {} | {} | **{:.0}** | {ratio} |",
            memory.sites,
            if memory.warm { "warm" } else { "idle" },
            name(memory.peer, memory.peer.name()),
            KINDS.map(of).join(" | "),
            memory.total()
        )?;
    }
    Ok(())
}

/// Who takes no part in what, and why: what a server cannot do, and what went wrong.
fn missing(results: &Results, text: &mut String) -> Result<()> {
    let mut reasons: BTreeMap<(Peer, &str), Vec<String>> = BTreeMap::new();
    for case in results.measured.iter().map(|measured: &Measured| measured.case) {
        // Those that this run is about.
        for peer in results.settings.keys().copied() {
            if let Some(reason) = peer.cannot(&case) {
                reasons.entry((peer, reason)).or_default().push(case.to_string());
            }
        }
    }
    writeln!(text, "\n## Not measured\n\n| server | what | why |\n|---|---|---|")?;
    for ((peer, reason), cases) in reasons {
        writeln!(text, "| {} | {} | {reason} |", peer.name(), cases.join(", "))?;
    }
    for failure in &results.failures {
        let reason = cell(&brief(&failure.reason));
        writeln!(text, "| {} | {} | {reason} |", failure.peer.name(), cell(&failure.doing))?;
    }
    for measured in &results.measured {
        // Why one has not started is told once.
        for (peer, reason) in measured.failed.iter().filter(|(_, reason)| *reason != NOT_STARTED) {
            writeln!(text, "| {} | {} | {} |", peer.name(), measured.case, cell(&brief(reason)))?;
        }
    }
    text.push_str(method::ABSENT);
    Ok(())
}

/// What each server was started with, so that a reader can judge it.
fn settings(results: &Results, text: &mut String) -> Result<()> {
    if results.settings.is_empty() {
        return Ok(());
    }
    text.push_str(method::SETTINGS);
    writeln!(
        text,
        "<details><summary>Apache, in all of its rows</summary>\n\n```apache\n{}\n```\n\n</details>",
        results.apache.trim()
    )?;
    for (peer, lines) in &results.settings {
        writeln!(
            text,
            "\n<details><summary>{}: {}</summary>\n\n```\n{}\n```\n\n</details>",
            peer.name(),
            peer.remark(),
            lines.trim()
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    fn has(line: &str) {
        let page = page(&example()).unwrap();
        assert!(page.lines().any(|found| found == line), "no line `{line}` in:\n{page}");
    }

    #[test]
    fn a_row_has_medians_ratios_latencies_and_calls() {
        has("## django-c4-p1");
        has(
            "| server | answers/s | CPU per answer | outside of the application | outside, to mod_wsgi's | rate to mod_wsgi's | CPU to mod_wsgi's | p50 | p99 | p99.9 | system calls |",
        );
        has("|---|---|---|---|---|---|---|---|---|---|---|");
        has(
            "| **ours** | 31000 | 32 µs | 10 µs | **1.00** (1.00–1.00) | **3.10** (3.00–3.20) | **0.32** (0.31–0.33) | 101 µs | 202 µs | 303 µs | 12.3 |",
        );
    }

    #[test]
    fn a_busy_client_and_a_server_that_is_too_slow_are_marked() {
        has(
            "| granian | 90000 † | 11 µs | 10 µs | **1.00** (1.00–1.00) | **9.00** (9.00–9.00) | **0.11** (0.11–0.11) | too slow: 4999/s | – | – | 12.3 |",
        );
        has("† The client used all of the processor time it could: this server may do more.");
    }

    #[test]
    fn goals_that_were_not_told_apart_say_so() {
        has("| be fast | **2.00** (1.00–3.00) | not told apart |");
        has("> Warning: the machine is noisy.");
    }

    #[test]
    fn who_is_missing_is_told_with_the_reason() {
        has("| apache-static | django-c4-p1 | a file is all it can answer with |");
        has("| bjoern | installing it | `no libev` |");
        has("| uwsgi | django-c4-p1 | `wrk saw failures: <3> \\| 5 timeouts … and more` |");
    }

    #[test]
    fn memory_is_told_by_kind_of_process() {
        has("| 8 warm | mod_wsgi | 5.0 | 10.5 in 16 | – | 200.0 in 8 | **216** | 1.00 |");
        has("| 8 warm | **ours** | – | – | 8.0 | 100.0 in 8 | **108** | 0.50 |");
    }

    #[test]
    fn what_was_not_measured_has_no_column() {
        let mut results = example();
        for seen in results.measured[0].seen.values_mut() {
            (seen.latency, seen.system_calls) = (Vec::new(), None);
            seen.samples.iter_mut().for_each(|sample| sample.outside = None);
        }
        let page = page(&results).unwrap();
        assert!(page.contains("| server | answers/s | CPU per answer | rate to mod_wsgi's | CPU to mod_wsgi's |\n|---|---|---|---|---|\n"));
    }
}
