//! Subscribers of events (`mod_wsgi.subscribe_events` and its like), and what the module `mod_wsgi` tells about requests.

use kit::{Setup, need, pick};
use nix::sys::signal::Signal;
use serde_json::json;

const APPLICATION: &str = r#"
import json, os
import mod_wsgi

seen = []

@mod_wsgi.subscribe_events
def subscriber(name, **payload):
    payload["request_data"].setdefault("names", []).append(name)
    seen.append((name, payload))

def application(environ, start_response):
    if environ["QUERY_STRING"] == "fail":
        raise KeyError("mine")
    start_response("201 Made", [("Content-Type", "text/plain")])
    environ["wsgi.input"].read()
    mod_wsgi.request_data()["by"] = "application"
    assert mod_wsgi.active_requests[environ["mod_wsgi.request_id"]] is mod_wsgi.request_data()
    return [b"body"]

def show(environ, start_response):
    mod_wsgi.event_callbacks.clear()
    numbers = (int, float, str)
    names = [name for name, _ in seen]
    facts = [{key: value for key, value in payload.items() if type(value) in numbers} for _, payload in seen]
    data = [payload["request_data"] for _, payload in seen]
    answer = json.dumps({"names": names, "facts": facts, "data": data, "pid": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [answer]
"#;

fn events(group: &str) -> Result<(), String> {
    let setup = Setup::new()?.one_daemon("processes=1 threads=1").app("app", APPLICATION);
    let config = format!(
        "WSGIApplicationGroup {group}\nWSGIScriptAlias /show @SITE@/app.wsgi callable-object=show application-group={group}"
    );
    let apache = setup.config(&config).start();
    apache.post("/app", "1234567").expect_status(201);
    apache.get("/app?fail").expect_status(500);
    apache.log().wait("KeyError: 'mine'");
    apache.expect_log("wsgi:error");
    let seen = apache.get("/show").expect_status(200).json();
    let first = ["request_started", "response_started", "request_finished"];
    let second = ["request_started", "request_exception", "request_finished"];
    let third = ["request_started"];
    assert_eq!(seen["names"], json!([&first[..], &second[..], &third[..]].concat()), "{seen}");
    assert_eq!(seen["data"][0], json!({"names": first, "by": "application"}));
    let (started, response, finished) = (&seen["facts"][0], &seen["facts"][1], &seen["facts"][2]);
    assert!(started["request_id"].is_string(), "{seen}");
    assert_eq!(started["request_id"], finished["request_id"]);
    assert_eq!((&started["thread_id"], &started["callable_object"]), (&json!(1), &json!("application")));
    assert_eq!(response["response_status"], "201 Made");
    let number = |event: &serde_json::Value, key: &str| {
        event[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {event}"))
    };
    assert!(number(started, "request_start") <= number(started, "daemon_start"));
    assert!(number(started, "application_start") <= number(finished, "application_finish"));
    assert!(number(finished, "application_time") >= 0.0 && number(finished, "input_time") >= 0.0);
    assert_eq!(number(finished, "input_length"), 7.0);
    assert_eq!((number(finished, "output_length"), number(finished, "status")), (4.0, 201.0));
    let parent =
        kit::proc::Process::get(number(started, "server_pid") as i32).expect("Apache's child lives").ppid;
    assert_eq!(parent, apache.parent().pid, "{started}");
    assert_eq!(seen["facts"][5]["status"], 500);
    apache.finish();
    Ok(())
}

#[test]
fn requests_have_events_in_the_main_interpreter() {
    need!(events("%{GLOBAL}"));
}

#[test]
fn requests_have_events_in_a_sub_interpreter() {
    need!(events("sub"));
}

const SHUTDOWN: &str = r#"
import os
import mod_wsgi

@mod_wsgi.subscribe_shutdown
def over(name, *, shutdown_reason, **rest):
    path = "@SCRATCH@/over-" + (mod_wsgi.application_group or "main")
    with open(path + "-new", "w") as file:
        file.write(name + " " + shutdown_reason)
    os.rename(path + "-new", path)

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"served"]
"#;

#[test]
fn the_end_of_a_process_is_told_in_each_interpreter() {
    let setup = need!(Setup::new()).daemon("app", "processes=1 threads=1").file("site/app.wsgi", SHUTDOWN);
    let alias = |name: &str, group: &str| {
        format!("WSGIScriptAlias /{name} @SITE@/app.wsgi process-group=app application-group={group}\n")
    };
    let apache = setup.config(&(alias("main", "%{GLOBAL}") + &alias("sub", "sub"))).start();
    for name in ["main", "sub"] {
        assert_eq!(apache.get(&format!("/{name}")).expect_status(200).text(), "served");
    }
    // A reload is one of the ways out.
    let text = std::fs::read_to_string(apache.site("app.wsgi")).unwrap();
    std::fs::write(apache.site("app.wsgi"), text + "\n# changed\n").unwrap();
    assert_eq!(apache.get("/main").expect_status(200).text(), "served");
    for name in ["over-main", "over-sub"] {
        assert_eq!(apache.wait_scratch(name), "process_stopping script_reload");
        std::fs::remove_file(apache.scratch(name)).unwrap();
    }
    assert_eq!(apache.get("/sub").expect_status(200).text(), "served");
    apache.restart();
    for name in ["over-main", "over-sub"] {
        let reason = pick("graceful_signal|shutdown_signal", "shutdown_signal");
        let told = apache.wait_scratch(name);
        assert!(reason.split('|').any(|reason| told == format!("process_stopping {reason}")), "{told}");
    }
    apache.finish();
}

const SIGNALS: &str = r#"
import os
import mod_wsgi

@mod_wsgi.subscribe_signals
def told(name, *, signame, signum, **rest):
    with open("@SCRATCH@/signals", "a") as file:
        file.write(f"{name} {signame} {signum} {mod_wsgi.application_group or 'main'}\n")

def application(environ, start_response):
    start_response("200 OK", [])
    return [str(os.getpid()).encode()]
"#;

#[test]
fn signals_reach_subscribers_and_do_no_harm() {
    let setup = need!(Setup::new()).daemon("app", "processes=1 threads=1").file("site/app.wsgi", SIGNALS);
    let alias = |name: &str, group: &str| {
        format!("WSGIScriptAlias /{name} @SITE@/app.wsgi process-group=app application-group={group}\n")
    };
    let apache = setup.config(&(alias("main", "%{GLOBAL}") + &alias("sub", "sub"))).start();
    let pid = apache.get("/main").expect_status(200).text();
    assert_eq!(apache.get("/sub").expect_status(200).text(), pid);
    let worker = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    for (signal, expected) in [(Signal::SIGUSR2, "SIGUSR2 12"), (Signal::SIGHUP, "SIGHUP 1")] {
        nix::sys::signal::kill(worker, signal).unwrap();
        kit::wait_until(kit::LIMIT, "both interpreters hear of it", || {
            let text = std::fs::read_to_string(apache.scratch("signals")).unwrap_or_default();
            // mod_wsgi 6.0.5 gives both interpreters the name of the one that began last.
            let names = kit::pick(["main", "sub"], ["sub", "sub"]);
            let count = text.matches(&format!("process_signal {expected} ")).count();
            count >= 2
                && names.iter().all(|name| text.contains(&format!("process_signal {expected} {name}\n")))
        });
    }
    assert_eq!(apache.get("/main").expect_status(200).text(), pid, "the worker lives");
    apache.finish();
}
