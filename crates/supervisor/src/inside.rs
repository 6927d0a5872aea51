//! The runtime extension inside of `chroot=`: workers load it there, so it must be a copy of the installed one.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use spec::Chroot;

/// What is wrong with the copy, and how to make one. Loading it is tried elsewhere.
pub(crate) fn unfit(root: &Chroot, runtime: &Path) -> Option<String> {
    let copy = root.outside(runtime);
    let what = match unix::files::open_inside(root.directory(), runtime) {
        Ok(file) if is_same(&file, runtime) => return None,
        Ok(_) => "is not the installed version of it",
        // Before Linux 5.6: what is wrong with it, the trial finds.
        Err(error) if error.kind() == ErrorKind::Unsupported => return None,
        Err(error) if error.kind() == ErrorKind::NotFound => "is not there",
        Err(_) => "cannot be opened",
    };
    let (root, runtime, copy) = (root.directory().display(), runtime.display(), copy.display());
    Some(format!(
        "chroot={root}: workers load the runtime extension inside of it, and {copy} {what}: copy it with `install -D -m 644 {runtime} \
         {copy}`, now and whenever mod_wsgi-rs is updated"
    ))
}

fn is_same(copy: &File, runtime: &Path) -> bool {
    let Ok(original) = File::open(runtime) else { return false };
    match (copy.metadata(), original.metadata()) {
        (Ok(copy), Ok(original)) if copy.is_file() && copy.len() == original.len() => {}
        _ => return false,
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut both = (copy, original);
    both.0.read_to_end(&mut left).is_ok() && both.1.read_to_end(&mut right).is_ok() && left == right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_must_be_there_and_the_same() {
        let place = tempfile::tempdir().unwrap();
        let runtime = place.path().join("runtime.so");
        std::fs::write(&runtime, "new").unwrap();
        let jail = place.path().join("jail");
        let root = Chroot::new(&jail).unwrap();
        let copy = root.outside(&runtime);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let absent = unfit(&root, &runtime).unwrap();
        assert!(
            absent.contains(&format!("install -D -m 644 {} {}", runtime.display(), copy.display())),
            "{absent}"
        );
        std::fs::write(&copy, "old").unwrap();
        assert!(unfit(&root, &runtime).unwrap().contains("installed version"));
        std::fs::write(&copy, "new").unwrap();
        assert_eq!(unfit(&root, &runtime), None);
        std::fs::remove_file(&copy).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &copy).unwrap();
        assert!(unfit(&root, &runtime).unwrap().contains("is not there"), "links lead to nothing outside");
    }
}
