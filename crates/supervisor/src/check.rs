//! `wsgi-supervisor --check`: tries each group's Python as the group's user, for `apache2 -t`. Starts no worker and makes
//! no socket.

use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use spec::control::{Finding, Problem};
use spec::report::Python;
use spec::worker::REPORT_LEN;
use spec::{Definitions, ProcessGroup};
use unix::process::{Ending, signal_name};

use crate::inside;
use crate::launch::failure::{self, LaunchFailure, Step};
use crate::launch::{self, Facts, bootstrap, child};
use crate::rules;
use crate::text;

/// A Python that has not answered after this time does not start.
const PATIENCE: Duration = Duration::from_secs(10);
/// More output than any probe has.
const MOST_OUTPUT: usize = 64 * 1024;
const OLDEST: (u32, u32) = (3, 10);
const STATUS: i32 = 3;

/// Reads definitions from standard input, prints each [`Finding`] as a line of JSON, and fails if one is a problem.
#[must_use]
pub fn run() -> ExitCode {
    let mut text = Vec::new();
    let definitions: Result<Definitions, String> = std::io::stdin()
        .read_to_end(&mut text)
        .map_err(|error| error.to_string())
        .and_then(|_| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    let findings = match definitions {
        Ok(definitions) => findings(&definitions),
        Err(error) => vec![problem(
            None,
            &format!(
                "wsgi-supervisor cannot read the definitions to check ({error}); install mod_wsgi.so and wsgi-supervisor from the same version"
            ),
        )],
    };
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        // When nobody listens, the exit status remains.
        let _ = serde_json::to_writer(&mut out, finding)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out));
    }
    let good = !findings.iter().any(|finding| matches!(finding, Finding::Problem(_)));
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A problem whose sentence may hold what a site has printed.
fn problem(group: Option<&ProcessGroup>, sentence: &str) -> Finding {
    let group = group.map(|group| group.name.clone());
    Finding::Problem(Problem { group, sentence: text::escaped(sentence.as_bytes()) })
}

/// What is wrong with the groups, and what their Pythons are.
fn findings(definitions: &Definitions) -> Vec<Finding> {
    let facts = Facts::new(definitions, crate::startup::inherited());
    let mut findings = Vec::new();
    for group in &definitions.groups {
        let (problems, python) = probe(group, &facts);
        findings.extend(problems.iter().map(|sentence| problem(Some(group), sentence)));
        findings.extend(python.map(|python| Finding::Python { group: group.name.clone(), python }));
    }
    findings
}

/// What a probe process left behind.
struct Answer {
    facts: Vec<u8>,
    complaints: Vec<u8>,
    status: Vec<u8>,
    /// `None`: it was killed at the deadline.
    ending: Option<Ending>,
}

fn probe(group: &ProcessGroup, facts: &Facts) -> (Vec<String>, Option<Python>) {
    let failed = |sentence| (vec![sentence], None);
    let python = python(group);
    let user = user(group);
    if let Err(broken) = rules::check(group, rustix::process::geteuid().is_root()) {
        return failed(broken.to_string());
    }
    if let Some(sentence) = group.chroot.as_ref().and_then(|root| inside::unfit(root, &facts.runtime)) {
        return failed(sentence);
    }
    let answer = match ask(group, facts) {
        Ok(answer) => answer,
        Err(error) => return failed(format!("cannot try {python}: {error}")),
    };
    let status = answer.status.first_chunk::<REPORT_LEN>().copied();
    if let Some(failure) = status.and_then(LaunchFailure::from_bytes) {
        return failed(launch_problem(group, &user, failure));
    }
    let (found, done) = parse(&answer.facts);
    let mut problems: Vec<String> =
        found.iter().filter_map(|(fact, value)| fact_problem(group, facts, &user, fact, value)).collect();
    if !done {
        problems.push(no_answer(group, &user, &answer));
    }
    (problems, python_of(&found))
}

/// What the Python says of itself: text of the site's, so no control characters get through.
fn python_of(found: &[(String, String)]) -> Option<Python> {
    let fact = |wanted: &str| {
        let (_, value) = found.iter().find(|(fact, _)| fact == wanted)?;
        Some(text::escaped(value.as_bytes()))
    };
    Some(Python { version: fact("release")?, environment: fact("environment") })
}

fn ask(group: &ProcessGroup, facts: &Facts) -> std::io::Result<Answer> {
    let mut arguments = vec![group.python.as_os_str().as_bytes(), b"-c", bootstrap::PROBE.as_bytes()];
    arguments.push(facts.runtime.as_os_str().as_bytes());
    arguments.extend(group.python_path.iter().map(|entry| entry.as_os_str().as_bytes()));
    let plan = launch::plan(group, facts, &arguments)?;
    let null = launch::null()?;
    let (out_reader, out) = pipe_with(PipeFlags::CLOEXEC)?;
    let (error_reader, error) = pipe_with(PipeFlags::CLOEXEC)?;
    let (status_reader, status) = pipe_with(PipeFlags::CLOEXEC)?;
    let process = child::fork(&plan, &[null.as_fd(), out.as_fd(), error.as_fd(), status.as_fd()], STATUS)?;
    drop((out, error, status));
    let deadline = Instant::now() + PATIENCE;
    let [facts, complaints, status] = gather([out_reader, error_reader, status_reader], deadline)?;
    let ending = wait(&process.handle, deadline)?;
    Ok(Answer { facts, complaints, status, ending })
}

/// Reads three pipes to their ends, or until the deadline.
fn gather(pipes: [OwnedFd; 3], deadline: Instant) -> std::io::Result<[Vec<u8>; 3]> {
    let mut texts = [const { Vec::new() }; 3];
    let mut open = [true; 3];
    while open.contains(&true) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let each = pipes.iter().zip(&mut texts).zip(&mut open);
        let mut waiting: Vec<_> = each.filter(|(_, open)| **open).collect();
        let mut polled: Vec<PollFd<'_>> =
            waiting.iter().map(|((pipe, _), _)| PollFd::new(pipe, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&unix::channel::timespec(left))) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        for (((pipe, text), open), readable) in waiting.iter_mut().zip(readable) {
            if readable {
                let mut buffer = [0; 4096];
                let count = rustix::io::retry_on_intr(|| rustix::io::read(pipe.as_fd(), &mut buffer))?;
                text.extend_from_slice(buffer.get(..count).unwrap_or_default());
                **open = count > 0 && text.len() < MOST_OUTPUT;
            }
        }
    }
    Ok(texts)
}

/// Waits for the end of a process; kills it at the deadline.
fn wait(handle: &OwnedFd, deadline: Instant) -> std::io::Result<Option<Ending>> {
    loop {
        if let Some(ending) = unix::process::reap(handle)? {
            return Ok(Some(ending));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let _interrupted =
            poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&unix::channel::timespec(left)));
    }
    let _ended = rustix::process::pidfd_send_signal(handle, Signal::KILL);
    let _killed = poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&unix::channel::timespec(PATIENCE)));
    unix::process::reap(handle)?;
    Ok(None)
}

/// The facts that a probe has printed, and whether it came to its end. Other output is the site's.
fn parse(output: &[u8]) -> (Vec<(String, String)>, bool) {
    let text = String::from_utf8_lossy(output);
    let facts: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("wsgi-check:")?.split_once(':'))
        .map(|(fact, value)| (fact.to_owned(), value.to_owned()))
        .collect();
    let done = facts.iter().any(|(fact, _)| fact == "done");
    (facts, done)
}

fn fact_problem(group: &ProcessGroup, facts: &Facts, user: &str, fact: &str, value: &str) -> Option<String> {
    let python = python(group);
    let entry = value.parse().ok().and_then(|number: usize| group.python_path.get(number));
    let entry = entry.map_or(Path::new(""), |path| path.as_path()).display();
    match fact {
        "version" => {
            let (major, minor) = value.split_once('.')?;
            let version: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
            (version < OLDEST).then(|| {
                format!(
                    "{python} is Python {value}, which is too old; 3.10 or newer is needed: set python= or python-home= to one"
                )
            })
        }
        "made-for" => Some(format!(
            "{python} is in a virtual environment that was made for Python {value}, and is another version now, which finds none of the \
             packages that are installed there: make it anew with `python3 -m venv --clear`, and install them again"
        )),
        // Its objects are laid out in another way, so loading the extension would crash it (PEP 703).
        "free-threaded" => Some(format!(
            "{python} is a free-threaded build of Python, for which there is no stable ABI; set python= or python-home= to another build"
        )),
        "absent" => {
            Some(format!("the entry {entry} of python-path does not exist for {user}; correct or remove it"))
        }
        "unreadable" => {
            Some(format!("the entry {entry} of python-path cannot be read by {user}; give it permission"))
        }
        "unloadable" => Some(format!(
            "{python} cannot load {} ({value}); the file must be readable by {user} and built for this machine",
            facts.runtime.display()
        )),
        _ => None,
    }
}

fn launch_problem(group: &ProcessGroup, user: &str, failed: LaunchFailure) -> String {
    let python = python(group);
    let error = failure::reason(failed.errno);
    let absent = [Errno::NOENT, Errno::NOTDIR].map(Errno::raw_os_error).contains(&failed.errno);
    match failed.step {
        Step::Execute if absent => format!(
            "{python} cannot be executed: there is no such file, or the interpreter it names is gone; correct python= (the program) or \
             python-home= (the directory above bin/)"
        ),
        Step::Execute => format!(
            "{user} cannot execute {python} ({error}); set python= or python-home= to an interpreter that this user may read and execute, with all directories above it"
        ),
        Step::Home => {
            let home = group.home.as_deref().unwrap_or(Path::new("/")).display();
            format!("{user} cannot enter home={home} ({error}); give permission or set another home=")
        }
        _ => {
            let (_, advice) = failed.step.explain();
            format!("a process for {user} cannot be made: {}. {advice}", failed.clause())
        }
    }
}

fn no_answer(group: &ProcessGroup, user: &str, answer: &Answer) -> String {
    let python = python(group);
    let how = match answer.ending {
        None => format!("did not start within {} s", PATIENCE.as_secs()),
        Some(Ending::Exited(status)) => format!("ended with exit status {status}"),
        Some(Ending::Signalled(signal, _)) => format!("was ended by {}", signal_name(signal)),
    };
    let complaints = String::from_utf8_lossy(&answer.complaints);
    let last = complaints.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map_or_else(String::new, |line| format!(": {line}"));
    format!("{python} {how} for {user}{last}; try it by hand as this user")
}

/// The interpreter, and where this path is.
fn python(group: &ProcessGroup) -> String {
    let python = group.python.display();
    match &group.chroot {
        None => python.to_string(),
        Some(root) => format!("{python} inside of chroot={}", root.directory().display()),
    }
}

fn user(group: &ProcessGroup) -> String {
    match &group.account {
        Some(account) => match &account.name {
            Some(name) => format!("user {name}"),
            None => format!("user #{}", account.uid),
        },
        None => "the user who starts Apache".to_owned(),
    }
}
