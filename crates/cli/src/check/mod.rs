//! `wsgictl check`: what a configuration of Apache amounts to, and the classic mistakes in it. Apache itself reads it
//! (`apache2 -t`), and mod_wsgi.so tells what it has understood; `advice` judges, `page` renders.

mod advice;
mod page;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use spec::report::{MARK, Report, VARIABLE};

use crate::apache;
use crate::args::CheckArgs;
use crate::error::{Error, Result, reason};

/// Prints what is configured and what is wrong with it.
///
/// # Errors
/// When something is wrong, or Apache cannot read the configuration.
pub fn run(args: &CheckArgs) -> Result<()> {
    let output = ask(args)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(MARK));
    let Some(line) = line else { return Err(no_report(&output)) };
    let report: Report = serde_json::from_str(line).map_err(|_| Error::OtherVersion)?;
    let advice = advice::about(&report, &|path: &Path| path.exists());
    print!("{}", page::render(&report, &advice));
    match report.mistakes.len() {
        0 if output.status.success() => Ok(()),
        // Somebody else found a mistake: Apache, or another module.
        0 => Err(Error::BadConfiguration(complaints(&output))),
        count => Err(Error::Mistakes(count)),
    }
}

/// Lets Apache read the configuration.
fn ask(args: &CheckArgs) -> Result<Output> {
    let program = program(args)?;
    let mut command = Command::new(&program);
    command.arg("-t").env(VARIABLE, "1").stdin(Stdio::null());
    if let Some(file) = &args.file {
        let file = file
            .canonicalize()
            .map_err(|error| Error::NoConfiguration { path: file.clone(), why: reason(&error) })?;
        command.arg("-f").arg(file);
    }
    command.output().map_err(|error| Error::BadApache {
        path: program,
        why: format!("it cannot be run: {}", reason(&error)),
    })
}

/// The program given; for the system's own configuration the script that sets the variables it uses.
fn program(args: &CheckArgs) -> Result<PathBuf> {
    const SCRIPTS: [&str; 3] =
        ["/usr/sbin/apache2ctl", "/usr/sbin/apachectl", "/usr/local/apache2/bin/apachectl"];
    if let Some(program) = &args.httpd {
        return Ok(program.clone());
    }
    let script = SCRIPTS.iter().map(PathBuf::from).find(|path| path.is_file());
    match script.filter(|_| args.file.is_none()) {
        Some(script) => Ok(script),
        None => apache::program(),
    }
}

fn no_report(output: &Output) -> Error {
    if output.status.success() { Error::NotLoaded } else { Error::BadConfiguration(complaints(output)) }
}

fn complaints(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_owned()
}
