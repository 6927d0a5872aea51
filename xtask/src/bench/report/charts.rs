//! The charts: rates as multiples of mod_wsgi's, one group of bars for each case, and memory by kind of process.

use anyhow::Result;

use super::Results;
use super::svg::{Drawing, Role, TEXT, Weight, room};
use crate::bench::goals::Ratios;
use crate::bench::measure::Measured;
use crate::bench::memory::{KINDS, Memory};
use crate::bench::peers::Peer;
use crate::bench::stats::Spread;

/// Height of a bar with the space below it.
const BAR: u32 = 17;
/// The space below a bar.
const SPACE: u32 = 4;
/// Above the first bar of a group: its name.
const HEAD: u32 = 24;
/// Above the first group: what the chart shows.
const TITLE: u32 = 58;
const WIDTH: u32 = 960;
const MARGIN: u32 = 20;
/// Groups side by side.
const COLUMNS: u32 = 2;
const COLUMN: u32 = (WIDTH - MARGIN) / COLUMNS;

/// A picture of the page.
pub struct Chart {
    /// Its name in the folder of the page.
    pub file: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// `None` when there is nothing to show.
    pub svg: Option<String>,
}

/// All charts of these results.
pub fn all(results: &Results) -> Result<[Chart; 3]> {
    let (goals, others): (Vec<_>, Vec<_>) = results.measured.iter().partition(|found| found.case.is_goal());
    let of = |file, title, measured| rates(title, measured).map(|svg| Chart { file, title, svg });
    let title = "Memory of Django sites on one Apache, in MB";
    Ok([
        of("goals.svg", "Answers per second, to mod_wsgi's daemon mode: the cases with goals", goals)?,
        of("other.svg", "Answers per second, to mod_wsgi's daemon mode: other cases", others)?,
        Chart { file: "memory.svg", title, svg: memory(title, &results.memory) },
    ])
}

/// A bar of a case.
struct Bar {
    peer: Peer,
    ratio: Spread,
}

fn bars(measured: &Measured) -> Result<Vec<Bar>> {
    let Some(base) = measured.seen.get(&Peer::ModWsgi) else { return Ok(Vec::new()) };
    let bar = |(peer, seen): (&Peer, _)| Ok(Bar { peer: *peer, ratio: Ratios::of(seen, base)?.rate });
    let mut bars = measured.seen.iter().map(bar).collect::<Result<Vec<_>>>()?;
    bars.sort_by(|a, b| b.ratio.median.total_cmp(&a.ratio.median));
    Ok(bars)
}

fn rates(title: &str, measured: Vec<&Measured>) -> Result<Option<String>> {
    let mut groups = Vec::new();
    for found in measured {
        let bars = bars(found)?;
        // mod_wsgi beside itself says nothing.
        if bars.len() > 1 {
            groups.push((found.case.to_string(), bars));
        }
    }
    if groups.is_empty() {
        return Ok(None);
    }
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let names = all().map(|bar| room(bar.peer.name())).fold(0.0, f64::max) + 14.0;
    let mut drawing = Drawing::default();
    let note = "Medians of the rounds' ratios, longest first; thin lines: their intervals; upright lines: mod_wsgi. Each case has its own scale.";
    heading(&mut drawing, title, note);
    let mut top = TITLE;
    for row in groups.chunks(COLUMNS as usize) {
        for (column, (case, bars)) in row.iter().enumerate() {
            let left = f64::from(MARGIN + column as u32 * COLUMN);
            group(&mut drawing, case, bars, (left, top), names);
        }
        top += HEAD + row.iter().map(|(_, bars)| bars.len() as u32 * BAR).max().unwrap_or(0) + MARGIN;
    }
    Ok(Some(drawing.finish(title, WIDTH, top)))
}

fn heading(drawing: &mut Drawing, title: &str, note: &str) {
    drawing.text(Weight::Strong, f64::from(MARGIN), 26, 16, title);
    drawing.text(Weight::Faint, f64::from(MARGIN), 45, TEXT, note);
}

fn group(drawing: &mut Drawing, case: &str, bars: &[Bar], (left, top): (f64, u32), names: f64) {
    let longest = bars.iter().map(|bar| bar.ratio.high).fold(1.0, f64::max);
    let scale = (f64::from(COLUMN - MARGIN) - names - room("00.00 ×") - 8.0) / longest;
    drawing.text(Weight::Strong, left, top + 14, 13, case);
    let (zero, first) = (left + names, top + HEAD);
    for (place, bar) in bars.iter().enumerate() {
        let top = first + place as u32 * BAR;
        let (role, weight) = match bar.peer {
            Peer::Ours => (Role::Ours, Weight::Strong),
            Peer::ModWsgi => (Role::Base, Weight::Plain),
            _ => (Role::Other, Weight::Plain),
        };
        drawing.text(weight, left, top + 11, TEXT, bar.peer.name());
        drawing.bar(role, zero, top, bar.ratio.median * scale, BAR - SPACE);
        let middle = top + (BAR - SPACE) / 2;
        if bar.ratio.high > bar.ratio.low {
            drawing.line((zero + bar.ratio.low * scale, middle), (zero + bar.ratio.high * scale, middle));
        }
        // The number stands clear of the upright line.
        let end = zero + bar.ratio.high.max(1.0) * scale + 5.0;
        drawing.text(weight, end, top + 11, TEXT, &format!("{:.2} ×", bar.ratio.median));
    }
    drawing.line((zero + scale, first - 3), (zero + scale, first + bars.len() as u32 * BAR));
}

/// Bars of the processes' kinds, one behind the other; a scale for each number of sites.
fn memory(title: &str, all: &[Memory]) -> Option<String> {
    let mut groups: Vec<((u32, bool), Vec<&Memory>)> = Vec::new();
    for memory in all {
        let key = (memory.sites, memory.warm);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, group)) => group.push(memory),
            None => groups.push((key, vec![memory])),
        }
    }
    if groups.is_empty() {
        return None;
    }
    let mut drawing = Drawing::default();
    heading(&mut drawing, title, "Proportional set size (PSS) by kind of process; 16 prefork children.");
    let mut left = f64::from(MARGIN);
    for (number, kind) in (0..).zip(KINDS) {
        drawing.bar(Role::Part(number), left, TITLE, 12.0, 12);
        drawing.text(Weight::Plain, left + 17.0, TITLE + 10, TEXT, kind);
        left += room(kind) + 40.0;
    }
    let names = all.iter().map(|memory| room(memory.peer.name())).fold(0.0, f64::max) + 8.0;
    let mut top = TITLE + MARGIN + 8;
    for ((sites, warm), group) in groups {
        let heading = format!("{sites} {} sites", if warm { "warm" } else { "idle" });
        drawing.text(Weight::Strong, f64::from(MARGIN), top + 14, 13, &heading);
        top += HEAD;
        let most = group.iter().map(|memory| memory.total()).fold(1.0, f64::max);
        let scale = (f64::from(WIDTH - 2 * MARGIN) - names - room("00000 MB")) / most;
        for memory in group {
            let weight = if memory.peer == Peer::Ours { Weight::Strong } else { Weight::Plain };
            drawing.text(weight, f64::from(MARGIN), top + 11, TEXT, memory.peer.name());
            let mut left = f64::from(MARGIN) + names;
            for (number, kind) in (0..).zip(KINDS) {
                let Some((_, size)) = memory.kinds.get(kind) else { continue };
                drawing.bar(Role::Part(number), left, top, size * scale, BAR - SPACE);
                left += size * scale;
            }
            drawing.text(weight, left + 5.0, top + 11, TEXT, &format!("{:.0} MB", memory.total()));
            top += BAR;
        }
        top += MARGIN;
    }
    Some(drawing.finish(title, WIDTH, top))
}

#[cfg(test)]
mod tests {
    use super::super::tests::example;
    use super::*;

    /// The places where texts and bars end.
    fn ends(svg: &str) -> Vec<f64> {
        let attribute = |shape: &str, name: &str| {
            let rest = shape.split(&format!(" {name}=\"")).nth(1)?;
            rest.split('"').next()?.parse::<f64>().ok()
        };
        let end = |shape: &str| {
            let left = attribute(shape, "x")?;
            let text = shape.split(['>', '<']).nth(2).unwrap_or_default();
            let width = attribute(shape, "width").unwrap_or_else(|| room(text));
            Some(left + width)
        };
        svg.lines().filter_map(end).collect()
    }

    #[test]
    fn nothing_reaches_beyond_the_edge() {
        for chart in all(&example()).unwrap() {
            let Some(svg) = chart.svg else { continue };
            let ends = ends(&svg);
            assert!(ends.len() > 8, "{svg}");
            assert!(ends.iter().all(|end| *end <= f64::from(WIDTH)), "{ends:?} in {svg}");
        }
    }

    #[test]
    fn ours_stands_out_and_the_longest_is_first() {
        let [goals, other, memory] = all(&example()).unwrap();
        let svg = goals.svg.unwrap();
        assert_eq!(svg.matches("class=\"ours\"").count(), 1);
        let at = |name: &str| svg.find(&format!(">{name}</text>")).unwrap();
        assert!(at("granian") < at("ours") && at("ours") < at("mod_wsgi"));
        assert!(svg.contains("3.10 ×") && svg.contains("prefers-color-scheme: dark"));
        assert!(other.svg.is_none());
        let svg = memory.svg.unwrap();
        assert!(svg.contains("216 MB"), "{svg}");
    }
}
