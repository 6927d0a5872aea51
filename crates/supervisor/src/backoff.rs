//! How long to wait before a slot's next worker is started. Pure: time and chance are arguments.

use std::time::Duration;

/// A worker that was ready and lived this long was healthy: its slot starts over at no delay.
pub const HEALTHY_AFTER: Duration = Duration::from_secs(10);

const LONGEST_SECONDS: u64 = 60;
/// Beyond this many doublings the delay is at its ceiling; the exponent never grows above it, so it cannot overflow.
const MOST_DOUBLINGS: u32 = 6;

/// Delays of 0, 1, 2, 4 ... 60 s, each but the first spread by ±20 %, so that slots that fail together do not stay together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackOff {
    failures: u32,
}

impl BackOff {
    /// The delay before the next start, after one more failure. `chance` is any random number.
    pub fn next(&mut self, chance: u32) -> Duration {
        let seconds = match self.failures {
            0 => 0,
            failures => (1_u64 << (failures - 1).min(MOST_DOUBLINGS)).min(LONGEST_SECONDS),
        };
        self.failures = self.failures.saturating_add(1);
        Duration::from_millis(seconds * (800 + u64::from(chance % 401)))
    }

    /// The slot's worker was healthy.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The middle of the spread: no jitter.
    const MIDDLE: u32 = 200;

    #[test]
    fn cr_1_delays_double_up_to_sixty_seconds() {
        let mut back_off = BackOff::default();
        let delays: Vec<u64> = (0..9).map(|_| back_off.next(MIDDLE).as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[test]
    fn cr_1_at_most_ten_starts_in_the_first_minute() {
        let mut back_off = BackOff::default();
        let (mut at, mut starts) = (Duration::ZERO, 0);
        while at < Duration::from_secs(60) {
            starts += 1;
            at += back_off.next(0);
        }
        assert!(starts <= 10, "{starts}");
    }

    #[test]
    fn cr_2_a_million_failures_stay_between_floor_and_ceiling() {
        let mut back_off = BackOff { failures: 7 };
        for n in 0..1_000_000_u32 {
            let delay = back_off.next(n.wrapping_mul(2_654_435_761));
            assert!((48_000..=72_000).contains(&delay.as_millis()), "{delay:?} after {n}");
        }
    }

    proptest! {
        #[test]
        fn cr_2_no_count_of_failures_wraps(failures: u32, chance: u32) {
            let mut back_off = BackOff { failures };
            let delay = back_off.next(chance).as_millis();
            prop_assert!(delay <= 72_000);
            prop_assert!(failures == 0 || delay >= 800);
            prop_assert!(failures < 7 || delay >= 48_000);
        }
    }
}
