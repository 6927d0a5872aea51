//! Log codes (`WSGI1234`): each stands in the sources of the crates once, where it is given out. A second place means two meanings,
//! or one sentence with two wordings. And each is explained in the catalogue.

use std::collections::BTreeMap;

use spec::catalogue;

use super::files::Source;

/// The name of a file that is a table of codes and may leave their letters out.
const TABLE: &str = "codes.rs";
/// Digits of a code.
const DIGITS: usize = 4;
/// Where codes are explained, not given out.
const CATALOGUE: &str = "crates/spec/src/catalogue/";

/// The codes that are given out twice, or not explained, or explained and not given out.
pub fn check(sources: &[Source]) -> Vec<String> {
    let (known, mut broken) = given_out(sources);
    for (code, place) in &known {
        if code.parse().ok().and_then(catalogue::find).is_none() {
            broken
                .push(format!("{place} gives out WSGI{code}, which has no entry in {CATALOGUE}: write one"));
        }
    }
    for name in catalogue::all().map(catalogue::Entry::name) {
        if !known.contains_key(name.trim_start_matches("WSGI")) {
            broken.push(format!("{CATALOGUE} explains {name}, which nothing gives out: remove the entry"));
        }
    }
    broken
}

/// Where each code is given out, and sentences about those that are so twice.
fn given_out(sources: &[Source]) -> (BTreeMap<&str, String>, Vec<String>) {
    let mut broken = Vec::new();
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.ships() && !source.path.starts_with(CATALOGUE)) {
        for (number, code) in codes(source) {
            let place = format!("{}:{number}", source.path);
            match known.get(code) {
                Some(first) => broken.push(format!(
                    "{place} gives out WSGI{code}, which {first} has: take another number, or name it there and use \
                     the name here"
                )),
                None => drop(known.insert(code, place)),
            }
        }
    }
    (known, broken)
}

/// Line number and digits of each code in the part of a file that ships.
fn codes(source: &Source) -> Vec<(usize, &str)> {
    let table = source.path.ends_with(&format!("/{TABLE}"));
    let mut found = Vec::new();
    for (number, line) in source.shipped_lines() {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
            let digits = match word.strip_prefix("WSGI") {
                Some(digits) => digits,
                None if table && line.contains(&format!("= {word},")) => word,
                None => continue,
            };
            if digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
                found.push((number, digits));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_code_is_given_out_once_in_all_crates() {
        let one = source(
            "crates/supervisor/src/codes.rs",
            "//! Codes.\nA = 1001, \"\";\nB = 1002, \"\"; // 1001\n",
        );
        let two =
            source("crates/gateway/src/script.rs", "//! Scripts.\n\nfn f() { log(\"WSGI1002: no\") }\n");
        let (_, broken) = given_out(&[one, two]);
        assert_eq!(broken.len(), 1, "{broken:?}");
        let start =
            "crates/gateway/src/script.rs:3 gives out WSGI1002, which crates/supervisor/src/codes.rs:3 has: ";
        assert!(broken[0].starts_with(start), "{broken:?}");
    }

    #[test]
    fn a_code_has_an_entry_and_an_entry_a_code() {
        let text = "//! Codes.\nA = 1002, \"\";\nB = 9998, \"\";\n";
        let broken = check(&[source("crates/supervisor/src/codes.rs", text)]);
        let about = |code: &str| broken.iter().filter(|sentence| sentence.contains(code)).count();
        assert_eq!(
            (about("WSGI9998, which has no entry"), about("WSGI1002"), about("WSGI1001, which nothing")),
            (1, 0, 1)
        );
    }

    #[test]
    fn comments_and_tests_may_name_codes() {
        let text =
            "//! See WSGI1001.\nfn f() { log(\"WSGI1001: no\") }\n\n#[cfg(test)]\nmod tests { WSGI1001 }\n";
        let test = "//! Tests.\nfn f() { WSGI1001 }\n";
        let sources = ["a.rs", "a/tests.rs"].map(|file| source(&format!("crates/module/src/{file}"), text));
        assert!(given_out(&sources).1.is_empty());
        assert!(
            given_out(&[source("crates/module/tests/a.rs", test), source("crates/wire/src/a.rs", text)])
                .1
                .is_empty()
        );
    }
}
