//! Dispatch scripts: where a request goes is decided by a function of the administrator's.

use kit::{Apache, Setup, need, pick};
use serde_json::{Value, json};

const WHERE: &str = r#"
import json

def answer(start_response, environ, callable):
    keys = ["mod_wsgi.process_group", "mod_wsgi.application_group"]
    start_response("200 OK", [])
    return [json.dumps([environ[key] for key in keys] + [callable]).encode()]

def application(environ, start_response):
    return answer(start_response, environ, "application")

def other(environ, start_response):
    return answer(start_response, environ, "other")
"#;

/// Chooses what the query names: `process_group=two&callable_object=other`.
const DISPATCH: &str = r#"
import json
from urllib.parse import parse_qs

def chosen(environ, name):
    value = parse_qs(environ["QUERY_STRING"]).get(name, [None])[0]
    if value == "raise":
        raise RuntimeError("on purpose")
    return {"number": 1, "bytes": b"two", "wide": "\u20ac"}.get(value, value)

def process_group(environ):
    plain = {key: value if isinstance(value, str) else None for key, value in environ.items()}
    with open("@SCRATCH@/dispatch.json", "w") as file:
        json.dump(plain, file)
    return chosen(environ, "process_group")

def application_group(environ):
    return chosen(environ, "application_group")

def callable_object(environ):
    return chosen(environ, "callable_object")
"#;

fn setup(config: &str) -> Result<Setup, String> {
    Ok(Setup::new()?
        .daemon("one", "threads=2")
        .daemon("two", "threads=2")
        .file("site/app.wsgi", WHERE)
        .file("site/dispatch.wsgi", DISPATCH)
        .config(&format!("WSGIPythonHome @HOME@\n{config}")))
}

const ALIAS: &str = "WSGIScriptAlias /app @SITE@/app.wsgi process-group=one application-group=%{GLOBAL}\n";

fn seen(apache: &Apache, query: &str) -> Value {
    apache.get(&format!("/app/x?{query}")).expect_status(200).json()
}

#[test]
fn what_a_dispatch_script_returns_wins() {
    let apache = need!(setup(&format!("{ALIAS}WSGIDispatchScript @SITE@/dispatch.wsgi"))).start();
    let server = format!("localhost:{}", apache.address().port());
    for (query, expected) in [
        ("", json!(["one", "", "application"])),
        ("process_group=two", json!(["two", "", "application"])),
        ("process_group=bytes", json!(["two", "", "application"])),
        ("application_group=mine", json!(["one", "mine", "application"])),
        ("application_group=%25%7BSERVER%7D", json!(["one", server, "application"])),
        ("application_group=%25%7BRESOURCE%7D", json!(["one", format!("{server}|/app"), "application"])),
        ("callable_object=other", json!(["one", "", "other"])),
        ("process_group=two&application_group=x&callable_object=other", json!(["two", "x", "other"])),
    ] {
        assert_eq!(seen(&apache, query), expected, "{query}");
    }
    apache.finish();
}

#[test]
fn dispatch_scripts_can_stand_in_sections_and_virtual_hosts() {
    let apache = need!(setup(&format!(
        "{ALIAS}<Location /app/x>\nWSGIDispatchScript @SITE@/dispatch.wsgi application-group=mine\n</Location>"
    )))
    .start();
    assert_eq!(seen(&apache, "process_group=two"), json!(["two", "", "application"]));
    let environ: Value =
        serde_json::from_str(&apache.wait_scratch("dispatch.json")).expect("the script writes JSON");
    assert_eq!(environ["mod_wsgi.application_group"], json!("mine"));
    let outside = apache.get("/app/y?process_group=two").expect_status(200).json();
    assert_eq!(outside, json!(["one", "", "application"]));
    apache.finish();
}

#[test]
fn the_environ_of_a_dispatch_script() {
    let apache =
        need!(setup(&format!("SetEnv COLOUR green\n{ALIAS}WSGIDispatchScript @SITE@/dispatch.wsgi"))).start();
    apache
        .request("GET", "/app/x/y?process_group=two")
        .header("X-Name", "value")
        .header("Authorization", "Basic eDp5")
        .send()
        .expect_status(200);
    let environ: Value =
        serde_json::from_str(&apache.wait_scratch("dispatch.json")).expect("the script writes JSON");
    for (key, value) in [
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", "/app"),
        ("PATH_INFO", "/x/y"),
        ("HTTP_X_NAME", "value"),
        ("COLOUR", "green"),
        ("mod_wsgi.process_group", ""),
        ("mod_wsgi.application_group", ""),
    ] {
        assert_eq!(environ[key], json!(value), "{key}");
    }
    for absent in ["HTTP_AUTHORIZATION", "wsgi.input", "wsgi.version", "mod_wsgi.callable_object"] {
        assert!(environ.get(absent).is_none(), "{absent}: {}", environ[absent]);
    }
    assert!(environ.get("wsgi.errors").is_some());
    apache.finish();
}

#[test]
fn a_body_goes_where_the_dispatch_script_says() {
    const ECHO: &str = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [environ['wsgi.input'].read()]\n";
    let apache = need!(setup(
        "WSGIScriptAlias /echo @SITE@/echo.wsgi process-group=one\nWSGIDispatchScript @SITE@/dispatch.wsgi"
    ))
    .file("site/echo.wsgi", ECHO)
    .start();
    let body = vec![b'x'; 200_000];
    let response = apache.post("/echo?process_group=two", body.clone()).expect_status(200);
    assert!(response.body == body);
    apache.finish();
}

#[test]
fn what_is_no_choice_fails_the_request() {
    let apache = need!(setup(&format!("{ALIAS}WSGIDispatchScript @SITE@/dispatch.wsgi"))).start();
    apache.expect_log(r"\[wsgi:error\]");
    for query in [
        "process_group=nobody",
        "process_group=number",
        "process_group=wide",
        "process_group=raise",
        "application_group=number",
        "callable_object=raise",
        "callable_object=nobody",
    ] {
        apache.get(&format!("/app?{query}")).expect_status(500);
    }
    apache.log().wait(pick("WSGI1391", "must be a byte string"));
    apache.log().wait("RuntimeError: on purpose");
    apache.finish();
}

#[test]
fn a_dispatch_script_that_cannot_be_loaded() {
    let apache = need!(setup(&format!("{ALIAS}WSGIDispatchScript @SITE@/absent.wsgi"))).start();
    apache.expect_log(r"\[wsgi:error\]");
    // A script that is to say where a request goes and cannot is no reason to send it somewhere; mod_wsgi goes on without.
    apache.get("/app").expect_status(pick(500, 200));
    apache.finish();
}

#[test]
fn without_functions_nothing_changes() {
    let apache = need!(setup(&format!("{ALIAS}WSGIDispatchScript @SITE@/empty.wsgi")))
        .file("site/empty.wsgi", "")
        .start();
    assert_eq!(seen(&apache, ""), json!(["one", "", "application"]));
    apache.finish();
}

#[test]
fn restrict_process_holds_for_what_is_chosen() {
    let apache =
        need!(setup(&format!("{ALIAS}WSGIDispatchScript @SITE@/dispatch.wsgi\nWSGIRestrictProcess one")))
            .start();
    apache.expect_log(r"\[wsgi:error\]");
    assert_eq!(seen(&apache, "process_group=one"), json!(["one", "", "application"]));
    apache.get("/app?process_group=two").expect_status(500);
    apache.log().wait("WSGI0149");
    apache.finish();
}
