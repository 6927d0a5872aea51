//! The counts on record and how seen ones compare with them. Pure, apart from reading and writing the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What a change may add, in percent.
pub const LIMIT: u64 = 3;

/// Instructions by the name of what they are for.
pub type Counts = BTreeMap<String, u64>;

/// What decides about counts besides the source: facts by name.
pub type Machine = BTreeMap<String, String>;

/// What is on record: all of it from one commit and one machine, as older counts of others would be those of other code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Where it holds.
    pub machine: Machine,
    /// Counts that do not depend on the Python.
    pub counts: Counts,
    /// Counts that do, by `sys.version`.
    pub pythons: BTreeMap<String, Counts>,
}

/// Where a checkout has it.
pub fn path(root: &Path) -> PathBuf {
    root.join("xtask/src/guard/reference.json")
}

impl Reference {
    /// What is on record; nothing where there is no file.
    pub fn load(path: &Path) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not what `guard --accept` writes", path.display()))
    }

    /// Puts it on record.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The facts in which this machine differs from that of the record, as a sentence's part.
    pub fn differences(&self, here: &Machine) -> Vec<String> {
        let differs = here.iter().filter(|(fact, value)| self.machine.get(*fact) != Some(value));
        let shown = |(fact, value): (&String, &String)| match self.machine.get(fact) {
            Some(recorded) => format!("{fact} is {value} here and {recorded} on record"),
            None => format!("{fact} is {value} here and not on record"),
        };
        differs.map(shown).collect()
    }
}

/// How a count compares with the one on record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// Within the limit, either way: the change in percent.
    Same(f64),
    /// More than the limit below, which has to be recorded: the change in percent.
    Better(f64),
    /// More than the limit above: the change in percent.
    Worse(f64),
    /// Nothing is on record.
    New,
}

/// Compares.
pub fn judge(recorded: Option<u64>, seen: u64) -> Verdict {
    let Some(recorded) = recorded.filter(|recorded| *recorded > 0) else { return Verdict::New };
    let change = (seen as f64 / recorded as f64 - 1.0) * 100.0;
    if seen * 100 > recorded * (100 + LIMIT) {
        Verdict::Worse(change)
    } else if seen * 100 < recorded * (100 - LIMIT) {
        Verdict::Better(change)
    } else {
        Verdict::Same(change)
    }
}

/// What a line of the table ends with.
impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Same(change) => write!(f, "{change:+.2} %"),
            Self::Better(change) => write!(f, "{change:+.2} %: MORE THAN {LIMIT} %, not on record"),
            Self::Worse(change) => write!(f, "{change:+.2} %: MORE THAN {LIMIT} %"),
            Self::New => write!(f, "not on record"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(facts: &[(&str, &str)]) -> Machine {
        facts.iter().map(|(fact, value)| ((*fact).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn three_percent_is_the_limit() {
        assert!(matches!(judge(Some(1000), 1029), Verdict::Same(_)));
        assert!(matches!(judge(Some(1000), 1030), Verdict::Same(_)));
        assert!(matches!(judge(Some(1000), 1031), Verdict::Worse(_)));
        assert!(matches!(judge(Some(1000), 971), Verdict::Same(_)));
        assert!(matches!(judge(Some(1000), 969), Verdict::Better(_)));
        assert_eq!((judge(None, 7), judge(Some(0), 7)), (Verdict::New, Verdict::New));
    }

    #[test]
    fn a_verdict_says_how_much_and_what_to_do() {
        assert_eq!(judge(Some(1000), 1031).to_string(), "+3.10 %: MORE THAN 3 %");
        assert_eq!(judge(Some(1000), 969).to_string(), "-3.10 %: MORE THAN 3 %, not on record");
        assert_eq!(judge(Some(1000), 1029).to_string(), "+2.90 %");
    }

    #[test]
    fn differences_name_the_part_that_differs() {
        let recorded = machine(&[("rustc", "1.95.0"), ("C library", "glibc 2.36")]);
        let reference = Reference { machine: recorded.clone(), ..Reference::default() };
        assert!(reference.differences(&recorded).is_empty());
        let here = machine(&[("rustc", "1.96.0"), ("C library", "glibc 2.36"), ("new", "x")]);
        let expected = ["new is x here and not on record", "rustc is 1.96.0 here and 1.95.0 on record"];
        assert_eq!(reference.differences(&here), expected);
    }

    #[test]
    fn what_was_saved_is_loaded_and_no_file_is_no_record() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("reference.json");
        assert_eq!(Reference::load(&path).unwrap(), Reference::default());
        let counts = Counts::from([("wire".to_owned(), 7)]);
        let pythons = BTreeMap::from([("3.11.2".to_owned(), counts.clone())]);
        let reference = Reference { machine: machine(&[("rustc", "1.95.0")]), counts, pythons };
        reference.save(&path).unwrap();
        assert_eq!(Reference::load(&path).unwrap(), reference);
    }
}
