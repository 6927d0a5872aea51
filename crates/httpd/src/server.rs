//! Servers: the main one and the virtual hosts. What the module keeps for them is read here, made in `config`.

use crate::config;
use crate::log::Log;
use crate::module::Module;
use crate::text;
use httpd_sys as sys;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::time::Duration;

/// The main server or a virtual host, alive for `'a`.
#[derive(Clone, Copy)]
pub struct Server<'a> {
    raw: NonNull<sys::server_rec>,
    life: PhantomData<&'a sys::server_rec>,
}

impl PartialEq for Server<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Eq for Server<'_> {}

impl<'a> Server<'a> {
    /// # Safety
    /// `raw` lives for `'a`, with its configuration, which is not changed meanwhile.
    pub(crate) unsafe fn from_raw(raw: *mut sys::server_rec) -> Server<'a> {
        match NonNull::new(raw) {
            Some(raw) => Server { raw, life: PhantomData },
            None => panic!("httpd handed out no server"),
        }
    }

    fn rec(&self) -> &'a sys::server_rec {
        // SAFETY: by `from_raw` the server lives for 'a; httpd does not change it once the configuration is read, and
        // while it is read no handle outlives a directive's function.
        unsafe { self.raw.as_ref() }
    }

    /// The module's value for this server.
    pub fn config<M: Module>(&self) -> &'a M::Server {
        // SAFETY: the vector belongs to the live server; `M`'s record puts only `M::Server` there.
        unsafe { config::get::<M, M::Server>(self.rec().module_config) }
    }

    /// The log of this server (its `ErrorLog` and `LogLevel`).
    pub fn log(&self) -> Log<'a> {
        // SAFETY: the server lives for 'a.
        unsafe { Log::server(self.raw.as_ptr()) }
    }

    /// `ServerName` without the port; `None` if none is set (or not yet).
    pub fn hostname(&self) -> Option<&'a [u8]> {
        // SAFETY: text of the configuration.
        unsafe { text::bytes(self.rec().server_hostname) }
    }

    /// `ServerAdmin`.
    pub fn admin(&self) -> Option<&'a [u8]> {
        // SAFETY: text of the configuration.
        unsafe { text::bytes(self.rec().server_admin) }
    }

    /// The port of `ServerName`; 0 if it names none.
    pub fn port(&self) -> u16 {
        self.rec().port
    }

    /// File and line of its `<VirtualHost>`.
    pub fn defined_at(&self) -> (&'a [u8], u32) {
        // SAFETY: text of the configuration.
        (unsafe { text::bytes(self.rec().defn_name) }.unwrap_or_default(), self.rec().defn_line_number)
    }

    /// `Timeout`.
    pub fn timeout(&self) -> Duration {
        Duration::from_micros(self.rec().timeout.try_into().unwrap_or(0))
    }

    /// Whether this is a virtual host.
    pub fn is_virtual(&self) -> bool {
        self.rec().is_virtual != 0
    }

    /// A new descriptor of this server's open error log; `None` when it has none (`syslog`, or not open yet).
    pub fn error_log_fd(&self) -> std::io::Result<Option<std::os::fd::OwnedFd>> {
        crate::process::duplicate_of(self.rec().error_log)
    }

    /// This server and those that follow; from the main server, all.
    pub(crate) fn and_following(self) -> Servers<'a> {
        Servers { next: self.raw.as_ptr(), life: PhantomData }
    }
}

/// Servers in httpd's order: the main server, then the virtual hosts.
pub struct Servers<'a> {
    next: *mut sys::server_rec,
    life: PhantomData<&'a sys::server_rec>,
}

impl<'a> Iterator for Servers<'a> {
    type Item = Server<'a>;

    fn next(&mut self) -> Option<Server<'a>> {
        let raw = NonNull::new(self.next)?;
        // SAFETY: the list is httpd's, alive for 'a.
        self.next = unsafe { raw.as_ref() }.next;
        Some(Server { raw, life: PhantomData })
    }
}
