//! Applications wrapped in `wsgiref.validate`, which checks both sides of PEP 3333.

use kit::{Setup, need};

const VALIDATED: &str = r#"
from wsgiref.validate import validator

def plain(environ, start_response):
    kind = environ["PATH_INFO"]
    source = environ["wsgi.input"]
    if kind == "/read":
        body = source.read(int(environ.get("CONTENT_LENGTH") or 0))
    elif kind == "/lines":
        body = b"".join(source.readlines())
    elif kind == "/iterate":
        body = b"".join(source)
    elif kind == "/readline":
        body = b"".join(iter(source.readline, b""))
    else:
        body = b"nothing was read"
    environ["wsgi.errors"].write("validated\n")
    environ["wsgi.errors"].flush()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    if kind == "/written":
        return []
    return [body]

def streamed(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"one ")
    def rest():
        yield b"two "
        yield b"three"
    return rest()

checked_plain = validator(plain)
checked_streamed = validator(streamed)

def application(environ, start_response):
    if environ["PATH_INFO"] == "/streamed":
        return checked_streamed(environ, start_response)
    return checked_plain(environ, start_response)
"#;

#[test]
fn the_validator_finds_nothing() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").app("app", VALIDATED).expect_log("validated$").start();
    for kind in ["read", "lines", "iterate", "readline"] {
        let response = apache.post(&format!("/app/{kind}"), "a\nb\nc").expect_status(200);
        assert_eq!(response.text(), "a\nb\nc", "{kind}");
    }
    assert_eq!(apache.get("/app/none").expect_status(200).text(), "nothing was read");
    assert_eq!(apache.get("/app/streamed").expect_status(200).text(), "one two three");
    apache.request("HEAD", "/app/none").send().expect_status(200);
    apache.finish();
}

#[test]
fn the_validator_finds_nothing_in_a_sub_interpreter() {
    let setup = need!(Setup::new())
        .one_daemon("threads=2")
        .app("app", VALIDATED)
        .config("WSGIApplicationGroup named");
    let apache = setup.expect_log("validated$").start();
    assert_eq!(apache.post("/app/read", "body").expect_status(200).text(), "body");
    assert_eq!(apache.get("/app/streamed").expect_status(200).text(), "one two three");
    apache.finish();
}
