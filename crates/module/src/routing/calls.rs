//! The scripts that the server asks: who may come in, and where a request goes. Pure; reading the directives is `directives`' part,
//! asking `auth`'s.

use std::sync::Arc;

use spec::Purpose;
use spec::options::AUTOMATIC;

use super::expand::{Facts, Template};

/// `WSGIAccessScript` and its kin: a script and where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallScript {
    /// Absolute path.
    pub path: String,
    /// `application-group=`; the main interpreter without it.
    pub application_group: Template,
    /// `process-group=`.
    pub process_group: Option<String>,
}

impl CallScript {
    /// Name of the process group that it runs in.
    #[must_use]
    pub fn group(&self) -> &str {
        self.process_group.as_deref().unwrap_or(AUTOMATIC)
    }

    /// `mod_wsgi.process_group` of its environ: empty, as in mod_wsgi, unless the directive names a group.
    #[must_use]
    pub fn shown_group(&self) -> &[u8] {
        self.process_group.as_deref().unwrap_or_default().as_bytes()
    }

    /// Name of the application group for a request.
    #[must_use]
    pub fn application_group(&self, facts: &Facts<'_>) -> Vec<u8> {
        self.application_group.expand(facts)
    }
}

/// Who may come in, as a section or `.htaccess` file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallScripts {
    /// `WSGIAccessScript`.
    pub access: Option<Arc<CallScript>>,
    /// `WSGIAuthUserScript`.
    pub user: Option<Arc<CallScript>>,
    /// `WSGIAuthGroupScript`.
    pub group: Option<Arc<CallScript>>,
}

impl CallScripts {
    /// What holds where `self` stands on `base`.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        let or = |over: &Option<Arc<CallScript>>, base: &Option<_>| over.clone().or_else(|| base.clone());
        Self {
            access: or(&self.access, &base.access),
            user: or(&self.user, &base.user),
            group: or(&self.group, &base.group),
        }
    }
}

/// A script that the server's configuration names, or a directory whose scripts `.htaccess` files may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRoot {
    /// What may be asked.
    pub purpose: Purpose,
    /// What may be loaded, and where.
    pub script: CallScript,
}

impl CallRoot {
    /// The scripts below a directory, for `.htaccess` files.
    pub fn below(directory: &str) -> impl Iterator<Item = Self> {
        [Purpose::Access, Purpose::AuthUser, Purpose::AuthGroup].into_iter().map(|purpose| Self {
            purpose,
            script: CallScript {
                path: directory.to_owned(),
                application_group: Template::Global,
                process_group: None,
            },
        })
    }
}

/// Whether a path lies below one of the directories, without climbing.
#[must_use]
pub fn is_below(path: &str, directories: &[String]) -> bool {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !matches!(*part, "" | ".")).map(str::to_owned).collect()
    };
    let path = parts(path);
    !path.iter().any(|part| part == "..")
        && directories.iter().any(|directory| {
            let directory = parts(directory);
            path.len() > directory.len() && path.starts_with(&directory)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn en_5_below_is_below() {
        let directories = ["/srv/auth/".to_owned(), "/opt//x".to_owned()];
        for path in ["/srv/auth/a.wsgi", "/srv//auth/./b/c", "/opt/x/y"] {
            assert!(is_below(path, &directories), "{path}");
        }
        for path in ["/srv/auth", "/srv/auth2/a", "/srv/auth/../x", "/opt/xy/z", "/", "", "/tmp/evil.py"] {
            assert!(!is_below(path, &directories), "{path}");
        }
        assert!(!is_below("/a", &[]));
    }

    #[test]
    fn the_inner_section_wins_and_the_rest_stays() {
        let script = |path: &str| {
            let (path, application_group) = (path.to_owned(), Template::Global);
            Some(Arc::new(CallScript { path, application_group, process_group: None }))
        };
        let base = CallScripts { access: script("/a"), user: script("/b"), group: None };
        let over = CallScripts { access: script("/c"), user: None, group: script("/d") };
        let both = CallScripts { access: script("/c"), user: script("/b"), group: script("/d") };
        assert_eq!(over.over(&base), both);
    }
}
