//! Severities of log lines, and how a worker writes one on its way through a pipe to the supervisor.

use std::fmt;

/// Severity, named and numbered as in httpd's `LogLevel` (and syslog).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something is broken that a human has to look at.
    Crit = 2,
    /// A request or a process failed.
    Error = 3,
    /// Something may not work as wanted.
    Warn = 4,
    /// Good to know.
    Notice = 5,
    /// Seen with `LogLevel wsgi:info` only.
    Info = 6,
    /// Seen with `LogLevel wsgi:debug` only.
    Debug = 7,
}

impl Level {
    const ALL: [Self; 6] = [Self::Crit, Self::Error, Self::Warn, Self::Notice, Self::Info, Self::Debug];

    /// As httpd writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crit => "crit",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }

    /// Whether a server with this `LogLevel` (as a number) logs it. As in httpd, what is notice always is.
    #[must_use]
    pub fn passes(self, limit: u8) -> bool {
        self == Self::Notice || self as u8 <= limit
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The largest `LogLevel` as a number: everything is logged.
pub const NO_LIMIT: u8 = Level::Debug as u8;

/// Begins a line of a worker that says its level; as in the kernel's own log (`KERN_SOH`), a character that text does not have.
const MARK: u8 = 0x01;

/// What a worker writes before a line of this level.
#[must_use]
pub fn mark(level: Level) -> [char; 2] {
    [char::from(MARK), char::from(b'0' + level as u8)]
}

/// The level of a line, and the line without its mark. A line without one was printed, which has the level error.
#[must_use]
pub fn unmark(line: &[u8]) -> (Level, &[u8]) {
    if let [MARK, digit, rest @ ..] = line
        && let Some(level) = Level::ALL.into_iter().find(|level| b'0' + *level as u8 == *digit)
    {
        return (level, rest);
    }
    (Level::Error, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_line_has_its_level() {
        for level in Level::ALL {
            let line = format!("{}{}text", mark(level)[0], mark(level)[1]);
            assert_eq!(unmark(line.as_bytes()), (level, &b"text"[..]));
        }
        for line in ["", "\u{1}", "\u{1}9x", "\u{1}1x", "3x", "text"] {
            assert_eq!(unmark(line.as_bytes()), (Level::Error, line.as_bytes()));
        }
    }

    #[test]
    fn log_level_hides_what_is_less_grave_but_never_a_notice() {
        assert!(Level::Warn.passes(4) && !Level::Info.passes(4) && Level::Notice.passes(4));
        assert!(!Level::Error.passes(2) && Level::Crit.passes(2) && Level::Debug.passes(NO_LIMIT));
    }
}
