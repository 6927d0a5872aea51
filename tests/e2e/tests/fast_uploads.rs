//! Bodies that come about as fast as they can be read: the application reads them as they come, on at most half of the threads
//! (security.md: SL-1, SL-4, RS-10).

use crate::loading::replace;
use crate::ours;
use crate::truncated::{TLS, with_certificate};
use kit::{Apache, Connection, LIMIT, Mpm, Setup, holds_within, need, promised, run, wait_until};
use std::process::Command;
use std::time::Duration;

/// Answers with length and check sum of the body, which it reads in blocks; writes down that it has begun, and what went wrong.
const SUM: &str = r#"
import zlib

def application(environ, start_response):
    with open("@SCRATCH@/begun", "a") as file:
        file.write("x")
    size = check = 0
    try:
        while block := environ["wsgi.input"].read(65536):
            size, check = size + len(block), zlib.crc32(block, check)
    except OSError as error:
        with open("@SCRATCH@/failed", "a") as file:
            file.write(str(error))
        raise
    start_response("200 OK", [("X-Release", "1")])
    return [f"{size} {check}".encode()]
"#;

/// Length of an upload, and how much of it comes at once: several times what shows that a client is fast.
const LENGTH: usize = 9 << 20;
const AT_ONCE: usize = 5 << 20;
/// Uploads that are begun at most until enough are taken for fast ones: on a busy machine none may be.
const TRIES: usize = 100;

fn body() -> Vec<u8> {
    (0..LENGTH as u32).map(|n| (n % 251) as u8).collect()
}

/// What [`SUM`] answers: computed by Python too, as the kit has no check sums.
fn expected(apache: &Apache) -> String {
    apache.post("/app", body()).expect_status(200).text()
}

fn begun(apache: &Apache) -> usize {
    std::fs::read(apache.scratch("begun")).map_or(0, |marks| marks.len())
}

/// Begins an upload fast, and stops.
fn begin(apache: &Apache, path: &str, body: &[u8]) -> Connection {
    let mut connection = apache.connect();
    connection
        .send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n"))
        .expect("is sent");
    connection.send(&body[..AT_ONCE]).expect("is sent");
    connection
}

fn finish(mut connection: Connection, body: &[u8], expected: &str) {
    connection.send(&body[AT_ONCE..]).expect("is sent");
    let response = connection.read_response("POST").expect("is answered").expect_status(200);
    assert_eq!(response.text(), expected);
}

/// Begins uploads until the application reads one more of them than before.
fn begin_streamed(apache: &Apache, body: &[u8], expected: &str) -> Connection {
    for _ in 0..TRIES {
        let before = begun(apache);
        let connection = begin(apache, "/app", body);
        if holds_within(Duration::from_millis(500), || begun(apache) > before) {
            return connection;
        }
        finish(connection, body, expected);
    }
    panic!("none of {TRIES} uploads was read as it came");
}

fn setup(threads: usize) -> Result<Setup, String> {
    let gathered = "WSGIScriptAlias /gathered @SITE@/app.wsgi\n<Location /gathered>\nWSGIRequestBuffering On\n</Location>";
    let setup = ours()?.one_daemon(&format!("threads={threads}")).app("app", SUM).fixture("hello");
    Ok(setup.config(gathered).config("WSGIChunkedRequest On"))
}

fn others_are_served(apache: &Apache) {
    for _ in 0..10 {
        let request = apache.request("GET", "/hello").patience(promised(Duration::from_secs(3)));
        request.send().expect_status(200);
    }
}

#[test]
fn sl_1_fast_uploads_that_stop_hold_at_most_half_of_the_threads() {
    for (threads, half) in [(1, 0), (2, 1), (5, 2)] {
        let apache = need!(setup(threads)).start();
        let (body, expected) = (body(), expected(&apache));
        let before = begun(&apache);
        let mut stopped: Vec<_> = (0..half).map(|_| begin_streamed(&apache, &body, &expected)).collect();
        let held = begun(&apache);
        assert!(held >= before + half);
        // As fast, but there is no room for more.
        stopped.extend((0..6).map(|_| begin(&apache, "/app", &body)));
        others_are_served(&apache);
        assert_eq!(begun(&apache), held, "of {threads} threads");
        for connection in stopped {
            finish(connection, &body, &expected);
        }
        assert_eq!(begun(&apache), held + 6);
        apache.finish();
    }
}

#[test]
fn sl_1_a_large_upload_at_the_speed_of_a_network_is_gathered() {
    let apache = need!(setup(4)).start();
    let (body, expected) = (body(), expected(&apache));
    let before = begun(&apache);
    let mut connection = apache.connect();
    connection
        .send(format!("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n"))
        .expect("is sent");
    // Some megabytes a second.
    for piece in body[..AT_ONCE].chunks(128 * 1024) {
        connection.send(piece).expect("is sent");
        assert!(!holds_within(Duration::from_millis(20), || begun(&apache) > before), "it was handed over");
    }
    finish(connection, &body, &expected);
    apache.finish();
}

#[test]
fn sl_1_buffering_on_gathers_whatever_comes() {
    let apache = need!(setup(4)).start();
    let (body, expected) = (body(), expected(&apache));
    let before = begun(&apache);
    let fast: Vec<_> = (0..8).map(|_| begin(&apache, "/gathered", &body)).collect();
    // Nor are chunks handed over, whose sum may be refused.
    let mut chunked = apache.connect();
    chunked.send("POST /app HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").expect("is sent");
    chunked.send([format!("{LENGTH:x}\r\n").as_bytes(), &body[..AT_ONCE]].concat()).expect("is sent");
    // A client that waits for 100 Continue gets it from the web server.
    let mut waits = apache.connect();
    let head = "POST /gathered HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    waits.send(head).expect("is sent");
    assert_eq!(waits.read_head().expect("is answered").status, 100);
    others_are_served(&apache);
    assert_eq!(begun(&apache), before);
    waits.send("body").expect("is sent");
    waits.read_response("POST").expect("is answered").expect_status(200);
    for connection in fast {
        finish(connection, &body, &expected);
    }
    chunked.send([&body[AT_ONCE..], b"\r\n0\r\n\r\n"].concat()).expect("is sent");
    let response = chunked.read_response("POST").expect("is answered").expect_status(200);
    assert_eq!(response.text(), expected);
    apache.finish();
}

#[test]
fn sl_4_a_fast_client_that_goes_away_frees_the_thread() {
    // What the application makes of it is no error: see WSGI1350.
    let apache = need!(setup(2)).start();
    let (body, expected) = (body(), expected(&apache));
    begin_streamed(&apache, &body, &expected).reset();
    assert!(apache.wait_scratch("failed").starts_with("mod_wsgi request data read error"));
    // There is room again.
    let next = begin_streamed(&apache, &body, &expected);
    others_are_served(&apache);
    finish(next, &body, &expected);
    apache.finish();
}

#[test]
fn a_fast_upload_finishes_with_the_script_it_began_with() {
    let apache = need!(setup(4)).start();
    let (body, expected) = (body(), expected(&apache));
    let running = begin_streamed(&apache, &body, &expected);
    replace(&apache, "app.wsgi", &SUM.replace("\"1\"", "\"2\""));
    // This one finds a worker that is out of date, and goes to its successor with all that was read before.
    for _ in 0..3 {
        let mut connection = begin(&apache, "/app", &body);
        connection.send(&body[AT_ONCE..]).expect("is sent");
        let response = connection.read_response("POST").expect("is answered").expect_status(200);
        assert_eq!((response.header("X-Release"), response.text().as_str()), (Some("2"), expected.as_str()));
    }
    let mut running = running;
    running.send(&body[AT_ONCE..]).expect("is sent");
    let response = running.read_response("POST").expect("is answered").expect_status(200);
    assert_eq!((response.header("X-Release"), response.text().as_str()), (Some("1"), expected.as_str()));
    apache.finish();
}

#[test]
fn a_graceful_restart_waits_for_a_fast_upload() {
    let apache = need!(setup(4)).start();
    let (body, expected) = (body(), expected(&apache));
    let running = begin_streamed(&apache, &body, &expected);
    apache.graceful();
    others_are_served(&apache);
    finish(running, &body, &expected);
    apache.finish();
}

/// Answers with what comes, as it comes.
const ECHO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", environ["CONTENT_LENGTH"])])
    return iter(lambda: environ["wsgi.input"].read(100000), b"")
"#;

#[test]
fn rs_10_a_client_that_reads_only_afterwards_gets_its_echo() {
    const SIZE: usize = 48 << 20;
    let streamed = "WSGIScriptAlias /streamed @SITE@/app.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>";
    let options = "threads=4 response-buffer-size=65536";
    let apache = need!(ours()).one_daemon(options).app("app", ECHO).config(streamed).start();
    let body: Vec<u8> = (0..SIZE as u32).map(|n| (n % 251) as u8).collect();
    for path in ["/app", "/streamed"] {
        let response = apache.post(path, body.clone()).expect_status(200);
        assert!(response.body == body, "{path}: {} bytes", response.body.len());
    }
    apache.finish();
}

#[test]
fn fast_uploads_over_tls_and_http2_arrive_whole() {
    let setup = need!(setup(4).map(|setup| setup.config(TLS)).and_then(with_certificate)).mpm(Mpm::Event);
    let setup = setup.modules(&["http2"]).config("Protocols h2 http/1.1");
    let apache = setup.expect_log("ssl:warn.*AH01(873|882|906|909): ").start();
    let place = apache.scratch("upload");
    std::fs::write(&place, body()).expect("the folder is ours");
    let send = |version: &str| {
        let url = format!("https://{}/app", apache.address());
        let upload = format!("@{}", place.display());
        let arguments = ["-sSk", version, "-H", "Expect:", "--data-binary", &upload, &url];
        run(Command::new("curl").args(arguments)).expect("is answered")
    };
    let expected = send("--http1.1");
    assert!(expected.starts_with(&LENGTH.to_string()), "{expected}");
    assert_eq!(send("--http1.1"), expected);
    assert_eq!(send("--http2"), expected);
    apache.finish();
}

#[test]
fn sl_5_a_fast_upload_needs_no_room() {
    let apache = need!(setup(4)).start();
    let (body, expected) = (body(), expected(&apache));
    let files = || {
        let children = apache.children();
        children
            .iter()
            .flat_map(|child| child.fds().into_values())
            .filter(|file| file.ends_with("(deleted)"))
            .count()
    };
    let before = files();
    let running = begin_streamed(&apache, &body, &expected);
    wait_until(LIMIT, "no file is open", || files() == before);
    finish(running, &body, &expected);
    apache.finish();
}
