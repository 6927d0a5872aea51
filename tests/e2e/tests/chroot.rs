//! Workers in a root directory of their own (`chroot=`): PD-12, and that the other promises about identity hold there.

use crate::ours_as_root;
use kit::{Python, Setup, Strace, jail, need, users};
use serde_json::json;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

const RUNTIME: &str = "_wsgi_runtime.abi3.so";

/// A setup with the root directory `jail`, a script in it, and a process group in there that gets these options.
fn jailed(options: &str) -> Result<(Setup, PathBuf), String> {
    let (setup, python) = (ours_as_root()?, Python::default_for_tests()?);
    let setup = setup.file("jail/srv/eval.wsgi", &kit::fixture("eval.wsgi"));
    let jail = setup.root().join("jail");
    jail::make(&jail, &python, &[&kit::Server::ours()?.file(RUNTIME)])?;
    let python = python.executable.display();
    let group = format!("WSGIDaemonProcess app chroot=@ROOT@/jail python={python} threads=2 {options}");
    let setup =
        setup.config(&group).config("WSGIScriptAlias /inside @ROOT@/jail/srv/eval.wsgi process-group=app");
    Ok((setup, jail))
}

const WHERE: &str = "
import os
def readable(path):
    try:
        open(path)
        return True
    except OSError:
        return False
keys = ['SCRIPT_FILENAME', 'DOCUMENT_ROOT', 'CONTEXT_DOCUMENT_ROOT', 'SCRIPT_NAME']
result = [os.getcwd(), sorted(os.listdir('/srv')), readable('../../../../etc/shadow'), readable('/etc/passwd'),
          [environ.get(key) for key in keys], __file__ if '__file__' in globals() else os.path.abspath('srv/eval.wsgi')]
";

#[test]
fn pd_12_workers_are_inside_of_their_root_and_see_nothing_else() {
    let (setup, jail) = need!(jailed(""));
    let apache = setup.start();
    let inside = apache.eval("/inside", WHERE);
    let environ = json!(["/srv/eval.wsgi", null, null, "/inside"]);
    assert_eq!(inside, json!(["/", ["eval.wsgi"], false, false, environ, "/srv/eval.wsgi"]));
    let worker = apache.worker_of("/inside");
    for place in ["root", "cwd"] {
        let link = fs::read_link(format!("/proc/{}/{place}", worker.pid)).expect("the worker lives");
        assert_eq!(link, jail, "{place}");
    }
    assert_eq!(worker.uids(), Some(vec![users::apache().uid; 4]));
    apache.finish();
}

#[test]
fn pd_3_pd_6_pd_7_the_identity_holds_inside() {
    let a = need!(users::site('a'));
    let (setup, jail) = need!(jailed(&format!("user={0} group={0} home=/srv python-path=/more", a.name)));
    let setup = setup.file("jail/more/extra.py", "VALUE = 'from inside'\n").file("jail/srv/www/x", "");
    let setup = setup.config("DocumentRoot @ROOT@/jail/srv/www");
    let apache = setup.start();
    let result = "import os, extra\nresult = [os.getcwd(), extra.VALUE, environ['DOCUMENT_ROOT']]";
    assert_eq!(apache.eval("/inside", result), json!(["/srv", "from inside", "/srv/www"]));
    let worker = apache.worker_of("/inside");
    assert_eq!(fs::read_link(format!("/proc/{}/root", worker.pid)).expect("the worker lives"), jail);
    assert_eq!(worker.uids(), Some(vec![a.uid; 4]));
    assert_eq!(worker.status("Gid"), Some(vec![a.gid.to_string(); 4].join(" ")));
    assert_eq!(worker.status("NoNewPrivs").as_deref(), Some("1"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(worker.status(set).as_deref(), Some("0000000000000000"), "{set}");
    }
    let way_out = "import os\ntry:\n    os.chroot('/srv')\n    result = 'changed'\nexcept PermissionError:\n    result = 'no'";
    assert_eq!(apache.eval("/inside", way_out), json!("no"));
    apache.finish();
}

#[test]
fn a_script_outside_of_the_root_is_refused() {
    let (setup, _) = need!(jailed(""));
    let apache = setup
        .file("jailed/eval.wsgi", &kit::fixture("eval.wsgi"))
        .config("WSGIScriptAlias /beside @ROOT@/jailed/eval.wsgi process-group=app")
        .expect_log("WSGI0081: the file is not below .*/jail/, the root directory of process group app")
        .start();
    assert_eq!(apache.get("/beside").status, 500);
    apache.wait_settled();
    apache.finish();
}

#[test]
fn scripts_that_are_loaded_at_the_start_may_be_named_from_either_side() {
    let (setup, _) = need!(jailed(""));
    let writes = |name: &str| format!("open('/scratch/{name}', 'w').write(__file__)\n");
    let setup = setup.file("jail/scratch/.keep", "");
    let scratch = setup.root().join("jail/scratch");
    fs::set_permissions(&scratch, Permissions::from_mode(0o1777)).expect("the folder is ours");
    let apache = setup
        .file("jail/srv/one.py", &writes("one"))
        .file("jail/srv/two.py", &writes("two"))
        .config("WSGIImportScript @ROOT@/jail/srv/one.py process-group=app application-group=%{GLOBAL}")
        .config("WSGIImportScript /srv/two.py process-group=app application-group=%{GLOBAL}")
        .start();
    kit::wait_until(kit::LIMIT, "both are loaded", || {
        ["one", "two"].iter().all(|name| {
            fs::read_to_string(scratch.join(name)).is_ok_and(|text| text == format!("/srv/{name}.py"))
        })
    });
    apache.finish();
}

#[test]
fn the_check_names_what_is_missing_inside() {
    let (setup, jail) = need!(jailed(""));
    let good = setup.check();
    assert!(good.good, "{}", good.text);
    let runtime = need!(kit::Server::ours()).file(RUNTIME);
    let copy = jail.join(runtime.strip_prefix("/").expect("is absolute"));
    let advice = format!("install -D -m 644 {} {}", runtime.display(), copy.display());
    fs::remove_file(&copy).expect("it was copied");
    let refused = |words: &[&str]| {
        let check = setup.check();
        let all = words.iter().all(|word| check.text.contains(word));
        assert!(!check.good && all, "{words:?} in {}", check.text);
    };
    refused(&["WSGIDaemonProcess app", "is not there", &advice]);
    fs::write(&copy, "of another release").expect("the folder is ours");
    refused(&["is not the installed version", &advice]);
    fs::copy(&runtime, &copy).expect("the folder is ours");
    fs::set_permissions(&jail, Permissions::from_mode(0o777)).expect("the folder is ours");
    refused(&["the directory of chroot=", "is writable for others"]);
    fs::set_permissions(&jail, Permissions::from_mode(0o755)).expect("the folder is ours");
    let python = need!(Python::default_for_tests()).executable;
    fs::remove_file(jail.join(python.strip_prefix("/").expect("is absolute"))).expect("it was copied");
    refused(&["cannot be executed", "inside of chroot=", &jail.display().to_string()]);
}

#[test]
fn pd_2_a_root_that_others_can_exchange_gets_no_worker() {
    let (setup, jail) = need!(jailed(""));
    chown(&jail, Some(users::apache().uid), None).expect("we are root");
    let apache = setup.unsettled().expect_log("WSGI1003: .*chroot=").start();
    apache.log().wait("WSGI1003: .*the directory of chroot=, or one above it, is writable for others or belongs to another user");
    assert!(apache.workers().is_empty());
    apache.finish();
}

#[test]
fn pd_8_without_the_capability_there_is_no_worker_and_a_sentence() {
    let (setup, _) = need!(jailed(""));
    let launcher = ["setpriv", "--bounding-set", "-sys_chroot"];
    let apache = setup.launcher(&launcher).unsettled().expect_log("WSGI1003: .*chroot").start();
    apache.log().wait("WSGI1003: .*changing its root directory .* not permitted.*CAP_SYS_CHROOT");
    assert!(apache.workers().is_empty());
    apache.finish();
}

/// A worker is replaced while chroot(2) does this: there is none until it works again.
fn no_worker_while(inject: &str) -> Result<(), String> {
    Strace::available()?;
    let apache = jailed("")?.0.start();
    let former = apache.worker_of("/inside");
    let supervisor = apache.wait_supervisor();
    let options = ["-e", "trace=chroot", "-e", &format!("inject=chroot:{inject}")];
    let strace = Strace::attach(supervisor.pid, apache.root(), &options);
    apache.expect_log("WSGI100[23]: .*'app'|WSGI1109: ");
    former.kill();
    apache.log().wait("WSGI1003: .*changing its root directory");
    assert!(apache.workers().is_empty());
    drop(strace);
    // Until the next try, requests are answered 503.
    kit::wait_until(kit::LIMIT, "a worker is there", || !apache.workers().is_empty());
    assert_eq!(apache.eval("/inside", "import os; result = os.listdir('/srv')"), json!(["eval.wsgi"]));
    apache.finish();
    Ok(())
}

#[test]
fn pd_2_chroot_fails_with_eperm() {
    need!(no_worker_while("error=EPERM"));
}

#[test]
fn pd_3_lying_chroot_is_noticed() {
    need!(no_worker_while("retval=0"));
}
