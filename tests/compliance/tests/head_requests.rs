//! HEAD: `WSGIMapHEADToGET`, and the length in the answer.

use kit::{Head, Setup, need, pick};

/// Says which method it sees, and answers with 1000 bytes as a list or (`stream`) one after another, with or without their length.
const SOURCE: &str = r#"
def application(environ, start_response):
    how = environ["QUERY_STRING"]
    headers = [("X-Method", environ["REQUEST_METHOD"]), ("Content-Type", "text/plain")]
    if "length" in how:
        headers.append(("Content-Length", "1000"))
    start_response("200 OK", headers)
    if "stream" in how:
        return iter([b"0123456789" * 10] * 10)
    if "empty" in how:
        return []
    return [b"0123456789" * 100]
"#;

fn setup(config: &str) -> Result<Setup, String> {
    let setup = Setup::new()?.modules(&["filter", "deflate"]).one_daemon("threads=2").app("app", SOURCE);
    Ok(setup.config(config))
}

/// What the application sees and the length that the client is told, for HEAD.
fn asked(apache: &kit::Apache, query: &str) -> (String, Option<String>) {
    let request = apache.request("HEAD", &format!("/app?{query}")).header("Accept-Encoding", "gzip");
    let mut connection = request.start().expect("Apache listens");
    let head: Head = connection.read_head().expect("is answered");
    assert_eq!(head.status, 200, "{query}");
    let rest = connection.read_to_end().expect("the connection ends");
    assert!(rest.is_empty(), "{query}: {} bytes of a body", rest.len());
    let text = |name| head.header(name).map(str::to_owned);
    (text("X-Method").unwrap_or_default(), text("Content-Length"))
}

#[test]
fn the_directive_says_what_the_application_sees() {
    for (config, plain, filtered) in [
        ("", "HEAD", "GET"),
        ("WSGIMapHEADToGET Auto", "HEAD", "GET"),
        ("WSGIMapHEADToGET On", "GET", "GET"),
        ("WSGIMapHEADToGET Off", "HEAD", "HEAD"),
    ] {
        let apache = need!(setup(config)).start();
        assert_eq!(asked(&apache, "").0, plain, "{config:?}");
        // Only HEAD is mapped.
        let post = apache.request("POST", "/app").body("x").send();
        assert_eq!(post.header("X-Method"), Some("POST"));
        apache.finish();
        let apache = need!(setup(&format!("{config}\nSetOutputFilter DEFLATE"))).start();
        assert_eq!(asked(&apache, "").0, filtered, "{config:?} with a filter");
        apache.finish();
    }
}

#[test]
fn the_length_is_that_of_the_answer_to_get() {
    for config in ["WSGIMapHEADToGET Off", "WSGIMapHEADToGET On"] {
        let apache = need!(setup(config)).start();
        for query in ["length", "length&stream"] {
            let (_, length) = asked(&apache, query);
            assert_eq!(length.as_deref(), Some("1000"), "{config} {query}");
        }
        // mod_wsgi's daemon mode does not hand over all of a response at once, so that Apache could count it.
        assert_eq!(asked(&apache, "").1.as_deref(), pick(Some("1000"), None), "{config}");
        if asked(&apache, "").0 == "HEAD" {
            // An application that is asked with HEAD need not make a body.
            assert_eq!(asked(&apache, "length&empty").1.as_deref(), Some("1000"));
        }
        // No length rather than a wrong one.
        assert_eq!(asked(&apache, "empty").1, None, "{config}");
        apache.finish();
    }
}

#[test]
fn with_a_filter_the_length_is_that_of_what_the_filter_makes() {
    let apache = need!(setup("SetOutputFilter DEFLATE")).start();
    for query in ["", "length"] {
        let got = apache.request("GET", &format!("/app?{query}")).header("Accept-Encoding", "gzip").send();
        assert_eq!(got.header("Content-Encoding"), Some("gzip"));
        let (method, length) = asked(&apache, query);
        assert_eq!(method, "GET");
        // A length is told where the filter saw the whole body at once.
        if let Some(length) = length {
            assert_eq!(length, got.body.len().to_string(), "{query:?}");
        }
    }
    apache.finish();
}

#[test]
fn the_next_request_of_the_connection_is_answered() {
    let apache = need!(setup("")).start();
    let mut connection = apache.connect();
    for query in ["", "length", "stream", "empty", "length&stream"] {
        connection.send(apache.request("HEAD", &format!("/app?{query}")).bytes(true)).expect("is sent");
        assert_eq!(connection.read_response("HEAD").expect("is answered").status, 200, "{query}");
    }
    connection.send(apache.request("GET", "/app?length").bytes(true)).expect("is sent");
    assert_eq!(connection.read_response("GET").expect("is answered").body.len(), 1000);
    apache.finish();
}
