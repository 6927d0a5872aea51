//! The httpd side of a request: its body, its response through brigades, its error log.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use httpd::{Brigade, Level, Read, Request, Tail, Wait};
use unix::stream::{self, Interest};
use wire::LogLevel;

use super::client::{Client, Gone, Piece, Then};
use crate::body::{BodyError, BodyRead};
use crate::groups::RequestPlan;
use crate::response::{CheckedHead, Kind, survives};

/// Pieces that are passed to httpd's filters at a time.
const BATCH: usize = 16;

/// For the log when a file that is sent loses its end.
const SHORTER: &[u8] = b"WSGI1119: A file that an application has given to wsgi.file_wrapper became shorter while it was sent; the \
    client sees a broken response. Write a new file and rename it to the old one's name instead of changing it in place.";

/// A request as the relay sees it.
pub(super) struct Apache<'q, 'r> {
    request: &'q mut Request<'r>,
    body: httpd::Body<'r>,
    brigade: Option<Brigade<'r>>,
    /// What begins each line that the worker logs for the request.
    script: &'q [u8],
    /// Headers that httpd would keep for its own page when the response fails before its first byte: they wait for that byte.
    held: Vec<(Vec<u8>, Vec<u8>)>,
    /// The response has begun: an interim one would stand in the middle of it.
    begun: bool,
    /// `WSGIEnableSendfile`.
    sendfile: Option<bool>,
    /// `response-socket-timeout`.
    limit: Option<Duration>,
    /// The limit before it, to be put back.
    former_limit: Option<Duration>,
}

impl<'q, 'r> Apache<'q, 'r> {
    pub(super) fn new(request: &'q mut Request<'r>, plan: &'q RequestPlan<'_>) -> Self {
        let body = httpd::Body::new(request);
        let transfer = &plan.group.definition.transfer;
        Self {
            request,
            body,
            brigade: None,
            script: &plan.script,
            held: Vec::new(),
            begun: false,
            sendfile: plan.response.sendfile,
            limit: transfer.client,
            former_limit: None,
        }
    }

    pub(super) fn request(&mut self) -> &mut Request<'r> {
        self.request
    }

    fn pass(&mut self, pieces: &[&[u8]], tail: Tail) -> Result<(), Gone> {
        let request = &mut *self.request;
        let brigade = self.brigade.get_or_insert_with(|| Brigade::new(request));
        // An error of a filter, not of the client, has the same end: nobody takes more bytes. The filter has logged it.
        brigade.pass_borrowed(request, pieces, tail).map_err(|_| Gone)
    }

    /// The brigade, for pieces that are files.
    fn brigade(&mut self) -> (&Request<'r>, &mut Brigade<'r>) {
        let request = &*self.request;
        (request, self.brigade.get_or_insert_with(|| Brigade::new(request)))
    }

    fn push_file(&mut self, piece: Piece<'_>) -> Result<(), Gone> {
        let sendfile = self.sendfile;
        let (request, brigade) = self.brigade();
        let pushed = match piece {
            Piece::Data(_) => Ok(()),
            Piece::File { file, offset, length } => {
                brigade.push_file(request, file, offset, length, sendfile, SHORTER)
            }
            Piece::Private { file, offset, length } => {
                brigade.push_private_file(request, file, offset, length)
            }
        };
        pushed.map_err(|_| Gone)
    }

    /// Puts `response-socket-timeout` into force, before the first byte of a response.
    fn limit_client(&mut self) {
        let Some(limit) = self.limit.filter(|_| self.former_limit.is_none()) else { return };
        let connection = self.request.connection();
        self.former_limit = connection.patience();
        connection.set_patience(limit);
    }

    /// Sends now what httpd would hold until it has looked for the next request, and lets the client run if it is on this machine.
    /// When it has answered by the time that httpd looks, the connection stays with this thread; otherwise it goes through the
    /// MPM's set of idle connections and its queue. Measured, with clients that ask again at once: a fifth less CPU time per
    /// request at 32 connections, and as many answers as Apache has for a file.
    fn hasten(&self) {
        let connection = self.request.connection();
        if !connection.is_secondary() && connection.has_pending_output() {
            connection.push_pending_output();
            std::thread::yield_now();
        }
    }

    /// Puts back the limit of before, unless httpd still has to wait for the client.
    fn unlimit_client(&mut self) {
        let connection = self.request.connection();
        if let Some(limit) = self.former_limit.filter(|_| !connection.has_pending_output()) {
            connection.set_patience(limit);
        }
    }
}

impl Client for Apache<'_, '_> {
    fn read_body(&mut self, buffer: &mut Vec<u8>, limit: usize, wait: bool) -> Result<BodyRead, BodyError> {
        // httpd does so by itself before a read that waits; this one would find nothing for ever.
        if !wait && !self.begun {
            self.request.send_continue();
        }
        let wait = if wait { Wait::Yes } else { Wait::No };
        match self.body.read(self.request, buffer, limit, wait) {
            Read::Data(_) => Ok(BodyRead::Data),
            Read::End => Ok(BodyRead::End),
            Read::WouldBlock => Ok(BodyRead::WouldBlock),
            Read::Timeout => Err(BodyError::Timeout),
            Read::ClientGone => Err(BodyError::Gone),
            Read::Refused(status) => Err(BodyError::Refused(status)),
            Read::Answered => Err(BodyError::Answered(self.request.status())),
        }
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.request.connection().socket()
    }

    fn patience(&self) -> Duration {
        self.request.server().timeout()
    }

    fn is_ready(&mut self, patience: Duration) -> bool {
        let connection = self.request.connection();
        // One inbox full fits into the buffer that mod_http2 has for a stream (H2StreamMaxMemSize); whether more does,
        // nobody can tell.
        let Some(socket) = connection.socket() else { return patience.is_zero() || !self.begun };
        let begin = Instant::now();
        while connection.has_pending_output() {
            connection.push_pending_output();
            if !connection.has_pending_output() || connection.aborted() {
                break;
            }
            let left = patience.saturating_sub(begin.elapsed());
            if left.is_zero() || !matches!(stream::wait([(socket, Interest::Write)], left), Ok(true)) {
                return false;
            }
        }
        true
    }

    fn response_patience(&self) -> Duration {
        self.limit.unwrap_or_else(|| self.request.server().timeout())
    }

    fn abandon(&mut self) {
        self.request.abandon();
    }

    fn head(&mut self, head: &CheckedHead<'_>) {
        let request = &mut *self.request;
        // Without a reason too: a status that httpd has no words for would become a 500.
        let mut line = head.status().to_string().into_bytes();
        line.push(b' ');
        line.extend_from_slice(head.reason());
        request.set_status_line(head.status(), &line);
        for field in head.fields() {
            match field.kind {
                Kind::ContentType => request.set_content_type(field.value),
                Kind::Single => request.headers_out().set(field.name, field.value),
                Kind::Repeated => request.headers_out().add(field.name, field.value),
                Kind::OnErrorsToo => self.held.push((field.name.to_vec(), field.value.to_vec())),
            }
        }
        if let Some(length) = head.length() {
            request.set_content_length(length);
        }
        // `expecting_100` stays: with it httpd closes the connection after an answer to a body that was not read, instead of
        // taking the next request for that body.
    }

    fn head_of_page(&mut self, head: &CheckedHead<'_>) {
        let kept = head.fields().filter(|field| survives(field.name));
        self.held.extend(kept.map(|field| (field.name.to_vec(), field.value.to_vec())));
    }

    fn show_page(&mut self) {
        for (name, value) in self.held.drain(..) {
            self.request.err_headers_out().add(&name, &value);
        }
    }

    fn send(&mut self, pieces: &mut dyn Iterator<Item = Piece<'_>>, then: Then) -> Result<(), Gone> {
        // What a page of httpd's would keep goes with the response, too.
        self.show_page();
        self.limit_client();
        self.begun = true;
        let mut batch: [&[u8]; BATCH] = [&[]; BATCH];
        let mut count = 0;
        for piece in pieces {
            match piece {
                Piece::Data(bytes) => {
                    if count == BATCH {
                        self.pass(&batch, Tail::More)?;
                        count = 0;
                    }
                    if let Some(place) = batch.get_mut(count) {
                        *place = bytes;
                        count += 1;
                    }
                }
                piece => {
                    if count > 0 {
                        self.pass(batch.get(..count).unwrap_or_default(), Tail::More)?;
                        count = 0;
                    }
                    self.push_file(piece)?;
                }
            }
        }
        let rest = batch.get(..count).unwrap_or_default();
        match then {
            Then::More => self.pass(rest, Tail::More),
            Then::Flush => self.pass(rest, Tail::Flush),
            Then::End => {
                let passed = self.pass(rest, Tail::End);
                self.hasten();
                self.unlimit_client();
                passed
            }
            Then::Broken => {
                let passed = self.pass(rest, Tail::More);
                self.request.break_off();
                passed
            }
        }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        let (log, level) = (self.request.log(), httpd_level(level));
        if log.enabled(level) {
            log.write_behind(level, &[b"[script ", self.script, b"] "].concat(), line);
        }
    }
}

pub(super) fn httpd_level(level: LogLevel) -> Level {
    match level {
        LogLevel::Critical => Level::Crit,
        LogLevel::Error => Level::Error,
        LogLevel::Warning => Level::Warn,
        LogLevel::Notice => Level::Notice,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    }
}
