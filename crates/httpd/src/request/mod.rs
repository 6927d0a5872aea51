//! A request during a hook: what was asked. `response` holds what is answered, `body` reads what the client sends.

mod body;
mod facts;
mod response;

pub use body::{Body, Read, Wait};
pub use facts::{FileFacts, FileType, PassAuth, PathInfo};

use crate::config;
use crate::connection::{Address, Connection};
use crate::log::Log;
use crate::module::Module;
use crate::pool::Pool;
use crate::server::Server;
use crate::table::Table;
use crate::text;
use httpd_sys as sys;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::{Duration, SystemTime};

/// A request, alive for `'r`: the time of the hook it was handed to. Text of the request lives as long; setting a
/// field changes where it points, never text that was handed out.
pub struct Request<'r> {
    raw: NonNull<sys::request_rec>,
    life: PhantomData<&'r mut sys::request_rec>,
}

/// Writes getters for text that may be absent.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident => $field:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Option<&'r [u8]> {
            // SAFETY: the request is live; its text lives in its pool and is replaced, not written into (see the type).
            unsafe { text::bytes((*self.raw()).$field) }
        })*
    };
}

/// Writes getters for tables.
macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Table<'r> {
            // SAFETY: httpd makes this table with the request, in its pool.
            unsafe { Table::from_raw((*self.raw()).$name) }
        })*
    };
}

/// Writes setters for text.
macro_rules! set_texts {
    ($($(#[$doc:meta])* $name:ident => $field:ident;)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self, value: &[u8]) {
            let value = self.pool().copy(value);
            // SAFETY: the request is live; the copy lives as long.
            unsafe { (*self.raw()).$field = value }
        })*
    };
}

impl<'r> Request<'r> {
    /// # Safety
    /// The request lives, and belongs to this thread, for `'r`.
    pub(crate) unsafe fn from_raw(raw: NonNull<sys::request_rec>) -> Request<'r> {
        Request { raw, life: PhantomData }
    }

    pub(crate) fn raw(&self) -> *mut sys::request_rec {
        self.raw.as_ptr()
    }

    /// The request's pool.
    pub fn pool(&self) -> Pool<'r> {
        // SAFETY: the request is live and belongs to this thread.
        unsafe { Pool::from_raw((*self.raw()).pool) }
    }

    /// The server (virtual host) the request is for.
    pub fn server(&self) -> Server<'r> {
        // SAFETY: the server lives as long as the configuration, which outlives requests.
        unsafe { Server::from_raw((*self.raw()).server) }
    }

    /// The connection it came over.
    pub fn connection(&self) -> Connection<'r> {
        // SAFETY: the connection outlives its requests.
        unsafe { Connection::from_raw((*self.raw()).connection) }
    }

    /// The request's log.
    pub fn log(&self) -> Log<'r> {
        // SAFETY: the request lives for 'r.
        unsafe { Log::request(self.raw()) }
    }

    /// The module's value for the request's server.
    pub fn server_config<M: Module>(&self) -> &'r M::Server {
        self.server().config::<M>()
    }

    /// The module's value for the request's directory: everything that applies, merged so far. During `translate_name`
    /// that is the server level and `<Location>`; directories and `.htaccess` come after it.
    pub fn dir_config<M: Module>(&self) -> &'r M::Dir {
        // SAFETY: the vector is the request's; values made while walking live in the request's pool. `M`'s record puts
        // only `M::Dir` there.
        unsafe { config::get::<M, M::Dir>((*self.raw()).per_dir_config) }
    }

    texts! {
        /// The method, as sent.
        method => method;
        /// The path: decoded, cleaned, without query.
        uri => uri;
        /// The request line.
        the_request => the_request;
        /// The query, without `?`.
        args => args;
        /// `HTTP/1.1` and the like.
        protocol => protocol;
        /// The host asked for (URI or `Host`), without port.
        hostname => hostname;
        /// The file the URI was mapped to.
        filename => filename;
        /// What follows the file in the path.
        path_info => path_info;
        /// The handler's name.
        handler => handler;
        /// The authenticated user.
        user => user;
        /// How the user was authenticated (`Basic`, ...).
        auth_type => ap_auth_type;
        /// The client's address; mod_remoteip may have replaced the peer's.
        useragent_ip => useragent_ip;
    }

    tables! {
        /// Request headers.
        headers_in;
        /// Response headers, dropped when httpd makes an error page.
        headers_out;
        /// Response headers that error pages keep.
        err_headers_out;
        /// What CGI programs would have as environment.
        subprocess_env;
        /// Notes of modules about this request.
        notes;
    }

    set_texts! {
        /// Sets the file the URI is mapped to.
        set_filename => filename;
        /// Sets the handler's name.
        set_handler => handler;
    }

    /// The request's id for logs (`%L`), made now if no log line has asked for one before.
    pub fn log_id(&self) -> Option<&'r [u8]> {
        // SAFETY: the request and its connection are live; httpd puts the text into the request's pool. The field is
        // written as httpd's own logging does, by the thread the request belongs to.
        unsafe {
            if (*self.raw()).log_id.is_null() {
                sys::ap_run_generate_log_id(
                    self.connection().raw(),
                    self.raw(),
                    &raw mut (*self.raw()).log_id,
                );
            }
            text::bytes((*self.raw()).log_id)
        }
    }

    /// Whether only the head is wanted (HEAD).
    pub fn header_only(&self) -> bool {
        // SAFETY: the request is live.
        unsafe { (*self.raw()).header_only != 0 }
    }

    /// The status so far; 200 at first.
    pub fn status(&self) -> u16 {
        // SAFETY: the request is live.
        u16::try_from(unsafe { (*self.raw()).status }).unwrap_or(0)
    }

    /// The client's address and port; mod_remoteip may have replaced the peer's.
    pub fn useragent(&self) -> Address<'r> {
        // SAFETY: the address lives as long as the request.
        let port = unsafe { (*self.raw()).useragent_addr.as_ref() }.map_or(0, |address| address.port);
        Address { ip: self.useragent_ip().unwrap_or_default(), port }
    }

    /// When the request came in.
    pub fn request_time(&self) -> SystemTime {
        // SAFETY: the request is live.
        let microseconds = unsafe { (*self.raw()).request_time };
        SystemTime::UNIX_EPOCH + Duration::from_micros(microseconds.try_into().unwrap_or(0))
    }

    /// The request this one is part of, if it is a sub-request.
    pub fn main(&self) -> Option<Request<'r>> {
        // SAFETY: a main request outlives its sub-requests.
        NonNull::new(unsafe { (*self.raw()).main }).map(|raw| Request { raw, life: PhantomData })
    }

    /// The request this one was redirected from internally.
    pub fn prev(&self) -> Option<Request<'r>> {
        // SAFETY: a request outlives those it was redirected to.
        NonNull::new(unsafe { (*self.raw()).prev }).map(|raw| Request { raw, life: PhantomData })
    }

    /// Whether the client waits for `100 Continue` before it sends the body. httpd sends that when the body is read.
    pub fn expecting_100(&self) -> bool {
        // SAFETY: the request is live.
        unsafe { (*self.raw()).expecting_100 != 0 }
    }

    /// Tells a client that waits for it to send its body (`100 Continue`, RFC 9110 section 15.2.1); nothing for others, and
    /// nothing a second time. A blocking read of the body does the same by itself.
    pub fn send_continue(&mut self) {
        if !self.expecting_100() {
            return;
        }
        // SAFETY: the request is live. httpd sends the status it finds in the request and clears `expecting_100`; the status
        // of the answer to come is put back.
        unsafe {
            let request = self.raw();
            let status = std::mem::replace(&mut (*request).status, 100);
            let line = std::mem::replace(&mut (*request).status_line, std::ptr::null());
            sys::ap_send_interim_response(request, 0);
            (*request).status = status;
            (*request).status_line = line;
        }
    }

    fn owned_text(&self, text: *const c_char) -> &'r [u8] {
        // SAFETY: httpd's functions answer with text of the request's pool or of the configuration.
        unsafe { text::bytes(text) }.unwrap_or_default()
    }
}
