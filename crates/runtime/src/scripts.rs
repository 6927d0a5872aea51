//! Which script files this worker may load: those below the roots that root's configuration names. Pure path arithmetic.
#![forbid(unsafe_code)]

use std::path::PathBuf;

/// The configured roots, each a file or a directory.
#[derive(Debug)]
pub struct Roots(Vec<Vec<u8>>);

impl Roots {
    /// Takes the configured paths. One that is not absolute or climbs with `..` allows nothing.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let bytes = paths.into_iter().map(|path| path.into_os_string().into_encoded_bytes());
        Self(bytes.filter_map(|path| normal(&path)).collect())
    }

    /// Whether `script` is one of the roots or lies below one. Repeated slashes and `.` mean nothing; `..` is never
    /// allowed, as what it leads to depends on symbolic links.
    pub fn allow(&self, script: &[u8]) -> bool {
        let Some(script) = normal(script) else { return false };
        self.0.iter().any(|root| {
            script.strip_prefix(&root[..]).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }
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

    #[test]
    fn sk_10_only_scripts_below_a_root_are_allowed() {
        let roots = Roots::new(vec!["/srv/site/".into(), "/opt//one/./app.wsgi".into(), "relative".into()]);
        for allowed in ["/srv/site/app.py", "/srv//site/./a/b.wsgi", "/srv/site", "/opt/one/app.wsgi"] {
            assert!(roots.allow(allowed.as_bytes()), "{allowed}");
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
            assert!(!roots.allow(refused.as_bytes()), "{refused}");
        }
        assert!(Roots::new(vec!["/".into()]).allow(b"/anything"));
        assert!(!Roots::new(vec!["/a/../b".into()]).allow(b"/b/x"));
        assert!(!Roots::new(Vec::new()).allow(b"/a"));
    }
}
