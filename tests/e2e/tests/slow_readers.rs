//! SL-2: a client that reads its response slowly, or not at all, holds no thread of a worker.

use crate::ours;
use crate::truncated::{TLS, with_certificate};
use kit::{Connection, LIMIT, Mpm, Setup, need, promised, stays_true, wait_until};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Makes a response of so many bytes as the query string says, in blocks of 64 KiB, and notes each end of one.
const GENERATES: &str = r#"
import os

def application(environ, start_response):
    length = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    block = bytes(range(256)) * 256
    try:
        for at in range(0, length, len(block)):
            yield block[:length - at]
    finally:
        with open("@SCRATCH@/done", "ab") as file:
            file.write(b".")
"#;

const LENGTH: usize = 10_000_000;

fn setup(readers: usize, options: &str) -> Result<Setup, String> {
    let setup = ours()?.one_daemon(&format!("threads=2 {options}")).app("app", GENERATES).fixture("hello");
    // Each reader may keep a thread of Apache busy: that is not what this is about.
    Ok(setup
        .config(&format!("ServerLimit {0}\nMaxRequestWorkers {0}", readers.div_ceil(25) * 25 + 25))
        .expect_log("AH(00484|00161): server reached MaxRequestWorkers"))
}

/// Starts requests whose responses nobody reads beyond the head.
fn start_readers(apache: &kit::Apache, count: usize) -> Vec<Connection> {
    let target = format!("/app?{LENGTH}");
    let start = |_| {
        let mut connection = apache.request("GET", &target).start().expect("Apache listens");
        assert_eq!(connection.read_head().expect("is answered").status, 200);
        connection
    };
    (0..count).map(start).collect()
}

fn done(apache: &kit::Apache) -> usize {
    std::fs::read(apache.scratch("done")).map_or(0, |marks| marks.len())
}

/// Far more readers than threads of the worker, which stays free; then each gets every byte.
fn readers_hold_nothing(mpm: Mpm, count: usize) -> Result<(), String> {
    let apache = setup(count, "")?.mpm(mpm).start();
    let mut readers = start_readers(&apache, count);
    wait_until(LIMIT, "the application has made all responses", || done(&apache) == count);
    let begin = Instant::now();
    for _ in 0..4 {
        apache.get("/hello").expect_status(200);
    }
    assert!(
        begin.elapsed() < promised(Duration::from_secs(1)),
        "a thread came free after {:?}",
        begin.elapsed()
    );
    for reader in &mut readers {
        let mut length = 0;
        let mut wrong = 0;
        while let Some(chunk) = reader.read_chunk().expect("the response goes on") {
            wrong += chunk.iter().zip(length..).filter(|(byte, at)| usize::from(**byte) != at % 256).count();
            length += chunk.len();
        }
        assert_eq!((length, wrong), (LENGTH, 0));
    }
    apache.finish();
    Ok(())
}

#[test]
fn sl_2_slow_readers_hold_no_thread_of_a_worker_event() {
    need!(readers_hold_nothing(Mpm::Event, 12));
}

#[test]
fn sl_2_slow_readers_hold_no_thread_of_a_worker_prefork() {
    need!(readers_hold_nothing(Mpm::Prefork, 6));
}

#[test]
fn sl_2_slow_readers_hold_no_thread_of_a_worker_worker() {
    need!(readers_hold_nothing(Mpm::Worker, 6));
}

#[test]
#[ignore = "long: 100 readers of 10 MB"]
fn sl_2_a_hundred_readers_at_a_kilobyte_a_second() {
    let apache = need!(setup(100, "")).start();
    let mut readers = start_readers(&apache, 100);
    wait_until(Duration::from_secs(60), "the application has made all responses", || done(&apache) == 100);
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end {
        readers.iter_mut().for_each(|reader| drop(reader.read_exactly(1024).expect("the response goes on")));
        let begin = Instant::now();
        apache.get("/hello").expect_status(200);
        assert!(
            begin.elapsed() < promised(Duration::from_secs(1)),
            "a thread came free after {:?}",
            begin.elapsed()
        );
        std::thread::sleep(Duration::from_secs(1).saturating_sub(begin.elapsed()));
    }
    drop(readers);
    apache.finish();
}

#[test]
fn sl_2_what_is_held_is_bounded_by_the_option() {
    let apache = need!(setup(1, "response-buffer-size=1000000")).start();
    let mut readers = start_readers(&apache, 1);
    // The sockets hold a part, the file a million bytes, and then the application waits.
    let held = || -> u64 { apache.children().iter().map(spooled).sum() };
    wait_until(LIMIT, "the file is full", || held() >= 900_000);
    // A part of it the client has taken: its place in the file is used again when nothing waits.
    stays_true(
        Duration::from_millis(500),
        "the application is made to wait, and the file does not grow",
        || done(&apache) == 0 && held() < 2_100_000,
    );
    let mut length = 0;
    while let Some(chunk) = readers[0].read_chunk().expect("the response goes on") {
        length += chunk.len();
    }
    assert_eq!((length, done(&apache)), (LENGTH, 1));
    apache.finish();
}

/// Bytes in files without a name that a process has open, which only its user may open.
fn spooled(process: &kit::Process) -> u64 {
    use std::os::unix::fs::PermissionsExt;
    let open = process.fds().into_iter().filter(|(_, target)| target.ends_with(" (deleted)"));
    let facts = open.filter_map(|(fd, _)| {
        std::fs::metadata(format!("/proc/{}/fd/{fd}", process.pid)).ok().filter(std::fs::Metadata::is_file)
    });
    facts
        .filter(|facts| facts.len() > 0)
        .map(|facts| {
            assert_eq!(facts.permissions().mode() & 0o777, 0o600);
            facts.len()
        })
        .sum()
}

#[test]
fn sl_4_a_client_that_goes_away_ends_the_response_that_is_held() {
    let apache = need!(setup(1, "response-buffer-size=65536")).start();
    let reader = start_readers(&apache, 1).remove(0);
    stays_true(Duration::from_millis(200), "it is made to wait", || done(&apache) == 0);
    reader.reset();
    wait_until(LIMIT, "the iterable is closed", || done(&apache) == 1);
    apache.get("/hello").expect_status(200);
    apache.finish();
}

/// A curl that takes what it receives only when its output is read.
fn curl(arguments: &[&str], url: &str) -> Child {
    let mut command = Command::new("curl");
    command.args(["--silent", "--no-buffer", "--insecure", "--max-time", "60"]).args(arguments).arg(url);
    command.stdout(Stdio::piped()).spawn().expect("curl is installed")
}

/// Clients whose output nobody reads, more than the worker has threads; then each gets every byte.
fn clients_hold_nothing(setup: Setup, scheme: &str, arguments: &[&str]) {
    const COUNT: usize = 4;
    let apache = setup.start();
    let base = format!("{scheme}://{}", apache.address());
    let url = format!("{base}/app?{LENGTH}");
    let mut clients: Vec<Child> = (0..COUNT).map(|_| curl(arguments, &url)).collect();
    wait_until(LIMIT, "the application has made all responses", || done(&apache) == COUNT);
    let mut greeting = String::new();
    let mut client = curl(arguments, &format!("{base}/hello"));
    client.stdout.take().expect("is a pipe").read_to_string(&mut greeting).expect("is text");
    assert_eq!(greeting, "Hello World!\n");
    assert!(client.wait().expect("curl ends").success());
    for client in &mut clients {
        let mut bytes = Vec::new();
        client.stdout.take().expect("is a pipe").read_to_end(&mut bytes).expect("curl ends");
        assert!(client.wait().expect("curl ends").success());
        let wrong = bytes.iter().enumerate().filter(|(at, byte)| usize::from(**byte) != at % 256).count();
        assert_eq!((bytes.len(), wrong), (LENGTH, 0));
    }
    apache.finish();
}

#[test]
fn sl_2_slow_readers_over_tls_hold_no_thread_of_a_worker() {
    let setup = need!(setup(4, "").map(|setup| setup.config(TLS)).and_then(with_certificate));
    clients_hold_nothing(setup.expect_log("ssl:warn.*AH01(873|882|906|909): "), "https", &["--http1.1"]);
}

#[test]
fn sl_2_slow_readers_over_http2_hold_no_thread_of_a_worker() {
    // mod_http2 does not work with mpm_prefork.
    let setup = need!(setup(4, "")).mpm(Mpm::Event).modules(&["http2"]).config("Protocols h2c http/1.1");
    clients_hold_nothing(setup, "http", &["--http2-prior-knowledge"]);
}
