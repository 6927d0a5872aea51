//! What comes back from a worker that misbehaves: RS-5 and RS-7.

use crate::ours;
use kit::{End, Mpm, need};

#[test]
fn rs_5_a_content_type_never_chooses_a_handler() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", environ["QUERY_STRING"])])
    return [b"mine"]
"#;
    let setup = need!(ours()).modules(&["status", "info"]).one_daemon("threads=2").app("app", source);
    let apache = setup.start();
    for kind in
        ["server-status", "server-info", "wsgi-script", "application/x-httpd-wsgi", "cgi-script", "text/html"]
    {
        let response = apache.get(&format!("/app?{kind}")).expect_status(200);
        assert_eq!(response.text(), "mine", "{kind}");
    }
    apache.finish();
}

#[test]
fn rs_5_a_location_is_never_fetched() {
    let source = r#"
def application(environ, start_response):
    start_response(environ["QUERY_STRING"].replace("+", " "), [("Location", "/static.txt")])
    return [b"mine"]
"#;
    let apache =
        need!(ours()).one_daemon("threads=2").app("app", source).file("www/static.txt", "fetched").start();
    for status in ["200+OK", "302+Found", "201+Created"] {
        let response = apache.get(&format!("/app?{status}"));
        assert_eq!(response.text(), "mine", "{status}");
        assert!(response.header("Location").is_some_and(|place| place.ends_with("/static.txt")), "{status}");
    }
    apache.finish();
}

#[test]
fn rs_7_a_worker_killed_in_a_stream_leaves_a_broken_response() {
    let source = r#"
import os, time

def application(environ, start_response):
    form = environ["QUERY_STRING"]
    start_response("200 OK", [("Content-Length", "1000")] if form == "length" else [])
    yield b"begin"
    while not os.path.exists("@ROOT@/scratch/" + form):
        time.sleep(0.005)
    os.kill(os.getpid(), 9)
    yield b"never"
"#;
    let apache = need!(ours()).one_daemon("threads=2").app("app", source).fixture("hello").start();
    apache.expect_log(r"WSGI1002: .*SIGKILL|WSGI0119: .* the worker closed the connection");
    for form in ["chunked", "length"] {
        let request = apache.request("GET", &format!("/app?{form}"));
        let mut connection = request.start().expect("Apache listens");
        // The worker dies after the client has the head: before it, the client gets a 500 instead.
        let head = connection.read_head().expect("a worker answers");
        assert_eq!(head.status, 200, "{form}");
        apache.let_go(form);
        let response = connection.read_body("GET", head).expect("the connection ends");
        assert_eq!((response.text().as_str(), response.end), ("begin", End::Truncated), "{form}");
    }
    // %X of the access log marks a connection that was broken off.
    kit::wait_until(kit::LIMIT, "the access log marks it", || {
        apache.access_log().lines().any(|line| line.contains("GET /app?chunked ") && line.ends_with('X'))
    });
    apache.finish();
}

#[test]
fn rs_7_an_exception_in_a_stream_leaves_a_broken_response_on_http2() {
    if !std::path::Path::new("/usr/bin/nghttp").exists() {
        kit::skip!("nghttp is not installed (apt-get install nghttp2-client)");
    }
    let source =
        "def application(e, s):\n    s('200 OK', [])\n    yield b'begin'\n    raise KeyError('midway')\n";
    // mod_http2 does not work with mpm_prefork.
    let setup = need!(ours()).mpm(Mpm::Event).modules(&["http2"]).one_daemon("threads=2").app("app", source);
    let apache = setup.config("Protocols h2c http/1.1").start();
    apache.expect_log("WSGI0174: |WSGI1117: .* the application failed while it answered");
    apache.expect_log(r"Traceback|  File |    raise KeyError|KeyError: 'midway'$");
    let url = format!("http://{}/app", apache.address());
    let output = std::process::Command::new("nghttp").args(["-v", &url]).output().expect("nghttp runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("recv RST_STREAM"), "{said}");
    apache.finish();
}
