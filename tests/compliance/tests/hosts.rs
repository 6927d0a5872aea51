//! Servers and protocols: name-based virtual hosts and what they inherit, IPv6, TLS, HTTP/2.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::process::Command;

use kit::server::kind;
use kit::{Apache, Kind, Mpm, Setup, need, run};
use serde_json::{Map, Value, json};

fn setup() -> Result<Setup, String> {
    Ok(Setup::new()?
        .daemon("one", "threads=2")
        .daemon("two", "threads=2")
        .file("site/environ.wsgi", &kit::fixture("environ.wsgi")))
}

fn seen(apache: &Apache, host: &str, target: &str) -> Map<String, Value> {
    let response = apache.request("GET", target).host(host).header("Authorization", "Basic YTpi").send();
    response.expect_status(200).json().as_object().expect("the fixture answers with an object").clone()
}

fn text<'a>(environ: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    environ.get(key).map(|shown| shown[1].as_str().expect("is a text"))
}

#[test]
fn virtual_hosts_inherit_what_they_do_not_say() {
    let host = |name: &str, more: &str| {
        format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}.test\nServerAlias www.{name}.test\n{more}\n</VirtualHost>\n"
        )
    };
    let apache = need!(setup())
        .config("WSGIProcessGroup one\nWSGIPassAuthorization On\nWSGIApplicationGroup main\nWSGIScriptAlias /app @SITE@/environ.wsgi")
        .config(&host("plain", ""))
        .config(&host("other", "WSGIProcessGroup two\nWSGIPassAuthorization Off"))
        .config(&host("more", "WSGIScriptAlias /more @SITE@/environ.wsgi\n<Location /app/in>\nWSGIProcessGroup two\n</Location>"))
        .expect_log("AH0")
        .start();
    for (host, target, group, authorization) in [
        ("plain.test", "/app", "one", true),
        ("www.plain.test", "/app", "one", true),
        ("other.test", "/app", "two", false),
        ("more.test", "/app", "one", true),
        ("more.test", "/app/in/x", "two", true),
        ("more.test", "/more", "one", true),
    ] {
        let environ = seen(&apache, host, target);
        assert_eq!(text(&environ, "mod_wsgi.process_group"), Some(group), "{host}{target}");
        assert_eq!(text(&environ, "mod_wsgi.application_group"), Some("main"), "{host}{target}");
        assert_eq!(environ.contains_key("HTTP_AUTHORIZATION"), authorization, "{host}{target}");
        assert_eq!(text(&environ, "SERVER_NAME"), Some(host), "{target}");
    }
    apache.request("GET", "/more").host("plain.test").send().expect_status(404);
    apache.finish();
}

#[test]
fn names_with_a_port_are_worked_out_for_the_virtual_host() {
    let apache = need!(setup())
        .config("<VirtualHost 127.0.0.1:@PORT@>\nServerName v.test:80\nServerAlias *.v.test\nUseCanonicalName On\nWSGIProcessGroup one")
        .config("WSGIScriptAlias /server @SITE@/environ.wsgi application-group=%{SERVER}")
        .config("WSGIScriptAlias /host @SITE@/environ.wsgi application-group=%{HOST}")
        .config("WSGIScriptAlias /resource @SITE@/environ.wsgi application-group=%{RESOURCE}\n</VirtualHost>")
        .start();
    for (target, group) in [("/server", "v.test"), ("/host", "a.v.test"), ("/resource/x", "v.test|/resource")]
    {
        let environ = seen(&apache, "a.v.test", target);
        assert_eq!(text(&environ, "mod_wsgi.application_group"), Some(group), "{target}");
        assert_eq!(
            (text(&environ, "SERVER_NAME"), text(&environ, "SERVER_PORT")),
            (Some("v.test"), Some("80"))
        );
    }
    apache.finish();
}

#[test]
fn ipv6_is_served() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        kit::skip!("this machine has no IPv6 address ::1");
    }
    let apache = need!(setup())
        .config("Listen [::1]:@PORT@\nWSGIProcessGroup one\nWSGIScriptAlias /app @SITE@/environ.wsgi")
        .config("<Location /app/proxied>\nWSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies ::1 2001:db8::/32\n</Location>")
        .start();
    let address = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), apache.address().port());
    let get = |target: &str| {
        let request =
            kit::Request::new(address, "GET", target).header("X-Forwarded-For", "2001:DB9::7, 2001:db8::1");
        request
            .send()
            .expect_status(200)
            .json()
            .as_object()
            .expect("the fixture answers with an object")
            .clone()
    };
    let environ = get("/app/x");
    for key in ["REMOTE_ADDR", "SERVER_ADDR", "mod_wsgi.listener_host"] {
        assert_eq!(text(&environ, key), Some("::1"), "{key}");
    }
    assert_eq!(text(&environ, "SERVER_NAME"), Some("[::1]"));
    assert_eq!(text(&environ, "HTTP_HOST"), Some(address.to_string().as_str()));
    assert_eq!(text(&get("/app/proxied"), "REMOTE_ADDR"), Some("2001:DB9::7"));
    apache.finish();
}

/// What curl gets as JSON.
fn curl(words: &[&str], apache: &Apache, target: &str) -> Map<String, Value> {
    let scheme = if words.contains(&"-k") { "https" } else { "http" };
    let url = format!("{scheme}://127.0.0.1:{}{target}", apache.address().port());
    let body = run(Command::new("curl").args(["-sS", "--max-time", "20"]).args(words).arg(url))
        .expect("curl gets an answer");
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}"));
    body.as_object().expect("the fixture answers with an object").clone()
}

fn with_tls(setup: Setup) -> Setup {
    let (key, certificate) = (setup.root().join("key.pem"), setup.root().join("cert.pem"));
    let words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout";
    run(Command::new("openssl").args(words.split(' ')).arg(&key).arg("-out").arg(&certificate))
        .expect("openssl makes a key");
    setup
        .modules(&["ssl", "socache_shmcb"])
        .config("SSLEngine On\nSSLCertificateFile @ROOT@/cert.pem\nSSLCertificateKeyFile @ROOT@/key.pem")
        .expect_log("ssl:warn.*AH01(873|882|906|909): ")
}

#[test]
fn tls_makes_the_scheme_https() {
    let apache = with_tls(need!(setup()))
        .config("WSGIProcessGroup one\nWSGIScriptAlias /app @SITE@/environ.wsgi")
        .config("<Location /app/vars>\nSSLOptions +StdEnvVars\n</Location>")
        .config("<Location /app/proxied>\nWSGITrustedProxyHeaders X-Forwarded-Proto\nWSGITrustedProxies 127.0.0.1\n</Location>")
        .start();
    let plain = curl(&["-k"], &apache, "/app/plain");
    assert_eq!(plain["wsgi.url_scheme"], json!(["str", "https"]));
    assert_eq!(text(&plain, "REQUEST_SCHEME"), Some("https"));
    assert!(!plain.contains_key("HTTPS") && !plain.contains_key("SSL_PROTOCOL"), "{plain:#?}");
    let vars = curl(&["-k"], &apache, "/app/vars");
    assert!(text(&vars, "SSL_PROTOCOL").is_some_and(|version| version.starts_with("TLSv1")), "{vars:#?}");
    for key in ["SSL_CIPHER", "SSL_SERVER_S_DN", "SSL_VERSION_LIBRARY"] {
        assert!(vars.contains_key(key), "{key}");
    }
    assert!(!vars.contains_key("HTTPS"));
    // The proxy in front knows better.
    for (word, scheme) in [("http", "http"), ("https", "https"), ("ftp", "https")] {
        let header = format!("X-Forwarded-Proto: {word}");
        let environ = curl(&["-k", "-H", &header], &apache, "/app/proxied");
        assert_eq!(text(&environ, "wsgi.url_scheme"), Some(scheme), "{word}");
    }
    assert_eq!(text(&curl(&["-k"], &apache, "/app/proxied"), "wsgi.url_scheme"), Some("https"));
    apache.finish();
}

#[test]
fn http_2_has_the_same_environ() {
    if Mpm::from_env() == Mpm::Prefork {
        kit::skip!("mod_http2 does not work with mpm_prefork");
    }
    let apache = need!(setup())
        .modules(&["http2"])
        .config("Protocols h2c http/1.1\nWSGIProcessGroup one\nWSGIScriptAlias /app @SITE@/environ.wsgi")
        .expect_log("AH100")
        .start();
    let target = "/app/a%20b//c?q=%201";
    let headers = ["-H", "X-Word: one", "-H", "Cookie: a=1", "-H", "Cookie: b=2"];
    let mut two = curl(&[&["--http2-prior-knowledge"][..], &headers].concat(), &apache, target);
    let mut one = curl(&[&["--http1.1"][..], &headers].concat(), &apache, target);
    assert_eq!(
        (text(&two, "SERVER_PROTOCOL"), text(&one, "SERVER_PROTOCOL")),
        (Some("HTTP/2.0"), Some("HTTP/1.1"))
    );
    assert_eq!((text(&two, "PATH_INFO"), text(&two, "SCRIPT_NAME")), (Some("/a b/c"), Some("/app")));
    assert_eq!(text(&two, "REQUEST_URI"), Some(target));
    for environ in [&mut one, &mut two] {
        environ.retain(|key, _| {
            let differs = ["SERVER_PROTOCOL", "REMOTE_PORT", "HTTP_COOKIE", "mod_wsgi.thread_id"]
                .contains(&key.as_str());
            let times =
                key.ends_with("_start") || key.ends_with("_id") || key.starts_with("H2") || key == "HTTP2";
            !differs
                && !times
                && !key.starts_with("wsgi.input")
                && key != "wsgi.errors"
                && key != "wsgi.file_wrapper"
        });
    }
    if kind() == Kind::Ours {
        assert_eq!(one, two);
    } else {
        assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    }
    apache.finish();
}
