//! The connection a request came over: addresses, state, keep-alive.

use crate::log::Log;
use crate::optional;
use crate::pool::Pool;
use crate::table::Table;
use crate::text;
use httpd_sys as sys;
use std::marker::PhantomData;
use std::os::fd::BorrowedFd;
use std::ptr::{NonNull, null_mut};
use std::time::Duration;

/// An address and port of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'r> {
    /// The IP address as text; empty if unknown.
    pub ip: &'r [u8],
    /// The port; 0 if unknown.
    pub port: u16,
}

/// A connection, alive for `'r`. With HTTP/2 each request has one of its own, whose [`Connection::is_secondary`] is
/// true.
#[derive(Clone, Copy)]
pub struct Connection<'r> {
    raw: NonNull<sys::conn_rec>,
    life: PhantomData<&'r sys::conn_rec>,
}

impl<'r> Connection<'r> {
    /// # Safety
    /// `raw` lives for `'r` and belongs to this thread.
    pub(crate) unsafe fn from_raw(raw: *mut sys::conn_rec) -> Connection<'r> {
        match NonNull::new(raw) {
            Some(raw) => Connection { raw, life: PhantomData },
            None => panic!("httpd handed out no connection"),
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::conn_rec {
        self.raw.as_ptr()
    }

    /// The connection's pool.
    pub fn pool(&self) -> Pool<'r> {
        // SAFETY: the connection lives for 'r and belongs to this thread.
        unsafe { Pool::from_raw((*self.raw()).pool) }
    }

    /// The peer's address as seen on the wire (not what mod_remoteip made of it; see `Request::useragent_ip`).
    pub fn client(&self) -> Address<'r> {
        // SAFETY: as in `pool`; the texts live as long as the connection.
        unsafe { address((*self.raw()).client_ip, (*self.raw()).client_addr) }
    }

    /// The address the connection came in on.
    pub fn local(&self) -> Address<'r> {
        // SAFETY: as in `client`.
        unsafe { address((*self.raw()).local_ip, (*self.raw()).local_addr) }
    }

    /// The connection's id for logs (`%L` of a connection), made now if no log line has asked for one before.
    pub fn log_id(&self) -> Option<&'r [u8]> {
        // SAFETY: the connection is live; httpd puts the text into its pool. The field is written as httpd's own logging
        // does, by the thread the connection belongs to.
        unsafe {
            if (*self.raw()).log_id.is_null() {
                sys::ap_run_generate_log_id(self.raw(), null_mut(), &raw mut (*self.raw()).log_id);
            }
            text::bytes((*self.raw()).log_id)
        }
    }

    /// Notes of modules about this connection.
    pub fn notes(&self) -> Table<'r> {
        // SAFETY: as in `client`.
        unsafe { Table::from_raw((*self.raw()).notes) }
    }

    /// The connection's log.
    pub fn log(&self) -> Log<'r> {
        // SAFETY: as in `client`.
        unsafe { Log::connection(self.raw()) }
    }

    /// Whether httpd knows that the client is gone.
    pub fn aborted(&self) -> bool {
        // SAFETY: as in `client`.
        unsafe { sys::conn_aborted(self.raw()) }
    }

    /// Has httpd close the connection after this response.
    pub fn close_after_response(&self) {
        // SAFETY: as in `client`; a plain field, written by the thread the connection belongs to.
        unsafe { (*self.raw()).keepalive = sys::AP_CONN_CLOSE }
    }

    /// Has httpd take the connection for gone: it sends no more and closes it, and `%X` of the access log is `X`. A stream of
    /// HTTP/2 is marked by mod_http2 itself when it has reset it.
    pub(crate) fn give_up(&self) {
        self.close_after_response();
        if !self.is_secondary() {
            // SAFETY: as in `close_after_response`.
            unsafe { (*self.raw()).aborted = 1 }
        }
    }

    /// Whether this is one stream of a connection (HTTP/2).
    pub fn is_secondary(&self) -> bool {
        // SAFETY: as in `client`.
        unsafe { !(*self.raw()).master.is_null() }
    }

    /// The client's socket, to wait for its end of the connection to close; `None` for a stream of HTTP/2.
    pub fn socket(&self) -> Option<BorrowedFd<'r>> {
        let socket = self.own_socket()?;
        let mut fd = -1;
        // SAFETY: the connection lives for 'r and so does its socket.
        unsafe {
            let known = sys::apr_os_sock_get(&raw mut fd, socket) == sys::APR_SUCCESS;
            (known && fd >= 0).then(|| BorrowedFd::borrow_raw(fd))
        }
    }

    /// How long the client may take or send nothing; `None` for a stream of HTTP/2, or without a limit.
    pub fn patience(&self) -> Option<Duration> {
        let socket = self.own_socket()?;
        let mut microseconds = -1;
        // SAFETY: the socket lives as long as the connection.
        let status = unsafe { sys::apr_socket_timeout_get(socket, &raw mut microseconds) };
        let known = status == sys::APR_SUCCESS;
        u64::try_from(microseconds).ok().filter(|_| known).map(Duration::from_micros)
    }

    /// Sets [`Connection::patience`]; nothing happens for a stream of HTTP/2.
    pub fn set_patience(&self, limit: Duration) {
        if let Some(socket) = self.own_socket() {
            let microseconds = sys::apr_interval_time_t::try_from(limit.as_micros());
            // SAFETY: as in `patience`. A socket that cannot take the new limit keeps the old one.
            let _ = unsafe {
                sys::apr_socket_timeout_set(socket, microseconds.unwrap_or(sys::apr_interval_time_t::MAX))
            };
        }
    }

    /// Whether httpd holds content for the client that the client's socket had no room for.
    pub fn has_pending_output(&self) -> bool {
        // SAFETY: as in `client`; a plain field, written by the thread the connection belongs to.
        unsafe { (*self.raw()).data_in_output_filters != 0 }
    }

    /// Sends what fits now of the content that httpd holds, as an MPM does that completes a response.
    pub fn push_pending_output(&self) {
        // SAFETY: the connection and its filters are live. The last filter is httpd's core, which takes a null brigade for
        // the wish to write what it holds without waiting (core_filters.c). What goes wrong it notes in the connection.
        unsafe {
            let mut filter = (*self.raw()).output_filters;
            while let Some(next) = filter.as_ref().map(|filter| filter.next).filter(|next| !next.is_null()) {
                filter = next;
            }
            let Some(record) = filter.as_ref().and_then(|filter| filter.frec.as_ref()) else { return };
            if let Some(write) = record.filter_func.out_func {
                let _ = write(filter, null_mut());
            }
        }
    }

    fn own_socket(&self) -> Option<*mut sys::apr_socket_t> {
        if self.is_secondary() {
            return None;
        }
        // SAFETY: as in `client`.
        let socket = unsafe { sys::ap_get_conn_socket(self.raw()) };
        (!socket.is_null()).then_some(socket)
    }

    /// Whether the client speaks TLS to this server (mod_ssl; false when it is not loaded).
    pub fn is_https(&self) -> bool {
        optional::is_https(self)
    }
}

/// # Safety
/// Both pointers are null or live for `'r`.
unsafe fn address<'r>(ip: *const std::ffi::c_char, socket: *const sys::apr_sockaddr_t) -> Address<'r> {
    // SAFETY: the caller's promise.
    unsafe {
        let ip = text::bytes(ip).unwrap_or_default();
        // httpd writes `local_ip` only when something asked for the host name of the local end.
        let ip = if ip.is_empty() && !socket.is_null() { ip_text(socket.cast_mut()) } else { ip };
        Address { ip, port: socket.as_ref().map_or(0, |socket| socket.port) }
    }
}

/// # Safety
/// `socket` lives for `'r`, with its pool.
unsafe fn ip_text<'r>(socket: *mut sys::apr_sockaddr_t) -> &'r [u8] {
    let mut ip = null_mut();
    // SAFETY: the caller's promise; APR puts the text into the address's pool.
    unsafe {
        match sys::apr_sockaddr_ip_get(&raw mut ip, socket) {
            sys::APR_SUCCESS => text::bytes(ip).unwrap_or_default(),
            _ => &[],
        }
    }
}
