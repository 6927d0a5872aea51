//! A real Django site: log in to its admin, forms with CSRF tokens, an upload, both kinds of download, static files.

use crate::ours;
use kit::{Account, Apache, Browser, Mpm, Python, Setup, need, run};
use regex::Regex;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the example needs from PyPI.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/django/requirements.txt");
const PASSWORD: &str = "correct horse battery staple";

/// Copies the example into the setup's folder and makes it ready, as the user who will run it.
fn prepare(setup: &Setup, home: &Path) -> Result<(), String> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/django");
    let site = setup.root().join("django");
    run(Command::new("cp").arg("-r").arg(&example).arg(&site))?;
    let _ = fs::remove_dir_all(site.join("var"));
    let account = if kit::users::am_root() { kit::users::site('a')? } else { Account::own() };
    let mut words = Vec::new();
    if kit::users::am_root() {
        run(Command::new("chown").arg("-R").arg(format!("{0}:{0}", account.name)).arg(&site))?;
        words.extend([
            "setpriv".to_owned(),
            format!("--reuid={}", account.uid),
            format!("--regid={}", account.gid),
        ]);
        words.push("--clear-groups".to_owned());
    }
    words.extend([
        home.join("bin/python").display().to_string(),
        site.join("prepare.py").display().to_string(),
    ]);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env("EXAMPLE_ADMIN_PASSWORD", PASSWORD)
        .env("HOME", &account.home)
        .current_dir("/");
    run(&mut command).map(drop)
}

/// Starts the example the way its users do: three lines and an alias for static files.
fn started(python: &Python, mpm: Mpm) -> Result<Apache, String> {
    let setup = ours()?.mpm(mpm);
    let home = python.home_with("django", &["-r", REQUIREMENTS])?;
    prepare(&setup, &home)?;
    let user = if kit::users::am_root() { "user=wsgi-test-a group=wsgi-test-a" } else { "" };
    let group = format!(
        "WSGIDaemonProcess projectname {user} processes=1 threads=10 python-home={} python-path=@ROOT@/django",
        home.display()
    );
    Ok(setup
        .config("WSGIScriptAlias / @ROOT@/django/example/wsgi.py")
        .config(&group)
        .config("WSGIProcessGroup projectname\nAlias /static @ROOT@/django/var/static")
        .config("AddType text/css .css")
        .start())
}

fn drive(apache: &Apache) {
    let mut browser = Browser::new(apache);
    assert!(browser.get("/").text().contains("Nothing was uploaded yet."));
    assert!(browser.get("/").text().contains("Visits in this session: 2"));
    let style = browser.get("/static/files/style.css");
    assert_eq!(style.header("Content-Type").map(|kind| kind.starts_with("text/css")), Some(true));
    // Without its token a form is refused.
    apache.post("/accounts/login/", "username=admin").expect_status(403);
    apache.expect_log("Forbidden|CSRF");
    let wrong =
        browser.submit("/admin/login/?next=/admin/", &[("username", "admin"), ("password", "wrong")], None);
    assert!(wrong.text().contains("Please enter the correct username and password"), "{}", wrong.text());
    let admin =
        browser.submit("/admin/login/?next=/admin/", &[("username", "admin"), ("password", PASSWORD)], None);
    assert!(admin.text().contains("Site administration"), "{}", admin.text());

    let data: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let listed = browser.submit("/upload/", &[("title", "Große Datei")], Some(("file", "large.bin", &data)));
    assert!(
        listed.text().contains("Große Datei") && listed.text().contains("was uploaded"),
        "{}",
        listed.text()
    );
    let place = Regex::new(r"/files/(\d+)/").expect("is valid").captures(&listed.text()).expect("a link")[1]
        .to_owned();
    let whole = browser.get(&format!("/files/{place}/"));
    assert!(whole.body == data, "{} bytes", whole.body.len());
    assert_eq!(whole.header("Content-Length"), Some("3000000"));
    let streamed = browser.get(&format!("/files/{place}/stream/"));
    assert!(streamed.body == data, "{} bytes", streamed.body.len());
    let admin_list = browser.get("/admin/files/upload/").text();
    assert!(admin_list.contains("Große Datei"), "{admin_list}");
    browser.send("GET", "/no/such/page", &[], None).expect_status(404);
}

fn works_on(minor: u8, mpm: Mpm) -> Result<(), String> {
    let apache = started(&Python::version(minor)?, mpm)?;
    apache.expect_log("WARNING django.request: (Not Found|Forbidden|Unauthorized)");
    drive(&apache);
    if let Some(worker) = apache.workers().first() {
        let expected = if kit::users::am_root() { kit::users::site('a')?.uid } else { Account::own().uid };
        assert_eq!(worker.uids(), Some(vec![expected; 4]));
    }
    apache.finish();
    Ok(())
}

#[test]
fn the_example_works_on_python_3_10_with_prefork() {
    need!(works_on(10, Mpm::Prefork));
}

#[test]
fn the_example_works_on_the_system_python_with_event() {
    let python = need!(Python::default_for_tests());
    need!(works_on(python.minor, Mpm::Event));
}

#[test]
fn the_example_works_on_python_3_13_with_worker() {
    need!(works_on(13, Mpm::Worker));
}
