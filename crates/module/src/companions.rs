//! Where this module was loaded from, and the programs beside it.

use std::path::{Path, PathBuf};

use spec::installed;

/// What is installed beside `mod_wsgi.so`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Companions {
    /// `wsgi-supervisor`.
    pub supervisor: PathBuf,
    /// `_wsgi_runtime.abi3.so`.
    pub runtime: PathBuf,
}

impl Companions {
    /// Finds them.
    ///
    /// # Errors
    /// A sentence that names what is missing and where it should be.
    pub fn find() -> Result<Self, String> {
        let maps = std::fs::read_to_string("/proc/self/maps").map_err(|error| {
            format!(
                "mod_wsgi cannot find out where it was loaded from: /proc/self/maps: {error}: mount /proc"
            )
        })?;
        let here = Self::find as fn() -> _ as usize;
        let module = mapped_file(&maps, here).ok_or(
            "mod_wsgi cannot find out where it was loaded from: /proc/self/maps does not name its file",
        )?;
        Self::beside(&module)
    }

    fn beside(module: &Path) -> Result<Self, String> {
        let directory = module.parent().unwrap_or(Path::new("/"));
        let file = |name: &str| {
            let path = directory.join(name);
            if path.is_file() {
                return Ok(path);
            }
            let (path, module) = (path.display(), module.display());
            Err(format!(
                "{path} is missing: it belongs beside {module}; install mod_wsgi-rs again, all its files in one directory"
            ))
        };
        Ok(Self { supervisor: file(installed::SUPERVISOR)?, runtime: file(installed::RUNTIME)? })
    }
}

/// The file that `address` is mapped from (proc(5), `/proc/pid/maps`).
fn mapped_file(maps: &str, address: usize) -> Option<PathBuf> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let path = rest.get(rest.find('/')?..)?;
        // A module that was replaced while it is loaded.
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        (start..end).contains(&address).then(|| PathBuf::from(path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_an_address_is_found() {
        let maps = "1000-2000 r-xp 00000000 08:01 12 /usr/lib/a b/mod_wsgi.so (deleted)\n2000-3000 rw-p 00000000 00:00 0 [heap]\n";
        assert_eq!(mapped_file(maps, 0x1fff).unwrap(), Path::new("/usr/lib/a b/mod_wsgi.so"));
        assert_eq!(mapped_file(maps, 0x2000), None);
    }

    #[test]
    fn a_missing_companion_is_named() {
        let error = Companions::beside(Path::new("/nowhere/mod_wsgi.so")).unwrap_err();
        assert!(error.contains("/nowhere/wsgi-supervisor is missing"), "{error}");
    }

    #[test]
    fn this_program_finds_itself() {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let here = mapped_file(&maps, Companions::find as fn() -> _ as usize).unwrap();
        assert_eq!(here, std::env::current_exe().unwrap());
    }
}
