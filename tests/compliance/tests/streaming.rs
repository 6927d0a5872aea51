//! Iterables: what is sent when, close(), and clients that go away.

use kit::{End, Setup, need};

#[test]
fn the_first_chunk_arrives_before_the_second_is_made() {
    let source = r#"
import os, time

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"first"
    end = time.monotonic() + 20
    while not os.path.exists("@SCRATCH@/go") and time.monotonic() < end:
        time.sleep(0.005)
    yield b"second"
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("is sent");
    let head = connection.read_head().expect("the head comes before the end");
    assert_eq!(head.status, 200);
    assert_eq!(connection.read_chunk().expect("the first chunk comes").as_deref(), Some(&b"first"[..]));
    apache.let_go("go");
    assert_eq!(connection.read_chunk().expect("the second chunk comes").as_deref(), Some(&b"second"[..]));
    assert_eq!(connection.read_chunk().expect("the end comes"), None);
    apache.finish();
}

#[test]
fn write_is_sent_at_once() {
    let source = r#"
import os, time

def application(environ, start_response):
    write = start_response("200 OK", [])
    write(b"first")
    end = time.monotonic() + 20
    while not os.path.exists("@SCRATCH@/go") and time.monotonic() < end:
        time.sleep(0.005)
    return [b"second"]
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("is sent");
    connection.read_head().expect("the head comes");
    assert_eq!(connection.read_chunk().expect("comes at once").as_deref(), Some(&b"first"[..]));
    apache.let_go("go");
    assert_eq!(connection.read_chunk().expect("comes later").as_deref(), Some(&b"second"[..]));
    apache.finish();
}

#[test]
fn a_long_stream_arrives_whole() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    for number in range(2000):
        yield b"%06d" % number * 500
"#;
    let apache = serve!(source);
    let response = apache.get("/app").expect_status(200);
    assert_eq!((response.body.len(), response.end), (2000 * 6 * 500, End::Chunked));
    let expected: Vec<u8> =
        (0..2000).flat_map(|number| format!("{number:06}").repeat(500).into_bytes()).collect();
    assert!(response.body == expected);
    apache.finish();
}

#[test]
fn close_is_called_once_after_the_last_block() {
    let source = r#"
class Reply:
    def __iter__(self):
        yield b"body"
    def close(self):
        with open("@SCRATCH@/closed", "a") as file:
            file.write("closed;")

def application(environ, start_response):
    start_response("200 OK", [])
    return Reply()
"#;
    let apache = serve!(source);
    assert_eq!(apache.get("/app").text(), "body");
    assert_eq!(apache.wait_scratch("closed"), "closed;");
    apache.get("/app");
    kit::wait_until(kit::LIMIT, "close is called again", || {
        apache.wait_scratch("closed") == "closed;closed;"
    });
    apache.finish();
}

#[test]
fn close_is_called_when_the_client_goes_away() {
    let source = r#"
class Reply:
    def __iter__(self):
        while True:
            yield b"x" * 65536
    def close(self):
        open("@SCRATCH@/closed", "w").write("closed")

def application(environ, start_response):
    start_response("200 OK", [])
    return Reply()
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("is sent");
    connection.read_head().expect("the head comes");
    connection.read_chunk().expect("data comes");
    connection.reset();
    assert_eq!(apache.wait_scratch("closed"), "closed");
    apache.finish();
}

#[test]
fn a_generator_is_closed_when_the_client_goes_away() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    def reply():
        try:
            while True:
                yield b"x" * 65536
        finally:
            open("@SCRATCH@/closed", "w").write("closed")
    return reply()
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("is sent");
    connection.read_head().expect("the head comes");
    connection.reset();
    apache.wait_scratch("closed");
    apache.finish();
}

#[test]
fn write_raises_when_the_client_is_gone() {
    let source = r#"
def application(environ, start_response):
    write = start_response("200 OK", [])
    try:
        while True:
            write(b"x" * 65536)
    except Exception as error:
        open("@SCRATCH@/raised", "w").write(type(error).__name__)
    return []
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("is sent");
    connection.read_head().expect("the head comes");
    connection.reset();
    assert_eq!(apache.wait_scratch("raised"), "OSError");
    apache.finish();
}

#[test]
fn a_body_longer_than_content_length_is_cut() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "4")])
    return [b"123", b"456", b"789"]
"#;
    let apache = serve!(source);
    apache.expect_log("wsgi:warn");
    let mut connection = apache.connect();
    for _ in 0..2 {
        // On one connection: extra bytes would spoil the second response.
        connection.send(apache.request("GET", "/app").bytes(true)).expect("is sent");
        let response = connection.read_response("GET").expect("is answered");
        assert_eq!((response.text().as_str(), response.end), ("1234", End::Length));
    }
    apache.finish();
}

#[test]
fn a_body_shorter_than_content_length_looks_broken() {
    let source = r#"
def application(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "10")])
    if environ["QUERY_STRING"]:
        write(b"12")
        return [b"34"]
    return [b"1234"]
"#;
    let apache = serve!(source);
    apache.expect_log("wsgi:(warn|error)");
    let response = apache.get("/app?written").expect_status(200);
    assert!(b"1234".starts_with(&response.body) && response.end == End::Truncated, "{response:?}");
    // What is known to be too short before the head is sent may as well be an error.
    let response = apache.get("/app");
    assert!(response.status == 500 || response.end == End::Truncated, "{response:?}");
    apache.finish();
}

#[test]
fn empty_blocks_are_passed_over() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"", b"a", b"", b"b", b""]
"#;
    let apache = serve!(source);
    let response = apache.get("/app").expect_status(200);
    assert_eq!(response.text(), "ab");
    assert!(matches!(response.end, End::Chunked | End::Length), "{:?}", response.end);
    apache.finish();
}

#[test]
fn many_at_once_do_not_mix() {
    let source = r#"
def application(environ, start_response):
    token = environ["QUERY_STRING"].encode()
    start_response("200 OK", [("X-Token", token.decode())])
    for _ in range(20):
        yield token + b";"
"#;
    let apache = need!(Setup::new()).one_daemon("processes=2 threads=5").app("app", source).start();
    std::thread::scope(|scope| {
        for client in 0..16 {
            let apache = &apache;
            let address = apache.address();
            scope.spawn(move || {
                for round in 0..30 {
                    let token = format!("{client}-{round}");
                    let response = kit::Request::new(address, "GET", &format!("/app?{token}")).send();
                    assert_eq!(response.header("X-Token"), Some(token.as_str()));
                    assert_eq!(response.text(), format!("{token};").repeat(20));
                }
            });
        }
    });
    apache.finish();
}
