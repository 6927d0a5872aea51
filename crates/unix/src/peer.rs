//! Who is at the other end of a Unix socket, as the kernel knows it (`SO_PEERCRED`, `SO_PASSCRED`, unix(7)).
#![forbid(unsafe_code)]

use std::os::fd::AsFd;

/// Credentials of a peer when it connected, or, seen from a client, of the process that called `listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Effective uid.
    pub uid: u32,
    /// Effective gid.
    pub gid: u32,
    /// Process id; may have been reused since.
    pub pid: i32,
}

/// Asks the kernel for the peer of a connected socket.
///
/// # Errors
/// Any of getsockopt(2).
pub fn of(socket: impl AsFd) -> std::io::Result<Peer> {
    let credentials = rustix::net::sockopt::socket_peercred(socket)?;
    Ok(Peer {
        uid: credentials.uid.as_raw(),
        gid: credentials.gid.as_raw(),
        pid: credentials.pid.as_raw_nonzero().get(),
    })
}

/// Has the kernel say of everything that arrives at a socket which process has sent it (`SO_PASSCRED`): see
/// [`crate::channel::Receiver`]. To be called before anything can be sent.
///
/// # Errors
/// Any of setsockopt(2).
pub fn name_senders(socket: impl AsFd) -> std::io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_passcred(socket, true)?)
}
