//! The request's body, read from httpd's input filters: chunked or not, limits and `100 Continue` are theirs.

use super::Request;
use crate::brigade::Ring;
use httpd_sys as sys;
use std::ffi::{c_char, c_int};
use std::ptr::null;

/// Whether to wait for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until something comes, at most `Timeout`.
    Yes,
    /// Take what is there.
    No,
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes (at least one) were added to the buffer.
    Data(usize),
    /// The body is complete.
    End,
    /// Nothing is there yet (only with [`Wait::No`]).
    WouldBlock,
    /// The client sent nothing for `Timeout`. Answer 408.
    Timeout,
    /// The client closed the connection before the body was complete.
    ClientGone,
    /// The body is refused: answer this status (413 above `LimitRequestBody`, 400 for broken chunks).
    Refused(u16),
    /// A filter has answered already: return [`crate::Answer::Answered`].
    Answered,
}

/// A reader of one request's body.
pub struct Body<'r> {
    ring: Ring<'r>,
    ended: bool,
}

impl<'r> Body<'r> {
    /// A reader; one per request.
    pub fn new(request: &Request<'r>) -> Body<'r> {
        Body { ring: Ring::new(request), ended: false }
    }

    /// Whether a body is announced: a `Content-Length` other than 0, or chunks.
    pub fn is_announced(request: &Request<'_>) -> bool {
        let headers = request.headers_in();
        headers.get(c"Transfer-Encoding").is_some()
            || headers
                .get(c"Content-Length")
                .is_some_and(|length| length.trim_ascii().iter().any(|&b| b != b'0'))
    }

    /// Adds at most `limit` bytes (a filter of another module may bring more) to `buffer`. The first read lets httpd
    /// send `100 Continue` to a client that waits for it. After anything but `Data` and `WouldBlock`, do not read on.
    pub fn read(
        &mut self,
        request: &mut Request<'r>,
        buffer: &mut Vec<u8>,
        limit: usize,
        wait: Wait,
    ) -> Read {
        let block = match wait {
            Wait::Yes => sys::APR_BLOCK_READ,
            Wait::No => sys::APR_NONBLOCK_READ,
        };
        let before = buffer.len();
        while !self.ended {
            let limit = sys::apr_off_t::try_from(limit.max(1)).unwrap_or(sys::apr_off_t::MAX);
            // SAFETY: the request and its filters are live; the brigade is empty.
            let status = unsafe {
                let filters = (*request.raw()).input_filters;
                sys::ap_get_brigade(filters, self.ring.raw(), sys::AP_MODE_READBYTES, block, limit)
            };
            let status = if status == sys::APR_SUCCESS { self.take(buffer, block) } else { status };
            self.ring.clear();
            if status != sys::APR_SUCCESS && !(status == sys::APR_EAGAIN && buffer.len() > before) {
                return failure(request, status, wait);
            }
            if buffer.len() > before {
                return Read::Data(buffer.len() - before);
            }
            if !self.ended && wait == Wait::No {
                return Read::WouldBlock;
            }
        }
        Read::End
    }

    /// Moves the brigade's data into `buffer`.
    fn take(&mut self, buffer: &mut Vec<u8>, block: sys::apr_read_type_e) -> sys::apr_status_t {
        while let Some(bucket) = self.ring.first() {
            // SAFETY: the bucket is live and in our brigade; its bytes stay until it is deleted.
            unsafe {
                if sys::apr_bucket_is_eos(bucket) {
                    self.ended = true;
                    return sys::APR_SUCCESS;
                }
                if !sys::apr_bucket_is_metadata(bucket) {
                    let (mut data, mut length) = (null::<c_char>(), 0);
                    let status = sys::apr_bucket_read(bucket, &raw mut data, &raw mut length, block);
                    if status != sys::APR_SUCCESS {
                        return status;
                    }
                    if length > 0 {
                        buffer.extend_from_slice(std::slice::from_raw_parts(data.cast::<u8>(), length));
                    }
                }
                sys::apr_bucket_delete(bucket);
            }
        }
        sys::APR_SUCCESS
    }
}

/// What a failed read means. httpd has a function for it (`ap_map_http_request_error`); what it leaves to the caller
/// are errors of the connection.
fn failure(request: &Request<'_>, status: sys::apr_status_t, wait: Wait) -> Read {
    const CONNECTION: c_int = 0;
    if status == sys::APR_EAGAIN {
        // A filter that had to wait and did not has lost its connection: asking again would go on for ever.
        return if wait == Wait::No { Read::WouldBlock } else { Read::ClientGone };
    }
    if let sys::APR_ECONNRESET | sys::APR_ECONNABORTED | sys::APR_EPIPE | sys::APR_EOF | sys::APR_INCOMPLETE =
        status
    {
        return Read::ClientGone;
    }
    // SAFETY: a plain function of numbers.
    match unsafe { sys::ap_map_http_request_error(status, CONNECTION) } {
        sys::AP_FILTER_ERROR => Read::Answered,
        408 => Read::Timeout,
        CONNECTION if request.connection().aborted() => Read::ClientGone,
        CONNECTION => Read::Refused(400),
        refused => Read::Refused(u16::try_from(refused).unwrap_or(400)),
    }
}
