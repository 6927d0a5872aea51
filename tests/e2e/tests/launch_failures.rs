//! System calls that fail, or lie, while a worker starts: PD-2 and PD-3. Python must never run with a wrong identity.

use crate::two_sites;
use kit::{LIMIT, Setup, Strace, need, stays_true, wait_until};
use std::fs;
use std::time::Duration;

/// A site whose Python tells in `scratch/ran` that it ran, and as whom, before any of our checks inside of it could.
fn telling() -> Result<Setup, String> {
    Strace::available()?;
    let (setup, _, _) = two_sites("threads=1")?;
    let code = "import os\nopen('@SCRATCH@/ran', 'a').write(repr((os.getresuid(), os.getresgid(), os.getgroups())) + '\\n')\n";
    let group = "WSGIDaemonProcess told user=wsgi-test-a group=wsgi-test-a threads=1 python-home=@ROOT@/venv";
    let alias = "WSGIScriptAlias /told @SITE@/eval.wsgi process-group=told";
    Ok(setup.venv_that_runs(code)?.config(group).config(alias))
}

/// A worker of one site is replaced while system calls of the supervisor's children are disturbed as `inject` says: Python does
/// not run, the log says why, the other site is served, and when the calls work again so does the site.
fn no_worker_while(inject: &str) -> Result<(), String> {
    let apache = telling()?.start();
    let former = apache.worker_of("/told");
    let (other, ran) = (apache.worker_of("/b"), apache.scratch("ran"));
    fs::remove_file(&ran).map_err(|error| format!("Python did not tell that it ran: {error}"))?;
    // Only calls that are traced can be disturbed.
    let call = format!("trace={}", inject.split(':').next().unwrap_or_default());
    let supervisor = apache.wait_supervisor();
    let strace =
        Strace::attach(supervisor.pid, apache.root(), &["-e", &call, "-e", &format!("inject={inject}")]);
    apache.expect_log(r"WSGI100[234]: .*'told'");
    former.kill();
    apache.log().wait(r"\[wsgi:error\].*WSGI10(03|04).*told");
    stays_true(Duration::from_millis(300), "Python does not run", || !ran.exists());
    assert_eq!(apache.worker_of("/b"), other, "{inject}: the other site's worker was replaced");
    assert!(supervisor.runs(), "{inject}: the supervisor is gone\n{}", apache.log().tail());
    drop(strace);
    wait_until(LIMIT, "the site is served again", || ran.exists());
    assert_eq!(apache.eval("/told", "result = 1"), 1);
    apache.finish();
    Ok(())
}

macro_rules! failing_call {
    ($($name:ident: $inject:literal;)*) => { $(
        #[test]
        fn $name() {
            need!(no_worker_while($inject));
        }
    )* };
}

failing_call! {
    pd_2_setgroups_fails_with_eperm: "setgroups:error=EPERM";
    pd_2_setgroups_fails_with_enomem: "setgroups:error=ENOMEM";
    pd_2_setresgid_fails_with_eperm: "setresgid:error=EPERM";
    pd_2_setresgid_fails_with_einval: "setresgid:error=EINVAL";
    pd_2_setresuid_fails_with_eagain: "setresuid:error=EAGAIN";
    pd_2_setresuid_fails_with_eperm: "setresuid:error=EPERM";
    pd_2_prctl_fails_with_einval: "prctl:error=EINVAL";
    pd_2_chdir_fails_with_eacces: "chdir:error=EACCES";
    pd_2_setsid_fails_with_eperm: "setsid:error=EPERM";
    pd_2_execve_fails_with_enomem: "execve:error=ENOMEM";
    pd_2_fork_fails_with_eagain: "clone,clone3,fork,vfork:error=EAGAIN";
    pd_3_lying_setgroups_is_noticed: "setgroups:retval=0";
    pd_3_lying_setresgid_is_noticed: "setresgid:retval=0";
    pd_3_lying_setresuid_is_noticed: "setresuid:retval=0";
}

#[test]
fn the_witness_of_these_tests_works() {
    let apache = need!(telling()).start();
    assert_eq!(apache.eval("/told", "result = 1"), 1);
    let told = fs::read_to_string(apache.scratch("ran")).expect("Python ran");
    assert!(!told.contains("(0,"), "{told}");
    apache.finish();
}

#[test]
fn cr_3_a_group_that_cannot_start_is_503_at_once() {
    let setup = need!(crate::ours())
        .config("WSGIDaemonProcess broken threads=1 python=/usr/bin/false listen-backlog=10")
        .fixture("hello")
        .config("WSGIProcessGroup broken")
        .expect_log(r"WSGI100[234]: .*'broken'|WSGI1109: .*'broken'|WSGI\d+: .*/usr/bin/false")
        .unsettled();
    let apache = setup.start();
    // From the second failure on there is a pause, in which nobody is made to wait.
    let refused = || apache.log().lines(r"WSGI100[234]: .*'broken'").len() >= 3;
    wait_until(LIMIT, "the group fails again and again", refused);
    for _ in 0..5 {
        let begin = std::time::Instant::now();
        let response = apache.get("/hello").expect_status(503);
        assert!(response.header("Retry-After").is_some(), "{:?}", response.head);
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
    apache.log().wait("WSGI1109: .*'broken'");
    apache.finish();
}
