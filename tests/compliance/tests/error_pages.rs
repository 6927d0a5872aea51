//! `WSGIErrorOverride`: Apache's own page in the place of an application's error response.

use kit::{Setup, need, pick};

const SOURCE: &str = r#"
def application(environ, start_response):
    status = environ["QUERY_STRING"].replace("+", " ")
    if status == "raise":
        raise ValueError("my own words")
    start_response(status, [
        ("Content-Type", "text/plain"), ("X-Mine", "1"), ("WWW-Authenticate", 'Basic realm="a"'), ("Retry-After", "7"),
        ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "14"),
    ])
    return [b"application's "]
"#;

fn setup(config: &str) -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2").app("app", SOURCE);
    Ok(setup.file("www/page.html", "Apache's page").config(config).expect_log("wsgi:error|AH0"))
}

const PAGES: &str = "ErrorDocument 404 /page.html\nErrorDocument 401 /page.html\nErrorDocument 500 /page.html\nErrorDocument 503 \"plain text\"";

#[test]
fn without_it_error_responses_are_the_applications() {
    for config in ["", "WSGIErrorOverride Off"] {
        let apache = need!(setup(&format!("{PAGES}\n{config}"))).start();
        for status in ["404+Not+Found", "500+Broken", "503+Busy"] {
            let response = apache.get(&format!("/app?{status}"));
            assert_eq!(response.text(), "application's ", "{status}");
            assert_eq!(response.header("X-Mine"), Some("1"));
        }
        // What the application does not answer, Apache does.
        assert_eq!(apache.get("/app?raise").expect_status(500).text(), "Apache's page");
        apache.finish();
    }
}

#[test]
fn with_it_error_responses_are_apaches() {
    let apache = need!(setup(&format!("{PAGES}\nWSGIErrorOverride On"))).start();
    for (status, number, text) in [
        ("404+Gone", 404, "Apache's page"),
        ("500+Broken", 500, "Apache's page"),
        ("503+Busy", 503, "plain text"),
    ] {
        let response = apache.get(&format!("/app?{status}")).expect_status(number);
        assert_eq!(response.text(), text, "{status}");
        assert_eq!(response.header("X-Mine"), None);
        assert_eq!(response.header("Content-Length"), Some(text.len().to_string().as_str()));
    }
    // Without an ErrorDocument it is the page that Apache makes.
    let response = apache.get("/app?403+No").expect_status(403);
    assert!(response.text().contains("<title>403 Forbidden</title>"), "{}", response.text());
    for status in ["200+OK", "302+Found", "399+Odd"] {
        let response = apache.get(&format!("/app?{status}"));
        assert_eq!(response.text(), "application's ", "{status}");
    }
    apache.finish();
}

#[test]
fn what_the_client_needs_to_act_on_the_status_survives() {
    let apache = need!(setup(&format!("{PAGES}\nWSGIErrorOverride On"))).start();
    let response = apache.get("/app?401+Log+in").expect_status(401);
    assert_eq!(response.text(), "Apache's page");
    assert_eq!(response.header("WWW-Authenticate"), Some("Basic realm=\"a\""));
    // mod_wsgi loses the others.
    assert_eq!(response.header("Retry-After"), pick(Some("7"), None));
    let cookies: Vec<_> = response.headers_named("Set-Cookie").collect();
    assert_eq!(cookies, pick(&["a=1", "b=2"][..], &[]));
    apache.finish();
}

#[test]
fn the_connection_goes_on() {
    let apache = need!(setup(&format!("{PAGES}\nWSGIErrorOverride On"))).start();
    let mut connection = apache.connect();
    for (method, target, status) in [
        ("GET", "/app?404+A", 404),
        ("HEAD", "/app?404+A", 404),
        ("GET", "/app?200+OK", 200),
        // Apache closes the connection behind its pages for 400, 500, 503 and some more.
        ("POST", "/app?409+B", 409),
        ("GET", "/app?200+OK", 200),
    ] {
        connection.send(apache.request(method, target).bytes(true)).expect("is sent");
        assert_eq!(
            connection.read_response(method).expect("is answered").status,
            status,
            "{method} {target}"
        );
    }
    apache.finish();
}

#[test]
fn it_holds_where_it_is_written() {
    let config = format!("{PAGES}\n<Location /app/on>\nWSGIErrorOverride On\n</Location>");
    let apache = need!(setup(&config)).start();
    assert_eq!(apache.get("/app/on?404+A").expect_status(404).text(), "Apache's page");
    assert_eq!(apache.get("/app/off?404+A").expect_status(404).text(), "application's ");
    apache.finish();
}
