//! The catalogue of log codes: what happened, why it usually happens, and what to do. `docs/errors.md` and `wsgictl explain` are
//! made from it, and `cargo xtask gates` fails when a code of the sources is not in it, or is in it only. Codes below 1000 mean
//! what they mean in mod_wsgi. One file for each range of codes.

mod calls;
mod gateway;
mod module;
mod relay;
mod runtime;
mod shared;
mod shared_access;
mod supervisor;

use crate::log::Level;

/// What an administrator wants to know about a code. All texts are whole sentences.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The number behind `WSGI`.
    pub code: u16,
    /// The level it is logged at; the gravest where it depends.
    pub level: Level,
    /// What happened, and what follows for requests.
    pub happened: &'static str,
    /// The usual causes.
    pub why: &'static str,
    /// What to do about it.
    pub action: &'static str,
}

impl Entry {
    /// The code as it stands in the log: `WSGI0146`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("WSGI{:04}", self.code)
    }
}

/// The ranges, with their titles, in the order of their codes.
pub const RANGES: &[(&str, &[Entry])] = &[
    ("Conditions that mod_wsgi has as well: interpreters and access", shared_access::TABLE),
    ("Conditions that mod_wsgi has as well: requests and applications", shared::TABLE),
    ("Supervisor: start and end of workers", supervisor::TABLE),
    ("Requests on their way to a worker and back", relay::TABLE),
    ("Applications", gateway::TABLE),
    ("Workers", runtime::TABLE),
    ("Configuration and supervision in Apache", module::TABLE),
    ("Scripts for access, authentication and dispatch", calls::TABLE),
];

/// All entries, in the order of their codes.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    RANGES.iter().flat_map(|(_, table)| table.iter())
}

/// The entry of a code.
#[must_use]
pub fn find(code: u16) -> Option<&'static Entry> {
    all().find(|entry| entry.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_given_out_once() {
        let codes: Vec<u16> = all().map(|entry| entry.code).collect();
        let bad: Vec<_> = codes.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
        assert!(bad.is_empty(), "{bad:?}");
    }

    #[test]
    fn every_text_is_made_of_sentences() {
        for entry in all() {
            for text in [entry.happened, entry.why, entry.action] {
                let begins = text.starts_with(|c: char| c.is_uppercase() || c == '`');
                assert!(begins && text.ends_with('.'), "{}: {text}", entry.name());
                assert!(!text.contains("  ") && !text.contains('\n'), "{}: {text}", entry.name());
            }
        }
    }

    #[test]
    fn a_code_is_found_by_its_number() {
        assert_eq!(find(146).unwrap().name(), "WSGI0146");
        assert!(find(9999).is_none());
    }
}
