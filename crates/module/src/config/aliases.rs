//! One `WSGIScriptAlias` or `WSGIScriptAliasMatch` and the file that a URL path maps to through it.

use httpd::{Pool, Regex};

use crate::routing::Settings;
use crate::routing::alias::{self, Way};
use crate::routing::leads::{Lead, Reach};

/// How an alias recognises a URL path.
pub enum Location {
    /// `WSGIScriptAlias`: a prefix.
    Prefix,
    /// `WSGIScriptAliasMatch`: a compiled expression.
    Pattern(Regex),
}

/// An alias.
pub struct Alias {
    /// The URL path or the expression, as written.
    pub written: Vec<u8>,
    /// How it is compared.
    pub location: Location,
    /// File or directory; with `$1` and the like for a pattern.
    pub target: Vec<u8>,
    /// Its options.
    pub settings: Settings,
    /// See [`crate::config::Global::next_place`].
    pub order: u32,
}

impl Alias {
    /// Where a URL path leads, `None` when the alias does not apply. The pool is for httpd's substitution.
    #[must_use]
    pub fn way<'a>(&'a self, uri: &'a [u8], pool: Pool<'_>) -> Option<Way<'a>> {
        match &self.location {
            Location::Prefix => alias::way(uri, &self.written, &self.target),
            Location::Pattern(regex) => {
                let captures = regex.captures(uri)?;
                let file = captures.substitute(pool, &self.target).filter(|file| !file.is_empty())?;
                let end = captures.range(0)?.end;
                Some(Way { target: file.into(), rest: uri.get(end..).unwrap_or_default() })
            }
        }
    }

    /// The directive, for sentences: `WSGIScriptAlias /app`.
    #[must_use]
    pub fn directive(&self) -> String {
        let name = match self.location {
            Location::Prefix => "WSGIScriptAlias",
            Location::Pattern(_) => "WSGIScriptAliasMatch",
        };
        format!("{name} {}", self.written.escape_ascii())
    }

    /// The alias for the analysis of where aliases lead. Looks whether the target is a directory, as every file in it is an
    /// application of its own then.
    #[must_use]
    pub fn lead(&self) -> Lead {
        use std::os::unix::ffi::OsStrExt;
        let pattern = matches!(self.location, Location::Pattern(_));
        let path = std::path::Path::new(std::ffi::OsStr::from_bytes(&self.target));
        let several = (pattern && self.target.iter().any(|byte| matches!(byte, b'$' | b'&')))
            || self.target.ends_with(b"/")
            || path.is_dir();
        Lead {
            directive: self.directive(),
            location: self.written.clone(),
            reach: if pattern { Reach::Pattern } else { Reach::Prefix },
            target: self.target.clone(),
            several,
            group: self.settings.process_group.clone(),
            application_group: self.settings.application_group.clone(),
            callable: self.settings.callable.clone(),
            pattern: None,
            order: self.order,
        }
    }
}

impl std::fmt::Debug for Alias {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (written, target) = (self.written.escape_ascii(), self.target.escape_ascii());
        write!(f, "Alias({written} -> {target}, {:?})", self.settings)
    }
}
