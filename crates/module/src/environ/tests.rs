//! What an application would find in its environ.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use wire::{Request, RequestEncoder, RequestFields};

use super::encode::{Facts, Redirect, encode};
use crate::proxies::{Changes, Header, Rules, changes};

static NOTHING: LazyLock<Changes<'static>> = LazyLock::new(Changes::default);

fn facts() -> Facts<'static> {
    Facts {
        method: b"HEAD",
        protocol: b"HTTP/1.1",
        request_line: b"HEAD /app//x?q=1 HTTP/1.1",
        current_uri: None,
        query: b"q=1",
        scheme: b"http",
        server_software: b"Apache",
        server_name: b"a<b",
        server_addr: b"127.0.0.1",
        server_port: 8080,
        server_admin: None,
        remote_addr: b"10.0.0.1",
        remote_port: 65535,
        remote_user: None,
        auth_type: None,
        document_root: Some(b"/srv/www"),
        context_prefix: b"",
        context_document_root: Some(b"/srv/www"),
        script_filename: b"/srv/app.wsgi",
        handler_script: b"",
        script_name: b"/app",
        path_info: b"/x",
        redirect: None,
        handler: b"wsgi-script",
        listener_host: b"127.0.0.1",
        listener_port: 8080,
        server_pid: 4_000_000_000,
        request_id: b"r",
        connection_id: b"c",
        authorization: false,
        proxy_authorization: false,
        head_as_get: false,
        forwarded: &NOTHING,
    }
}

fn environ(
    facts: &Facts<'_>,
    variables: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let fields = RequestFields {
        flags: wire::Flags::default(),
        request_start: 0,
        queue_start: 0,
        application_group: b"",
        script: b"/srv/app.wsgi",
        callable: b"application",
        task: wire::Task::Application,
    };
    let mut out = Vec::new();
    let mut frame = RequestEncoder::new(&mut out, &fields).unwrap();
    fn pairs<'a>(list: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        list.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
    }
    encode(&mut frame, facts, pairs(variables), pairs(headers)).unwrap();
    frame.finish(wire::Body::Inline(b"")).unwrap();
    let request = Request::decode(&out[wire::HEADER_LEN..]).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    request.environ().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn every_key_that_is_always_there() {
    let environ = environ(&facts(), &[], &[("Host", "h"), ("X-Two", "a, b"), ("Content-Type", "text/x")]);
    let expected = [
        ("CONTENT_TYPE", "text/x"),
        ("CONTEXT_DOCUMENT_ROOT", "/srv/www"),
        ("CONTEXT_PREFIX", ""),
        ("DOCUMENT_ROOT", "/srv/www"),
        ("HTTP_HOST", "h"),
        ("HTTP_X_TWO", "a, b"),
        ("PATH_INFO", "/x"),
        ("QUERY_STRING", "q=1"),
        ("REMOTE_ADDR", "10.0.0.1"),
        ("REMOTE_PORT", "65535"),
        ("REQUEST_METHOD", "HEAD"),
        ("REQUEST_SCHEME", "http"),
        ("REQUEST_URI", "/app//x?q=1"),
        ("SCRIPT_FILENAME", "/srv/app.wsgi"),
        ("SCRIPT_NAME", "/app"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_NAME", "a&lt;b"),
        ("SERVER_PORT", "8080"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_SOFTWARE", "Apache"),
        ("mod_wsgi.connection_id", "c"),
        ("mod_wsgi.handler_script", ""),
        ("mod_wsgi.listener_host", "127.0.0.1"),
        ("mod_wsgi.listener_port", "8080"),
        ("mod_wsgi.request_handler", "wsgi-script"),
        ("mod_wsgi.request_id", "r"),
        ("mod_wsgi.server_pid", "4000000000"),
    ];
    let got: Vec<_> = environ.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(got, expected);
}

#[test]
fn en_4_what_the_request_says_wins_over_setenv() {
    let set = [
        ("REMOTE_USER", "root"),
        ("SERVER_NAME", "evil"),
        ("CONTENT_LENGTH", "5"),
        ("HTTPS", "on"),
        ("mod_wsgi.request_id", "x"),
        ("wsgi.url_scheme", "https"),
        ("HTTP_HOST", "evil"),
        ("HTTP_X_SET", "kept"),
        ("MY_VARIABLE", "kept"),
    ];
    let environ = environ(&facts(), &set, &[("Host", "h")]);
    for absent in ["REMOTE_USER", "CONTENT_LENGTH", "HTTPS", "wsgi.url_scheme"] {
        assert!(!environ.contains_key(absent), "{absent}");
    }
    assert_eq!((&*environ["SERVER_NAME"], &*environ["HTTP_HOST"]), ("a&lt;b", "h"));
    assert_eq!((&*environ["mod_wsgi.request_id"], &*environ["MY_VARIABLE"]), ("r", "kept"));
    assert_eq!(environ["HTTP_X_SET"], "kept");
}

#[test]
fn hd_8_credentials_are_shown_only_when_asked_for() {
    let headers = [("Authorization", "Basic x"), ("proxy-authorization", "Basic y")];
    let shown = |authorization, proxy_authorization| {
        let environ = environ(&Facts { authorization, proxy_authorization, ..facts() }, &[], &headers);
        ["HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"].map(|key| environ.contains_key(key))
    };
    assert_eq!(shown(false, false), [false, false]);
    assert_eq!(shown(true, false), [true, false]);
    assert_eq!(shown(true, true), [true, true]);
}

#[test]
fn head_becomes_get_only_for_a_filter_that_needs_the_body() {
    let method = |facts: Facts<'_>| environ(&facts, &[], &[]).remove("REQUEST_METHOD").unwrap();
    assert_eq!(method(Facts { head_as_get: true, ..facts() }), "GET");
    assert_eq!(method(Facts { head_as_get: true, method: b"POST", ..facts() }), "POST");
    assert_eq!(method(facts()), "HEAD");
}

#[test]
fn a_redirect_and_a_user_are_told() {
    let redirect = Redirect { url: b"/old", query: Some(b"a=b"), remote_user: Some(b"before") };
    let with = Facts { redirect: Some(redirect), auth_type: Some(b"Basic"), ..facts() };
    let environ_of = |facts: Facts<'_>| environ(&facts, &[], &[]);
    let first = environ_of(with);
    assert_eq!((&*first["REDIRECT_URL"], &*first["REDIRECT_QUERY_STRING"]), ("/old", "a=b"));
    assert_eq!((&*first["REDIRECT_REMOTE_USER"], &*first["AUTH_TYPE"]), ("before", "Basic"));
    let second = environ_of(Facts { remote_user: Some(b"me"), ..with });
    assert_eq!(second["REMOTE_USER"], "me");
    assert!(!second.contains_key("REDIRECT_REMOTE_USER"));
}

#[test]
fn an_ipv6_address_as_the_name_of_the_server_has_brackets() {
    let name =
        |server_name| environ(&Facts { server_name, ..facts() }, &[], &[]).remove("SERVER_NAME").unwrap();
    assert_eq!((name(b"2001:db8::1"), name(b"a.test")), ("[2001:db8::1]".to_owned(), "a.test".to_owned()));
}

#[test]
fn what_trusted_proxies_say_replaces_what_the_connection_says() {
    let listed: Vec<&Header> = ["FOR", "HOST", "SERVER", "PORT", "SCRIPT_NAME"]
        .map(|word| Header::with_key(format!("HTTP_X_FORWARDED_{word}").as_bytes()).unwrap())
        .into();
    let sent = [
        ("Host", "h"),
        ("X-Forwarded-For", "192.0.2.1, 10.0.0.1"),
        ("X-Real-IP", "192.0.2.2"),
        ("X-Forwarded-Host", "public:81"),
        ("X-Forwarded-Server", "a&b"),
        ("X-Forwarded-Port", "81"),
        ("X-Forwarded-Script-Name", "/mount"),
    ];
    let networks = [crate::proxies::parse(b"10.0.0.0/8").unwrap()];
    let rules = Rules { headers: &listed, networks: Some(&networks) };
    let value = |name: &std::ffi::CStr| {
        let found = sent.iter().find(|(sent, _)| sent.as_bytes() == name.to_bytes());
        found.map(|(_, value)| value.as_bytes())
    };
    let changes = changes(rules, b"10.0.0.9", value);
    let environ =
        environ(&Facts { forwarded: &changes, ..facts() }, &[("HTTP_X_CLIENT_IP", "9.9.9.9")], &sent);
    for (key, value) in [
        ("REMOTE_ADDR", "192.0.2.1"),
        ("HTTP_X_FORWARDED_FOR", "192.0.2.1, 10.0.0.1"),
        ("HTTP_HOST", "public:81"),
        ("SERVER_NAME", "a&amp;b"),
        ("SERVER_PORT", "81"),
        ("SCRIPT_NAME", "/mount"),
        ("PATH_INFO", "/x"),
        ("mod_wsgi.mount_point", "/mount"),
        ("mod_wsgi.script_name", "/app"),
    ] {
        assert_eq!(environ[key], value, "{key}");
    }
    assert!(
        !environ.contains_key("HTTP_X_REAL_IP") && !environ.contains_key("HTTP_X_CLIENT_IP"),
        "{environ:?}"
    );
}
