//! RS-7 for files: one that becomes shorter while it is sent leaves a response that looks broken, with and without TLS.

use crate::ours;
use kit::{Setup, holds_within, need, promised, run};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Far more than any buffer between the file and a client that does not read.
const WHOLE: u64 = 256 * 1024 * 1024;
/// What is left of it.
const LEFT: u64 = 1024 * 1024;

const SENDS: &str = r#"
import os

def application(environ, start_response):
    file = open("@SCRATCH@/large", "rb")
    start_response("200 OK", [("Content-Length", str(os.fstat(file.fileno()).st_size))])
    return environ["wsgi.file_wrapper"](file)
"#;

fn setup(config: &str) -> Result<Setup, String> {
    let setup = ours()?.one_daemon("threads=2").app("app", SENDS).fixture("hello").config(config);
    let file = File::create(setup.root().join("scratch/large")).expect("the folder is ours");
    file.set_len(WHOLE).expect("a file of nothing takes no space");
    Ok(setup.expect_log("ssl:warn.*AH01(873|882|906|909): |became shorter while it was sent"))
}

/// A server that speaks TLS.
pub const TLS: &str = "SSLEngine On\nSSLCertificateFile @ROOT@/tls.crt\nSSLCertificateKeyFile @ROOT@/tls.key";

fn with_tls() -> Result<Setup, String> {
    with_certificate(setup(TLS)?)
}

/// A setup that has what [`TLS`] names.
pub fn with_certificate(setup: Setup) -> Result<Setup, String> {
    let setup = setup.modules(&["ssl", "socache_shmcb"]);
    let [key, certificate] = ["tls.key", "tls.crt"].map(|name| setup.root().join(name));
    let words =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout";
    run(Command::new("openssl").args(words.split(' ')).arg(key).arg("-out").arg(certificate))?;
    Ok(setup)
}

/// Lets `client` read the beginning of a response, makes the file shorter, and returns all that the client printed.
fn printed(client: &mut Child, file: &std::path::Path) -> Vec<u8> {
    let mut output = client.stdout.take().expect("is a pipe");
    let mut bytes = vec![0; 16 * 1024];
    output.read_exact(&mut bytes).expect("the response begins");
    let file = File::options().write(true).open(file).expect("the file is ours");
    file.set_len(LEFT).expect("the file is ours");
    output.read_to_end(&mut bytes).expect("the client ends");
    bytes
}

/// The response is shorter than it says, and no other one comes after it.
#[track_caller]
fn assert_broken(bytes: &[u8]) {
    let starts = bytes.windows(9).filter(|window| *window == b"HTTP/1.1 ").count();
    assert_eq!(starts, 1, "responses on the connection");
    assert!((bytes.len() as u64) < WHOLE, "{} bytes came", bytes.len());
}

#[test]
fn rs_7_a_file_that_becomes_shorter_breaks_the_connection() {
    let apache = need!(setup("")).start();
    let mut connection = apache.connect();
    let requests = [apache.request("GET", "/app").bytes(true), apache.request("GET", "/hello").bytes(false)];
    connection.send(requests.concat()).expect("is sent");
    let mut bytes = connection.read_exactly(16 * 1024).expect("the response begins");
    let file = File::options().write(true).open(apache.scratch("large")).expect("the file is ours");
    file.set_len(LEFT).expect("the file is ours");
    bytes.extend(connection.read_to_end().expect("the connection ends"));
    assert_broken(&bytes);
    assert_eq!(apache.get("/hello").expect_status(200).text(), "Hello World!\n");
    apache.finish();
}

#[test]
fn rs_7_a_file_that_becomes_shorter_breaks_a_connection_with_tls() {
    let apache = need!(with_tls()).start();
    let address = apache.address().to_string();
    let mut client = Command::new("openssl")
        .args(["s_client", "-quiet", "-connect", &address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let requests = [apache.request("GET", "/app").bytes(true), apache.request("GET", "/hello").bytes(false)];
    let mut input = client.stdin.take().expect("is a pipe");
    input.write_all(&requests.concat()).expect("is taken");
    let bytes = printed(&mut client, &apache.scratch("large"));
    drop(input);
    let ended = holds_within(promised(Duration::from_secs(5)), || matches!(client.try_wait(), Ok(Some(_))));
    let _ = client.kill();
    let _ = client.wait();
    assert!(ended, "the connection stayed open");
    assert_broken(&bytes);
    apache.log().wait(r"\[wsgi:error\].*WSGI\d{4}: .*became shorter while it was sent");
    apache.finish();
}

#[test]
fn rs_7_curl_tells_a_file_that_became_shorter_from_a_whole_one() {
    // 18: a part of the content is missing; 56: the connection ended without TLS's own end.
    for (setup, scheme, tells) in
        [(need!(setup("")), "http", [18, 18]), (need!(with_tls()), "https", [18, 56])]
    {
        let apache = setup.start();
        let url = format!("{scheme}://{}/app", apache.address());
        let mut command = Command::new("curl");
        command.args(["--silent", "--insecure", "--max-time", "20", &url]);
        let mut client = command.stdout(Stdio::piped()).spawn().expect("curl is installed");
        let bytes = printed(&mut client, &apache.scratch("large"));
        let status = client.wait().expect("curl ends");
        assert!(status.code().is_some_and(|code| tells.contains(&code)), "{scheme}: {status}");
        assert!((bytes.len() as u64) < WHOLE);
        apache.finish();
    }
}
