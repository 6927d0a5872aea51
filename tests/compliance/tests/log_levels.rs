//! Levels, places and shapes of what applications log: each record as long and as harmless as it has to be.

use kit::{Kind, Setup, need, pick};

const LEVELS: &str = r#"
import atexit, logging, os, sys, threading
import mod_wsgi

log = logging.getLogger("site")
log.setLevel(logging.DEBUG)
log.addHandler(mod_wsgi.LogHandler())
atexit.register(lambda: print("said at exit"))

def in_a_thread():
    print("thread print")
    log.critical("thread critical")
    log.warning("thread warning")
    log.info("thread info")
    log.debug("thread debug")

def application(environ, start_response):
    for name in ("critical", "error", "warning", "info", "debug"):
        getattr(log, name)("request %s\nsecond %s", name, name)
    log.log(25, "request between")
    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b"logged"]
"#;

#[test]
fn records_of_logging_keep_their_levels() {
    let setup = need!(Setup::new()).one_daemon("threads=2").config("LogLevel wsgi:info").app("app", LEVELS);
    let apache = setup.expect_log("request|second|thread|said at exit").start();
    apache.get("/app").expect_status(200);
    apache.log().wait("thread info");
    let script = r"\[script [^\]]+/app\.wsgi\]";
    for (word, level) in [("critical", "crit"), ("error", "error"), ("warning", "warn"), ("info", "info")] {
        for line in ["request", "second"] {
            let regex = format!(r"\[wsgi:{level}\] .* {script} {line} {word}$");
            assert_eq!(apache.log().lines(&regex).len(), 1, "{regex}\n{}", apache.log().tail());
        }
    }
    assert_eq!(apache.log().lines(r"\[wsgi:info\] .* request between$").len(), 1);
    for (word, level) in [("print", "error"), ("critical", "crit"), ("warning", "warn"), ("info", "info")] {
        let regex = format!(r"\[wsgi:{level}\] \[pid [^\]]+\] (\(group app\) )?thread {word}$");
        assert_eq!(apache.log().lines(&regex).len(), 1, "{regex}\n{}", apache.log().tail());
    }
    assert!(!apache.log().text().contains(" debug\n"), "{}", apache.log().tail());
    apache.finish();
}

#[test]
fn log_level_applies_to_what_belongs_to_no_request() {
    let setup = need!(Setup::new()).one_daemon("threads=2").config("LogLevel wsgi:crit").app("app", LEVELS);
    let apache = setup.expect_log("critical").start();
    apache.get("/app").expect_status(200);
    apache.log().wait("thread critical");
    let text = apache.log().text();
    assert!(!text.contains("thread print") && !text.contains("thread warning"), "{text}");
    apache.finish();
}

#[test]
fn output_at_exit_is_logged() {
    let setup = need!(Setup::new()).one_daemon("threads=2").app("app", LEVELS);
    let mut apache = setup.expect_log("request|second|thread|said at exit").start();
    apache.get("/app").expect_status(200);
    apache.stop(kit::Signal::SIGTERM);
    assert_eq!(apache.log().lines("said at exit$").len(), 1, "{}", apache.log().tail());
    apache.finish();
}

#[test]
fn a_group_of_a_virtual_host_logs_there_what_belongs_to_no_request() {
    let setup = need!(Setup::new()).app("app", LEVELS);
    let config = "<VirtualHost 127.0.0.1:@PORT@>\nServerName own.test\nErrorLog @ROOT@/logs/own.log\nLogLevel wsgi:info\n\
                  WSGIDaemonProcess own user=www-data threads=2 python-home=@HOME@\nWSGIProcessGroup own\nWSGIScriptAlias /app @SITE@/app.wsgi\n</VirtualHost>\n";
    let apache = setup.config(config).start();
    apache.request("GET", "/app").host("own.test").send().expect_status(200);
    let path = apache.root().join("logs/own.log");
    kit::wait_until(kit::LIMIT, "the thread's lines are in the virtual host's log", || {
        std::fs::read_to_string(&path)
            .is_ok_and(|text| text.contains("thread print") && text.contains("thread info"))
    });
    let main = apache.log().text();
    assert!(!main.contains("thread ") && !main.contains("request "), "{main}");
    apache.finish();
}

#[test]
fn nothing_of_a_long_line_is_lost() {
    // httpd cuts a record at 8 KiB.
    let source = r#"
import threading

def application(environ, start_response):
    line = "begin " + "".join(f"{i:05d}," for i in range(5000)) + " finish"
    print(line)
    thread = threading.Thread(target=print, args=("thread " + line,))
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.expect_log(".");
    apache.get("/app").expect_status(200);
    let (whole, cut) = pick((5000, 0), (0, 5000));
    if whole == 0 {
        assert!(apache.log().lines("finish").is_empty(), "mod_wsgi loses the end: {cut}");
        return apache.finish();
    }
    let joined = |first: &str, filter: &str| -> String {
        apache.log().wait(&format!("{filter}.* finish$"));
        let lines = apache.log().lines(filter);
        let text = |line: &str| {
            let at =
                [first, "[continued] "].iter().find_map(|mark| line.find(mark).map(|at| at + mark.len()));
            line[at.unwrap_or_else(|| panic!("{line}"))..].to_owned()
        };
        assert!(lines.len() > 3, "{}", lines.len());
        assert!(lines[1..].iter().all(|line| line.contains("[continued] ")), "{}", lines[1]);
        lines.iter().map(|line| text(line)).collect()
    };
    let numbers: String = (0..5000).map(|i| format!("{i:05},")).collect();
    assert_eq!(joined("] begin ", r"\[script .*\d"), format!("{numbers} finish"));
    assert_eq!(joined("thread begin ", r"\(group app\) .*\d"), format!("{numbers} finish"));
    apache.finish();
}

#[test]
fn hd_10_control_characters_forge_no_line() {
    let source = r#"
import os, threading

TEXT = "bell\x07 escape\x1b[31m return\rdelete\x7f nul\x00 forged\u2028 end-of-it"

def application(environ, start_response):
    print("request " + TEXT + environ.get("HTTP_X_EVIL", ""))
    thread = threading.Thread(target=print, args=("thread " + TEXT,))
    thread.start()
    thread.join()
    os.write(2, b"raw \x1b]0;x\x07 \x01 \xff end-of-it\n")
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.expect_log(r"bell|raw|end-of-it|AH0|\] $");
    apache.request("GET", "/app?%0a%1b[31m").header("X-Evil", "\u{9b}31m").send().expect_status(200);
    apache.request("GET", "/app/%0a[wsgi:crit]%20forged").send();
    // A line is there in whole before the next one begins; the worker's own lines may come after the answer.
    let words =
        ["request bell", "thread bell"].map(|word| (word, format!("{word}{}", pick(".*end-of-it", ""))));
    for (_, line) in &words {
        kit::wait_until(kit::LIMIT, line, || apache.log().lines(line).len() >= 2);
    }
    let text = apache.log().text();
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(kit::kind() == Kind::ModWsgi || !text.contains(control), "{text:?}");
    assert!(kit::kind() == Kind::ModWsgi || text.lines().all(|line| line.starts_with('[')), "{text}");
    if kit::kind() == Kind::Ours {
        for (word, _) in &words {
            assert_eq!(apache.log().lines(&format!("{word}.*nul.*end-of-it")).len(), 2, "{text}");
        }
        apache.log().wait("raw .*end-of-it");
    }
    apache.finish();
}

#[test]
fn what_is_unfinished_is_logged_at_the_end_of_the_request_and_of_a_thread() {
    let source = r#"
import sys, threading

def application(environ, start_response):
    sys.stdout.write("unfinished one")
    environ["wsgi.errors"].write("unfinished two")
    thread = threading.Thread(target=sys.stderr.write, args=("unfinished three",))
    thread.start()
    thread.join()
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.expect_log("unfinished");
    apache.get("/app").expect_status(200);
    // mod_wsgi makes one record of both.
    apache.log().wait(r"\[script [^\]]+\] unfinished one(unfinished two)?$");
    apache.log().wait(r"\[script [^\]]+\] (unfinished one)?unfinished two$");
    // mod_wsgi writes it with what the next output at the end of the process is.
    if kit::kind() == Kind::Ours {
        apache.log().wait("unfinished three$");
    }
    apache.finish();
}

#[test]
fn output_of_c_code_and_of_programs_is_logged() {
    let source = r#"
import ctypes, os, subprocess

def application(environ, start_response):
    libc = ctypes.CDLL(None)
    libc.puts(b"said by puts")
    libc.fflush(None)
    os.write(2, b"said by write\n")
    subprocess.run(["/bin/sh", "-c", "echo said by a program; echo said by its stderr >&2"])
    start_response("200 OK", [])
    return [b""]
"#;
    let apache = serve!(source);
    apache.get("/app").expect_status(200);
    // In mod_wsgi descriptor 2 is Apache's own log, and descriptor 1 leads nowhere.
    let words = pick(&["puts", "write", "a program", "its stderr"][..], &["write", "its stderr"]);
    for word in words {
        let line = apache.log().wait(&format!("said by {word}$"));
        assert!(
            kit::kind() == Kind::ModWsgi || line.contains("[wsgi:error]") && line.contains("(group app)"),
            "{line}"
        );
    }
    apache.finish();
}

#[test]
fn the_streams_are_those_of_the_reference() {
    let source = r#"
import json, sys

def seen(stream):
    found = {}
    for name in ("name", "closed", "encoding", "errors", "newlines", "line_buffering", "write_through"):
        found[name] = getattr(stream, name)
    for name in ("isatty", "readable", "writable", "seekable"):
        found[name + "()"] = getattr(stream, name)()
    for name in ("mode", "fileno"):
        try:
            getattr(stream, name)()
        except Exception as error:
            found[name] = type(error).__name__
    found["type"] = [type(stream).__name__, type(stream.buffer).__name__, stream.buffer.encoding, stream.buffer.closed]
    return found

def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([seen(sys.stdout), seen(sys.stderr), seen(environ["wsgi.errors"])]).encode()]
"#;
    let apache = serve!(source);
    let stream = |name: &str| {
        serde_json::json!({
            "name": name, "closed": false, "encoding": "utf-8", "errors": "replace", "newlines": null,
            "line_buffering": true, "write_through": true, "isatty()": false, "readable()": false, "writable()": true,
            "seekable()": false, "mode": "AttributeError", "fileno": "OSError",
            "type": ["TextIOWrapper", "Log", "utf-8", false],
        })
    };
    let expected = serde_json::json!([stream("<stdout>"), stream("<stderr>"), stream("<wsgi.errors>")]);
    assert_eq!(apache.get("/app").json(), expected);
    apache.finish();
}

#[test]
fn empty_lines_stay() {
    let source =
        "def application(e, s):\n    print('above\\n\\nbelow')\n    s('200 OK', [])\n    return []\n";
    let apache = serve!(source);
    apache.expect_log(r"above|below|\[script [^\]]+\] $");
    apache.get("/app").expect_status(200);
    apache.log().wait("below");
    let text = apache.log().text();
    let lines: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("app.wsgi] ")).map(|(_, rest)| rest).collect();
    assert!(lines.starts_with(&["above", "", "below"]), "{lines:?}");
    apache.finish();
}

#[test]
fn an_import_error_is_one_entry_with_its_hint() {
    let setup = need!(Setup::new()).one_daemon("threads=2").app("app", "import no_such_module_at_all\n");
    let apache = setup.expect_log(r"\[script |no_such_module_at_all|WSGI0174|Traceback|  File ").start();
    apache.get("/app").expect_status(500);
    apache.log().wait("ModuleNotFoundError: No module named 'no_such_module_at_all'");
    let codes = apache.log().lines("WSGI0");
    let expected = pick(&["WSGI0109"][..], &["WSGI0109", "WSGI0174"]);
    assert!(
        codes.len() == expected.len() && codes.iter().zip(expected).all(|(line, code)| line.contains(code)),
        "{codes:?}"
    );
    if kit::kind() == Kind::Ours {
        let hint =
            apache.log().wait("Hint: Python 3.* finds no module 'no_such_module_at_all' in sys.path = ");
        assert!(hint.contains("virtual environment") && hint.contains("python-home="), "{hint}");
    }
    apache.finish();
}
