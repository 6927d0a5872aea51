//! What this worker may run: scripts below the roots that root's configuration names, and the callables and application groups
//! it names for them. Pure arithmetic on paths and names.

use spec::{Allowed, Purpose, Root, pattern};

/// The configured roots.
#[derive(Debug)]
pub struct Roots(Vec<(Vec<u8>, Root)>);

/// What a request asks for that the configuration does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// Another script.
    #[error(
        "the script \"{0}\" is outside what WSGIScriptAlias and the other aliases of the configuration allow for this process group: \
         add a WSGIScriptAlias that leads to it, or, for a script of AddHandler or SetHandler wsgi-script, write both the \
         handler and Options +ExecCGI into its <Directory> in the server's configuration, as those of .htaccess files do not count"
    )]
    Script(String),
    /// A script that may not be asked this.
    #[error("the script \"{script}\" is not one that {} of the configuration names for this process group", .purpose.directive())]
    Call {
        /// The script.
        script: String,
        /// What it was to be asked.
        purpose: Purpose,
    },
    /// Another name for the callable.
    #[error("{}", name_sentence(.script, "callable", .name, .allowed, "WSGICallableObject or callable-object="))]
    Callable {
        /// The script.
        script: String,
        /// The name that came.
        name: String,
        /// What could have come.
        allowed: Vec<String>,
    },
    /// Another name for the application group.
    #[error("{}", name_sentence(.script, "application group", .name, .allowed, "WSGIApplicationGroup or application-group="))]
    ApplicationGroup {
        /// The script.
        script: String,
        /// The name that came.
        name: String,
        /// What could have come.
        allowed: Vec<String>,
    },
}

fn name_sentence(script: &str, what: &str, name: &str, allowed: &[String], directive: &str) -> String {
    let allowed: Vec<_> = allowed.iter().map(|name| format!("\"{name}\"")).collect();
    format!(
        "the {what} \"{name}\" is not one that {directive} of the configuration can give for the script \"{script}\" (allowed: {})",
        if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") }
    )
}

impl Roots {
    /// Takes the configured paths. One that is not absolute or climbs with `..` allows nothing.
    pub fn new(roots: Vec<Root>) -> Self {
        let clean = roots.into_iter().map(|root| (normal(root.path.as_os_str().as_encoded_bytes()), root));
        Self(clean.filter_map(|(path, root)| path.map(|path| (path, root))).collect())
    }

    /// The roots that cover a script and are for this purpose.
    fn covering<'a>(&'a self, path: Option<&[u8]>, purpose: Purpose) -> impl Iterator<Item = &'a Root> {
        let covers = move |root: &[u8]| {
            let rest = path.and_then(|path| path.strip_prefix(root));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let like = move |root: &Root| {
            let is_like =
                |pattern: &String| path.is_some_and(|path| pattern::covers(pattern.as_bytes(), path));
            root.patterns.is_empty() || root.patterns.iter().any(is_like)
        };
        let covering = self.0.iter().filter(move |(path, root)| covers(path) && like(root));
        let covering = covering.map(|(_, root)| root);
        covering.filter(move |root| root.purpose == purpose)
    }

    /// Whether one root covers `script`, is for this purpose and allows the application group.
    ///
    /// # Errors
    /// What is not allowed.
    pub fn check_call(
        &self,
        script: &[u8],
        purpose: Purpose,
        application_group: &[u8],
    ) -> Result<(), NotAllowed> {
        let path = normal(script);
        let covering = || self.covering(path.as_deref(), purpose);
        if covering().any(|root| root.application_group.permits(application_group)) {
            return Ok(());
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let script = text(script);
        if covering().next().is_none() {
            return Err(NotAllowed::Call { script, purpose });
        }
        let allowed = names(covering().map(|root| &root.application_group));
        Err(NotAllowed::ApplicationGroup { script, name: text(application_group), allowed })
    }

    /// Whether one root covers `script` and allows these names for it. Repeated slashes and `.` mean nothing; `..` is never
    /// allowed, as what it leads to depends on symbolic links.
    ///
    /// # Errors
    /// What is not allowed, and for a name, what would have been.
    pub fn check(&self, script: &[u8], callable: &[u8], application_group: &[u8]) -> Result<(), NotAllowed> {
        let permits = |root: &Root| {
            root.callable.permits(callable) && root.application_group.permits(application_group)
        };
        // Most requests are for just the file that an alias names; the path has nothing to be cleaned of then.
        let is_named = |(path, root): &(Vec<u8>, Root)| {
            path == script
                && root.patterns.is_empty()
                && root.purpose == Purpose::Application
                && permits(root)
        };
        if self.0.iter().any(is_named) {
            return Ok(());
        }
        let path = normal(script);
        let covering = || self.covering(path.as_deref(), Purpose::Application);
        if covering().any(permits) {
            return Ok(());
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let script = text(script);
        if covering().next().is_none() {
            return Err(NotAllowed::Script(script));
        }
        if covering().any(|root| root.callable.permits(callable)) {
            let rooms =
                covering().filter(|root| root.callable.permits(callable)).map(|r| &r.application_group);
            Err(NotAllowed::ApplicationGroup { script, name: text(application_group), allowed: names(rooms) })
        } else {
            let allowed = names(covering().map(|root| &root.callable));
            Err(NotAllowed::Callable { script, name: text(callable), allowed })
        }
    }
}

/// The names in the lists, each once.
fn names<'a>(lists: impl Iterator<Item = &'a Allowed>) -> Vec<String> {
    let mut all: Vec<String> = lists
        .flat_map(|allowed| match allowed {
            Allowed::Any => Vec::new(),
            Allowed::Only(names) => names.clone(),
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// `/a//./b/` as `/a/b`, and `/` as the empty path. `None` when relative, climbing, or with a NUL.
fn normal(path: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(b"/")?;
    let mut clean = Vec::with_capacity(path.len());
    for part in rest.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return None,
            part if part.contains(&0) => return None,
            part => {
                clean.push(b'/');
                clean.extend_from_slice(part);
            }
        }
    }
    Some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(path: &str, callable: Allowed, application_group: Allowed) -> Root {
        Root {
            path: path.into(),
            patterns: Vec::new(),
            purpose: Purpose::Application,
            callable,
            application_group,
        }
    }

    fn any(path: &str) -> Root {
        root(path, Allowed::Any, Allowed::Any)
    }

    fn only(names: &[&str]) -> Allowed {
        Allowed::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn allows(roots: &Roots, script: &str) -> bool {
        roots.check(script.as_bytes(), b"application", b"").is_ok()
    }

    #[test]
    fn sk_10_only_scripts_below_a_root_are_allowed() {
        let roots = Roots::new(["/srv/site/", "/opt//one/./app.wsgi", "relative"].map(any).into());
        for allowed in ["/srv/site/app.py", "/srv//site/./a/b.wsgi", "/srv/site", "/opt/one/app.wsgi"] {
            assert!(allows(&roots, allowed), "{allowed}");
        }
        for refused in [
            "",
            "relative",
            "/",
            "/srv",
            "/srv/site2/app.py",
            "/srv/site/../site/app.py",
            "/srv/site/..",
            "/opt/one/app.wsgi2",
            "/opt/one/other.wsgi",
            "/tmp/evil.py",
            "/srv/site/a\0b",
        ] {
            assert!(!allows(&roots, refused), "{refused}");
        }
        assert!(allows(&Roots::new(vec![any("/")]), "/anything"));
        assert!(!allows(&Roots::new(vec![any("/a/../b")]), "/b/x"));
        assert!(!allows(&Roots::new(Vec::new()), "/a"));
    }

    #[test]
    fn sk_10_wildcards_of_a_directory_hold_for_the_worker() {
        let patterns = vec!["/home/*/site".to_owned(), "/home/common".to_owned()];
        let roots = Roots::new(vec![Root { patterns, ..any("/home") }]);
        for allowed in ["/home/joe/site/app.wsgi", "/home//joe/./site/a/b.wsgi", "/home/common/x.wsgi"] {
            assert!(allows(&roots, allowed), "{allowed}");
        }
        for refused in
            ["/home/joe/app.wsgi", "/home/app.wsgi", "/home/joe/a/site/x.wsgi", "/srv/joe/site/x.wsgi"]
        {
            assert!(!allows(&roots, refused), "{refused}");
        }
    }

    #[test]
    fn sk_10_a_script_is_asked_only_what_it_is_there_for() {
        let access = Root { purpose: Purpose::Access, ..root("/srv/auth.wsgi", only(&[]), only(&[""])) };
        let roots = Roots::new(vec![access, any("/srv/app.wsgi")]);
        assert_eq!(roots.check_call(b"/srv/auth.wsgi", Purpose::Access, b""), Ok(()));
        for (script, purpose) in [
            (&b"/srv/auth.wsgi"[..], Purpose::AuthUser),
            (b"/srv/auth.wsgi", Purpose::Dispatch),
            (b"/srv/app.wsgi", Purpose::Access),
            (b"/srv/../srv/auth.wsgi", Purpose::Access),
            (b"/tmp/evil.py", Purpose::Access),
        ] {
            let error = roots.check_call(script, purpose, b"").unwrap_err();
            assert!(
                matches!(error, NotAllowed::Call { .. }) && error.to_string().contains("WSGI"),
                "{error}"
            );
        }
        let error = roots.check_call(b"/srv/auth.wsgi", Purpose::Access, b"other").unwrap_err();
        assert!(matches!(error, NotAllowed::ApplicationGroup { .. }), "{error}");
        // What is there to be asked is no application.
        assert!(matches!(roots.check(b"/srv/auth.wsgi", b"allow_access", b""), Err(NotAllowed::Script(_))));
    }

    #[test]
    fn sk_10_names_belong_to_the_root_that_covers_the_script() {
        let roots = Roots::new(vec![
            root("/srv/a", only(&["application"]), only(&["", "a"])),
            root("/srv/b", only(&["app"]), Allowed::Any),
            root("/srv/b/admin.wsgi", only(&["admin"]), only(&["admin"])),
        ]);
        let check = |script: &str, callable: &str, group: &str| {
            roots.check(script.as_bytes(), callable.as_bytes(), group.as_bytes()).map_err(|e| e.to_string())
        };
        for (script, callable, group) in [
            ("/srv/a/x.wsgi", "application", "a"),
            ("/srv/a/x.wsgi", "application", ""),
            ("/srv/b/x.wsgi", "app", "whatever"),
            ("/srv/b/admin.wsgi", "admin", "admin"),
            ("/srv/b/admin.wsgi", "app", "whatever"),
        ] {
            assert_eq!(check(script, callable, group), Ok(()));
        }
        let error = check("/srv/a/x.wsgi", "debug_shell", "").unwrap_err();
        assert!(
            error.contains("callable \"debug_shell\"") && error.contains("(allowed: \"application\")"),
            "{error}"
        );
        let error = check("/srv/a/x.wsgi", "application", "b").unwrap_err();
        assert!(
            error.contains("application group \"b\"") && error.contains("(allowed: \"\", \"a\")"),
            "{error}"
        );
        assert!(
            check("/srv/b/x.wsgi", "admin", "admin").is_err(),
            "the names of a root are for its scripts only"
        );
        assert!(
            check("/srv/b/admin.wsgi", "admin", "b").is_err(),
            "a name of one root is not mixed with one of another"
        );
        assert!(check("/srv/c/x.wsgi", "app", "").unwrap_err().contains("outside what WSGIScriptAlias"));
    }
}
