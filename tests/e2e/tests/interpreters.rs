//! Several Pythons in one Apache, `python=`, and the main and named interpreters.

use crate::ours;
use kit::{Python, need, skip};
use serde_json::json;

#[test]
fn virtual_hosts_run_on_different_pythons_at_the_same_time() {
    let pythons = Python::all();
    if pythons.len() < 2 {
        skip!("only {} Python from 3.10 on is installed", pythons.len());
    }
    let mut setup = need!(ours()).file("site/eval.wsgi", &kit::fixture("eval.wsgi"));
    for python in &pythons {
        let (minor, home) = (python.minor, need!(python.home()));
        setup = setup.config(&format!(
            "<VirtualHost 127.0.0.1:@PORT@>\nServerName p{minor}.test\n\
             WSGIDaemonProcess p{minor} threads=2 python-home={}\nWSGIProcessGroup p{minor}\n\
             WSGIScriptAlias / @SITE@/eval.wsgi\n</VirtualHost>",
            home.display()
        ));
    }
    let apache = setup.start();
    for round in 0..2 {
        for python in &pythons {
            let host = format!("p{}.test", python.minor);
            let code = "import sys\nresult = [sys.version_info[1], sys.executable, sys.prefix]";
            let seen = apache.request("POST", "/").host(&host).body(code).send().expect_status(200).json();
            let home = python.home().expect("was made before").display().to_string();
            assert_eq!(seen, json!([python.minor, format!("{home}/bin/python"), home]), "round {round}");
        }
    }
    apache.finish();
}

#[test]
fn python_names_an_interpreter_by_its_path() {
    let python = need!(Python::default_for_tests());
    let setup = need!(ours()).fixture("eval");
    let declare = format!("WSGIDaemonProcess app threads=1 python={}", python.executable.display());
    let apache = setup.config(&declare).config("WSGIProcessGroup app").start();
    let seen = apache.eval("/eval", "import sys\nresult = sys.executable");
    assert_eq!(seen, json!(python.executable.display().to_string()));
    apache.finish();
}

#[test]
fn named_interpreters_work_on_every_python() {
    for python in Python::all() {
        let home = need!(python.home());
        let setup = need!(ours()).fixture("eval").file("site/second.wsgi", &kit::fixture("eval.wsgi"));
        let apache = setup
            .config(&format!(
                "WSGIDaemonProcess app threads=2 python-home={}\nWSGIProcessGroup app",
                home.display()
            ))
            .config("WSGIScriptAlias /second @SITE@/second.wsgi application-group=other")
            .config("<Location /eval>\nWSGIApplicationGroup named\n</Location>")
            .start();
        let code = "import json, datetime, ssl, threading, builtins\nbuiltins.mark = environ['mod_wsgi.application_group']\nresult = builtins.mark";
        assert_eq!(apache.eval("/eval", code), "named", "3.{}", python.minor);
        assert_eq!(apache.eval("/second", code), "other", "3.{}", python.minor);
        let look = "import builtins\nresult = builtins.mark";
        assert_eq!(apache.eval("/eval", look), "named", "3.{}", python.minor);
        apache.finish();
    }
}

#[test]
fn a_deep_recursion_does_not_crash_a_worker() {
    let apache = need!(ours()).one_daemon("threads=2").fixture("eval").start();
    let code = r#"
import sys
sys.setrecursionlimit(20000)
def down(n):
    return 0 if n == 0 else 1 + down(n - 1)
result = down(15000)
"#;
    assert_eq!(apache.eval("/eval", code), json!(15_000));
    apache.finish();
}

/// Recurses through C, where Python cannot grow its stack, and tells the size of the thread's stack and how much of it was used.
const DEEP_IN_C: &str = r#"
import json, sys
sys.setrecursionlimit(100000)

def stack():
    pointer = int(open("/proc/thread-self/syscall").read().split()[-2], 16)
    inside = False
    for line in open("/proc/self/smaps"):
        first = line.split()[0]
        if "-" in first and not first.endswith(":"):
            low, high = (int(address, 16) for address in first.split("-"))
            inside = low <= pointer < high
        elif inside and first == "Rss:":
            return [high - low, int(line.split()[1]) * 1024]

nested = []
for _ in range(30000):
    nested = [nested]
outcomes = []
for recurse in (repr, json.dumps):
    try:
        outcomes.append(len(recurse(nested)))
    except RecursionError:
        outcomes.append("RecursionError")
result = [outcomes, *stack()]
while nested:
    nested = nested[0]
"#;

#[test]
fn a_deep_recursion_through_c_has_eight_megabytes() {
    const MIB: u64 = 1024 * 1024;
    let apache = need!(ours()).one_daemon("threads=2").fixture("eval").start();
    let worker = apache.worker_of("/eval");
    let seen = apache.eval("/eval", DEEP_IN_C);
    assert_eq!(apache.worker_of("/eval"), worker, "the worker crashed");
    let size = seen[1].as_u64().expect("a size");
    assert!(size >= 8 * MIB - 64 * 1024, "{seen}");
    // From 3.12 on Python limits the depth in C by itself.
    if seen[0] == json!([60_002, 60_002]) {
        assert!(seen[2].as_u64().is_some_and(|used| used > 4 * MIB), "{seen}");
    } else {
        assert_eq!(seen[0], json!(["RecursionError", "RecursionError"]));
    }
    apache.finish();
}

#[test]
fn the_process_title_names_the_group() {
    let apache = need!(ours()).one_daemon("threads=1 display-name=%{GROUP}").fixture("eval").start();
    let worker = apache.worker_of("/eval");
    assert!(worker.command_line().contains("(wsgi:app)"), "{}", worker.command_line());
    apache.finish();
}

#[test]
fn interpreters_with_their_own_gil_serve_on_pythons_that_have_them() {
    for python in Python::all() {
        let home = need!(python.home());
        let setup = need!(ours()).file("site/eval.wsgi", &kit::fixture("eval.wsgi"));
        let alias = |name: &str| {
            format!("WSGIScriptAlias /{name} @SITE@/eval.wsgi process-group=app application-group={name}\n")
        };
        let declare = format!("WSGIDaemonProcess app threads=2 python-home={}\n", home.display());
        let config = declare + &alias("one") + &alias("two") + "WSGIPerInterpreterGIL On";
        let code = if python.minor < 12 { "WSGI0198" } else { "WSGI1212" };
        let apache = setup.config(&config).expect_log(code).start();
        let wanted = "import atexit, json, threading
atexit.register(lambda: open('@SCRATCH@/' + environ['mod_wsgi.application_group'], 'w').write('x'))
result = [environ['mod_wsgi.application_group'], sum(range(10))]";
        let wanted = wanted.replace("@SCRATCH@", &apache.scratch("").display().to_string());
        for _ in 0..3 {
            for name in ["one", "two"] {
                assert_eq!(
                    apache.eval(&format!("/{name}"), &wanted),
                    json!([name, 45]),
                    "3.{}",
                    python.minor
                );
            }
        }
        kit::wait_until(kit::LIMIT, "a line for each", || apache.log().lines(code).len() >= 2);
        assert_eq!(apache.log().lines(code).len(), 2, "3.{}: once for each", python.minor);
        apache.restart();
        for name in ["one", "two"] {
            apache.wait_scratch(name);
        }
        apache.finish();
    }
}

#[test]
fn free_threading_says_that_it_has_no_effect_where_python_has_a_gil() {
    let setup = need!(ours()).one_daemon("threads=1").fixture("eval").config("WSGIFreeThreading On");
    let apache = setup.expect_log("WSGI0200").start();
    assert_eq!(apache.eval("/eval", "result = 1"), json!(1));
    apache.log().wait("WSGI0200");
    assert_eq!(apache.log().lines("WSGI0200").len(), 1, "{}", apache.log().text());
    apache.finish();
}
