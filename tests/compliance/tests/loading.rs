//! Scripts as modules: names, what happens when they cannot be loaded, reloading, loading at the start.

use kit::{Apache, Setup, need, pick};
use serde_json::json;

/// Puts another text in the place of a script, at once.
fn replace(apache: &Apache, name: &str, text: &str) {
    let (new, place) = (apache.site("new"), apache.site(name));
    std::fs::write(&new, text).expect("the folder is ours");
    std::fs::rename(&new, &place).expect("the folder is ours");
}

#[test]
fn a_script_is_a_module_named_after_its_path() {
    let apache = need!(Setup::new()).one_daemon("threads=2").fixture("eval").start();
    let code = "
import hashlib, os, sys
file = environ['SCRIPT_FILENAME']
name = '_mod_wsgi_' + hashlib.md5(file.encode()).hexdigest()
module = sys.modules[name]
beside = '__pycache__' in os.listdir(os.path.dirname(file))
result = [module.__name__ == name, module.__file__ == file,
    module.__mtime__ == os.stat(file).st_mtime_ns // 1000, beside]";
    assert_eq!(apache.eval("/eval", code), json!([true, true, true, false]));
    apache.finish();
}

#[test]
fn a_script_that_cannot_be_loaded_is_loaded_again_for_each_request() {
    let source = "print('loading')\nimport not_there\n";
    let apache = need!(Setup::new()).one_daemon("threads=1").app("app", source).start();
    apache.expect_log("wsgi:error");
    for _ in 0..3 {
        apache.get("/app").expect_status(500);
    }
    apache.log().wait("No module named 'not_there'");
    assert_eq!(apache.log().lines("loading").len(), 3, "{}", apache.log().text());
    assert_eq!(apache.log().lines("Traceback").len(), 3, "once for each request: {}", apache.log().text());
    assert_eq!(apache.log().lines("WSGI0109").len(), 3, "{}", apache.log().text());
    // The traceback belongs to the request: it has the client's address, with ours.
    let with_client = |line: &String| line.contains("[client") || pick(false, true);
    assert!(apache.log().lines("No module named").iter().all(with_client));
    assert!(pick(apache.log().lines("importlib").is_empty(), true), "{}", apache.log().text());
    replace(&apache, "app.wsgi", "def application(e, s):\n    s('200 OK', [])\n    return [b'mended']\n");
    assert_eq!(apache.get("/app").expect_status(200).text(), "mended");
    apache.finish();
}

#[test]
fn sys_exit_while_loading_is_500_and_the_worker_lives() {
    let source = "import sys\nsys.exit('not today')\n";
    let apache = need!(Setup::new()).one_daemon("threads=1").app("app", source).fixture("eval").start();
    let pid = apache.eval("/eval", "import os; result = os.getpid()");
    apache.get("/app").expect_status(500);
    apache.log().wait("WSGI0107");
    apache.expect_log("wsgi:error");
    assert_eq!(apache.eval("/eval", "import os; result = os.getpid()"), pid);
    apache.finish();
}

#[test]
fn a_script_that_may_not_be_read_says_so() {
    let apache = need!(Setup::new()).one_daemon("threads=1").app("app", "x = 1\n");
    let apache =
        apache.config("WSGIScriptAlias /hidden @SITE@/hidden.wsgi").file("site/hidden.wsgi", "x = 1\n");
    let hidden = apache.root().join("site/hidden.wsgi");
    std::fs::set_permissions(&hidden, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let apache = apache.start();
    if kit::users::am_root() {
        apache.get("/hidden").expect_status(500);
        apache.log().wait("Permission denied");
        apache.expect_log("wsgi:error");
    }
    apache.finish();
}

#[test]
fn a_missing_callable_is_looked_for_again() {
    let apache = need!(Setup::new()).one_daemon("threads=1").app("app", "app = 1\n").start();
    apache.get("/app").expect_status(500);
    apache.log().wait("WSGI0089");
    replace(&apache, "app.wsgi", "def application(e, s):\n    s('200 OK', [])\n    return [b'here']\n");
    assert_eq!(apache.get("/app").expect_status(200).text(), "here");
    apache.finish();
}

const RELEASE: &str = "
def application(environ, start_response):
    start_response('200 OK', [])
    return [b'release RELEASE']
";

#[test]
fn a_touched_script_is_served_in_its_new_form() {
    let first = RELEASE.replace("RELEASE", "0");
    let apache = need!(Setup::new()).one_daemon("processes=2 threads=2").app("app", &first).start();
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 0");
    for number in 1..4 {
        replace(&apache, "app.wsgi", &RELEASE.replace("RELEASE", &number.to_string()));
        for _ in 0..6 {
            assert_eq!(apache.get("/app").expect_status(200).text(), format!("release {number}"));
        }
    }
    apache.finish();
}

#[test]
fn script_reloading_off_never_looks() {
    let setup =
        need!(Setup::new()).one_daemon("processes=1 threads=2").app("app", &RELEASE.replace("RELEASE", "1"));
    let apache = setup.config("WSGIScriptReloading Off").start();
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    replace(&apache, "app.wsgi", &RELEASE.replace("RELEASE", "2"));
    for _ in 0..5 {
        assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    }
    apache.finish();
}

#[test]
fn reload_required_is_asked_with_the_path() {
    let source = "
import os

def reload_required(path):
    open('@SCRATCH@/asked', 'w').write(path)
    return os.path.exists('@SCRATCH@/again')

def application(environ, start_response):
    start_response('200 OK', [])
    return [str(os.getpid()).encode()]
";
    let apache = need!(Setup::new()).one_daemon("processes=1 threads=2").app("app", source).start();
    let first = apache.get("/app").expect_status(200).text();
    assert_eq!(apache.get("/app").expect_status(200).text(), first);
    assert_eq!(apache.wait_scratch("asked"), apache.site("app.wsgi").display().to_string());
    apache.let_go("again");
    assert_ne!(apache.get("/app").expect_status(200).text(), first);
    apache.finish();
}

const LOADED: &str = "
import os, threading
print('WHO is loaded in', __import__('mod_wsgi').application_group or 'main')
with open('@SCRATCH@/order', 'a') as file:
    file.write('WHO ')
";

#[test]
fn scripts_are_loaded_in_order_before_requests_come() {
    let file = |setup: Setup, name: &str, source: &str| {
        setup.file(&format!("site/{name}.wsgi"), &source.replace("WHO", name))
    };
    let mut setup = need!(Setup::new()).one_daemon("processes=1 threads=2").fixture("eval");
    for name in ["one", "three", "four"] {
        setup = file(setup, name, LOADED);
    }
    setup = file(setup, "broken", "import not_there_either\n");
    setup = file(setup, "leaves", "raise SystemExit(1)\n");
    let app = format!("{LOADED}\ndef application(e, s):\n    s('200 OK', [])\n    return [b'two']\n");
    let apache = file(setup, "two", &app)
        .config(
            "WSGIImportScript @SITE@/one.wsgi process-group=app application-group=%{GLOBAL}
             WSGIScriptAlias /two @SITE@/two.wsgi process-group=app application-group=sub
             WSGIImportScript @SITE@/broken.wsgi process-group=app application-group=sub
             WSGIImportScript @SITE@/leaves.wsgi process-group=app application-group=%{GLOBAL}
             WSGIImportScript @SITE@/three.wsgi process-group=app application-group=sub
             WSGIImportScript @SITE@/four.wsgi process-group=app application-group=%{GLOBAL}",
        )
        .expect_log("wsgi:error")
        .start();
    kit::wait_until(kit::LIMIT, "all are loaded", || {
        std::fs::read_to_string(apache.scratch("order"))
            .is_ok_and(|text| text.len() == "one two three four ".len())
    });
    let order = "one two three four ";
    assert_eq!(std::fs::read_to_string(apache.scratch("order")).unwrap(), order);
    assert_eq!(apache.get("/two").expect_status(200).text(), "two");
    assert_eq!(std::fs::read_to_string(apache.scratch("order")).unwrap(), order, "not again");
    for line in ["one is loaded in main", "two is loaded in sub", "four is loaded in main"] {
        apache.log().wait(line);
    }
    if pick(true, false) {
        apache.log().wait(r"leaves\.wsgi\] WSGI0107");
        apache.log().wait(r"broken\.wsgi\] WSGI0109");
    }
    apache.log().wait("No module named 'not_there_either'");
    apache.finish();
}

#[test]
fn a_script_that_was_loaded_at_the_start_is_reloaded_like_others() {
    let setup = need!(Setup::new()).daemon("app", "processes=1 threads=2");
    let setup = setup.file("site/app.wsgi", &RELEASE.replace("RELEASE", "1"));
    let alias = "WSGIScriptAlias /app @SITE@/app.wsgi process-group=app application-group=%{GLOBAL}";
    let apache = setup.config(alias).start();
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    replace(&apache, "app.wsgi", &RELEASE.replace("RELEASE", "2"));
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 2");
    apache.finish();
}
