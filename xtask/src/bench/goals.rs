//! What the comparison has to show: ratios of ours to mod_wsgi's, and how far they have to go.

use std::fmt;

use anyhow::{Result, bail};

use super::load::Sample;
use super::{Measured, Scenario};

/// The middle of some numbers and how far they reach.
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of at least one number.
    pub fn of(mut numbers: Vec<f64>) -> Result<Self> {
        numbers.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (numbers.first(), numbers.last()) else {
            anyhow::bail!("there is no measurement to sum up")
        };
        let middle = numbers.len() / 2;
        let median = if numbers.len() % 2 == 1 {
            numbers[middle]
        } else {
            f64::midpoint(numbers[middle - 1], numbers[middle])
        };
        Ok(Self { median, least, most })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "**{:.2}** ({:.2}–{:.2})", self.median, self.least, self.most)
    }
}

/// Ours to mod_wsgi's, within each round.
pub struct Ratios {
    /// Answers per second.
    pub rate: Spread,
    /// CPU time per answer.
    pub cpu: Spread,
}

impl Ratios {
    /// The ratios of some rounds, ours first in each.
    pub fn of(samples: &[[Sample; 2]]) -> Result<Self> {
        Ok(Self {
            rate: Spread::of(samples.iter().map(|[ours, theirs]| ours.rate / theirs.rate).collect())?,
            cpu: Spread::of(samples.iter().map(|[ours, theirs]| ours.cpu / theirs.cpu).collect())?,
        })
    }
}

/// What the medians of the ratios have to be.
pub struct Goal {
    /// Answers per second, at least.
    rate: f64,
    /// CPU time per answer, at most.
    cpu: Option<f64>,
}

impl Goal {
    /// The goal of a scenario.
    pub const fn of(scenario: Scenario) -> Self {
        match scenario {
            Scenario::Hello => Self { rate: 2.5, cpu: Some(0.45) },
            Scenario::File => Self { rate: 2.0, cpu: None },
        }
    }

    /// The goal and whether it is met, for the table.
    pub fn shown(&self, ratios: &Ratios) -> String {
        let cpu = self.cpu.map(|most| format!(", CPU ≤ {most:.2}")).unwrap_or_default();
        let word = if self.missed(ratios).is_empty() { "met" } else { "missed" };
        format!("rate ≥ {:.2}{cpu}: {word}", self.rate)
    }

    /// What is missed, each a part of a sentence.
    fn missed(&self, ratios: &Ratios) -> Vec<String> {
        let mut missed = Vec::new();
        let (rate, cpu) = (ratios.rate.median, ratios.cpu.median);
        // A ratio that is no number reaches nothing.
        let reached = rate >= self.rate;
        if !reached {
            missed.push(format!(
                "its rate is {rate:.3} times mod_wsgi's and has to be at least {:.2}",
                self.rate
            ));
        }
        if let Some(most) = self.cpu {
            let within = cpu <= most;
            if !within {
                missed.push(format!(
                    "its CPU time per request is {cpu:.3} times mod_wsgi's and may be at most {most:.2}"
                ));
            }
        }
        missed
    }
}

/// Fails, with what was missed, unless all goals are met.
pub fn check(measured: &[Measured]) -> Result<()> {
    let mut missed = Vec::new();
    for Measured { scenario, samples } in measured {
        let ratios = Ratios::of(samples)?;
        missed.extend(
            Goal::of(*scenario).missed(&ratios).into_iter().map(|part| format!("{scenario}: {part}")),
        );
    }
    if !missed.is_empty() {
        bail!("the goal is missed (medians): {}", missed.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.to_string(), "**2.50** (1.00–4.00)");
    }

    #[test]
    fn a_missed_goal_is_told_with_both_numbers() {
        let sample = |rate, cpu| Sample { rate, cpu };
        let met = [[sample(250.0, 45.0), sample(100.0, 100.0)]];
        let slow = [[sample(249.0, 46.0), sample(100.0, 100.0)]];
        let of =
            |samples: &[[Sample; 2]]| vec![Measured { scenario: Scenario::Hello, samples: samples.to_vec() }];
        assert!(check(&of(&met)).is_ok());
        let error = check(&of(&slow)).unwrap_err().to_string();
        assert!(error.contains("2.490") && error.contains("2.50"), "{error}");
        assert!(error.contains("0.460") && error.contains("0.45"), "{error}");
        let none = [[sample(0.0, 0.0), sample(0.0, 0.0)]];
        assert!(check(&of(&none)).is_err());
    }
}
