//! print, sys.stderr and wsgi.errors: into which ErrorLog, at which level, in which pieces.

use kit::{Setup, need, pick};

const PRINTS: &str = r#"
import sys

def application(environ, start_response):
    word = environ["QUERY_STRING"]
    print(word, "by print")
    print(word, "by stderr", file=sys.stderr)
    print(word, "by errors", file=environ["wsgi.errors"])
    environ["wsgi.errors"].write(word + " part one, ")
    environ["wsgi.errors"].write("part two\n" + word + " next line\n")
    environ["wsgi.errors"].writelines([word + " a\n", word + " b\n"])
    environ["wsgi.errors"].write(word + " without newline")
    start_response("200 OK", [])
    return [b"logged"]
"#;

#[test]
fn each_line_becomes_one_record_of_level_error() {
    let apache = serve!(PRINTS);
    apache.expect_log("apple");
    apache.get("/app?apple").expect_status(200);
    let said = [
        "by print",
        "by stderr",
        "by errors",
        "part one, part two",
        "next line",
        "a",
        "b",
        "without newline",
    ];
    for words in said {
        let line = apache.log().wait(&format!("apple {words}$"));
        assert!(line.contains("[wsgi:error]"), "{line}");
        assert!(line.contains("[client 127.0.0.1:") || line.contains("[remote 127.0.0.1:"), "{line}");
    }
    apache.finish();
}

#[test]
fn lines_go_to_the_error_log_of_the_virtual_host() {
    let host = |name: &str| {
        format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName {name}.test\nErrorLog @ROOT@/logs/{name}.log\n\
             WSGIScriptAlias /app @SITE@/app.wsgi\nWSGIProcessGroup app\n</VirtualHost>\n"
        )
    };
    let setup = need!(Setup::new()).daemon("app", "threads=2").app("app", PRINTS);
    let apache = setup.config(&(host("one") + &host("two"))).start();
    for name in ["one", "two"] {
        apache
            .request("GET", &format!("/app?pear-{name}"))
            .host(&format!("{name}.test"))
            .send()
            .expect_status(200);
    }
    for (name, other) in [("one", "two"), ("two", "one")] {
        let path = apache.root().join(format!("logs/{name}.log"));
        let text = kit::wait_for(kit::LIMIT, "the virtual host's log is written", || {
            std::fs::read_to_string(&path).ok().filter(|text| text.contains("without newline"))
        });
        for words in ["by print", "by stderr", "by errors"] {
            assert!(text.contains(&format!("pear-{name} {words}")), "{name}.log lacks {words}:\n{text}");
        }
        assert!(!text.contains(&format!("pear-{other}")), "{text}");
    }
    assert!(!apache.log().text().contains("pear-"), "{}", apache.log().text());
    apache.finish();
}

#[test]
fn control_characters_are_escaped_in_the_log() {
    let source = r#"
def application(environ, start_response):
    print("bell\x07 escape\x1b[31m carriage\rreturn end-of-it", file=environ["wsgi.errors"])
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.expect_log("wsgi:error");
    apache.get("/app").expect_status(200);
    apache.log().wait("end-of-it");
    let text = apache.log().text();
    assert!(!text.contains('\x1b') && !text.contains('\x07'), "{text:?}");
    apache.finish();
}

#[test]
fn text_outside_ascii_is_logged_as_utf_8() {
    let source = "def application(e, s):\n    print('caf\\u00e9 \\u2603 \\udcff', file=e['wsgi.errors'])\n    s('200 OK', [])\n    return []\n";
    let apache = serve!(source);
    apache.expect_log("caf");
    apache.get("/app").expect_status(200);
    // httpd escapes bytes outside ASCII in its log.
    apache.log().wait(r"caf(é|\\xc3\\xa9) (☃|\\xe2\\x98\\x83) \?");
    apache.finish();
}

#[test]
fn writing_after_the_request_is_an_error() {
    let source = r#"
kept = []

def application(environ, start_response):
    said = "first"
    for errors in kept:
        try:
            errors.write("late\n")
            said = "no error"
        except Exception as error:
            said = type(error).__name__
    kept[:] = [environ["wsgi.errors"]]
    start_response("200 OK", [])
    return [said.encode()]
"#;
    let apache = serve!(source);
    apache.get("/app");
    assert_eq!(apache.get("/app").text(), "RuntimeError");
    assert!(!apache.log().text().contains("late"));
    apache.finish();
}

#[test]
fn output_at_import_and_of_own_threads_is_logged() {
    let source = r#"
import threading
print("said at import")

def application(environ, start_response):
    thread = threading.Thread(target=lambda: print("said by a thread"))
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.get("/app").expect_status(200);
    apache.log().wait("said at import");
    apache.log().wait("said by a thread");
    apache.finish();
}

#[test]
fn log_level_of_the_server_applies() {
    let setup = need!(Setup::new()).one_daemon("threads=2").app("app", PRINTS);
    let apache = setup.config("LogLevel wsgi:crit").start();
    apache.get("/app?plum").expect_status(200);
    apache.get("/app?plum").expect_status(200);
    assert!(!apache.log().text().contains("plum"), "{}", apache.log().text());
    apache.finish();
}

#[test]
fn the_objects_look_like_files() {
    let source = r#"
import json, sys

def application(environ, start_response):
    errors = environ["wsgi.errors"]
    errors.flush()
    seen = [errors.encoding, errors.isatty(), errors.writable(), errors.readable(), errors.closed]
    seen.append([sys.stdout.isatty(), sys.stderr.encoding])
    start_response("200 OK", [])
    return [json.dumps(seen).encode()]
"#;
    let apache = serve!(source);
    let expected = serde_json::json!(["utf-8", false, true, false, false, [false, "utf-8"]]);
    assert_eq!(apache.get("/app").json(), expected);
    apache.finish();
}

#[test]
fn lines_of_a_request_have_the_format_of_the_error_log() {
    let setup = need!(Setup::new()).one_daemon("threads=2").app("app", PRINTS);
    let apache = setup
        .config(r#"ErrorLogFormat "[%t] [%-m:%l] mark=%{X-Mark}i client=%a said: %M""#)
        .expect_log("cherry")
        .start();
    apache.request("GET", "/app?cherry").header("X-Mark", "seven").send().expect_status(200);
    let line = apache.log().wait("cherry by errors");
    // A daemon of mod_wsgi knows nothing of the request's headers.
    let mark = pick(" mark=seven", "");
    let whole = format!(
        r"^\[[^\]]+\] \[wsgi:error\]{mark} client=127\.0\.0\.1:\d+ said: \[script [^\]]+\] cherry by errors$"
    );
    assert!(!apache.log().lines(&whole).is_empty(), "{line}");
    apache.finish();
}
