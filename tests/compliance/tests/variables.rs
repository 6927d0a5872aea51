//! Variables of the configuration: SetEnv, PassEnv, SetEnvIf, RewriteRule; what they reach, and what not (EN-4).

use kit::{Apache, Setup, need, pick};
use serde_json::{Map, Value};

fn environ(apache: &Apache, headers: &[(&str, &str)]) -> Map<String, Value> {
    let request = apache.request("GET", "/environ/info?q=1");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send().expect_status(200).json().as_object().expect("the fixture answers with an object").clone()
}

fn text<'a>(environ: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    environ.get(key).map(|shown| shown[1].as_str().unwrap_or("no text"))
}

fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2").fixture("environ");
    Ok(setup.config("<Directory @SITE@>\nAllowOverride All\n</Directory>"))
}

#[test]
fn every_source_of_variables_reaches_the_environ() {
    let apache = need!(setup())
        .env("FROM_OUTSIDE", "passed on")
        .env("NOT_PASSED", "kept")
        .config("SetEnv BY_SETENV \"a b\"\nSetEnv EMPTY\nPassEnv FROM_OUTSIDE\nUnsetEnv GONE")
        .config("SetEnvIf User-Agent ^probe BY_SETENVIF=$0\nBrowserMatch ^probe by_browser\nSetEnvIfExpr \"true\" BY_EXPR=1")
        .config("RewriteEngine On\nRewriteRule ^/environ - [E=BY_RULE:%{HTTP:X-Word}]")
        .start();
    let environ = environ(&apache, &[("User-Agent", "probe/1"), ("X-Word", "w\u{e4}")]);
    for (key, value) in [
        ("BY_SETENV", "a b"),
        ("EMPTY", ""),
        ("FROM_OUTSIDE", "passed on"),
        ("BY_SETENVIF", "probe"),
        ("by_browser", "1"),
        ("BY_EXPR", "1"),
        // The two bytes of the UTF-8 character, as PEP 3333 wants them.
        ("BY_RULE", "w\u{c3}\u{a4}"),
    ] {
        assert_eq!(text(&environ, key), Some(value), "{key}");
    }
    assert!(!environ.contains_key("NOT_PASSED") && !environ.contains_key("GONE"));
    apache.finish();
}

/// What the server works out, each with what it has to be in spite of the configuration; `None`: not there.
const COMPUTED: [(&str, Option<&str>); 22] = [
    ("REMOTE_USER", None),
    ("AUTH_TYPE", None),
    ("CONTENT_LENGTH", None),
    ("CONTENT_TYPE", None),
    ("HTTP_PROXY", None),
    ("SERVER_NAME", Some("127.0.0.1")),
    ("SERVER_PROTOCOL", Some("HTTP/1.1")),
    ("REMOTE_ADDR", Some("127.0.0.1")),
    ("SERVER_ADDR", Some("127.0.0.1")),
    ("SCRIPT_NAME", Some("/environ")),
    ("PATH_INFO", Some("/info")),
    ("QUERY_STRING", Some("q=1")),
    ("REQUEST_METHOD", Some("GET")),
    ("REQUEST_URI", Some("/environ/info?q=1")),
    ("REQUEST_SCHEME", Some("http")),
    ("HTTP_X_SENT", Some("sent")),
    ("wsgi.url_scheme", Some("http")),
    ("wsgi.multithread", Some("no text")),
    ("mod_wsgi.process_group", Some("app")),
    ("mod_wsgi.script_name", Some("/environ")),
    ("mod_wsgi.callable_object", Some("application")),
    ("mod_wsgi.request_handler", Some("wsgi-script")),
];

/// The configuration that sets all of them, in each of the three ways.
fn forged(way: &str) -> String {
    let line = |(key, _): &(&str, Option<&str>)| match way {
        "SetEnv" => format!("SetEnv {key} forged\n"),
        "SetEnvIf" => format!("SetEnvIf Request_URI . {key}=forged\n"),
        _ => format!("RewriteRule . - [E={key}:forged]\n"),
    };
    let lines: String = COMPUTED.iter().map(line).collect();
    if way == "RewriteRule" { format!("RewriteEngine On\n{lines}") } else { lines }
}

#[test]
fn en_4_the_configuration_replaces_nothing_that_the_server_works_out() {
    for way in ["SetEnv", "SetEnvIf", "RewriteRule"] {
        for place in ["server", "directory", "htaccess"] {
            let setup = need!(setup());
            let setup = match place {
                "server" => setup.config(&forged(way)),
                "directory" => setup.config(&format!("<Directory @SITE@>\n{}\n</Directory>", forged(way))),
                _ => setup.file("site/.htaccess", &forged(way)),
            };
            let apache = setup.start();
            let environ = environ(&apache, &[("X-Sent", "sent")]);
            for (key, value) in COMPUTED {
                // mod_wsgi lets the configuration stand in for what is absent, such as the user.
                let may_differ = value.is_none() || key.starts_with("mod_wsgi.") || key.starts_with("wsgi.");
                if pick(true, !may_differ) {
                    assert_eq!(text(&environ, key), value, "{way} in {place}: {key}");
                }
            }
            apache.finish();
        }
    }
}

#[test]
fn hd_2_no_header_and_no_variable_becomes_http_proxy() {
    let apache = need!(setup())
        .config("RewriteEngine On\nRewriteRule . - [E=HTTP_PROXY:evil]")
        .fixture("eval")
        .start();
    for name in ["Proxy", "PROXY", "pRoXy"] {
        let environ = environ(&apache, &[(name, "http://evil.test")]);
        if pick(true, false) {
            assert_eq!(text(&environ, "HTTP_PROXY"), None, "{name}");
        }
        assert_ne!(text(&environ, "HTTP_PROXY"), Some("http://evil.test"), "{name}");
    }
    // A header of a similar name is a header like others.
    assert_eq!(text(&environ(&apache, &[("Proxy-", "x")]), "HTTP_PROXY_"), Some("x"));
    let code = "import os, subprocess\nresult = [os.environ.get('HTTP_PROXY'), subprocess.run(['env'], capture_output=True).stdout.decode()]";
    let seen = apache.eval("/eval", code);
    assert!(seen[0].is_null() && !seen[1].as_str().expect("is a text").contains("HTTP_PROXY"), "{seen}");
    apache.finish();
}

#[test]
fn hd_1_headers_map_one_to_one_or_not_at_all() {
    let apache = need!(setup()).start();
    for fake in ["X_Real", "X.Real", "X!Real", "X~Real", "X'Real"] {
        for sent in [&[("X-Real", "real"), (fake, "fake")][..], &[(fake, "fake"), ("X-Real", "real")]] {
            assert_eq!(text(&environ(&apache, sent), "HTTP_X_REAL"), Some("real"), "{fake}");
        }
        assert_eq!(text(&environ(&apache, &[(fake, "fake")]), "HTTP_X_REAL"), None, "{fake}");
    }
    for fake in ["Content_Length", "Content_Type", "Remote_User", "Remote-User", "HTTP-X", "-X"] {
        let environ = environ(&apache, &[(fake, "fake")]);
        for key in ["CONTENT_LENGTH", "CONTENT_TYPE", "REMOTE_USER", "HTTP_X"] {
            assert_eq!(text(&environ, key), None, "{fake}: {key}");
        }
    }
    apache.finish();
}

#[test]
fn hd_8_credentials_are_shown_when_the_administrator_says_so() {
    let both = [("Authorization", "Basic YTpi"), ("Proxy-Authorization", "Basic Yzpk")];
    for (config, shown) in [
        ("", [None, None]),
        ("WSGIPassAuthorization On", [Some("Basic YTpi"), None]),
        ("<Location />\nCGIPassAuth On\n</Location>", [Some("Basic YTpi"), Some("Basic Yzpk")]),
        // What people write who know CGI.
        ("SetEnvIf Authorization (.+) HTTP_AUTHORIZATION=$1", [Some("Basic YTpi"), None]),
    ] {
        let apache = need!(setup()).config(config).start();
        let environ = environ(&apache, &both);
        let seen = ["HTTP_AUTHORIZATION", "HTTP_PROXY_AUTHORIZATION"].map(|key| text(&environ, key));
        assert_eq!(seen, shown, "{config}");
        apache.finish();
    }
}
