//! Request bodies over HTTP/2, sent by curl and nghttp as Debian has them.

use kit::http2::{Http2, Said};
use kit::{Apache, Kind, Mpm, Setup, need, pick, promised};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Says what it was told about the body, and what the body was.
const TELLS: &str = r#"
import hashlib, json

def application(environ, start_response):
    body = environ["wsgi.input"].read()
    told = {
        "length": environ.get("CONTENT_LENGTH"),
        "terminated": environ.get("wsgi.input_terminated"),
        "protocol": environ["SERVER_PROTOCOL"],
        "size": len(body),
        "sha": hashlib.sha256(body).hexdigest(),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"#;

/// An Apache that speaks HTTP/2 without TLS and serves `source` at `/app` and, with ours, unbuffered at `/streamed`.
fn setup(source: &str) -> Result<Setup, String> {
    for program in ["/usr/bin/curl", "/usr/bin/nghttp"] {
        if !std::path::Path::new(program).exists() {
            return Err(format!("{program} is missing (apt-get install curl nghttp2-client)"));
        }
    }
    // mod_http2 does not work with mpm_prefork.
    let setup = Setup::new()?.mpm(Mpm::Event).modules(&["http2"]).config("Protocols h2c http/1.1");
    let setup = setup.one_daemon("threads=2").app("app", source).fixture("hello");
    Ok(match kit::server::kind() {
        Kind::Ours => setup.config(
            "WSGIScriptAlias /streamed @SITE@/app.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>",
        ),
        Kind::ModWsgi => setup,
    })
}

fn ways() -> &'static [&'static str] {
    pick(&["/app", "/streamed"], &["/app"])
}

/// curl over HTTP/2 that sends what is written to it, without a length.
fn curl(apache: &Apache, path: &str, more: &[&str]) -> Child {
    let url = format!("http://{}{path}", apache.address());
    Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--max-time",
            "20",
            "--http2-prior-knowledge",
            "-T",
            "-",
        ])
        .args(more)
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl is installed")
}

/// What curl prints for this body.
fn put(apache: &Apache, path: &str, body: &[u8], more: &[&str]) -> String {
    let mut client = curl(apache, path, more);
    // A refused body is not read to its end.
    let _ = client.stdin.take().expect("is a pipe").write_all(body);
    String::from_utf8_lossy(&client.wait_with_output().expect("curl ends").stdout).into_owned()
}

#[test]
fn a_body_without_a_length_arrives_whole() {
    let apache = need!(setup(TELLS)).expect_log("WSGI0139").start();
    for path in ways() {
        for size in [0, 1, 70_000, 3_000_000] {
            let body: Vec<u8> = (0..size).map(|at: usize| (at % 251) as u8).collect();
            let told = put(&apache, path, &body, &[]);
            if kit::server::kind() == Kind::ModWsgi {
                // Its check for chunks takes what mod_http2 tells httpd's filters for the client's word.
                assert!(size == 0 || !told.contains("terminated"), "{told}");
                continue;
            }
            let sha = kit::python_as(
                &kit::Account::own(),
                &format!(
                    "import hashlib; print(hashlib.sha256(bytes(n % 251 for n in range({size}))).hexdigest(), end='')"
                ),
            );
            let told: Value =
                serde_json::from_str(&told).unwrap_or_else(|_| panic!("{path}, {size}: {told}"));
            let expected = json!({
                "length": null, "terminated": true, "protocol": "HTTP/2.0", "size": size, "sha": need!(sha)
            });
            assert_eq!(told, expected, "{path}");
        }
    }
    apache.finish();
}

#[test]
fn a_body_with_a_length_arrives_whole() {
    let setup = need!(setup(TELLS)).file("body", &"0123456789".repeat(20_000));
    let file = setup.root().join("body");
    let apache = setup.start();
    for path in ways() {
        let url = format!("http://{}{path}", apache.address());
        let mut command = Command::new("curl");
        command.args(["--silent", "--max-time", "20", "--http2-prior-knowledge", "-H", "Expect:", "-T"]);
        let output = command.arg(&file).arg(url).output().expect("curl is installed");
        let told: Value = serde_json::from_slice(&output.stdout).expect("is JSON");
        assert_eq!((&told["size"], &told["length"]), (&json!(200_000), &json!("200000")), "{path}");
    }
    apache.finish();
}

#[test]
fn a_body_over_the_limit_is_413() {
    let setup = need!(setup(TELLS)).config("LimitRequestBody 100000\nWSGIChunkedRequest On");
    let setup = setup.file("body", &"x".repeat(300_000));
    let (file, config) = (setup.root().join("body"), setup.expect_log("WSGI|wsgi:error|AH01591|http2:warn"));
    let apache = config.start();
    for path in ways() {
        // Without a length mod_wsgi has begun an answer of its own by then.
        for length in pick(&[&["--no-content-length"][..], &[]][..], &[&[]]) {
            let url = format!("http://{}{path}", apache.address());
            let mut command = Command::new("nghttp");
            let output =
                command.args(["-v", "-d"]).arg(&file).args(*length).arg(url).output().expect("nghttp runs");
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            // mod_wsgi leaves the answer to a filter that does not speak up over HTTP/2.
            assert!(told.contains(&format!(":status: {}", pick(413, 200))), "{path}: {told}");
        }
    }
    apache.get("/hello").expect_status(200);
    apache.finish();
}

#[test]
fn sl_3_a_stream_that_stalls_in_its_body_ends() {
    let apache = need!(setup(TELLS)).config("Timeout 1").expect_log("WSGI|wsgi:error|OSError|http2").start();
    for path in ways() {
        let mut stream = Http2::post(apache.address(), path, &[]).expect("is sent");
        stream.send(b"some").expect("is sent");
        let said = stream.said();
        // 408 has no byte of its own in HPACK.
        assert!(matches!(said, Ok(Said::Head(0) | Said::Reset)), "{path}: {said:?}");
    }
    apache.get("/hello").expect_status(200);
    apache.finish();
}

/// What nghttp tells about a request that announces its body with `Expect: 100-continue`.
fn expecting(apache: &Apache, path: &str) -> String {
    let body = apache.root().join("site/hello.wsgi");
    let url = format!("http://{}{path}", apache.address());
    let mut command = Command::new("nghttp");
    command.args(["-v", "--expect-continue", "-d"]).arg(body).arg(url);
    String::from_utf8_lossy(&command.output().expect("nghttp runs").stdout).into_owned()
}

#[test]
fn rs_11_continue_is_sent_over_http2_only_when_the_application_reads() {
    let apache = need!(setup(TELLS)).start();
    for path in ways() {
        let told = expecting(&apache, path);
        assert!(told.contains(":status: 100") && told.contains(":status: 200"), "{path}: {told}");
    }
    let told = expecting(&apache, "/hello");
    assert_eq!(told.contains(":status: 100"), pick(false, true), "{told}");
    assert!(told.contains(":status: 200"), "{told}");
    apache.finish();
}

/// Sends back each piece as it comes.
const ECHO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [])
    return iter(lambda: environ["wsgi.input"].read(5), b"")
"#;

#[test]
fn rs_10_a_stream_of_http2_goes_on_in_both_directions() {
    if kit::server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi sends the whole body before it reads an answer");
    }
    let apache = need!(setup(ECHO)).start();
    let mut stream = Http2::post(apache.address(), "/streamed", &[]).expect("is sent");
    for (number, piece) in ["first", "again", "third"].into_iter().enumerate() {
        stream.send(piece.as_bytes()).expect("is sent");
        if number == 0 {
            assert_eq!(stream.said().expect("an answer begins"), Said::Head(200));
        }
        assert_eq!(stream.said().expect("it comes back"), Said::Data(piece.as_bytes().to_vec()));
    }
    stream.finish_sending().expect("is sent");
    assert_eq!(stream.said().expect("it ends"), Said::End);
    apache.finish();
}

/// Tells when it begins to read, and what came of it.
const READS: &str = r#"
def application(environ, start_response):
    open("@SCRATCH@/begun", "a").write("x")
    try:
        environ["wsgi.input"].read()
        end = "whole"
    except OSError as error:
        end = str(error)
    open("@SCRATCH@/ended", "a").write(end)
    start_response("200 OK", [])
    return [b"done"]
"#;

#[test]
fn sl_4_a_client_that_resets_its_stream_frees_the_thread() {
    if kit::server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi has no unbuffered mode");
    }
    let apache = need!(setup(READS)).expect_log("http2").start();
    let mut client = curl(&apache, "/streamed", &[]);
    client.stdin.as_mut().expect("is a pipe").write_all(b"some").expect("curl reads");
    apache.wait_scratch("begun");
    client.kill().expect("it runs");
    client.wait().expect("it was killed");
    let told = apache.wait_scratch("ended");
    assert_eq!(told, "mod_wsgi request data read error: Connection was terminated");
    // One that only stalls is cut off, too.
    fs::remove_file(apache.scratch("ended")).expect("was written");
    apache.request("GET", "/hello").patience(promised(Duration::from_secs(5))).send().expect_status(200);
    apache.finish();
}
