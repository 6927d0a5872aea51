//! One connection from a child: sending and receiving within time limits, and the last look before it is closed. What the
//! bytes mean is in `inbox`, `upload` and `reply`.

use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, shutdown};
use unix::clock::later;
use unix::descriptors;
use unix::stream::{Interest, wait};
use wire::{Body, HEADER_LEN, Kind, Request, Split, split};

/// Why a connection cannot be used any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The child has closed it.
    #[error("the httpd child closed the connection")]
    Closed,
    /// The child was silent, or took nothing, for too long.
    #[error("the httpd child was silent for longer than socket-timeout")]
    TimedOut,
    /// Anything else.
    #[error("the connection to the httpd child failed: {0}")]
    Failed(Errno),
}

impl From<Errno> for LinkError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN => Self::Closed,
            other => Self::Failed(other),
        }
    }
}

/// What the last look at a connection finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastLook {
    /// Nothing that has to be served: close it.
    Nothing,
    /// A complete request, which must still be served.
    Request,
}

/// A connection whose peer is an httpd child.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Whether the epoll set knows it already.
    pub registered: bool,
    /// The child's process.
    pub peer_pid: u32,
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Link {
    /// Wraps an accepted socket.
    pub fn new(socket: OwnedFd, peer_pid: u32) -> Self {
        Self { socket, registered: false, peer_pid }
    }

    /// Receives what is there: `Some(0)` at the end of the stream, `None` when nothing has come yet.
    pub fn try_receive(
        &self,
        buffer: &mut [u8],
        files: &mut Vec<OwnedFd>,
    ) -> Result<Option<usize>, LinkError> {
        match descriptors::receive(&self.socket, buffer, files, RecvFlags::DONTWAIT) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives at least one byte before `deadline`.
    pub fn receive(
        &self,
        buffer: &mut [u8],
        files: &mut Vec<OwnedFd>,
        deadline: Instant,
    ) -> Result<usize, LinkError> {
        loop {
            match self.try_receive(buffer, files)? {
                Some(0) => return Err(LinkError::Closed),
                Some(count) => return Ok(count),
                None => self.wait(Interest::Read, deadline)?,
            }
        }
    }

    /// Sends all of `parts`; `files` travel with the first byte. Gives up when nothing moved for `silence`.
    pub fn send(
        &self,
        mut parts: &mut [IoSlice<'_>],
        mut files: &[BorrowedFd<'_>],
        silence: Duration,
    ) -> Result<(), LinkError> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            match descriptors::send(&self.socket, parts, files, SendFlags::DONTWAIT) {
                Ok(sent) => {
                    IoSlice::advance_slices(&mut parts, sent);
                    files = &[];
                }
                Err(Errno::AGAIN) => self.wait(Interest::Write, after(silence))?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Sends a few bytes if that is possible without waiting.
    pub fn send_at_once(&self, bytes: &[u8]) {
        let _ = descriptors::send(&self.socket, &[IoSlice::new(bytes)], &[], SendFlags::DONTWAIT);
    }

    /// Ends the connection in both directions, also for a thread that waits for it. What was sent is still received.
    pub fn hang_up(&self) {
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    fn wait(&self, interest: Interest, deadline: Instant) -> Result<(), LinkError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LinkError::TimedOut);
            }
            match wait([(self.as_fd(), interest)], left) {
                Ok(false) => {}
                Ok(true) => return Ok(()),
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO).into()),
            }
        }
    }

    /// Closes the direction from the child and looks whether a request came before. From now on the child's send fails
    /// with `EPIPE`, so it knows that its request was not seen and may go elsewhere with it.
    ///
    /// A request whose body is still to be streamed cannot be served any more. It is left unread: closing the socket then
    /// shows the child `ECONNRESET`, which tells it the same.
    pub fn last_look(&self) -> LastLook {
        if shutdown(&self.socket, Shutdown::Read).is_err() {
            return LastLook::Nothing;
        }
        let mut header = [0; HEADER_LEN];
        if self.peek(&mut header) != HEADER_LEN {
            return LastLook::Nothing;
        }
        let Ok(Split::Need(length)) = split(&header) else { return LastLook::Nothing };
        let mut frame = vec![0; length];
        if self.peek(&mut frame) != frame.len() {
            return LastLook::Nothing;
        }
        match split(&frame) {
            Ok(Split::Frame { kind: Kind::Request, payload, .. }) => match Request::decode(payload) {
                Ok(Request { body: Body::Stream(_), .. }) => LastLook::Nothing,
                _ => LastLook::Request,
            },
            _ => LastLook::Nothing,
        }
    }

    fn peek(&self, buffer: &mut [u8]) -> usize {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        retry_on_intr(|| recv(&self.socket, &mut *buffer, flags)).map_or(0, |(count, _)| count)
    }
}

/// The time `silence` from now.
pub fn after(silence: Duration) -> Instant {
    later(Instant::now(), silence)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use wire::{RequestEncoder, RequestFields};

    use super::*;

    fn pair() -> (Link, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Link::new(ours.into(), 0), theirs)
    }

    fn request(body: Body<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let fields = RequestFields {
            flags: wire::Flags::default(),
            request_start: 1,
            queue_start: 2,
            application_group: b"",
            script: b"/srv/app.wsgi",
            callable: b"application",
            task: wire::Task::Application,
        };
        RequestEncoder::new(&mut bytes, &fields).unwrap().finish(body).unwrap();
        bytes
    }

    #[test]
    fn after_the_last_look_the_child_gets_epipe() {
        let (link, mut child) = pair();
        assert_eq!(link.last_look(), LastLook::Nothing);
        assert_eq!(child.write(b"x").unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        drop(link);
        assert_eq!(child.read(&mut [0; 9]).unwrap(), 0);
    }

    #[test]
    fn a_request_that_came_before_is_found_and_stays_readable() {
        let (link, mut child) = pair();
        let bytes = request(Body::Inline(&[7; 60_000]));
        child.write_all(&bytes).unwrap();
        assert_eq!(link.last_look(), LastLook::Request);
        let mut buffer = vec![0; bytes.len() + 1];
        assert_eq!(link.try_receive(&mut buffer, &mut Vec::new()), Ok(Some(bytes.len())));
    }

    #[test]
    fn what_cannot_be_served_is_left_unread_and_resets_the_connection() {
        let whole = request(Body::Inline(b"abc"));
        for bytes in
            [&request(Body::Stream(None))[..], &whole[..whole.len() - 1], &whole[..5], b"garbage...."]
        {
            let (link, mut child) = pair();
            child.write_all(bytes).unwrap();
            assert_eq!(link.last_look(), LastLook::Nothing);
            drop(link);
            let error = child.read(&mut [0; 9]).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }

    #[test]
    fn wf_4_a_silent_child_is_given_up() {
        let (link, mut child) = pair();
        let limit = Duration::from_millis(50);
        let mut buffer = [0; 9];
        assert_eq!(link.receive(&mut buffer, &mut Vec::new(), after(limit)), Err(LinkError::TimedOut));
        let large = vec![0; 10_000_000];
        assert_eq!(link.send(&mut [IoSlice::new(&large)], &[], limit), Err(LinkError::TimedOut));
        child.read_exact(&mut [0; 4096]).unwrap();
        drop(child);
        assert_eq!(link.send(&mut [IoSlice::new(&large)], &[], limit), Err(LinkError::Closed));
        assert_eq!(link.receive(&mut buffer, &mut Vec::new(), after(limit)), Err(LinkError::Closed));
    }
}
