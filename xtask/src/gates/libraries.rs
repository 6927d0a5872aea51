//! `docs/dependencies.md` names every library with the crates that use it, and no others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::Workspace;

/// The page, below the checkout.
const PAGE: &str = "docs/dependencies.md";
/// The word that stands for crates of the workspace `tests/`, which are not looked at here.
const TESTS: &str = "tests";

/// Libraries and the crates that name them in their manifests.
type Users = BTreeMap<String, BTreeSet<String>>;

/// The differences between the page and the manifests.
pub fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let text =
        std::fs::read_to_string(workspace.root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let packages: Vec<&Value> = workspace.packages().collect();
    Ok(compare(&text, &packages))
}

fn compare(text: &str, packages: &[&Value]) -> Vec<String> {
    let (mut used, mut tested) = (Users::new(), Users::new());
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        // Those with a path are our own.
        for dependency in dependencies.filter(|d| d["path"].is_null()) {
            let library = dependency["name"].as_str().unwrap_or_default().to_owned();
            let users = if dependency["kind"] == "dev" { &mut tested } else { &mut used };
            users.entry(library).or_default().insert(name.to_owned());
        }
    }
    let rows = rows(text);
    let mut broken = Vec::new();
    for (library, users) in &used {
        let row = rows.get(library);
        if row != Some(users) {
            broken.push(format!(
                "{PAGE} says that `{library}` is used by {}; it is by {}",
                listed(row),
                listed(Some(users))
            ));
        }
    }
    for library in tested.keys().filter(|library| !rows.contains_key(*library)) {
        broken.push(format!("{PAGE} does not say what the tests use `{library}` for"));
    }
    for (library, users) in rows {
        if !users.is_empty() && !used.contains_key(&library) {
            broken.push(format!("{PAGE} has a row for `{library}`, which no crate uses"));
        }
    }
    broken
}

/// The libraries of the page's rows, `| [name](address), ... | user, user | ...`; for those of tests only there are no users.
fn rows(text: &str) -> Users {
    let mut rows = Users::new();
    let mut tests = false;
    for line in text.lines() {
        tests |= line.starts_with("For tests only");
        let Some((libraries, rest)) = line.strip_prefix("| [").and_then(|line| line.split_once(" | ")) else {
            continue;
        };
        let users = if tests { "" } else { rest.split(" | ").next().unwrap_or_default() };
        let users = users.split(", ").filter(|user| !user.is_empty() && *user != TESTS);
        let users: BTreeSet<String> = users.map(str::to_owned).collect();
        for library in libraries.split(", ") {
            let name = library.trim_start_matches('[').split(']').next().unwrap_or_default();
            rows.insert(name.to_owned(), users.clone());
        }
    }
    rows
}

fn listed(users: Option<&BTreeSet<String>>) -> String {
    match users {
        Some(users) if !users.is_empty() => users.iter().cloned().collect::<Vec<_>>().join(", "),
        _ => "nobody".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| [nix](https://x/nix) | unix, cli, tests | users | rustix |\n\nFor tests only:\n\n\
                        | [a](https://x/a), [b](https://x/b) | properties | c |\n";

    fn package(dependencies: &[(&str, Option<&str>)]) -> Value {
        let of = |&(name, kind): &(&str, Option<&str>)| serde_json::json!({"name": name, "kind": kind});
        serde_json::json!({"name": "unix", "dependencies": dependencies.iter().map(of).collect::<Vec<_>>()})
    }

    #[test]
    fn rows_are_read_with_and_without_users() {
        let rows = rows(PAGE);
        assert_eq!(rows["nix"], BTreeSet::from(["cli".to_owned(), "unix".to_owned()]));
        assert!(rows["a"].is_empty() && rows["b"].is_empty());
    }

    #[test]
    fn each_difference_is_one_sentence() {
        let package = package(&[("nix", None), ("libc", None), ("b", Some("dev")), ("c", Some("dev"))]);
        assert_eq!(
            compare(PAGE, &[&package]),
            [
                "docs/dependencies.md says that `libc` is used by nobody; it is by unix",
                "docs/dependencies.md says that `nix` is used by cli, unix; it is by unix",
                "docs/dependencies.md does not say what the tests use `c` for",
            ]
        );
    }
}
