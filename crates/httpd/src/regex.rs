//! Regular expressions as httpd compiles them (PCRE, extended syntax), for directives whose documentation says so.

use crate::pool::Pool;
use crate::text;
use httpd_sys as sys;
use std::ffi::{c_char, c_int};
use std::fmt;
use std::ops::Range;

/// Groups that can be captured, the whole match included (`AP_MAX_REG_MATCH`).
const GROUPS: usize = 10;

/// A compiled expression.
pub struct Regex {
    raw: Box<sys::ap_regex_t>,
}

// SAFETY: PCRE's compiled form is read only; ap_regexec keeps its scratch on its own stack (or per thread).
unsafe impl Send for Regex {}
// SAFETY: as above.
unsafe impl Sync for Regex {}

/// Why an expression was refused, in PCRE's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError(String);

impl fmt::Display for RegexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for RegexError {}

impl Regex {
    /// Compiles `pattern` as httpd's own directives do.
    pub fn new(pattern: &[u8]) -> Result<Regex, RegexError> {
        if pattern.contains(&0) {
            return Err(RegexError("it contains a NUL".to_owned()));
        }
        let mut raw =
            Box::new(sys::ap_regex_t { re_pcre: std::ptr::null_mut(), re_nsub: 0, re_erroffset: 0 });
        // SAFETY: the structure and the pattern live for the call.
        let code =
            unsafe { sys::ap_regcomp(&raw mut *raw, text::c_string(pattern).as_ptr(), sys::AP_REG_EXTENDED) };
        if code != 0 {
            return Err(RegexError(reason(code, &raw)));
        }
        Ok(Regex { raw })
    }

    /// Searches `subject`; `None` if it does not match.
    pub fn captures<'s>(&self, subject: &'s [u8]) -> Option<Captures<'s>> {
        let mut groups = [sys::ap_regmatch_t { rm_so: -1, rm_eo: -1 }; GROUPS];
        // SAFETY: the expression is compiled; subject and groups live for the call and have the lengths said.
        let code = unsafe {
            sys::ap_regexec_len(
                &raw const *self.raw,
                subject.as_ptr().cast::<c_char>(),
                subject.len(),
                GROUPS,
                groups.as_mut_ptr(),
                0,
            )
        };
        (code == 0).then_some(Captures { subject, groups })
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: compiled by ap_regcomp, freed once.
        unsafe { sys::ap_regfree(&raw mut *self.raw) }
    }
}

fn reason(code: c_int, raw: &sys::ap_regex_t) -> String {
    let mut buffer = [0u8; 256];
    // SAFETY: the buffer has the length said; httpd ends the text with a NUL.
    unsafe { sys::ap_regerror(code, raw, buffer.as_mut_ptr().cast(), buffer.len()) };
    String::from_utf8_lossy(text::up_to_nul(&buffer).trim_ascii()).into_owned()
}

/// Where an expression matched.
pub struct Captures<'s> {
    subject: &'s [u8],
    groups: [sys::ap_regmatch_t; GROUPS],
}

impl<'s> Captures<'s> {
    /// The range of group `index` (0 is the whole match) in the subject.
    pub fn range(&self, index: usize) -> Option<Range<usize>> {
        let group = self.groups.get(index)?;
        Some(usize::try_from(group.rm_so).ok()?..usize::try_from(group.rm_eo).ok()?)
    }

    /// The text of group `index`.
    pub fn get(&self, index: usize) -> Option<&'s [u8]> {
        self.subject.get(self.range(index)?)
    }

    /// `template` with `$0` to `$9` and `&` replaced as httpd does (`ap_pregsub`; `\$` and `\&` stay). `None` if the
    /// result would be longer than httpd allows, or template or subject contain a NUL.
    pub fn substitute(&self, pool: Pool<'_>, template: &[u8]) -> Option<Vec<u8>> {
        if template.contains(&0) || self.subject.contains(&0) {
            return None;
        }
        let (template, subject) = (pool.copy(template), pool.copy(self.subject));
        let mut groups = self.groups;
        // SAFETY: all arguments live for the call; the offsets are inside the subject, which has no NUL.
        unsafe {
            text::bytes(sys::ap_pregsub(pool.raw(), template, subject, GROUPS, groups.as_mut_ptr()))
                .map(<[u8]>::to_vec)
        }
    }
}
