//! The environ: keys, types and values of PEP 3333 and of the reference.

use kit::{Apache, Setup, need, pick};
use serde_json::{Map, Value, json};

/// The keys that every request has.
const ALWAYS: &str = "CONTEXT_DOCUMENT_ROOT CONTEXT_PREFIX DOCUMENT_ROOT PATH_INFO QUERY_STRING REMOTE_ADDR REMOTE_PORT
    REQUEST_METHOD REQUEST_SCHEME REQUEST_URI SCRIPT_FILENAME SCRIPT_NAME SERVER_ADDR SERVER_ADMIN SERVER_NAME SERVER_PORT
    SERVER_PROTOCOL SERVER_SOFTWARE apache.version mod_wsgi.application_group mod_wsgi.application_start
    mod_wsgi.callable_object mod_wsgi.daemon_start mod_wsgi.handler_script mod_wsgi.listener_host mod_wsgi.listener_port
    mod_wsgi.path_info mod_wsgi.process_group mod_wsgi.queue_start mod_wsgi.request_handler mod_wsgi.request_id
    mod_wsgi.request_start mod_wsgi.script_name mod_wsgi.server_pid mod_wsgi.thread_id mod_wsgi.version wsgi.errors
    wsgi.file_wrapper wsgi.input wsgi.input_terminated wsgi.multiprocess wsgi.multithread wsgi.run_once wsgi.url_scheme
    wsgi.version";

fn environ_of(response: &kit::Response) -> Map<String, Value> {
    response.json().as_object().expect("the fixture answers with an object").clone()
}

fn served() -> Result<Apache, String> {
    Ok(Setup::new()?.one_daemon("processes=1 threads=4").fixture("environ").start())
}

fn text<'a>(environ: &'a Map<String, Value>, key: &str) -> &'a str {
    let shown = environ.get(key).unwrap_or_else(|| panic!("no {key} in {environ:#?}"));
    assert_eq!(shown[0], "str", "{key}");
    shown[1].as_str().expect("a str is a JSON string")
}

#[test]
fn required_keys_are_there_with_their_types() {
    let apache = need!(served());
    let environ = environ_of(&apache.get("/environ/info?x=1&y=%20"));
    assert_eq!(text(&environ, "REQUEST_METHOD"), "GET");
    assert_eq!(text(&environ, "SCRIPT_NAME"), "/environ");
    assert_eq!(text(&environ, "PATH_INFO"), "/info");
    assert_eq!(text(&environ, "QUERY_STRING"), "x=1&y=%20");
    assert_eq!(text(&environ, "SERVER_PROTOCOL"), "HTTP/1.1");
    assert_eq!(text(&environ, "SERVER_NAME"), "127.0.0.1");
    assert_eq!(text(&environ, "SERVER_PORT"), apache.address().port().to_string());
    assert_eq!(text(&environ, "REQUEST_URI"), "/environ/info?x=1&y=%20");
    assert_eq!(text(&environ, "REMOTE_ADDR"), "127.0.0.1");
    assert_eq!(text(&environ, "SERVER_ADDR"), "127.0.0.1");
    assert_eq!(text(&environ, "REQUEST_SCHEME"), "http");
    assert_eq!(text(&environ, "DOCUMENT_ROOT"), format!("{}/www", apache.root().display()));
    assert_eq!(text(&environ, "SCRIPT_FILENAME"), format!("{}/site/environ.wsgi", apache.root().display()));
    for key in ["REMOTE_PORT", "SERVER_SOFTWARE", "CONTEXT_PREFIX", "CONTEXT_DOCUMENT_ROOT", "SERVER_ADMIN"] {
        text(&environ, key);
    }
    apache.finish();
}

#[test]
fn wsgi_keys_have_their_values() {
    let apache = need!(served());
    let environ = environ_of(&apache.get("/environ"));
    assert_eq!(environ["wsgi.version"], json!(["tuple", [1, 0]]));
    assert_eq!(environ["wsgi.url_scheme"], json!(["str", "http"]));
    assert_eq!(environ["wsgi.multithread"], json!(["bool", true]));
    assert_eq!(environ["wsgi.run_once"], json!(["bool", false]));
    assert_eq!(environ["wsgi.input_terminated"], json!(["bool", true]));
    for key in ["wsgi.errors", "wsgi.input", "wsgi.file_wrapper"] {
        assert!(environ.contains_key(key), "{key}");
    }
    apache.finish();
}

#[test]
fn multiprocess_is_true_as_soon_as_processes_is_written() {
    let setup = need!(Setup::new());
    let setup = setup.daemon("one", "threads=1").daemon("two", "processes=1 threads=2").fixture("environ");
    let apache = setup
        .config("WSGIScriptAlias /two @SITE@/environ.wsgi")
        .config("<Location /environ>\nWSGIProcessGroup one\n</Location>")
        .config("<Location /two>\nWSGIProcessGroup two\n</Location>")
        .start();
    let one = environ_of(&apache.get("/environ"));
    assert_eq!(one["wsgi.multiprocess"], json!(["bool", false]));
    assert_eq!(one["wsgi.multithread"], json!(["bool", false]));
    let two = environ_of(&apache.get("/two"));
    assert_eq!(two["wsgi.multiprocess"], json!(["bool", true]));
    assert_eq!(two["wsgi.multithread"], json!(["bool", true]));
    apache.finish();
}

#[test]
fn mod_wsgi_keys_are_there() {
    let apache = need!(served());
    let environ = environ_of(&apache.get("/environ/a"));
    assert_eq!(text(&environ, "mod_wsgi.process_group"), "app");
    let resource = format!("localhost:{}|/environ", apache.address().port());
    assert_eq!(text(&environ, "mod_wsgi.application_group"), pick("", resource.as_str()));
    assert_eq!(text(&environ, "mod_wsgi.callable_object"), "application");
    assert_eq!(text(&environ, "mod_wsgi.request_handler"), "wsgi-script");
    assert_eq!(text(&environ, "mod_wsgi.handler_script"), "");
    assert_eq!(text(&environ, "mod_wsgi.script_name"), "/environ");
    assert_eq!(text(&environ, "mod_wsgi.path_info"), "/a");
    assert_eq!(text(&environ, "mod_wsgi.listener_host"), "127.0.0.1");
    assert_eq!(text(&environ, "mod_wsgi.listener_port"), apache.address().port().to_string());
    for key in ["mod_wsgi.server_pid", "mod_wsgi.request_id"] {
        assert!(!text(&environ, key).is_empty(), "{key}");
    }
    for key in ["request_start", "queue_start", "daemon_start", "application_start"] {
        let shown = &environ[&format!("mod_wsgi.{key}")];
        assert_eq!(shown[0], "float", "{key}");
        assert!(shown[1].as_f64().is_some_and(|seconds| seconds > 1.6e9), "{key} {shown}");
    }
    assert_eq!(environ["mod_wsgi.thread_id"][0], "int");
    assert_eq!(environ["mod_wsgi.version"][0], "tuple");
    assert_eq!(environ["apache.version"][0], "tuple");
    assert!(!environ.keys().any(|key| key.starts_with("mod_wsgi.x-")));
    apache.finish();
}

#[test]
fn keys_that_are_not_for_applications_are_absent() {
    let apache = need!(served());
    let environ = environ_of(&apache.request("GET", "/environ").header("Proxy", "http://evil").send());
    let absent = [
        "PATH",
        "GATEWAY_INTERFACE",
        "PATH_TRANSLATED",
        "REMOTE_HOST",
        "SERVER_SIGNATURE",
        "HTTPS",
        "HTTP_PROXY",
    ];
    for key in absent {
        assert!(!environ.contains_key(key), "{key}");
    }
    assert!(!environ.contains_key("CONTENT_LENGTH") && !environ.contains_key("CONTENT_TYPE"));
    apache.finish();
}

#[test]
fn a_plain_request_has_these_keys_and_no_others() {
    // REMOTE_HOST stays away although httpd knows the name.
    let setup = need!(Setup::new()).one_daemon("processes=1 threads=4").fixture("environ");
    let apache = setup.config("HostnameLookups On").start();
    let environ = environ_of(&apache.request("GET", "/environ").header("X-Own", "1").send());
    let mut expected: Vec<_> =
        ALWAYS.split_whitespace().chain(pick(Some("mod_wsgi.connection_id"), None)).collect();
    expected.extend(["HTTP_CONNECTION", "HTTP_HOST", "HTTP_X_OWN"]);
    expected.sort_unstable();
    let mut keys: Vec<_> = environ.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, expected);
    apache.finish();
}

#[test]
fn request_headers_become_http_variables() {
    let apache = need!(served());
    let request = apache.request("GET", "/environ").header("X-Twice", "a").header("X-Twice", "b");
    let environ = environ_of(
        &request
            .header("Accept-Language", "de")
            .header("X_Under", "no")
            .header("X.Dot", "no")
            .header("Content-Type", "text/x")
            .send(),
    );
    assert_eq!(text(&environ, "HTTP_X_TWICE"), "a, b");
    assert_eq!(text(&environ, "HTTP_ACCEPT_LANGUAGE"), "de");
    assert_eq!(text(&environ, "CONTENT_TYPE"), "text/x");
    assert!(!environ.contains_key("HTTP_CONTENT_TYPE"));
    assert!(!environ.keys().any(|key| key.contains("UNDER") || key.contains("DOT")), "{environ:#?}");
    apache.finish();
}

#[test]
fn bytes_outside_ascii_arrive_as_latin_1() {
    let apache = need!(served());
    let request = b"GET /environ/caf%C3%A9?q=\xc3\xa9 HTTP/1.1\r\nHost: x\r\nX-Word: caf\xe9\r\nConnection: close\r\n\r\n";
    let mut connection = apache.connect();
    connection.send(request).expect("is sent");
    let response = connection.read_response("GET").expect("is answered").expect_status(200);
    let environ = environ_of(&response);
    assert_eq!(text(&environ, "PATH_INFO"), "/caf\u{c3}\u{a9}");
    assert_eq!(text(&environ, "QUERY_STRING"), "q=\u{c3}\u{a9}");
    assert_eq!(text(&environ, "HTTP_X_WORD"), "caf\u{e9}");
    apache.finish();
}

#[test]
fn slashes_collapse_in_the_paths_but_not_in_request_uri() {
    let apache = need!(served());
    let environ = environ_of(&apache.get("//environ///a//b"));
    assert_eq!(text(&environ, "SCRIPT_NAME"), "/environ");
    assert_eq!(text(&environ, "PATH_INFO"), "/a/b");
    assert_eq!(text(&environ, "REQUEST_URI"), "//environ///a//b");
    apache.finish();
}

#[test]
fn setenv_reaches_the_environ_and_not_the_process() {
    let setup = need!(Setup::new()).one_daemon("threads=2").fixture("environ").fixture("eval");
    let apache = setup.config("SetEnv SITE_SECRET blue\nSetEnvIf Request_URI . FROM_URI=yes").start();
    let environ = environ_of(&apache.get("/environ"));
    assert_eq!(text(&environ, "SITE_SECRET"), "blue");
    assert_eq!(text(&environ, "FROM_URI"), "yes");
    assert_eq!(apache.eval("/eval", "import os; result = 'SITE_SECRET' in os.environ"), json!(false));
    apache.finish();
}

#[test]
fn https_from_setenv_makes_the_scheme() {
    let apache =
        need!(Setup::new()).one_daemon("threads=2").fixture("environ").config("SetEnv HTTPS On").start();
    let environ = environ_of(&apache.get("/environ"));
    assert_eq!(environ["wsgi.url_scheme"], json!(["str", "https"]));
    assert!(!environ.contains_key("HTTPS"));
    apache.finish();
}

#[test]
fn authorization_is_passed_only_when_asked() {
    let setup = need!(Setup::new()).one_daemon("threads=2").fixture("environ");
    let apache = setup
        .config("WSGIScriptAlias /passed @SITE@/environ.wsgi")
        .config("WSGIScriptAlias /option @SITE@/environ.wsgi pass-authorization=On")
        .config("<Location /passed>\nWSGIPassAuthorization On\n</Location>")
        .start();
    let seen = |path: &str| {
        let response = apache.request("GET", path).header("Authorization", "Basic YTpi").send();
        environ_of(&response).get("HTTP_AUTHORIZATION").map(|shown| shown[1].clone())
    };
    assert_eq!(seen("/environ"), None);
    assert_eq!(seen("/passed"), Some(json!("Basic YTpi")));
    assert_eq!(seen("/option"), Some(json!("Basic YTpi")));
    apache.finish();
}

#[test]
fn every_request_has_its_own_environ() {
    let apache = need!(served());
    let first = environ_of(&apache.request("GET", "/environ").header("X-One", "1").send());
    assert!(first.contains_key("HTTP_X_ONE"));
    let second = environ_of(&apache.get("/environ"));
    assert!(!second.contains_key("HTTP_X_ONE"));
    apache.finish();
}

#[test]
fn the_authenticated_user_is_remote_user() {
    let setup = need!(Setup::new()).modules(&["auth_basic", "authn_file", "authz_user"]);
    let apache = setup
        .one_daemon("threads=2")
        .fixture("environ")
        .file("users", "ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
        .config("<Location /environ>\nAuthType Basic\nAuthName x\nAuthUserFile @ROOT@/users\nRequire valid-user\n</Location>")
        .start();
    apache.get("/environ").expect_status(401);
    let response = apache.request("GET", "/environ").header("Authorization", "Basic YW5uOnBhc3N3b3Jk").send();
    let environ = environ_of(&response.expect_status(200));
    assert_eq!(text(&environ, "REMOTE_USER"), "ann");
    assert_eq!(text(&environ, "AUTH_TYPE"), "Basic");
    assert!(!environ.contains_key("HTTP_AUTHORIZATION"));
    apache.finish();
}
