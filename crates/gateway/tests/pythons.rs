//! Runs the Python tests of `tests/python` with each Python that is installed. The extension they load is the example
//! `gateway_test`.

#![allow(clippy::unwrap_used, reason = "a step that fails is a test that fails")]
#![allow(clippy::print_stdout, reason = "says which Pythons were used and which are missing")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The versions one extension has to serve.
const MINORS: std::ops::RangeInclusive<u32> = 10..=14;

/// Builds the extension (cargo knows whether that is needed) and returns its path.
fn extension() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "gateway", "--example", "gateway_test"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(built.success(), "the example gateway_test cannot be built");
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile.join("examples/libgateway_test.so")
}

/// Pythons of one version: of the system and of pyenv.
fn pythons(minor: u32) -> Vec<PathBuf> {
    let name = format!("python3.{minor}");
    let mut found: Vec<PathBuf> =
        ["/usr/bin", "/usr/local/bin"].map(|place| Path::new(place).join(&name)).into();
    let versions = std::env::home_dir().map(|home| home.join(".pyenv/versions"));
    for version in versions.and_then(|path| path.read_dir().ok()).into_iter().flatten().flatten() {
        if version.file_name().to_string_lossy().starts_with(&format!("3.{minor}.")) {
            found.push(version.path().join("bin").join(&name));
        }
    }
    found.retain(|path| path.is_file());
    found
}

fn run(python: &Path, script: &str, extension: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let output = Command::new(python)
        .arg("-B")
        .arg(script)
        .arg(extension)
        .env("RUST_BACKTRACE", "0")
        .env_remove("PYTHONPATH")
        .output()
        .unwrap();
    let text = format!(
        "{}: {}\n{}{}",
        python.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    text
}

fn with_each_python(script: &str) {
    let extension = extension();
    let (mut ran, mut missing) = (0, Vec::new());
    for minor in MINORS {
        let pythons = pythons(minor);
        if pythons.is_empty() {
            missing.push(format!("3.{minor}"));
        }
        for python in pythons {
            println!("{}", run(&python, script, &extension));
            ran += 1;
        }
    }
    println!(
        "{script}: {ran} Pythons, {} skipped because they are not installed: {missing:?}",
        missing.len()
    );
    assert!(ran > 0, "no Python from 3.10 on is installed");
}

#[test]
fn the_gateway_passes_its_python_tests() {
    with_each_python("run.py");
}

#[test]
fn an_interpreter_with_threads_that_never_end_is_left_alone() {
    with_each_python("threads_left.py");
}
