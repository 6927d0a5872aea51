//! The system's Apache: its program, its folder of modules, which modules it needs loaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result, reason};

/// Where distributions put the program: Debian, Red Hat, Apache's own build.
const PROGRAMS: [&str; 3] = ["/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"];
/// Where they put the modules.
const MODULES: [&str; 4] = [
    "/usr/lib/apache2/modules",
    "/usr/lib64/httpd/modules",
    "/usr/lib/httpd/modules",
    "/usr/local/apache2/modules",
];
/// What the configuration uses: the module's name, its source as `httpd -l` names it, its file. A multi-processing module first.
const NEEDED: [(&str, &str, &str); 6] = [
    ("mpm_event_module", "event.c", "mod_mpm_event.so"),
    ("unixd_module", "mod_unixd.c", "mod_unixd.so"),
    ("authz_core_module", "mod_authz_core.c", "mod_authz_core.so"),
    ("log_config_module", "mod_log_config.c", "mod_log_config.so"),
    ("alias_module", "mod_alias.c", "mod_alias.so"),
    ("mime_module", "mod_mime.c", "mod_mime.so"),
];

/// A program of Apache and the modules to load into it.
#[derive(Debug)]
pub struct Apache {
    /// The program.
    pub program: PathBuf,
    /// Name and file of each module to load.
    pub modules: Vec<(&'static str, PathBuf)>,
}

impl Apache {
    /// The program given, else the system's.
    pub fn find(given: Option<&Path>) -> Result<Self> {
        let program = given.map_or_else(program, |path| Ok(path.to_path_buf()))?;
        let compiled = compiled_in(&program)?;
        let beside = program.parent().and_then(Path::parent).map(|prefix| prefix.join("modules"));
        let folders: Vec<PathBuf> = MODULES.iter().map(PathBuf::from).chain(beside).collect();
        let modules = to_load(&compiled, &folders)?;
        Ok(Self { program, modules })
    }
}

/// The program of the system's Apache.
pub fn program() -> Result<PathBuf> {
    let found = PROGRAMS.iter().map(PathBuf::from).find(|path| path.is_file());
    found.ok_or_else(|| Error::NoApache(install_command()))
}

/// The command that installs Apache here.
fn install_command() -> &'static str {
    if Path::new("/usr/bin/dnf").exists() { "dnf install httpd" } else { "apt-get install apache2" }
}

/// The sources of the modules that are part of the program.
fn compiled_in(program: &Path) -> Result<Vec<String>> {
    let bad = |why: String| Error::BadApache { path: program.to_path_buf(), why };
    let out = Command::new(program).arg("-l").stdin(Stdio::null()).output();
    let out = out.map_err(|error| bad(format!("it cannot be run: {}", reason(&error))))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let list: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    if !list.iter().any(|line| line == "mod_so.c") {
        return Err(bad("it does not answer `-l` with a list of modules that has mod_so.c".to_owned()));
    }
    Ok(list)
}

fn to_load(compiled: &[String], folders: &[PathBuf]) -> Result<Vec<(&'static str, PathBuf)>> {
    let has = |source: &str| compiled.iter().any(|line| line == source);
    let any_mpm = ["event.c", "worker.c", "prefork.c"].into_iter().any(has);
    let mut modules = Vec::new();
    for (name, source, file) in NEEDED {
        if has(source) || (source == "event.c" && any_mpm) {
            continue;
        }
        let found = folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file());
        let path = found.ok_or_else(|| Error::NoApacheModule {
            file: file.to_owned(),
            folders: folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
            install: install_command(),
        })?;
        modules.push((name, path));
    }
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_is_not_loaded() {
        let folder = tempfile::tempdir().unwrap();
        for (_, _, file) in NEEDED {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        let compiled = ["mod_so.c", "mod_unixd.c", "worker.c"].map(str::to_owned);
        let modules = to_load(&compiled, &[folder.path().to_path_buf()]).unwrap();
        let names: Vec<&str> = modules.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["authz_core_module", "log_config_module", "alias_module", "mime_module"]);
    }

    #[test]
    fn a_missing_module_is_named_with_where_it_was_looked_for() {
        let error = to_load(&["mod_so.c".to_owned()], &["/nowhere".into()]).unwrap_err().to_string();
        assert!(error.contains("mod_mpm_event.so") && error.contains("/nowhere"), "{error}");
    }
}
