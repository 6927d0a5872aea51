//! Sums up repeated measurements: medians, spreads, and whether the machine was quiet enough to tell anything.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::Serialize;

/// The middle of some numbers and how far they reach.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of at least one number.
    pub fn of(mut numbers: Vec<f64>) -> Result<Self> {
        numbers.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (numbers.first(), numbers.last()) else {
            bail!("there is no measurement to sum up")
        };
        let middle = numbers.len() / 2;
        let median = if numbers.len() % 2 == 1 {
            numbers[middle]
        } else {
            f64::midpoint(numbers[middle - 1], numbers[middle])
        };
        Ok(Self { median, least, most })
    }

    /// How far the numbers reach, as a part of their median.
    pub fn width(&self) -> f64 {
        (self.most - self.least) / self.median
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "**{:.2}** ({:.2}–{:.2})", self.median, self.least, self.most)
    }
}

/// Ratios that reach further than this, as a part of their median, tell little.
pub const TOO_WIDE: f64 = 0.5;
/// The machine is called noisy when a fixed piece of work takes this much longer at times.
const TOO_SLOW: f64 = 1.25;

/// How long a fixed piece of work takes, now and then: the noise of the machine itself.
#[derive(Debug, Default)]
pub struct Noise(Vec<f64>);

impl Noise {
    /// Does the work once, about 20 ms, when no load is made.
    pub fn probe(&mut self) {
        let start = Instant::now();
        let mut value = 1_u64;
        for step in 0..2_000_000_u64 {
            value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step));
        }
        std::hint::black_box(value);
        self.0.push(start.elapsed().as_secs_f64());
    }

    /// A warning when the work took very different times.
    pub fn warning(&self) -> Option<String> {
        let spread = Spread::of(self.0.clone()).ok()?;
        let slower = spread.most / spread.least;
        (slower > TOO_SLOW).then(|| {
            format!(
                "the machine is noisy: a fixed piece of work took between {:?} and {:?} ({slower:.2} times); close other programs, or \
                 take the ratios as rough",
                Duration::from_secs_f64(spread.least),
                Duration::from_secs_f64(spread.most)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.to_string(), "**2.50** (1.00–4.00)");
        assert!((spread.width() - 1.2).abs() < 1e-9);
        assert!(Spread::of(Vec::new()).is_err());
    }

    #[test]
    fn noise_is_told_with_its_size() {
        assert!(Noise(vec![0.02, 0.021]).warning().is_none());
        let warning = Noise(vec![0.02, 0.03]).warning().unwrap();
        assert!(warning.contains("20ms") && warning.contains("30ms"), "{warning}");
    }
}
