//! The machine's facts for the resolution of process groups: user and group databases, and which files can be executed.

use std::io::ErrorKind;
use std::path::Path;

use spec::options::{Accounts, Executables, User};
use uzers::os::unix::UserExt;

/// The databases that `/etc/nsswitch.conf` names.
#[derive(Debug, Clone, Copy)]
pub struct Databases;

fn user(entry: &uzers::User) -> User {
    User {
        name: entry.name().to_string_lossy().into_owned(),
        uid: entry.uid(),
        home: entry.home_dir().to_path_buf(),
    }
}

impl Accounts for Databases {
    fn user_by_name(&self, name: &str) -> Option<User> {
        uzers::get_user_by_name(name).as_ref().map(user)
    }

    fn user_by_id(&self, uid: u32) -> Option<User> {
        uzers::get_user_by_uid(uid).as_ref().map(user)
    }

    fn group_by_name(&self, name: &str) -> Option<u32> {
        uzers::get_group_by_name(name).map(|group| group.gid())
    }

    fn groups_of(&self, user: &str, gid: u32) -> Option<Vec<u32>> {
        let groups = uzers::get_user_groups(user, gid)?;
        Some(groups.iter().map(uzers::Group::gid).collect())
    }
}

/// The file system as this process sees it.
#[derive(Debug, Clone, Copy)]
pub struct FileSystem;

impl Executables for FileSystem {
    fn is_executable(&self, root: &Path, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        let facts = match root == Path::new("/") {
            true => path.metadata(),
            false => match unix::files::open_inside(root, path) {
                // Before Linux 5.6, links are followed outside.
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    root.join(path.strip_prefix("/").unwrap_or(path)).metadata()
                }
                file => file.and_then(|file| file.metadata()),
            },
        };
        facts.is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = Databases.user_by_name("root").unwrap();
        assert_eq!((root.uid, Databases.user_by_id(0).unwrap().name.as_str()), (0, "root"));
        assert!(Databases.groups_of("root", 0).unwrap().contains(&0));
        assert_eq!(Databases.user_by_name("no such user"), None);
    }

    #[test]
    fn only_executable_files_count() {
        let is_executable = |path: &str| FileSystem.is_executable(Path::new("/"), Path::new(path));
        assert!(is_executable("/bin/sh"));
        assert!(!is_executable("/bin") && !is_executable("/etc/passwd"));
        assert!(FileSystem.is_directory(Path::new("/bin")) && !FileSystem.is_directory(Path::new("/bin/sh")));
    }

    #[test]
    fn links_are_followed_inside_of_another_root() {
        let root = std::env::temp_dir().join(format!("wsgi-inside-{}", std::process::id()));
        std::fs::create_dir_all(root.join("own")).unwrap();
        std::fs::copy("/bin/sh", root.join("own/tool")).unwrap();
        std::os::unix::fs::symlink("/own/tool", root.join("link")).unwrap();
        std::os::unix::fs::symlink("/bin/sh", root.join("out")).unwrap();
        let is_executable = |path: &str| FileSystem.is_executable(&root, Path::new(path));
        let found = ["/own/tool", "/link", "/out", "/../own/tool", "/bin/sh"].map(is_executable);
        std::fs::remove_dir_all(&root).unwrap();
        assert_eq!(found, [true, true, false, true, false]);
    }
}
