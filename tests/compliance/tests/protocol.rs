//! HTTP itself: methods, HEAD, keep-alive, statuses without a body, large headers.

use kit::{End, Setup, need, pick};

#[test]
fn head_has_headers_and_no_body() {
    let source = r#"
def application(environ, start_response):
    body = environ["REQUEST_METHOD"].encode() * 100
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"#;
    let apache = serve!(source);
    let mut connection = apache.connect();
    for _ in 0..3 {
        connection.send(apache.request("HEAD", "/app").bytes(true)).expect("is sent");
        let response = connection.read_response("HEAD").expect("is answered");
        // The application sees HEAD: nothing between it and the client needs the body.
        assert_eq!((response.status, response.header("Content-Length")), (200, Some("400")));
    }
    connection.send(apache.request("GET", "/app").bytes(true)).expect("is sent");
    assert_eq!(connection.read_response("GET").expect("is answered").text(), "GET".repeat(100));
    apache.finish();
}

#[test]
fn head_is_get_for_the_application_when_a_filter_needs_the_body() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("X-Method", environ["REQUEST_METHOD"]), ("Content-Type", "text/plain")])
    return [b"x" * 1000]
"#;
    let setup =
        need!(Setup::new()).modules(&["filter", "deflate"]).one_daemon("threads=2").app("app", source);
    let apache = setup.config("SetOutputFilter DEFLATE").start();
    let response = apache.request("HEAD", "/app").send();
    assert_eq!(response.header("X-Method"), Some("GET"));
    apache.finish();
}

#[test]
fn any_method_reaches_the_application() {
    let source = "def application(e, s):\n    s('200 OK', [])\n    return [e['REQUEST_METHOD'].encode()]\n";
    let apache = serve!(source);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MKCOL"] {
        let response = apache.request(method, "/app").send();
        assert_eq!((response.status, response.text().as_str()), (200, method));
    }
    apache.finish();
}

#[test]
fn statuses_without_a_body_keep_the_connection_usable() {
    let source = r#"
def application(environ, start_response):
    start_response(environ["QUERY_STRING"].replace("+", " "), [("X-Here", "1")])
    return []
"#;
    let apache = serve!(source);
    let mut connection = apache.connect();
    for status in [204, 304, 204, 200] {
        connection.send(apache.request("GET", &format!("/app?{status}+Word")).bytes(true)).expect("is sent");
        let response = connection.read_response("GET").expect("is answered");
        assert_eq!((response.status, response.header("X-Here")), (status, Some("1")));
        assert!(response.body.is_empty());
    }
    apache.finish();
}

#[test]
fn a_connection_is_kept_for_many_requests() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").fixture("hello").config("MaxKeepAliveRequests 0").start();
    let mut connection = apache.connect();
    for _ in 0..300 {
        connection.send(apache.request("GET", "/hello").bytes(true)).expect("is sent");
        let response = connection.read_response("GET").expect("is answered");
        assert_eq!((response.text().as_str(), response.end), ("Hello World!\n", End::Length));
    }
    apache.finish();
}

#[test]
fn http_1_0_gets_no_chunks() {
    let source = "def application(e, s):\n    s('200 OK', [])\n    yield b'one '\n    yield b'two'\n";
    let apache = serve!(source);
    let mut connection = apache.connect();
    connection.send("GET /app HTTP/1.0\r\n\r\n").expect("is sent");
    let response = connection.read_response("GET").expect("is answered");
    assert_eq!(response.text(), "one two");
    // A server that has all of it before the head is sent may tell the length.
    assert!(matches!(response.end, End::Close | End::Length), "{:?}", response.end);
    apache.finish();
}

#[test]
fn many_and_long_headers_pass_both_ways() {
    let source = r#"
def application(environ, start_response):
    names = sorted(key for key in environ if key.startswith("HTTP_X_H"))
    start_response("200 OK", [("X-R%02d" % n, environ[name][::-1]) for n, name in enumerate(names)])
    return [str(len(names)).encode()]
"#;
    let apache = serve!(source);
    let mut request = apache.request("GET", "/app");
    for number in 10..70 {
        request = request.header(&format!("X-H{number}"), &format!("{number}{}", "v".repeat(600)));
    }
    let response = request.header("X-H70", &"w".repeat(7000)).send().expect_status(200);
    assert_eq!(response.text(), "61");
    assert_eq!(response.header("X-R00"), Some(format!("{}01", "v".repeat(600)).as_str()));
    assert_eq!(response.header("X-R60").map(str::len), Some(7000));
    apache.finish();
}

#[test]
fn rs_5_a_local_location_with_200_is_not_followed() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Location", "/secret.txt")])
    return [b"mine"]
"#;
    let setup = need!(Setup::new())
        .one_daemon("threads=2")
        .app("app", source)
        .file("www/secret.txt", "Apache's file");
    let apache = setup.start();
    let response = apache.get("/app").expect_status(200);
    // mod_wsgi's daemon mode fetches the location itself.
    assert_eq!(response.text(), pick("mine", "Apache's file"));
    assert_eq!(response.header("Location"), pick(Some("/secret.txt"), None));
    apache.finish();
}

#[test]
fn redirects_reach_the_client() {
    let source = r#"
def application(environ, start_response):
    start_response("302 Found", [("Location", "/elsewhere")])
    return [b"over there"]
"#;
    let apache = serve!(source);
    let response = apache.get("/app").expect_status(302);
    assert_eq!(response.header("Location").map(|place| place.ends_with("/elsewhere")), Some(true));
    assert_eq!(response.text(), "over there");
    apache.finish();
}

#[test]
fn odd_paths_are_answered_without_a_failure() {
    let source = r#"
import json
def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([environ["SCRIPT_NAME"], environ["PATH_INFO"]]).encode()]
"#;
    let apache = serve!(source);
    apache.expect_log("AH|wsgi:error");
    for byte in 1..=255_u8 {
        let mut connection = apache.connect();
        connection
            .send(format!("GET /app/%{byte:02X}x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            .expect("is sent");
        let response = connection.read_response("GET").expect("is answered");
        assert!(response.status < 500, "%{byte:02X}: {}", response.status);
        if response.status == 200 {
            let seen = response.json();
            assert_eq!(seen[0], "/app", "%{byte:02X}");
        }
    }
    for path in ["/app/./a", "/app//..//app/x", "/app/%00", "/app/%2e%2e/app", "/app/;a=b", "/app/a%2fb", "*"]
    {
        let mut connection = apache.connect();
        connection
            .send(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            .expect("is sent");
        let response = connection.read_response("GET").expect("is answered");
        assert!(response.status < 500, "{path}: {}", response.status);
    }
    apache.finish();
}

#[test]
fn compressed_by_a_filter_it_is_still_right() {
    let source = "def application(e, s):\n    s('200 OK', [('Content-Type', 'text/plain')])\n    yield b'abc' * 50000\n";
    let setup =
        need!(Setup::new()).modules(&["filter", "deflate"]).one_daemon("threads=2").app("app", source);
    let apache = setup.config("SetOutputFilter DEFLATE").start();
    let plain = apache.get("/app").expect_status(200);
    assert_eq!(plain.body.len(), 150_000);
    let packed = apache.request("GET", "/app").header("Accept-Encoding", "gzip").send().expect_status(200);
    assert_eq!(packed.header("Content-Encoding"), Some("gzip"));
    assert!(packed.body.len() < 2000, "{} bytes", packed.body.len());
    apache.finish();
}

#[test]
fn the_access_log_has_status_and_size() {
    let apache = need!(Setup::new()).one_daemon("threads=2").fixture("hello").start();
    apache.get("/hello").expect_status(200);
    kit::wait_until(kit::LIMIT, "the access log has the line", || {
        apache.access_log().contains("\"GET /hello HTTP/1.1\" 200 13 ")
    });
    apache.finish();
}
