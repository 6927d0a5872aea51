//! `wsgi-supervisor --check`: one line of JSON for each thing that would keep a group's workers from starting.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::kit::{Place, group, is_root, needs};
use spec::Definitions;
use spec::control::{Finding, Problem};

/// Exit status and sentences of a check; each begins with the group's name.
fn check(definitions: &Definitions) -> (i32, Vec<String>) {
    check_text(&serde_json::to_vec(definitions).unwrap())
}

fn check_text(text: &[u8]) -> (i32, Vec<String>) {
    let mut process = Command::new(crate::kit::PROGRAM)
        .arg("--check")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(text).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let sentence = |line| match serde_json::from_str(line).unwrap() {
        Finding::Problem(Problem { group, sentence }) => {
            format!("{}: {sentence}", group.as_deref().unwrap_or("no group"))
        }
        Finding::Python { group, python } => {
            format!("{group} has {} {:?}", python.version, python.environment)
        }
    };
    let lines = text.lines().map(sentence).collect();
    (output.status.code().unwrap(), lines)
}

#[track_caller]
fn assert_only(lines: &[String], parts: &[&str]) {
    assert_eq!(lines.len(), 1, "{lines:?}");
    parts.iter().for_each(|part| assert!(lines[0].contains(part), "{part:?} in {:?}", lines[0]));
}

#[test]
fn a_good_python_has_no_problem() {
    let place = Place::new();
    let python = place.script("python", "printf 'noise\\nwsgi-check:version:3.12\\nwsgi-check:done:\\n'");
    assert_eq!(check(&place.definitions(vec![group("a", &python), group("b", &python)])), (0, vec![]));
}

#[test]
fn a_python_says_what_it_is() {
    let place = Place::new();
    let facts = "wsgi-check:version:3.12\\nwsgi-check:release:3.12.1\\nwsgi-check:environment:/srv/\\033venv";
    let python = place.script("python", &format!("printf '{facts}\\nwsgi-check:done:\\n'"));
    let said = vec![r#"a has 3.12.1 Some("/srv/\\x1bvenv")"#.to_owned()];
    assert_eq!(check(&place.definitions(vec![group("a", &python)])), (0, said));
}

#[test]
fn an_environment_that_was_made_for_another_version_is_named() {
    let place = Place::new();
    let python = place.script("python", "printf 'wsgi-check:made-for:3.9\\nwsgi-check:done:\\n'");
    let (code, lines) = check(&place.definitions(vec![group("site", &python)]));
    assert_eq!(code, 1);
    assert_only(&lines, &["site: ", "was made for Python 3.9", "--clear"]);
}

#[test]
fn an_old_python_is_named_with_its_version() {
    let place = Place::new();
    let python = place.script("python", "printf 'wsgi-check:version:3.9\\nwsgi-check:done:\\n'");
    let (code, lines) = check(&place.definitions(vec![group("site", &python)]));
    assert_eq!(code, 1);
    assert_only(&lines, &["site: ", "is Python 3.9, which is too old", "3.10 or newer"]);
}

#[test]
fn a_free_threaded_python_is_named() {
    let place = Place::new();
    // The probe's own text decides, as a build like that knows it.
    let like_one = "import sys; sys.abiflags = 't'; exec(sys.argv.pop(1))";
    let python = place.script("python", &format!("shift; exec python3 -c \"{like_one}\" \"$@\""));
    let (code, lines) = check(&place.definitions(vec![group("site", &python)]));
    assert_eq!(code, 1);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_only(&lines[..1], &["site: ", "free-threaded build of Python", "python="]);
}

#[test]
fn pd_2_what_the_user_may_not_use_is_found_before_the_start() {
    if !needs("root", is_root()) {
        return;
    }
    let place = Place::new();
    let closed = place.closed();
    fs::copy(place.good_worker(), closed.join("python")).unwrap();
    let (_, lines) = check(&place.definitions(vec![group("site", &closed.join("python"))]));
    assert_only(&lines, &["user #61999 cannot execute", "Permission denied"]);
    let mut site = group("site", &place.good_worker());
    site.home = Some(closed);
    let (_, lines) = check(&place.definitions(vec![site.clone()]));
    assert_only(&lines, &["user #61999 cannot enter home=", "Permission denied"]);
    site.account = None;
    let (_, lines) = check(&place.definitions(vec![site]));
    assert_only(&lines, &["workers never run as root"]);
}

#[test]
fn a_python_that_does_not_start_or_hangs_is_found() {
    let place = Place::new();
    let broken =
        place.script("broken", "echo first >&2; printf '\\033no module named encodings' >&2; exit 1");
    let (code, lines) = check(&place.definitions(vec![group("site", &broken)]));
    assert_eq!(code, 1);
    assert_only(&lines, &["ended with exit status 1", ": \\x1bno module named encodings"]);
    let start = Instant::now();
    let hangs = place.script("hangs", "exec sleep 1000");
    let (_, lines) = check(&place.definitions(vec![group("site", &hangs)]));
    assert_only(&lines, &["did not start within 10 s"]);
    assert!(start.elapsed().as_secs() < 14);
}

#[test]
fn a_real_python_finds_bad_paths_and_a_bad_extension() {
    let python = Path::new("/usr/bin/python3");
    if !needs("/usr/bin/python3", python.exists()) {
        return;
    }
    let place = Place::new();
    let mut site = group("site", python);
    site.python_path = vec![place.path("nowhere"), "/usr".into()];
    let (code, lines) = check(&place.definitions(vec![site]));
    assert_eq!((code, lines.len()), (1, 3), "{lines:?}");
    assert!(lines[2].starts_with("site has 3.") && lines[2].ends_with(" None"), "{lines:?}");
    assert!(lines[0].contains("nowhere of python-path does not exist"), "{lines:?}");
    assert!(lines[1].contains("cannot load") && lines[1].contains("absent.so"), "{lines:?}");
}

#[test]
fn nonsense_instead_of_definitions_is_one_sentence() {
    let (code, lines) = check_text(b"{");
    assert_eq!(code, 1);
    assert_only(&lines, &["no group: ", "install mod_wsgi.so and wsgi-supervisor from the same version"]);
}
