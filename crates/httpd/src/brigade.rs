//! Brigades: content on its way through httpd's output filters, and the bare ring of buckets that reading uses too.

use crate::file_bucket;
use crate::request::Request;
use httpd_sys as sys;
use std::fmt;
use std::fs::File;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null, null_mut};

/// A brigade in a request's pool.
pub(crate) struct Ring<'r> {
    raw: NonNull<sys::apr_bucket_brigade>,
    life: PhantomData<&'r mut sys::apr_bucket_brigade>,
}

impl<'r> Ring<'r> {
    pub(crate) fn new(request: &Request<'r>) -> Ring<'r> {
        // SAFETY: pool and bucket allocator are those of a live request of this thread.
        let raw = unsafe {
            sys::apr_brigade_create(request.pool().raw(), (*request.connection().raw()).bucket_alloc)
        };
        match NonNull::new(raw) {
            Some(raw) => Ring { raw, life: PhantomData },
            None => panic!("httpd made no brigade"),
        }
    }

    pub(crate) fn raw(&self) -> *mut sys::apr_bucket_brigade {
        self.raw.as_ptr()
    }

    fn allocator(&self) -> *mut sys::apr_bucket_alloc_t {
        // SAFETY: the brigade lives for 'r.
        unsafe { self.raw.as_ref() }.bucket_alloc
    }

    /// The first bucket.
    pub(crate) fn first(&self) -> Option<*mut sys::apr_bucket> {
        // SAFETY: the brigade is live.
        unsafe {
            let first = sys::apr_brigade_first(self.raw());
            (first != sys::apr_brigade_sentinel(self.raw())).then_some(first)
        }
    }

    /// Destroys all buckets.
    pub(crate) fn clear(&mut self) {
        // SAFETY: the brigade is live; this is how APR's own code calls it (apr_buckets.h).
        unsafe { sys::apr_brigade_cleanup(self.raw().cast()) };
    }

    /// # Safety
    /// `bucket` is fresh and in no brigade.
    unsafe fn push(&mut self, bucket: *mut sys::apr_bucket) {
        // SAFETY: the brigade is live; the caller vouches for the bucket.
        unsafe { sys::apr_brigade_insert_tail(self.raw(), bucket) }
    }
}

impl Drop for Ring<'_> {
    fn drop(&mut self) {
        // SAFETY: the brigade is live and not used afterwards; this also takes its cleanup out of the pool.
        unsafe { sys::apr_brigade_destroy(self.raw()) };
    }
}

/// Content to send. Fill it and [`Brigade::pass`] it; it is empty afterwards and can be filled again.
pub struct Brigade<'r> {
    ring: Ring<'r>,
}

/// What follows the content that is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// More: filters may hold the content back.
    More,
    /// More, but what is there goes to the client now.
    Flush,
    /// Nothing: the response is complete.
    End,
}

/// Why content was not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassError {
    /// The client is gone.
    ClientGone,
    /// A filter refused, with APR's number for why.
    Filter(i32),
}

impl fmt::Display for PassError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PassError::ClientGone => f.write_str("the client closed the connection"),
            PassError::Filter(status) => f.write_str(&crate::text::apr_error(*status)),
        }
    }
}

impl std::error::Error for PassError {}

impl<'r> Brigade<'r> {
    /// An empty brigade of this request.
    pub fn new(request: &Request<'r>) -> Brigade<'r> {
        Brigade { ring: Ring::new(request) }
    }

    /// Adds `length` bytes of a file from `offset` on. httpd owns the descriptor from here on and closes it when the
    /// content is sent. When the file becomes shorter meanwhile, the connection is broken off so that the client can tell;
    /// where a read noticed it, `complaint` goes to the connection's log. `sendfile` permits or forbids that system call
    /// where httpd can use it; `None` leaves it to `EnableSendfile`.
    pub fn push_file(
        &mut self,
        request: &Request<'r>,
        file: OwnedFd,
        offset: u64,
        length: u64,
        sendfile: Option<bool>,
        complaint: &[u8],
    ) -> Result<(), PassError> {
        let whole = sys::apr_off_t::try_from(offset.saturating_add(length)).is_ok();
        let allowed = sendfile.unwrap_or_else(|| request.sendfile_allowed());
        let quick = if allowed { file_bucket::sendfile_part(request, length) } else { 0 };
        let (Ok(start), Ok(middle), Ok(rest), true) = (
            sys::apr_off_t::try_from(offset),
            sys::apr_off_t::try_from(quick),
            sys::apr_size_t::try_from(length - quick),
            whole,
        ) else {
            return Err(PassError::Filter(sys::APR_EGENERAL));
        };
        if middle > 0 {
            self.push_for_sendfile(request, file.as_fd(), start, middle)?;
        }
        // SAFETY: the connection is live, and the brigade uses its allocator; the bucket is fresh.
        unsafe {
            let connection = request.connection().raw();
            let bucket = file_bucket::create(connection, File::from(file), start + middle, rest, complaint);
            self.ring.push(bucket);
        }
        Ok(())
    }

    /// Adds `length` bytes from `offset` on of a file that nobody else can change. httpd can complete a response with them
    /// while no thread waits (mpm_event).
    pub fn push_private_file(
        &mut self,
        request: &Request<'r>,
        file: &impl AsFd,
        offset: u64,
        length: u64,
    ) -> Result<(), PassError> {
        let number = |n: u64| sys::apr_off_t::try_from(n).map_err(|_| PassError::Filter(sys::APR_EGENERAL));
        self.push_for_sendfile(request, file.as_fd(), number(offset)?, number(length)?)
    }

    /// Adds a part of a file as APR's own bucket.
    fn push_for_sendfile(
        &mut self,
        request: &Request<'r>,
        file: BorrowedFd<'_>,
        offset: sys::apr_off_t,
        length: sys::apr_off_t,
    ) -> Result<(), PassError> {
        let (pool, mut fd) = (request.pool().raw(), file.as_raw_fd());
        let flags = sys::APR_FOPEN_READ | sys::APR_FOPEN_SENDFILE_ENABLED;
        let (mut borrowed, mut owned) = (null_mut(), null_mut());
        // SAFETY: all is live for the call. A file made from a descriptor has no cleanup and would leak when httpd
        // moves it to another pool; its duplicate is a file like any other, closed with the request.
        unsafe {
            let status = sys::apr_os_file_put(&raw mut borrowed, &raw mut fd, flags, pool);
            if status != sys::APR_SUCCESS {
                return Err(PassError::Filter(status));
            }
            let status = sys::apr_file_dup(&raw mut owned, borrowed, pool);
            if status != sys::APR_SUCCESS {
                return Err(PassError::Filter(status));
            }
            let bucket = sys::apr_brigade_insert_file(self.ring.raw(), owned, offset, length, pool);
            // Whoever owns the file can make it shorter while it is sent: a read ends early then, but touching mapped
            // memory would end this whole process (SIGBUS). It cannot fail for a bucket of a file.
            let _ = sys::apr_bucket_file_enable_mmap(bucket, 0);
        }
        Ok(())
    }

    /// Adds the wish to send everything so far to the client now.
    pub fn push_flush(&mut self) {
        let allocator = self.ring.allocator();
        // SAFETY: a fresh bucket.
        unsafe { self.ring.push(sys::apr_bucket_flush_create(allocator)) }
    }

    /// Adds the end of the response.
    pub fn push_end(&mut self) {
        let allocator = self.ring.allocator();
        // SAFETY: a fresh bucket.
        unsafe { self.ring.push(sys::apr_bucket_eos_create(allocator)) }
    }

    /// Adds an end that tells the client that content is missing: httpd sends no final chunk, resets the stream.
    pub(crate) fn push_broken_end(&mut self) {
        const BAD_GATEWAY: i32 = 502;
        let allocator = self.ring.allocator();
        // SAFETY: a fresh bucket; the brigade's pool is the request's.
        unsafe {
            let pool = (*self.ring.raw()).p;
            self.ring.push(sys::ap_bucket_error_create(BAD_GATEWAY, null(), pool, allocator));
        }
        self.push_end();
    }

    /// Sends what is in the brigade through the output filters, and leaves it empty.
    pub fn pass(&mut self, request: &mut Request<'r>) -> Result<(), PassError> {
        // SAFETY: the request and its filters are live.
        let status = unsafe { sys::ap_pass_brigade((*request.raw()).output_filters, self.ring.raw()) };
        self.ring.clear();
        if request.connection().aborted() {
            return Err(PassError::ClientGone);
        }
        match status {
            sys::APR_SUCCESS => Ok(()),
            sys::APR_EPIPE | sys::APR_ECONNRESET | sys::APR_ECONNABORTED => Err(PassError::ClientGone),
            status => Err(PassError::Filter(status)),
        }
    }

    /// Sends what is in the brigade, then `pieces` without copying them here (filters that keep content copy it), then
    /// the tail. Leaves the brigade empty.
    pub fn pass_borrowed(
        &mut self,
        request: &mut Request<'r>,
        pieces: &[&[u8]],
        tail: Tail,
    ) -> Result<(), PassError> {
        let allocator = self.ring.allocator();
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            // SAFETY: the pieces live until this call returns, and by then every bucket that names them is consumed,
            // set aside with a copy (apr_buckets.h: transient buckets), or destroyed by `pass`.
            unsafe {
                self.ring.push(sys::apr_bucket_transient_create(
                    piece.as_ptr().cast(),
                    piece.len(),
                    allocator,
                ));
            }
        }
        match tail {
            Tail::More => {}
            Tail::Flush => self.push_flush(),
            Tail::End => self.push_end(),
        }
        self.pass(request)
    }
}
