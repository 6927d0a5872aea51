//! Which value counts where directives stand in several places: virtual host over main server, section over server, inner section
//! over outer one, lists as a whole.

use kit::{Apache, Setup, need};
use serde_json::{Value, json};

const SEEN: &str = r#"
import json

def answer(environ, start_response, name):
    start_response("200 OK", [])
    keys = ["mod_wsgi.application_group", "HTTP_AUTHORIZATION", "REMOTE_ADDR"]
    return [json.dumps([name] + [environ.get(key) for key in keys]).encode()]

def application(environ, start_response):
    return answer(environ, start_response, "application")

def other(environ, start_response):
    return answer(environ, start_response, "other")

def handle_request(environ, start_response):
    return answer(environ, start_response, environ["mod_wsgi.handler_script"].rpartition("/")[2])
"#;

fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2").config("WSGIScriptAlias / @SITE@/seen.wsgi");
    Ok(setup.file("site/seen.wsgi", SEEN).config(&host("localhost", "")))
}

fn host(name: &str, inside: &str) -> String {
    format!("<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}\n{inside}\n</VirtualHost>")
}

#[track_caller]
fn seen(apache: &Apache, host: &str, target: &str) -> Value {
    let request = apache.request("GET", target).host(host).header("Authorization", "Basic eDp5");
    let request = request.header("X-Forwarded-For", "192.0.2.7").header("X-Real-IP", "192.0.2.8");
    request.send().expect_status(200).json()
}

#[test]
fn a_virtual_host_is_above_the_main_server_and_a_section_above_both() {
    let apache = need!(setup())
        .config("WSGICallableObject other\nWSGIApplicationGroup main\nWSGIPassAuthorization On")
        .config(&host("plain.test", ""))
        .config(&host(
            "own.test",
            "WSGICallableObject application\nWSGIPassAuthorization Off\n<Location /in>\nWSGIApplicationGroup inner\n\
             WSGIPassAuthorization On\n<If \"true\">\nWSGICallableObject other\n</If>\n</Location>",
        ))
        .start();
    let address = "127.0.0.1";
    assert_eq!(seen(&apache, "plain.test", "/"), json!(["other", "main", "Basic eDp5", address]));
    assert_eq!(seen(&apache, "own.test", "/"), json!(["application", "main", null, address]));
    assert_eq!(seen(&apache, "own.test", "/in"), json!(["other", "inner", "Basic eDp5", address]));
    apache.finish();
}

#[test]
fn the_options_of_an_alias_are_above_all_sections() {
    let apache = need!(setup())
        .config("<Location />\nWSGICallableObject other\nWSGIApplicationGroup section\nWSGIPassAuthorization On\n</Location>")
        .config(&host(
            "alias.test",
            "WSGIScriptAlias / @SITE@/seen.wsgi callable-object=application application-group=alias pass-authorization=Off",
        ))
        .start();
    assert_eq!(seen(&apache, "alias.test", "/"), json!(["application", "alias", null, "127.0.0.1"]));
    apache.finish();
}

#[test]
fn lists_are_replaced_as_a_whole_and_lines_in_one_place_add_up() {
    let apache = need!(setup())
        .config("WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxies 10.0.0.1")
        .config("WSGITrustedProxies 127.0.0.0/8")
        .config("<Location /real>\nWSGITrustedProxyHeaders X-Real-IP\n</Location>")
        .config("<Location /nobody>\nWSGITrustedProxies 10.0.0.1\n</Location>")
        .config(&host(
            "two.test",
            "WSGITrustedProxyHeaders X-Forwarded-For\nWSGITrustedProxyHeaders X-Real-IP",
        ))
        .start();
    let address = |host, target| seen(&apache, host, target)[3].clone();
    assert_eq!(address("localhost", "/"), "192.0.2.7");
    assert_eq!(address("localhost", "/real"), "192.0.2.8", "X-Forwarded-For is not in this list");
    assert_eq!(address("localhost", "/nobody"), "127.0.0.1");
    assert_eq!(address("two.test", "/"), "192.0.2.8", "the last header that applies");
    apache.finish();
}

#[test]
fn process_groups_are_restricted_by_the_innermost_list() {
    let apache = need!(setup())
        .daemon("second", "threads=1")
        .config("WSGIRestrictProcess app second")
        .config("<Location /none>\nWSGIRestrictProcess second\n</Location>")
        .config("<Location /global>\nWSGIRestrictProcess %{GLOBAL}\n</Location>")
        .config(&host("second.test", "WSGIProcessGroup second\nWSGIRestrictProcess second"))
        .config(&host("closed.test", "WSGIRestrictProcess second"))
        .expect_log("WSGI0149")
        .start();
    assert_eq!(seen(&apache, "localhost", "/")[0], "application");
    assert_eq!(seen(&apache, "second.test", "/")[0], "application");
    for (host, target) in [("localhost", "/none"), ("localhost", "/global"), ("closed.test", "/")] {
        apache.request("GET", target).host(host).send().expect_status(500);
    }
    apache.log().wait("WSGI0149");
    apache.finish();
}

#[test]
fn handler_scripts_of_both_places_count() {
    let declare =
        |name: &str, file: &str| format!("WSGIHandlerScript {name} @SITE@/{file} process-group=app");
    let give = |name: &str| format!("<Files *.{name}>\nSetHandler {name}\n</Files>");
    let mut setup = need!(Setup::new()).daemon("app", "threads=2").config(&host("localhost", ""));
    for file in ["main.py", "host.py", "section.py"] {
        setup = setup.file(&format!("site/{file}"), SEEN);
    }
    let apache = setup
        .file("www/x.one", "")
        .file("www/x.two", "")
        .config(&[declare("one", "main.py"), declare("two", "main.py"), give("one"), give("two")].join("\n"))
        .config(&host("host.test", &format!("DocumentRoot @ROOT@/www\n{}", declare("two", "host.py"))))
        .config(&host(
            "section.test",
            &format!("DocumentRoot @ROOT@/www\n<Location />\n{}\n</Location>", declare("two", "section.py")),
        ))
        .start();
    let script = |host, target| seen(&apache, host, target)[0].clone();
    assert_eq!([script("localhost", "/x.one"), script("localhost", "/x.two")], ["main.py", "main.py"]);
    assert_eq!([script("host.test", "/x.one"), script("host.test", "/x.two")], ["main.py", "host.py"]);
    assert_eq!(
        [script("section.test", "/x.one"), script("section.test", "/x.two")],
        ["main.py", "section.py"]
    );
    apache.finish();
}
