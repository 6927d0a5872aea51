//! Options of process groups about responses and buffers, each by its effect.

use crate::ours;
use kit::{LIMIT, Setup, need, wait_until};
use std::time::{Duration, Instant};

#[test]
fn response_socket_timeout_ends_a_response_that_nobody_reads() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    try:
        while True:
            yield b"x" * 65536
    finally:
        open("@SCRATCH@/closed", "w").write("closed")
"#;
    let options = "threads=1 response-socket-timeout=1 response-buffer-size=65536";
    let apache = need!(ours()).one_daemon(options).app("app", source).fixture("hello").start();
    let begin = Instant::now();
    let mut connection = apache.request("GET", "/app").start().expect("Apache listens");
    connection.read_head().expect("is answered");
    assert_eq!(apache.wait_scratch("closed"), "closed");
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    apache.get("/hello").expect_status(200);
    // What Apache had sent before can be read, and then the connection is gone.
    let _ = connection.read_to_end().expect("the connection ends");
    wait_until(LIMIT, "the access log marks it", || {
        apache.access_log().lines().any(|line| line.contains("GET /app ") && line.ends_with('X'))
    });
    apache.finish();
}

const TWO_BLOCKS: &str = r#"
import time

def application(environ, start_response):
    start_response("200 OK", [])
    yield b"one"
    time.sleep(0.15)
    yield b"two"
"#;

#[test]
fn response_flush_delay_puts_blocks_together() {
    for (option, chunks) in [("", &["one", "two"][..]), ("response-flush-delay=10000", &["onetwo"])] {
        let apache = need!(ours()).one_daemon(&format!("threads=1 {option}")).app("app", TWO_BLOCKS).start();
        let mut connection = apache.request("GET", "/app").start().expect("Apache listens");
        let head = connection.read_head().expect("is answered");
        if chunks.len() == 1 {
            // Apache sees all of it at once, and knows its length.
            assert_eq!(head.header("Content-Length"), Some("6"));
            assert_eq!(connection.read_exactly(6).expect("is sent"), b"onetwo");
        } else {
            for chunk in chunks {
                let read = connection.read_chunk().expect("is sent").expect("is not the last");
                assert_eq!(read, chunk.as_bytes());
            }
        }
        apache.finish();
    }
}

/// Answers 401 with a header of so many bytes.
const LONG_HEADER: &str = r#"
def application(environ, start_response):
    value = "Negotiate " + "t" * (int(environ["QUERY_STRING"]) - 10)
    start_response("401 Unauthorized", [("WWW-Authenticate", value), ("Content-Type", "text/plain")])
    return [b"log in"]
"#;

#[test]
fn rs_9_a_large_legal_header_is_sent() {
    let apache = need!(ours()).one_daemon("threads=1").app("app", LONG_HEADER).start();
    for length in [40_000, 400_000] {
        let response = apache.get(&format!("/app?{length}")).expect_status(401);
        assert_eq!(response.header("WWW-Authenticate").map(str::len), Some(length));
    }
    // More than a head may have is an exception in the application, which names the header.
    apache.get("/app?600000").expect_status(500);
    apache.log().wait(r#"the largest is "WWW-Authenticate" with 600000 bytes"#);
    apache.expect_log("wsgi:error");
    apache.finish();
}

#[test]
fn a_path_longer_than_the_name_of_a_file_reaches_the_application() {
    let apache = need!(ours())
        .one_daemon("threads=1")
        .app(
            "app",
            "
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [str(len(environ['PATH_INFO'])).encode()]
",
        )
        .start();
    for length in [4000, 7000] {
        let response = apache.get(&format!("/app/{}", "x".repeat(length - 1))).expect_status(200);
        assert_eq!(response.text(), length.to_string());
    }
    apache.finish();
}

#[test]
fn rs_9_a_header_above_the_option_is_named() {
    let setup = need!(ours()).one_daemon("threads=1 header-buffer-size=32768").app("app", LONG_HEADER);
    let apache = setup.start();
    apache.get("/app?32000").expect_status(401);
    let response = apache.get("/app?40000").expect_status(500);
    assert_eq!(response.header("WWW-Authenticate"), None);
    let line = apache.log().wait("WSGI0144: ");
    for part in
        [r#"header "WWW-Authenticate" has 40016 bytes"#, "header-buffer-size= allows 32768", "group 'app'"]
    {
        assert!(line.contains(part), "{line}");
    }
    apache.get("/app?32000").expect_status(401);
    apache.finish();
}

/// `SO_SNDBUF` and `SO_RCVBUF` of the connections that a process of `setup`'s worker has with Apache.
const SIZES: &str = r"
import os, socket
result = []
for fd in map(int, os.listdir('/proc/self/fd')):
    try:
        one = socket.socket(fileno=os.dup(fd))
    except OSError:
        continue
    with one:
        listens = one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        # The status pipe and others have no peer with an address.
        if one.family == socket.AF_UNIX and one.type == socket.SOCK_STREAM and not listens and one.getsockname():
            sizes = [one.getsockopt(socket.SOL_SOCKET, name) for name in (socket.SO_SNDBUF, socket.SO_RCVBUF)]
            result.append(sizes)
";

fn sizes(setup: Setup) -> Vec<Vec<u64>> {
    let apache = setup.fixture("eval").start();
    let sizes = serde_json::from_value(apache.eval("/eval", SIZES)).expect("is a list of pairs");
    apache.finish();
    sizes
}

#[test]
fn send_and_receive_buffer_size_set_the_buffers_of_connections() {
    let plain = sizes(need!(ours()).one_daemon("threads=1"));
    let set = sizes(need!(ours()).one_daemon("threads=1 send-buffer-size=65536 receive-buffer-size=32768"));
    // The kernel doubles what is asked for, for its own bookkeeping (socket(7)).
    assert_eq!(set, [[131_072, 65_536]]);
    assert!(plain.len() == 1 && plain != set, "{plain:?}");
}
