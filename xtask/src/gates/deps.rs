//! Which crate may use which: the rules of ARCHITECTURE.md, read from the manifests and, for the crates behind unsafe code, from
//! the sources too.

use serde_json::Value;

use super::files::Source;
use crate::workspace::Workspace;

/// A crate of the workspace and the other crates of the workspace it uses. The table of ARCHITECTURE.md says the same.
const INSIDE: [(&str, &[&str]); 12] = [
    ("httpd-sys", &[]),
    ("httpd", &["httpd-sys"]),
    ("wire", &[]),
    ("unix", &[]),
    ("spec", &[]),
    ("module", &["httpd", "wire", "spec", "unix"]),
    ("supervisor", &["spec", "unix"]),
    ("python", &[]),
    ("gateway", &["python", "wire"]),
    ("runtime", &["gateway", "python", "wire", "spec", "unix"]),
    ("cli", &["spec"]),
    ("xtask", &["spec"]),
];

/// A library that only these crates name.
const OUTSIDE: [(&str, &[&str]); 4] = [
    ("libc", &["httpd", "python", "unix"]),
    ("rustix", &["unix", "supervisor", "runtime"]),
    ("nix", &["unix", "supervisor", "cli", "xtask"]),
    ("pyo3-ffi", &["python"]),
];

/// The rules that the manifests break. Dependencies of tests count as well, except that a test may use any library.
pub fn check_manifests(workspace: &Workspace) -> Vec<String> {
    let members: Vec<&str> = workspace.packages().filter_map(|p| p["name"].as_str()).collect();
    let packages = || workspace.packages();
    packages()
        .flat_map(|package| check_package(package, &members))
        .chain(packages().flat_map(unused))
        .collect()
}

/// What the tables allow to a package and it does not use: an open door nobody watches.
fn unused(package: &Value) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let uses: Vec<&str> =
        dependencies.filter(|d| d["kind"] != "dev").filter_map(|d| d["name"].as_str()).collect();
    let inside = INSIDE.iter().filter(|(member, _)| *member == name).flat_map(|(_, others)| others.iter());
    let outside = OUTSIDE.iter().filter(|(_, users)| users.contains(&name)).map(|(library, _)| library);
    let idle = inside.chain(outside).filter(|allowed| !uses.contains(allowed));
    idle.map(|other| {
        format!("crate `{name}` may use `{other}` and does not: take that out of xtask/src/gates/deps.rs")
    })
    .collect()
}

fn check_package(package: &Value, members: &[&str]) -> Vec<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let Some((_, allowed)) = INSIDE.iter().find(|(member, _)| *member == name) else {
        return vec![format!(
            "crate `{name}` has no row in the dependency rules of xtask/src/gates/deps.rs: add one"
        )];
    };
    let mut broken = Vec::new();
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let other = dependency["name"].as_str().unwrap_or_default();
        let for_tests = dependency["kind"] == "dev";
        if members.contains(&other) && other != name && !allowed.contains(&other) {
            broken.push(format!("crate `{name}` depends on `{other}`; it may use {}", listed(allowed)));
        }
        if name == "wire" && !for_tests {
            broken.push(format!(
                "crate `wire` depends on `{other}`; it has no dependencies, so that both ends can trust it"
            ));
        }
        if let Some((_, users)) = outside(other)
            && !for_tests
            && !users.contains(&name)
        {
            broken
                .push(format!("crate `{name}` depends on `{other}`, which only {} may name", listed(users)));
        }
    }
    broken
}

/// The rules that a source file breaks by naming a library that its crate may not name (a re-export would hide it from the
/// manifests).
pub fn check_source(source: &Source) -> Vec<String> {
    let Some(krate) = source.krate() else { return Vec::new() };
    if !source.path.contains("/src/") {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (library, users) in
            OUTSIDE.iter().copied().chain([("httpd-sys", ["httpd-sys", "httpd"].as_slice())])
        {
            let path = format!("{}::", library.replace('-', "_"));
            if !users.contains(&krate) && names(code, &path) {
                broken.push(format!(
                    "{}:{} names `{library}`, which only {} may name",
                    source.path,
                    number + 1,
                    listed(users)
                ));
            }
        }
    }
    broken
}

/// Whether the code has this path as a whole word: `my_libc::` does not name `libc::`.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn outside(library: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    OUTSIDE.iter().find(|(name, _)| *name == library)
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        _ => names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_behind_the_wrapper_may_not_name_the_bindings() {
        let source =
            Source { path: "crates/module/src/a.rs".into(), text: "use httpd_sys::request_rec;".into() };
        assert_eq!(check_source(&source).len(), 1);
        let source =
            Source { path: "crates/httpd/src/a.rs".into(), text: "use httpd_sys::request_rec;".into() };
        assert!(check_source(&source).is_empty());
    }

    #[test]
    fn only_whole_words_count() {
        assert!(names("use libc::c_int;", "libc::"));
        assert!(!names("my_libc::c_int", "libc::"));
    }

    #[test]
    fn a_manifest_that_reaches_too_far_is_one_sentence() {
        let package = serde_json::json!({"name": "cli", "dependencies": [{"name": "httpd", "kind": null},
            {"name": "pyo3-ffi", "kind": null}, {"name": "pyo3-ffi", "kind": "dev"}]});
        assert_eq!(check_package(&package, &["cli", "httpd"]).len(), 2);
    }

    #[test]
    fn a_rule_that_allows_more_than_is_used_is_one_sentence() {
        let package = serde_json::json!({"name": "httpd", "dependencies": [{"name": "httpd-sys", "kind": null},
            {"name": "libc", "kind": "dev"}]});
        assert_eq!(
            unused(&package),
            ["crate `httpd` may use `libc` and does not: take that out of xtask/src/gates/deps.rs"]
        );
    }
}
