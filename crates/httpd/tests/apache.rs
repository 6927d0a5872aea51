//! The wrapper inside a real httpd: the probe (`examples/probe`) is loaded and made to do everything. Skipped, and
//! counted, where httpd is missing.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod support;

use kit::need;
use support::{Server, Setup, wait_for};

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}")).1
}

#[test]
fn mistakes_are_found_when_the_configuration_is_checked() {
    let cases = [
        ("ProbeName", "takes one argument"),
        ("ProbeName one\nProbeName one", "Syntax error on line"),
        ("ProbeName one\nProbeName one", "ProbeName one was given before"),
        ("<VirtualHost *>\nProbeName x\n</VirtualHost>", "cannot occur within <VirtualHost> section"),
        ("<Location />\nProbeGreeting x\n</Location>", "not allowed in <Location> context"),
        ("ProbeOptions a=1 b", "ProbeOptions takes name=value, not 'b'"),
        ("ProbeLoud maybe", "must be On or Off"),
        ("ProbeGreeting forbidden", "ProbeGreeting forbidden: say something else"),
        ("<VirtualHost *>\nProbeGreeting forbidden\n</VirtualHost>", "say something else"),
        ("ProbePanic directive", "internal error in reading a directive at crates/httpd/examples/probe/"),
    ];
    for (line, sentence) in cases {
        let (said, content) = need!(Setup::new(line)).check();
        assert!(said.contains(sentence), "{line}: {said}");
        assert!(!content, "{line}: {said}");
    }
    let fine = "ProbeName a\nProbeName 'a b'\nProbeGreeting hi\nProbeOptions x=1\nProbeLoud on";
    let (said, content) = need!(Setup::new(fine)).check();
    assert!(content && said.contains("Syntax OK"), "{said}");
}

#[test]
fn values_are_kept_per_server_and_directory() {
    let server = need!(Setup::new(
        "ProbeGreeting main\nProbeOptions a=1  b=xy \n\
         <VirtualHost *>\nServerName one\n</VirtualHost>\n\
         <VirtualHost *>\nServerName two\nProbeGreeting two\nProbeLoud On\nProbeOptions b=2\n\
         <Location /probe>\nProbeOptions c=3\nProbeLoud Off\n</Location>\n</VirtualHost>"
    ))
    .start();
    assert_eq!(body(&server.get("one", "/probe/config")), "greeting=main\nloud=None\na=1\nb=xy\n");
    assert_eq!(body(&server.get("two", "/probe/config")), "greeting=two\nloud=Some(false)\na=1\nb=2\nc=3\n");
}

#[test]
fn responses_reach_the_client_as_they_were_made() {
    let server = need!(Setup::new("")).start();
    let stream = server.get("localhost", "/probe/stream");
    assert!(stream.contains("Transfer-Encoding: chunked"), "{stream}");
    assert!(stream.contains("8\r\npiece 4"), "{stream}");
    assert!(stream.ends_with("8\r\nthe end\n\r\n0\r\n\r\n"), "{stream}");
    let teapot = server.get("localhost", "/probe/teapot");
    assert!(teapot.starts_with("HTTP/1.1 418 Short and stout\r\n"), "{teapot}");
    assert!(teapot.contains("X-Twice: 1\r\nX-Twice: 2\r\n"), "{teapot}");
    let file = server.get("localhost", "/probe/file");
    assert!(file.contains("Content-Length: 1000\r\n"), "{file}");
    assert!(body(&file).starts_with("ELF"), "{file}");
    let facts = server.get("localhost", "/probe/facts?a=b%20c");
    for fact in ["method=GET\n", "args=a=b%20c", "scheme=http", "client=127.0.0.1", "mpm=event threaded=true"]
    {
        assert!(facts.contains(fact), "{fact} in {facts}");
    }
    for fact in ["local=127.0.0.1:", "aborted=false https=false socket=true\n", "header Host=localhost"] {
        assert!(facts.contains(fact), "{fact} in {facts}");
    }
    assert!(facts.contains("passauth=Unset pathinfo=Default execcgi=false"), "{facts}");
    assert!(server.get("localhost", "/probe/unknown").starts_with("HTTP/1.1 404 "));
}

#[test]
fn every_mpm_is_served() {
    for (mpm, threaded) in [("worker", true), ("prefork", false)] {
        let server = need!(Setup::with_mpm(mpm, "")).start();
        let facts = server.get("localhost", "/probe/facts");
        assert!(facts.contains(&format!("mpm={mpm} threaded={threaded}\n")), "{facts}");
        assert!(server.get("localhost", "/probe/panic").starts_with("HTTP/1.1 500 "));
        assert!(server.get("localhost", "/probe/stream").ends_with("\r\n0\r\n\r\n"));
    }
}

#[test]
fn facts_of_the_server_are_told() {
    let server = need!(Setup::new("LimitRequestBody 77")).start();
    let facts = server.get("localhost", "/probe/more");
    let home = server.folder().display().to_string();
    let expected = [
        "user=65534:65534\n".to_owned(),
        " probe/1\n".to_owned(),
        format!("root={home}/x\nruntime={home}/y\nlog=true\ndocument={home}/docs\ncontext=|{home}/docs\n"),
        "limit=Some(77)\nfile=Missing\n".to_owned(),
        "notes=3 Some(\"1\") 1 Some(\"a\") true\n".to_owned(),
    ];
    for fact in expected {
        assert!(facts.contains(&fact), "{fact} in {facts}");
    }
    let matched = server.get("localhost", "/probe/match");
    assert!(matched.contains("Some(0..12) Some(\"/match\") None\nSome(\"/srv/match.wsgi$2\")"), "{matched}");
    assert!(matched.contains("Err(\"") && matched.contains("at offset 5"), "{matched}");
    wait_for("the child's start to be told", || {
        let lines = server.log_lines("probe sees Started { pid: ");
        lines.into_iter().find(|line| line.contains("generation: 0, slot: 0"))
    });
}

#[test]
fn descriptors_of_sent_files_are_closed() {
    let server = need!(Setup::new("")).start();
    let open = |server: &Server| {
        let count = |pid: &u32| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        server.children().iter().map(count).sum::<usize>()
    };
    server.get("localhost", "/probe/file");
    let before = open(&server);
    for _ in 0..20 {
        server.get("localhost", "/probe/file");
    }
    wait_for("the descriptors to be closed", || (open(&server) <= before + 1).then_some(()));
}

/// Asks for a part of a file on a connection that is kept, then for something else.
fn file_then_tea(server: &Server, query: &str, headers: &str) -> Vec<u8> {
    let two = format!(
        "GET /probe/short-file?{query} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\
         GET /probe/teapot HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    server.exchange_bytes(two.as_bytes())
}

fn contains(answer: &[u8], text: &[u8]) -> bool {
    answer.windows(text.len()).any(|window| window == text)
}

#[test]
fn files_are_sent_whole_whatever_carries_them() {
    let server = need!(Setup::new("")).start();
    let exe = std::fs::read(format!("/proc/{}/exe", server.children()[0])).unwrap();
    for length in [1, 1000, 100_000, 400_000] {
        let answer = file_then_tea(&server, &format!("{length},0"), "");
        assert!(contains(&answer, &exe[exe.len() - length..]), "{length}");
        assert!(answer.ends_with(b"tea"), "{length}");
    }
    let part = file_then_tea(&server, "400000,0", "Range: bytes=399000-399999\r\n");
    assert!(part.starts_with(b"HTTP/1.1 206 ") && contains(&part, &exe[exe.len() - 1000..]));
}

#[test]
fn rs_6_a_file_that_became_shorter_breaks_the_connection() {
    let server = need!(Setup::new("")).start();
    for (query, logged) in
        [("1000,1", 1), ("100000,50000", 2), ("400000,1", 3), ("400000,9000", 3), ("400000,200000", 3)]
    {
        let answer = file_then_tea(&server, query, "");
        assert!(!contains(&answer, b"Short and stout"), "{query}: the next response was taken for the rest");
        assert_eq!(server.log_lines("the file is short").len(), logged, "{query}");
    }
}

#[test]
fn rs_6_a_filter_does_not_hide_that_a_file_became_shorter() {
    let server = need!(Setup::new("SetOutputFilter DEFLATE")).start();
    let whole = file_then_tea(&server, "400000,0", "Accept-Encoding: gzip\r\n");
    assert!(contains(&whole, b"Content-Encoding: gzip") && contains(&whole, b"Short and stout"));
    for query in ["1000,1", "400000,1", "400000,200000"] {
        let answer = file_then_tea(&server, query, "Accept-Encoding: gzip\r\n");
        assert!(!contains(&answer, b"Short and stout") && !contains(&answer, b"\r\n0\r\n\r\n"), "{query}");
    }
    assert_eq!(server.log_lines("the file is short").len(), 3);
}

#[test]
fn bodies_are_read_within_limits() {
    let server = need!(Setup::new("LimitRequestBody 100000")).start();
    let post = |headers: &str, body: &str| {
        let head = "POST /probe/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        server.exchange(format!("{head}{headers}\r\n{body}").as_bytes())
    };
    let text = "0123456789".repeat(5000);
    assert_eq!(body(&post("Content-Length: 50000\r\n", &text)), text);
    let chunked = post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    assert_eq!(body(&chunked), "hello!");
    let expecting = post("Content-Length: 2\r\nExpect: 100-continue\r\n", "ab");
    assert!(expecting.starts_with("HTTP/1.1 100 Continue\r\n"), "{expecting}");
    assert!(post("Content-Length: 100001\r\n", "x").starts_with("HTTP/1.1 413 "));
    assert!(post("Content-Length: 2\r\n", "x").starts_with("HTTP/1.1 408 "));
    server.send_and_leave(b"POST /probe/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc");
    wait_for("the client's leave to be noticed", || server.log_lines("the client left").first().cloned());
    let broken = post("Transfer-Encoding: chunked\r\n", "zz\r\n");
    assert!(broken.starts_with("HTTP/1.1 400 "), "{broken}");
}

#[test]
fn a_response_that_breaks_looks_broken() {
    let server = need!(Setup::new("")).start();
    let keep = "GET /probe/broken HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = server.exchange(keep.as_bytes());
    assert!(answer.contains("7\r\nhalf of\r\n"), "{answer}");
    assert!(!answer.contains("0\r\n\r\n"), "{answer}");
}

#[test]
fn a_panic_is_one_line_and_a_500() {
    let server = need!(Setup::new("")).start();
    let children = wait_for("a child", || Some(server.children()).filter(|children| !children.is_empty()));
    let answer = server.get("localhost", "/probe/panic");
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    let lines = server.log_lines("asked to panic in the handler");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("[probe:crit]"), "{lines:?}");
    assert!(lines[0].contains("internal error in handler at crates/httpd/examples/probe/"), "{lines:?}");
    let late = server.exchange(b"GET /probe/panic-late HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(late.contains("7\r\nhalf of\r\n") && !late.contains("0\r\n\r\n"), "{late}");
    assert!(!late.contains("500"), "{late}");
    assert!(server.get("localhost", "/probe/teapot").contains("418"));
    assert_eq!(server.children(), children);
}

#[test]
fn a_panic_at_start_refuses_the_start() {
    let (log, content) = need!(Setup::new("ProbePanic post")).start_in_vain();
    assert!(!content && log.contains("internal error in post_config at "), "{log}");
    assert!(log.contains("[probe:emerg]") && log.contains("asked to panic in post_config"), "{log}");
}

#[test]
fn long_lines_are_logged_whole() {
    let server = need!(Setup::new("")).start();
    assert_eq!(body(&server.get("localhost", "/probe/long-line")), "logged");
    let lines = server.log_lines("0123456789");
    assert!(lines.iter().all(|line| line.contains("[probe:error]") && line.contains("[client 127.0.0.1:")));
    let digits = |line: &String| line.matches(|letter: char| letter.is_ascii_digit()).count();
    let prefix: usize =
        lines.iter().map(|line| digits(&line[..line.find("] ").map_or(0, |at| at)].to_owned())).sum();
    assert!(lines.len() >= 3, "{}", lines.len());
    assert!(lines.iter().map(digits).sum::<usize>() >= 20_000 + prefix);
    assert!(lines.last().unwrap().ends_with(r" end\x07"), "{:?}", lines.last());
}

#[test]
fn what_is_kept_survives_a_graceful_restart() {
    let server = need!(Setup::new("ProbeGreeting kept")).start();
    wait_for("the first configuration", || {
        server.log_lines("probe configuration 1, descriptor kept: true").first().cloned()
    });
    wait_for("the watched process's end", || {
        server.log_lines("probe's process: Died { status: 0 }").first().cloned()
    });
    let children = server.children();
    server.signal("USR1");
    wait_for("the second configuration", || {
        server.log_lines("probe configuration 2, descriptor kept: true").first().cloned()
    });
    wait_for("new children", || {
        server.children().iter().all(|child| !children.contains(child)).then_some(())
    });
    assert_eq!(server.log_lines("probe configuration ends").len(), 1, "{}", server.log());
    assert!(server.get("localhost", "/probe/config").contains("greeting=kept"));
    assert!(server.get("localhost", "/probe/panic").starts_with("HTTP/1.1 500 "));
}
