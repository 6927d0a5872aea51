//! Sending and receiving bytes together with descriptors (`SCM_RIGHTS`, unix(7)). Received descriptors are close-on-exec.
#![forbid(unsafe_code)]

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most descriptors in one message; the kernel's own limit is 253 (`SCM_MAX_FD`).
pub const MAX_DESCRIPTORS: usize = 200;

/// Sends `parts` with at most [`MAX_DESCRIPTORS`] descriptors, which travel with the first byte.
/// Returns the number of bytes sent. Never raises SIGPIPE.
///
/// # Errors
/// Any of sendmsg(2); `EINVAL` for too many descriptors. An interrupted call is repeated.
pub fn send(
    socket: impl AsFd,
    parts: &[IoSlice<'_>],
    descriptors: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<usize> {
    let flags = flags | SendFlags::NOSIGNAL;
    if descriptors.is_empty() {
        let mut none = SendAncillaryBuffer::default();
        return retry_on_intr(|| sendmsg(&socket, parts, &mut none, flags));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if descriptors.len() > MAX_DESCRIPTORS || !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    retry_on_intr(|| sendmsg(&socket, parts, &mut control, flags))
}

/// Receives into `buffer`; descriptors that come along are appended to `descriptors`.
/// Returns the number of bytes, 0 at the end of the stream.
///
/// # Errors
/// Any of recvmsg(2); `EMSGSIZE` when descriptors were lost for want of room (those received are closed).
pub fn receive(
    socket: impl AsFd,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> Result<usize> {
    receive_named(socket, buffer, descriptors, flags).map(|arrival| arrival.bytes)
}

/// What has arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Number of bytes, 0 at the end of the stream.
    pub(crate) bytes: usize,
    /// The process that has sent them, on a socket that names senders ([`crate::peer::name_senders`]). The bytes of one call come
    /// from one sender.
    pub(crate) sender: Option<i32>,
}

/// [`receive`], with the sender.
pub(crate) fn receive_named(
    socket: impl AsFd,
    buffer: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    flags: RecvFlags,
) -> Result<Arrival> {
    let mut space =
        [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS + 53), ScmCredentials(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let message = retry_on_intr(|| recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, flags))?;
    let (before, mut sender) = (descriptors.len(), None);
    for item in control.drain() {
        match item {
            RecvAncillaryMessage::ScmRights(received) => descriptors.extend(received),
            RecvAncillaryMessage::ScmCredentials(named) => sender = Some(named.pid.as_raw_nonzero().get()),
            _ => {}
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        descriptors.truncate(before);
        return Err(Errno::MSGSIZE);
    }
    Ok(Arrival { bytes: message.bytes, sender })
}
