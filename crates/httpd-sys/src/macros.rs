//! Macros and inline functions of httpd's and APR's headers, by hand, under the names the headers give them (in lower
//! case), and readers of the bit-fields in use. No logic of our own.

use crate::bindings::*;
use core::ffi::{c_char, c_int, c_ulong, c_void};
use core::mem::offset_of;
use core::ptr::null_mut;

/// `MODULE_MAGIC_COOKIE` as the type `module.magic` has ("AP24").
pub const MODULE_MAGIC: c_ulong = MODULE_MAGIC_COOKIE as c_ulong;

/// `STANDARD20_MODULE_STUFF` with all function pointers empty.
pub const fn standard20_module(name: *const c_char) -> module {
    module {
        version: MODULE_MAGIC_NUMBER_MAJOR,
        minor_version: MODULE_MAGIC_NUMBER_MINOR,
        module_index: -1,
        name,
        dynamic_load_handle: null_mut(),
        next: null_mut(),
        magic: MODULE_MAGIC,
        rewrite_args: None,
        create_dir_config: None,
        merge_dir_config: None,
        create_server_config: None,
        merge_server_config: None,
        cmds: core::ptr::null(),
        register_hooks: None,
        flags: 0,
    }
}

/// `ap_get_module_config`.
///
/// # Safety
/// `vector` is a live configuration vector and `index` an index httpd gave to a loaded module.
pub unsafe fn ap_module_config(vector: *const ap_conf_vector_t, index: c_int) -> *mut c_void {
    // SAFETY: the caller vouches for both; httpd keeps one pointer per module in the vector (http_config.h).
    unsafe { *vector.cast::<*mut c_void>().offset(index as isize) }
}

/// `APR_BRIGADE_SENTINEL`.
///
/// # Safety
/// `brigade` is live.
pub unsafe fn apr_brigade_sentinel(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    // SAFETY: only addresses are computed, inside the brigade the caller vouches for (APR_RING_SENTINEL).
    unsafe { (&raw mut (*brigade).list).byte_sub(offset_of!(apr_bucket, link)).cast() }
}

/// `APR_BRIGADE_FIRST`; the sentinel when the brigade is empty.
///
/// # Safety
/// `brigade` is live.
pub unsafe fn apr_brigade_first(brigade: *mut apr_bucket_brigade) -> *mut apr_bucket {
    // SAFETY: the caller's promise.
    unsafe { (*brigade).list.next }
}

/// `APR_BRIGADE_INSERT_TAIL`.
///
/// # Safety
/// `brigade` is live; `bucket` is live and in no brigade.
pub unsafe fn apr_brigade_insert_tail(brigade: *mut apr_bucket_brigade, bucket: *mut apr_bucket) {
    // SAFETY: the ring's links are valid while the brigade is live (APR_RING_SPLICE_TAIL).
    unsafe {
        let sentinel = apr_brigade_sentinel(brigade);
        let last = (*brigade).list.prev;
        (*bucket).link.next = sentinel;
        (*bucket).link.prev = last;
        (*last).link.next = bucket;
        (*brigade).list.prev = bucket;
    }
}

/// `APR_BUCKET_INSERT_AFTER`.
///
/// # Safety
/// `bucket` is live and in a brigade; `new` is live and in none.
pub unsafe fn apr_bucket_insert_after(bucket: *mut apr_bucket, new: *mut apr_bucket) {
    // SAFETY: the ring's links are valid while the brigade is live.
    unsafe {
        let next = (*bucket).link.next;
        (*new).link.prev = bucket;
        (*new).link.next = next;
        (*next).link.prev = new;
        (*bucket).link.next = new;
    }
}

/// `apr_bucket_delete`: takes the bucket out of its ring and destroys it.
///
/// # Safety
/// `bucket` is live and in a brigade; it is gone afterwards.
pub unsafe fn apr_bucket_delete(bucket: *mut apr_bucket) {
    // SAFETY: the ring's links are valid; `free` is the function APR set for this bucket (apr_bucket_destroy).
    unsafe {
        let (next, prev) = ((*bucket).link.next, (*bucket).link.prev);
        (*prev).link.next = next;
        (*next).link.prev = prev;
        if let Some(destroy) = (*(*bucket).type_).destroy {
            destroy((*bucket).data);
        }
        if let Some(free) = (*bucket).free {
            free(bucket.cast());
        }
    }
}

/// `apr_bucket_read`.
///
/// # Safety
/// `bucket` is live and in a brigade; the bytes are valid until the bucket is deleted.
pub unsafe fn apr_bucket_read(
    bucket: *mut apr_bucket,
    data: *mut *const c_char,
    length: *mut apr_size_t,
    block: apr_read_type_e,
) -> apr_status_t {
    // SAFETY: the bucket's type holds its read function (apr_buckets.h); the caller vouches for the bucket.
    unsafe { (*(*bucket).type_).read.map_or(APR_EGENERAL, |read| read(bucket, data, length, block)) }
}

/// `APR_BUCKET_IS_EOS`.
///
/// # Safety
/// `bucket` is live.
pub unsafe fn apr_bucket_is_eos(bucket: *const apr_bucket) -> bool {
    // SAFETY: a bucket's type points at its one static description.
    unsafe { core::ptr::eq((*bucket).type_, &raw const apr_bucket_type_eos) }
}

/// `APR_BUCKET_IS_METADATA`.
///
/// # Safety
/// `bucket` is live.
pub unsafe fn apr_bucket_is_metadata(bucket: *const apr_bucket) -> bool {
    // SAFETY: a bucket's type points at its one static description.
    unsafe { (*(*bucket).type_).is_metadata == APR_BUCKET_METADATA }
}

/// The bit-field `core_dir_config.cgi_pass_auth`: `AP_CGI_PASS_AUTH_OFF`, `_ON` or `_UNSET` (0, 1, 2).
///
/// # Safety
/// `core` is the core module's per-directory configuration of httpd 2.4.13 or newer.
pub unsafe fn core_cgi_pass_auth(core: *const core_dir_config) -> c_int {
    // SAFETY: the caller's promise; the field is the first two bits of its unit.
    let unit = unsafe { (*core)._bitfield_3.storage[0] };
    let bits = if cfg!(target_endian = "big") { unit >> 6 } else { unit & 3 };
    c_int::from(bits)
}

/// The bit-field `core_dir_config.enable_sendfile`: `ENABLE_SENDFILE_OFF`, `_ON` or `_UNSET` (0, 1, 2).
///
/// # Safety
/// `core` is the core module's per-directory configuration.
pub unsafe fn core_enable_sendfile(core: *const core_dir_config) -> c_int {
    // SAFETY: the caller's promise; the field is the second two bits of its unit.
    let unit = unsafe { (*core)._bitfield_2.storage[0] };
    let bits = if cfg!(target_endian = "big") { unit >> 4 & 3 } else { unit >> 2 & 3 };
    c_int::from(bits)
}

/// `conn_rec.aborted` as a truth value. Its declaration is `unsigned`, and has been a bit-field in forks of httpd;
/// the layout test notices that.
///
/// # Safety
/// `connection` is live.
pub unsafe fn conn_aborted(connection: *const conn_rec) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*connection).aborted != 0 }
}
