//! How much of what a group's workers print goes into the log: so many lines in a second, rows of empty lines shortened, the
//! rest counted. Pure; time is an argument. What lines look like in the log is `log`'s part.

use std::time::{Duration, Instant};

/// Lines of a group in a second, in the long run. Generous: an application that logs more has a log of its own.
const PER_SECOND: u32 = 2000;
/// Lines that may come at once after a silence: the tracebacks of a hundred failing requests.
const BURST: u32 = 2 * PER_SECOND;
/// Empty lines in a row that are kept; more of them tell nothing.
const EMPTY_ROW: u32 = 2;
/// How often it is said that lines were left out.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The share of one group.
#[derive(Debug)]
pub struct Throttle {
    lines: u32,
    filled: Instant,
    left_out: u64,
    report: Option<Instant>,
}

impl Throttle {
    /// A whole burst is free.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { lines: BURST, filled: now, left_out: 0, report: None }
    }

    /// Whether a line is to be logged; one that is not is counted.
    pub fn admit(&mut self, line: &[u8], row: &mut EmptyRow, now: Instant) -> bool {
        self.fill(now);
        let admitted = row.admit(line) && self.lines > 0;
        if admitted {
            self.lines -= 1;
        } else {
            self.left_out = self.left_out.saturating_add(1);
            self.report.get_or_insert(now + REPORT_EVERY);
        }
        admitted
    }

    /// How many lines were left out, when it is time to say so.
    pub fn take_report(&mut self, now: Instant) -> Option<u64> {
        self.report.take_if(|due| *due <= now)?;
        Some(std::mem::take(&mut self.left_out))
    }

    /// When [`Self::take_report`] has something to say.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.report
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled);
        let earned = passed.as_micros().saturating_mul(u128::from(PER_SECOND)) / 1_000_000;
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.lines = self.lines.saturating_add(earned).min(BURST);
            self.filled = now;
        }
    }
}

/// The empty lines that have just come in a row from one worker.
#[derive(Debug, Default)]
pub struct EmptyRow(u32);

impl EmptyRow {
    fn admit(&mut self, line: &[u8]) -> bool {
        self.0 = if line.is_empty() { self.0.saturating_add(1) } else { 0 };
        self.0 <= EMPTY_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(throttle: &mut Throttle, lines: usize, text: &[u8], now: Instant) -> usize {
        let mut row = EmptyRow::default();
        (0..lines).filter(|_| throttle.admit(text, &mut row, now)).count()
    }

    #[test]
    fn lg_2_a_flood_is_limited_and_what_is_left_out_is_counted() {
        let now = Instant::now();
        let mut throttle = Throttle::new(now);
        assert_eq!(admitted(&mut throttle, 10_000, b"x", now), BURST as usize);
        assert_eq!(throttle.take_report(now), None);
        let later = now + REPORT_EVERY;
        assert_eq!(throttle.deadline(), Some(later));
        assert_eq!(throttle.take_report(later), Some(10_000 - u64::from(BURST)));
        assert_eq!((throttle.take_report(later), throttle.deadline()), (None, None));
        assert_eq!(admitted(&mut throttle, 10_000, b"x", later), PER_SECOND as usize);
        // Many short steps earn as much as a long one.
        let steps =
            (1..=1000).map(|step| admitted(&mut throttle, 10, b"x", later + Duration::from_millis(step)));
        assert_eq!(steps.sum::<usize>(), PER_SECOND as usize);
        assert_eq!(admitted(&mut throttle, 9_999, b"x", later + Duration::from_secs(3600)), BURST as usize);
    }

    #[test]
    fn lg_2_rows_of_empty_lines_are_shortened() {
        let now = Instant::now();
        let (mut throttle, mut row) = (Throttle::new(now), EmptyRow::default());
        let text = b"one\n\ntwo\n\n\n\n\nthree\n\n";
        let kept: Vec<&[u8]> =
            text.split(|byte| *byte == b'\n').filter(|line| throttle.admit(line, &mut row, now)).collect();
        assert_eq!(kept, [&b"one"[..], b"", b"two", b"", b"", b"three", b"", b""]);
        assert_eq!(throttle.take_report(now + REPORT_EVERY), Some(2));
    }
}
