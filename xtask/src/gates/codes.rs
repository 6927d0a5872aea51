//! Log codes (`WSGI1234`): each stands in the sources of the crates once, where it is given out. A second place means two meanings,
//! or one sentence with two wordings.

use std::collections::BTreeMap;

use super::files::Source;

/// The name of a file that is a table of codes and may leave their letters out.
const TABLE: &str = "codes.rs";
/// Digits of a code.
const DIGITS: usize = 4;

/// The codes that are given out twice.
pub fn check(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut known: BTreeMap<&str, String> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.ships()) {
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
    broken
}

/// Line number and digits of each code in the part of a file that ships.
fn codes(source: &Source) -> Vec<(usize, &str)> {
    let table = source.path.ends_with(&format!("/{TABLE}"));
    let mut found = Vec::new();
    for (number, line) in source.shipped_lines() {
        for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
            let digits = match word.strip_prefix("WSGI") {
                Some(digits) => digits,
                None if table => word,
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
        let broken = check(&[one, two]);
        assert_eq!(broken.len(), 1, "{broken:?}");
        let start =
            "crates/gateway/src/script.rs:3 gives out WSGI1002, which crates/supervisor/src/codes.rs:3 has: ";
        assert!(broken[0].starts_with(start), "{broken:?}");
    }

    #[test]
    fn comments_and_tests_may_name_codes() {
        let text =
            "//! See WSGI1001.\nfn f() { log(\"WSGI1001: no\") }\n\n#[cfg(test)]\nmod tests { WSGI1001 }\n";
        let test = "//! Tests.\nfn f() { WSGI1001 }\n";
        let sources = ["a.rs", "a/tests.rs"].map(|file| source(&format!("crates/module/src/{file}"), text));
        assert!(check(&sources).is_empty());
        assert!(
            check(&[source("crates/module/tests/a.rs", test), source("crates/wire/src/a.rs", text)])
                .is_empty()
        );
    }
}
