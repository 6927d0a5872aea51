//! Process groups, application groups and the names that are worked out for each request.

use kit::{Apache, Setup, need, pick};
use serde_json::{Value, json};

const WHERE: &str = r#"
import json, os

count = 0

def application(environ, start_response):
    global count
    count += 1
    import mod_wsgi
    seen = {"process": environ["mod_wsgi.process_group"], "application": environ["mod_wsgi.application_group"],
            "module": [mod_wsgi.process_group, mod_wsgi.application_group], "pid": os.getpid(), "count": count,
            "callable": environ["mod_wsgi.callable_object"]}
    start_response("200 OK", [])
    return [json.dumps(seen).encode()]

def other(environ, start_response):
    start_response("200 OK", [])
    return [b'{"callable": "other was called"}']
"#;

fn seen(apache: &Apache, path: &str) -> Value {
    apache.get(path).expect_status(200).json()
}

fn setup() -> Result<Setup, String> {
    Ok(Setup::new()?.daemon("one", "threads=2").daemon("two", "threads=2").app("app", WHERE))
}

fn location(path: &str, directives: &str) -> String {
    format!(
        "WSGIScriptAlias /{path} @SITE@/app.wsgi\n<Location /{path}>\nWSGIProcessGroup one\n{directives}\n</Location>"
    )
}

#[test]
fn requests_run_in_the_group_of_their_location() {
    let apache = need!(setup())
        .config(&location("first", ""))
        .config(&location("second", "WSGIProcessGroup two"))
        .config("WSGIScriptAlias /third @SITE@/app.wsgi process-group=two application-group=%{GLOBAL}")
        .start();
    let (first, second, third) = (seen(&apache, "/first"), seen(&apache, "/second"), seen(&apache, "/third"));
    assert_eq!(
        (&first["process"], &second["process"], &third["process"]),
        (&json!("one"), &json!("two"), &json!("two"))
    );
    assert_ne!(first["pid"], second["pid"]);
    assert_eq!(second["pid"], third["pid"]);
    apache.finish();
}

#[test]
fn application_groups_are_worked_out() {
    let apache = need!(setup())
        .config(&location("global", "WSGIApplicationGroup %{GLOBAL}"))
        .config(&location("resource", "WSGIApplicationGroup %{RESOURCE}"))
        .config(&location("server", "WSGIApplicationGroup %{SERVER}"))
        .config(&location("host", "WSGIApplicationGroup %{HOST}"))
        .config(&location("named", "WSGIApplicationGroup mine"))
        .config(&location("env", "SetEnvIf Request_URI . CHOSEN=chosen\nWSGIApplicationGroup %{ENV:CHOSEN}"))
        .start();
    let port = apache.address().port();
    for (path, expected) in [
        ("/global", String::new()),
        ("/resource/x", format!("localhost:{port}|/resource")),
        ("/server", format!("localhost:{port}")),
        ("/host", format!("127.0.0.1:{port}")),
        ("/named", "mine".to_owned()),
        ("/env", "chosen".to_owned()),
    ] {
        let seen = seen(&apache, path);
        assert_eq!(seen["application"], json!(expected), "{path}");
        assert_eq!(seen["module"], json!(["one", expected]), "{path}");
    }
    apache.finish();
}

#[test]
fn interpreters_do_not_share_modules() {
    let apache = need!(setup())
        .config(&location("a", "WSGIApplicationGroup a"))
        .config(&location("b", "WSGIApplicationGroup b"))
        .config(&location("a2", "WSGIApplicationGroup a"))
        .start();
    assert_eq!(seen(&apache, "/a")["count"], 1);
    assert_eq!(seen(&apache, "/a")["count"], 2);
    assert_eq!(seen(&apache, "/b")["count"], 1);
    // The same script in the same interpreter is one module.
    assert_eq!(seen(&apache, "/a2")["count"], 3);
    apache.finish();
}

#[test]
fn with_several_applications_in_a_group_each_has_its_interpreter() {
    let second = "WSGIScriptAlias /b @SITE@/second.wsgi\n<Location /b>\nWSGIProcessGroup one\n</Location>";
    let setup = need!(setup()).file("site/second.wsgi", WHERE).config(&location("a", "")).config(second);
    let apache = setup.start();
    let port = apache.address().port();
    assert_eq!(seen(&apache, "/a")["application"], json!(format!("localhost:{port}|/a")));
    assert_eq!(seen(&apache, "/b")["application"], json!(format!("localhost:{port}|/b")));
    apache.finish();
}

#[test]
fn a_group_with_one_application_uses_the_main_interpreter() {
    let apache = need!(Setup::new()).one_daemon("threads=2").app("app", WHERE).start();
    let resource = format!("localhost:{}|/app", apache.address().port());
    assert_eq!(seen(&apache, "/app")["application"], json!(pick("", resource.as_str())));
    apache.finish();
}

#[test]
fn process_groups_are_worked_out() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /env @SITE@/app.wsgi\nSetEnv GROUP two")
        .config("<Location /env>\nWSGIProcessGroup %{ENV:GROUP}\n</Location>")
        .start();
    assert_eq!(seen(&apache, "/env")["process"], "two");
    apache.finish();
}

#[test]
fn a_group_may_be_called_like_the_server() {
    let setup = need!(Setup::new()).app("app", WHERE);
    let apache = setup
        .config("WSGIScriptAlias /server @SITE@/app.wsgi")
        .config(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName site.test:80\nWSGIDaemonProcess site.test python-home=@HOME@ threads=2\n\
             WSGIProcessGroup %{SERVER}\n</VirtualHost>",
        )
        .config("UseCanonicalName Off")
        .start();
    let response = apache.request("GET", "/server").host("site.test").send();
    assert_eq!(response.expect_status(200).json()["process"], "site.test");
    apache.finish();
}

#[test]
fn the_callable_is_chosen() {
    let apache = need!(setup())
        .config(&location("default", ""))
        .config(&location("directive", "WSGICallableObject other"))
        .config("SetEnv WHICH other")
        .config(&location("env", "WSGICallableObject %{ENV:WHICH}"))
        .config("WSGIScriptAlias /option @SITE@/app.wsgi process-group=one callable-object=other")
        .start();
    assert_eq!(seen(&apache, "/default")["callable"], "application");
    for path in ["/directive", "/env", "/option"] {
        assert_eq!(seen(&apache, path)["callable"], "other was called", "{path}");
    }
    apache.finish();
}

#[test]
fn each_process_serves_and_has_its_threads() {
    let source = r#"
import json, os, threading
barrier = threading.Barrier(3)

def application(environ, start_response):
    barrier.wait(10)
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;
    let apache = need!(Setup::new()).one_daemon("processes=1 threads=3").app("app", source).start();
    let address = apache.address();
    let clients: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(move || kit::Request::new(address, "GET", "/app").send()))
        .collect();
    for client in clients {
        client.join().expect("three requests run at once").expect_status(200);
    }
    apache.finish();
}

#[test]
fn the_options_of_a_group_are_in_force() {
    let setup = need!(Setup::new()).fixture("eval").file("lib/helper.py", "WORD = 'found'\n");
    let apache = setup
        .one_daemon("threads=1 home=@SCRATCH@ umask=027 lang=C.UTF-8 locale=C.UTF-8 python-path=@ROOT@/lib python-eggs=@SCRATCH@/eggs")
        .start();
    let code = r#"
import os, sys, helper
mask = os.umask(0o77)
os.umask(mask)
result = {"cwd": os.getcwd(), "umask": mask, "LANG": os.environ.get("LANG"), "LC_ALL": os.environ.get("LC_ALL"),
          "eggs": os.environ.get("PYTHON_EGG_CACHE"), "helper": helper.WORD, "prefix": sys.prefix}
"#;
    let root = apache.root().display().to_string();
    let home = kit::Server::under_test().expect("was found before").python_home.display().to_string();
    let expected = json!({
        "cwd": format!("{root}/scratch"), "umask": 0o27, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
        "eggs": format!("{root}/scratch/eggs"), "helper": "found", "prefix": home
    });
    assert_eq!(apache.eval("/eval", code), expected);
    apache.finish();
}

#[test]
fn a_group_of_another_virtual_host_may_not_be_used() {
    let setup = need!(Setup::new()).app("app", WHERE);
    let host = |name: &str, more: &str| {
        format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}\n{more}\nWSGIProcessGroup private\n</VirtualHost>\n"
        )
    };
    let apache = setup
        .config(&host(
            "a.test",
            "WSGIDaemonProcess private python-home=@HOME@ threads=2\nErrorLog @ROOT@/logs/a.log",
        ))
        .config(&host("b.test", "ErrorLog @ROOT@/logs/b.log"))
        .start();
    apache.request("GET", "/app").host("a.test").send().expect_status(200);
    apache.request("GET", "/app").host("b.test").send().expect_status(500);
    apache.finish();
}

/// Among the names that the configuration gives for the script: workers of ours know no others.
#[test]
fn notes_of_other_modules_win() {
    let lua = r#"
function note(r)
  if r.uri == "/app/noted" then
    r.notes["mod_wsgi.application_group"] = "noted"
    r.notes["mod_wsgi.callable_object"] = "other"
  end
  if r.uri == "/app/two" then
    r.notes["mod_wsgi.process_group"] = "two"
  end
  return apache2.DECLINED
end
"#;
    let apache = need!(setup())
        .modules(&["lua"])
        .file("note.lua", lua)
        .config("LuaHookFixups @ROOT@/note.lua note\nWSGIProcessGroup one\nWSGIApplicationGroup mine")
        .config("<Location /app/elsewhere>\nWSGIProcessGroup two\nWSGIApplicationGroup noted\n</Location>")
        .start();
    let plain = seen(&apache, "/app");
    assert_eq!((&plain["process"], &plain["application"]), (&json!("one"), &json!("mine")));
    assert_eq!(seen(&apache, "/app/noted")["callable"], "other was called");
    let noted = seen(&apache, "/app/two");
    assert_eq!((&noted["process"], &noted["application"]), (&json!("two"), &json!("mine")));
    apache.finish();
}

#[test]
fn the_case_of_a_path_counts_unless_it_is_said_not_to() {
    for (line, name) in
        [("", "/App/X"), ("WSGICaseSensitivity On", "/App/X"), ("WSGICaseSensitivity Off", "/app/x")]
    {
        let setup = need!(setup())
            .config(line)
            .config("WSGIProcessGroup one\nWSGIScriptAlias /App/X @SITE@/app.wsgi\nWSGIScriptAlias /APP/X @SITE@/app.wsgi");
        let apache = setup.config("WSGIApplicationGroup %{RESOURCE}").start();
        let group = |name: &str| json!(format!("localhost:{}|{name}", apache.address().port()));
        assert_eq!(seen(&apache, "/App/X/y")["application"], group(name), "{line}");
        let shout = if name == "/app/x" { name } else { "/APP/X" };
        assert_eq!(seen(&apache, "/APP/X/y")["application"], group(shout), "{line}");
        apache.finish();
    }
}
