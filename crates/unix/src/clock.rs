//! Deadlines, and the wall clock as log lines show it: local time, broken into its parts.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// `now + duration`, which cannot overflow: ten years from now are as good as never.
#[must_use]
pub fn later(now: Instant, duration: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(10 * 365 * 86_400);
    now.checked_add(duration.min(FAR)).unwrap_or(now)
}

/// A moment in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Full year.
    pub year: i64,
    /// From 0 (January).
    pub month: usize,
    /// Day of the month, from 1.
    pub day: u32,
    /// From 0 (Sunday).
    pub weekday: usize,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60.
    pub second: u32,
    /// Microseconds of the second.
    pub microsecond: u32,
}

/// `time` in the zone of this process (`TZ` or /etc/localtime). The epoch when the C library cannot tell.
#[must_use]
pub fn local(time: SystemTime) -> LocalTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds: libc::time_t = since.as_secs().try_into().unwrap_or_default();
    // SAFETY: all-zero is a valid `tm` (numbers and a pointer that nobody reads).
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call, which writes `parts` only. It reads the environment; our programs
    // that call this never change theirs.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    LocalTime {
        year: i64::from(parts.tm_year) + 1900,
        month: usize::try_from(parts.tm_mon).unwrap_or_default(),
        day: parts.tm_mday.unsigned_abs(),
        weekday: usize::try_from(parts.tm_wday).unwrap_or_default(),
        hour: parts.tm_hour.unsigned_abs(),
        minute: parts.tm_min.unsigned_abs(),
        second: parts.tm_sec.unsigned_abs(),
        microsecond: since.subsec_micros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_durations_do_not_overflow() {
        let now = Instant::now();
        assert_eq!(later(now, Duration::from_secs(5)), now + Duration::from_secs(5));
        assert!(later(now, Duration::MAX) > now + Duration::from_secs(365 * 86_400));
    }

    #[test]
    fn parts_are_in_range() {
        let now = local(SystemTime::now());
        assert!(now.year >= 2024 && now.month < 12 && now.weekday < 7 && (1..=31).contains(&now.day));
    }
}
