//! `wsgictl`: serves a WSGI script through the system's Apache, checks a configuration, and explains the error log's codes. Only the
//! command line is read here; each command has its own file.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "this program talks to the person who typed its name")]

mod account;
mod apache;
mod args;
mod check;
mod config;
mod error;
mod explain;
mod log;
mod python;
mod root;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Explain { codes } => explain::run(&codes),
        Command::Version => {
            println!("wsgictl {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wsgictl: {error}");
            ExitCode::FAILURE
        }
    }
}
