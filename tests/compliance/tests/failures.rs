//! What a client gets when an application fails, and what the log says about it.

use kit::{End, Setup, need, pick};

/// Serves `source` and expects the status for one GET, and a line of the log.
fn fails_with(source: &str, status: u16, line: &str) -> Result<(), String> {
    let apache = Setup::new()?.one_daemon("threads=2").app("app", source).fixture("hello").start();
    let response = apache.get("/app").expect_status(status);
    assert!(
        !response.text().contains("Traceback") && !response.text().contains(".wsgi"),
        "{}",
        response.text()
    );
    apache.log().wait(line);
    apache.expect_log("wsgi:error");
    // The worker still serves others.
    apache.get("/hello").expect_status(200);
    apache.finish();
    Ok(())
}

#[test]
fn an_exception_before_the_headers_is_500_with_its_traceback_in_the_log() {
    need!(fails_with(
        "def application(e, s):\n    raise ValueError('my words')\n",
        500,
        "ValueError: my words"
    ));
}

#[test]
fn an_import_error_is_500() {
    need!(fails_with("import module_that_is_not_there\n", 500, "No module named 'module_that_is_not_there'"));
}

#[test]
fn a_syntax_error_is_500() {
    need!(fails_with("def application(:\n", 500, "SyntaxError"));
}

#[test]
fn a_missing_callable_is_500() {
    need!(fails_with("app = 1\n", 500, "application"));
}

#[test]
fn a_callable_that_is_none_is_500() {
    need!(fails_with("application = 'text'\n", 500, "callable|TypeError"));
}

#[test]
fn an_application_that_returns_none_is_500() {
    need!(fails_with("def application(e, s):\n    s('200 OK', [])\n", 500, "iter|TypeError"));
}

#[test]
fn text_instead_of_bytes_is_500() {
    need!(fails_with("def application(e, s):\n    s('200 OK', [])\n    return ['text']\n", 500, "TypeError"));
}

#[test]
fn output_before_start_response_is_500() {
    need!(fails_with("def application(e, s):\n    return [b'early']\n", 500, "start_response"));
}

#[test]
fn never_calling_start_response_is_500() {
    need!(fails_with("def application(e, s):\n    return []\n", 500, "start_response"));
}

#[test]
fn system_exit_is_500_and_the_worker_lives() {
    need!(fails_with("import sys\ndef application(e, s):\n    sys.exit(3)\n", 500, "SystemExit"));
}

#[test]
fn an_exception_in_the_iteration_before_output_is_500() {
    let source = "def application(e, s):\n    s('200 OK', [])\n    yield b''\n    raise KeyError('mid')\n";
    need!(fails_with(source, 500, "KeyError: 'mid'"));
}

#[test]
fn rs_7_an_exception_in_the_stream_looks_broken() {
    let source = r#"
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "100")] if environ["QUERY_STRING"] else [])
    yield b"begin"
    raise KeyError("midway")
"#;
    let apache = serve!(source);
    apache.expect_log("wsgi:error");
    let chunked = apache.get("/app").expect_status(200);
    assert_eq!(chunked.text(), "begin");
    // mod_wsgi's daemon mode ends the response as if it were complete.
    assert_eq!(chunked.end, pick(End::Truncated, End::Chunked));
    let with_length = apache.get("/app?length").expect_status(200);
    assert_eq!((with_length.text().as_str(), with_length.end), ("begin", End::Truncated));
    apache.log().wait("KeyError: 'midway'");
    apache.finish();
}

#[test]
fn close_is_called_after_an_exception() {
    let source = r#"
class Reply:
    def __iter__(self):
        return self
    def __next__(self):
        raise ValueError("in next")
    def close(self):
        print("close was called")

def application(environ, start_response):
    start_response("200 OK", [])
    return Reply()
"#;
    let apache = serve!(source);
    apache.get("/app").expect_status(500);
    apache.log().wait("close was called");
    apache.expect_log("wsgi:error");
    apache.finish();
}

#[test]
fn an_exception_in_close_only_shows_in_the_log() {
    let source = r#"
class Reply(list):
    def close(self):
        raise ValueError("in close")

def application(environ, start_response):
    start_response("200 OK", [])
    return Reply([b"whole"])
"#;
    let apache = serve!(source);
    assert_eq!(apache.get("/app").expect_status(200).text(), "whole");
    apache.log().wait("ValueError: in close");
    apache.expect_log("wsgi:error");
    apache.finish();
}

#[test]
fn a_failed_import_is_tried_again() {
    let source = r#"
import os
if not os.path.exists("@SCRATCH@/ready"):
    raise RuntimeError("not yet")

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"now"]
"#;
    let apache = serve!(source);
    apache.get("/app").expect_status(500);
    apache.let_go("ready");
    assert_eq!(apache.get("/app").expect_status(200).text(), "now");
    apache.expect_log("wsgi:error");
    apache.finish();
}

#[test]
fn a_missing_script_is_404_and_a_folder_403() {
    let setup = need!(Setup::new()).one_daemon("threads=2").fixture("hello");
    let apache = setup
        .config("WSGIScriptAlias /gone @SITE@/gone.wsgi\nWSGIScriptAlias /dir @SITE@")
        .expect_log("wsgi:error|AH0")
        .start();
    apache.get("/gone").expect_status(404);
    apache.get("/dir/none.wsgi").expect_status(404);
    apache.get("/dir/").expect_status(403);
    apache.get("/dir/hello.wsgi/info").expect_status(200);
    apache.finish();
}

#[test]
fn an_unknown_process_group_is_500() {
    let setup = need!(Setup::new()).daemon("app", "threads=2").fixture("hello");
    let apache =
        setup.config("SetEnv GROUP nosuch\nWSGIProcessGroup %{ENV:GROUP}").expect_log("wsgi:error").start();
    apache.get("/hello").expect_status(500);
    apache.log().wait("nosuch");
    apache.finish();
}

#[test]
fn embedded_requests_are_refused_when_restricted() {
    let apache =
        need!(Setup::new()).daemon("app", "threads=2").fixture("hello").expect_log("wsgi:error").start();
    apache.get("/hello").expect_status(500);
    apache.log().wait("WSGI0143|embedded|Embedded");
    apache.finish();
}

#[test]
fn a_worker_that_dies_in_a_request_is_502_and_is_replaced() {
    let setup = need!(Setup::new())
        .one_daemon("threads=2")
        .fixture("hello")
        .app("app", "import os\ndef application(e, s):\n    os._exit(7)\n");
    let apache = setup.expect_log("wsgi:(error|warn|crit|alert)|exited|exit").start();
    apache.get("/hello").expect_status(200);
    apache.get("/app").expect_status(502);
    kit::wait_until(kit::LIMIT, "it serves again", || {
        apache.request("GET", "/hello").try_send().is_ok_and(|response| response.status == 200)
    });
    apache.finish();
}
