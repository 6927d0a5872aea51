//! Odd paths (HD-9), and many random requests on kept connections against a model of their environs (EN-3).

use std::collections::BTreeMap;

use kit::{Apache, Connection, Setup, need, pick};
use serde_json::Value;

const SHOW: &str = r#"
import json

def application(environ, start_response):
    shown = {key: value for key, value in environ.items() if type(value) is str}
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"#;

fn served(config: &str) -> Result<Apache, String> {
    let setup = Setup::new()?.one_daemon("threads=4").app("app", SHOW).config(config);
    Ok(setup.config("MaxKeepAliveRequests 0").expect_log("AH0|AH10244|wsgi:error.*WSGI0135").start())
}

/// The answer to a request line with this target, as bytes: status and environ.
fn ask(apache: &Apache, target: &[u8]) -> (u16, Value) {
    let mut connection = apache.connect();
    let request = [b"GET ", target, b" HTTP/1.1\r\nHost: here.test\r\nConnection: close\r\n\r\n"].concat();
    connection.send(request).expect("is sent");
    let response = connection.read_response("GET").expect("is answered");
    (response.status, if response.status == 200 { response.json() } else { Value::Null })
}

fn paths(environ: &Value) -> String {
    ["SCRIPT_NAME", "PATH_INFO"].map(|key| environ[key].as_str().expect("is always there")).concat()
}

/// What the path of a target means: percent signs resolved, then `//`, `.` and `..` (RFC 3986, 5.2.4). Bytes as Latin-1.
fn meaning(target: &[u8]) -> String {
    let text: String = target.iter().map(|byte| char::from(*byte)).collect();
    let path = text.strip_prefix("http://other.test").unwrap_or(&text);
    let mut decoded = String::new();
    let mut rest = path.split('?').next().unwrap_or_default().chars();
    while let Some(next) = rest.next() {
        let digits: String = if next == '%' { rest.by_ref().take(2).collect() } else { String::new() };
        decoded.push(if next == '%' {
            char::from(u8::from_str_radix(&digits, 16).unwrap_or(b'?'))
        } else {
            next
        });
    }
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = decoded.split('/').collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        match *part {
            "." | "" if last => kept.push(""),
            "." | "" => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}", kept.join("/"))
}

#[test]
fn hd_9_every_byte_in_a_path_is_passed_on_or_refused() {
    let apache = need!(served(""));
    let (mut raw_served, mut encoded_served) = (0, 0);
    for byte in 1..=255u8 {
        let raw = [b"/app/x", &[byte][..], b"y"].concat();
        let encoded = format!("/app/x%{byte:02X}y").into_bytes();
        for (target, served) in [(raw, &mut raw_served), (encoded, &mut encoded_served)] {
            // White space ends the target in the request line.
            let (status, environ) = ask(&apache, &target);
            assert!(status < 500, "{byte:#x}: {status}");
            if status == 200 {
                *served += 1;
                assert_eq!(paths(&environ), meaning(&target), "{byte:#x}");
            }
        }
    }
    // Encoded, only the slash is not allowed; raw, control characters and what a URL may not hold are refused.
    assert_eq!(encoded_served, 254);
    assert!(raw_served > 80, "{raw_served}");
    apache.finish();
}

#[test]
fn hd_9_odd_paths_keep_their_meaning() {
    let apache = need!(served(""));
    for (target, status) in [
        ("//app//x", 200),
        ("/app/./x", 200),
        ("/app/a/../b", 200),
        ("/app/../app/x", 200),
        ("/app/a/%2e%2e/b", 200),
        ("/app/a/%2E/b", 200),
        ("/app/x/..", 200),
        ("/app/.../x", 200),
        ("/app/x;p=1;q", 200),
        ("/app/x/", 200),
        ("/app/x///", 200),
        ("/app?", 200),
        ("/app?a?b&%00=%zz", 200),
        ("/app/%C3%A9%FF", 200),
        ("http://other.test/app/x", 200),
        ("http://other.test//app/./x?q", 200),
        ("/app;p=1", 404),
        ("/app/x/../..", 404),
        ("/App/x", 404),
        ("/app%2Fx", 404),
        ("/app/%2F", 404),
        ("/app/%00", 404),
        ("/app/x%00.html", 404),
        ("/app/%", 400),
        ("/app/%zz", 400),
        ("/app/../../x", 400),
        ("/../app", 400),
        ("app/x", 400),
    ] {
        let (seen, environ) = ask(&apache, target.as_bytes());
        assert_eq!(seen, status, "{target}");
        if status == 200 {
            assert_eq!(paths(&environ), meaning(target.as_bytes()), "{target}");
            assert_eq!(environ["SCRIPT_NAME"], "/app", "{target}");
            assert_eq!(environ["REQUEST_URI"], target, "{target}");
            // The host of the target counts more than the header (RFC 9112, 3.2.2).
            let host = if target.starts_with("http:") { "other.test" } else { "here.test" };
            assert_eq!(environ["HTTP_HOST"], host, "{target}");
        }
    }
    apache.finish();
}

#[test]
fn slashes_that_httpd_keeps_are_merged_all_the_same() {
    let apache = need!(served("MergeSlashes Off\nWSGIScriptAlias /deep/er @SITE@/app.wsgi"));
    for (target, script_name, info) in [
        ("//app", "/app", ""),
        ("/app//", "/app", "/"),
        ("///app///x//y", "/app", "/x/y"),
        ("/deep//er//x", "/deep/er", "/x"),
    ] {
        let (status, environ) = ask(&apache, target.as_bytes());
        assert_eq!(status, 200, "{target}");
        assert_eq!(
            (&environ["SCRIPT_NAME"], &environ["PATH_INFO"]),
            (&script_name.into(), &info.into()),
            "{target}"
        );
        assert_eq!(environ["REQUEST_URI"], target);
    }
    apache.finish();
}

#[test]
fn hd_7_huge_and_many_headers_are_refused_or_arrive() {
    let apache = need!(served("LimitRequestFieldSize 1048576\nLimitRequestFields 100"));
    for size in [1, 8_000, 65_536, 500_000] {
        let value = "v".repeat(size);
        let response = apache.request("GET", "/app").header("X-Large", &value).send().expect_status(200);
        assert_eq!(response.json()["HTTP_X_LARGE"], value.as_str(), "{size}");
    }
    let many = |count: usize| {
        let request = apache.request("GET", "/app");
        (0..count).fold(request, |request, n| request.header(&format!("X-N-{n}"), "v")).send()
    };
    let environ = many(90).expect_status(200).json();
    assert!((0..90).all(|n| environ[format!("HTTP_X_N_{n}")] == "v"));
    many(200).expect_status(400);
    // More than a frame can hold altogether.
    let request = apache.request("GET", "/app");
    let huge = (0..40).fold(request, |request, n| request.header(&format!("X-{n}"), &"h".repeat(1_000_000)));
    apache.expect_log(pick("WSGI1104", "WSGI0080|WSGI0146"));
    assert_eq!(huge.send().status, pick(431, 502));
    apache.get("/app").expect_status(200);
    apache.finish();
}

/// Numbers from a seed: the same run after run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("fits") % end
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// A random request and the variables that it must have.
fn request(random: &mut Random, number: usize) -> (Vec<u8>, BTreeMap<String, String>) {
    let method = random.pick(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"]);
    let parts: Vec<&str> = (0..random.below(5))
        .map(|_| random.pick(&["a", "b%20c", "%C3%A9", ".", "..", "", "d;e", "f+g"]))
        .collect();
    let path = format!("/app/x/{number}/y/z/w/v/u/{}", parts.join("/"));
    let query = random.pick(&["", "?", "?a=1", "?%zz&=", "?caf\u{e9}=1"]);
    let mut model = BTreeMap::from([
        ("REQUEST_METHOD".to_owned(), method.to_owned()),
        ("QUERY_STRING".to_owned(), query.trim_start_matches('?').to_owned()),
        ("PATH_INFO".to_owned(), meaning(path.as_bytes())["/app".len()..].to_owned()),
        ("SCRIPT_NAME".to_owned(), "/app".to_owned()),
        ("REQUEST_URI".to_owned(), format!("{path}{query}")),
        ("HTTP_HOST".to_owned(), "here.test".to_owned()),
    ]);
    let mut text = format!("{method} {path}{query} HTTP/1.1\r\nHost: here.test\r\n");
    for _ in 0..random.below(6) {
        let name = random.pick(&[
            "X-A",
            "x-b",
            "Accept",
            "Cookie",
            "X-Forwarded-For",
            "X_Bad",
            "Proxy",
            "Authorization",
        ]);
        let value = random.pick(&["1", "two words", "caf\u{e9}", "", "a, b", "\"quoted\""]);
        text += &format!("{name}: {value}\r\n");
        if !matches!(name, "X_Bad" | "Proxy" | "Authorization") {
            let key = format!("HTTP_{}", name.to_uppercase().replace('-', "_"));
            let joined = model.get(&key).map(|before| format!("{before}, {value}"));
            model.insert(key, joined.unwrap_or_else(|| value.to_owned()));
        }
    }
    if method != "GET" && random.below(2) == 0 {
        let body = "b".repeat(random.below(2000));
        text += &format!("Content-Type: text/x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        model.insert("CONTENT_TYPE".to_owned(), "text/x".to_owned());
        model.insert("CONTENT_LENGTH".to_owned(), body.len().to_string());
    } else {
        text += "\r\n";
    }
    (text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(), model)
}

fn check(connection: &mut Connection, random: &mut Random, number: usize) {
    let (bytes, model) = request(random, number);
    connection.send(&bytes).expect("is sent");
    let response = connection.read_response("GET").expect("is answered").expect_status(200);
    let environ = response.json();
    let said = |key: &str| key.starts_with("HTTP_") || key.starts_with("CONTENT_") || model.contains_key(key);
    let seen: BTreeMap<String, String> = environ
        .as_object()
        .expect("the application answers with an object")
        .iter()
        .filter(|(key, _)| said(key))
        .map(|(key, value)| (key.clone(), value.as_str().expect("is a text").to_owned()))
        .collect();
    assert_eq!(seen, model, "{}", String::from_utf8_lossy(&bytes));
}

#[test]
fn en_3_the_data_of_a_request_stays_with_the_request() {
    let setup = need!(Setup::new()).one_daemon("threads=4").app("app", SHOW).fixture("eval");
    let apache = setup.config("MaxKeepAliveRequests 0").start();
    let outside = "import os; result = sorted(os.environ.items())";
    let before = apache.eval("/eval", outside);
    let each = pick(kit::repetitions(2000, 10_000), 500);
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let apache = &apache;
            let address = apache.address();
            scope.spawn(move || {
                let mut random = Random(0x5eed + thread);
                let mut connection = Connection::open(address).expect("Apache listens");
                (0..each).for_each(|number| check(&mut connection, &mut random, number));
            });
        }
    });
    assert_eq!(apache.eval("/eval", outside), before);
    apache.finish();
}

#[test]
fn hd_10_no_part_of_a_request_forges_a_line_of_the_log() {
    let apache = need!(served("WSGIScriptAliasMatch ^/m/(.*) @SITE@/$1.wsgi"));
    for sent in ["%0aFORGED", "%0d%0a[wsgi:error] FORGED", "%1b[2JFORGED", "%7fFORGED", "%c2%9bFORGED"] {
        let target = format!("/m/{}", sent.replace(' ', "%20"));
        ask(&apache, target.as_bytes());
        let request = apache
            .request("POST", "/app")
            .header("Transfer-Encoding", "chunked")
            .header("X-Line", "\u{1b}FORGED");
        // Refused by httpd: a control character in a header.
        assert!(request.try_send().map_or(400, |response| response.status) >= 400);
    }
    apache.expect_log("AH10244|AH0|WSGI0135|WSGI0139|FORGED");
    let text = std::fs::read(apache.log().path()).expect("the log is there");
    for line in text.split(|byte| *byte == b'\n') {
        let shown = String::from_utf8_lossy(line).into_owned();
        assert!(line.is_empty() || line.starts_with(b"["), "{shown}");
        assert!(!line.iter().any(|byte| byte.is_ascii_control() || (0x80..0xa0).contains(byte)), "{shown}");
    }
    assert!(text.windows(6).any(|part| part == b"FORGED"), "something was logged");
    apache.finish();
}
