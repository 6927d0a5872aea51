//! What one request wants from the world outside Python, as a trait. How bytes travel is the implementor's business.

use std::os::fd::BorrowedFd;

use crate::head::ResponseHead;

/// One request's connection to whoever asked for it.
///
/// Every method is called without the GIL and may block. The gateway calls them one at a time, possibly from
/// several threads of the application one after another (`wsgi.input` read in a helper thread, say).
///
/// Order of calls: any number of [`read_body`](Self::read_body) and [`log`](Self::log) at any time; then either
/// [`fail`](Self::fail), or [`head`](Self::head) once, followed by any number of [`data`](Self::data) and
/// [`file`](Self::file), closed by exactly one of [`end`](Self::end), [`end_with`](Self::end_with),
/// [`abort`](Self::abort). Nothing is called after a closing call, except `log`.
pub trait Exchange: Send {
    /// Fills the front of `buf` with body bytes that arrived, waiting for at least one. `Ok(0)` is the end of the
    /// body. Once an error was returned, this is not called again for this request.
    fn read_body(&mut self, buf: &mut [u8]) -> Result<usize, BodyError>;

    /// Goes on with the body at `position`, which may be behind its end. Called only for a body that is there as a whole
    /// ([`Request::body_length`](crate::Request::body_length)).
    fn seek_body(&mut self, position: u64);

    /// Status line and headers. Kept by the implementor until the first `data`, `file` or end, so that they travel
    /// together.
    fn head(&mut self, head: &ResponseHead);

    /// Sends one block at once: PEP 3333 forbids to delay it. Never empty.
    fn data(&mut self, block: &[u8]) -> Result<(), WriteError>;

    /// Sends the last block (possibly empty) and the end of the response in one go.
    fn end_with(&mut self, last: &[u8]) -> Result<(), WriteError>;

    /// Sends `length` bytes of a regular file from `offset`. The file is at least that long when this is called.
    fn file(&mut self, fd: BorrowedFd<'_>, offset: u64, length: u64) -> Result<(), WriteError>;

    /// The response is complete.
    fn end(&mut self) -> Result<(), WriteError>;

    /// The response cannot be completed: it has to look truncated to the client (RS-7). `why` is for the log of the
    /// transport only; the gateway has logged the cause already.
    fn abort(&mut self, why: &str);

    /// Nothing was sent and nothing will be: answer with this error status instead (500 or 504). The gateway has
    /// logged the reason already.
    fn fail(&mut self, status: u16);

    /// Like `fail` where nothing was sent, else like `abort`, on behalf of a thread that may never come back to this exchange:
    /// must not wait, and leaves nothing behind that could be used for another request. Closes the exchange.
    fn give_up(&mut self, status: u16);

    /// One line (without its line end) for the error log of this request, which names the script before it.
    fn log(&mut self, level: Level, script: &str, line: &str);
}

/// Severity of a log line, named as in httpd's `LogLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `crit`
    Critical,
    /// `error`
    Error,
    /// `warn`
    Warn,
    /// `info`
    Info,
    /// `debug`
    Debug,
}

/// Why the request body cannot be read further. The sentence becomes part of the application's `OSError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client or the server in front closed the connection.
    #[error("Connection was terminated")]
    Closed,
    /// No byte came in time.
    #[error("Timed out waiting for the client")]
    TimedOut,
    /// Anything else, told in words.
    #[error("{0}")]
    Failed(String),
}

/// Why the response cannot be sent further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The client is gone: not an error of the application.
    #[error("client connection closed")]
    ClientGone,
    /// Anything else, told in words.
    #[error("{0}")]
    Failed(String),
}
