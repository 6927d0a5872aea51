//! WSGI scripts that no alias leads to: files with the handler `wsgi-script` where `Options ExecCGI` holds.

use kit::{Setup, need};
use serde_json::json;

const PATHS: &str = r#"
import json

def application(environ, start_response):
    start_response("200 OK", [])
    seen = [environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["mod_wsgi.process_group"]]
    return [json.dumps(seen).encode()]
"#;

/// The script lies below the document root and, for aliases, elsewhere.
fn setup() -> Result<Setup, String> {
    let setup = Setup::new()?.one_daemon("threads=2");
    Ok(setup
        .file("www/apps/app.wsgi", PATHS)
        .file("site/more/app.wsgi", PATHS)
        .file("www/apps/note.txt", "text"))
}

const DIRECTORY: &str =
    "<Directory @ROOT@/www/apps>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Directory>";

/// Configurations that make scripts, and the URL of one.
const GOOD: &[(&str, &str)] = &[
    (DIRECTORY, "/apps/app.wsgi"),
    (
        "<Directory @ROOT@/www/apps>\nOptions ExecCGI\n<Files *.wsgi>\nSetHandler wsgi-script\n</Files>\n</Directory>",
        "/apps/app.wsgi",
    ),
    (
        "<Directory @ROOT@/www/apps>\nOptions +ExecCGI\nAddType application/x-httpd-wsgi .wsgi\n</Directory>",
        "/apps/app.wsgi",
    ),
    (
        "AddHandler wsgi-script .wsgi\n<Directory @ROOT@/www>\nOptions +ExecCGI\n</Directory>",
        "/apps/app.wsgi",
    ),
    (
        "<DirectoryMatch ^@ROOT@/w+/apps>\nOptions +ExecCGI\nSetHandler wsgi-script\n</DirectoryMatch>",
        "/apps/app.wsgi",
    ),
    ("<Directory @ROOT@/w*/apps>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Directory>", "/apps/app.wsgi"),
    ("<Directory @ROOT@/w?w/*>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Directory>", "/apps/app.wsgi"),
    (
        "<Directory @ROOT@/*/[a-b]pps>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Directory>",
        "/apps/app.wsgi",
    ),
    ("<Location /apps>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Location>", "/apps/app.wsgi"),
    ("<LocationMatch ^/ap+s>\nOptions +ExecCGI\nSetHandler wsgi-script\n</LocationMatch>", "/apps/app.wsgi"),
    (
        "Alias /more @SITE@/more\n<Location /more>\nOptions +ExecCGI\nSetHandler wsgi-script\n</Location>",
        "/more/app.wsgi",
    ),
    ("Alias /more @SITE@/more\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi", "/more/app.wsgi"),
    (
        "<Directory @SITE@/more>\nOptions +ExecCGI\nAddHandler wsgi-script .wsgi\n</Directory>\nRewriteEngine On\n\
         RewriteRule ^/rewritten/(.*)$ @SITE@/more/$1",
        "/rewritten/app.wsgi",
    ),
    (
        "<IfModule wsgi_module>\n<IfDefine !NOT>\n<Directory @ROOT@/www/apps>\nOptions +ExecCGI\nSetHandler wsgi-script\n\
         </Directory>\n</IfDefine>\n</IfModule>",
        "/apps/app.wsgi",
    ),
];

#[test]
fn a_handler_and_exec_cgi_make_scripts_wherever_the_configuration_says_so() {
    for (config, url) in GOOD {
        let apache = need!(setup()).config(config).start();
        assert_eq!(
            apache.get(&format!("{url}/x")).expect_status(200).json(),
            json!([url, "/x", "app"]),
            "{config}"
        );
        apache.finish();
    }
}

#[test]
fn a_virtual_host_has_its_own_places() {
    let host = |name: &str, inside: &str| {
        format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}\nDocumentRoot @ROOT@/www\n{inside}\n</VirtualHost>"
        )
    };
    let apache = need!(setup())
        .daemon("other", "threads=1")
        .config(&host("plain.test", ""))
        .config(&host("own.test", &format!("WSGIProcessGroup other\n{DIRECTORY}")))
        .start();
    let url = "/apps/app.wsgi";
    let own = apache.request("GET", url).host("own.test").send();
    assert_eq!(own.expect_status(200).json(), json!([url, "", "other"]));
    let plain = apache.request("GET", url).host("plain.test").send();
    assert!(plain.expect_status(200).text().contains("def application"), "a file like any other");
    apache.finish();
}

#[test]
fn the_innermost_directory_names_the_process_group() {
    let apache = need!(setup())
        .daemon("inner", "threads=1")
        .daemon("outer", "threads=1")
        .config(DIRECTORY)
        .config("<Directory @ROOT@/www>\nWSGIProcessGroup outer\n</Directory>")
        .config("<Directory @ROOT@/www/apps>\nWSGIProcessGroup inner\n</Directory>")
        .start();
    assert_eq!(apache.get("/apps/app.wsgi").expect_status(200).json()[2], "inner");
    apache.finish();
}

#[test]
fn other_files_stay_what_they_are_and_scripts_need_exec_cgi() {
    let apache = need!(setup())
        .config("AddHandler wsgi-script .wsgi\nAlias /more @SITE@/more")
        .config("<Directory @ROOT@/www/apps>\nOptions +ExecCGI\n</Directory>")
        .expect_log("WSGI0134|WSGI0135|AH0")
        .start();
    assert_eq!(apache.get("/apps/note.txt").expect_status(200).text(), "text");
    apache.get("/more/app.wsgi").expect_status(403);
    apache.get("/apps/none.wsgi").expect_status(404);
    apache.finish();
}
