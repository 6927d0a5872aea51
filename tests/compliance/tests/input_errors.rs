//! `wsgi.input` when something goes wrong: clients that go away, in each way a body can take; and what stands after the request
//! (security.md: SL-4).

use kit::http2::Http2;
use kit::{Apache, Kind, Mpm, Setup, need, pick, promised};
use serde_json::json;
use std::time::Duration;

#[test]
fn each_method_refuses_after_the_request() {
    let source = r#"
import json

kept = []

def application(environ, start_response):
    said = []
    for source in kept:
        for use in (source.read, source.readline, source.readlines, source.close, lambda: next(source), lambda: list(source)):
            try:
                said.append(repr(use()))
            except Exception as error:
                said.append(f"{type(error).__name__}: {error}")
    kept[:] = [environ["wsgi.input"]]
    start_response("200 OK", [])
    return [json.dumps(said).encode()]
"#;
    let apache = serve!(source);
    apache.post("/app", "one");
    let method = |name: &str| format!("RuntimeError: {name}() called on wsgi.input after request completed");
    let iteration = "RuntimeError: iteration of wsgi.input attempted after request completed".to_owned();
    let expected = ["read", "readline", "readlines", "close"].map(method);
    let expected: Vec<String> = expected.into_iter().chain([iteration.clone(), iteration]).collect();
    assert_eq!(apache.post("/app", "two").json(), json!(expected));
    apache.finish();
}

#[test]
fn nothing_comes_after_the_end_and_closing_does_nothing() {
    let source = r#"
def application(environ, start_response):
    source = environ["wsgi.input"]
    said = [source.read(2), source.close(), source.read(), source.read(), source.read(5), source.readline(), source.readlines(), list(source)]
    said.append([hasattr(source, name) for name in ("seek", "tell", "seekable")])
    start_response("200 OK", [])
    return [repr(said).encode()]
"#;
    let apache = serve!(source);
    let expected = "[b'on', None, b'e', b'', b'', b'', [], [], [False, False, False]]";
    assert_eq!(apache.post("/app", "one").text(), expected);
    apache.finish();
}

/// Reads in the way the query names, twice, and writes down what became of it and when it was closed.
const READS: &str = r#"
class Closing(list):
    def close(self):
        open("@SCRATCH@/closed", "a").write("x")

def application(environ, start_response):
    open("@SCRATCH@/begun", "a").write("x")
    source, said = environ["wsgi.input"], []
    use = {"read": source.read, "sized": lambda: source.read(1 << 20), "line": source.readline, "lines": source.readlines,
           "iterate": lambda: list(source)}[environ["QUERY_STRING"]]
    for _ in range(2):
        try:
            said.append(str(len(use())))
        except OSError as error:
            said.append(str(error))
    with open("@SCRATCH@/said.new", "w") as file:
        file.write("; ".join(said))
    import os
    os.rename("@SCRATCH@/said.new", "@SCRATCH@/said")
    start_response("200 OK", [])
    return Closing([b"done"])
"#;

fn setup(threads: u32) -> Result<Setup, String> {
    let setup = Setup::new()?
        .mpm(Mpm::Event)
        .modules(&["http2"])
        .config("Protocols h2c http/1.1\nWSGIChunkedRequest On");
    let setup = setup.one_daemon(&format!("threads={threads}")).app("app", READS).fixture("hello");
    Ok(match kit::server::kind() {
        Kind::Ours => setup.config(
            "WSGIScriptAlias /streamed @SITE@/app.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>",
        ),
        Kind::ModWsgi => setup,
    })
}

fn forget(apache: &Apache) {
    for name in ["begun", "said", "closed"] {
        let _ = std::fs::remove_file(apache.scratch(name));
    }
}

#[test]
fn sl_4_a_lost_client_is_an_oserror_for_every_method() {
    let apache = need!(setup(1)).expect_log("WSGI|wsgi:error|OSError").start();
    let path = pick("/streamed", "/app");
    for how in ["read", "sized", "line", "lines", "iterate"] {
        let mut connection = apache.connect();
        connection
            .send(format!(
                "POST {path}?{how} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf a line"
            ))
            .expect("is sent");
        apache.wait_scratch("begun");
        connection.reset();
        let said = apache.wait_scratch("said");
        let first = pick("Connection was terminated", "");
        let text = "mod_wsgi request data read error: ";
        assert!(said.starts_with(&format!("{text}{first}")), "{how}: {said}");
        assert!(said.ends_with(&format!("; {text}input is already in error state")), "{how}: {said}");
        apache.wait_scratch("closed");
        apache.request("GET", "/hello").patience(promised(Duration::from_secs(5))).send().expect_status(200);
        forget(&apache);
    }
    apache.finish();
}

/// Starts an upload in one of the ways, sends a part of it and goes away. Says whether the application can have begun.
fn lose(apache: &Apache, way: &str) -> bool {
    let start = |head: &str, body: &[u8]| {
        let mut connection = apache.connect();
        connection.send([head.as_bytes(), body].concat()).expect("is sent");
        connection
    };
    let post =
        |path: &str, headers: &str| format!("POST {path}?read HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n");
    match way {
        "inline" => start(&post("/app", "Content-Length: 100"), b"some").reset(),
        "spooled" => start(&post("/app", "Content-Length: 1000000"), &[b'x'; 500_000]).reset(),
        "chunked" => start(&post("/app", "Transfer-Encoding: chunked"), b"5\r\nhello\r\n5\r\n").reset(),
        "whole" => start(&post("/app", "Content-Length: 4"), b"some").reset(),
        "half-closed" => {
            let connection = start(&post("/app", "Content-Length: 100"), b"some");
            connection.finish_sending().expect("is open");
        }
        "expecting" => {
            let mut connection = start(&post("/app", "Content-Length: 100\r\nExpect: 100-continue"), b"");
            connection.read_head().expect("the application reads");
            connection.send("some").expect("is sent");
            connection.reset();
        }
        "streamed" => {
            let connection = start(&post("/streamed", "Content-Length: 1000000"), &[b'x'; 300_000]);
            apache.wait_scratch("begun");
            connection.reset();
        }
        "http2" | "http2 streamed" => {
            let path = if way == "http2" { "/app?read" } else { "/streamed?read" };
            let mut stream = Http2::post(apache.address(), path, &[]).expect("is sent");
            stream.send(&[b'x'; 10_000]).expect("is sent");
            if way == "http2 streamed" {
                apache.wait_scratch("begun");
            }
            stream.reset().expect("is sent");
        }
        other => panic!("{other}"),
    }
    matches!(way, "whole" | "expecting" | "streamed" | "http2 streamed")
}

#[test]
fn sl_4_the_thread_is_free_within_a_second_wherever_the_client_goes_away() {
    let apache = need!(setup(2)).expect_log("WSGI|wsgi:error|OSError|http2").start();
    let ways = ["inline", "spooled", "chunked", "whole", "half-closed", "expecting", "http2"];
    let streamed = pick(&["streamed", "http2 streamed"][..], &[]);
    let files = |apache: &Apache| -> usize {
        apache.children().iter().chain(&apache.workers()).map(|process| process.fds().len()).sum()
    };
    let mut before = 0;
    let rounds = if std::env::var_os("WSGI_LARGE_BODIES").is_some() { 300 } else { 3 };
    for round in 0..rounds {
        for way in ways.iter().chain(streamed) {
            forget(&apache);
            let began = lose(&apache, way);
            // With two threads, two requests at a time need the one that the lost client had.
            let one = || apache.request("GET", "/hello").patience(promised(Duration::from_secs(1)));
            let (first, second) = (one().start().expect("connects"), one().start().expect("connects"));
            for mut connection in [first, second] {
                connection
                    .read_response("GET")
                    .unwrap_or_else(|error| panic!("{way}: {error}"))
                    .expect_status(200);
            }
            if began && kit::server::kind() == Kind::Ours {
                let closed = apache.wait_scratch("closed");
                assert_eq!(closed, "x", "{way}: close() was called more than once");
            }
        }
        if round == 0 {
            before = files(&apache);
        }
    }
    kit::wait_until(kit::LIMIT, "no descriptor stays open", || files(&apache) <= before + 2);
    apache.finish();
}
