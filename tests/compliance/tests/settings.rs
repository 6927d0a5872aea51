//! What directives say about Python itself, in the main interpreter and in a sub-interpreter.

use kit::{Apache, Setup, need, pick};
use serde_json::{Value, json};

/// `/main` and `/sub` run Python statements in the two kinds of interpreters of one process.
fn both(options: &str, config: &str) -> Result<Setup, String> {
    let setup = Setup::new()?.daemon("app", &format!("processes=1 threads=2 {options}"));
    let alias = |name: &str, group: &str| {
        format!("WSGIScriptAlias /{name} @SITE@/eval.wsgi process-group=app application-group={group}\n")
    };
    let aliases = alias("main", "%{GLOBAL}") + &alias("sub", "sub");
    Ok(setup.file("site/eval.wsgi", &kit::fixture("eval.wsgi")).config(&aliases).config(config))
}

#[track_caller]
fn expect(apache: &Apache, code: &str, main: Value, sub: Value) {
    assert_eq!(apache.eval("/main", code), main, "main");
    assert_eq!(apache.eval("/sub", code), sub, "sub");
}

#[test]
fn optimize_warnings_and_bytecode_reach_python() {
    let apache = need!(both(
        "",
        "WSGIPythonOptimize 2\nWSGIPythonWarnings ignore::DeprecationWarning\nWSGIPythonWarnings error::UserWarning\n\
         WSGIDontWriteBytecode On"
    ))
    .start();
    let code = "
import sys, warnings
def f():
    'doc'
    assert False
f()
try:
    warnings.warn('x', UserWarning)
except UserWarning:
    raised = True
result = [sys.flags.optimize, sys.dont_write_bytecode, raised, f.__doc__,
    [option for option in sys.warnoptions if 'Warning' in option]]";
    let expected = json!([2, true, true, null, ["ignore::DeprecationWarning", "error::UserWarning"]]);
    expect(&apache, code, expected.clone(), expected);
    apache.finish();
}

#[test]
fn without_them_python_is_as_usual() {
    let apache = need!(both("", "")).start();
    let code =
        "import sys; result = [sys.flags.optimize, sys.dont_write_bytecode, sys.flags.hash_randomization]";
    expect(&apache, code, json!([0, false, 1]), json!([0, false, 1]));
    apache.finish();
}

#[test]
fn a_fixed_hash_seed_is_the_same_in_each_process_and_leaves_no_variable() {
    let code = "
import os, subprocess, sys
child = subprocess.run([sys.executable, '-c', 'import os; print(os.environ.get(\"PYTHONHASHSEED\"))'],
    capture_output=True, text=True, check=True).stdout.strip()
result = [hash('a text'), os.environ.get('PYTHONHASHSEED'), child]";
    let mut seen = Vec::new();
    for seed in ["42", "42", "43"] {
        let apache = need!(both("", &format!("WSGIPythonHashSeed {seed}"))).start();
        let main = apache.eval("/main", code);
        assert_eq!(apache.eval("/sub", code)[0], main[0], "one process, one seed");
        assert_eq!((&main[1], &main[2]), (&json!(null), &json!("None")));
        seen.push(main[0].clone());
        apache.finish();
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}

#[test]
fn a_random_hash_seed_is_random_here_and_fixed_with_mod_wsgi() {
    let code = "import os; result = [hash('a text'), 'PYTHONHASHSEED' in os.environ]";
    let mut seen = Vec::new();
    for _ in 0..2 {
        let apache = need!(both("", "WSGIPythonHashSeed random")).start();
        seen.push(apache.eval("/main", code));
        apache.finish();
    }
    assert_eq!(seen[0][1], json!(false));
    assert_eq!(seen[0] == seen[1], pick(false, true), "{seen:?}");
}

#[test]
fn restricted_streams_refuse_each_use() {
    let apache = need!(both("", "WSGIRestrictStdin On\nWSGIRestrictStdout On")).start();
    let code = "
import sys
result = []
for use in (lambda: sys.stdin.read(), lambda: print('x'), lambda: sys.stdout.fileno()):
    try:
        use()
    except OSError as error:
        result.append(str(error))";
    let stdout = "sys.stdout access restricted by mod_wsgi";
    let expected = json!(["sys.stdin access restricted by mod_wsgi", stdout, stdout]);
    if pick(false, true) {
        // It flushes the restricted stream when it ends.
        apache.expect_log("wsgi:error");
    }
    expect(&apache, code, expected.clone(), expected);
    apache.finish();
}

#[test]
fn a_section_restricts_one_interpreter() {
    let section = "<WSGIInterpreterOptions process-group=app application-group=sub>\nWSGIRestrictStdout On\n\
                   WSGIRestrictSignal Off\nWSGIPythonPath @ROOT@/extra\n</WSGIInterpreterOptions>";
    let setup = need!(both("python-path=@ROOT@/lib", section));
    let apache =
        setup.file("extra/which.py", "name = 'extra'\n").file("lib/which.py", "name = 'lib'\n").start();
    let code = "
import signal, sys, which
try:
    print('text')
    printed = True
except OSError:
    printed = False
result = [printed, which.name]";
    expect(&apache, code, json!([true, "lib"]), json!([false, "extra"]));
    apache.log().wait("text");
    apache.finish();
}

#[test]
fn signal_handlers_are_not_registered_unless_allowed() {
    let code = "
import signal
before = signal.getsignal(signal.SIGUSR2)
handler = lambda *args: None
try:
    returned = signal.signal(signal.SIGUSR2, handler) is handler
except ValueError:
    returned = 'refused by Python'
result = [returned, signal.getsignal(signal.SIGUSR2) is before]";
    let apache = need!(both("", "")).start();
    expect(&apache, code, json!([true, true]), json!([true, true]));
    apache.finish();
    let apache = need!(both("", "WSGIRestrictSignal Off")).start();
    // Python itself takes handlers in the main thread only, and no request runs there.
    expect(&apache, code, json!(["refused by Python", true]), json!(["refused by Python", true]));
    apache.finish();
}

#[test]
fn the_switch_interval_is_the_group_s() {
    let apache = need!(both("switch-interval=0.02", "")).start();
    let code = "import sys; result = round(sys.getswitchinterval(), 6)";
    expect(&apache, code, json!(0.02), json!(0.02));
    apache.finish();
}

#[test]
fn destroy_interpreter_off_leaves_exit_functions_out() {
    let code = |name: &str| {
        format!(
            "
import atexit, mod_wsgi
atexit.register(lambda: open('@SCRATCH@/exit-{name}', 'w').write('x'))
mod_wsgi.subscribe_shutdown(lambda name, **rest: open('@SCRATCH@/told-{name}', 'w').write('x'))
result = True"
        )
    };
    for (config, runs) in [("", true), ("WSGIDestroyInterpreter Off", false)] {
        let apache = need!(both("", config)).start();
        let scratch = apache.scratch("");
        for name in ["main", "sub"] {
            let code = code(name).replace("@SCRATCH@", &scratch.display().to_string());
            assert_eq!(apache.eval(&format!("/{name}"), &code), json!(true));
        }
        let files = ["main", "sub"].map(|name| apache.scratch(&format!("exit-{name}")));
        apache.restart();
        kit::wait_until(kit::LIMIT, "the new worker serves", || {
            apache.get("/main").status == 500 || apache.eval("/main", "result = 1") == json!(1)
        });
        // The event comes in any case.
        for name in ["main", "sub"] {
            apache.wait_scratch(&format!("told-{name}"));
        }
        if runs {
            for file in &files {
                kit::wait_until(kit::LIMIT, "exit functions run", || file.exists());
            }
        } else {
            apache.wait_settled();
            assert!(files.iter().all(|file| !file.exists()), "{files:?}");
        }
        apache.finish();
    }
}
