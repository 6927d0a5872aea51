//! Request bodies on the wire: chunked uploads, Expect: 100-continue, limits, clients that stop in the middle.

use kit::{Setup, need, promised};
use std::time::Duration;

#[test]
fn chunked_is_refused_unless_allowed() {
    let setup = need!(Setup::new()).one_daemon("threads=4").fixture("echo");
    let apache = setup
        .config(
            "WSGIScriptAlias /open @SITE@/echo.wsgi\n<Location /open>\nWSGIChunkedRequest On\n</Location>",
        )
        .expect_log("WSGI0139|hunked")
        .start();
    let send = |path: &str| {
        let mut connection = apache.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        );
        connection.send(head).expect("is sent");
        connection.send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").expect("is sent");
        connection.read_response("POST").expect("is answered")
    };
    send("/echo").expect_status(411);
    assert_eq!(send("/open").expect_status(200).text(), "hello world");
    apache.finish();
}

#[test]
fn a_large_chunked_upload_arrives_whole() {
    let setup = need!(Setup::new()).one_daemon("threads=4").fixture("echo").config("WSGIChunkedRequest On");
    let apache = setup.start();
    let mut connection = apache.connect();
    connection
        .send("POST /echo?pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        .expect("is sent");
    let mut whole = Vec::new();
    for number in 0..100_u32 {
        let piece: Vec<u8> = (0..3001_u32).map(|at| ((at + number) % 256) as u8).collect();
        connection
            .send(format!("{:x}\r\n", piece.len()))
            .and_then(|()| connection.send(&piece))
            .expect("is sent");
        connection.send("\r\n").expect("is sent");
        whole.extend(piece);
    }
    connection.send("0\r\n\r\n").expect("is sent");
    let response = connection.read_response("POST").expect("is answered").expect_status(200);
    assert!(response.body == whole, "{} of {} bytes", response.body.len(), whole.len());
    apache.finish();
}

#[test]
fn continue_is_sent_when_the_application_reads() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("echo").start();
    let mut connection = apache.connect();
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n";
    connection.send(head).expect("is sent");
    assert_eq!(connection.read_head().expect("an interim response comes").status, 100);
    connection.send("hello").expect("is sent");
    assert_eq!(connection.read_response("POST").expect("is answered").expect_status(200).text(), "hello");
    apache.finish();
}

#[test]
fn rs_11_continue_is_not_sent_when_the_application_does_not_read() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("hello").start();
    let mut connection = apache.connect();
    let head = "POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    connection.send(head).expect("is sent");
    let first = connection.read_head().expect("a head comes");
    // mod_wsgi's child sends the whole body to the daemon before the application decides.
    assert_eq!(first.status, kit::pick(200, 100));
    if first.status == 100 {
        connection.send("hello").expect("is sent");
        connection.read_response("POST").expect("is answered").expect_status(200);
    }
    drop(connection);
    apache.finish();
}

#[test]
fn a_body_over_the_limit_is_413_and_not_run() {
    let setup = need!(Setup::new()).one_daemon("threads=4").fixture("echo").config("LimitRequestBody 1000");
    let apache = setup.expect_log("AH01588|LimitRequestBody|larger than").start();
    apache.post("/echo", vec![b'x'; 1000]).expect_status(200);
    apache.post("/echo", vec![b'x'; 1001]).expect_status(413);
    apache.finish();
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_body_harms_nobody() {
    let setup = need!(Setup::new()).one_daemon("threads=2").fixture("echo").fixture("hello");
    let apache = setup.expect_log("WSGI|wsgi:error|read error|request body").start();
    for _ in 0..6 {
        let mut connection = apache.connect();
        connection
            .send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf")
            .expect("is sent");
        connection.reset();
    }
    // Two threads only: none of them may be held by the six.
    apache.request("GET", "/hello").patience(promised(Duration::from_secs(5))).send().expect_status(200);
    apache.finish();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let apache = need!(Setup::new()).one_daemon("threads=4").fixture("echo").start();
    let mut connection = apache.connect();
    let bodies = ["first", "second", "third"];
    let all: Vec<u8> =
        bodies.iter().flat_map(|body| apache.request("POST", "/echo").body(*body).bytes(true)).collect();
    connection.send(all).expect("is sent");
    for body in bodies {
        assert_eq!(connection.read_response("POST").expect("is answered").text(), body);
    }
    apache.finish();
}
