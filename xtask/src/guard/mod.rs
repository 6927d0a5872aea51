//! `cargo xtask guard`: counts the instructions of what each request takes, under callgrind, and compares them with those on record
//! in `reference.json`. A change that adds more than 3 % fails, here and in `cargo xtask test`; so does one that takes more than 3 % away without recording it,
//! because the next one could add that again.
//!
//! Instructions, unlike times, are the same on a busy machine: two runs of one build differ by nothing at all or by
//! some instructions, another checkout built in another folder by less than 0.1 %. They are no times: a system call counts as one instruction.
//!
//! Also looked at: gungraun (iai-callgrind before). Its references stay in the build folder, with nothing that says which machine
//! they hold for; its runner is a program of its own to be installed; and it starts what it measures, while a worker is a server
//! that another program has to ask. Reading callgrind's output is one small file here.

mod callgrind;
mod machine;
mod reference;
mod worker;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::callgrind::{OPTIONS, Profile};
use self::reference::{Counts, Reference, Verdict, judge};
use crate::workspace::Workspace;
use crate::{dist, packages};

/// All that the counted programs have in their environment. Hashes are the same in each run, and functions of libraries are found
/// before anything is counted.
const ENVIRONMENT: [(&str, &str); 3] =
    [("PATH", "/usr/bin:/bin"), ("PYTHONHASHSEED", "0"), ("LD_BIND_NOW", "1")];

/// Pieces of work of `examples/guard` of the module: what they are called here, and the functions.
const WORK: [(&str, &str); 5] = [
    ("environ: what Apache knows, as a frame", "guard_environ_encode"),
    ("wire: request, encode", "guard_request_encode"),
    ("wire: request, decode", "guard_request_decode"),
    ("wire: response, encode", "guard_response_encode"),
    ("wire: response, decode", "guard_response_decode"),
];
const OURS: &str = "worker: a request, without Python's part";
const WHOLE: &str = "worker: a request";
const DICT: &str = "environ: a frame as a dict";

/// Options of `cargo xtask guard`.
#[derive(clap::Args)]
pub struct Args {
    /// Put the counts of this commit and machine on record; say in the commit why they changed
    #[arg(long)]
    accept: bool,
}

/// Counts and compares, or records.
pub fn run(args: &Args) -> Result<()> {
    packages::need(&[&packages::COMPILER, &packages::VALGRIND])?;
    let workspace = Workspace::find()?;
    if !args.accept {
        return check(&workspace).map(drop);
    }
    let path = reference::path(&workspace.root);
    count(&workspace)?.save(&path)?;
    println!("on record in {}: commit it, and say there why the counts changed", path.display());
    Ok(())
}

/// Counts and compares. The comparisons that cannot be made here, a line for each.
pub fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let recorded = Reference::load(&reference::path(&workspace.root))?;
    let seen = count(workspace)?;
    let differences = recorded.differences(&seen.machine);
    if !differences.is_empty() {
        let line = skip("instruction counts", &differences.join("; "));
        println!("{line}");
        return Ok(vec![line]);
    }
    let mut failures = compare("", &recorded.counts, &seen.counts);
    let mut skips = Vec::new();
    for (version, counts) in &seen.pythons {
        match recorded.pythons.get(version) {
            Some(recorded) => failures.extend(compare(version, recorded, counts)),
            None => skips.push(skip(
                "instruction counts with Python's part",
                &format!("no record has Python {version}"),
            )),
        }
    }
    skips.iter().for_each(|skip| println!("{skip}"));
    if failures.is_empty() { Ok(skips) } else { bail!("{}\n{ADVICE}", failures.join("\n")) }
}

const ADVICE: &str = "What takes more: take that out (target/guard has the profiles; kcachegrind shows them), or, where it is worth that, \
                      run `cargo xtask guard --accept`, commit what it writes, and give the reason there.";

fn skip(what: &str, why: &str) -> String {
    format!(
        "SKIPPED {what}: {why}. To record them: `cargo xtask guard --accept` on a commit that takes no more than the one before"
    )
}

/// Prints a line for each count; the sentences about those that fail.
fn compare(python: &str, recorded: &Counts, seen: &Counts) -> Vec<String> {
    let mut failures = Vec::new();
    if !python.is_empty() {
        println!("with Python {python}:");
    }
    for (what, count) in seen {
        let reference = recorded.get(what).copied();
        let verdict = judge(reference, *count);
        let shown = reference.map_or_else(|| "-".to_owned(), |count| count.to_string());
        println!("  {what:<44}{count:>8} instructions, on record {shown:>8}  {verdict}");
        let with = if python.is_empty() { String::new() } else { format!(" (Python {python})") };
        match verdict {
            Verdict::Worse(change) => failures.push(format!(
                "{what}{with}: {count} instructions, {shown} on record: {change:+.2} %, and a change may add {} %.",
                reference::LIMIT
            )),
            Verdict::New => failures.push(format!("{what}{with}: {count} instructions, and nothing is on record.")),
            Verdict::Better(change) => failures.push(format!(
                "{what}{with}: {count} instructions, {shown} on record: {change:+.2} %. Record the better number with \
                 `cargo xtask guard --accept`: otherwise the next change may add what was gained.",
            )),
            Verdict::Same(_) => {}
        }
    }
    failures
}

/// Builds, and counts.
fn count(workspace: &Workspace) -> Result<Reference> {
    // Twice, so that the library is the very one of the release files, with its symbols.
    let library = built(workspace, &[], "_wsgi_runtime")?;
    let example = built(workspace, &["--example", "guard"], "guard")?;
    let folder = workspace.target.join("guard");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut seen = Reference { machine: machine::facts(&workspace.root)?, ..Reference::default() };
    let work = work(&example, &folder)?;
    for (what, function) in WORK {
        seen.counts.insert(what.to_owned(), whole(work.per_call(function)?));
    }
    let pythons = machine::pythons();
    if pythons.is_empty() {
        bail!("no Python from 3.10 on is installed");
    }
    for python in pythons {
        let profile = worker::profile(&python, &library, &example, &folder)
            .with_context(|| format!("with Python {} ({})", python.version, python.program.display()))?;
        let ours = profile.part("_wsgi_runtime")? / worker::REQUESTS;
        // What differs between Pythons is some calls of the C library; the most counts.
        let most = seen.counts.entry(OURS.to_owned()).or_default();
        *most = ours.max(*most);
        let counts = [
            (WHOLE.to_owned(), profile.total / worker::REQUESTS),
            (DICT.to_owned(), whole(profile.per_call("environ::build")?)),
        ];
        println!("Python {}: {}", python.version, shares(&profile));
        seen.pythons.insert(python.version, counts.into());
    }
    Ok(seen)
}

/// The file of a target.
fn built(workspace: &Workspace, targets: &[&str], name: &str) -> Result<PathBuf> {
    let built = dist::build(workspace, targets)?;
    let found = built.into_iter().find(|(target, _)| target == name);
    found.map(|(_, path)| path).with_context(|| format!("cargo has built no {name}"))
}

/// Who executes the instructions of a request.
fn shares(profile: &Profile) -> String {
    let share = |(object, count): (&str, u64)| {
        format!("{object} {:.1} %", count as f64 * 100.0 / profile.total as f64)
    };
    profile.objects().into_iter().map(share).collect::<Vec<_>>().join(", ")
}

fn whole(count: f64) -> u64 {
    count.round() as u64
}

/// The profile of `examples/guard`.
fn work(example: &Path, folder: &Path) -> Result<Profile> {
    let profile = folder.join("work.callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(OPTIONS).arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(example).arg("count").env_clear().envs(ENVIRONMENT);
    let out = valgrind.stdin(Stdio::null()).output().context("cannot run valgrind")?;
    if !out.status.success() {
        bail!("examples/guard failed under valgrind: {}", String::from_utf8_lossy(&out.stderr));
    }
    Profile::read(&profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(recorded: u64, seen: u64) -> Vec<String> {
        let counts = |count| Counts::from([("wire".to_owned(), count)]);
        compare("", &counts(recorded), &counts(seen))
    }

    #[test]
    fn more_and_less_than_the_limit_are_failures() {
        assert!(told(1000, 1030).is_empty() && told(1000, 970).is_empty());
        let [worse, better] = [1031, 969].map(|seen| told(1000, seen).concat());
        assert!(worse.contains("+3.10 %, and a change may add 3 %"), "{worse}");
        assert!(better.contains("-3.10 %") && better.contains("cargo xtask guard --accept"), "{better}");
        assert!(
            compare("3.13", &Counts::new(), &[("wire".to_owned(), 1)].into())[0].contains("(Python 3.13)")
        );
    }
}
