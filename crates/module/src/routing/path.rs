//! `SCRIPT_NAME` and `PATH_INFO` from the URL path and the path info that httpd's directory walk found.

use std::borrow::Cow;

/// Where in `uri` the path info begins. Runs of slashes match each other, as httpd may have merged them in one of the two.
///
/// When `path_info` is not the end of `uri` (a module has rewritten one of them), the split is at the first slash behind the
/// place where they differ (httpd: `ap_find_path_info`).
#[must_use]
pub fn path_info_start(uri: &[u8], path_info: &[u8]) -> usize {
    let (mut left, mut info) = (uri, path_info);
    while let (Some((a, uri_rest)), Some((b, info_rest))) = (left.split_last(), info.split_last()) {
        if a != b {
            let next = uri.get(left.len()..).unwrap_or_default().iter().position(|byte| *byte == b'/');
            return next.map_or(uri.len(), |next| left.len() + next);
        }
        (left, info) =
            if *a == b'/' { (without_slashes(left), without_slashes(info)) } else { (uri_rest, info_rest) };
    }
    left.len()
}

fn without_slashes(text: &[u8]) -> &[u8] {
    let run = text.iter().rev().take_while(|byte| **byte == b'/').count();
    text.get(..text.len() - run).unwrap_or_default()
}

/// `SCRIPT_NAME`: the URI up to the path info, slash runs collapsed.
#[must_use]
pub fn script_name(uri: &[u8], path_info: &[u8]) -> Vec<u8> {
    collapse(uri.get(..path_info_start(uri, path_info)).unwrap_or_default())
}

/// `SCRIPT_NAME` as it stands in `%{RESOURCE}`: in lower case (ASCII) where the case of paths does not count.
#[must_use]
pub fn resource(script_name: &[u8], case_sensitive: bool) -> Cow<'_, [u8]> {
    if case_sensitive { Cow::Borrowed(script_name) } else { Cow::Owned(script_name.to_ascii_lowercase()) }
}

/// The text with every run of slashes made one slash.
#[must_use]
pub fn collapse(text: &[u8]) -> Vec<u8> {
    let mut result: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        if *byte != b'/' || result.last() != Some(&b'/') {
            result.push(*byte);
        }
    }
    result
}
