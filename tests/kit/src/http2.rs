//! One stream of HTTP/2 without TLS (RFC 9113), frame by frame: for what curl and nghttp cannot do, such as a body that waits for
//! the answer. Bodies must fit into the first flow-control window.

use crate::http::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const STREAM: u32 = 1;

/// What the server says on the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Status and headers; the status where HPACK has one byte for it (200, 204, 206, 304, 400, 404, 500), else 0.
    Head(u16),
    /// A piece of the body, never empty.
    Data(Vec<u8>),
    /// The end of the response.
    End,
    /// The stream was reset.
    Reset,
}

/// A connection with one stream.
pub struct Http2 {
    socket: TcpStream,
    ended: bool,
}

impl Http2 {
    /// Connects and sends a POST whose body follows.
    pub fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let mut stream = Self { socket, ended: false };
        stream.socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        stream.frame(SETTINGS, 0, 0, b"")?;
        // HPACK (RFC 7541): POST and http stand in the static table, as do the names of the next two; all values are literal.
        let mut block = vec![0x83, 0x86, 0x04];
        text(&mut block, path);
        block.push(0x01);
        text(&mut block, "localhost");
        for (name, value) in headers {
            block.push(0x00);
            text(&mut block, name);
            text(&mut block, value);
        }
        stream.frame(HEADERS, END_HEADERS, STREAM, &block)?;
        Ok(stream)
    }

    /// Sends a piece of the body.
    pub fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        self.frame(DATA, 0, STREAM, piece)
    }

    /// Ends the body.
    pub fn finish_sending(&mut self) -> io::Result<()> {
        self.frame(DATA, END_STREAM, STREAM, b"")
    }

    /// Takes the request back (CANCEL).
    pub fn reset(&mut self) -> io::Result<()> {
        self.frame(RST_STREAM, 0, STREAM, &[0, 0, 0, 8])
    }

    /// Limits how long a read waits.
    pub fn patience(&self, limit: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(limit))
    }

    /// The next thing the server says on the stream.
    pub fn said(&mut self) -> io::Result<Said> {
        loop {
            if std::mem::take(&mut self.ended) {
                return Ok(Said::End);
            }
            let mut header = [0; 9];
            self.socket.read_exact(&mut header)?;
            let [a, b, c, kind, flags, ..] = header;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.socket.read_exact(&mut payload)?;
            self.ended = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
            match kind {
                HEADERS => return Ok(Said::Head(status(&payload))),
                DATA if !payload.is_empty() => return Ok(Said::Data(payload)),
                RST_STREAM => return Ok(Said::Reset),
                SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, b"")?,
                _ => {}
            }
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![a, b, c, kind, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        self.socket.write_all(&bytes)
    }
}

/// A string without Huffman coding; shorter than 127 bytes.
fn text(block: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 127, "a longer string needs more bytes for its length");
    block.push(text.len() as u8);
    block.extend(text.as_bytes());
}

fn status(block: &[u8]) -> u16 {
    const INDEXED: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A change of the table's size may come first (RFC 7541, 6.3).
    let first = block.iter().find(|byte| **byte & 0xe0 != 0x20);
    first
        .and_then(|byte| byte.checked_sub(0x88))
        .and_then(|index| INDEXED.get(usize::from(index)).copied())
        .unwrap_or_default()
}
