//! What an application may leave to Apache: a local `Location`, where that is wanted, and the sending of files.

use crate::ours;
use kit::{Apache, Mpm, Setup, Strace, need};

const PLACES: &str = r#"
def application(environ, start_response):
    environ["wsgi.input"].read()
    status, place = environ["QUERY_STRING"].split(":", 1)
    start_response(status.replace("+", " "), [("Location", place), ("X-Mine", "1"), ("Content-Type", "text/mine")])
    return [b"mine"]
"#;

fn redirecting(config: &str) -> Result<Setup, String> {
    let setup = ours()?.one_daemon("threads=2").app("app", PLACES).fixture("hello");
    Ok(setup.file("www/static.txt", "Apache's file").config(config))
}

#[test]
fn a_local_location_is_answered_by_apache_where_that_is_wanted() {
    let apache = need!(redirecting("WSGILocationRedirect On")).start();
    let response = apache.get("/app?200+OK:/static.txt").expect_status(200);
    assert_eq!((response.text().as_str(), response.header("Location")), ("Apache's file", None));
    assert_ne!(response.header("Content-Type"), Some("text/mine"));
    // A body was sent and read; the new request is a GET without one.
    assert_eq!(apache.post("/app?200+OK:/static.txt", "body").expect_status(200).text(), "Apache's file");
    assert_eq!(apache.post("/app?200+OK:/hello", "body").expect_status(200).text(), "Hello World!\n");
    let mut connection = apache.connect();
    for method in ["HEAD", "GET", "POST", "GET"] {
        connection.send(apache.request(method, "/app?200+OK:/static.txt").bytes(true)).expect("is sent");
        let response = connection.read_response(method).expect("is answered");
        assert_eq!((response.status, response.header("Content-Length")), (200, Some("13")), "{method}");
    }
    apache.expect_log("AH00128|AH01630|AH00035");
    apache.get("/app?200+OK:/missing.txt").expect_status(404);
    for target in
        ["/app?302+Found:/static.txt", "/app?201+Made:/static.txt", "/app?200+OK:http://other.test/"]
    {
        let response = apache.get(target);
        assert_eq!((response.text().as_str(), response.header("X-Mine")), ("mine", Some("1")), "{target}");
    }
    apache.finish();
}

#[test]
fn a_location_that_leads_to_itself_ends() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Location", "/app")])
    return [b"mine"]
"#;
    let apache =
        need!(ours()).one_daemon("threads=2").app("app", source).config("WSGILocationRedirect On").start();
    apache.get("/app").expect_status(500);
    apache.log().wait("AH00124: Request exceeded the limit of 10 internal redirects");
    apache.finish();
}

/// Neither what the redirected request leaves of the body, nor its announcement, may become another request.
#[test]
fn hd_6_a_body_that_nobody_read_is_not_executed_behind_a_local_location() {
    const LEADS: &str = r#"
def application(environ, start_response):
    if environ["QUERY_STRING"] == "some":
        environ["wsgi.input"].read(3)
    start_response("200 OK", [("Location", "/static.txt")])
    return [b"mine"]
"#;
    const HIDDEN: &str = "GET /marks HTTP/1.1\r\nHost: x\r\n\r\n";
    let marks = r#"
def application(environ, start_response):
    open("@SCRATCH@/marked", "a").write("x")
    start_response("200 OK", [])
    return [b"marked"]
"#;
    for config in ["", "WSGIRequestBuffering Off"] {
        let setup = need!(redirecting(&format!("WSGILocationRedirect On\n{config}")));
        let apache = setup.app("leads", LEADS).app("marks", marks).start();
        for (query, expect) in
            [("", ""), ("", "Expect: 100-continue\r\n"), ("some", "Expect: 100-continue\r\n")]
        {
            let mut connection = apache.connect();
            let length = HIDDEN.len();
            let request = format!(
                "POST /leads?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{expect}\r\n{HIDDEN}"
            );
            connection.send(request).expect("is sent");
            let response = connection.read_response("POST").expect("is answered");
            assert_eq!(response.text(), "Apache's file", "{config} {query} {expect}");
            let next = apache.request("GET", "/hello").bytes(false);
            let rest = connection.send(next).and_then(|()| connection.read_to_end()).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&rest).contains("marked"), "{config} {query} {expect}");
            assert!(!apache.scratch("marked").exists(), "the body was executed: {config} {query} {expect}");
        }
        apache.finish();
    }
}

#[test]
fn rs_5_a_location_is_passed_on_unless_the_configuration_says_otherwise() {
    for config in ["", "WSGILocationRedirect Off", "<Location /other>\nWSGILocationRedirect On\n</Location>"]
    {
        let apache = need!(redirecting(config)).start();
        let response = apache.get("/app?200+OK:/static.txt").expect_status(200);
        assert_eq!((response.text().as_str(), response.header("Location")), ("mine", Some("/static.txt")));
        apache.finish();
    }
}

const FILES: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](open("@ROOT@/data.bin", "rb"))
"#;

/// Whether a file of 1 MB leaves with sendfile(2).
fn with_sendfile(config: &str) -> Result<bool, String> {
    Strace::available()?;
    // One child, so that it is the one that is watched.
    let setup = ours()?.mpm(Mpm::Event).one_daemon("threads=2").app("app", FILES).config(config);
    let apache: Apache = setup.file("data.bin", &"0123456789".repeat(100_000)).start();
    let strace = Strace::attach(apache.children()[0].pid, apache.root(), &["-e", "trace=sendfile"]);
    let response = apache.get("/app").expect_status(200);
    assert!(response.text() == "0123456789".repeat(100_000), "{} bytes", response.body.len());
    let used = strace.text().contains("sendfile(");
    drop(strace);
    apache.finish();
    Ok(used)
}

#[test]
fn files_are_sent_as_the_two_directives_say() {
    for (config, expected) in [
        ("", true),
        ("EnableSendfile Off", false),
        ("EnableSendfile On", true),
        ("WSGIEnableSendfile Off", false),
        ("EnableSendfile On\nWSGIEnableSendfile Off", false),
        ("EnableSendfile Off\nWSGIEnableSendfile On", true),
    ] {
        assert_eq!(need!(with_sendfile(config)), expected, "{config:?}");
    }
}
