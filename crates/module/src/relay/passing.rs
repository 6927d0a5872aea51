//! The client's side of an exchange: what of the response is passed on when, and what is held for a client that takes it more slowly
//! than the worker makes it. The queue is `backlog`.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use unix::stream::{self, Interest};
use wire::{FilePart, LogLevel};

use super::backlog::{Rest, Taken};
use super::client::{Client, Piece, Then};
use super::exchange::{Exchange, Part};
use super::failure::Failure;
use super::upload::Step;

/// Every socket has room for this many bytes at the beginning of a response.
const ROOM: u64 = 16 * 1024;
/// How long a client may keep the worker waiting before its response is held for it. One that takes 3 MB a second is never behind.
const GRACE: Duration = Duration::from_millis(20);

impl<C: Client> Exchange<'_, C> {
    /// Makes room in a full inbox. False when the client has to take something before.
    pub(super) fn make_room(&mut self) -> Result<bool, Failure> {
        if !self.parts.is_empty() {
            if self.backlog.is_empty() && self.client.is_ready(GRACE) {
                self.pass(Then::More)?;
            } else if self.backlog.is_full(self.terms.ahead) || !self.hold() {
                self.blocked = true;
                return Ok(false);
            }
        }
        self.inbox.discard();
        Ok(true)
    }

    /// Whether there is more of a response that is under way, after a wait for it: `response-flush-delay`, or where to pass on
    /// what is held could be to wait for the client (HTTP/2).
    pub(super) fn is_early(&self, socket: BorrowedFd<'_>) -> Result<bool, Failure> {
        let blind = !self.backlog.is_empty() && self.client.socket().is_none();
        let delay = match () {
            () if self.blocked => Duration::ZERO,
            () if blind => GRACE.max(self.terms.flush_delay),
            () if self.parts.is_empty() => Duration::ZERO,
            () => self.terms.flush_delay,
        };
        if delay.is_zero() {
            return Ok(false);
        }
        stream::wait([(socket, Interest::Read)], delay).map_err(Failure::Connection)
    }

    /// Moves the parts into the backlog. False when that is not possible.
    fn hold(&mut self) -> bool {
        // The status can no longer be chosen: what is held is as good as sent.
        self.sent = true;
        let mut result = Ok(());
        while result.is_ok() && !self.parts.is_empty() {
            match self.parts.remove(0) {
                Part::File(file, part) => self.backlog.put_file(file, part),
                Part::Data(place) => {
                    result = self.backlog.put(self.inbox.bytes(&place), self.terms.spool);
                    if result.is_err() {
                        self.parts.insert(0, Part::Data(place));
                    }
                }
            }
        }
        let Err(error) = result else { return true };
        // From here on the worker waits for the client.
        self.terms.ahead = 0;
        let line = format!(
            "WSGI1360: The rest of a response cannot be kept in a file in {} for a client that takes it slowly: {error}. The \
             application's thread waits for the client. Free some space there, or set TMPDIR in Apache's environment.",
            self.terms.spool.display()
        );
        self.client.log(LogLevel::Warning, line.as_bytes());
        false
    }

    /// Passes on what is there, as far as the client takes it now: the worker has nothing more at the moment.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        if !self.is_behind() && self.parts.is_empty() {
            return Ok(());
        }
        if !self.client.is_ready(Duration::ZERO) {
            self.owed = true;
            self.late.get_or_insert_with(Instant::now);
            return Ok(());
        }
        (self.late, self.blocked) = (None, false);
        if !self.backlog.is_empty() {
            return self.pass_held();
        }
        // A body of known length ends with its last byte, whatever the application does afterwards. httpd's range filter
        // cuts only what it sees whole.
        self.complete |= self.length() == Some(self.seen);
        let then = match () {
            () if self.complete => Then::End,
            () if self.seen < ROOM => Then::Flush,
            () => Then::More,
        };
        self.pass(then)?;
        self.inbox.discard();
        // To flush what the socket has no room for would be to wait for the client.
        self.owed = then == Then::More && !self.client.is_ready(Duration::ZERO);
        if then == Then::More && !self.owed { self.pass(Then::Flush) } else { Ok(()) }
    }

    /// Passes on a piece of the backlog.
    fn pass_held(&mut self) -> Result<(), Failure> {
        self.owed = true;
        let taken = self.backlog.take(&mut self.piece).map_err(Failure::Connection)?;
        let piece = match taken {
            Some(Taken::Bytes(count)) => Piece::Data(self.piece.get(..count).unwrap_or_default()),
            Some(Taken::File(file, FilePart { offset, length })) => Piece::File { file, offset, length },
            None => return Ok(()),
        };
        self.client.send(&mut std::iter::once(piece), Then::More).map_err(|_| Failure::ClientGone)
    }

    /// True while the client has not taken everything that it could have.
    fn is_behind(&self) -> bool {
        self.owed || !self.backlog.is_empty()
    }

    /// Passes on everything, whether the client can take it now or not.
    pub(super) fn pass(&mut self, then: Then) -> Result<(), Failure> {
        let inbox = &*self.inbox;
        let held = self.backlog.rest().map(|rest| match rest {
            Rest::Private(file, FilePart { offset, length }) => Piece::Private { file, offset, length },
            Rest::File(file, FilePart { offset, length }) => Piece::File { file, offset, length },
        });
        let here = self.parts.drain(..).map(|part| match part {
            Part::Data(place) => Piece::Data(inbox.bytes(&place)),
            Part::File(file, FilePart { offset, length }) => Piece::File { file, offset, length },
        });
        self.sent = true;
        self.client.send(&mut held.chain(here), then).map_err(|_| Failure::ClientGone)
    }

    /// Sleeps until the worker has something, the client in the middle of an upload has, or a client that is behind takes more.
    pub(super) fn wait(&mut self, socket: BorrowedFd<'_>, step: Step) -> Result<(), Failure> {
        let (uploads, behind) = (step == Step::WaitsForClient, self.is_behind());
        let client = if uploads || behind { self.client.socket() } else { None };
        if behind && client.is_none() {
            // httpd knows no socket for one stream of HTTP/2: only to pass on more can tell.
            return Ok(());
        }
        let worker = if step == Step::WaitsForWorker { Interest::Both } else { Interest::Read };
        let wanted = match (uploads, behind) {
            (true, true) => Interest::Both,
            (true, false) => Interest::Read,
            (false, _) => Interest::Write,
        };
        let begin = Instant::now();
        let mid_frame = self.inbox.is_mid_frame() && !self.blocked;
        // A frame that has begun must be complete within the time that an idle worker has: it leaves in one piece.
        let silence = self.terms.silence.saturating_sub(self.dribbled);
        let nap = if uploads { self.upload.nap(client.is_some()) } else { silence };
        let late = self.late.map(|late| self.client.response_patience().saturating_sub(late.elapsed()));
        let limit = silence.min(nap).min(late.unwrap_or(silence));
        let ready = match client {
            Some(client) if self.blocked => stream::wait([(client, wanted)], limit),
            Some(client) => stream::wait([(socket, worker), (client, wanted)], limit),
            None => stream::wait([(socket, worker)], limit),
        };
        let ready = ready.map_err(Failure::Connection)?;
        let slept = begin.elapsed();
        if mid_frame {
            self.dribbled += slept;
        }
        if !ready && late.is_some_and(|late| slept >= late) {
            self.client.abandon();
            return Err(Failure::ClientGone);
        }
        if uploads && !(mid_frame && slept >= silence) {
            // The worker is silent because it waits, too.
            return self.upload.slept(slept, self.client.patience().min(self.terms.silence));
        }
        if ready || self.blocked || limit < silence {
            Ok(())
        } else {
            Err(Failure::Silent(self.terms.silence))
        }
    }
}
