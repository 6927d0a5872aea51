//! Other modules that change where a request goes: mod_rewrite, mod_dir, FallbackResource, mod_actions' kin.

use kit::{Setup, need};
use serde_json::{Value, json};

const PATHS: &str = r#"
import json

def application(environ, start_response):
    keys = ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_URI", "REDIRECT_URL", "REDIRECT_QUERY_STRING", "REDIRECT_STATUS"]
    seen = {key: environ[key] for key in keys if key in environ}
    seen["file"] = environ["SCRIPT_FILENAME"].rpartition("/")[2]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
"#;

fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2");
    Ok(setup.file("site/paths.wsgi", PATHS).config("WSGIScriptAlias /app @SITE@/paths.wsgi"))
}

fn paths(seen: &Value) -> [&str; 3] {
    ["SCRIPT_NAME", "PATH_INFO", "REQUEST_URI"].map(|key| seen[key].as_str().expect("is a text"))
}

#[test]
fn a_rewritten_url_that_is_passed_through_meets_the_alias() {
    let apache = need!(setup())
        .config("RewriteEngine On\nRewriteRule ^/old/(.*)$ /app/new/$1?from=rule [PT,QSA]")
        .start();
    let seen = apache.get("/old/a/b?x=1").expect_status(200).json();
    assert_eq!(paths(&seen), ["/app", "/new/a/b", "/old/a/b?x=1"]);
    assert_eq!(seen["QUERY_STRING"], "from=rule&x=1");
    apache.finish();
}

#[test]
fn request_uri_is_the_current_one_where_that_is_wanted() {
    let apache = need!(setup())
        .config("RewriteEngine On\nRewriteRule ^/old/(.*)$ /app/new/$1 [PT,QSA]")
        .config("<Location /app/new>\nCGIVar REQUEST_URI current-uri\n</Location>")
        .config("<Location /app/new/inner>\nCGIVar REQUEST_URI original-uri\n</Location>")
        .start();
    for (target, expected) in [("/old/a?x=1", "/app/new/a"), ("/old/inner/b?x=1", "/old/inner/b?x=1")] {
        let seen = apache.get(target).expect_status(200).json();
        assert_eq!(seen["REQUEST_URI"], expected);
    }
    apache.finish();
}

#[test]
fn everything_that_is_no_file_can_be_rewritten_to_the_script() {
    let apache = need!(setup())
        .config("<Directory @ROOT@/www>\nRewriteEngine On\nRewriteCond %{REQUEST_FILENAME} !-f\nRewriteRule ^(.*)$ /app/$1 [QSA,PT,L]\n</Directory>")
        .file("www/there.txt", "there")
        .start();
    assert_eq!(apache.get("/there.txt").expect_status(200).text(), "there");
    let seen = apache.get("/not/there?q=1").expect_status(200).json();
    assert_eq!(paths(&seen), ["/app", "/not/there", "/not/there?q=1"]);
    assert_eq!(
        (&seen["REDIRECT_URL"], &seen["REDIRECT_QUERY_STRING"]),
        (&json!("/not/there"), &json!("q=1"))
    );
    assert_eq!(seen["REDIRECT_STATUS"], "200");
    apache.finish();
}

#[test]
fn an_alias_may_be_the_index_of_a_folder() {
    let apache =
        need!(setup()).config("<Directory @ROOT@/www>\nDirectoryIndex /app/index\n</Directory>").start();
    let seen = apache.get("/?q=1").expect_status(200).json();
    assert_eq!(paths(&seen), ["/app", "/index", "/?q=1"]);
    apache.finish();
}

#[test]
fn what_is_not_found_falls_back_to_the_application() {
    let apache = need!(setup()).config("<Directory @ROOT@/www>\nFallbackResource /app\n</Directory>").start();
    let seen = apache.get("/not/there?q=1").expect_status(200).json();
    assert_eq!(paths(&seen)[2], "/not/there?q=1");
    assert_eq!(
        seen["SCRIPT_NAME"].as_str().unwrap().to_owned() + seen["PATH_INFO"].as_str().unwrap(),
        "/app"
    );
    apache.finish();
}

/// A response without a length, through the internal redirect of mod_dir.
#[test]
fn a_fallback_may_stream() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    def blocks():
        for number in range(50):
            yield b"block %d\n" % number
    return blocks()
"#;
    let apache = need!(setup())
        .app("stream", source)
        .config("<Directory @ROOT@/www>\nFallbackResource /stream\n</Directory>")
        .start();
    let expected: String = (0..50).map(|number| format!("block {number}\n")).collect();
    for target in ["/", "/not/there", "/stream"] {
        let response = apache.get(target).expect_status(200);
        assert_eq!(response.end, kit::End::Chunked, "{target}");
        assert_eq!(response.text(), expected, "{target}");
    }
    apache.finish();
}

#[test]
fn an_error_document_may_be_an_application() {
    let apache = need!(setup()).config("ErrorDocument 404 /app/missing").expect_log("AH0").start();
    let seen = apache.get("/nothing/here?q=1").expect_status(200).json();
    assert_eq!(paths(&seen), ["/app", "/missing", "/nothing/here?q=1"]);
    assert_eq!((&seen["REDIRECT_URL"], &seen["REDIRECT_STATUS"]), (&json!("/nothing/here"), &json!("404")));
    assert_eq!(seen["REDIRECT_QUERY_STRING"], "q=1");
    apache.finish();
}
