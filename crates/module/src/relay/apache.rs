//! The httpd side of a request: its body, its response through brigades, its error log.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use httpd::{Brigade, Level, Read, Request, Tail, Wait};
use wire::LogLevel;

use super::client::{Client, Gone, Piece, Then};
use crate::body::{BodyError, BodyRead};
use crate::response::{CheckedHead, Kind};

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
    /// Headers that httpd would keep for its own page when the response fails before its first byte: they wait for that byte.
    held: Vec<(Vec<u8>, Vec<u8>)>,
    /// The response has begun: an interim one would stand in the middle of it.
    begun: bool,
}

impl<'q, 'r> Apache<'q, 'r> {
    pub(super) fn new(request: &'q mut Request<'r>) -> Self {
        let body = httpd::Body::new(request);
        Self { request, body, brigade: None, held: Vec::new(), begun: false }
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
            Read::Answered => Err(BodyError::Answered),
        }
    }

    fn body_socket(&self) -> Option<BorrowedFd<'_>> {
        self.request.connection().socket()
    }

    fn patience(&self) -> Duration {
        self.request.server().timeout()
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

    fn send(&mut self, pieces: &mut dyn Iterator<Item = Piece<'_>>, then: Then) -> Result<(), Gone> {
        self.begun = true;
        for (name, value) in self.held.drain(..) {
            self.request.err_headers_out().add(&name, &value);
        }
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
                Piece::File { file, offset, length } => {
                    if count > 0 {
                        self.pass(batch.get(..count).unwrap_or_default(), Tail::More)?;
                        count = 0;
                    }
                    let request = &mut *self.request;
                    let brigade = self.brigade.get_or_insert_with(|| Brigade::new(request));
                    brigade.push_file(request, file, offset, length, SHORTER).map_err(|_| Gone)?;
                }
            }
        }
        let rest = batch.get(..count).unwrap_or_default();
        match then {
            Then::More => self.pass(rest, Tail::More),
            Then::Flush => self.pass(rest, Tail::Flush),
            Then::End => self.pass(rest, Tail::End),
            Then::Broken => {
                let passed = self.pass(rest, Tail::More);
                self.request.break_off();
                passed
            }
        }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.request.log().write(httpd_level(level), line);
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
