//! Trusted proxies: WSGITrustedProxyHeaders and WSGITrustedProxies (reference 3.7).

use kit::{Apache, Setup, need, pick};
use serde_json::{Map, Value};

/// The client of every test is 127.0.0.1.
const TRUSTED: &str = "WSGITrustedProxies 127.0.0.1 10.0.0.0/8 172.16.0.0/255.240.0.0 2001:db8::/32";
const ALL: &str = "WSGITrustedProxyHeaders X-Forwarded-For X-Client-IP X-Real-IP X-Forwarded-Host X-Host X-Forwarded-Server \
    X-Forwarded-Port X-Script-Name X-Forwarded-Script-Name X-Forwarded-Proto X-Forwarded-Scheme X-Scheme X-Forwarded-HTTPS \
    X-Forwarded-SSL X-HTTPS";

/// What a lone header changes: the header, a value, the variable, what it becomes.
const EFFECTS: [(&str, &str, &str, &str); 15] = [
    ("X-Forwarded-For", "192.0.2.1", "REMOTE_ADDR", "192.0.2.1"),
    ("X-Client-IP", "192.0.2.2", "REMOTE_ADDR", "192.0.2.2"),
    ("X-Real-IP", "192.0.2.3", "REMOTE_ADDR", "192.0.2.3"),
    ("X-Forwarded-Host", "public.test:81", "HTTP_HOST", "public.test:81"),
    ("X-Host", "public.test", "HTTP_HOST", "public.test"),
    ("X-Forwarded-Server", "public.test", "SERVER_NAME", "public.test"),
    ("X-Forwarded-Port", "8443", "SERVER_PORT", "8443"),
    ("X-Script-Name", "/mount", "SCRIPT_NAME", "/mount"),
    ("X-Forwarded-Script-Name", "/mount", "SCRIPT_NAME", "/mount"),
    ("X-Forwarded-Proto", "https", "wsgi.url_scheme", "https"),
    ("X-Forwarded-Scheme", "HTTPS", "wsgi.url_scheme", "https"),
    ("X-Scheme", "https", "wsgi.url_scheme", "https"),
    ("X-Forwarded-HTTPS", "On", "wsgi.url_scheme", "https"),
    ("X-Forwarded-SSL", "true", "wsgi.url_scheme", "https"),
    ("X-HTTPS", "1", "wsgi.url_scheme", "https"),
];

fn setup(config: &str) -> Result<Setup, String> {
    // Ours says at the start that without WSGITrustedProxies everybody is believed.
    Ok(Setup::new()?
        .one_daemon("threads=2")
        .fixture("environ")
        .config(config)
        .expect_log("WSGITrustedProxies"))
}

fn environ(apache: &Apache, headers: &[(&str, &str)]) -> Map<String, Value> {
    let mut request = apache.request("GET", "/environ/info");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send().expect_status(200).json().as_object().expect("the fixture answers with an object").clone()
}

fn text<'a>(environ: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    environ.get(key).map(|shown| shown[1].as_str().expect("is a text"))
}

fn variable(header: &str) -> String {
    format!("HTTP_{}", header.to_uppercase().replace('-', "_"))
}

#[test]
fn hd_3_nothing_is_believed_without_the_directive() {
    let apache = need!(setup(TRUSTED)).start();
    for (header, value, key, changed) in EFFECTS {
        let environ = environ(&apache, &[(header, value)]);
        assert_ne!(text(&environ, key), Some(changed), "{header}");
        assert_eq!(text(&environ, &variable(header)), Some(value), "{header} itself is a header like others");
    }
    apache.finish();
}

#[test]
fn hd_3_each_header_changes_its_variable() {
    for proxies in ["", TRUSTED] {
        let apache = need!(setup(&format!("{ALL}\n{proxies}"))).start();
        for (header, value, key, changed) in EFFECTS {
            let environ = environ(&apache, &[(header, value)]);
            assert_eq!(text(&environ, key), Some(changed), "{header}");
            assert_eq!(text(&environ, &variable(header)), Some(value), "{header}");
            assert_eq!(text(&environ, "PATH_INFO"), Some("/info"), "{header}");
        }
        apache.finish();
    }
}

#[test]
fn hd_3_a_peer_that_is_not_trusted_is_not_believed() {
    for proxies in ["10.0.0.0/8", "127.0.0.2", "::1", "10.0.0.1 2001:db8::/32"] {
        let apache = need!(setup(&format!("{ALL}\nWSGITrustedProxies {proxies}"))).start();
        for (header, value, key, changed) in EFFECTS {
            let environ = environ(&apache, &[(header, value)]);
            assert_ne!(text(&environ, key), Some(changed), "{header}");
            assert_eq!(text(&environ, &variable(header)), None, "{header} is hidden");
            assert_eq!(text(&environ, "mod_wsgi.mount_point"), None);
        }
        apache.finish();
    }
}

#[test]
fn hd_3_synonyms_of_a_listed_header_are_hidden() {
    let apache =
        need!(setup(&format!("WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto\n{TRUSTED}")))
            .start();
    let sent: Vec<(&str, &str)> = EFFECTS.iter().map(|(header, value, ..)| (*header, *value)).collect();
    let environ = environ(&apache, &sent);
    for header in ["X-Client-IP", "X-Real-IP", "X-Scheme", "X-Forwarded-Scheme", "X-HTTPS", "X-Forwarded-SSL"]
    {
        assert_eq!(text(&environ, &variable(header)), None, "{header}");
    }
    for header in ["X-Forwarded-For", "X-Forwarded-Proto", "X-Host", "X-Script-Name", "X-Forwarded-Port"] {
        assert!(text(&environ, &variable(header)).is_some(), "{header}");
    }
    assert_eq!(text(&environ, "REMOTE_ADDR"), Some("192.0.2.1"));
    assert_eq!(text(&environ, "SCRIPT_NAME"), Some("/environ"));
    apache.finish();
}

#[test]
fn the_last_of_several_synonyms_stays() {
    let apache = need!(setup(&format!("{ALL}\n{TRUSTED}"))).start();
    let sent: Vec<(&str, &str)> = EFFECTS.iter().map(|(header, value, ..)| (*header, *value)).collect();
    let environ = environ(&apache, &sent);
    let shown: Vec<&str> = EFFECTS
        .iter()
        .map(|(header, ..)| *header)
        .filter(|header| environ.contains_key(&variable(header)))
        .collect();
    let expected = [
        "X-Real-IP",
        "X-Host",
        "X-Forwarded-Server",
        "X-Forwarded-Port",
        "X-Forwarded-Script-Name",
        "X-HTTPS",
    ];
    assert_eq!(shown, expected);
    assert_eq!(text(&environ, "REMOTE_ADDR"), Some("192.0.2.3"));
    assert_eq!(text(&environ, "HTTP_HOST"), Some("public.test"));
    apache.finish();
}

#[test]
fn the_mount_point_is_told_and_the_real_one_kept() {
    let apache = need!(setup("WSGITrustedProxyHeaders X-Script-Name")).start();
    let moved = environ(&apache, &[("X-Script-Name", "/public//here")]);
    assert_eq!(text(&moved, "SCRIPT_NAME"), Some("/public//here"));
    assert_eq!(text(&moved, "mod_wsgi.mount_point"), Some("/public//here"));
    assert_eq!(text(&moved, "mod_wsgi.script_name"), Some("/environ"));
    assert_eq!(text(&moved, "mod_wsgi.path_info"), Some("/info"));
    let plain = environ(&apache, &[]);
    assert_eq!((text(&plain, "SCRIPT_NAME"), text(&plain, "mod_wsgi.mount_point")), (Some("/environ"), None));
    apache.finish();
}

#[test]
fn a_chain_is_followed_from_its_end_while_it_is_trusted() {
    let apache = need!(setup(&format!("WSGITrustedProxyHeaders X-Forwarded-For\n{TRUSTED}"))).start();
    let hundred = vec!["10.0.0.1"; 99].join(", ");
    let long = format!("192.0.2.9, {hundred}");
    for (chain, client, rest) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 10.0.0.1", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("evil, 192.0.2.1, 10.0.0.1,172.16.0.9", "192.0.2.1", "192.0.2.1, 10.0.0.1, 172.16.0.9"),
        ("10.0.0.1, 192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1", "10.0.0.1, 10.0.0.2"),
        ("192.0.2.1,, 10.0.0.1, ,", "192.0.2.1", "192.0.2.1, 10.0.0.1"),
        ("192.0.2.1, unknown, 10.0.0.1", "unknown", "unknown, 10.0.0.1"),
        ("192.0.2.1, 10.0.0.1:80", "10.0.0.1:80", "10.0.0.1:80"),
        ("192.0.2.1, [2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]"),
        (
            "2001:db9::1, 2001:db8::1, ::ffff:10.0.0.1",
            "2001:db9::1",
            "2001:db9::1, 2001:db8::1, ::ffff:10.0.0.1",
        ),
        (" , ", "127.0.0.1", ","),
        (&long, "192.0.2.9", &long),
    ] {
        let environ = environ(&apache, &[("X-Forwarded-For", chain)]);
        let seen = (text(&environ, "REMOTE_ADDR"), text(&environ, "HTTP_X_FORWARDED_FOR"));
        assert_eq!(seen, (Some(client), Some(rest)), "{chain}");
    }
    // Two headers are one list.
    let environ = environ(&apache, &[("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "10.0.0.1")]);
    assert_eq!(text(&environ, "REMOTE_ADDR"), Some("192.0.2.1"));
    apache.finish();
}

#[test]
fn without_a_list_of_proxies_the_first_address_is_the_client() {
    let apache = need!(setup("WSGITrustedProxyHeaders X-Forwarded-For")).start();
    for (chain, client) in [("192.0.2.1, 10.0.0.1", "192.0.2.1"), (", ,  a b ,c", "a b"), ("x", "x")] {
        let environ = environ(&apache, &[("X-Forwarded-For", chain)]);
        assert_eq!(text(&environ, "REMOTE_ADDR"), Some(client), "{chain}");
        assert_eq!(text(&environ, "HTTP_X_FORWARDED_FOR"), Some(chain.trim()), "{chain}");
    }
    apache.finish();
}

#[test]
fn hd_4_connection_does_not_remove_the_headers_of_proxies() {
    let listed = format!("WSGITrustedProxyHeaders X-Forwarded-For X-Forwarded-Proto\n{TRUSTED}");
    let apache = need!(setup(&listed)).start();
    for tokens in [
        "close, X-Forwarded-For, X-Forwarded-Proto",
        "X-Forwarded-For, close",
        "close, x-forwarded-for , Host",
    ] {
        let mut connection = apache.connect();
        let request = format!(
            "GET /environ HTTP/1.1\r\nHost: x\r\nConnection: {tokens}\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\n\
             X-Forwarded-Proto: https\r\n\r\n"
        );
        connection.send(request).expect("is sent");
        let response = connection.read_response("GET").expect("is answered").expect_status(200).json();
        let environ = response.as_object().expect("the fixture answers with an object");
        assert_eq!(text(environ, "REMOTE_ADDR"), Some("192.0.2.1"), "{tokens}");
        assert_eq!(text(environ, "HTTP_X_FORWARDED_FOR"), Some("192.0.2.1, 10.0.0.1"));
        assert_eq!(text(environ, "wsgi.url_scheme"), Some("https"));
        assert_eq!(text(environ, "HTTP_HOST"), Some("x"));
    }
    apache.finish();
}

#[test]
fn hd_3_look_alikes_of_a_trusted_header_are_not_it() {
    let apache = need!(setup(&format!("WSGITrustedProxyHeaders X-Forwarded-For\n{TRUSTED}"))).start();
    let real = ("X-Forwarded-For", "192.0.2.1");
    for fake in ["X_Forwarded_For", "X-Forwarded_For", "X.Forwarded.For", "X-Forwarded-For-"] {
        let fake = (fake, "192.0.2.66");
        for sent in [&[real, fake][..], &[fake, real]] {
            let environ = environ(&apache, sent);
            assert_eq!(text(&environ, "REMOTE_ADDR"), Some("192.0.2.1"), "{fake:?}");
            assert_eq!(text(&environ, "HTTP_X_FORWARDED_FOR"), Some("192.0.2.1"), "{fake:?}");
        }
        assert_eq!(text(&environ(&apache, &[fake]), "REMOTE_ADDR"), Some("127.0.0.1"), "{fake:?}");
    }
    apache.finish();
}

#[test]
fn words_for_the_scheme_are_read() {
    let apache = need!(setup(
        "WSGITrustedProxyHeaders X-Forwarded-Proto X-Forwarded-SSL\nSetEnvIf X-Preset . HTTPS=on"
    ))
    .start();
    let scheme =
        |headers: &[(&str, &str)]| text(&environ(&apache, headers), "wsgi.url_scheme").unwrap().to_owned();
    for (value, expected) in
        [("https", "https"), ("HTTPS", "https"), ("http", "http"), ("ftp", "http"), ("1", "http")]
    {
        assert_eq!(scheme(&[("X-Forwarded-Proto", value)]), expected, "{value}");
    }
    for (value, expected) in [
        ("On", "https"),
        ("TRUE", "https"),
        ("1", "https"),
        ("off", "http"),
        ("0", "http"),
        ("https", "http"),
    ] {
        assert_eq!(scheme(&[("X-Forwarded-SSL", value)]), expected, "{value}");
    }
    // What is said wins over the server's own knowledge, what is not understood changes nothing.
    assert_eq!(scheme(&[("X-Preset", "1"), ("X-Forwarded-Proto", "http")]), "http");
    assert_eq!(scheme(&[("X-Preset", "1"), ("X-Forwarded-Proto", "ftp")]), "https");
    assert_eq!(scheme(&[("X-Forwarded-Proto", "https"), ("X-Forwarded-SSL", "off")]), "http");
    assert_eq!(scheme(&[("X-Preset", "1")]), "https");
    apache.finish();
}

#[test]
fn sections_replace_the_lists_of_the_server() {
    let sections = "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 127.0.0.1\n\
        <Location /environ/other>\nWSGITrustedProxyHeaders X-Real-IP\nWSGITrustedProxyHeaders X-Client-IP\n</Location>\n\
        <Location /environ/closed>\nWSGITrustedProxies 10.0.0.1\n</Location>";
    let apache = need!(setup(sections)).start();
    let client = |path: &str, header: &str| {
        let response =
            apache.request("GET", path).header(header, "192.0.2.1").send().expect_status(200).json();
        response["REMOTE_ADDR"][1].as_str().expect("is a text").to_owned()
    };
    assert_eq!(client("/environ", "X-Forwarded-For"), "192.0.2.1");
    assert_eq!(client("/environ/other", "X-Forwarded-For"), "127.0.0.1");
    assert_eq!(client("/environ/other", "X-Real-IP"), "192.0.2.1");
    assert_eq!(client("/environ/other", "X-Client-IP"), "192.0.2.1", "lines of one section add up");
    assert_eq!(client("/environ/closed", "X-Forwarded-For"), "127.0.0.1");
    apache.finish();
}

#[test]
fn empty_values_make_no_empty_variables() {
    let apache = need!(setup(ALL)).start();
    for (header, key) in [
        ("X-Real-IP", "REMOTE_ADDR"),
        ("X-Forwarded-Server", "SERVER_NAME"),
        ("X-Forwarded-Port", "SERVER_PORT"),
    ] {
        let environ = environ(&apache, &[(header, "")]);
        assert_eq!(text(&environ, key) == Some(""), pick(false, true), "{header}");
    }
    let environ = environ(&apache, &[("X-Forwarded-Server", "<script>")]);
    assert_eq!(text(&environ, "SERVER_NAME"), Some(pick("&lt;script&gt;", "<script>")));
    apache.finish();
}

#[test]
fn an_item_that_only_c_takes_for_an_address_ends_the_walk() {
    let apache = need!(setup(&format!("WSGITrustedProxyHeaders X-Forwarded-For\n{TRUSTED}"))).start();
    let environ = environ(&apache, &[("X-Forwarded-For", "192.0.2.1, 127.1")]);
    assert_eq!(text(&environ, "REMOTE_ADDR"), Some(pick("127.1", "192.0.2.1")));
    apache.finish();
}
