//! Scripts that the server asks who may come in: WSGIAccessScript, and what holds for all of them. Users and their groups are in
//! `authentication`.

use kit::{Apache, Kind, Setup, need, pick};
use serde_json::{Value, json};

const MODULES: [&str; 4] = ["auth_basic", "auth_digest", "authz_user", "authn_file"];

/// Complaints about scripts, and the lines of tracebacks.
pub const SCRIPT_LINES: &str = r"\[wsgi:error\]|AH0163|AH01[78]";

/// A page behind `/`, and `access.wsgi` beside it.
pub fn setup(config: &str) -> Result<Setup, String> {
    Ok(Setup::new()?
        .modules(&MODULES)
        .one_daemon("threads=2")
        .file("www/index.html", "the page\n")
        .file("www/other/index.html", "another page\n")
        .file("site/access.wsgi", &kit::fixture("access.wsgi"))
        .config(&format!("WSGIPythonHome @HOME@\n{config}")))
}

/// What the script has written down about its last call.
pub fn seen(apache: &Apache, function: &str) -> Value {
    serde_json::from_str(&apache.wait_scratch(&format!("{function}.json"))).expect("the script writes JSON")
}

#[test]
fn an_access_script_lets_in_and_refuses() {
    let apache = need!(setup("<Location />\nWSGIAccessScript @SITE@/access.wsgi\n</Location>")).start();
    for (query, status) in [
        ("true", 200),
        ("none", 200),
        ("false", 403),
        ("one", 403),
        ("zero", 403),
        ("yes", 403),
        ("list", 403),
        ("empty", 403),
        ("raise", 403),
    ] {
        apache.expect_log(SCRIPT_LINES);
        apache.get(&format!("/?{query}")).expect_status(status);
    }
    apache.log().wait("WSGI0055");
    apache.log().wait("WSGI0174");
    apache.log().wait("RuntimeError: on purpose");
    apache.log().wait("WSGI0057: Client denied by server configuration: '/");
    apache.finish();
}

#[test]
fn the_environ_of_an_access_script() {
    let apache = need!(setup(
        "SetEnv FROM_SETENV 1\nSetEnvIf Request_URI . FROM_SETENVIF=1\nServerAdmin webmaster@example.org\n\
         <Location />\nWSGIAccessScript @SITE@/access.wsgi\n</Location>"
    ))
    .start();
    let response = apache
        .request("GET", "/other/index.html?true")
        .header("Authorization", "Basic eDp5")
        .header("Proxy-Authorization", "Basic eDp5")
        .header("Proxy", "http://evil")
        .header("X_Under_Score", "1")
        .header("X-Name", "caf\u{e9}")
        .send();
    response.expect_status(200);
    let seen = seen(&apache, "allow_access");
    let environ = &seen["environ"];
    assert_eq!(seen["arguments"], json!(["127.0.0.1"]));
    for (key, value) in [
        ("REQUEST_METHOD", "GET"),
        ("REQUEST_URI", "/other/index.html?true"),
        ("QUERY_STRING", "true"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("SERVER_NAME", "127.0.0.1"),
        ("SERVER_ADDR", "127.0.0.1"),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("SERVER_ADMIN", "webmaster@example.org"),
        ("SERVER_SIGNATURE", ""),
        ("SCRIPT_NAME", "/other/index.html"),
        ("PATH_INFO", ""),
        ("mod_wsgi.process_group", ""),
        ("mod_wsgi.application_group", ""),
        ("HTTP_X_NAME", "caf\u{c3}\u{a9}"),
    ] {
        assert_eq!(environ[key], json!(value), "{key}");
    }
    assert_eq!(environ["SERVER_PORT"], json!(apache.address().port().to_string()));
    for absent in [
        "HTTP_AUTHORIZATION",
        "HTTP_PROXY_AUTHORIZATION",
        "FROM_SETENV",
        "FROM_SETENVIF",
        "REMOTE_HOST",
        "REMOTE_USER",
        "HTTP_X_UNDER_SCORE",
        "wsgi.input",
        "wsgi.version",
    ] {
        assert!(environ.get(absent).is_none(), "{absent} is there: {}", environ[absent]);
    }
    // CVE-2016-5387: applications are not shown it by either.
    assert_eq!(environ.get("HTTP_PROXY").is_some(), pick(false, true));
    let types = &seen["types"];
    assert_eq!((&types["mod_wsgi.version"], &types["apache.version"]), (&json!("tuple"), &json!("tuple")));
    assert!(types.get("wsgi.errors").is_some() && types.get("DOCUMENT_ROOT") == Some(&json!("str")));
    assert_eq!((&seen["https"], &seen["group"]), (&json!(0), &json!("")));
    apache.finish();
}

#[test]
fn what_an_access_script_prints_is_in_the_log() {
    let apache = need!(setup("<Location />\nWSGIAccessScript @SITE@/access.wsgi\n</Location>")).start();
    apache.expect_log("said on stderr|said on stdout");
    apache.get("/?stderr").expect_status(200);
    apache.log().wait("said on stderr");
    apache.log().wait("said on stdout");
    apache.finish();
}

#[test]
fn scripts_run_in_the_application_group_they_name() {
    let apache = need!(setup(
        "<Location />\nWSGIAccessScript @SITE@/access.wsgi application-group=mine\n</Location>\n\
         <Location /other>\nWSGIAccessScript @SITE@/access.wsgi application-group=%{SERVER}\n</Location>"
    ))
    .start();
    apache.get("/index.html?true").expect_status(200);
    let first = seen(&apache, "allow_access");
    assert_eq!(
        (&first["group"], &first["environ"]["mod_wsgi.application_group"]),
        (&json!("mine"), &json!("mine"))
    );
    apache.get("/other/index.html?true").expect_status(200);
    let server = format!("localhost:{}", apache.address().port());
    assert_eq!(seen(&apache, "allow_access")["group"], json!(server));
    apache.finish();
}

#[test]
fn a_changed_script_is_loaded_again_in_place() {
    let script = |verdict: &str| {
        format!(
            "import os\ndef allow_access(environ, host):\n    open('@SCRATCH@/pid', 'w').write(str(os.getpid()))\n    return {verdict}\n"
        )
    };
    let apache = need!(setup("<Location />\nWSGIAccessScript @SITE@/gate.wsgi\n</Location>"))
        .file("site/gate.wsgi", &script("True"))
        .start();
    apache.get("/").expect_status(200);
    let scratch = apache.scratch("pid").display().to_string();
    let worker = apache.wait_scratch("pid");
    let write = |verdict: &str, seconds: u64| {
        let path = apache.site("gate.wsgi");
        let text = script(verdict).replace("@SCRATCH@/pid", &scratch);
        std::fs::write(&path, text).expect("it can be written");
        let time = std::time::SystemTime::now() + std::time::Duration::from_secs(seconds);
        std::fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(time))
            .expect("its time can be set");
    };
    apache.expect_log(SCRIPT_LINES);
    write("False", 10);
    apache.get("/").expect_status(403);
    // What cannot be loaded lets nobody in, although a version that would is still in memory.
    write("True and (", 20);
    apache.get("/").expect_status(403);
    write("True", 30);
    apache.get("/").expect_status(200);
    if kit::server::kind() == Kind::Ours {
        assert_eq!(apache.wait_scratch("pid"), worker, "the same process");
    }
    apache.finish();
}

#[test]
fn without_reloading_a_script_stays() {
    let apache =
        need!(setup("WSGIScriptReloading Off\n<Location />\nWSGIAccessScript @SITE@/gate.wsgi\n</Location>"))
            .file("site/gate.wsgi", "def allow_access(environ, host):\n    return True\n")
            .mpm(kit::Mpm::Event)
            .start();
    apache.get("/").expect_status(200);
    std::fs::write(apache.site("gate.wsgi"), "def allow_access(environ, host):\n    return False\n")
        .expect("it can be written");
    for _ in 0..3 {
        apache.get("/").expect_status(200);
    }
    apache.finish();
}

#[test]
fn virtual_hosts_have_scripts_of_their_own() {
    let host = |name: &str, verdict: &str| {
        format!(
            "<VirtualHost *:@PORT@>\nServerName {name}\n<Location />\nWSGIAccessScript @SITE@/{verdict}.wsgi\n</Location>\n</VirtualHost>\n"
        )
    };
    let script = |verdict: &str| format!("def allow_access(environ, host):\n    return {verdict}\n");
    let apache = need!(setup(&(host("one", "yes") + &host("two", "no"))))
        .file("site/yes.wsgi", &script("True"))
        .file("site/no.wsgi", &script("False"))
        .start();
    apache.expect_log("WSGI0057");
    apache.request("GET", "/").host("one").send().expect_status(200);
    apache.request("GET", "/").host("two").send().expect_status(403);
    apache.finish();
}
