//! `docs/security.md`: a person writes what is promised, the names of tests say where it is proven.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::gates::Source;
use crate::workspace::Workspace;

/// The page, below the checkout.
pub const PAGE: &str = "docs/security.md";

/// The names of promises (`PD-3`) and the folders with tests of them.
type Proofs = BTreeMap<String, BTreeSet<String>>;

/// The page with the folders that have tests of each promise.
pub fn page(workspace: &Workspace, sources: &[Source]) -> Result<String> {
    let proofs = proofs(sources);
    let written = read(workspace)?;
    let lines: Vec<String> = written.lines().map(|line| filled(line, &proofs)).collect();
    Ok(lines.join("\n") + "\n")
}

/// The promises without a test, and the tests of no promise.
pub fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<String>> {
    let proofs = proofs(sources);
    let written = read(workspace)?;
    let promised: BTreeSet<&str> = written.lines().filter_map(|line| Some(row(line)?.0)).collect();
    let unproven = promised.iter().filter(|name| !proofs.contains_key(**name));
    let unproven = unproven.map(|name| format!("{PAGE} promises {name}, and no test has that name"));
    let unknown = proofs.iter().filter(|(name, _)| !promised.contains(name.as_str()));
    let unknown = unknown.map(|(name, places)| {
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        format!("tests in {} prove {name}, which {PAGE} does not promise: add its row", places.join(", "))
    });
    Ok(unproven.chain(unknown).collect())
}

fn read(workspace: &Workspace) -> Result<String> {
    std::fs::read_to_string(workspace.root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))
}

/// Name and promise of a row of the table; `None` for any other line.
fn row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    let (name, promise) = (cells.next()?, cells.next()?);
    let (area, number) = name.split_once('-')?;
    let named = area.len() == 2 && area.bytes().all(|b| b.is_ascii_uppercase());
    (named && number.bytes().all(|b| b.is_ascii_digit())).then_some((name, promise))
}

/// A row with its last cell as the sources say; any other line as it is.
fn filled(line: &str, proofs: &Proofs) -> String {
    let Some((name, promise)) = row(line) else { return line.to_owned() };
    let places = proofs.get(name).into_iter().flatten();
    let places: Vec<String> = places.map(|place| format!("`{place}`")).collect();
    format!("| {name} | {promise} | {} |", places.join(", "))
}

fn proofs(sources: &[Source]) -> Proofs {
    let mut proofs = Proofs::new();
    for source in sources {
        let mut folders = source.path.split('/');
        let (Some(top @ ("crates" | "tests")), Some(folder)) = (folders.next(), folders.next()) else {
            continue;
        };
        for name in source.text.lines().flat_map(names) {
            proofs.entry(name).or_default().insert(format!("{top}/{folder}"));
        }
    }
    proofs
}

/// The promises that the test declared in this line has in front of its name, if it declares one: `fn pd_3_pd_10_...`,
/// `def test_rs_1_...`.
fn names(line: &str) -> Vec<String> {
    let line = line.trim_start();
    let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("def test_")).unwrap_or_default();
    let words: Vec<&str> = name.split('_').collect();
    let pairs = words.chunks_exact(2).take_while(|pair| {
        pair[0].len() == 2
            && pair[0].bytes().all(|b| b.is_ascii_lowercase())
            && !pair[1].is_empty()
            && pair[1].bytes().all(|b| b.is_ascii_digit())
    });
    pairs.map(|pair| format!("{}-{}", pair[0].to_uppercase(), pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_front() {
        assert_eq!(names("    fn pd_3_another_uid_is_noticed() {"), ["PD-3"]);
        assert_eq!(names("fn pd_11_pd_13_stdin_umask() {"), ["PD-11", "PD-13"]);
        assert_eq!(names("def test_rs_9_what_is_too_large_is_named():"), ["RS-9"]);
        assert!(names("fn kill_9_ends_it() {").is_empty());
        assert!(names("// fn pd_3_x").is_empty());
    }

    #[test]
    fn rows_are_filled_and_other_lines_stay() {
        let proofs = Proofs::from([("PD-3".to_owned(), BTreeSet::from(["crates/unix".to_owned()]))]);
        assert_eq!(
            filled("| PD-3 | it is verified | old |", &proofs),
            "| PD-3 | it is verified | `crates/unix` |"
        );
        assert_eq!(filled("| name | promise | tests |", &proofs), "| name | promise | tests |");
        assert_eq!(filled("|---|---|---|", &proofs), "|---|---|---|");
    }
}
