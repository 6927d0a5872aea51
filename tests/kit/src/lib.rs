//! The test kit: a real Apache in a temporary folder with the module under test, a client that can misbehave, and the
//! invariants that hold after every test. Tests themselves are in `compliance` and `e2e`.

mod apache;
mod browser;
pub mod cache;
mod family;
pub mod http;
pub mod http2;
mod invariants;
pub mod jail;
mod load;
mod log;
pub mod proc;
pub mod pythons;
pub mod server;
mod setup;
pub mod skip;
mod strace;
pub mod users;
pub mod wait;

pub use apache::{Apache, LIMIT};
pub use browser::Browser;
pub use http::{Connection, End, Head, Request, Response};
pub use load::{Load, Tally};
pub use nix::sys::signal::Signal;
pub use proc::Process;
pub use pythons::Python;
pub use server::{Kind, Server, kind, pick};
pub use setup::{Check, Mpm, Setup, apache_binary};
pub use skip::repetitions;
pub use strace::Strace;
pub use users::Account;
pub use wait::{holds_within, promised, stays_true, wait_for, wait_until};

use std::path::PathBuf;
use std::process::Command;

/// The source of `tests/fixtures/NAME`.
///
/// # Panics
/// When there is no such file.
pub fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs a program to its end and returns what it printed; `Err` is one sentence with its own words.
pub fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name} cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{name} {}` failed ({}): {}", words.join(" "), output.status, said.trim()))
}

/// Runs Python statements as an account, outside of any server, and returns what they printed.
pub fn python_as(account: &Account, code: &str) -> Result<String, String> {
    let ids = [format!("--reuid={}", account.uid), format!("--regid={}", account.gid)];
    let python = Python::default_for_tests()?;
    run(Command::new("setpriv")
        .args(ids)
        .args(["--clear-groups", "--inh-caps=-all"])
        .arg(python.executable)
        .args(["-c", code]))
}
