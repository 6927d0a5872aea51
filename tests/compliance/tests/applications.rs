//! Applications that people run on mod_wsgi for years: Trac, and Mercurial's hgweb with Mercurial as its client.

use kit::{Account, Apache, Browser, Python, Setup, need, run};
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/applications/requirements.txt");

fn home() -> Result<PathBuf, String> {
    Python::default_for_tests()?.home_with("applications", &["-r", REQUIREMENTS])
}

/// Runs a program of the virtual environment as the user who will serve what it makes.
fn as_server(home: &Path, program: &str, args: &[&str]) -> Result<String, String> {
    let account = if kit::users::am_root() { kit::users::apache() } else { Account::own() };
    let mut command = Command::new("setpriv");
    if kit::users::am_root() {
        command.args([format!("--reuid={}", account.uid), format!("--regid={}", account.gid)]);
        command.arg("--clear-groups");
    }
    command.arg(home.join("bin").join(program)).args(args).current_dir("/").env("HOME", "/nonexistent");
    run(&mut command)
}

fn started(setup: Setup, home: &Path, name: &str) -> Apache {
    let group = format!("WSGIDaemonProcess app threads=4 python-home={}", home.display());
    let source = kit::fixture(&format!("applications/{name}.wsgi"));
    setup
        .config(&group)
        .config("WSGIProcessGroup app\nWSGIApplicationGroup %{GLOBAL}")
        .app("app", &source)
        .start()
}

#[test]
fn trac_works() {
    let (setup, home) = (need!(Setup::new()), need!(home()));
    let place = setup.root().join("scratch/trac").display().to_string();
    need!(as_server(&home, "trac-admin", &[&place, "initenv", "Größen", "sqlite:db/trac.db"]));
    for right in ["TICKET_CREATE", "WIKI_CREATE", "WIKI_MODIFY"] {
        need!(as_server(&home, "trac-admin", &[&place, "permission", "add", "anonymous", right]));
    }
    let apache = started(setup, &home, "trac");
    let mut browser = Browser::new(&apache);
    assert!(browser.get("/app").text().contains("Größen"));
    let style = browser.get("/app/chrome/common/css/trac.css");
    assert_eq!(style.header("Content-Type").map(|kind| kind.starts_with("text/css")), Some(true));
    assert!(browser.get("/app/newticket").text().contains("name=\"__FORM_TOKEN\""));
    let token = browser.cookie("trac_form_token").expect("Trac gives a token").to_owned();
    let fields = format!(
        "__FORM_TOKEN={token}&field_summary=Fr%C3%BChling&field_description=text&field_type=defect&field_owner=&author=me&submit=1"
    );
    let ticket = browser.post("/app/newticket", &fields).expect_status(200).text();
    assert!(ticket.contains("Frühling") && ticket.contains("#1"), "{ticket}");
    assert!(browser.get("/app/ticket/1?format=csv").text().contains("Frühling"));
    apache.get("/app/ticket/99").expect_status(404);
    apache.finish();
}

#[test]
fn hgweb_serves_clones_and_takes_pushes() {
    let (setup, home) = (need!(Setup::new()), need!(home()));
    let scratch = setup.root().join("scratch");
    let path = |name: &str| scratch.join(name).display().to_string();
    let hg = |args: &[&str]| as_server(&home, "hg", &[&["--config", "ui.username=me"], args].concat());
    let config = format!("[paths]\nrepo = {}\n[web]\nallow-push = *\npush_ssl = false\n", path("repo"));
    let setup = setup.file("scratch/hgweb.config", &config);
    need!(hg(&["init", &path("repo")]));
    let apache = started(setup, &home, "hgweb");
    assert!(apache.get("/app/").expect_status(200).text().contains("repo"));

    let url = format!("http://{}/app/repo", apache.address());
    need!(hg(&["clone", &url, &path("first")]));
    // More than fits into one frame, and not compressible, so that the push has a large body.
    let noise: String =
        (0..40_000_u32).map(|at| format!("{:08x}\n", at.wrapping_mul(2_654_435_761))).collect();
    std::fs::write(scratch.join("noise"), noise).expect("the folder is ours");
    need!(as_server(
        &home,
        "python",
        &["-c", &format!("import shutil; shutil.copy({:?}, {:?})", path("noise"), path("first/noise"))]
    ));
    need!(hg(&["-R", &path("first"), "commit", "-A", "-m", "Größe", &path("first/noise")]));
    need!(hg(&["-R", &path("first"), "push", &url]));
    need!(hg(&["clone", &url, &path("second")]));
    let (one, two) =
        (std::fs::read(scratch.join("first/noise")), std::fs::read(scratch.join("second/noise")));
    assert_eq!(one.expect("was committed"), two.expect("was cloned"));
    assert!(apache.get("/app/repo/log").expect_status(200).text().contains("Größe"));
    apache.finish();
}
