//! The checks before an application is asked, their order and their statuses (reference 3.2).

use std::os::unix::fs::symlink;

use kit::{Setup, need};

const HELLO: &str = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"#;

fn setup() -> Result<Setup, String> {
    Ok(Setup::new()?.one_daemon("threads=2").app("app", HELLO))
}

#[test]
fn a_script_that_is_not_there_is_404() {
    let apache = need!(setup()).config("WSGIScriptAlias /gone @SITE@/gone.wsgi").start();
    apache.get("/gone").expect_status(404);
    apache.get("/gone/x").expect_status(404);
    apache.log().wait("WSGI0135");
    apache.finish();
}

#[test]
fn a_folder_is_403() {
    let apache = need!(setup()).config("WSGIScriptAlias /folder @SITE@").start();
    apache.get("/folder/").expect_status(403);
    apache.log().wait("WSGI0136");
    apache.get("/folder/app.wsgi/x").expect_status(200);
    apache.finish();
}

#[test]
fn a_path_behind_the_script_can_be_forbidden() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /strict @SITE@/strict.wsgi")
        .config("<Files strict.wsgi>\nAcceptPathInfo Off\n</Files>")
        .file("site/strict.wsgi", HELLO)
        .start();
    apache.get("/strict").expect_status(200);
    apache.get("/strict/").expect_status(404);
    apache.get("/strict/x").expect_status(404);
    apache.log().wait("WSGI0137");
    apache.get("/app/x").expect_status(200);
    apache.finish();
}

#[test]
fn path_info_is_accepted_without_being_asked_and_when_asked() {
    for accept in ["Default", "On"] {
        let apache = need!(setup()).config(&format!("AcceptPathInfo {accept}")).start();
        apache.get("/app/x/y").expect_status(200);
        apache.finish();
    }
}

#[test]
fn a_script_behind_a_symbolic_link_needs_the_option() {
    for (options, status) in [("None", 403), ("FollowSymLinks", 200), ("SymLinksIfOwnerMatch", 200)] {
        let setup = need!(setup()).config(&format!("<Directory @SITE@>\nOptions {options}\n</Directory>"));
        let setup = setup.config("WSGIScriptAlias /linked @SITE@/linked.wsgi");
        let site = setup.root().join("site");
        symlink(site.join("app.wsgi"), site.join("linked.wsgi")).expect("the folder is ours");
        let apache = setup.start();
        apache.expect_log("AH00037|AH00032|not allowed");
        apache.get("/linked").expect_status(status);
        apache.get("/linked/x").expect_status(status);
        apache.get("/app/x").expect_status(200);
        apache.finish();
    }
}

#[test]
fn sections_about_the_script_hold_with_and_without_a_path_behind_it() {
    let apache = need!(setup())
        .config("<Files app.wsgi>\nRequire all denied\n</Files>\nWSGIScriptAlias /open @SITE@/open.wsgi")
        .file("site/open.wsgi", HELLO)
        .start();
    apache.expect_log("AH01630");
    for (target, status) in [("/app", 403), ("/app/", 403), ("/app/open.wsgi", 403), ("/open/app.wsgi", 200)]
    {
        apache.get(target).expect_status(status);
    }
    apache.finish();
}

#[test]
fn a_broken_content_length_is_400() {
    let apache = need!(setup()).start();
    apache.expect_log("AH0|wsgi:error");
    for length in ["-1", "x", "1x", "99999999999999999999"] {
        let mut connection = apache.connect();
        let request =
            format!("POST /app HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        connection.send(request).expect("is sent");
        connection.read_response("POST").expect("is answered").expect_status(400);
    }
    apache.finish();
}

#[test]
fn a_body_above_the_limit_is_413() {
    let apache = need!(setup()).config("LimitRequestBody 10").start();
    apache.expect_log("AH0|wsgi:error");
    apache.post("/app", "0123456789").expect_status(200);
    apache.post("/app", "0123456789a").expect_status(413);
    apache.finish();
}

/// The file is looked at before the request's body: who asks for a script that is not there hears 404, whatever he sends.
#[test]
fn the_script_is_checked_before_the_body() {
    let apache = need!(setup())
        .config("WSGIScriptAlias /gone @SITE@/gone.wsgi")
        .config("Alias /closed @SITE@\n<Location /closed>\nSetHandler wsgi-script\n</Location>")
        .expect_log("AH0|wsgi:error")
        .start();
    let send = |target: &str, header: &str| {
        let mut connection = apache.connect();
        let request =
            format!("POST {target} HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n0\r\n\r\n");
        connection.send(request).expect("is sent");
        connection.read_response("POST").expect("is answered").status
    };
    assert_eq!(send("/closed/none.wsgi", "Transfer-Encoding: chunked"), 403);
    assert_eq!(send("/gone", "Transfer-Encoding: chunked"), 404);
    assert_eq!(send("/app", "Transfer-Encoding: chunked"), 411);
    apache.finish();
}

#[test]
fn a_handler_without_an_alias_needs_exec_cgi() {
    let apache = need!(setup())
        .config("Alias /plain @SITE@\n<Location /plain>\nOptions None\nSetHandler wsgi-script\n</Location>")
        .start();
    apache.get("/plain/app.wsgi").expect_status(403);
    apache.log().wait("WSGI0134");
    apache.finish();
}
