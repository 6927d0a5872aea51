//! Matching a URL path against the prefix of a `WSGIScriptAlias`, the way mod_alias does it.

use std::borrow::Cow;

/// The length of the part of `uri` that `prefix` covers, `None` when it does not match.
///
/// A run of slashes in one matches any run of slashes in the other, everything else is compared byte by byte, and a prefix that
/// does not end with a slash ends where a segment of the URI ends (httpd: `alias_matches` in mod_alias).
#[must_use]
pub fn matched(uri: &[u8], prefix: &[u8]) -> Option<usize> {
    let (mut left, mut wanted) = (uri, prefix);
    while let Some((first, rest)) = wanted.split_first() {
        if *first == b'/' {
            if left.first() != Some(&b'/') {
                return None;
            }
            (left, wanted) = (after_slashes(left), after_slashes(wanted));
        } else {
            left = left.strip_prefix(&[*first])?;
            wanted = rest;
        }
    }
    let whole_segment = prefix.ends_with(b"/") || left.is_empty() || left.starts_with(b"/");
    (whole_segment && !prefix.is_empty()).then_some(uri.len() - left.len())
}

fn after_slashes(text: &[u8]) -> &[u8] {
    let run = text.iter().take_while(|byte| **byte == b'/').count();
    text.get(run..).unwrap_or_default()
}

/// Where a URL path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way<'a> {
    /// The target of the alias.
    pub target: Cow<'a, [u8]>,
    /// What is left of the path behind the alias.
    pub rest: &'a [u8],
}

impl Way<'_> {
    /// The file that the request maps to: httpd finds out which part of it exists.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        [&self.target, self.rest].concat()
    }

    /// Script and path info, should the target be a script. `None` where httpd would clean the path before it looks.
    #[must_use]
    pub fn script(&self) -> Option<(&[u8], &[u8])> {
        let follows = self.rest.is_empty() || self.rest.starts_with(b"/");
        let clean = is_clean(&self.target) && is_clean(self.rest) && !self.target.ends_with(b"/");
        (follows && clean).then_some((&self.target, self.rest))
    }
}

/// Whether each segment is a name: none is empty, `.` or `..`. A slash may stand at the end (httpd: apr_filepath_merge).
fn is_clean(path: &[u8]) -> bool {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path.is_empty() || path.split(|byte| *byte == b'/').all(|segment| !matches!(segment, b"" | b"." | b".."))
}

/// Where `uri` leads, `None` when the alias does not apply. Below the alias `/` the whole URI is left, so that its slash is kept.
#[must_use]
pub fn way<'a>(uri: &'a [u8], prefix: &[u8], target: &'a [u8]) -> Option<Way<'a>> {
    let used = if prefix == b"/" && uri.starts_with(b"/") { 0 } else { matched(uri, prefix)? };
    Some(Way { target: target.into(), rest: uri.get(used..).unwrap_or_default() })
}
