//! Lines that belong to no request: they go to standard error, which the supervisor passes on to the group's error log.

use std::fmt::Display;
use std::io::Write;
use std::time::Duration;

use gateway::Code;
use rustix::event::{PollFd, PollFlags, poll};
use unix::channel::timespec;

/// How long a line may wait for a reader of the log that has fallen behind.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes a coded line; see [`line`].
pub fn report(code: Code, facts: impl Display) {
    line(&code.line(facts));
}

/// Writes one line in one call; drops it when nobody reads the log. Nobody could be told.
pub fn line(text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    let stderr = std::io::stderr();
    // A pipe that poll(2) calls writable takes a line of this length without blocking (pipe(7)).
    let ready = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&timespec(PATIENCE)));
    if ready != Ok(0) {
        let _ = stderr.lock().write_all(line.as_bytes());
    }
}
