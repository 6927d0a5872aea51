//! Directives whose argument is a list: `WSGIRestrictProcess`, `WSGITrustedProxies`, `WSGITrustedProxyHeaders`.

use std::sync::Arc;

use httpd::{Outcome, Scope};
use spec::options::words::Words;

use super::settings::put;
use super::shown;
use crate::config::Remark;
use crate::hooks::Wsgi;
use crate::proxies::{self, Header, REGISTRY};

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
        match Header::with_key(environ_name(word).as_bytes()) {
            Some(header) => names.push(header),
            None if scope.in_htaccess() => {}
            None => {
                let known = REGISTRY.each_ref().map(|header| header.name.to_string_lossy()).join(", ");
                scope.server().config::<Wsgi>().remark(Remark::UnknownHeader(shown(word), known));
            }
        }
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
        for header in &REGISTRY {
            assert_eq!(environ_name(header.name.to_bytes()), header.key);
        }
        assert_eq!(environ_name(b"x_real.IP"), "HTTP_X_REAL_IP");
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
