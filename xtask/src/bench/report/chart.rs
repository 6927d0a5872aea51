//! The chart: for each case with small requests, the servers' rates as bars, as multiples of mod_wsgi's.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::bench::goals::Ratios;
use crate::bench::measure::Measured;
use crate::bench::peers::Peer;

/// Height of one bar in pixels.
const BAR: u32 = 16;
/// Space between cases in pixels.
const GAP: u32 = 34;
const WIDTH: u32 = 900;
/// Where bars begin.
const LEFT: u32 = 190;
/// Room for the number behind the longest bar.
const RIGHT: u32 = 70;

/// A bar: the name and how many times mod_wsgi's rate.
struct Bar {
    name: &'static str,
    ratio: f64,
    ours: bool,
}

/// The chart as SVG.
pub fn rates(measured: &[Measured]) -> Result<String> {
    let groups: Vec<(String, Vec<Bar>)> =
        measured.iter().map(|case| Ok((case.case.to_string(), bars(case)?))).collect::<Result<_>>()?;
    let groups: Vec<_> = groups.into_iter().filter(|(_, bars)| bars.len() > 1).collect();
    let height: u32 = groups.iter().map(|(_, bars)| GAP + BAR * bars.len() as u32).sum::<u32>() + GAP;
    let longest = groups.iter().flat_map(|(_, bars)| bars).map(|bar| bar.ratio).fold(1.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        draw(&area, &groups, longest).map_err(|error| anyhow!("the chart cannot be drawn: {error}"))?;
    }
    Ok(svg)
}

fn bars(measured: &Measured) -> Result<Vec<Bar>> {
    let Some(base) = measured.seen.get(&Peer::ModWsgi) else { return Ok(Vec::new()) };
    let bar = |(peer, seen): (&Peer, _)| {
        let ratio = Ratios::of(seen, base)?.rate.median;
        Ok(Bar { name: peer.name(), ratio, ours: *peer == Peer::Ours })
    };
    measured.seen.iter().map(bar).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(
    area: &Area<'_>,
    groups: &[(String, Vec<Bar>)],
    longest: f64,
) -> Result<(), Box<dyn std::error::Error>> {
    area.fill(&WHITE)?;
    let heading = ("sans-serif", 15).into_font();
    let text = ("sans-serif", 12).into_font();
    let mut top = 8;
    let title = "Answers per second, as multiples of mod_wsgi's daemon mode in the same round (medians)";
    area.draw(&Text::new(title, (8, top), heading.clone()))?;
    top += BAR.cast_signed() + 6;
    for (case, bars) in groups {
        area.draw(&Text::new(case.clone(), (8, top), heading.clone()))?;
        top += 20;
        for bar in bars {
            let length = (bar.ratio / longest * f64::from(WIDTH - LEFT - RIGHT)).max(1.0) as i32;
            let left = LEFT.cast_signed();
            let color = if bar.ours { RGBColor(201, 87, 31) } else { RGBColor(120, 140, 160) };
            let corners = [(left, top), (left + length, top + BAR.cast_signed() - 3)];
            area.draw(&Rectangle::new(corners, color.filled()))?;
            area.draw(&Text::new(bar.name, (16, top), text.clone()))?;
            area.draw(&Text::new(format!("{:.2}", bar.ratio), (left + length + 6, top), text.clone()))?;
            top += BAR.cast_signed();
        }
        top += (GAP - 20).cast_signed();
    }
    area.present()?;
    Ok(())
}
