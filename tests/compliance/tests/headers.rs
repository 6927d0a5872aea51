//! Response headers: those that may stand there twice and those that may not, those that are the server's, lengths, conditions
//! and ranges.

use kit::{End, Kind, pick, server};

/// Answers with the status line, the headers and the body that the POSTed JSON has.
const SCRIPT: &str = r#"
import json

def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        asked = json.loads(environ["wsgi.input"].read())
    else:
        asked = json.load(open("@SCRATCH@/asked"))
    start_response(asked["status"], [tuple(header) for header in asked["headers"]])
    return [block.encode() for block in asked["body"]]
"#;

fn asked(status: &str, headers: &[(&str, &str)], body: &[&str]) -> String {
    serde_json::json!({ "status": status, "headers": headers, "body": body }).to_string()
}

/// Two headers of the same name become what?
#[test]
fn duplicates_are_kept_apart_where_that_matters() {
    let apache = serve!(SCRIPT);
    for (name, expected) in [
        ("Set-Cookie", &["a=1", "b=2"][..]),
        ("WWW-Authenticate", &["a=1", "b=2"]),
        // mod_wsgi's daemon mode joins what it has no rule for, as a CGI header parser does.
        ("Vary", &["a=1,b=2"]),
        ("Link", pick(&["a=1", "b=2"], &["a=1, b=2"])),
        ("X-Any", pick(&["a=1", "b=2"], &["a=1, b=2"])),
        ("ETag", pick(&["b=2"], &["a=1, b=2"])),
        ("Expires", pick(&["b=2"], &["a=1, b=2"])),
        ("Retry-After", pick(&["b=2"], &["a=1, b=2"])),
        ("Location", &["b=2"]),
        ("Content-Type", &["b=2"]),
        ("Content-Range", &["b=2"]),
    ] {
        let headers = [(name, "a=1"), ("X-Between", "1"), (name, "b=2")];
        let response = apache.post("/app", asked("201 Made", &headers, &["x"])).expect_status(201);
        assert_eq!(response.headers_named(name).collect::<Vec<_>>(), expected, "{name}");
    }
    apache.finish();
}

#[test]
fn rs_6_headers_of_the_connection_are_the_servers() {
    if server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi passes them on, and its responses with Transfer-Encoding cannot be read");
    }
    let apache = serve!(SCRIPT);
    apache.expect_log("WSGI1202: .*belongs to the connection");
    let hop = [
        ("Connection", "close"),
        ("Connection", "X-Other"),
        ("Keep-Alive", "timeout=77"),
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "gzip"),
        ("Upgrade", "h2c"),
        ("Trailer", "X-Late"),
        ("TE", "trailers"),
        ("Proxy-Connection", "close"),
    ];
    for header in hop {
        let mut connection = apache.connect();
        for _ in 0..2 {
            let body = asked("200 OK", &[header, ("X-Own", "1")], &["whole"]);
            connection.send(apache.request("POST", "/app").body(body).bytes(true)).expect("is sent");
            let response = connection.read_response("POST").expect("is answered");
            assert_eq!((response.text().as_str(), response.end), ("whole", End::Length), "{header:?}");
            assert_eq!(response.header("X-Own"), Some("1"));
            assert!(response.headers_named(header.0).all(|value| value != header.1), "{header:?}");
        }
    }
    apache.finish();
}

#[test]
fn date_and_server_are_the_servers() {
    let apache = serve!(SCRIPT);
    let headers = [("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("Server", "mine/1")];
    let response = apache.post("/app", asked("200 OK", &headers, &["x"])).expect_status(200);
    let dates: Vec<_> = response.headers_named("Date").collect();
    assert!(dates.len() == 1 && !dates[0].contains("1970"), "{dates:?}");
    let servers: Vec<_> = response.headers_named("Server").collect();
    assert!(servers.len() == 1 && servers[0].starts_with("Apache"), "{servers:?}");
    apache.finish();
}

#[test]
fn rs_6_a_body_longer_than_its_length_is_cut() {
    let apache = serve!(SCRIPT);
    apache.expect_log("WSGI1200: .*longer than its Content-Length");
    let mut connection = apache.connect();
    for _ in 0..3 {
        let body = asked("200 OK", &[("Content-Length", "5")], &["123", "456", "789"]);
        connection.send(apache.request("POST", "/app").body(body).bytes(true)).expect("is sent");
        let response = connection.read_response("POST").expect("is answered");
        assert_eq!((response.text().as_str(), response.end), ("12345", End::Length));
    }
    // mod_wsgi says nothing.
    let lines = apache.log().lines(r"\[wsgi:warn\].*longer than its Content-Length").len();
    assert_eq!(lines, pick(1, 0), "the line comes once for a script");
    apache.finish();
}

#[test]
fn rs_6_a_body_shorter_than_its_length_is_visible() {
    let apache = serve!(SCRIPT);
    apache.expect_log("wsgi:error");
    let response = apache.post("/app", asked("200 OK", &[("Content-Length", "100")], &["short"]));
    // While nothing has left, the status can still say it; mod_wsgi lets the connection end early.
    assert_eq!(response.status, pick(500, 200));
    assert_eq!(response.end, pick(End::Length, End::Truncated));
    apache.finish();
}

#[test]
fn rs_6_statuses_without_a_body_keep_the_connection_right() {
    if server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi's 204 has a Content-Length; clients wait for bytes that never come");
    }
    let apache = serve!(SCRIPT);
    apache.expect_log("WSGI1200: .*longer than its Content-Length");
    let mut connection = apache.connect();
    for (status, length) in [("204 No Content", None), ("304 Not Modified", Some("10"))] {
        let headers = [("Content-Length", "10"), ("ETag", "\"a\"")];
        for body in [&[][..], &["0123456789"]] {
            let body = asked(status, &headers, body);
            connection.send(apache.request("POST", "/app").body(body).bytes(true)).expect("is sent");
            let response = connection.read_response("POST").expect("is answered");
            assert_eq!((response.end, response.header("ETag")), (End::NoBody, Some("\"a\"")), "{status}");
            assert!(response.header("Content-Length").is_none_or(|have| Some(have) == length), "{status}");
            assert_eq!(response.header("Transfer-Encoding"), None);
        }
    }
    connection
        .send(apache.request("POST", "/app").body(asked("200 OK", &[], &["end"])).bytes(true))
        .expect("is sent");
    assert_eq!(connection.read_response("POST").expect("is answered").text(), "end");
    apache.finish();
}

/// What a GET with these headers gets when the application answers as asked.
fn get(apache: &kit::Apache, asked: &str, headers: &[(&str, &str)]) -> kit::Response {
    std::fs::write(apache.scratch("asked"), asked).expect("the folder is ours");
    let mut request = apache.request("GET", "/app");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.send()
}

#[test]
fn a_304_keeps_its_validators() {
    let apache = serve!(SCRIPT);
    let headers = [("ETag", "\"v1\""), ("Cache-Control", "max-age=5"), ("Vary", "Cookie"), ("Expires", "0")];
    let response = get(&apache, &asked("304 Not Modified", &headers, &[]), &[("If-None-Match", "\"v1\"")]);
    assert_eq!((response.status, response.end), (304, End::NoBody));
    for (name, value) in headers {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    apache.finish();
}

#[test]
fn conditions_are_the_applications_to_judge() {
    let apache = serve!(SCRIPT);
    let date = "Sat, 01 Jan 2022 00:00:00 GMT";
    let answer = asked("200 OK", &[("ETag", "\"v1\""), ("Last-Modified", date)], &["whole"]);
    let conditions = [
        ("If-None-Match", "\"v1\""),
        ("If-None-Match", "*"),
        ("If-Modified-Since", date),
        ("If-Match", "\"other\""),
        ("If-Unmodified-Since", "Fri, 01 Jan 2010 00:00:00 GMT"),
    ];
    for condition in conditions {
        let response = get(&apache, &answer, &[condition]);
        assert_eq!((response.status, response.text().as_str()), (200, "whole"), "{condition:?}");
        assert_eq!(response.header("ETag"), Some("\"v1\""));
        assert_eq!(response.header("Last-Modified"), Some(date));
    }
    apache.finish();
}

#[test]
fn a_range_of_a_generated_response_is_right_where_apache_cuts_it() {
    let apache = serve!(SCRIPT);
    let answer =
        asked("200 OK", &[("Content-Length", "26"), ("ETag", "\"v1\"")], &["abcdefghijklm", "nopqrstuvwxyz"]);
    let whole = "abcdefghijklmnopqrstuvwxyz";
    for (range, part, means) in [
        ("bytes=2-4", "cde", Some("bytes 2-4/26")),
        ("bytes=-3", "xyz", Some("bytes 23-25/26")),
        ("bytes=20-", "uvwxyz", Some("bytes 20-25/26")),
    ] {
        let response = get(&apache, &answer, &[("Range", range)]);
        // Apache's filter cuts only what it sees whole at once; mod_wsgi's daemon mode does not arrange that.
        assert_eq!(response.status, pick(206, 200), "{range}");
        assert_eq!(response.text(), pick(part, whole), "{range}");
        assert_eq!(response.header("Content-Range"), pick(means, None));
    }
    // Another version than the one that the client has a part of: all of it.
    let response = get(&apache, &answer, &[("Range", "bytes=2-4"), ("If-Range", "\"v0\"")]);
    assert_eq!((response.status, response.text().as_str()), (200, whole));
    let response = get(&apache, &answer, &[("Range", "bytes=30-40")]);
    assert_eq!(response.status, pick(416, 200));
    // An application that has cut it itself is left alone.
    let own =
        asked("206 Partial Content", &[("Content-Range", "bytes 2-4/26"), ("Content-Length", "3")], &["cde"]);
    let response = get(&apache, &own, &[("Range", "bytes=2-4")]);
    assert_eq!((response.status, response.text().as_str()), (206, "cde"));
    assert_eq!(response.header("Content-Range"), Some("bytes 2-4/26"));
    apache.finish();
}

#[test]
fn latin_1_values_and_reasons_arrive_byte_for_byte() {
    let source = r#"
def application(environ, start_response):
    start_response("200 Gr\u00fc\u00dfe", [("X-Latin", "caf\u00e9 \u00ff"), ("X-Empty", ""), ("x-CaSe", "1")])
    return [b"x"]
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("Apache listens");
    let bytes = connection.read_to_end().expect("is answered");
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(b"HTTP/1.1 200 Gr\xfc\xdfe\r\n"), "{}", bytes.escape_ascii());
    assert!(has(b"\r\nX-Latin: caf\xe9 \xff\r\n"), "{}", bytes.escape_ascii());
    assert!(has(b"\r\nX-Empty: \r\n"), "{}", bytes.escape_ascii());
    assert!(has(b"\r\nx-CaSe: 1\r\n"), "{}", bytes.escape_ascii());
    apache.finish();
}

#[test]
fn unusual_statuses_arrive() {
    let apache = serve!(SCRIPT);
    for status in ["299 Own", "418 Teapot", "451 Law", "499 Gone", "520 Odd", "599 Last"] {
        let response = apache.post("/app", asked(status, &[], &["x"]));
        let line = format!("{} {}", response.status, response.reason);
        assert_eq!((line.as_str(), response.text().as_str()), (status, "x"));
    }
    // mod_wsgi lets 600 and more through, too.
    for status in ["600 Above", "999 Top"] {
        let response = apache.post("/app", asked(status, &[], &["x"]));
        assert_eq!(format!("{} {}", response.status, response.reason), status);
    }
    apache.finish();
}
