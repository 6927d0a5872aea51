//! What workers print, on its way to the logs: in turns, so that a worker that floods its pipe slows down itself and nobody else.
//! How many lines are kept is `throttle`'s part, what they look like `log`'s.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use spec::log::unmark;

use super::Server;
use super::sources::Source;
use crate::codes::{Code, Level};
use crate::group::WorkerId;
use crate::log::Log;
use crate::text::{CONTINUED, LineBuffer};
use crate::throttle::{EmptyRow, Throttle};

/// Bytes that one worker's output may take of one turn: others wait.
const TURN_BUDGET: usize = 64 * 1024;
/// A pipe that has more than that is not read for this time, and for as much again for every other such pipe: all floods
/// together take a few per cent of a processor, and none of them stands still.
const PAUSE: Duration = Duration::from_millis(10);
/// Output that is still read when a worker has ended (a pipe holds up to 1 MiB).
const LAST_BUDGET: usize = 1024 * 1024;
/// Log pipes that are kept open for processes that workers have left behind.
const MOST_ORPHANED_OUTPUTS: usize = 64;

/// What a worker, or a process that it has left behind, prints.
pub(super) struct Output {
    key: u64,
    group: String,
    pid: i32,
    pipe: OwnedFd,
    lines: LineBuffer,
    /// Of the line that was taken last: a long one goes on with it.
    level: Level,
    row: EmptyRow,
    /// When it is read again, while it is not.
    paused: Option<Instant>,
}

/// How a turn ended.
#[derive(PartialEq, Eq)]
enum Turn {
    /// Nothing is there now.
    Empty,
    /// There may be more.
    Spent,
    /// The end of the stream.
    Ended,
}

impl Output {
    pub(super) fn new(key: u64, group: String, pid: i32, pipe: OwnedFd) -> Self {
        let (lines, row) = (LineBuffer::default(), EmptyRow::default());
        Self { key, group, pid, pipe, lines, level: Level::Error, row, paused: None }
    }
}

impl Server {
    pub(super) fn read_output(&mut self, id: WorkerId) {
        match self.relay(id, TURN_BUDGET) {
            Turn::Empty => {}
            Turn::Ended => self.close_output(id),
            Turn::Spent => {
                let paused = self.outputs.values().filter(|output| output.paused.is_some()).count();
                let pause = PAUSE.saturating_mul(u32::try_from(paused + 1).unwrap_or(u32::MAX));
                let Some(output) = self.outputs.get_mut(&id) else { return };
                self.sources.remove(&output.pipe);
                output.paused = Some(Instant::now() + pause);
            }
        }
    }

    /// Relays what is there, up to `budget` bytes.
    fn relay(&mut self, id: WorkerId, budget: usize) -> Turn {
        let Some(output) = self.outputs.get_mut(&id) else { return Turn::Empty };
        let entry = self.entries.iter_mut().find(|entry| entry.key == output.key);
        let (log, throttle) = match entry {
            Some(entry) => (entry.log.as_mut().unwrap_or(&mut self.main_log), &mut entry.throttle),
            None => (&mut self.main_log, &mut self.throttle),
        };
        let now = Instant::now();
        let (mut buffer, mut taken, mut kept) = ([0; 8192], 0, Kept::default());
        let turn = loop {
            if taken >= budget {
                break Turn::Spent;
            }
            match rustix::io::retry_on_intr(|| rustix::io::read(&output.pipe, &mut buffer)) {
                Ok(count @ 1..) => {
                    taken += count;
                    let bytes = buffer.get(..count).unwrap_or_default();
                    let (row, last) = (&mut output.row, &mut output.level);
                    output.lines.take(bytes, |line| {
                        let (level, text) =
                            if line.continues { (*last, line.text) } else { unmark(line.text) };
                        *last = level;
                        if log.takes(level) && throttle.admit(text, row, now) {
                            kept.push(level, text, line.continues);
                        }
                    });
                }
                Err(Errno::AGAIN) => break Turn::Empty,
                Ok(0) | Err(_) => break Turn::Ended,
            }
        };
        kept.write(log, &output.group, output.pid);
        turn
    }

    /// Relays the rest that is there, and closes the pipe.
    pub(super) fn close_output(&mut self, id: WorkerId) {
        self.relay(id, LAST_BUDGET);
        let Some(mut output) = self.outputs.remove(&id) else { return };
        self.sources.remove(&output.pipe);
        let (group, pid, last, mut rest) = (&output.group, output.pid, output.level, Kept::default());
        output.lines.finish(|line| {
            let (level, text) = if line.continues { (last, line.text) } else { unmark(line.text) };
            rest.push(level, text, line.continues);
        });
        rest.write(self.log(output.key), group, pid);
    }

    /// A worker has ended: its last words come before the line about its death.
    pub(super) fn last_words(&mut self, id: WorkerId) {
        if self.relay(id, LAST_BUDGET) == Turn::Ended {
            self.close_output(id);
        }
    }

    /// Reads paused pipes again, and says what was left out.
    pub(super) fn tick_outputs(&mut self, now: Instant) {
        for (id, output) in &mut self.outputs {
            if output.paused.is_some_and(|until| until <= now) {
                let again = self.sources.add(&output.pipe, Source::Output(*id)).is_ok();
                // Without memory for it in the kernel, it is tried again.
                output.paused = if again { None } else { Some(now + PAUSE) };
            }
        }
        for entry in &mut self.entries {
            if let Some(count) = entry.throttle.take_report(now) {
                let name = &entry.definition.name;
                let facts =
                    format!("Process group '{name}': {count} lines that its workers printed were left out.");
                entry.log.as_mut().unwrap_or(&mut self.main_log).say(Code::Flood, &facts);
            }
        }
        if let Some(count) = self.throttle.take_report(now) {
            let facts =
                format!("{count} lines of processes that former workers have left behind were left out.");
            self.main_log.say(Code::Flood, &facts);
        }
    }

    /// When [`Self::tick_outputs`] has something to do.
    pub(super) fn outputs_deadline(&self) -> Option<Instant> {
        let paused = self.outputs.values().filter_map(|output| output.paused);
        let reports = self.entries.iter().map(|entry| &entry.throttle).chain([&self.throttle]);
        paused.chain(reports.filter_map(Throttle::deadline)).min()
    }

    pub(super) fn limit_orphaned_outputs(&mut self) {
        let orphaned: Vec<WorkerId> =
            self.outputs.keys().copied().filter(|id| !self.workers.contains_key(id)).collect();
        let surplus = orphaned.len().saturating_sub(MOST_ORPHANED_OUTPUTS);
        orphaned.into_iter().take(surplus).for_each(|id| self.close_output(id));
    }
}

/// Lines for the log, in runs of the same level: mostly all have one.
#[derive(Default)]
struct Kept {
    runs: Vec<(Level, Vec<u8>)>,
}

impl Kept {
    fn push(&mut self, level: Level, text: &[u8], continues: bool) {
        if self.runs.last().is_none_or(|(last, _)| *last != level) {
            self.runs.push((level, Vec::new()));
        }
        if let Some((_, lines)) = self.runs.last_mut() {
            lines.extend_from_slice(if continues { CONTINUED.as_bytes() } else { b"" });
            lines.extend_from_slice(text);
            lines.push(b'\n');
        }
    }

    fn write(&self, log: &mut Log, group: &str, pid: i32) {
        self.runs.iter().for_each(|(level, lines)| log.relay(group, pid, *level, lines));
    }
}
