//! A child's end of a connection.

use std::io::IoSlice;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{RecvFlags, SendFlags};
use unix::descriptors;
use wire::response::{data_frames, decode_fail};
use wire::{
    Body, FilePart, Kind, Log, Refusal, RefusalReason, Request, RequestEncoder, RequestFields, ResponseHead,
    ResponseOrder, Split, Task, split,
};

/// One received frame, with what tests look at.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    Head(u16, Vec<(String, String)>),
    Data(Vec<u8>),
    File(FilePart),
    End,
    Abort,
    Fail(u16),
    Log(String),
    WantBody,
    Refuse(RefusalReason, String),
    /// The payload of an answer that can be decoded.
    Answer(Vec<u8>),
}

/// A whole answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub logs: Vec<String>,
    pub files: Vec<FilePart>,
    pub last: Option<Frame>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub struct Child {
    socket: UnixStream,
    received: Vec<u8>,
    pub files: Vec<OwnedFd>,
    order: ResponseOrder,
    /// How many calls brought something.
    pub reads: usize,
}

/// What a request asks for.
pub struct Ask<'a> {
    pub path: &'a str,
    pub script: &'a [u8],
    pub group: &'a str,
    pub callable: &'a str,
    pub environ: &'a [(&'a str, &'a str)],
    pub body: Body<'a>,
    pub task: Task<'a>,
}

impl<'a> Ask<'a> {
    pub fn new(script: &'a [u8], path: &'a str) -> Self {
        Self {
            path,
            script,
            group: "",
            callable: "application",
            environ: &[],
            body: Body::Inline(b""),
            task: Task::Application,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let fields = RequestFields {
            flags: wire::Flags::default(),
            request_start: 1_700_000_000_500_000,
            queue_start: 1_700_000_000_750_000,
            application_group: self.group.as_bytes(),
            script: self.script,
            callable: self.callable.as_bytes(),
            task: self.task,
        };
        let mut encoder = RequestEncoder::new(&mut out, &fields).unwrap();
        let method = if matches!(self.body, Body::Inline(b"")) { "GET" } else { "POST" };
        let length = match self.body {
            Body::Inline(bytes) => Some(bytes.len() as u64),
            Body::File(length) => Some(length),
            Body::Stream(length) => length,
        };
        let fixed = [
            ("REQUEST_METHOD", method),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", self.path),
            ("QUERY_STRING", ""),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
        ];
        for (key, value) in fixed.iter().chain(self.environ) {
            encoder.pair(key.as_bytes(), value.as_bytes()).unwrap();
        }
        if let Some(length) = length {
            encoder.pair(b"CONTENT_LENGTH", length.to_string().as_bytes()).unwrap();
        }
        encoder.finish(self.body).unwrap();
        // What the worker will see.
        assert!(Request::decode(&out[wire::HEADER_LEN..]).is_ok());
        out
    }
}

impl Child {
    pub fn new(socket: UnixStream) -> Self {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (received, files) = (Vec::new(), Vec::new());
        Self { socket, received, files, order: ResponseOrder::new(false), reads: 0 }
    }

    /// The next frames answer this.
    pub fn expect(&mut self, ask: &Ask<'_>) {
        let streamed = matches!(ask.body, Body::Stream(_));
        self.order = if ask.task.is_call() { ResponseOrder::call() } else { ResponseOrder::new(streamed) };
    }

    pub fn send(&mut self, ask: &Ask<'_>) {
        self.expect(ask);
        self.send_bytes(&ask.encode(), &[]).unwrap();
    }

    pub fn send_with_files(&mut self, ask: &Ask<'_>, files: &[&dyn AsFd]) {
        self.order = ResponseOrder::new(false);
        self.send_bytes(&ask.encode(), files).unwrap();
    }

    pub fn send_bytes(&mut self, mut bytes: &[u8], files: &[&dyn AsFd]) -> rustix::io::Result<()> {
        let mut files: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
        while !bytes.is_empty() {
            let sent = descriptors::send(&self.socket, &[IoSlice::new(bytes)], &files, SendFlags::empty())?;
            bytes = &bytes[sent..];
            files.clear();
        }
        Ok(())
    }

    pub fn send_body(&mut self, block: &[u8]) {
        for (header, piece) in data_frames(Kind::Body, block) {
            self.send_bytes(&header, &[]).unwrap();
            self.send_bytes(piece, &[]).unwrap();
        }
    }

    pub fn send_empty(&mut self, kind: Kind) {
        let mut bytes = Vec::new();
        wire::frame::put_empty(kind, &mut bytes);
        self.send_bytes(&bytes, &[]).unwrap();
    }

    /// The next frame; `None` at the end of the stream.
    pub fn try_frame(&mut self) -> std::io::Result<Option<Frame>> {
        loop {
            match split(&self.received).expect("the worker's bytes are frames") {
                Split::Frame { kind, payload, consumed } => {
                    self.order.accept(kind).expect("the worker keeps the order of frames");
                    let frame = decode(kind, payload);
                    self.received.drain(..consumed);
                    return Ok(Some(frame));
                }
                Split::Need(_) => {
                    let mut piece = vec![0; 1 << 20];
                    let flags = RecvFlags::empty();
                    let count = descriptors::receive(&self.socket, &mut piece, &mut self.files, flags)?;
                    if count == 0 {
                        return Ok(None);
                    }
                    self.reads += 1;
                    self.received.extend_from_slice(&piece[..count]);
                }
            }
        }
    }

    pub fn frame(&mut self) -> Frame {
        self.try_frame().unwrap().expect("the worker closed the connection")
    }

    /// Reads frames to the last one.
    pub fn answer(&mut self) -> Answer {
        let mut answer = Answer::default();
        loop {
            match self.frame() {
                Frame::Head(status, headers) => (answer.status, answer.headers) = (status, headers),
                Frame::Data(data) => answer.body.extend_from_slice(&data),
                Frame::File(part) => answer.files.push(part),
                Frame::Log(text) => answer.logs.push(text),
                Frame::WantBody => {}
                last => {
                    answer.last = Some(last);
                    return answer;
                }
            }
        }
    }

    pub fn get(&mut self, ask: &Ask<'_>) -> Answer {
        self.send(ask);
        self.answer()
    }

    /// Whether the worker has closed the connection without another word.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.try_frame(), Ok(None))
    }
}

fn decode(kind: Kind, payload: &[u8]) -> Frame {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        Kind::Head => {
            let head = ResponseHead::decode(payload).unwrap();
            Frame::Head(head.status, head.headers().map(|(name, value)| (text(name), text(value))).collect())
        }
        Kind::Data => Frame::Data(payload.to_vec()),
        Kind::File => Frame::File(FilePart::decode(payload).unwrap()),
        Kind::End => Frame::End,
        Kind::Abort => Frame::Abort,
        Kind::Fail => Frame::Fail(decode_fail(payload).unwrap()),
        Kind::Log => Frame::Log(text(Log::decode(payload).unwrap().text)),
        Kind::WantBody => Frame::WantBody,
        Kind::Refuse => {
            let refusal = Refusal::decode(payload).unwrap();
            Frame::Refuse(refusal.reason, text(refusal.text))
        }
        Kind::Answer => {
            wire::Answer::decode(payload).unwrap();
            Frame::Answer(payload.to_vec())
        }
        other => panic!("a worker does not send {other:?}"),
    }
}
