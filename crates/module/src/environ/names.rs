//! Which names reach an environ, and as what: request headers and variables of httpd. Pure.

/// A request header's name as a CGI key, `HTTP_` in front (RFC 3875, 4.1.18), into `key`. False for headers that no
/// application sees: names with other than letters, digits and `-` would let two headers become one key, and `Proxy` would
/// become `HTTP_PROXY`, which clients of other programs obey (CVE-2016-5387).
pub fn header_key(name: &[u8], key: &mut Vec<u8>) -> bool {
    key.clear();
    if name.is_empty() || name.eq_ignore_ascii_case(b"proxy") {
        return false;
    }
    if !name.eq_ignore_ascii_case(b"content-type") && !name.eq_ignore_ascii_case(b"content-length") {
        key.extend_from_slice(b"HTTP_");
    }
    let start = key.len();
    key.resize(start + name.len(), 0);
    let mut plain = true;
    for (place, byte) in key.iter_mut().skip(start).zip(name) {
        *place = IN_KEY[usize::from(*byte)];
        plain &= *place != NOT_IN_KEY;
    }
    plain
}

const NOT_IN_KEY: u8 = 0;

/// What each byte of a header's name becomes in a key: a table, as this is done for each byte of each header.
const IN_KEY: [u8; 256] = {
    let mut table = [NOT_IN_KEY; 256];
    let mut byte = 0;
    while byte < 128 {
        let ascii = byte as u8;
        if ascii.is_ascii_alphanumeric() {
            table[byte] = ascii.to_ascii_uppercase();
        }
        byte += 1;
    }
    table[b'-' as usize] = b'_';
    table
};

/// Keys that only the request itself decides. A variable of this name from SetEnv, SetEnvIf or RewriteRule must neither
/// replace one nor stand in for one that is absent: who is logged in is not for a `.htaccess` to say (CVE-2025-65082).
const OURS: [&[u8]; 23] = [
    b"AUTH_TYPE",
    b"CONTENT_LENGTH",
    b"CONTENT_TYPE",
    b"CONTEXT_DOCUMENT_ROOT",
    b"CONTEXT_PREFIX",
    b"DOCUMENT_ROOT",
    b"HTTPS",
    b"HTTP_PROXY",
    b"PATH_INFO",
    b"QUERY_STRING",
    b"REMOTE_ADDR",
    b"REMOTE_PORT",
    b"REMOTE_USER",
    b"REQUEST_METHOD",
    b"REQUEST_SCHEME",
    b"REQUEST_URI",
    b"SCRIPT_FILENAME",
    b"SCRIPT_NAME",
    b"SERVER_ADDR",
    b"SERVER_ADMIN",
    b"SERVER_NAME",
    b"SERVER_PORT",
    b"SERVER_PROTOCOL",
];

/// True for a variable of httpd that an application may see.
pub(super) fn is_free(name: &[u8]) -> bool {
    let theirs = [&b"wsgi."[..], b"mod_wsgi.", b"apache."].iter().any(|prefix| name.starts_with(prefix));
    !name.is_empty() && !theirs && name != b"SERVER_SOFTWARE" && OURS.binary_search(&name).is_err()
}

/// `HTTPS` as SetEnv, mod_ssl or a proxy's header may say it.
pub(super) fn is_on(value: &[u8]) -> bool {
    value.eq_ignore_ascii_case(b"on") || value == b"1"
}

/// The target of a request line, as the client has sent it (`REQUEST_URI`).
pub fn target(request_line: &[u8]) -> &[u8] {
    request_line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1).unwrap_or_default()
}

/// The text with the characters escaped that HTML gives a meaning: `SERVER_NAME` may be what the client wrote into `Host`,
/// and people print it into pages. `None` when nothing has to be escaped.
pub fn escaped_for_html(text: &[u8]) -> Option<Vec<u8>> {
    if !text.iter().any(|byte| b"<>&\"".contains(byte)) {
        return None;
    }
    let mut escaped = Vec::with_capacity(text.len() + 16);
    for byte in text {
        match byte {
            b'<' => escaped.extend_from_slice(b"&lt;"),
            b'>' => escaped.extend_from_slice(b"&gt;"),
            b'&' => escaped.extend_from_slice(b"&amp;"),
            b'"' => escaped.extend_from_slice(b"&quot;"),
            other => escaped.push(*other),
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &[u8]) -> Option<String> {
        let mut key = b"old".to_vec();
        header_key(name, &mut key).then(|| String::from_utf8(key).unwrap())
    }

    #[test]
    fn hd_1_header_names_map_one_to_one_or_not_at_all() {
        assert_eq!(key(b"X-Forwarded-For").as_deref(), Some("HTTP_X_FORWARDED_FOR"));
        for name in [
            &b"X_Forwarded_For"[..],
            b"X-Forwarded_For",
            b"X.Forwarded.For",
            b"Content_Length",
            b"",
            b"X-\xe9",
        ] {
            assert_eq!(key(name), None, "{name:?}");
        }
        assert_eq!(key(b"content-length").as_deref(), Some("CONTENT_LENGTH"));
        assert_eq!(key(b"Content-Type").as_deref(), Some("CONTENT_TYPE"));
        assert_eq!(key(b"Content-Types").as_deref(), Some("HTTP_CONTENT_TYPES"));
        assert_eq!(key(b"-X").as_deref(), Some("HTTP__X"));
    }

    #[test]
    fn hd_2_proxy_is_never_passed() {
        for name in [&b"Proxy"[..], b"PROXY", b"proxy"] {
            assert_eq!(key(name), None);
        }
        assert!(!is_free(b"HTTP_PROXY"));
    }

    #[test]
    fn en_4_variables_cannot_take_the_place_of_computed_ones() {
        assert!(OURS.is_sorted());
        for name in
            [&b"REMOTE_USER"[..], b"SERVER_SOFTWARE", b"wsgi.input", b"mod_wsgi.x-y", b"apache.version", b""]
        {
            assert!(!is_free(name), "{name:?}");
        }
        for name in
            [&b"DJANGO_SETTINGS_MODULE"[..], b"SSL_PROTOCOL", b"HTTP_AUTHORIZATION", b"REDIRECT_STATUS"]
        {
            assert!(is_free(name), "{name:?}");
        }
    }

    #[test]
    fn the_target_is_the_second_word() {
        assert_eq!(target(b"GET /a?b HTTP/1.1"), b"/a?b");
        assert_eq!(target(b"GET  http://h/x"), b"http://h/x");
        assert_eq!(target(b"GET"), b"");
        assert_eq!(target(b""), b"");
    }

    #[test]
    fn only_what_html_reads_is_escaped() {
        assert_eq!(escaped_for_html(b"www.example.org"), None);
        assert_eq!(escaped_for_html(b"a<b>&\"").as_deref(), Some(&b"a&lt;b&gt;&amp;&quot;"[..]));
    }
}
