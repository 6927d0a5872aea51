//! From URL to script: WSGIScriptAlias, WSGIScriptAliasMatch, handlers, the order of aliases.

use kit::{Setup, need};
use serde_json::json;

const PATHS: &str = r#"
import json

def application(environ, start_response):
    start_response("200 OK", [])
    seen = [environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["SCRIPT_FILENAME"].rpartition("/")[2]]
    return [json.dumps(seen).encode()]
"#;

fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2");
    Ok(setup.file("site/paths.wsgi", PATHS).file("site/second.wsgi", PATHS))
}

#[test]
fn an_alias_for_everything() {
    let apache = need!(setup()).config("WSGIScriptAlias / @SITE@/paths.wsgi").start();
    for (path, info) in [("/", "/"), ("/a/b", "/a/b"), ("/a/", "/a/"), ("/a%20b", "/a b")] {
        assert_eq!(apache.get(path).expect_status(200).json(), json!(["", info, "paths.wsgi"]), "{path}");
    }
    apache.finish();
}

#[test]
fn an_alias_matches_whole_segments() {
    let apache = need!(setup()).config("WSGIScriptAlias /app @SITE@/paths.wsgi").expect_log("AH0").start();
    assert_eq!(apache.get("/app").json(), json!(["/app", "", "paths.wsgi"]));
    assert_eq!(apache.get("/app/").json(), json!(["/app", "/", "paths.wsgi"]));
    assert_eq!(apache.get("/app/x/y").json(), json!(["/app", "/x/y", "paths.wsgi"]));
    apache.get("/apple").expect_status(404);
    apache.get("/APP").expect_status(404);
    apache.finish();
}

#[test]
fn the_first_alias_that_matches_wins() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /a/b @SITE@/second.wsgi\nWSGIScriptAlias /a @SITE@/paths.wsgi")
        .start();
    assert_eq!(apache.get("/a/b/c").json(), json!(["/a/b", "/c", "second.wsgi"]));
    assert_eq!(apache.get("/a/c").json(), json!(["/a", "/c", "paths.wsgi"]));
    apache.finish();
}

#[test]
fn aliases_of_a_virtual_host_come_first() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /a @SITE@/paths.wsgi")
        .config("<VirtualHost 127.0.0.1:@PORT@>\nServerName v.test\nWSGIScriptAlias /a @SITE@/second.wsgi\n</VirtualHost>")
        .start();
    assert_eq!(apache.request("GET", "/a").host("v.test").send().json()[2], "second.wsgi");
    apache.finish();
}

#[test]
fn an_alias_to_a_folder_takes_the_script_from_the_url() {
    let apache = need!(setup()).config("WSGIScriptAlias /dir/ @SITE@/").expect_log("AH0|wsgi:error").start();
    assert_eq!(apache.get("/dir/second.wsgi/x").json(), json!(["/dir/second.wsgi", "/x", "second.wsgi"]));
    apache.get("/dir/none.wsgi").expect_status(404);
    apache.finish();
}

#[test]
fn an_alias_match_fills_in_its_groups() {
    let apache = need!(setup())
        .config("WSGIScriptAliasMatch ^/m/([a-z]+) @SITE@/$1.wsgi")
        .expect_log("AH0|wsgi:error")
        .start();
    assert_eq!(apache.get("/m/second/rest").json(), json!(["/m/second", "/rest", "second.wsgi"]));
    assert_eq!(apache.get("/m/paths").json(), json!(["/m/paths", "", "paths.wsgi"]));
    apache.get("/m/none").expect_status(404);
    apache.get("/m/UPPER").expect_status(404);
    apache.finish();
}

#[test]
fn mod_alias_comes_before() {
    let apache = need!(setup())
        .config("WSGIScriptAlias / @SITE@/paths.wsgi\nAlias /static @ROOT@/www")
        .file("www/style.css", "body {}")
        .start();
    assert_eq!(apache.get("/static/style.css").expect_status(200).text(), "body {}");
    assert_eq!(apache.get("/other").json()[1], "/other");
    apache.finish();
}

#[test]
fn accept_path_info_off_is_honoured() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /app @SITE@/paths.wsgi\n<Location /app>\nAcceptPathInfo Off\n</Location>")
        .expect_log("wsgi:error|AH0")
        .start();
    apache.get("/app").expect_status(200);
    apache.get("/app/more").expect_status(404);
    apache.finish();
}

#[test]
fn a_rewrite_with_pass_through_reaches_the_alias() {
    let apache = need!(setup())
        .config(
            "WSGIScriptAlias /app @SITE@/paths.wsgi\nRewriteEngine On\nRewriteRule ^/old/(.*) /app/$1 [PT]",
        )
        .start();
    assert_eq!(apache.get("/old/x").json(), json!(["/app", "/x", "paths.wsgi"]));
    apache.finish();
}

#[test]
fn htaccess_may_change_what_file_info_allows() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /app @SITE@/paths.wsgi\n<Directory @SITE@>\nAllowOverride FileInfo\n</Directory>")
        .file("site/.htaccess", "WSGICallableObject missing_callable\n")
        .expect_log("wsgi:error")
        .start();
    apache.get("/app").expect_status(500);
    apache.log().wait("missing_callable");
    apache.finish();
}
