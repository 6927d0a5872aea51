//! `shared-imports=`: workers that are forked from one process for each user, and are workers like others all the same.

use crate::{ours, two_sites};
use kit::{Apache, LIMIT, Load, Process, Setup, Signal, need, wait_for, wait_until};
use serde_json::json;

/// Modules that no worker imports by itself.
const MODULES: &str = "shared-imports=decimal,xml.dom.minidom";

/// Groups `a` and `b` with these options, and `WSGIScriptAlias /a` and `/b`.
fn groups(a: &str, b: &str) -> Result<Setup, String> {
    let setup = ours()?.daemon("a", a).daemon("b", b).file("site/eval.wsgi", &kit::fixture("eval.wsgi"));
    let alias = |name: &str| format!("WSGIScriptAlias /{name} @SITE@/eval.wsgi process-group={name}\n");
    Ok(setup.config(&[alias("a"), alias("b")].concat()))
}

/// Where the group's worker has the module, when it has imported it; the same address in two processes comes by a fork only.
fn place_of(apache: &Apache, target: &str, module: &str) -> serde_json::Value {
    apache.eval(target, &format!("import sys; m = sys.modules.get({module:?}); result = m and id(m)"))
}

/// The process from which a worker was forked.
fn parent(worker: &Process) -> Process {
    let pid = worker.status("PPid").and_then(|pid| pid.parse().ok()).expect("it lives");
    Process::get(pid).expect("its parent lives")
}

#[test]
fn groups_of_one_user_share_what_is_imported() {
    let setup = need!(groups(&format!("{MODULES} home=/tmp"), &format!("{MODULES} home=/usr processes=2")));
    let apache = setup.start();
    let [template] = &apache.templates()[..] else { panic!("not one template: {:?}", apache.templates()) };
    for module in ["decimal", "xml.dom.minidom"] {
        let place = place_of(&apache, "/a", module);
        assert!(place.is_i64() && place == place_of(&apache, "/b", module), "{module}: {place}");
    }
    for (target, home) in [("/a", "/tmp"), ("/b", "/usr")] {
        assert_eq!(parent(&apache.worker_of(target)).pid, template.pid);
        let code = "import os, sys; result = [os.getcwd(), sys.path[0], sys.argv]";
        assert_eq!(apache.eval(target, code), json!([home, home, ["mod_wsgi"]]));
    }
    // What must differ does.
    let random = "import random; result = random.random()";
    assert_ne!(apache.eval("/a", random), apache.eval("/b", random));
    assert_eq!(apache.workers().len(), 3);
    apache.finish();
}

#[test]
fn other_settings_of_python_are_another_template() {
    let setup = need!(groups(&format!("{MODULES} env=MODE=a"), &format!("{MODULES} env=MODE=b")));
    let apache = setup.start();
    let mode = "import os; result = os.environ['MODE']";
    assert_eq!((apache.eval("/a", mode), apache.eval("/b", mode)), (json!("a"), json!("b")));
    assert_eq!(apache.templates().len(), 2);
    apache.finish();
}

#[test]
fn pd_3_pd_11_fd_1_forked_workers_are_who_they_should_be_and_hold_nothing_else() {
    let (setup, a, b) = need!(two_sites(&format!("threads=1 {MODULES}")));
    let apache = setup.start();
    assert_eq!(apache.templates().len(), 2);
    for (target, account) in [("/a", &a), ("/b", &b)] {
        let worker = apache.worker_of(target);
        for process in [&worker, &parent(&worker)] {
            assert_eq!(process.uids(), Some(vec![account.uid; 4]), "{process:?}");
            for (field, expected) in
                [("NoNewPrivs", "1"), ("CapEff", "0000000000000000"), ("CapBnd", "0000000000000000")]
            {
                assert_eq!(process.status(field).as_deref(), Some(expected), "{field} of {process:?}");
            }
        }
        assert_eq!(worker.session_and_terminal(), Some((worker.pid, 0)));
        // The descriptors are those of a worker that was executed: no way to the template, none to its other workers.
        let fds = worker.fds();
        assert_eq!(fds.get(&0).map(String::as_str), Some("/dev/null"));
        let of = |kind: &str| fds.values().filter(|target| target.starts_with(kind)).count();
        assert_eq!(of("anon_inode:[pidfd]"), 0, "{fds:?}");
        // Its listener, its reports, and at most two connections of children.
        assert!((2..=4).contains(&of("socket:")), "{fds:?}");
        assert_eq!(of("/dev/null"), 1, "{fds:?}");
        let inherited = apache.eval(
            target,
            "import subprocess; result = subprocess.run(['ls', '/proc/self/fd'], close_fds=False, capture_output=True).stdout.decode()",
        );
        assert_eq!(inherited, "0\n1\n2\n3\n", "{fds:?}");
    }
    apache.finish();
}

#[test]
fn a_forked_worker_that_dies_is_reported_and_replaced() {
    let setup = need!(groups(MODULES, MODULES));
    let apache = setup.start();
    let (before, template) = (apache.worker_of("/a"), apache.templates());
    apache.expect_log("WSGI1002: .*was ended by SIGSEGV");
    before.signal(Signal::SIGSEGV);
    apache.log().wait("WSGI1002: Process group 'a', slot 0: worker [0-9]+ was ended by SIGSEGV");
    let after = apache.worker_of("/a");
    assert_ne!(after.pid, before.pid);
    assert_eq!(parent(&after).pid, template[0].pid);
    apache.finish();
}

#[test]
fn without_its_template_a_group_is_served_by_workers_that_share_nothing() {
    let setup = need!(groups(MODULES, MODULES));
    let apache = setup.start();
    let before = apache.worker_of("/a");
    apache.expect_log("WSGI1031: .*was ended by SIGKILL");
    apache.expect_log("WSGI1002: ");
    apache.templates()[0].kill();
    apache.log().wait("WSGI1031");
    assert_eq!(apache.worker_of("/a").pid, before.pid, "who was forked before lives on");
    before.kill();
    wait_until(LIMIT, "the next one serves", || apache.worker_of("/a").pid != before.pid);
    assert_eq!(place_of(&apache, "/a", "decimal"), json!(null));
    apache.graceful();
    wait_until(LIMIT, "a new configuration shares again", || place_of(&apache, "/a", "decimal").is_i64());
    assert_eq!(apache.templates().len(), 1);
    apache.finish();
}

#[test]
fn graceful_forks_from_a_new_template_and_loses_nothing() {
    let setup = need!(groups(&format!("{MODULES} threads=4"), MODULES));
    let apache = setup.app(
        "pid",
        "import os\ndef application(e, s):\n    s('200 OK', [])\n    return [b'%d' % os.getpid()]\n",
    );
    let apache = apache.config("<Location /pid>\nWSGIProcessGroup a\n</Location>").start();
    let before = apache.templates();
    let load = Load::start(apache.address(), "/pid", 3);
    for _ in 0..2 {
        apache.graceful();
        apache.wait_settled();
    }
    let tally = load.stop();
    assert!(tally.bad.is_empty(), "{} served, but {:?}", tally.good, tally.bad);
    wait_until(LIMIT, "former templates leave", || !before[0].runs() && apache.templates().len() == 1);
    apache.finish();
}

#[test]
fn modules_that_cannot_be_shared_are_named_and_cost_no_request() {
    let setup = need!(groups(
        "shared-imports=decimal,no.such.module",
        "shared-imports=threaded python-path=@ROOT@/packages"
    ));
    let setup =
        setup.file("packages/threaded.py", "").expect_log("WSGI1274: shared-imports=: cannot import ");
    let apache = setup.start();
    apache.log().wait("WSGI1274: shared-imports=: cannot import no.such.module: ModuleNotFoundError");
    assert!(place_of(&apache, "/a", "decimal").is_i64());
    // python-path is a site's own.
    apache.log().wait("cannot import threaded: ");
    assert_eq!(apache.eval("/b", "import threaded; result = threaded.__name__"), json!("threaded"));
    apache.finish();
}

#[test]
fn a_module_that_starts_threads_is_refused_and_workers_share_nothing() {
    let python =
        "import os, sys, threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n";
    let setup = need!(groups("shared-imports=threaded env=PYTHONPATH=@ROOT@/packages", "threads=1"));
    let setup = setup.expect_log("WSGI1275: .*the module threaded starts a thread");
    let setup = setup.expect_log("WSGI1031: .*exit status 1").expect_log("WSGI1002: ");
    let apache = setup.file("packages/threaded.py", python).start();
    apache.log().wait("WSGI1275");
    let answer = wait_for(LIMIT, "it is served", || {
        let response = apache.post("/a", "import threaded; result = threaded.__name__");
        (response.status == 200).then(|| response.json())
    });
    assert_eq!(answer, json!("threaded"));
    apache.finish();
}
