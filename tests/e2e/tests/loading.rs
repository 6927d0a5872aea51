//! Scripts that change while they are served, and classes of scripts in pickles.

use crate::ours;
use kit::{Apache, Load, need};

/// An application that answers with its release and waits where it is told to.
fn release(number: u32) -> String {
    format!(
        r#"
import os, time

def application(environ, start_response):
    if environ["QUERY_STRING"]:
        open("@SCRATCH@/begun", "w").write("begun")
        end = time.monotonic() + 20
        while not os.path.exists("@SCRATCH@/go") and time.monotonic() < end:
            time.sleep(0.005)
    start_response("200 OK", [])
    return [b"release {number}"]
"#
    )
}

/// Puts another text in the place of a script, at once, as deployments do.
/// Puts another script in the place of one, at once.
pub fn replace(apache: &Apache, name: &str, text: &str) {
    let text = text.replace("@SCRATCH@", &apache.scratch("").display().to_string());
    let (new, place) = (apache.site("new"), apache.site(name));
    std::fs::write(&new, text).expect("the folder is ours");
    std::fs::rename(&new, &place).expect("the folder is ours");
}

fn touch_under_load(options: &str) -> Result<(), String> {
    const CLIENTS: usize = 4;
    let apache = ours()?.one_daemon(options).app("app", &release(0)).start();
    let load = Load::start(apache.address(), "/app", CLIENTS);
    for number in 1..=5 {
        load.wait_served(20);
        replace(&apache, "app.wsgi", &release(number));
        // Each of several workers has to notice.
        for _ in 0..20 {
            assert_eq!(
                apache.get("/app").expect_status(200).text(),
                format!("release {number}"),
                "{options}"
            );
        }
    }
    load.wait_served(20);
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{options}: {} served, but {:?}", tally.good, tally.bad);
    assert!(!apache.log().lines("script_reload").is_empty(), "{}", apache.log().text());
    apache.finish();
    Ok(())
}

#[test]
fn a_changed_script_is_served_at_once_and_loses_no_request_of_one_worker() {
    need!(touch_under_load("processes=1 threads=4"));
}

#[test]
fn a_changed_script_is_served_at_once_and_loses_no_request_of_one_thread() {
    need!(touch_under_load("processes=1 threads=1"));
}

#[test]
fn a_changed_script_is_served_at_once_and_loses_no_request_of_two_workers() {
    need!(touch_under_load("processes=2 threads=3"));
}

#[test]
fn a_request_that_runs_finishes_with_the_script_it_began_with() {
    let apache = need!(ours()).one_daemon("threads=4").app("app", &release(1)).start();
    let request = apache.request("GET", "/app?wait");
    let long = std::thread::spawn(move || request.send());
    apache.wait_scratch("begun");
    replace(&apache, "app.wsgi", &release(2));
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 2");
    apache.let_go("go");
    assert_eq!(long.join().expect("it is answered").expect_status(200).text(), "release 1");
    apache.finish();
}

#[test]
fn a_broken_script_is_500_with_its_traceback_until_it_is_mended() {
    let apache = need!(ours()).one_daemon("threads=2").app("app", &release(1)).start();
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    apache.expect_log("WSGI1210: Cannot compile");
    apache.expect_log(r"app\.wsgi., line 1|SyntaxError|\[wsgi:error\]");
    replace(&apache, "app.wsgi", "def application(:\n");
    for _ in 0..3 {
        apache.get("/app").expect_status(500);
    }
    apache.log().wait("SyntaxError");
    assert_eq!(apache.log().lines("WSGI1210").len(), 3, "once for each request");
    replace(&apache, "app.wsgi", &release(2));
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 2");
    apache.finish();
}

#[test]
fn a_request_with_a_body_reaches_the_new_script_whole() {
    const ECHO: &str = "
def application(environ, start_response):
    data = environ['wsgi.input'].read()
    start_response('200 OK', [])
    return [str(len(data)).encode()]
";
    let apache = need!(ours()).one_daemon("threads=2").app("app", ECHO).start();
    for (round, size) in [10, 100_000, 3_000_000, 20_000_000].into_iter().enumerate() {
        assert_eq!(apache.post("/app", vec![b'x'; size]).expect_status(200).text(), size.to_string());
        replace(&apache, "app.wsgi", &format!("{ECHO}# {round}\n"));
        assert_eq!(apache.post("/app", vec![b'x'; size]).expect_status(200).text(), size.to_string());
    }
    apache.finish();
}

#[test]
fn script_reloading_off_never_looks() {
    let setup =
        need!(ours()).one_daemon("threads=2").app("app", &release(1)).config("WSGIScriptReloading Off");
    let apache = setup.start();
    assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    let worker = apache.workers()[0].pid;
    replace(&apache, "app.wsgi", &release(2));
    for _ in 0..5 {
        assert_eq!(apache.get("/app").expect_status(200).text(), "release 1");
    }
    assert_eq!(apache.workers()[0].pid, worker);
    apache.finish();
}

const DUMPS: &str = "
import pickle

class Thing:
    def __init__(self, value):
        self.value = value

def application(environ, start_response):
    start_response('200 OK', [])
    return [repr(pickle.dumps(Thing(7))).encode()]
";

#[test]
fn classes_of_scripts_are_unpickled_by_other_workers_and_after_a_reload() {
    let setup = need!(ours()).one_daemon("processes=2 threads=1").app("dumps", DUMPS).fixture("eval");
    let apache = setup.config("WSGIApplicationGroup %{GLOBAL}").start();
    let data = apache.get("/dumps").expect_status(200).text();
    let code = format!("import os, pickle; result = [os.getpid(), pickle.loads({data}).value]");
    // A worker that is busy leaves the next request to the other one.
    let (begun, go) = (apache.scratch("begun"), apache.scratch("go"));
    let waits = format!(
        "{code}\nimport time\nopen('{}', 'w').write('x')\nwhile not os.path.exists('{}'): time.sleep(0.005)",
        begun.display(),
        go.display()
    );
    let busy = apache.request("POST", "/eval").body(waits);
    let busy = std::thread::spawn(move || busy.send());
    apache.wait_scratch("begun");
    let answers = [apache.eval("/eval", &code), {
        apache.let_go("go");
        busy.join().expect("it is answered").expect_status(200).json()
    }];
    assert!(answers.iter().all(|answer| answer[1] == 7), "{answers:?}");
    let pids = answers.map(|answer| answer[0].as_i64());
    assert_ne!(pids[0], pids[1], "one worker has unpickled it twice");
    // The new worker has not been asked for the script either.
    replace(&apache, "eval.wsgi", &format!("{}\n# changed\n", kit::fixture("eval.wsgi")));
    let answer = apache.eval("/eval", &code);
    assert_eq!(answer[1], 7);
    assert!(!pids.contains(&answer[0].as_i64()), "{answer}");
    apache.finish();
}
