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

use crate::descriptors::{self, MAX_DESCRIPTORS};

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

/// Receives one message before `deadline`. `None`: the peer has closed the channel between two messages.
///
/// # Errors
/// `TimedOut` at the deadline, `UnexpectedEof` inside a message, `InvalidData` for lengths above the limits or
/// descriptors that do not add up, otherwise what recvmsg(2) says.
pub fn receive(socket: impl AsFd, deadline: Instant) -> Result<Option<Message>> {
    let mut stray = Vec::new();
    let mut header = [0_u8; 8];
    if !fill(&socket, &mut header, &mut stray, deadline)? {
        return Ok(None);
    }
    let [a, b, c, d, e, f, g, h] = header;
    let (length, count) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    if length > MAX_MESSAGE || count > MAX_ATTACHED {
        return Err(Error::new(ErrorKind::InvalidData, "a length in the message is above its limit"));
    }
    let mut bytes = vec![0; length as usize];
    if !fill(&socket, &mut bytes, &mut stray, deadline)? && length > 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let count = count as usize;
    let mut attached = Vec::with_capacity(count);
    while attached.len() < count {
        let due = (count - attached.len()).min(MAX_DESCRIPTORS) + attached.len();
        let mut marker = [0_u8; 1];
        if !fill(&socket, &mut marker, &mut attached, deadline)? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if marker != [BATCH] || attached.len() != due {
            return Err(Error::new(ErrorKind::InvalidData, "the message's descriptors do not add up"));
        }
    }
    if !stray.is_empty() {
        return Err(Error::new(ErrorKind::InvalidData, "descriptors came where none were announced"));
    }
    Ok(Some(Message { bytes, descriptors: attached }))
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

/// Fills `buffer`; false when the stream ended before its first byte.
fn fill(
    socket: impl AsFd,
    buffer: &mut [u8],
    attached: &mut Vec<OwnedFd>,
    deadline: Instant,
) -> Result<bool> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match descriptors::receive(&socket, rest, attached, RecvFlags::DONTWAIT) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => filled += n,
            Err(rustix::io::Errno::AGAIN) => wait(&socket, PollFlags::IN, deadline)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
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
