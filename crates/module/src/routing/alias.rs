//! Matching a URL path against the prefix of a `WSGIScriptAlias`, the way mod_alias does it.

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

/// The file that a request for `uri` maps to, `None` when the alias does not apply. What is left of the URI is appended; below the
/// alias `/` that is the whole URI, so that its slash is kept.
#[must_use]
pub fn file(uri: &[u8], prefix: &[u8], target: &[u8]) -> Option<Vec<u8>> {
    let used = if prefix == b"/" && uri.starts_with(b"/") { 0 } else { matched(uri, prefix)? };
    Some([target, uri.get(used..).unwrap_or_default()].concat())
}
