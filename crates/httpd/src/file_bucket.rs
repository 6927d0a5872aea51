//! How a part of a file that somebody else may change while it is sent goes through httpd: which bucket carries it, and a
//! bucket of our own that notices when the file has become shorter. Brigades are `brigade`'s part.
//!
//! APR's file bucket takes the end of the file for the end of the bucket and reports no error. The response is then shorter
//! than its Content-Length says, and the client takes the next response of the connection for the rest of it.

use crate::fence::{self, fence};
use crate::log::{Level, Log};
use crate::request::Request;
use httpd_sys as sys;
use std::ffi::{CStr, c_char, c_void};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::ptr::null_mut;

/// Bytes read at a time.
const READ: usize = 64 * 1024;
/// A part below this is read: one system call more than `sendfile` saves nothing.
const SENDFILE_FROM: u64 = 128 * 1024;
/// The end of a file that is sent with `sendfile` goes through our bucket. httpd reads what is left below 256 bytes after
/// a partial `sendfile` (core_filters.c: AP_MIN_SENDFILE_BYTES), with APR's bucket and its silence; a file that ended there
/// has no tail either.
const TAIL: u64 = 8 * 1024;

/// httpd's own filters of a response over plain HTTP/1: each passes a file on as it is.
const TRANSPARENT: [&[u8]; 7] =
    [b"BYTERANGE", b"CONTENT_LENGTH", b"HTTP_HEADER", b"HTTP_OUTERROR", b"CHUNK", b"OLD_WRITE", b"CORE"];

/// How many bytes at the beginning of a part of `length` bytes may go as APR's file bucket, and with `sendfile`: 0 unless
/// that is what httpd's core will do with it.
pub(crate) fn sendfile_part(request: &Request<'_>, length: u64) -> u64 {
    let fits =
        length >= SENDFILE_FROM && !request.connection().is_secondary() && reaches_core_unread(request);
    if fits { length - TAIL } else { 0 }
}

/// Whether no filter will read the content: not for its own work, and not to encrypt it.
fn reaches_core_unread(request: &Request<'_>) -> bool {
    // SAFETY: the request and its filters are live; each has a record, whose name lives as long as the configuration.
    unsafe {
        let mut next = (*request.raw()).output_filters;
        while let Some(filter) = next.as_ref() {
            let Some(record) = filter.frec.as_ref() else { return false };
            let name = if record.name.is_null() { &[] } else { CStr::from_ptr(record.name).to_bytes() };
            if !TRANSPARENT.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return false;
            }
            next = filter.next;
        }
    }
    true
}

/// What the buckets of one part have in common. Closed with the last of them.
#[repr(C)]
struct Shared {
    /// Where APR expects it (apr_buckets.h).
    refcount: sys::apr_bucket_refcount,
    file: File,
    connection: *mut sys::conn_rec,
    complaint: Box<[u8]>,
}

/// A bucket type, which only points to functions and a name that live as long as the module.
struct Type(sys::apr_bucket_type_t);

// SAFETY: nobody writes to it, and its name is static.
unsafe impl Sync for Type {}

static TYPE: Type = Type(sys::apr_bucket_type_t {
    name: c"WATCHED_FILE".as_ptr(),
    // How many of the functions below there are (apr_buckets.h).
    num_func: 5,
    is_metadata: sys::APR_BUCKET_DATA,
    destroy: Some(destroy),
    read: Some(read),
    // The descriptor belongs to the buckets, not to a pool: nothing has to move.
    setaside: Some(sys::apr_bucket_setaside_noop),
    split: Some(sys::apr_bucket_shared_split),
    copy: Some(sys::apr_bucket_shared_copy),
});

/// A bucket of `length` bytes of `file` from `offset` on. When they are not there any more, the connection is broken off and
/// `complaint` goes to its log.
///
/// # Safety
/// `connection` is live. The bucket is in its allocator, so none outlives it; only the connection's thread reads it.
pub(crate) unsafe fn create(
    connection: *mut sys::conn_rec,
    file: File,
    offset: sys::apr_off_t,
    length: sys::apr_size_t,
    complaint: &[u8],
) -> *mut sys::apr_bucket {
    let refcount = sys::apr_bucket_refcount { refcount: 0 };
    let shared = Box::new(Shared { refcount, file, connection, complaint: complaint.into() });
    // SAFETY: the caller's promise; `shared_make` counts the first reference and sets all members but type and allocator.
    unsafe {
        let bucket = empty((*connection).bucket_alloc);
        sys::apr_bucket_shared_make(bucket, Box::into_raw(shared).cast(), offset, length);
        bucket
    }
}

/// A bucket of our type without content, in no brigade.
///
/// # Safety
/// `allocator` is live.
unsafe fn empty(allocator: *mut sys::apr_bucket_alloc_t) -> *mut sys::apr_bucket {
    // SAFETY: APR aborts the process rather than to return null to httpd (apr_pools: abort function); the block is as large
    // as a bucket and written whole before anybody sees it.
    unsafe {
        let bucket = sys::apr_bucket_alloc(size_of::<sys::apr_bucket>(), allocator).cast::<sys::apr_bucket>();
        bucket.write(sys::apr_bucket {
            link: sys::apr_bucket__bindgen_ty_1 { next: bucket, prev: bucket },
            type_: &raw const TYPE.0,
            length: 0,
            start: 0,
            data: null_mut(),
            free: Some(sys::apr_bucket_free),
            list: allocator,
        });
        bucket
    }
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    // SAFETY: APR calls it once per reference, with what `create` has made.
    unsafe {
        if sys::apr_bucket_shared_destroy(data) != 0 {
            drop(Box::from_raw(data.cast::<Shared>()));
        }
    }
}

unsafe extern "C" fn read(
    bucket: *mut sys::apr_bucket,
    data: *mut *const c_char,
    length: *mut sys::apr_size_t,
    _block: sys::apr_read_type_e,
) -> sys::apr_status_t {
    // SAFETY: APR calls it with a bucket of our type in a brigade; the connection is live (see `create`). Some filters look
    // at data and length even after an error (mod_deflate).
    unsafe {
        (*data, *length) = (c"".as_ptr(), 0);
        let connection = (*(*bucket).data.cast::<Shared>()).connection;
        match fence("reading a file", || read_some(bucket, data, length)) {
            Ok(status) => status,
            Err(panic) => {
                fence::report(&panic, &Log::connection(connection));
                give_up(connection);
                sys::APR_EGENERAL
            }
        }
    }
}

/// Turns the first bytes into a bucket of memory; what is left becomes the next bucket.
///
/// # Safety
/// As `read`.
unsafe fn read_some(
    bucket: *mut sys::apr_bucket,
    data: *mut *const c_char,
    length: *mut sys::apr_size_t,
) -> sys::apr_status_t {
    // SAFETY: the caller's promise. Bucket and memory come from the same live allocator; the new bucket takes over the
    // reference that the old one held.
    unsafe {
        let (shared, allocator) = ((*bucket).data.cast::<Shared>(), (*bucket).list);
        let (start, whole) = ((*bucket).start, (*bucket).length);
        let wanted = whole.min(READ);
        let memory = sys::apr_bucket_alloc(wanted, allocator).cast::<u8>();
        memory.write_bytes(0, wanted);
        let place = std::slice::from_raw_parts_mut(memory, wanted);
        let count = match read_at(&(*shared).file, place, start) {
            Ok(count) if count > 0 || wanted == 0 => count,
            outcome => {
                sys::apr_bucket_free(memory.cast());
                return missing(&*shared, outcome.err());
            }
        };
        sys::apr_bucket_heap_make(bucket, memory.cast(), count, Some(sys::apr_bucket_free));
        if count < whole {
            let rest = empty(allocator);
            (*rest).start = start + count as sys::apr_off_t;
            (*rest).length = whole - count;
            (*rest).data = shared.cast();
            sys::apr_bucket_insert_after(bucket, rest);
        } else {
            destroy(shared.cast());
        }
        (*data, *length) = (memory.cast(), count);
        sys::APR_SUCCESS
    }
}

fn read_at(file: &File, place: &mut [u8], offset: sys::apr_off_t) -> io::Result<usize> {
    let offset = u64::try_from(offset).map_err(io::Error::other)?;
    loop {
        match file.read_at(place, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// The bytes are not there: says so, and sees to it that nothing more is sent over the connection.
fn missing(shared: &Shared, error: Option<io::Error>) -> sys::apr_status_t {
    let mut line = shared.complaint.to_vec();
    if let Some(error) = &error {
        line.extend_from_slice(format!(" ({error})").as_bytes());
    }
    // SAFETY: the connection is live and this is its thread (see `create`).
    unsafe {
        Log::connection(shared.connection).write(Level::Error, &line);
        give_up(shared.connection);
    }
    // APR_EOF would not do: filters take it for the end of the content.
    error.and_then(|error| error.raw_os_error()).unwrap_or(sys::APR_INCOMPLETE)
}

/// Marks the connection as gone. An error alone is not enough: some filters ignore it, and httpd's core would complete the
/// response and take the next request.
///
/// # Safety
/// The connection is live and belongs to this thread.
unsafe fn give_up(connection: *mut sys::conn_rec) {
    // SAFETY: the caller's promise; plain fields.
    unsafe {
        (*connection).aborted = 1;
        (*connection).keepalive = sys::AP_CONN_CLOSE;
    }
}
