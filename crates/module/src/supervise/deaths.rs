//! When a supervisor that has died is followed by a new one: at once, unless it happens too often. Pure; time is an argument.

use std::time::{Duration, Instant};

/// Deaths longer ago do not count.
const MEMORY: Duration = Duration::from_secs(60);
/// So many in that time are answered at once.
const AT_ONCE: usize = 3;
const LONGEST: Duration = Duration::from_secs(60);

/// The supervisors that died under one configuration.
#[derive(Debug, Default)]
pub struct Deaths {
    recent: Vec<Instant>,
    due: Option<Instant>,
}

impl Deaths {
    /// Notes a death, or a start that failed. Returns how long to wait before the next start.
    pub fn note(&mut self, now: Instant) -> Duration {
        self.recent.retain(|death| now.saturating_duration_since(*death) < MEMORY);
        self.recent.push(now);
        let excess = u32::try_from(self.recent.len().saturating_sub(AT_ONCE)).unwrap_or(u32::MAX);
        let wait = match excess {
            0 => Duration::ZERO,
            n => Duration::from_secs(1 << n.min(6)).min(LONGEST),
        };
        self.due = Some(now + wait);
        wait
    }

    /// True once when the time for a start has come.
    pub fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_deaths_are_answered_at_once_and_more_wait_longer() {
        let (mut deaths, now) = (Deaths::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(deaths.note(now), Duration::ZERO);
            assert!(deaths.take_due(now) && !deaths.take_due(now));
        }
        assert_eq!(deaths.note(now).as_secs(), 2);
        assert!(!deaths.take_due(now) && deaths.take_due(now + Duration::from_secs(2)));
        let waits: Vec<u64> = (0..10).map(|_| deaths.note(now).as_secs()).collect();
        assert_eq!(waits, [4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
        assert_eq!(deaths.note(now + Duration::from_secs(61)), Duration::ZERO);
    }
}
