//! Request bodies that are refused: the status, the log line, and what the connection does afterwards (security.md: HD-5, HD-6, SL-3).

use kit::{Apache, End, Setup, need};

/// A request that must never be taken out of the body of another.
const HIDDEN: &str = "GET /marks HTTP/1.1\r\nHost: x\r\n\r\n";

/// Writes down that it ran.
const MARKS: &str = r#"
def application(environ, start_response):
    open("@SCRATCH@/marked", "a").write("x")
    start_response("200 OK", [])
    return [b"marked"]
"#;

fn setup(config: &str) -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=4").fixture("echo").fixture("hello").app("marks", MARKS);
    // httpd's own lines about bodies it refuses.
    Ok(setup.config(config).expect_log("AH01588|AH01590|AH01591|AH0059[01]|core:error"))
}

/// Sends a request and a hidden one behind it, and returns the statuses of all responses until the server closes the
/// connection, which it must do.
#[track_caller]
fn answers(apache: &Apache, request: &[u8]) -> Vec<u16> {
    let mut connection = apache.connect();
    // The server may close before it has read all.
    let _ = connection.send(request).and_then(|()| connection.send(HIDDEN));
    let mut statuses = Vec::new();
    while let Ok(response) = connection.read_response("POST") {
        statuses.push(response.status);
        assert_ne!(response.end, End::Truncated, "{statuses:?}");
    }
    assert!(!apache.scratch("marked").exists(), "the body was taken for a request: {statuses:?}");
    statuses
}

fn post(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /echo HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}").into_bytes()
}

#[test]
fn hd_5_a_length_that_is_no_number_is_400() {
    let apache = need!(setup("")).start();
    let huge = "9223372036854775808";
    for length in ["abc", "-1", "+5", "0x5", "5 5", "5,5", "5, 5", "\u{0}", huge, "99999999999999999999999"] {
        let request = post(&format!("Content-Length: {length}\r\n"), "");
        assert_eq!(answers(&apache, &request), [400], "Content-Length {length:?}");
    }
    for twice in ["Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nContent-Length: 5\r\n"]
    {
        assert_eq!(answers(&apache, &post(twice, "hello")), [400], "{twice:?}");
    }
    apache.finish();
}

#[test]
fn hd_5_a_body_that_cannot_be_framed_is_refused() {
    let apache =
        need!(setup("WSGIChunkedRequest On")).expect_log("WSGI0126|WSGI0138|WSGI0174|OSError").start();
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    for (coding, status) in
        [("gzip", 400), ("identity", 400), ("gzip, chunked", 501), ("chunked, chunked", 501)]
    {
        let request = post(&format!("Transfer-Encoding: {coding}\r\n"), chunks);
        assert_eq!(answers(&apache, &request), [status], "Transfer-Encoding {coding}");
    }
    if kit::server::kind() == kit::Kind::Ours {
        apache.log().wait(r#"WSGI0138: .*Transfer-Encoding "gzip, chunked""#);
    }
    for broken in [
        "5\r\nhello",
        "x\r\nhello\r\n",
        "5\r\nhelloworld\r\n",
        "-5\r\nhello\r\n",
        "fffffffffffffffff\r\nhello\r\n",
    ] {
        let request = post("Transfer-Encoding: chunked\r\n", broken);
        let statuses = answers(&apache, &request);
        assert!(matches!(statuses[..], [400 | 413 | 500]), "{broken:?}: {statuses:?}");
    }
    apache.finish();
}

#[test]
fn hd_5_two_framings_of_one_body_are_not_read_twice() {
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
    for (config, status) in [("", 411), ("WSGIChunkedRequest On", 200)] {
        let apache = need!(setup(config)).expect_log("WSGI0139|hunked").start();
        assert_eq!(answers(&apache, &post(both, "5\r\nhello\r\n0\r\n\r\n")), [status]);
        apache.finish();
    }
}

#[test]
fn hd_6_refused_bodies_close_the_connection() {
    let setup = need!(setup("LimitRequestBody 1000")).expect_log("WSGI0139|WSGI1301|hunked|larger than");
    let apache = setup.start();
    assert_eq!(answers(&apache, &post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")), [411]);
    let large = "x".repeat(1001);
    assert_eq!(answers(&apache, &post("Content-Length: 1001\r\n", &large)), [413]);
    assert_eq!(answers(&apache, &post("Content-Length: 9223372036854775807\r\n", &large)), [413]);
    apache.get("/hello").expect_status(200);
    // Who waits for 100 Continue is told at once.
    for headers in ["Content-Length: 1001\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut connection = apache.connect();
        connection.send(post(&format!("{headers}Expect: 100-continue\r\n"), "")).expect("is sent");
        let head = connection.read_head().expect("is answered");
        assert!(matches!(head.status, 411 | 413), "{headers}: {}", head.status);
    }
    apache.finish();
}

#[test]
fn hd_6_a_chunked_body_that_grows_too_long_is_413() {
    let config = "LimitRequestBody 100000\nWSGIChunkedRequest On\n<Location /echo2>\nWSGIRequestBuffering Off\n</Location>";
    let ours = kit::server::kind() == kit::Kind::Ours;
    let config = if ours { config } else { "LimitRequestBody 100000\nWSGIChunkedRequest On" };
    let setup = need!(setup(config)).config("WSGIScriptAlias /echo2 @SITE@/echo.wsgi");
    let apache = setup.expect_log("WSGI|wsgi:error").start();
    let chunk = format!("{:x}\r\n{}\r\n", 30_000, "x".repeat(30_000));
    for path in ["/echo", "/echo2"] {
        let request = |count| {
            let chunks = chunk.repeat(count);
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
            )
        };
        assert_eq!(answers(&apache, request(3).as_bytes()), [200], "{path}");
        assert_eq!(answers(&apache, request(4).as_bytes()), [413], "{path}");
    }
    if ours {
        apache.log().wait("WSGI1102: .*refused the request body and has answered 413");
    }
    apache.finish();
}

/// A client that stops in the middle of its body, for each way of reading it.
fn stalls(config: &str, modules: &[&str]) {
    // Far less than the 60 s that httpd waits when it is told nothing.
    const AFTER: std::time::Duration = std::time::Duration::from_secs(30);
    let ours = kit::server::kind() == kit::Kind::Ours;
    let mut whole = format!("{config}\nWSGIChunkedRequest On");
    if ours {
        whole += "\nWSGIScriptAlias /streamed @SITE@/echo.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>";
    }
    let apache = need!(setup(&whole)).modules(modules).expect_log("WSGI|wsgi:error").start();
    let paths: &[&str] = if ours { &["/echo", "/streamed"] } else { &["/echo"] };
    let asked = std::time::Instant::now();
    let parts = [
        "Content-Length: 100\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n6",
    ];
    let mut stalled = Vec::new();
    for (path, part) in paths.iter().flat_map(|path| parts.map(|part| (path, part))) {
        let mut connection = apache.connect();
        connection.send(format!("POST {path} HTTP/1.1\r\nHost: x\r\n{part}")).expect("is sent");
        stalled.push((connection, format!("{path} {part:?}")));
    }
    for (mut connection, what) in stalled {
        assert_eq!(connection.read_response("POST").expect("is answered").status, 408, "{what}");
        assert_eq!(connection.read_to_end().expect("the connection ends"), b"", "{what}");
    }
    assert!(asked.elapsed() < AFTER, "{:?}", asked.elapsed());
    if ours {
        apache.log().wait("WSGI1101: .*nothing more of the request body in time");
    }
    apache.get("/hello").expect_status(200);
    apache.finish();
}

#[test]
fn sl_3_a_client_that_stops_in_its_body_gets_408() {
    stalls("Timeout 1", &[]);
}

#[test]
fn sl_3_mod_reqtimeout_gives_408() {
    stalls("RequestReadTimeout body=1", &["reqtimeout"]);
}
