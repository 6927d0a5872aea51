//! Bodies that no application reads, or that are announced and not sent at once (security.md: HD-6, RS-10, RS-11).

use kit::{Apache, Connection, Kind, Setup, need, pick};

/// What the body of each request here is: a request that must not be executed.
const HIDDEN: &str = "GET /marks HTTP/1.1\r\nHost: x\r\n\r\n";

const MARKS: &str = r#"
def application(environ, start_response):
    open("@SCRATCH@/marked", "a").write("x")
    start_response("200 OK", [])
    return [b"marked"]
"#;

/// Refuses without reading, or after it has read a bit, or after it has answered.
const REFUSES: &str = r#"
def application(environ, start_response):
    source = environ["wsgi.input"]
    how = environ["QUERY_STRING"]
    if how == "some":
        source.read(3)
    write = start_response("413 Too Large", [("Content-Type", "text/plain")])
    if how == "late":
        write(b"too ")
        source.read(3)
        return [b"large"]
    return [b"too large"]
"#;

fn setup() -> Result<Setup, String> {
    let setup =
        Setup::new()?.one_daemon("threads=8").app("app", REFUSES).app("marks", MARKS).fixture("hello");
    let setup = setup.config("WSGIChunkedRequest On");
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

/// Another request on the connection is answered as what it is, or the connection is over.
#[track_caller]
fn check_afterwards(apache: &Apache, mut connection: Connection, what: &str) {
    let next = apache.request("GET", "/hello").bytes(false);
    if connection.send(next).is_ok()
        && let Ok(response) = connection.read_response("GET")
    {
        assert_eq!((response.status, response.text().as_str()), (200, "Hello World!\n"), "{what}");
    }
    let rest = connection.read_to_end().unwrap_or_default();
    assert_eq!(rest, b"", "{what}");
    assert!(!apache.scratch("marked").exists(), "the body was executed: {what}");
}

#[test]
fn hd_6_an_unread_body_is_never_executed() {
    let apache = need!(setup()).start();
    let chunk = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
    let framings = [
        (format!("Content-Length: {}\r\n", HIDDEN.len()), HIDDEN),
        ("Transfer-Encoding: chunked\r\n".to_owned(), chunk.as_str()),
    ];
    for path in ways() {
        for (headers, body) in &framings {
            for how in ["", "some", "late"] {
                for expect in ["", "Expect: 100-continue\r\n"] {
                    let what = format!("{path}?{how} {headers}{expect}");
                    let mut connection = apache.connect();
                    // A client may send its body without waiting for 100 Continue (RFC 9110, 10.1.1).
                    connection
                        .send(format!("POST {path}?{how} HTTP/1.1\r\nHost: x\r\n{headers}{expect}\r\n{body}"))
                        .expect("is sent");
                    let response = connection.read_response("POST").expect("is answered");
                    assert_eq!((response.status, response.text().as_str()), (413, "too large"), "{what}");
                    check_afterwards(&apache, connection, &what);
                }
            }
        }
    }
    apache.finish();
}

#[test]
fn rs_11_a_final_answer_is_not_followed_by_an_interim_one() {
    let apache = need!(setup()).start();
    for path in ways() {
        let mut connection = apache.connect();
        connection
            .send(format!(
                "POST {path}?late HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
            ))
            .expect("is sent");
        let mut head = connection.read_head().expect("is answered");
        connection.send("hello").expect("is sent");
        // It may come before, when the application's write and read are seen at once.
        if head.status == 100 {
            head = connection.read_head().expect("is answered");
        }
        let response = connection.read_body("POST", head).expect("has a body");
        assert_eq!((response.status, response.text().as_str()), (413, "too large"), "{path}");
        let next = apache.request("GET", "/hello").bytes(false);
        let rest = connection.send(next).and_then(|()| connection.read_to_end()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 100"), "{path}");
    }
    apache.finish();
}

/// Reads nothing, and answers with more than any buffer holds.
const DOWN: &str = r#"
def application(environ, start_response):
    mib = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Length", str(mib << 20))])
    for number in range(mib):
        yield b"x" * (1 << 20)
"#;

/// Answers with what comes, as it comes.
const ECHO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", environ["CONTENT_LENGTH"])])
    return iter(lambda: environ["wsgi.input"].read(100000), b"")
"#;

fn both_directions(source: &str) {
    let mib = if std::env::var_os("WSGI_LARGE_BODIES").is_some() { 1024 } else { 64 };
    let size = mib << 20;
    if kit::server::kind() == Kind::ModWsgi {
        kit::skip!("mod_wsgi sends the whole body before it reads an answer: both ends wait for each other");
    }
    let setup = need!(Setup::new()).one_daemon("threads=4").app("app", source);
    let streamed = "WSGIScriptAlias /streamed @SITE@/app.wsgi\n<Location /streamed>\nWSGIRequestBuffering Off\n</Location>";
    let apache = setup.config(streamed).start();
    for path in ways() {
        let mut connection = apache.connect();
        let mut upstream = connection.try_clone().expect("a descriptor is left");
        let sender = std::thread::spawn({
            let head = format!("POST {path}?{mib} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
            move || upstream.send(head).and_then(|()| upstream.send(vec![b'x'; size]))
        });
        let response = connection.read_response("POST").expect("is answered").expect_status(200);
        assert!(response.body == vec![b'x'; size], "{path}: {} bytes", response.body.len());
        sender.join().expect("it ends").expect("all is taken");
    }
    apache.finish();
}

#[test]
fn rs_10_an_unread_upload_and_a_download_do_not_block_each_other() {
    both_directions(DOWN);
}

#[test]
fn rs_10_an_echo_goes_on_in_both_directions() {
    both_directions(ECHO);
}
