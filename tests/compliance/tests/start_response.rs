//! start_response, write() and exc_info of PEP 3333.

use kit::{End, Setup, need, pick};

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

/// The code for `start_response` with these arguments, as Python text; what the client sees when it is refused, and when it is not.
fn refused(apache: &kit::Apache, arguments: &str) -> bool {
    let response = apache.post("/app", format!("start_response({arguments}); reply = [b'taken']"));
    match response.status {
        299 => {
            assert!(response.text().starts_with("ValueError: "), "{arguments}: {}", response.text());
            true
        }
        _ => {
            assert_eq!(response.text(), "taken", "{arguments}");
            false
        }
    }
}

#[test]
fn rs_1_every_control_character_is_refused_everywhere() {
    let apache = serve!(SCRIPT);
    for code in (0..0x20_u8).chain([0x7f]) {
        let odd = format!("'a' + chr({code}) + 'b'");
        // In values mod_wsgi refuses what would end the line, and takes a NUL for the end of the text.
        let in_value = pick(true, matches!(code, b'\r' | b'\n'));
        assert!(refused(&apache, &format!("'200 ' + {odd}, []")) || pick(false, code == 0), "reason, {code}");
        assert!(
            refused(&apache, &format!("'200 OK', [({odd}, 'x')]")) || pick(false, code == 0),
            "name, {code}"
        );
        if in_value {
            assert!(refused(&apache, &format!("'200 OK', [('X', {odd})]")), "value, {code}");
        }
    }
    apache.finish();
}

#[test]
fn rs_1_statuses_and_texts_outside_the_rules_are_refused() {
    let apache = serve!(SCRIPT);
    for status in [
        "'99 Low'",
        "'1000 High'",
        "'2OO OK'",
        "'-20 OK'",
        "' 200 OK'",
        "'200\\tOK'",
        "'\\u00b2\\u00b2\\u00b2 OK'",
    ] {
        assert!(refused(&apache, &format!("{status}, []")), "{status}");
    }
    // mod_wsgi has no range of statuses, no longest reason, and takes more than tokens for names.
    if pick(true, false) {
        for status in [
            "'000 None'",
            "'100 Continue'",
            "'101 Switching'",
            "'103 Hints'",
            "'199 X'",
            "'200 ' + 'x' * 9216",
        ] {
            assert!(refused(&apache, &format!("{status}, []")), "{status}");
        }
        for name in ["'A:'", "'A:B'", "'(A)'", "'A,B'", "'\\u00c4'", "'A/B'", "'A\"B'", "'X' * 257"] {
            assert!(refused(&apache, &format!("'200 OK', [({name}, 'x')]")), "{name}");
        }
    }
    for name in ["''", "'A B'", "' A'"] {
        assert!(refused(&apache, &format!("'200 OK', [({name}, 'x')]")), "{name}");
    }
    for text in ["'\\u20ac'", "'\\ud800'", "'\\u0100'"] {
        let header = |name: &str, value: &str| format!("'200 OK', [({name}, {value})]");
        for arguments in [format!("'200 ' + {text}, []"), header(text, "'x'"), header("'X'", text)] {
            let response = apache.post("/app", format!("start_response({arguments}); reply = [b'taken']"));
            assert_eq!(response.status, 299, "{arguments}");
        }
    }
    apache.finish();
}

#[test]
fn rs_1_nothing_that_was_refused_is_on_the_wire() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("X-Good", "1")])
    for status, headers in [
        ("200 CANARY\r\nX-CANARY: 1", []), ("200 OK", [("X-CANARY", "a\r\nSet-Cookie: CANARY")]),
        ("200 OK", [("X-CANARY", "1"), ("CANARY\r\n", "2")]), ("CANARY", [("X-CANARY", "3")]),
    ]:
        try:
            start_response(status, headers)
        except ValueError:
            continue
        raise SystemExit("it was taken")
    return [b"body"]
"#;
    let apache = serve!(source);
    let mut connection = apache.request("GET", "/app").start().expect("Apache listens");
    let bytes = String::from_utf8_lossy(&connection.read_to_end().expect("is answered")).into_owned();
    assert!(bytes.starts_with("HTTP/1.1 200 OK\r\n") && bytes.contains("X-Good: 1"), "{bytes}");
    assert!(!bytes.contains("CANARY"), "{bytes}");
    apache.finish();
}

#[test]
fn the_messages_are_those_of_mod_wsgi() {
    let apache = serve!(SCRIPT);
    for (arguments, said) in [
        ("'2xx', []", "ValueError: status code must be a 3 digit integer"),
        ("'200OK', []", "ValueError: no space following status code"),
        ("'200 a\\nb', []", "ValueError: control character in status reason phrase"),
    ] {
        let response = apache.post("/app", format!("start_response({arguments}); reply = []"));
        // mod_wsgi appends the value.
        assert!(
            response.status == 299 && response.text().starts_with(said),
            "{arguments}: {}",
            response.text()
        );
    }
    for (statements, said) in [
        ("start_response('200 OK', [], 1)", "RuntimeError: "),
        ("start_response('200 OK', ())", "TypeError: "),
        ("start_response('200 OK', [['A', 'b']])", "TypeError: "),
        ("start_response('200 OK', [('A', 'b', 'c')])", "ValueError: "),
        ("start_response(200, [])", "TypeError: "),
    ] {
        let response = apache.post("/app", format!("{statements}; reply = []"));
        assert!(
            response.status == 299 && response.text().starts_with(said),
            "{statements}: {}",
            response.text()
        );
    }
    let late = "write = start_response('200 OK', []); write(b'sent;')
try:
    start_response('201 Made', [])
except Exception as error:
    reply = [str(error).encode()]";
    let said = "sent;start_response() called more than once without exc_info";
    assert_eq!(apache.post("/app", late).text(), said);
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
