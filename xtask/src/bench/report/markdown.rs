//! The page: goals, one table for each kind of work, memory.

use std::fmt::Write;

use anyhow::Result;

use super::Results;
use crate::bench::cases::Work;
use crate::bench::goals::Ratios;
use crate::bench::load::pace::Latency;
use crate::bench::measure::{Measured, Sample, Seen};
use crate::bench::memory::Memory;
use crate::bench::peers::Peer;
use crate::bench::stats::Spread;

/// The whole page.
pub fn page(results: &Results) -> Result<String> {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo xtask bench`; a new run replaces it. Rates and times are medians of the rounds. A ratio is that \
         of two measurements of the same round; its median stands in bold, the least and the largest in parentheses.\n\n",
    );
    for (name, fact) in &results.facts {
        writeln!(text, "- {name}: {fact}")?;
    }
    for warning in &results.warnings {
        writeln!(text, "\n> Warning: {warning}.")?;
    }
    if !results.measured.is_empty() {
        writeln!(text, "\n![Answers per second](rates.svg)")?;
    }
    if !results.verdicts.is_empty() {
        writeln!(text, "\n## Goals\n\n| goal | seen | |\n|---|---|---|")?;
        for verdict in &results.verdicts {
            let word = if verdict.met { "met" } else { "missed" };
            writeln!(text, "| {} | {} | {word} |", verdict.promise, verdict.seen)?;
        }
    }
    for measured in &results.measured {
        case(measured, &mut text)?;
    }
    if !results.memory.is_empty() {
        memory(&results.memory, &mut text)?;
    }
    Ok(text)
}

fn case(measured: &Measured, text: &mut String) -> Result<()> {
    writeln!(text, "\n## {}\n", measured.case)?;
    writeln!(text, "{}.\n", describe(measured))?;
    let has_latency = measured.seen.values().any(|seen| !seen.latency.is_empty());
    let has_calls = measured.seen.values().any(|seen| seen.system_calls.is_some());
    let mut head =
        String::from("| server | answers/s | CPU per answer | rate to mod_wsgi's | CPU to mod_wsgi's |");
    let mut line = String::from("|---|---|---|---|---|");
    if has_latency {
        head.push_str(" p50 | p99 | p99.9 |");
        line.push_str("---|---|---|");
    }
    if has_calls {
        head.push_str(" system calls |");
        line.push_str("---|");
    }
    writeln!(text, "{head}\n{line}")?;
    let base = measured.seen.get(&Peer::ModWsgi);
    for (peer, seen) in &measured.seen {
        write!(text, "| {} | {} |", peer.name(), row(seen, base)?)?;
        if has_latency {
            write!(text, " {} |", latencies(&seen.latency)?)?;
        }
        if has_calls {
            let calls = seen.system_calls.map_or_else(String::new, |calls| format!("{calls:.1}"));
            write!(text, " {calls} |")?;
        }
        text.push('\n');
    }
    Ok(())
}

fn describe(measured: &Measured) -> String {
    let case = measured.case;
    let what = match case.work {
        Work::Hello => "14 bytes of text".to_owned(),
        Work::Django => {
            "The login page of Django's admin, with its templates, session and CSRF token".to_owned()
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
    let pace = measured.pace.map_or_else(String::new, |rate| {
        format!("; latency at a fixed {rate:.0} requests/s, counted from when each was due")
    });
    format!("{what}; {} connections, {} worker processes{pace}", case.connections, case.processes)
}

fn row(seen: &Seen, base: Option<&Seen>) -> Result<String> {
    let median = |of: fn(&Sample) -> f64| Spread::of(seen.samples.iter().map(of).collect()).map(|s| s.median);
    let (rate, cpu) = (median(|sample| sample.rate)?, median(|sample| sample.cpu)?);
    let ratios = match base {
        Some(base) => {
            let ratios = Ratios::of(seen, base)?;
            format!("{} | {}", ratios.rate, ratios.cpu)
        }
        None => " | ".to_owned(),
    };
    let rate = if rate < 100.0 { format!("{rate:.1}") } else { format!("{rate:.0}") };
    Ok(format!("{rate} | {cpu:.0} µs | {ratios}"))
}

fn latencies(latency: &[Latency]) -> Result<String> {
    if latency.is_empty() {
        return Ok(" | | ".to_owned());
    }
    let median = |of: fn(&Latency) -> u64| {
        Spread::of(latency.iter().map(|latency| of(latency) as f64).collect()).map(|spread| spread.median)
    };
    Ok(format!("{:.0} µs | {:.0} µs | {:.0} µs", median(|l| l.p50)?, median(|l| l.p99)?, median(|l| l.p999)?))
}

fn memory(all: &[Memory], text: &mut String) -> Result<()> {
    writeln!(text, "\n## Memory of many sites\n")?;
    writeln!(
        text,
        "Small Django sites on one Apache with 16 prefork children, one process of 2 threads for each site (mod_python: an interpreter for \
         each site in every child). *Warm*: every site has served its page wherever it can be served. PSS in MB.\n"
    )?;
    writeln!(
        text,
        "| sites | server | Apache | supervisor | workers | together |\n|---|---|---|---|---|---|"
    )?;
    for memory in all {
        let of = |kind: &str| match memory.kinds.get(kind) {
            Some((count, size)) => format!("{size:.1} in {count}"),
            None => "–".to_owned(),
        };
        let warm = if memory.warm { "warm" } else { "idle" };
        writeln!(
            text,
            "| {} {warm} | {} | {} | {} | {} | **{:.0}** |",
            memory.sites,
            memory.peer.name(),
            of("apache2"),
            of("supervisor"),
            of("worker"),
            memory.total()
        )?;
    }
    Ok(())
}
