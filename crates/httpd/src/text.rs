//! C strings in and byte slices out. httpd's text is bytes that end at a NUL; nothing here assumes UTF-8.

use httpd_sys as sys;
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};

/// The bytes of a string httpd owns; `None` for a null pointer.
///
/// # Safety
/// `pointer` is null or a NUL-terminated string that lives, unchanged, for `'a`.
pub(crate) unsafe fn bytes<'a>(pointer: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { CStr::from_ptr(pointer) }.to_bytes())
}

/// The part of `bytes` in front of the first NUL: all that a C reader would see.
pub(crate) fn up_to_nul(bytes: &[u8]) -> &[u8] {
    match bytes.iter().position(|&byte| byte == 0) {
        Some(end) => &bytes[..end],
        None => bytes,
    }
}

/// A copy of `bytes`, cut at the first NUL, for one call into httpd.
pub(crate) fn c_string(bytes: &[u8]) -> CString {
    CString::new(up_to_nul(bytes)).unwrap_or_default()
}

/// APR's words for a status.
pub(crate) fn apr_error(status: sys::apr_status_t) -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the buffer has the length said; APR ends the text with a NUL.
    unsafe { sys::apr_strerror(status, buffer.as_mut_ptr().cast(), buffer.len()) };
    String::from_utf8_lossy(up_to_nul(&buffer)).into_owned()
}

/// A copy of `text` that lives until the process ends, even when this module is unloaded; null without memory.
pub(crate) fn leak_on_c_heap(text: &CStr) -> *mut c_char {
    // SAFETY: a NUL-terminated string.
    unsafe { libc::strdup(text.as_ptr()) }
}

/// The name of a header, note or variable: constants as `c"Name"` cost nothing, other text is copied for the call.
pub trait Key {
    /// The key as httpd wants it, cut at the first NUL.
    fn as_c(&self) -> Cow<'_, CStr>;
}

impl Key for &CStr {
    fn as_c(&self) -> Cow<'_, CStr> {
        Cow::Borrowed(self)
    }
}

impl Key for &[u8] {
    fn as_c(&self) -> Cow<'_, CStr> {
        Cow::Owned(c_string(self))
    }
}

impl Key for &str {
    fn as_c(&self) -> Cow<'_, CStr> {
        Cow::Owned(c_string(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_at_the_first_nul() {
        assert_eq!(up_to_nul(b"ab\0cd"), b"ab");
        assert_eq!(up_to_nul(b"ab"), b"ab");
        assert_eq!(c_string(b"\0x").as_bytes(), b"");
        assert_eq!((&b"a\0b"[..]).as_c().to_bytes(), b"a");
    }
}
