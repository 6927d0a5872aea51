//! start_response, write() and exc_info of PEP 3333.

use kit::{End, Setup, need};

/// An application whose `POST` body is code that may use `environ` and `start_response` and sets `reply`; what it raises is
/// answered as `TypeName: message` with status 299.
const SCRIPT: &str = r#"
def application(environ, start_response):
    code = environ["wsgi.input"].read().decode()
    names = {"environ": environ, "start_response": start_response}
    try:
        exec(code, names)
    except Exception as error:
        start_response("299 Raised", [])
        return [f"{type(error).__name__}: {error}".encode()]
    return names["reply"]
"#;

#[test]
fn status_and_headers_arrive_as_given() {
    let apache = serve!(SCRIPT);
    let code = r#"
start_response("418 I'm a Teapot", [("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Type", "x/y")])
reply = [b"tea"]
"#;
    let response = apache.post("/app", code).expect_status(418);
    assert_eq!(response.reason, "I'm a Teapot");
    assert_eq!(response.header("X-One"), Some("1"));
    assert_eq!(response.header("Content-Type"), Some("x/y"));
    assert_eq!(response.headers_named("Set-Cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(response.text(), "tea");
    apache.finish();
}

#[test]
fn www_authenticate_survives_with_its_duplicates() {
    let apache = serve!(SCRIPT);
    let code = r#"
start_response("401 No", [("WWW-Authenticate", 'Basic realm="a"'), ("WWW-Authenticate", "Negotiate")])
reply = [b"no"]
"#;
    let response = apache.post("/app", code).expect_status(401);
    assert_eq!(
        response.headers_named("WWW-Authenticate").collect::<Vec<_>>(),
        [r#"Basic realm="a""#, "Negotiate"]
    );
    apache.finish();
}

#[test]
fn rs_1_bad_status_lines_raise_in_the_application() {
    let apache = serve!(SCRIPT);
    for status in ["''", "'OK'", "'20 OK'", "'2000 OK'", "'200OK'", "'2xx OK'", "'200 O\\nK'", "'200 O\\rK'"]
    {
        let response = apache.post("/app", format!("start_response({status}, []); reply = [b'x']"));
        assert_eq!(response.status, 299, "{status}: {}", response.text());
        assert!(response.text().starts_with("ValueError"), "{status}: {}", response.text());
    }
    for status in ["b'200 OK'", "200", "None"] {
        let response = apache.post("/app", format!("start_response({status}, []); reply = [b'x']"));
        assert_eq!(response.status, 299, "{status}: {}", response.text());
        assert!(response.text().starts_with("TypeError"), "{status}: {}", response.text());
    }
    apache.finish();
}

#[test]
fn rs_1_bad_headers_raise_in_the_application() {
    let apache = serve!(SCRIPT);
    let bad = [
        "('X', 'a\\r\\nSet-Cookie: evil=1')",
        "('X', 'a\\nb')",
        "('X', 'a\\rb')",
        "('X\\r\\nY', 'a')",
        "('', 'a')",
        "('X Y', 'a')",
        "('X', 'snow\\u2603')",
        "('X\\u2603', 'a')",
        "(b'X', b'a')",
        "('X', 1)",
        "('X',)",
        "('X', 'a', 'b')",
        "['X', 'a']",
        "'Xa'",
    ];
    for header in bad {
        let response = apache.post("/app", format!("start_response('200 OK', [{header}]); reply = [b'x']"));
        assert_eq!(response.status, 299, "{header} was taken: {:?}", response.head);
    }
    let response = apache.post("/app", "start_response('200 OK', (('X', 'a'),)); reply = [b'x']");
    assert!(response.text().starts_with("TypeError"), "headers that are no list: {}", response.text());
    apache.finish();
}

#[test]
fn content_length_must_be_a_number() {
    let apache = serve!(SCRIPT);
    apache.expect_log("wsgi:error");
    for length in ["x", "-1", "1 2", "0x10"] {
        let code = format!("start_response('200 OK', [('Content-Length', '{length}')]); reply = [b'x']");
        let response = apache.post("/app", code);
        assert!(matches!(response.status, 299 | 500), "{length:?}: {}", response.status);
    }
    apache.finish();
}

#[test]
fn write_sends_before_the_iterable() {
    let apache = serve!(SCRIPT);
    let code = "write = start_response('200 OK', []); write(b'one '); write(b''); write(b'two '); reply = [b'three']";
    let response = apache.post("/app", code).expect_status(200);
    assert_eq!(response.text(), "one two three");
    let refused = apache.post("/app", "write = start_response('200 OK', []); write('text'); reply = []");
    assert!(refused.text().starts_with("TypeError"), "{}", refused.text());
    apache.finish();
}

#[test]
fn exc_info_before_output_replaces_the_response() {
    let apache = serve!(SCRIPT);
    let code = r#"
import sys
start_response("200 OK", [("X-First", "1")])
try:
    1 / 0
except ZeroDivisionError:
    start_response("503 Broken", [("X-Second", "2")], sys.exc_info())
reply = [b"sorry"]
"#;
    let response = apache.post("/app", code).expect_status(503);
    assert_eq!((response.header("X-First"), response.header("X-Second")), (None, Some("2")));
    assert_eq!(response.text(), "sorry");
    apache.finish();
}

#[test]
fn exc_info_after_output_is_raised_again() {
    let source = r#"
import sys

def application(environ, start_response):
    write = start_response("200 OK", [("Content-Length", "100")])
    write(b"begin")
    try:
        raise KeyError("mine")
    except KeyError:
        try:
            start_response("500 Late", [], sys.exc_info())
        except KeyError as error:
            print("raised again:", error, file=environ["wsgi.errors"])
    return []
"#;
    let apache = serve!(source);
    let response = apache.get("/app").expect_status(200);
    assert_eq!(response.end, End::Truncated);
    apache.log().wait("raised again: 'mine'");
    apache.expect_log("wsgi:(error|warn)");
    apache.finish();
}

#[test]
fn a_second_call_without_exc_info_replaces_only_while_nothing_is_sent() {
    let apache = serve!(SCRIPT);
    apache.expect_log("wsgi:error");
    let code = "start_response('200 OK', []); start_response('201 Made', [('X-Last', '1')]); reply = [b'x']";
    let response = apache.post("/app", code).expect_status(201);
    assert_eq!(response.header("X-Last"), Some("1"));
    let late = "write = start_response('200 OK', []); write(b'sent;')
try:
    start_response('201 Made', [])
except Exception as error:
    reply = [type(error).__name__.encode()]";
    assert_eq!(apache.post("/app", late).text(), "sent;RuntimeError");
    apache.finish();
}

#[test]
fn exc_info_must_be_a_tuple() {
    let apache = serve!(SCRIPT);
    for wrong in ["'text'", "1", "[]"] {
        let response = apache.post("/app", format!("start_response('200 OK', [], {wrong}); reply = []"));
        assert_eq!(response.status, 299, "{wrong}: {}", response.text());
    }
    assert_eq!(apache.post("/app", "start_response('200 OK', [], None); reply = [b'y']").status, 200);
    apache.finish();
}

#[test]
fn start_response_may_be_called_while_iterating() {
    let source = r#"
def application(environ, start_response):
    yield b""
    start_response("202 Later", [("X-Late", "yes")])
    yield b"body"
"#;
    let apache = serve!(source);
    let response = apache.get("/app").expect_status(202);
    assert_eq!((response.header("X-Late"), response.text().as_str()), (Some("yes"), "body"));
    apache.finish();
}

#[test]
fn calling_it_after_the_request_is_an_error() {
    let source = r#"
kept = []

def application(environ, start_response):
    said = "first"
    for old in kept:
        try:
            old("200 OK", [])
            said = "no error"
        except Exception as error:
            said = type(error).__name__
    kept[:] = [start_response]
    start_response("200 OK", [])
    return [said.encode()]
"#;
    let apache = serve!(source);
    apache.get("/app");
    assert_eq!(apache.get("/app").text(), "RuntimeError");
    apache.finish();
}

#[test]
fn status_without_a_reason_is_allowed() {
    let apache = need!(Setup::new()).one_daemon("threads=2").app("app", SCRIPT).start();
    apache.post("/app", "start_response('204', []); reply = []").expect_status(204);
    apache.post("/app", "start_response('200', []); reply = [b'x']").expect_status(200);
    apache.finish();
}
