//! A worker of raw bytes on a socket pair, and a client that only remembers: the relay without httpd.

mod begin;
mod calls;
mod flow;
mod hostile;
mod passing;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use unix::stream::Interest;
use wire::LogLevel;

use super::client::{Client, Gone, Piece, Then};
use super::deliver::{Line, Outgoing, deliver};
use super::exchange::{Ended, Terms};
use super::failure::{Failure, Stage};
use super::inbox::Inbox;
use crate::body::{BodyError, BodyRead};
use crate::response::{CheckedHead, Rules, survives};

/// Long enough to never pass in a test that works.
const SILENCE: Duration = Duration::from_secs(20);

/// The client's end.
#[derive(Debug, Default)]
struct Recorder {
    status: Option<u16>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    calls: Vec<Then>,
    logs: Vec<(LogLevel, String)>,
    upload: Vec<u8>,
    uploaded: usize,
    upload_socket: Option<UnixStream>,
    gone: bool,
    files: u32,
    /// Bytes that came from the relay's own file.
    held: u64,
    /// Pages in the place of responses.
    pages: u32,
    /// Takes bytes while this one does.
    output: Option<UnixStream>,
    patience: Option<Duration>,
    abandoned: bool,
    /// Told after each flush.
    flushed: Option<Sender<()>>,
}

impl Client for Recorder {
    fn read_body(&mut self, buffer: &mut Vec<u8>, limit: usize, wait: bool) -> Result<BodyRead, BodyError> {
        if let Some(socket) = &mut self.upload_socket {
            assert!(!wait);
            let start = buffer.len();
            buffer.resize(start + limit, 0);
            let read = socket.read(&mut buffer[start..]);
            buffer.truncate(start + *read.as_ref().unwrap_or(&0));
            return match read {
                Ok(0) => Ok(BodyRead::End),
                Ok(_) => Ok(BodyRead::Data),
                Err(_) => Ok(BodyRead::WouldBlock),
            };
        }
        let rest = &self.upload[self.uploaded..];
        let now = &rest[..limit.min(rest.len())];
        buffer.extend_from_slice(now);
        self.uploaded += now.len();
        Ok(if now.is_empty() { BodyRead::End } else { BodyRead::Data })
    }

    fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.upload_socket.as_ref().or(self.output.as_ref()).map(AsFd::as_fd)
    }

    fn is_ready(&mut self, _patience: Duration) -> bool {
        self.output.as_ref().is_none_or(|output| {
            unix::stream::wait([(output.as_fd(), Interest::Write)], Duration::ZERO).unwrap()
        })
    }

    fn response_patience(&self) -> Duration {
        self.patience.unwrap_or(SILENCE)
    }

    fn abandon(&mut self) {
        self.abandoned = true;
    }

    fn patience(&self) -> Duration {
        self.patience.unwrap_or(SILENCE)
    }

    fn head(&mut self, head: &CheckedHead<'_>) {
        assert!(self.status.is_none(), "two heads");
        self.status = Some(head.status());
        self.headers = head.fields().map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
    }

    fn head_of_page(&mut self, head: &CheckedHead<'_>) {
        let kept = head.fields().filter(|field| survives(field.name));
        self.headers = kept.map(|field| (field.name.to_vec(), field.value.to_vec())).collect();
    }

    fn show_page(&mut self) {
        self.pages += 1;
    }

    fn send(&mut self, pieces: &mut dyn Iterator<Item = Piece<'_>>, then: Then) -> Result<(), Gone> {
        for piece in pieces {
            match piece {
                Piece::Data(bytes) => self.body.extend_from_slice(bytes),
                Piece::File { file, offset, length } => {
                    let mut bytes = vec![0; usize::try_from(length).unwrap()];
                    std::fs::File::from(file).read_exact_at(&mut bytes, offset).unwrap();
                    self.body.extend_from_slice(&bytes);
                    self.files += 1;
                }
                Piece::Private { file, offset, length } => {
                    let mut bytes = vec![0; usize::try_from(length).unwrap()];
                    file.read_exact_at(&mut bytes, offset).unwrap();
                    self.body.extend_from_slice(&bytes);
                    self.held += length;
                }
            }
        }
        self.calls.push(then);
        if let (Then::Flush, Some(flushed)) = (then, &self.flushed) {
            let _ = flushed.send(());
        }
        if self.gone { Err(Gone) } else { Ok(()) }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        self.logs.push((level, String::from_utf8_lossy(line).into_owned()));
    }
}

/// Connections that a test has prepared, in the order in which they are handed out.
#[derive(Debug, Default)]
struct Prepared {
    idle: RefCell<Vec<OwnedFd>>,
    fresh: RefCell<VecDeque<OwnedFd>>,
    kept: Cell<u32>,
    forgotten: Cell<bool>,
}

impl Line for Prepared {
    fn idle(&self) -> Option<OwnedFd> {
        self.idle.borrow_mut().pop()
    }

    fn fresh(&self) -> Result<OwnedFd, Failure> {
        self.fresh.borrow_mut().pop_front().ok_or(Failure::ConnectTimeout(Duration::ZERO))
    }

    fn keep(&self, _connection: OwnedFd) {
        self.kept.set(self.kept.get() + 1);
    }

    fn forget(&self) {
        self.forgotten.set(true);
        self.idle.borrow_mut().clear();
    }
}

/// What came of a request.
#[derive(Debug)]
struct Outcome {
    result: Result<Ended, (Failure, Stage)>,
    client: Recorder,
    kept: bool,
}

impl Outcome {
    /// The status that the client would get instead of a response; nothing may have been sent to it.
    fn error_status(&self) -> u16 {
        assert!(self.client.calls.is_empty(), "bytes were sent: {:?}", self.client.calls);
        match &self.result {
            Err((failure, _)) => failure.verdict().status,
            Ok(Ended::Status(status)) => *status,
            Ok(other) => panic!("{other:?} came"),
        }
    }
}

fn frame() -> Vec<u8> {
    let fields = wire::RequestFields {
        flags: wire::Flags::default(),
        request_start: 1,
        queue_start: 2,
        application_group: b"",
        script: b"/a.wsgi",
        callable: b"application",
        task: wire::Task::Application,
    };
    let mut out = Vec::new();
    wire::RequestEncoder::new(&mut out, &fields).unwrap().finish(wire::Body::Inline(b"hello")).unwrap();
    out
}

fn outgoing(frame: &[u8]) -> Outgoing<'_> {
    Outgoing { frame, file: None, terms: terms() }
}

fn terms() -> Terms<'static> {
    Terms {
        streamed: false,
        begun: &[],
        call: false,
        head_only: false,
        silence: SILENCE,
        rules: Rules::default(),
        flush_delay: Duration::ZERO,
        ahead: 16 << 20,
        spool: Path::new("/tmp"),
    }
}

/// Sockets as httpd's child has them: ours never blocks.
fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// Reads the request that [`frame`] makes.
fn take_request(worker: &mut UnixStream) {
    let mut request = vec![0; frame().len()];
    worker.read_exact(&mut request).unwrap();
    assert_eq!(request, frame());
}

fn run(client: Recorder, request: &Outgoing<'_>, worker: impl FnOnce(UnixStream) + Send) -> Outcome {
    let (ours, theirs) = pair();
    let line = Prepared::default();
    line.fresh.borrow_mut().push_back(ours.into());
    thread::scope(|scope| {
        scope.spawn(|| worker(theirs));
        let mut client = client;
        let mut freed = 0;
        let result = deliver(&mut client, &mut Inbox::default(), &line, request, || freed += 1);
        assert_eq!(freed, u32::from(!matches!(result, Err((_, Stage::Sending)))));
        Outcome { result, client, kept: line.kept.get() == 1 }
    })
}

/// Answers with `first`, and with `then` once the client has got it; waits for the child to close when `polite`.
fn answer_in_two(first: &[u8], then: &[u8], polite: bool) -> Outcome {
    let (flushed, was_flushed): (_, Receiver<()>) = channel();
    let client = Recorder { flushed: Some(flushed), ..Recorder::default() };
    let frame = frame();
    run(client, &outgoing(&frame), move |mut worker| {
        take_request(&mut worker);
        worker.write_all(first).unwrap();
        was_flushed.recv().unwrap();
        let _ = worker.write_all(then);
        if polite {
            assert_eq!(worker.read(&mut [0]).unwrap(), 0);
        }
    })
}

/// Answers a request with raw bytes, then closes.
fn answer(bytes: &[u8]) -> Outcome {
    let frame = frame();
    run(Recorder::default(), &outgoing(&frame), |mut worker| {
        take_request(&mut worker);
        // The child may give up before it has read all of it.
        let _ = worker.write_all(bytes);
    })
}

fn head(status: u16, headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    wire::response::put_head(&mut out, status, b"", headers.iter().copied()).unwrap();
    out
}

fn data(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (header, piece) in wire::response::data_frames(wire::Kind::Data, bytes) {
        out.extend_from_slice(&header);
        out.extend_from_slice(piece);
    }
    out
}

fn empty(kind: wire::Kind) -> Vec<u8> {
    let mut out = Vec::new();
    wire::frame::put_empty(kind, &mut out);
    out
}
