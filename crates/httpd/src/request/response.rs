//! What a hook answers with: status, type and length, and a response that ends early and shows it. Content
//! goes through `Brigade`.

use super::Request;
use crate::brigade::Brigade;
use crate::optional;
use httpd_sys as sys;
use std::ffi::c_int;

impl Request<'_> {
    /// Sets the status and the line sent for it: the number, a space and a reason phrase. The caller has checked that
    /// `line` starts with the number and holds no control characters.
    pub fn set_status_line(&mut self, status: u16, line: &[u8]) {
        let line = self.pool().copy(line);
        // SAFETY: the request is live; the copy lives as long.
        unsafe {
            (*self.raw()).status = c_int::from(status);
            (*self.raw()).status_line = line;
        }
    }

    /// Sets the content type. It came from outside, so it must not choose a handler: httpd from 2.4.60 on is told so.
    pub fn set_content_type(&mut self, content_type: &[u8]) {
        // SAFETY: the request is live; the copy lives as long.
        unsafe { optional::set_untrusted_content_type(self.raw(), self.pool().copy(content_type)) }
    }

    /// Sets the content length, in bytes.
    pub fn set_content_length(&mut self, length: u64) {
        let length = sys::apr_off_t::try_from(length).unwrap_or(sys::apr_off_t::MAX);
        // SAFETY: the request is live.
        unsafe { sys::ap_set_content_length(self.raw(), length) }
    }

    /// Lets httpd answer with what it has at this path of its own, as if it had been asked for with GET, whatever the request's
    /// method was (RFC 3875, 6.2.2). Return [`crate::Answer::Ok`] afterwards. httpd ends loops (`LimitInternalRecursion`).
    ///
    /// The body must have been read, or [`crate::Connection::close_after_response`] called: httpd no longer knows how long it is.
    pub fn redirect_internally(&mut self, path: &[u8]) {
        // The new request has no body.
        self.headers_in().unset(c"Content-Length");
        self.headers_in().unset(c"Transfer-Encoding");
        let path = self.pool().copy(path);
        // SAFETY: the request is live, and so is the path, in its pool; the method is static text, its number httpd.h's.
        unsafe {
            (*self.raw()).method = c"GET".as_ptr();
            (*self.raw()).method_number = sys::M_GET;
            sys::ap_internal_redirect(path, self.raw());
        }
    }

    /// Keeps this response out of httpd's caches.
    pub fn set_no_cache(&mut self) {
        // SAFETY: the request is live, and so is the one it is part of.
        unsafe {
            (*self.raw()).no_cache = 1;
            if let Some(main) = (*self.raw()).main.as_mut() {
                main.no_cache = 1;
            }
        }
    }

    /// Whether the head of the response has gone to the client's side of httpd.
    pub fn head_sent(&self) -> bool {
        // SAFETY: the request is live; httpd's header filter sets the mark.
        unsafe { (*self.raw()).sent_bodyct != 0 }
    }

    /// Has httpd take the client for gone: it gets no more, and the connection is closed (`%X` of the access log is `X`).
    pub fn abandon(&mut self) {
        self.connection().give_up();
    }

    /// Ends a response that cannot be completed so that the client can tell: no final chunk, the connection closed (a
    /// stream reset with HTTP/2). The access log can tell, too: `%X` is `X`. Return [`crate::Answer::Done`] afterwards.
    pub fn break_off(&mut self) {
        self.set_no_cache();
        let mut brigade = Brigade::new(self);
        // What was sent so far must be out before the connection is given up.
        brigade.push_flush();
        brigade.push_broken_end();
        // The client may be gone already; there is nobody else to tell.
        let _ = brigade.pass(self);
        self.connection().give_up();
    }
}
