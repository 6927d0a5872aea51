//! Root directories for workers (`chroot=`): a Python and the libraries that files need, copied to where they are outside.

use crate::pythons::Python;
use crate::{cache, run};
use std::path::Path;
use std::process::Command;

/// Copies the files that are its arguments, and the shared libraries that they name, to the same paths below `$0`.
const COPY: &str = r#"
for file; do
    { echo "$file"; ldd "$file" 2>/dev/null | grep -o '/[^ )]*' || true; }
done | sort -u | while read -r file; do
    # What is there may be shared with other root directories, and in use.
    [ -e "$0$file" ] || cp -L --parents "$file" "$0"
done
"#;

/// Copies the standard library in the directory `$1` to the same path below `$0`.
const LIBRARY: &str = r#"
tar --exclude=test --exclude='site-packages/*' --exclude=idlelib --exclude='config-*' -cf - -C / "${1#/}" | tar --no-same-owner -xf - -C "$0"
"#;

/// Makes a root directory at `path`, which is there, with this Python at its usual place and these files at theirs.
pub fn make(path: &Path, python: &Python, files: &[&Path]) -> Result<(), String> {
    let whole = cache::once(&format!("jail-3.{}", python.minor), |jail| with_python(jail, python))?;
    // The files are shared, so that this takes no time; directories are not.
    run(Command::new("cp").args(["-al"]).arg(whole.join(".")).arg(path))?;
    run(Command::new("sh").args(["-ec", COPY]).arg(path).args(files)).map(drop)
}

fn with_python(jail: &Path, python: &Python) -> Result<(), String> {
    std::fs::create_dir_all(jail).map_err(|error| error.to_string())?;
    let code = "import sysconfig; print(sysconfig.get_path('stdlib'), end='')";
    let library = run(Command::new(&python.executable).args(["-c", code]))?;
    run(Command::new("sh").args(["-ec", LIBRARY]).arg(jail).arg(&library))?;
    let modules = std::fs::read_dir(Path::new(&library).join("lib-dynload"));
    let modules = modules.map_err(|error| error.to_string())?.flatten().map(|entry| entry.path());
    let mut copy = Command::new("sh");
    copy.args(["-ec", COPY]).arg(jail).arg(&python.executable).args(modules);
    run(&mut copy).map(drop)
}
