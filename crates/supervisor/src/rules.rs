//! What must hold for a process group whatever the module has checked: this program is the last one before root's rights are used.
//! Pure.

use spec::ProcessGroup;
use spec::options::MAX_GROUPS;

/// What is wrong with a group; the end of the sentence `process group 'NAME': ...`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Root's supervisor, and no account.
    #[error("has no user, and workers never run as root; set user=")]
    NoUser,
    /// An account, and no right to change to it.
    #[error("has a user, but Apache was not started by root; remove user= and group=")]
    UserWithoutRoot,
    /// uid or gid 0.
    #[error(
        "its workers would run as root or with root's group, which is refused; set another user= or group="
    )]
    Root,
    /// setresuid(2) and its kin take -1 as "leave it as it is".
    #[error("the id -1 means \"unchanged\" to the kernel and is refused; set another user= or group=")]
    Unchanged,
    /// More than setgroups(2) takes.
    #[error("has {0} supplementary groups, {MAX_GROUPS} are possible; list fewer in supplementary-groups=")]
    TooManyGroups(usize),
    /// Only root changes roots.
    #[error("has chroot=, but Apache was not started by root; start it as root, or remove chroot=")]
    ChrootWithoutRoot,
    /// Nobody to serve.
    #[error("has no processes; processes= must be at least 1")]
    NoProcesses,
}

/// Checks a group. `root`: this process can become somebody else.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(group: &ProcessGroup, root: bool) -> Result<(), Broken> {
    match (&group.account, root) {
        (None, true) => return Err(Broken::NoUser),
        (Some(_), false) => return Err(Broken::UserWithoutRoot),
        (None, false) => {}
        (Some(account), true) => {
            let mut groups = account.groups.iter().chain([&account.gid]);
            if account.uid == 0 || groups.clone().any(|gid| *gid == 0) {
                return Err(Broken::Root);
            }
            if account.uid == u32::MAX || groups.any(|gid| *gid == u32::MAX) {
                return Err(Broken::Unchanged);
            }
            if account.groups.len() > MAX_GROUPS {
                return Err(Broken::TooManyGroups(account.groups.len()));
            }
        }
    }
    if group.chroot.is_some() && !root {
        return Err(Broken::ChrootWithoutRoot);
    }
    if group.processes == 0 { Err(Broken::NoProcesses) } else { Ok(()) }
}
