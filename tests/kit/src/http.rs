//! A small HTTP/1.1 client over one TCP connection that also does what proper clients do not: odd requests, half requests,
//! slow ones, aborts; and that tells how exactly a response ended.

use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long a response may take before the test fails.
pub const PATIENCE: Duration = crate::LIMIT;

/// How a response's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No body by definition (HEAD, 204, 304).
    NoBody,
    /// All bytes of Content-Length came.
    Length,
    /// The last chunk came.
    Chunked,
    /// The connection was closed, which is how this response says its end.
    Close,
    /// The connection broke before the end: what a truncated response must look like.
    Truncated,
}

/// The status line and headers of a response.
#[derive(Debug, Clone)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Reason phrase.
    pub reason: String,
    /// Headers in order of arrival, names as sent.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers_named(name).next()
    }

    /// All headers of this name.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &str> + use<'_> {
        let same = |have: &String| have.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(|(have, _)| same(have))
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status line and headers.
    pub head: Head,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
    /// How it ended.
    pub end: End,
}

impl std::ops::Deref for Response {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl Response {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; fails the test when it is something else.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("status {}, and no JSON: {text}", self.status))
    }

    /// Itself, when the status is `status`; fails the test otherwise.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text());
        self
    }
}

/// A connection to the server.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// The same connection once more, to send on it from another thread. What this one has read ahead stays here.
    pub fn try_clone(&self) -> io::Result<Self> {
        let stream = self.stream.get_ref().try_clone()?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    /// Limits how long a read waits.
    pub fn patience(&self, limit: Duration) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(Some(limit))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Says that no more will be sent.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.get_ref().shutdown(Shutdown::Write)
    }

    /// Drops the connection with a reset, as a crashed client does.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(self.stream.get_ref());
        let _ = socket.set_linger(Some(Duration::ZERO));
    }

    /// Reads a status line and headers; `UnexpectedEof` when the server closed before them.
    pub fn read_head(&mut self) -> io::Result<Head> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            if self.stream.read_until(b'\n', &mut bytes)? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "closed before the end of the head",
                ));
            }
        }
        parse_head(&bytes)
    }

    /// Reads the next chunk of a chunked body as it arrives; `None` after the last one.
    pub fn read_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let size = line.trim_end().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, format!("no chunk size: {line:?}")))?;
        let mut data = vec![0; size + 2];
        self.stream.read_exact(&mut data)?;
        data.truncate(size);
        Ok((size > 0).then_some(data))
    }

    /// Reads exactly `length` bytes.
    pub fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut data = vec![0; length];
        self.stream.read_exact(&mut data)?;
        Ok(data)
    }

    /// Reads whatever comes until the server closes the connection; a reset is an end, too.
    pub fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        match self.stream.read_to_end(&mut data) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(data),
        }
    }

    /// Reads a whole response to a request of this method; interim (1xx) heads are passed over.
    pub fn read_response(&mut self, method: &str) -> io::Result<Response> {
        let mut head = self.read_head()?;
        while (100..200).contains(&head.status) {
            head = self.read_head()?;
        }
        self.read_body(method, head)
    }

    /// Reads the body that belongs to `head`.
    pub fn read_body(&mut self, method: &str, head: Head) -> io::Result<Response> {
        let mut body = Vec::new();
        let chunked =
            head.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length = head.header("Content-Length").and_then(|value| value.parse::<u64>().ok());
        let end = if method == "HEAD" || matches!(head.status, 204 | 304) {
            End::NoBody
        } else if chunked {
            self.read_chunks(&mut body)?
        } else if let Some(length) = length {
            // A reset in the middle is a truncation, as an early end is.
            let _ = io::copy(&mut self.stream.by_ref().take(length), &mut body);
            if body.len() as u64 == length { End::Length } else { End::Truncated }
        } else {
            self.stream.read_to_end(&mut body).map_or(End::Truncated, |_| End::Close)
        };
        Ok(Response { head, body, end })
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<End> {
        loop {
            match self.read_chunk() {
                Ok(Some(data)) => body.extend(data),
                Ok(None) => return Ok(End::Chunked),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Err(error);
                }
                Err(_) => return Ok(End::Truncated),
            }
        }
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Head> {
    let mut slots = [httparse::EMPTY_HEADER; 100];
    let mut parsed = httparse::Response::new(&mut slots);
    let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    parsed.parse(bytes).map_err(|error| invalid(format!("{error}: {:?}", String::from_utf8_lossy(bytes))))?;
    let headers = parsed.headers.iter();
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    Ok(Head {
        status: parsed.code.unwrap_or_default(),
        reason: parsed.reason.unwrap_or_default().to_owned(),
        headers: headers.map(|header| (header.name.to_owned(), text(header.value))).collect(),
    })
}

/// A request to be sent on a connection of its own.
#[derive(Debug, Clone)]
pub struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    host: String,
    headers: String,
    body: Option<Vec<u8>>,
    patience: Duration,
}

impl Request {
    /// A request for `target` to the server at `address`.
    pub fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let (method, target, host) = (method.to_owned(), target.to_owned(), address.to_string());
        Self { address, method, target, host, headers: String::new(), body: None, patience: PATIENCE }
    }

    /// Names another virtual host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// Gives it a body with its Content-Length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Fails reads after this long.
    #[must_use]
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    /// The bytes of the request; it asks the server to close the connection unless `keep` is set.
    pub fn bytes(&self, keep: bool) -> Vec<u8> {
        let connection = if keep { "" } else { "Connection: close\r\n" };
        let length =
            self.body.as_ref().map(|body| format!("Content-Length: {}\r\n", body.len())).unwrap_or_default();
        let Self { method, target, host, headers, .. } = self;
        let mut bytes =
            format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{connection}{length}{headers}\r\n")
                .into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends the whole request on a new connection and leaves reading to the caller.
    pub fn start(&self) -> io::Result<Connection> {
        let mut connection = Connection::open(self.address)?;
        connection.patience(self.patience)?;
        connection.send(self.bytes(false))?;
        Ok(connection)
    }

    /// Sends it and reads the response.
    pub fn try_send(&self) -> io::Result<Response> {
        self.start()?.read_response(&self.method)
    }

    /// Sends it and reads the response; fails the test when there is none.
    #[track_caller]
    pub fn send(&self) -> Response {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }
}
