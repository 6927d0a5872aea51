//! A call: a question of the server that a worker answers, over the same connections and in the same queues as requests. What an
//! answer means is the asker's part.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use httpd::Request;
use wire::{LogLevel, WireError};

use super::apache::httpd_level;
use super::client::{Client, Gone, Piece, Then};
use super::deliver::{Outgoing, deliver};
use super::exchange::{Ended, Terms};
use super::failure::{Failure, Stage, sentence};
use super::inbox::Inbox;
use super::serve::{child, reserve};
use crate::body::{BodyError, BodyRead};
use crate::groups::{GroupHandle, Groups};
use crate::response::{CheckedHead, Rules};

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// All groups, for the shared counters.
    pub groups: &'a Groups,
    /// The group that answers.
    pub group: &'a GroupHandle,
    /// The script, for the log.
    pub script: &'a [u8],
}

/// Why there is no answer. The log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// The script has failed.
    Script,
    /// No worker has answered. With the status that tells a client so.
    Worker(u16),
}

/// Asks a worker. `write` writes the request frame. What comes back is the payload of an answer that [`wire::Answer::decode`] takes.
///
/// # Errors
/// [`Unanswered`]
pub fn ask(
    request: &Request<'_>,
    target: &Target<'_>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<Vec<u8>, Unanswered> {
    match exchange(request, target, write) {
        Ok(Ended::Answer(payload)) => Ok(payload),
        Ok(Ended::Status(_) | Ended::Response | Ended::Redirect(_)) => Err(Unanswered::Script),
        Err((failure, stage, worker)) => {
            let verdict = failure.verdict();
            // A client that is gone is no reason here: nothing was read from it.
            let level = httpd_level(verdict.level.unwrap_or(LogLevel::Error));
            let log = request.log();
            if log.enabled(level) {
                let line = sentence(&failure, stage, target.script, &target.group.definition.name, worker);
                log.write(level, line.as_bytes());
            }
            Err(Unanswered::Worker(verdict.status))
        }
    }
}

fn exchange(
    request: &Request<'_>,
    target: &Target<'_>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<Ended, (Failure, Stage, Option<usize>)> {
    let arriving = |failure| (failure, Stage::Arriving, None);
    let Target { groups, group, .. } = *target;
    let child = child(groups);
    let mut frame = Vec::with_capacity(2048);
    write(&mut frame).map_err(|error| arriving(Failure::RequestTooLarge(error)))?;
    let terms = Terms {
        streamed: false,
        begun: &[],
        call: true,
        head_only: false,
        silence: group.definition.timeouts.socket,
        rules: Rules::default(),
        flush_delay: Duration::ZERO,
        ahead: 0,
        spool: &child.spool,
    };
    let outgoing = Outgoing { frame: &frame, file: None, terms };
    let reservation = reserve(groups, group, child.row).map_err(arriving)?;
    let slot = reservation.slot();
    let lane = child.pool.lane(group, slot);
    let (mut asker, mut inbox) = (Asker { request, script: target.script }, Inbox::default());
    deliver(&mut asker, &mut inbox, &lane, &outgoing, || drop(reservation))
        .map_err(|(failure, stage)| (failure, stage, Some(slot.saturating_sub(group.first_slot))))
}

/// The httpd side of a call: nothing but the error log. The order of frames lets nothing else come.
struct Asker<'q, 'r> {
    request: &'q Request<'r>,
    script: &'q [u8],
}

impl Client for Asker<'_, '_> {
    fn read_body(&mut self, _: &mut Vec<u8>, _: usize, _: bool) -> Result<BodyRead, BodyError> {
        Err(BodyError::Gone)
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn is_ready(&mut self, _: Duration) -> bool {
        true
    }

    fn response_patience(&self) -> Duration {
        Duration::ZERO
    }

    fn abandon(&mut self) {}

    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    fn head(&mut self, _: &CheckedHead<'_>) {}

    fn head_of_page(&mut self, _: &CheckedHead<'_>) {}

    fn show_page(&mut self) {}

    fn send(&mut self, _: &mut dyn Iterator<Item = Piece<'_>>, _: Then) -> Result<(), Gone> {
        Err(Gone)
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        let (log, level) = (self.request.log(), httpd_level(level));
        if log.enabled(level) {
            log.write_behind(level, &[b"[script ", self.script, b"] "].concat(), line);
        }
    }
}
