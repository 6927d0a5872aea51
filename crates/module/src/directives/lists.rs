//! Directives whose argument is a list: `WSGIRestrictProcess`, `WSGITrustedProxies`, `WSGITrustedProxyHeaders`.

use std::sync::Arc;

use httpd::{Outcome, Scope};
use spec::options::words::Words;

use super::settings::put;
use super::shown;
use crate::config::Remark;
use crate::hooks::Wsgi;
use crate::proxies;

/// The headers that something is done with, as in the environ.
const HEADERS: [&str; 15] = [
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_REAL_IP",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_HOST",
    "HTTP_X_FORWARDED_SERVER",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_SCRIPT_NAME",
    "HTTP_X_FORWARDED_SCRIPT_NAME",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SCHEME",
    "HTTP_X_SCHEME",
    "HTTP_X_FORWARDED_HTTPS",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_HTTPS",
];

pub(super) fn restrict_process(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let words = words(scope.name(), line, "a process group or %{GLOBAL}, or several")?;
    let names: Vec<Vec<u8>> = words.into_iter().map(|word| group(&word)).collect::<Result<_, _>>()?;
    put(scope, |settings| settings.restrict_process = Some(names.into()))
}

/// The name of a permitted group; empty for the web server itself.
fn group(word: &[u8]) -> Result<Vec<u8>, String> {
    match word {
        b"%{GLOBAL}" => Ok(Vec::new()),
        _ if word.starts_with(b"%") || word.is_empty() => {
            let word = shown(word);
            Err(format!(
                "WSGIRestrictProcess \"{word}\" is no name of a process group: write names as in WSGIDaemonProcess, or %{{GLOBAL}} \
                 for the web server itself; nothing else is expanded here"
            ))
        }
        _ => Ok(word.to_vec()),
    }
}

/// Repeated in one place, it adds to the list.
pub(super) fn trusted_proxies(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let words = words(scope.name(), line, "an address or network, or several")?;
    let networks = words.iter().map(|word| proxies::parse(word));
    let networks: Vec<_> =
        networks.collect::<Result<_, _>>().map_err(|reason| format!("WSGITrustedProxies: {reason}"))?;
    if let Some(section) = scope.section().filter(|_| !scope.in_htaccess()) {
        scope.server().config::<Wsgi>().add_choosing(section);
    }
    put(scope, |settings| settings.proxies = Some(longer(settings.proxies.as_deref(), networks)))
}

/// Repeated in one place, it adds to the list.
pub(super) fn trusted_proxy_headers(scope: &mut Scope<'_, Wsgi>, line: &[u8]) -> Outcome {
    let words = words(scope.name(), line, "the name of a header, or several")?;
    let mut names = Vec::with_capacity(words.len());
    for word in &words {
        let name = environ_name(word);
        if !HEADERS.contains(&name.as_str()) && !scope.in_htaccess() {
            let remark = Remark::UnknownHeader(shown(word), HEADERS.map(header_name).join(", "));
            scope.server().config::<Wsgi>().remark(remark);
        }
        names.push(name);
    }
    if let Some(section) = scope.section().filter(|_| !scope.in_htaccess()) {
        scope.server().config::<Wsgi>().add_believing(section);
    }
    put(scope, |settings| {
        settings.proxy_headers = Some(longer(settings.proxy_headers.as_deref(), names));
    })
}

/// `X-Forwarded-For` as `HTTP_X_FORWARDED_FOR`.
fn environ_name(header: &[u8]) -> String {
    let key =
        |byte: &u8| if byte.is_ascii_alphanumeric() { char::from(byte.to_ascii_uppercase()) } else { '_' };
    "HTTP_".chars().chain(header.iter().map(key)).collect()
}

/// `HTTP_X_FORWARDED_FOR` as `X-Forwarded-For`.
fn header_name(key: &str) -> String {
    let word = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => format!("{first}{}", rest.to_ascii_lowercase()),
        None => String::new(),
    };
    key.split('_').skip(1).map(word).collect::<Vec<_>>().join("-")
}

/// The list with more behind it.
fn longer<T: Clone>(list: Option<&[T]>, more: Vec<T>) -> Arc<[T]> {
    list.unwrap_or_default().iter().cloned().chain(more).collect()
}

/// All words of the line, at least one.
fn words(name: &str, line: &[u8], what: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut words = Words::new(line);
    let mut all = Vec::new();
    while let Some(word) = words.word().map_err(|error| format!("{name}: {error}"))? {
        all.push(word);
    }
    if all.is_empty() { Err(format!("{name} has no argument: write {what} behind it")) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_their_names_of_the_environ() {
        assert_eq!(environ_name(b"X-Forwarded-For"), HEADERS[0]);
        assert_eq!(environ_name(b"x_real.IP"), HEADERS[2]);
        for key in HEADERS {
            assert_eq!(environ_name(header_name(key).as_bytes()), key);
        }
        assert_eq!(header_name("HTTP_X_FORWARDED_FOR"), "X-Forwarded-For");
    }

    #[test]
    fn permitted_groups_are_names() {
        assert_eq!((group(b"a"), group(b"%{GLOBAL}")), (Ok(b"a".to_vec()), Ok(Vec::new())));
        for bad in [&b"%{ENV:X}"[..], b"%{RESOURCE}", b"", b"%"] {
            assert!(group(bad).unwrap_err().starts_with("WSGIRestrictProcess"));
        }
    }

    #[test]
    fn lists_have_an_end_and_a_beginning() {
        assert_eq!(words("X", b" a 'b c' ", "x").unwrap(), [b"a".to_vec(), b"b c".to_vec()]);
        assert!(words("X", b"  ", "a name").unwrap_err().contains("write a name"));
        assert!(words("X", b"\"a", "x").unwrap_err().contains("quote"));
        assert_eq!(*longer(Some(&[1, 2]), vec![3]), [1, 2, 3]);
    }
}
