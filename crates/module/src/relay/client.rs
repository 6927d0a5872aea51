//! What the relay asks of the httpd side of a request. `apache` answers with the real one; tests answer without httpd.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use wire::LogLevel;

use crate::body::{BodyError, BodyRead};
use crate::response::CheckedHead;

/// A piece of a response body.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Bytes, valid during the call only.
    Data(&'a [u8]),
    /// A part of a regular file that was checked to be one and to hold the part.
    File {
        /// The file.
        file: OwnedFd,
        /// First byte.
        offset: u64,
        /// Number of bytes, at least 1.
        length: u64,
    },
    /// A part of a file that only this process can change, and does not.
    Private {
        /// The file.
        file: &'a File,
        /// First byte.
        offset: u64,
        /// Number of bytes, at least 1.
        length: u64,
    },
}

/// What happens behind the pieces of one [`Client::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// More is about to come.
    More,
    /// Nothing more is there now: what was given must reach the client.
    Flush,
    /// The response is complete.
    End,
    /// The response is not complete and never will be: the client must be able to see that.
    Broken,
}

/// The client will take no more bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// The httpd side of one request.
pub trait Client {
    /// Adds the next bytes of the request body to `buffer`, about `limit` at most. With `wait` only returns when there is
    /// something to say.
    ///
    /// # Errors
    /// [`BodyError`]; the body is then over.
    fn read_body(&mut self, buffer: &mut Vec<u8>, limit: usize, wait: bool) -> Result<BodyRead, BodyError>;

    /// The client's socket, to poll for more of the body and for room; `None` when only a blocking call can tell.
    fn socket(&self) -> Option<BorrowedFd<'_>>;

    /// Whether the client takes more without making the caller wait, possibly after `patience`. With none, a client without a
    /// socket is always said to be ready; with some, only before the first bytes.
    fn is_ready(&mut self, patience: Duration) -> bool;

    /// How long the client may take nothing of its response.
    fn response_patience(&self) -> Duration;

    /// The client has taken nothing for too long: it gets no more.
    fn abandon(&mut self);

    /// Longest silence of the client while its body is waited for.
    fn patience(&self) -> Duration;

    /// Takes status and headers. Nothing is sent before the first [`Client::send`].
    fn head(&mut self, head: &CheckedHead<'_>);

    /// Takes the head of a response that is replaced by a page of httpd's, for the headers that the page keeps.
    fn head_of_page(&mut self, head: &CheckedHead<'_>);

    /// The page will be shown.
    fn show_page(&mut self);

    /// Takes the next pieces of the body.
    ///
    /// # Errors
    /// [`Gone`] when nobody will read them.
    fn send(&mut self, pieces: &mut dyn Iterator<Item = Piece<'_>>, then: Then) -> Result<(), Gone>;

    /// Writes one record to the error log of the request.
    fn log(&mut self, level: LogLevel, line: &[u8]);
}
