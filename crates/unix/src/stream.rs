//! A client's side of a Unix stream socket that never blocks by itself: connect, send, receive, wait. Which socket, for how long
//! and what to do then is the caller's part.
#![forbid(unsafe_code)]

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
};

use crate::channel::timespec;
use crate::descriptors;

/// Longest path of a socket in bytes: `sun_path` of unix(7) without its NUL.
pub const MAX_PATH: usize = 107;

/// Connects to the listener at `path`. The socket is close-on-exec and non-blocking.
///
/// # Errors
/// Any of socket(2) and connect(2) at once: `WouldBlock` when the backlog is full, `ConnectionRefused` when nobody listens,
/// `InvalidInput` for a path longer than [`MAX_PATH`].
pub fn connect_to(path: &Path) -> Result<OwnedFd> {
    if path.as_os_str().len() > MAX_PATH {
        return Err(Error::new(ErrorKind::InvalidInput, "the socket's path is too long"));
    }
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::io::retry_on_intr(|| connect(&socket, &address))?;
    Ok(socket)
}

/// Sizes in bytes of a socket's buffers (socket(7): `SO_SNDBUF`, `SO_RCVBUF`); `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BufferSizes {
    /// What may be on its way to the peer. On Linux this alone decides how far one end of a Unix stream is ahead of the other.
    pub send: Option<u32>,
    /// What may wait to be received.
    pub receive: Option<u32>,
}

impl BufferSizes {
    /// Sets them. The kernel takes a size above its limit for the limit.
    ///
    /// # Errors
    /// Any of setsockopt(2).
    pub fn set(self, socket: impl AsFd) -> Result<()> {
        let bytes = |size: u32| usize::try_from(size).unwrap_or(usize::MAX);
        if let Some(size) = self.send {
            rustix::net::sockopt::set_socket_send_buffer_size(&socket, bytes(size))?;
        }
        if let Some(size) = self.receive {
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, bytes(size))?;
        }
        Ok(())
    }
}

/// Sends what fits now. Descriptors travel with the first byte. Never raises SIGPIPE.
///
/// # Errors
/// Any of sendmsg(2): `WouldBlock` when nothing fits, `BrokenPipe` when the peer reads no more.
pub fn send(socket: impl AsFd, parts: &[IoSlice<'_>], attached: &[BorrowedFd<'_>]) -> Result<usize> {
    Ok(descriptors::send(socket, parts, attached, SendFlags::DONTWAIT)?)
}

/// Receives what is there now; descriptors are appended to `attached`. 0 at the end of the stream.
///
/// # Errors
/// Any of recvmsg(2): `WouldBlock` when nothing is there, `ConnectionReset` when the peer closed with bytes of ours unread.
pub fn receive(socket: impl AsFd, buffer: &mut [u8], attached: &mut Vec<OwnedFd>) -> Result<usize> {
    Ok(descriptors::receive(socket, buffer, attached, RecvFlags::DONTWAIT)?)
}

/// What to wait for on a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read, or the end.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

/// Waits until one of the descriptors is ready, has an error or has lost its peer. False when `timeout` passed first.
/// An interrupted wait counts as ready: try again and come back.
///
/// # Errors
/// Any of poll(2) but `EINTR`.
pub fn wait<const N: usize>(on: [(BorrowedFd<'_>, Interest); N], timeout: Duration) -> Result<bool> {
    let mut set = on.map(|(descriptor, interest)| {
        let events = match interest {
            Interest::Read => PollFlags::IN,
            Interest::Write => PollFlags::OUT,
            Interest::Both => PollFlags::IN | PollFlags::OUT,
        };
        PollFd::from_borrowed_fd(descriptor, events)
    });
    match poll(&mut set, Some(&timespec(timeout))) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn sk_7_a_path_that_does_not_fit_is_refused_not_cut() {
        let path = [b'/'; MAX_PATH + 1];
        let error = connect_to(Path::new(std::ffi::OsStr::from_bytes(&path))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_larger_buffer_takes_more() {
        let taken = |sizes: BufferSizes| {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            sizes.set(&ours).unwrap();
            let mut taken = 0;
            while let Ok(count) = send(&ours, &[IoSlice::new(&[0; 4096])], &[]) {
                taken += count;
            }
            taken
        };
        let size = |send| BufferSizes { send: Some(send), receive: None };
        let (small, large) = (taken(size(8 * 1024)), taken(size(128 * 1024)));
        assert!(small < 64 * 1024 && large > 2 * small, "{small} and {large} bytes");
    }

    #[test]
    fn nothing_blocks() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut attached = Vec::new();
        let error = receive(&ours, &mut [0; 4], &mut attached).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(!wait([(ours.as_fd(), Interest::Read)], Duration::from_millis(1)).unwrap());
        assert_eq!(send(&theirs, &[IoSlice::new(b"ab"), IoSlice::new(b"cd")], &[ours.as_fd()]).unwrap(), 4);
        assert!(wait([(ours.as_fd(), Interest::Read)], Duration::from_secs(5)).unwrap());
        let mut buffer = [0; 8];
        assert_eq!(receive(&ours, &mut buffer, &mut attached).unwrap(), 4);
        assert_eq!((&buffer[..4], attached.len()), (b"abcd".as_slice(), 1));
        drop(theirs);
        assert_eq!(receive(&ours, &mut buffer, &mut attached).unwrap(), 0);
        assert_eq!(send(&ours, &[IoSlice::new(b"x")], &[]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
