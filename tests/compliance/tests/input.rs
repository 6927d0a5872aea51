//! `wsgi.input`: read, readline, readlines, iteration, and what stands after the body.

use kit::{Setup, need};
use serde_json::json;

#[test]
fn each_way_of_reading_gives_the_whole_body() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("echo").start();
    let mut body = Vec::new();
    for number in 0..20_000 {
        body.extend(format!("line {number} {}\n", "x".repeat(number % 90)).into_bytes());
    }
    body.extend(b"no newline at the end");
    for how in ["all", "lines", "iterate", "readline", "pieces"] {
        let response = apache.post(&format!("/echo?{how}"), body.clone()).expect_status(200);
        assert!(response.body == body, "{how}: {} of {} bytes", response.body.len(), body.len());
    }
    apache.finish();
}

#[test]
fn sizes_around_the_inline_limit_arrive_whole() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("echo").start();
    for size in [0, 1, 4095, 4096, 8191, 65_535, 65_536, 65_537, 131_072, 1_000_003] {
        let body: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
        let response = apache.post("/echo", body.clone()).expect_status(200);
        assert!(response.body == body, "size {size}: got {}", response.body.len());
    }
    apache.finish();
}

#[test]
fn the_details_of_the_methods() {
    let apache = need!(Setup::new()).one_daemon("threads=4").app("app", READS).start();
    let result = apache.post("/app", "one\ntwo\nthree").expect_status(200).json();
    let expected = json!({
        "read0": "", "read2": "on", "readline": "e\n", "readline2": "tw", "readline0": "",
        "readlines": ["o\n", "three"], "end": ["", "", []], "type": "bytes"
    });
    assert_eq!(result, expected);
    apache.finish();
}

const READS: &str = r#"
import json

def application(environ, start_response):
    source = environ["wsgi.input"]
    seen = {"read0": source.read(0), "read2": source.read(2), "readline": source.readline()}
    seen["readline2"] = source.readline(2)
    seen["readline0"] = source.readline(0)
    seen["type"] = type(source.read(0)).__name__
    seen["readlines"] = source.readlines()
    seen["end"] = [source.read(), source.readline(), source.readlines()]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen, default=lambda data: data.decode()).encode()]
"#;

#[test]
fn readlines_with_a_hint_stops_after_it() {
    let source = r#"
import json

def application(environ, start_response):
    source = environ["wsgi.input"]
    first = source.readlines(5)
    rest = list(source)
    start_response("200 OK", [])
    return [json.dumps([[line.decode() for line in part] for part in (first, rest)]).encode()]
"#;
    let apache = serve!(source);
    let parts = apache.post("/app", "aa\nbb\ncc\ndd\n").json();
    let all: Vec<&str> = parts
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|part| part.as_array().unwrap())
        .filter_map(|line| line.as_str())
        .collect();
    assert_eq!(all, ["aa\n", "bb\n", "cc\n", "dd\n"]);
    assert!((2..=4).contains(&parts[0].as_array().unwrap().len()), "{parts}");
    apache.finish();
}

#[test]
fn reading_after_the_request_is_an_error() {
    let source = r#"
kept = []

def application(environ, start_response):
    said = ""
    for source in kept:
        try:
            source.read()
            said = "no error"
        except Exception as error:
            said = type(error).__name__
    kept[:] = [environ["wsgi.input"]]
    start_response("200 OK", [])
    return [said.encode()]
"#;
    let apache = serve!(source);
    apache.post("/app", "one");
    assert_eq!(apache.post("/app", "two").text(), "RuntimeError");
    apache.finish();
}

#[test]
fn an_unread_body_does_not_spoil_the_connection() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("hello").start();
    let mut connection = apache.connect();
    for size in [10, 100_000] {
        let request = apache.request("POST", "/hello").body(vec![b'x'; size]);
        connection.send(request.bytes(true)).expect("is sent");
        assert_eq!(connection.read_response("POST").expect("is answered").text(), "Hello World!\n");
    }
    apache.finish();
}

#[test]
fn without_a_body_input_is_empty() {
    let source = r#"
def application(environ, start_response):
    data = environ["wsgi.input"].read() + environ["wsgi.input"].readline() + environ["wsgi.input"].read(5)
    start_response("200 OK", [])
    return [repr((data, environ.get("CONTENT_LENGTH"))).encode()]
"#;
    let apache = serve!(source);
    assert_eq!(apache.get("/app").text(), "(b'', None)");
    assert_eq!(apache.post("/app", "").text(), "(b'', '0')");
    apache.finish();
}
