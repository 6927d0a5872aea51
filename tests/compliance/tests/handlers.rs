//! WSGI scripts without an alias: AddHandler, SetHandler, media types, rules, and the folders that permit it.

use kit::{Apache, Setup, need};
use serde_json::json;

const PATHS: &str = r#"
import json

def application(environ, start_response):
    keys = ["SCRIPT_NAME", "PATH_INFO", "mod_wsgi.request_handler", "mod_wsgi.process_group", "mod_wsgi.handler_script"]
    seen = [environ[key] for key in keys] + [environ["SCRIPT_FILENAME"].rpartition("/")[2]]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
"#;

fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2").file("site/one.wsgi", PATHS).file("site/two.py", PATHS);
    Ok(setup.file("site/deep/three.wsgi", PATHS).file("www/four.wsgi", PATHS))
}

#[track_caller]
fn serves(apache: &Apache, target: &str, script_name: &str, info: &str, handler: &str, file: &str) {
    let seen = apache.get(target).expect_status(200).json();
    assert_eq!(seen, json!([script_name, info, handler, "app", "", file]), "{target}");
}

#[test]
fn add_handler_makes_scripts_where_a_folder_permits_it() {
    let apache = need!(setup())
        .config("Alias /open @SITE@\nAddHandler wsgi-script .wsgi")
        .config("<Directory @SITE@>\nOptions +ExecCGI\n</Directory>")
        .start();
    serves(&apache, "/open/one.wsgi/x", "/open/one.wsgi", "/x", "wsgi-script", "one.wsgi");
    serves(&apache, "/open/deep/three.wsgi", "/open/deep/three.wsgi", "", "wsgi-script", "three.wsgi");
    assert!(apache.get("/open/two.py").expect_status(200).text().contains("def application"), "no script");
    apache.finish();
}

#[test]
fn a_location_may_permit_it() {
    let apache = need!(setup())
        .config("Alias /open @SITE@\nAlias /closed @SITE@\nAddHandler wsgi-script .wsgi")
        .config("<Location /open>\nOptions +ExecCGI\n</Location>\n<Location /closed>\nOptions -ExecCGI\n</Location>")
        .start();
    serves(&apache, "/open/one.wsgi", "/open/one.wsgi", "", "wsgi-script", "one.wsgi");
    apache.get("/closed/one.wsgi").expect_status(403);
    apache.log().wait("WSGI0134");
    apache.finish();
}

#[test]
fn files_below_the_document_root_may_be_scripts() {
    let apache = need!(setup())
        .config(
            "<Directory @ROOT@/www>\nOptions ExecCGI\nAddType application/x-httpd-wsgi .wsgi\n</Directory>",
        )
        .start();
    serves(&apache, "/four.wsgi/a/b", "/four.wsgi", "/a/b", "application/x-httpd-wsgi", "four.wsgi");
    apache.finish();
}

#[test]
fn set_handler_makes_one_file_a_script() {
    let apache = need!(setup())
        .config("Alias /open @SITE@\n<Directory @SITE@>\nOptions +ExecCGI\n<Files two.py>\nSetHandler wsgi-script\n</Files>\n</Directory>")
        .start();
    serves(&apache, "/open/two.py/x", "/open/two.py", "/x", "wsgi-script", "two.py");
    assert!(apache.get("/open/one.wsgi").expect_status(200).text().contains("def application"));
    apache.finish();
}

#[test]
fn a_rule_may_choose_the_handler() {
    let apache = need!(setup())
        .config("Alias /files @SITE@\n<Directory @SITE@>\nOptions +ExecCGI\nRewriteEngine On\nRewriteRule \\.wsgi - [H=wsgi-script]\n</Directory>")
        .start();
    serves(&apache, "/files/one.wsgi/x", "/files/one.wsgi", "/x", "wsgi-script", "one.wsgi");
    apache.finish();
}

#[test]
fn a_script_may_be_the_index_of_a_folder() {
    let apache = need!(setup())
        .config("Alias /folder @SITE@\nDirectoryIndex one.wsgi\n<Directory @SITE@>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Directory>")
        .start();
    serves(&apache, "/folder/", "/folder/one.wsgi", "", "wsgi-script", "one.wsgi");
    apache.finish();
}

#[test]
fn every_virtual_host_has_its_own_scripts() {
    let host = |name: &str, folder: &str| {
        format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}.test\nDocumentRoot @ROOT@/{folder}\nWSGIProcessGroup {name}\n\
             <Directory @ROOT@/{folder}>\nOptions ExecCGI\nSetHandler wsgi-script\n</Directory>\n</VirtualHost>"
        )
    };
    let setup = need!(Setup::new()).daemon("a", "threads=2").daemon("b", "threads=2");
    let apache = setup
        .file("sa/x.wsgi", PATHS)
        .file("sb/x.wsgi", PATHS)
        .config(&host("a", "sa"))
        .config(&host("b", "sb"))
        .start();
    for name in ["a", "b"] {
        let response = apache.request("GET", "/x.wsgi").host(&format!("{name}.test")).send();
        assert_eq!(response.expect_status(200).json()[3], name);
    }
    apache.finish();
}

const HANDLER: &str = r#"
import json

def handle_request(environ, start_response):
    keys = ["SCRIPT_NAME", "PATH_INFO", "mod_wsgi.request_handler", "mod_wsgi.callable_object", "mod_wsgi.process_group"]
    seen = [environ[key] for key in keys]
    seen += [environ[key].rpartition("/")[2] for key in ("mod_wsgi.handler_script", "SCRIPT_FILENAME")]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]
"#;

fn handled() -> Result<Setup, String> {
    let setup =
        Setup::new()?.one_daemon("threads=2").file("lib/handler.py", HANDLER).file("www/page.tmpl", "text");
    Ok(setup.config("WSGIHandlerScript templates @ROOT@/lib/handler.py"))
}

#[test]
fn a_handler_script_stands_for_files() {
    let apache = need!(handled()).config("AddHandler templates .tmpl").file("www/plain.txt", "plain").start();
    for (target, script_name, info, file) in [
        ("/page.tmpl", "/page.tmpl", "", "page.tmpl"),
        ("/page.tmpl/a/b", "/page.tmpl", "/a/b", "page.tmpl"),
        // The file need not be there.
        ("/none.tmpl", "/none.tmpl", "", "none.tmpl"),
    ] {
        let seen = apache.get(target).expect_status(200).json();
        let expected = [script_name, info, "templates", "handle_request", "app", "handler.py", file];
        assert_eq!(seen, json!(expected), "{target}");
    }
    assert_eq!(apache.get("/plain.txt").expect_status(200).text(), "plain");
    apache.finish();
}

#[test]
fn set_handler_names_a_handler_script() {
    let apache = need!(handled())
        .config("<Location /virtual>\nSetHandler templates\n</Location>")
        .config("WSGIHandlerScript other @ROOT@/lib/handler.py process-group=two application-group=%{GLOBAL}")
        .daemon("two", "threads=2")
        .config("<Location /other>\nSetHandler other\n</Location>")
        .start();
    let seen = apache.get("/virtual/x").expect_status(200).json();
    assert_eq!((&seen[2], &seen[4], &seen[5]), (&json!("templates"), &json!("app"), &json!("handler.py")));
    assert_eq!(apache.get("/other").expect_status(200).json()[4], "two");
    apache.finish();
}

#[test]
fn an_inner_handler_script_wins() {
    let inner = HANDLER.replace("seen = [", "seen = ['inner'] + [");
    let apache = need!(handled())
        .file("lib/inner.py", &inner)
        .config("AddHandler templates .tmpl\n<Location /page.tmpl>\nWSGIHandlerScript templates @ROOT@/lib/inner.py\n</Location>")
        .start();
    assert_eq!(apache.get("/page.tmpl").expect_status(200).json()[0], "inner");
    assert_eq!(apache.get("/none.tmpl").expect_status(200).json()[0], "/none.tmpl");
    apache.finish();
}

#[test]
fn a_handler_script_is_asked_whether_to_reload_for_the_file() {
    let source = r#"
loads = 0
asked = []

def reload_required(resource):
    asked.append(resource.rpartition("/")[2])
    return False

def handle_request(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [",".join(asked).encode()]
"#;
    let apache = need!(Setup::new())
        .one_daemon("threads=2")
        .file("lib/handler.py", source)
        .config("WSGIHandlerScript templates @ROOT@/lib/handler.py application-group=%{GLOBAL}\nAddHandler templates .tmpl")
        .start();
    apache.get("/first.tmpl").expect_status(200);
    assert!(apache.get("/second.tmpl").expect_status(200).text().ends_with("second.tmpl"));
    apache.finish();
}

/// A name that is not UTF-8 is one as Python's own functions for files give it.
#[test]
fn names_of_files_come_in_the_encoding_of_the_file_system() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let source = r#"
import os

def handle_request(environ, start_response):
    name = environ["SCRIPT_FILENAME"]
    seen = [os.path.exists(name), os.fsencode(name).rpartition(b"/")[2], environ["SCRIPT_NAME"].encode("latin-1")]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [repr(seen).encode()]
"#;
    let setup = need!(Setup::new())
        .one_daemon("threads=2 lang=C.UTF-8 locale=C.UTF-8")
        .file("lib/handler.py", source)
        .config("WSGIHandlerScript templates @ROOT@/lib/handler.py application-group=%{GLOBAL}\nAddHandler templates .tmpl");
    for name in [&b"caf\xe9.tmpl"[..], "caf\u{e9}.tmpl".as_bytes()] {
        std::fs::write(setup.root().join("www").join(OsStr::from_bytes(name)), "")
            .expect("the folder is ours");
    }
    let apache = setup.start();
    for (target, name) in [("/caf%E9.tmpl", r"caf\xe9.tmpl"), ("/caf%C3%A9.tmpl", r"caf\xc3\xa9.tmpl")] {
        let seen = apache.get(target).expect_status(200).text();
        assert_eq!(seen, format!("[True, b'{name}', b'/{name}']"), "{target}");
    }
    apache.finish();
}
