//! Lines that belong to no request: they go to standard error, which the supervisor passes on to the group's error log.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::time::Duration;

use gateway::Code;
use rustix::event::{PollFd, PollFlags, poll};
use spec::catalogue;
use spec::log::{Level, mark};
use unix::channel::timespec;

/// How long a line may wait for a reader of the log that has fallen behind.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a coded line at the level that the catalogue has for it; see [`write`].
pub fn report(code: Code, facts: impl Display) {
    let entry = catalogue::find(code.number());
    write(entry.map_or(Level::Error, |entry| entry.level), &code.line(facts));
}

/// Writes lines of one level in one call; drops them when nobody reads the log. Nobody could be told.
pub fn write(level: Level, text: &str) {
    let [begin, number] = mark(level);
    let mut lines = String::with_capacity(text.len() + 3);
    for line in text.split_terminator('\n') {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{begin}{number}{line}");
    }
    let stderr = std::io::stderr();
    // A pipe that poll(2) calls writable takes a line of this length without blocking (pipe(7)).
    let ready = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&timespec(PATIENCE)));
    if ready != Ok(0) {
        let _ = stderr.lock().write_all(lines.as_bytes());
    }
}
