//! The machine's facts for the resolution of process groups: user and group databases, and which files can be executed.

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
    fn is_executable(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
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
        assert!(FileSystem.is_executable(Path::new("/bin/sh")));
        assert!(
            !FileSystem.is_executable(Path::new("/bin"))
                && !FileSystem.is_executable(Path::new("/etc/passwd"))
        );
    }
}
