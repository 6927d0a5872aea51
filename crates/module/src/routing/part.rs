//! Parts of the file system that sections of directories name, with wildcards or without.

use super::leads::is_below;

/// A directory and all below, as far as wildcards leave it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Without wildcards.
    pub directory: Vec<u8>,
    /// What else paths must be like ([`spec::pattern`]).
    pub pattern: Option<String>,
}

impl From<Vec<u8>> for Part {
    fn from(directory: Vec<u8>) -> Self {
        Self { directory, pattern: None }
    }
}

impl Part {
    /// A directory that may have wildcards. What stands behind a name with `[` or `\` does not count.
    #[must_use]
    pub fn of(argument: &[u8]) -> Self {
        let plain = before(argument, |byte| b"[\\".contains(&byte));
        let directory = before(&plain, |byte| b"*?".contains(&byte));
        let pattern = if directory == plain { None } else { String::from_utf8(plain).ok() };
        Self { directory, pattern }
    }

    /// What is in both, or a little more where both have wildcards.
    #[must_use]
    pub fn and(&self, other: &Self) -> Option<Self> {
        let (outer, inner) = match (&self.directory, &other.directory) {
            (one, two) if is_below(two, one) => (self, other),
            (one, two) if is_below(one, two) => (other, self),
            _ => return None,
        };
        let pattern = inner.pattern.as_ref().or(outer.pattern.as_ref()).cloned();
        Some(Self { directory: inner.directory.clone(), pattern })
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        is_below(&other.directory, &self.directory)
            && (self.pattern.is_none() || self.pattern == other.pattern)
    }
}

/// The directory in front of the first byte that is special; the whole path where none is.
#[must_use]
pub fn before(path: &[u8], special: impl Fn(u8) -> bool) -> Vec<u8> {
    let Some(at) = path.iter().position(|byte| special(*byte)) else { return path.to_vec() };
    let fixed = path.get(..at).unwrap_or_default();
    let end = fixed.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    fixed.get(..end).unwrap_or_default().to_vec()
}
