//! `wsgictl explain`: the catalogue for people.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use assert_cmd::Command;
use predicates::prelude::*;

fn explain(words: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(assert_cmd::cargo::cargo_bin!("wsgictl")).arg("explain").args(words).assert()
}

#[test]
fn lg_4_a_code_says_what_happened_why_and_what_to_do() {
    let said = explain(&["WSGI0146"]).success().stderr("").get_output().stdout.clone();
    let said = String::from_utf8(said).unwrap();
    let heads: Vec<&str> = said.lines().filter(|line| !line.starts_with("  ") && !line.is_empty()).collect();
    assert_eq!(heads, ["WSGI0146 (error)", "What happened:", "Usual causes:", "What to do:"]);
    assert!(said.contains("The worker closed the connection before it answered."), "{said}");
    for same in ["146", "wsgi0146", "0146", "WSGI0146:"] {
        explain(&[same]).success().stdout(said.clone());
    }
}

#[test]
fn several_codes_are_explained_in_their_order() {
    explain(&["1106", "WSGI0109"]).success().stdout(
        predicate::str::starts_with("WSGI1106 (warn)")
            .and(predicate::str::contains("\n\nWSGI0109 (error)\n")),
    );
}

#[test]
fn what_is_no_code_is_said_after_the_others() {
    explain(&["AH00526", "109"]).failure().stdout(predicate::str::starts_with("WSGI0109")).stderr(
        predicate::str::starts_with("wsgictl: AH00526 is no log code")
            .and(predicate::str::contains("docs/errors.md")),
    );
    explain(&["9999"]).failure().stdout("").stderr(predicate::str::contains("9999 is no log code"));
    explain(&[]).failure();
}
