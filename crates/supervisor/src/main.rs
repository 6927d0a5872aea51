//! The program `wsgi-supervisor`: its command line. Everything else is in the library.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use supervisor::codes::Code;
use supervisor::log::Log;
use supervisor::{check, server, startup};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => supervise(),
        ["--check"] => check::run(),
        ["--version"] => {
            say(&format!("wsgi-supervisor {}", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        other => {
            let other = other.join(" ");
            complain(&format!("unknown arguments '{other}'; possible are none, --check and --version"));
            ExitCode::from(2)
        }
    }
}

fn supervise() -> ExitCode {
    let started = match startup::start() {
        Ok(started) => started,
        Err(startup::StartError::ByHand) => {
            complain(&startup::StartError::ByHand.to_string());
            return ExitCode::from(2);
        }
        Err(error) => return fail(&format!("wsgi-supervisor does not start: {error}.")),
    };
    match server::Server::new(started).and_then(server::Server::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("wsgi-supervisor cannot go on: {error}.")),
    }
}

/// A coded line to the main error log, and the exit status of a failure.
fn fail(facts: &str) -> ExitCode {
    if let Ok(stderr) = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), 3) {
        Log::new(stderr).say(Code::CannotStart, facts);
    }
    ExitCode::FAILURE
}

fn say(line: &str) {
    use std::io::Write as _;
    // Nobody is left to tell when standard output is closed.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn complain(sentence: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "wsgi-supervisor: {sentence}.");
}
