//! One request on one connection, from the sent frame to the last frame of the answer. Knows frames and the [`Client`], neither
//! httpd nor how connections are made. How the client gets the response is `passing`'s part.

use std::io::ErrorKind;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use wire::{FilePart, Kind, Log, LogLevel, Refusal, RefusalReason, ResponseHead, ResponseOrder, WireError};

use super::backlog::Backlog;
use super::client::{Client, Then};
use super::failure::{Failure, Stage, printable};
use super::inbox::{Inbox, Item, Place};
use super::upload::{Step, Upload};
use crate::response::{Body, CheckedHead, Meaning, Rules};

/// Looks at the connection, with a `sched_yield` before each, before the thread sleeps. Measured: a quarter less latency.
const LOOKS: u32 = 4;
/// Steps of an upload between two looks at what the worker has to say meanwhile.
const STEPS: u32 = 8;
/// Most files of one response. Each can be two open descriptors of httpd's child until the client has the response; a worker needs
/// one file, for `wsgi.file_wrapper`.
const MAX_FILES: usize = 16;

/// A piece of the body that was not passed on yet.
#[derive(Debug)]
pub enum Part {
    /// Bytes in the inbox.
    Data(Place),
    /// A file.
    File(OwnedFd, FilePart),
}

/// How an exchange ended, when the worker kept to the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A whole response; [`Exchange::finish`] passes on the rest of it.
    Response,
    /// No response; the client gets httpd's page for this status.
    Status(u16),
    /// No response; the client gets what httpd has at this path.
    Redirect(Vec<u8>),
    /// The payload of the answer to a call; [`wire::Answer::decode`] takes it.
    Answer(Vec<u8>),
}

/// What is known about an exchange before it begins.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The request's body comes later, when the worker asks.
    pub streamed: bool,
    /// The part of such a body that was read already.
    pub begun: &'a [u8],
    /// The request is a call: an answer is wanted, not a response.
    pub call: bool,
    /// The client sent HEAD, and nothing in httpd needs the body.
    pub head_only: bool,
    /// Longest silence of the worker.
    pub silence: Duration,
    /// What the configuration makes of the head.
    pub rules: Rules,
    /// How long to wait for more before what is there is sent.
    pub flush_delay: Duration,
    /// Bytes of the response to hold for the client at most.
    pub ahead: u64,
    /// Directory of the file that holds them.
    pub spool: &'a Path,
}

/// What the head has announced.
#[derive(Debug, Clone, Copy)]
struct Announced {
    length: Option<u64>,
    body: Body,
}

/// The state of one exchange.
#[derive(Debug)]
pub struct Exchange<'a, C> {
    pub(super) client: &'a mut C,
    pub(super) inbox: &'a mut Inbox,
    pub(super) terms: Terms<'a>,
    order: ResponseOrder,
    announced: Option<Announced>,
    /// Bytes of the body so far.
    pub(super) seen: u64,
    pub(super) parts: Vec<Part>,
    /// What the client has not taken.
    pub(super) backlog: Backlog,
    /// A piece of it on its way.
    pub(super) piece: Vec<u8>,
    /// Something was passed on, or waits here, that is not flushed.
    pub(super) owed: bool,
    /// Since when the client takes nothing.
    pub(super) late: Option<Instant>,
    /// Nothing more can be taken from the worker before the client has taken something.
    pub(super) blocked: bool,
    /// Files so far.
    files: usize,
    /// Something was given to the client: a status can no longer be chosen.
    pub(super) sent: bool,
    /// All of a response of known length was passed on, its end included.
    pub(super) complete: bool,
    /// What the client gets in the place of this response.
    instead: Option<Ended>,
    pub(super) upload: Upload<'a>,
    /// Time waited for the rest of a frame that has begun.
    pub(super) dribbled: Duration,
}

impl<'a, C: Client> Exchange<'a, C> {
    /// For a request that was just sent.
    pub fn new(client: &'a mut C, inbox: &'a mut Inbox, terms: Terms<'a>) -> Self {
        inbox.reset();
        Self {
            client,
            inbox,
            terms,
            order: if terms.call { ResponseOrder::call() } else { ResponseOrder::new(terms.streamed) },
            announced: None,
            seen: 0,
            parts: Vec::new(),
            backlog: Backlog::default(),
            piece: Vec::new(),
            owed: false,
            late: None,
            blocked: false,
            files: 0,
            sent: false,
            complete: false,
            instead: None,
            upload: Upload::new(terms.streamed, terms.begun),
            dribbled: Duration::ZERO,
        }
    }

    /// Runs the exchange to its end. The last pieces of a response are not passed on yet: the worker is free before the client
    /// has them.
    ///
    /// # Errors
    /// [`Failure`]: the connection cannot be used again. Ask [`Exchange::has_sent`] whether the client can still get a status.
    pub fn run(&mut self, socket: BorrowedFd<'_>) -> Result<Ended, Failure> {
        let mut steps = 0;
        loop {
            if let Some(ended) = self.take_items()? {
                return Ok(ended);
            }
            let mut step = self.upload.step(socket, self.client)?;
            steps += 1;
            if step == Step::Moved && steps % STEPS != 0 {
                continue;
            }
            // The first look comes too early always: the worker has not even been woken.
            let due = !self.is_untouched();
            if (due && self.receive(socket)?) || step == Step::Moved || self.linger(socket)? {
                continue;
            }
            if self.is_early(socket)? {
                continue;
            }
            self.flush()?;
            if step == Step::WaitsForWorker && self.blocked {
                step = self.upload.store(self.client, self.terms.spool)?;
            }
            if step != Step::Moved {
                self.wait(socket, step)?;
            }
        }
    }

    /// True when nothing was received: the worker may not have seen the request.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        !self.inbox.has_received()
    }

    /// True when the connection can take another request.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.order.is_done() && self.inbox.is_clean() && self.upload.is_complete()
    }

    /// True when the client has got a part of the response.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.sent
    }

    /// Where the exchange stands, for the log.
    #[must_use]
    pub fn stage(&self) -> Stage {
        if self.sent { Stage::Answering(self.seen) } else { Stage::Working }
    }

    /// Passes on the rest of a complete response.
    ///
    /// # Errors
    /// [`Failure::ClientGone`].
    pub fn finish(&mut self) -> Result<(), Failure> {
        if self.complete { Ok(()) } else { self.pass(Then::End) }
    }

    /// Passes on what there is and makes the client see that the rest is missing.
    pub fn break_off(&mut self) {
        if self.complete {
            return;
        }
        // The client may be gone; it is told nothing more in either case.
        let _ = self.pass(Then::Broken);
    }

    fn take_items(&mut self) -> Result<Option<Ended>, Failure> {
        while let Some(item) = self.inbox.next().map_err(Failure::Protocol)? {
            match item {
                Item::DataBegins => self.order.accept(Kind::Data).map_err(Failure::Protocol)?,
                Item::Data(place) => self.data(place)?,
                Item::Frame(kind, place) => {
                    self.order.accept(kind).map_err(Failure::Protocol)?;
                    if let Some(ended) = self.frame(kind, &place)? {
                        return Ok(Some(ended));
                    }
                }
            }
            self.dribbled = Duration::ZERO;
        }
        if self.inbox.has_stray_descriptors() {
            return Err(Failure::Descriptor("it came without a file frame"));
        }
        Ok(None)
    }

    fn frame(&mut self, kind: Kind, place: &Place) -> Result<Option<Ended>, Failure> {
        let payload = self.inbox.bytes(place);
        match kind {
            Kind::Head => self.head(place)?,
            Kind::File => self.file(FilePart::decode(payload).map_err(Failure::Protocol)?)?,
            Kind::Log => log(self.client, Log::decode(payload).map_err(Failure::Protocol)?),
            Kind::WantBody => self.upload.begin(),
            Kind::End => return self.end().map(Some),
            Kind::Abort if self.sent || !self.parts.is_empty() => {
                self.pass(Then::Flush)?;
                return Err(Failure::Aborted);
            }
            Kind::Abort => return Ok(Some(Ended::Status(500))),
            Kind::Fail => {
                let status = wire::response::decode_fail(payload).map_err(Failure::Protocol)?;
                return Ok(Some(Ended::Status(status)));
            }
            Kind::Answer => {
                wire::Answer::decode(payload).map_err(Failure::Protocol)?;
                return Ok(Some(Ended::Answer(payload.to_vec())));
            }
            Kind::Refuse => {
                let Refusal { reason, text } = Refusal::decode(payload).map_err(Failure::Protocol)?;
                if reason == RefusalReason::Reload && !self.upload.is_whole() {
                    // Only an application asks for a body, and what was read of it since is not here for a successor.
                    let state = "sending the body that the worker has asked for";
                    return Err(Failure::Protocol(WireError::OutOfOrder { got: kind as u8, state }));
                }
                return Err(Failure::Refused { reason, text: printable(text) });
            }
            // `order` lets only frames of a worker pass, and data frames come as items of their own.
            Kind::Data | Kind::Request | Kind::Body | Kind::BodyEnd | Kind::BodyAbort => {
                return Err(Failure::Protocol(WireError::UnknownKind(kind as u8)));
            }
        }
        Ok(None)
    }

    fn head(&mut self, place: &Place) -> Result<(), Failure> {
        let head = ResponseHead::decode(self.inbox.bytes(place)).map_err(Failure::Protocol)?;
        let head = CheckedHead::check(head, self.terms.head_only).map_err(Failure::Head)?;
        let meaning = self.terms.rules.apply(&head).map_err(Failure::LongHeader)?;
        let body = if meaning == Meaning::Response { head.body() } else { Body::Dropped };
        self.announced = Some(Announced { length: head.length(), body });
        match meaning {
            Meaning::Response => self.client.head(&head),
            Meaning::ErrorPage(status) => {
                self.client.head_of_page(&head);
                self.instead = Some(Ended::Status(status));
            }
            Meaning::Elsewhere(path) => self.instead = Some(Ended::Redirect(path.to_vec())),
        }
        Ok(())
    }

    fn data(&mut self, place: Place) -> Result<(), Failure> {
        let room = self.account(place.len() as u64);
        let fits =
            room.map_or(place.len(), |room| place.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
        if fits > 0 && self.is_wanted() {
            self.parts.push(Part::Data(place.start..place.start + fits));
        }
        self.too_long()
    }

    fn file(&mut self, part: FilePart) -> Result<(), Failure> {
        let file = self.inbox.take_descriptor().ok_or(Failure::Descriptor("none came with a file frame"))?;
        self.files += 1;
        if self.files > MAX_FILES {
            return Err(Failure::TooManyFiles(MAX_FILES));
        }
        let size = unix::files::readable_size(&file).map_err(Failure::Connection)?;
        let size = size.ok_or(Failure::Descriptor("it is not a regular file that can be read"))?;
        let left = size.saturating_sub(part.offset);
        let length = part.length.min(left);
        if length < part.length {
            let line = format!(
                "WSGI1118: The application announced {} bytes of a file that has {left} left; the response ends early.",
                part.length
            );
            self.client.log(LogLevel::Error, line.as_bytes());
        }
        let room = self.account(length);
        let length = room.map_or(length, |room| length.min(room));
        if length > 0 && self.is_wanted() {
            self.parts.push(Part::File(file, FilePart { offset: part.offset, length }));
        }
        self.too_long()?;
        if length < part.length {
            // Without a Content-Length nobody else would notice.
            return Err(Failure::Length { sent: self.seen, announced: self.seen - length + part.length });
        }
        Ok(())
    }

    /// Counts bytes of the body. What was left of the announced length before them.
    fn account(&mut self, count: u64) -> Option<u64> {
        let room = self.length().map(|length| length.saturating_sub(self.seen));
        self.seen = self.seen.saturating_add(count);
        room
    }

    fn too_long(&self) -> Result<(), Failure> {
        match self.length() {
            Some(announced) if self.seen > announced => Err(Failure::Length { sent: self.seen, announced }),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<Ended, Failure> {
        if let Some(instead) = self.instead.take() {
            self.client.show_page();
            return Ok(instead);
        }
        match self.length() {
            Some(announced) if self.seen != announced => Err(Failure::Length { sent: self.seen, announced }),
            _ => Ok(Ended::Response),
        }
    }

    /// The length to hold the body to.
    pub(super) fn length(&self) -> Option<u64> {
        self.announced.filter(|announced| announced.body == Body::Sent).and_then(|announced| announced.length)
    }

    fn is_wanted(&self) -> bool {
        self.announced.is_some_and(|announced| announced.body == Body::Sent)
    }

    /// Receives once. False when nothing is there.
    fn receive(&mut self, socket: BorrowedFd<'_>) -> Result<bool, Failure> {
        if self.inbox.is_full() && !self.make_room()? {
            return Ok(false);
        }
        match self.inbox.receive(socket) {
            Ok(0) => Err(Failure::Closed),
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => Ok(false),
                ErrorKind::ConnectionReset => Err(Failure::Reset),
                _ => Err(Failure::Connection(error)),
            },
        }
    }

    fn linger(&mut self, socket: BorrowedFd<'_>) -> Result<bool, Failure> {
        for _ in 0..LOOKS {
            std::thread::yield_now();
            if self.receive(socket)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Each line is a record of its own.
fn log(client: &mut impl Client, log: Log<'_>) {
    let text = log.text.strip_suffix(b"\n").unwrap_or(log.text);
    for line in text.split(|byte| *byte == b'\n') {
        client.log(log.level, line.strip_suffix(b"\r").unwrap_or(line));
    }
}
