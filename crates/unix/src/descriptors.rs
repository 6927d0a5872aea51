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
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS + 53))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = flags | RecvFlags::CMSG_CLOEXEC;
    let message = retry_on_intr(|| recvmsg(&socket, &mut [IoSliceMut::new(buffer)], &mut control, flags))?;
    let before = descriptors.len();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = item {
            descriptors.extend(received);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        descriptors.truncate(before);
        return Err(Errno::MSGSIZE);
    }
    Ok(message.bytes)
}
