//! A plain HTTP/1.1 client on one connection that stays open: whole answers, status 200 only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Written to a socket at a time.
const BLOCK: usize = 256 * 1024;

/// The header in which the Django application says how many nanoseconds of CPU time it took.
const APPLICATION: &str = "x-application-cpu";

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    line: String,
    application: Option<Duration>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let stream = BufReader::with_capacity(256 * 1024, stream);
        Ok(Self { stream, address, line: String::new(), application: None })
    }

    /// The CPU time that the application has taken for all answers so far; `None` when it does not say.
    pub fn application(&self) -> Option<Duration> {
        self.application
    }

    /// The length of the answer's body, which is read and dropped.
    pub fn get(&mut self, target: &str) -> Result<u64> {
        // In one write: the kernel would keep the second of two small ones back until the first is acknowledged, 40 ms later.
        let request = format!("GET {target} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes())?;
        let length = self.head(target)?;
        let read = std::io::copy(&mut self.stream.by_ref().take(length), &mut std::io::sink())?;
        if read != length {
            bail!("the answer to {target} ended after {read} of {length} bytes");
        }
        Ok(read)
    }

    /// Posts `size` bytes and returns the answer's body.
    pub fn upload(&mut self, target: &str, size: u64) -> Result<String> {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n",
            self.address
        );
        let block = vec![b'x'; BLOCK];
        let stream = self.stream.get_mut();
        stream.write_all(head.as_bytes())?;
        let mut left = size;
        while left > 0 {
            let part = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            stream.write_all(&block[..part])?;
            left -= part as u64;
        }
        let length = self.head(target)?;
        let mut text = String::new();
        self.stream.by_ref().take(length).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Reads status line and headers; the length of the body.
    fn head(&mut self, target: &str) -> Result<u64> {
        let mut length = None;
        let status = self.line()?.trim().to_owned();
        if !(status.starts_with("HTTP/1.1 200") || status.starts_with("HTTP/1.0 200")) {
            bail!("{target} was answered with \"{}\"", status.escape_debug());
        }
        loop {
            let line = self.line()?.trim();
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse()?);
            } else if name.eq_ignore_ascii_case(APPLICATION) {
                let time = Duration::from_nanos(value.trim().parse()?);
                self.application = Some(self.application.unwrap_or_default() + time);
            }
        }
        length.with_context(|| format!("the answer to {target} has no Content-Length"))
    }

    fn line(&mut self) -> Result<&str> {
        self.line.clear();
        if self.stream.read_line(&mut self.line)? == 0 {
            bail!("the server closed the connection instead of answering");
        }
        Ok(&self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Gives the same answer to some requests on one connection, then closes it.
    fn server(answer: &'static str, requests: u32) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for _ in 0..requests {
                let _ = stream.read(&mut [0; 1024]).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    #[test]
    fn the_time_of_the_application_is_summed_up() {
        let answer = "HTTP/1.1 200 OK\r\nX-APPLICATION-CPU: 1500\r\nContent-Length: 2\r\n\r\nok";
        let mut client = Client::connect(server(answer, 2)).unwrap();
        assert_eq!(client.application(), None);
        assert_eq!((client.get("/").unwrap(), client.get("/").unwrap()), (2, 2));
        assert_eq!(client.application(), Some(Duration::from_nanos(3000)));
    }

    #[test]
    fn an_answer_that_ends_early_or_is_no_success_is_an_error() {
        let early = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx";
        let error = Client::connect(server(early, 1)).unwrap().get("/page").unwrap_err().to_string();
        assert_eq!(error, "the answer to /page ended after 1 of 2 bytes");
        let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        let error = Client::connect(server(busy, 1)).unwrap().get("/page").unwrap_err().to_string();
        assert_eq!(error, "/page was answered with \"HTTP/1.1 503 Busy\"");
    }
}
