//! System calls that fail, or lie, while a worker starts: PD-2 and PD-3. Python must never run with a wrong identity.

use crate::two_sites;
use kit::{Apache, Python, Setup, Strace, holds_within, need, stays_true};
use std::fs;
use std::time::Duration;

/// A site whose Python tells in `scratch/ran` that it ran, and as whom, before any of our checks inside of it could.
fn telling() -> Result<Setup, String> {
    Strace::available()?;
    let (setup, _, _) = two_sites("threads=1")?;
    let venv = setup.root().join("venv");
    let python = Python::default_for_tests()?;
    python.private_venv(&venv)?;
    let packages = format!("venv/lib/python3.{}/site-packages/sitecustomize.py", python.minor);
    let code = "import os\nopen('@SCRATCH@/ran', 'a').write(repr((os.getresuid(), os.getresgid(), os.getgroups())) + '\\n')\n";
    Ok(setup.file(&packages, code))
}

/// Starts it with system calls of the supervisor and its children disturbed as `inject` says.
fn disturbed(inject: &str) -> Result<Apache, String> {
    let setup = telling()?;
    let home = setup.root().join("venv").display().to_string();
    let wrapper = format!("strace -f -D -qq -o @ROOT@/strace.txt -e trace=none -e inject={inject}");
    // The first two groups keep the shared home; this one tells.
    let setup = setup
        .config(&format!(
            "WSGIDaemonProcess told user=wsgi-test-a group=wsgi-test-a threads=1 python-home={home}"
        ))
        .config("WSGIScriptAlias /told @SITE@/eval.wsgi process-group=told")
        .supervisor_through(&wrapper)
        .unsettled()
        .expect_log("WSGI");
    Ok(setup.start())
}

/// Nothing is served, Python never ran, the log says why, Apache itself serves.
fn never_serves(inject: &str) -> Result<(), String> {
    let mut apache = disturbed(inject)?;
    apache.log().wait(r"\[wsgi:error\].*WSGI10\d\d");
    let asked =
        apache.request("POST", "/told").body("result = 1").patience(Duration::from_millis(1500)).try_send();
    assert!(!asked.is_ok_and(|response| response.status == 200), "{inject}: a request was served");
    stays_true(Duration::from_millis(500), "Python does not run", || !apache.scratch("ran").exists());
    apache.get("/static.txt").expect_status(200);
    assert!(apache.supervisor().is_some(), "{inject}: the supervisor is gone\n{}", apache.log().tail());
    // strace holds the supervisor's children: give all of it time to end.
    let family = kit::proc::descendants(apache.parent().pid);
    apache.stop(nix::sys::signal::Signal::SIGTERM);
    assert!(holds_within(kit::LIMIT, || family.iter().all(|process| !process.runs())), "processes stay");
    Ok(())
}

macro_rules! failing_call {
    ($($name:ident: $inject:literal;)*) => { $(
        #[test]
        fn $name() {
            need!(never_serves($inject));
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
    pd_3_lying_setgroups_is_noticed: "setgroups:retval=0";
    pd_3_lying_setresgid_is_noticed: "setresgid:retval=0";
    pd_3_lying_setresuid_is_noticed: "setresuid:retval=0";
}

#[test]
fn the_witness_of_these_tests_works() {
    let setup = need!(telling());
    let home = setup.root().join("venv").display().to_string();
    let apache = setup
        .config(&format!(
            "WSGIDaemonProcess told user=wsgi-test-a group=wsgi-test-a threads=1 python-home={home}"
        ))
        .config("WSGIScriptAlias /told @SITE@/eval.wsgi process-group=told")
        .supervisor_through("")
        .start();
    assert_eq!(apache.eval("/told", "result = 1"), 1);
    let told = fs::read_to_string(apache.scratch("ran")).expect("Python ran");
    assert!(!told.contains("(0,"), "{told}");
    apache.finish();
}
