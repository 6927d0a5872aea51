//! Writing lines to Apache's error logs as httpd's default `ErrorLogFormat` does, without ever waiting for the log.
//! What is worth a line is the caller's decision.

use std::os::fd::OwnedFd;
use std::time::SystemTime;

use spec::log::NO_LIMIT;

use crate::codes::{Code, Level};
use crate::sink::Sink;
use crate::text::{self, CONTINUED};

/// An error log, and what it did not take.
#[derive(Debug)]
pub struct Log {
    sink: Sink,
    /// `LogLevel`, as httpd's number.
    limit: u8,
    dropped: u64,
}

impl Log {
    /// Writes to this file, pipe or terminal.
    #[must_use]
    pub fn new(file: OwnedFd) -> Self {
        Self::limited(file, NO_LIMIT)
    }

    /// Writes what this `LogLevel` (as httpd's number) lets through.
    #[must_use]
    pub fn limited(file: OwnedFd, limit: u8) -> Self {
        Self { sink: Sink::new(file), limit, dropped: 0 }
    }

    /// Goes on in another file, after a rotation of logs.
    pub fn replace(&mut self, file: OwnedFd, limit: u8) {
        let dropped = self.dropped;
        *self = Self { dropped, ..Self::limited(file, limit) };
    }

    /// Whether lines of this level are written.
    #[must_use]
    pub fn takes(&self, level: Level) -> bool {
        level.passes(self.limit)
    }

    /// Lets the process's standard output and error lead here as well: what is written there (a panic, a message of the C
    /// library) belongs into the log, and a log that was rotated away must not be held open.
    pub fn take_standard_streams(&self) {
        // It fails for no open descriptor; the streams stay as they are then.
        let _same = rustix::stdio::dup2_stdout(&self.sink);
        let _same = rustix::stdio::dup2_stderr(&self.sink);
    }

    /// A coded line of the supervisor's own.
    pub fn say(&mut self, code: Code, facts: &str) {
        if !self.takes(code.level()) {
            return;
        }
        let (number, advice) = (code.number(), code.advice());
        let space = if advice.is_empty() { "" } else { " " };
        let line = format!("WSGI{number:04}: {facts}{space}{advice}");
        let prefix = prefix(code.level(), std::process::id().cast_signed(), None);
        self.write(&prefix, std::iter::once(text::escaped(line.as_bytes())));
    }

    /// Lines of one level that a worker of a group has printed, each with its end.
    pub fn relay(&mut self, group: &str, pid: i32, level: Level, lines: &[u8]) {
        if !lines.is_empty() && self.takes(level) {
            let lines = lines.strip_suffix(b"\n").unwrap_or(lines).split(|byte| *byte == b'\n');
            self.write(&prefix(level, pid, Some(group)), lines.map(text::escaped));
        }
    }

    /// Writes lines with the same beginning, as many at once as the log takes whole.
    fn write(&mut self, prefix: &str, lines: impl Iterator<Item = String>) {
        let room = self.sink.longest_line().saturating_sub(prefix.len() + CONTINUED.len() + 1).max(64);
        let (mut record, mut count) = (String::new(), 0);
        for line in lines {
            for (at, piece) in text::pieces(&line, room).enumerate() {
                let mark = if at == 0 { "" } else { CONTINUED };
                if record.len() + prefix.len() + mark.len() + piece.len() + 1 > self.sink.longest_record() {
                    self.put_lines(&record, count);
                    record.clear();
                    count = 0;
                }
                record.push_str(prefix);
                record.push_str(mark);
                record.push_str(piece);
                record.push('\n');
                count += 1;
            }
        }
        self.put_lines(&record, count);
    }

    fn put_lines(&mut self, record: &str, count: u64) {
        if count > 0 {
            self.report_loss();
            if !self.sink.put(record.as_bytes()) {
                self.dropped = self.dropped.saturating_add(count);
            }
        }
    }

    /// Says how many lines were lost, as soon as the log takes lines again.
    fn report_loss(&mut self) {
        if self.dropped == 0 {
            return;
        }
        let code = Code::LogDropped;
        let prefix = prefix(code.level(), std::process::id().cast_signed(), None);
        let facts = format!("{} lines were lost.", self.dropped);
        let line = format!("{prefix}WSGI{:04}: {facts} {}\n", code.number(), code.advice());
        if self.sink.put(line.as_bytes()) {
            self.dropped = 0;
        }
    }
}

fn prefix(level: Level, pid: i32, group: Option<&str>) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = unix::clock::local(SystemTime::now());
    let day = DAYS.get(at.weekday).unwrap_or(&"???");
    let month = MONTHS.get(at.month).unwrap_or(&"???");
    let mut prefix = format!(
        "[{day} {month} {:02} {:02}:{:02}:{:02}.{:06} {}] [wsgi:{}] [pid {pid}] ",
        at.day,
        at.hour,
        at.minute,
        at.second,
        at.microsecond,
        at.year,
        level.as_str()
    );
    if let Some(group) = group {
        prefix.push_str("(group ");
        text::escape_into(&mut prefix, group.as_bytes());
        prefix.push_str(") ");
    }
    prefix
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;

    #[test]
    fn lines_look_like_httpds() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut log = Log::new(writer.into());
        log.relay("a\nb", 42, Level::Error, b"hello\x1b\n");
        drop(log);
        let mut text = String::new();
        std::io::BufReader::new(reader).read_to_string(&mut text).unwrap();
        let (time, rest) = text.split_once("] ").unwrap();
        assert_eq!(rest, "[wsgi:error] [pid 42] (group a\\x0ab) hello\\x1b\n");
        assert_eq!(time.len(), "[Mon Jan 01 00:00:00.000000 2024".len(), "{time}");
    }

    #[test]
    fn log_level_applies() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut log = Log::limited(writer.into(), Level::Error as u8);
        for level in [Level::Crit, Level::Error, Level::Warn, Level::Notice, Level::Info] {
            log.relay("g", 1, level, format!("{level} line\n").as_bytes());
        }
        log.say(Code::Flood, "A warning.");
        drop(log);
        let text = std::io::read_to_string(reader).unwrap();
        let said: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("(group g) ")).map(|(_, line)| line).collect();
        assert_eq!(said, ["crit line", "error line", "notice line"], "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn a_line_that_goes_on_says_so() {
        let file = tempfile::tempfile().unwrap();
        let mut log = Log::new(file.try_clone().unwrap().into());
        let line = format!("{}\n", "\x1b".repeat(5000));
        log.relay("g", 1, Level::Error, line.as_bytes());
        let mut file = file;
        std::io::Seek::rewind(&mut file).unwrap();
        let text = std::io::read_to_string(file).unwrap();
        let pieces: Vec<&str> = text.lines().map(|line| line.split_once("(group g) ").unwrap().1).collect();
        assert_eq!(pieces.len(), 2, "{text}");
        let rest = pieces[1].strip_prefix(CONTINUED).unwrap();
        assert_eq!(format!("{}{rest}", pieces[0]), "\\x1b".repeat(5000));
    }

    #[test]
    fn a_stuck_log_never_blocks_and_the_loss_is_said() {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let mut log = Log::new(writer);
        for _ in 0..100 {
            log.relay("g", 1, Level::Error, &[b'x'; 5000]);
        }
        assert!(log.dropped > 0);
        let mut space = vec![0; 1 << 20];
        rustix::io::read(&reader, &mut space).unwrap();
        log.relay("g", 1, Level::Error, b"again\n");
        let count = rustix::io::read(&reader, &mut space).unwrap();
        let text = String::from_utf8_lossy(&space[..count]).into_owned();
        assert!(text.contains("WSGI1007") && text.contains("again"), "{text}");
        assert_eq!(log.dropped, 0);
    }
}
