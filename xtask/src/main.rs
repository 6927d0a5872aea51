//! `cargo xtask`: the project's own commands. Each lives in the file of its name; this one only parses the command line.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "these commands talk to the person who typed them")]

mod bench;
mod bindings;
mod dist;
mod docs;
mod fuzz;
mod gates;
mod guard;
mod packages;
mod run;
mod serve;
mod site;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, try, test and measure mod_wsgi.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the four release files into target/dist
    Dist,
    /// Serve the Django example through the system's Apache
    Serve(serve::Args),
    /// Run everything that must hold before a change is kept
    Test(test::Args),
    /// Check sizes, file openings and the dependency rules between crates
    Gates,
    /// Make the bindings of httpd again, after a change of crates/httpd-sys/bindings/allow.txt
    Bindings,
    /// Write docs/directives.md from the tables of directives and options
    Docs,
    /// Count the instructions that a request takes, and compare them with those on record
    Guard(guard::Args),
    /// Compare the speed with that of mod_wsgi from PyPI
    Bench(bench::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Dist => dist::run().map(drop),
        Command::Serve(args) => serve::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Gates => gates::run(),
        Command::Bindings => bindings::run(),
        Command::Docs => docs::run(),
        Command::Guard(args) => guard::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
