//! Directories with wildcards, as in `<Directory /home/*/site>`: `*` stands for any part of a name and `?` for one byte of it, neither
//! for a slash (httpd: `apr_fnmatch` with `APR_FNM_PATHNAME`). Everything else stands for itself.

/// Whether a path is a directory like the pattern, or lies below one. Both are taken name by name; repeated slashes mean nothing.
#[must_use]
pub fn covers(pattern: &[u8], path: &[u8]) -> bool {
    let mut names = parts(path);
    parts(pattern).all(|part| names.next().is_some_and(|name| is_like(part, name)))
}

fn parts(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

/// Whether one name matches. Only the last `*` is ever tried again, so that no name takes long.
fn is_like(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            again = Some((rest, name));
            pattern = rest;
            continue;
        }
        let Some((byte, name_rest)) = name.split_first() else { return pattern.is_empty() };
        match (pattern.split_first(), again) {
            (Some((wanted, rest)), _) if wanted == byte || *wanted == b'?' => {
                (pattern, name) = (rest, name_rest);
            }
            (_, Some((rest, [_, later @ ..]))) => {
                again = Some((rest, later));
                (pattern, name) = (rest, later);
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_sections_of_directories() {
        for (pattern, path, covered) in [
            ("/home/*/site", "/home/joe/site/app.wsgi", true),
            ("/home/*/site/", "/home//joe/site", true),
            ("/home/*/site", "/home/joe/sites/app.wsgi", false),
            ("/home/*/site", "/home/joe/private/site/app.wsgi", false),
            ("/home/*/site", "/home/site", false),
            ("/home/*/site", "/home/joe", false),
            ("/home/*/site", "/srv/joe/site/x", false),
            ("/home/*", "/home/.hidden/x", true),
            ("/home/*", "/home", false),
            ("/srv/v?/x", "/srv/v1/x", true),
            ("/srv/v?/x", "/srv/v/x", false),
            ("/srv/v?/x", "/srv/v12/x", false),
            ("/srv/a*b*c", "/srv/a1b2b3c/x", true),
            ("/srv/a*b*c", "/srv/a1b2b3d/x", false),
            ("/srv/*.d", "/srv/x.d.d", true),
            ("/srv/**", "/srv/x", true),
            ("/srv/plain", "/srv/plain/x", true),
            ("/srv/[x]", "/srv/x", false),
            ("/", "/anything", true),
        ] {
            assert_eq!(covers(pattern.as_bytes(), path.as_bytes()), covered, "{pattern} {path}");
        }
        let (many, long) = (b"*a".repeat(40), b"a".repeat(4000));
        assert!(!covers(&[many, b"b".to_vec()].concat(), &long), "and it takes no time");
    }
}
