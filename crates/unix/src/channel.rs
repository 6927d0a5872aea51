//! Whole messages with descriptors over a Unix stream socket: the control channel of httpd's parent and the supervisor.
//!
//! A message is its length (u32, little-endian), the number of descriptors (u32), its bytes, and then one byte for every
//! group of up to [`MAX_DESCRIPTORS`] descriptors, which carries them.
#![forbid(unsafe_code)]

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};

use crate::descriptors::{self, Arrival, MAX_DESCRIPTORS};

/// Longest message in bytes: thousands of process groups fit.
pub const MAX_MESSAGE: u32 = 16 * 1024 * 1024;
/// Most descriptors in one message.
pub const MAX_ATTACHED: u32 = 16 * 1024;
const BATCH: u8 = b'F';

/// A received message.
#[derive(Debug)]
pub struct Message {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its descriptors, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

/// Sends one message before `deadline`.
///
/// # Errors
/// `TimedOut` at the deadline, `InvalidInput` above the limits, otherwise what sendmsg(2) says.
pub fn send(socket: impl AsFd, bytes: &[u8], attached: &[BorrowedFd<'_>], deadline: Instant) -> Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|n| *n <= MAX_MESSAGE);
    let count = u32::try_from(attached.len()).ok().filter(|n| *n <= MAX_ATTACHED);
    let (Some(length), Some(count)) = (length, count) else {
        return Err(Error::new(ErrorKind::InvalidInput, "message for the supervisor is too large"));
    };
    let mut frame = Vec::with_capacity(8 + bytes.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&count.to_le_bytes());
    frame.extend_from_slice(bytes);
    send_all(&socket, &frame, &[], deadline)?;
    for batch in attached.chunks(MAX_DESCRIPTORS) {
        send_all(&socket, &[BATCH], batch, deadline)?;
    }
    Ok(())
}

/// What was received.
#[derive(Debug)]
pub enum Received {
    /// A message.
    Message(Message),
    /// Bytes of another process than the one to listen to; they are gone, with the descriptors that came with them.
    Foreign(i32),
    /// The peer has closed the channel between two messages.
    Closed,
}

/// Receives one message before `deadline`. `None`: the peer has closed the channel between two messages.
///
/// # Errors
/// `TimedOut` at the deadline, `UnexpectedEof` inside a message, `InvalidData` for lengths above the limits or
/// descriptors that do not add up, otherwise what recvmsg(2) says.
pub fn receive(socket: impl AsFd, deadline: Instant) -> Result<Option<Message>> {
    Ok(match (Receiver { socket, sender: None }).receive(deadline)? {
        Received::Message(message) => Some(message),
        Received::Foreign(_) | Received::Closed => None,
    })
}

/// An end of a channel on which only one process is listened to, whoever else has got hold of the other end: the kernel names the
/// sender of all bytes ([`crate::peer::name_senders`]).
#[derive(Debug)]
pub struct Receiver<S> {
    socket: S,
    sender: Option<i32>,
}

impl<S: AsFd> Receiver<S> {
    /// Listens to the process `sender` alone.
    pub fn of(socket: S, sender: i32) -> Self {
        Self { socket, sender: Some(sender) }
    }

    /// Receives one message before `deadline`.
    ///
    /// # Errors
    /// As [`receive`].
    pub fn receive(&self, deadline: Instant) -> Result<Received> {
        let mut stray = Vec::new();
        let mut header = [0_u8; 8];
        match self.fill(&mut header, &mut stray, deadline)? {
            Filled::Whole => {}
            Filled::Ended => return Ok(Received::Closed),
            Filled::Foreign(sender) => return Ok(Received::Foreign(sender)),
        }
        self.rest(header, stray, deadline).map(Received::Message)
    }

    /// What follows the header of a message.
    fn rest(&self, header: [u8; 8], mut stray: Vec<OwnedFd>, deadline: Instant) -> Result<Message> {
        let [a, b, c, d, e, f, g, h] = header;
        let (length, count) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if length > MAX_MESSAGE || count > MAX_ATTACHED {
            return Err(Error::new(ErrorKind::InvalidData, "a length in the message is above its limit"));
        }
        let mut bytes = vec![0; length as usize];
        self.fill_up(&mut bytes, &mut stray, deadline)?;
        let count = count as usize;
        let mut attached = Vec::with_capacity(count);
        while attached.len() < count {
            let due = (count - attached.len()).min(MAX_DESCRIPTORS) + attached.len();
            let mut marker = [0_u8; 1];
            self.fill_up(&mut marker, &mut attached, deadline)?;
            if marker != [BATCH] || attached.len() != due {
                return Err(Error::new(ErrorKind::InvalidData, "the message's descriptors do not add up"));
            }
        }
        if !stray.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "descriptors came where none were announced"));
        }
        Ok(Message { bytes, descriptors: attached })
    }

    /// Fills `buffer` with what follows inside a message; others' bytes in between are passed over.
    fn fill_up(&self, buffer: &mut [u8], attached: &mut Vec<OwnedFd>, deadline: Instant) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        loop {
            match self.fill(buffer, attached, deadline)? {
                Filled::Whole => return Ok(()),
                Filled::Ended => return Err(ErrorKind::UnexpectedEof.into()),
                Filled::Foreign(_) if Instant::now() >= deadline => return Err(ErrorKind::TimedOut.into()),
                Filled::Foreign(_) => {}
            }
        }
    }

    /// Fills `buffer`, if anything of the sender's comes at all.
    fn fill(&self, buffer: &mut [u8], attached: &mut Vec<OwnedFd>, deadline: Instant) -> Result<Filled> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let before = attached.len();
            match descriptors::receive_named(&self.socket, rest, attached, RecvFlags::DONTWAIT) {
                Ok(Arrival { bytes: 0, .. }) if filled == 0 => return Ok(Filled::Ended),
                Ok(Arrival { bytes: 0, .. }) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(Arrival { sender, .. }) if self.sender.is_some() && self.sender != sender => {
                    attached.truncate(before);
                    if filled == 0 {
                        return Ok(Filled::Foreign(sender.unwrap_or(0)));
                    }
                    // Whoever never stops must not keep us here.
                    if Instant::now() >= deadline {
                        return Err(ErrorKind::TimedOut.into());
                    }
                }
                Ok(Arrival { bytes, .. }) => filled += bytes,
                Err(rustix::io::Errno::AGAIN) => wait(&self.socket, PollFlags::IN, deadline)?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Filled::Whole)
    }
}

/// What came of filling a buffer.
enum Filled {
    Whole,
    /// The stream ended before its first byte.
    Ended,
    /// The next bytes were another process's.
    Foreign(i32),
}

fn send_all(
    socket: impl AsFd,
    mut bytes: &[u8],
    attached: &[BorrowedFd<'_>],
    deadline: Instant,
) -> Result<()> {
    let mut attached = attached;
    while !bytes.is_empty() {
        match descriptors::send(&socket, &[IoSlice::new(bytes)], attached, SendFlags::DONTWAIT) {
            Ok(sent) => {
                bytes = bytes.get(sent..).unwrap_or_default();
                attached = &[];
            }
            Err(rustix::io::Errno::AGAIN) => wait(&socket, PollFlags::OUT, deadline)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn wait(socket: impl AsFd, events: PollFlags, deadline: Instant) -> Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        match poll(&mut [PollFd::new(&socket, events)], Some(&timespec(left))) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A duration as the kernel takes it.
#[must_use]
pub fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    fn own_pid() -> i32 {
        std::process::id().cast_signed()
    }

    /// Writes from another process that holds the socket.
    fn write_elsewhere(socket: &UnixStream, text: &str) {
        let socket = OwnedFd::from(socket.try_clone().unwrap());
        let status = std::process::Command::new("printf").arg(text).stdout(socket).status().unwrap();
        assert!(status.success());
    }

    #[test]
    fn sk_5_only_the_sender_that_is_meant_is_listened_to() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        crate::peer::name_senders(&ours).unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        // A whole message of another process, which would be obeyed.
        write_elsewhere(&theirs, "\\002\\000\\000\\000\\000\\000\\000\\000{}");
        send(&theirs, b"first", &[file.as_fd()], soon()).unwrap();
        // Others' bytes in the middle of a message.
        theirs.try_clone().unwrap().write_all(&[4, 0, 0, 0, 0, 0, 0, 0, b'n']).unwrap();
        write_elsewhere(&theirs, "forged");
        theirs.try_clone().unwrap().write_all(b"ext").unwrap();
        write_elsewhere(&theirs, "x");
        drop(theirs);
        let receiver = Receiver::of(&ours, own_pid());
        let (mut messages, mut foreign) = (Vec::new(), 0);
        loop {
            match receiver.receive(soon()).unwrap() {
                Received::Message(message) => messages.push((message.bytes, message.descriptors.len())),
                Received::Foreign(sender) => {
                    assert!(sender > 0 && sender != own_pid());
                    foreign += 1;
                }
                Received::Closed => break,
            }
        }
        assert_eq!(messages, [(b"first".to_vec(), 1), (b"next".to_vec(), 0)]);
        // Two of eight bytes or less for the message, one for the last byte; what was inside a message is not told.
        assert_eq!(foreign, 3);
    }

    #[test]
    fn sk_5_a_socket_that_names_nobody_is_believed_by_nobody() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        send(&theirs, b"{}", &[], soon()).unwrap();
        let received = Receiver::of(&ours, own_pid()).receive(soon()).unwrap();
        assert!(matches!(received, Received::Foreign(0)), "{received:?}");
    }
}
