//! Sums up repeated measurements: the median, and the interval in which the true one lies.

use std::fmt;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// How sure an interval has to be, where there are enough measurements for it.
const SURE: f64 = 0.9;
/// Ratios whose interval is wider than this part of their median tell little.
const TOO_WIDE: f64 = 0.5;

/// The middle of some numbers, and an interval around it.
///
/// The interval goes from one of the measurements to another: from the smallest to the largest of up to seven; of more, as many are
/// left out at both ends as [`sureness`] allows. This holds for any distribution of the numbers.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How many numbers there were.
    pub count: usize,
}

impl Spread {
    /// Of at least one number.
    pub fn of(mut numbers: Vec<f64>) -> Result<Self> {
        if numbers.is_empty() {
            bail!("there is no measurement to sum up");
        }
        numbers.sort_by(f64::total_cmp);
        let count = numbers.len();
        let middle = count / 2;
        let median = if count % 2 == 1 {
            numbers[middle]
        } else {
            f64::midpoint(numbers[middle - 1], numbers[middle])
        };
        let out = left_out(count);
        Ok(Self { median, low: numbers[out], high: numbers[count - 1 - out], count })
    }

    /// Whether the interval is so wide that the median tells little.
    pub fn is_vague(&self) -> bool {
        let width = (self.high - self.low) / self.median;
        width.is_nan() || width > TOO_WIDE
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "**{:.2}** ({:.2}–{:.2})", self.median, self.low, self.high)
    }
}

/// How many of `count` sorted numbers lie outside of the interval at each end.
fn left_out(count: usize) -> usize {
    let mut out = 0;
    while 2 * (out + 1) < count && sureness(count, out + 1) >= SURE {
        out += 1;
    }
    out
}

/// The probability that the true median lies between the sorted numbers that remain when `out` of `count` are left out at each end:
/// each number lies below it or above it like a coin that is tossed, so this is a sum of the binomial distribution.
pub fn sureness(count: usize, out: usize) -> f64 {
    let mut term = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut outside = 0.0;
    for below in 0..=out {
        outside += term;
        term *= (count - below) as f64 / (below + 1) as f64;
    }
    1.0 - 2.0 * outside
}

/// How sure the intervals of `rounds` measurements are.
pub fn of_rounds(rounds: u32) -> f64 {
    let count = rounds as usize;
    sureness(count, left_out(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        let spread = Spread::of(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread.to_string(), "**2.50** (1.00–4.00)");
        assert!(spread.is_vague());
        assert!(!Spread::of(vec![1.0, 1.1, 1.2]).unwrap().is_vague());
        assert!(Spread::of(Vec::new()).is_err());
    }

    #[test]
    fn a_ratio_that_is_no_number_is_vague() {
        assert!(Spread::of(vec![f64::NAN]).unwrap().is_vague());
        assert!(Spread::of(vec![0.0, 0.0]).unwrap().is_vague());
    }

    #[test]
    fn all_of_a_few_numbers_and_the_inner_ones_of_many_make_the_interval() {
        // Of 5 numbers all are on the same side of the true median once in 16.
        assert!((of_rounds(5) - 0.9375).abs() < 1e-12);
        assert!((of_rounds(3) - 0.75).abs() < 1e-12);
        assert_eq!([1, 2, 3, 5, 7, 8, 11].map(left_out), [0, 0, 0, 0, 0, 1, 2]);
        // Tables of the sign test: 1 of 8 left out at each end is 93 %, 2 of 11 are 93.5 %.
        assert!((sureness(8, 1) - 0.929_687_5).abs() < 1e-12);
        assert!((sureness(11, 2) - 0.934_570_3).abs() < 1e-6);
        let spread = Spread::of((1..=8).map(f64::from).collect()).unwrap();
        assert_eq!(spread.to_string(), "**4.50** (2.00–7.00)");
    }
}
