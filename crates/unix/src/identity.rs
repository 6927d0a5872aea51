//! Becoming another user for good, and proof of it: groups, gid, uid, read back, no capability, no way back.
//! Whether to drop, and to whom, is the caller's decision. glibc's calls are used, which change every thread of the process
//! (the kernel's own, and those of rustix, change the calling thread only).
#![forbid(unsafe_code)]

use std::io;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

/// Who a process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Real, effective and saved uid; never 0.
    pub uid: u32,
    /// Real, effective and saved gid.
    pub gid: u32,
    /// All supplementary groups.
    pub groups: &'a [u32],
}

/// What could not be done, or was not true afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// setgroups(2).
    SetGroups = 1,
    /// setresgid(2).
    SetGid = 2,
    /// setresuid(2).
    SetUid = 3,
    /// capset(2) or the ambient set.
    Capabilities = 4,
    /// Real, effective and saved uid are not the wanted one.
    VerifyUid = 5,
    /// Real, effective and saved gid are not the wanted one.
    VerifyGid = 6,
    /// Supplementary groups are not the wanted ones.
    VerifyGroups = 7,
    /// Some capability is left.
    VerifyCapabilities = 8,
    /// An attempt to become root again did not fail.
    Regained = 9,
}

/// A failed drop: the process must end without running anything else.
#[derive(Debug)]
pub struct NotDropped {
    /// Where it failed.
    pub step: Step,
    /// What the kernel said, where it said something.
    pub error: io::Error,
}

/// Becomes `identity` and verifies it. To be called with root's rights.
///
/// # Errors
/// The process may be half changed: it must end at once.
pub fn assume(identity: Identity<'_>) -> Result<(), NotDropped> {
    let failed = |step| move |error: Errno| NotDropped { step, error: error.into() };
    let groups: Vec<Gid> = identity.groups.iter().copied().map(Gid::from_raw).collect();
    let (gid, uid) = (Gid::from_raw(identity.gid), Uid::from_raw(identity.uid));
    nix::unistd::setgroups(&groups).map_err(failed(Step::SetGroups))?;
    nix::unistd::setresgid(gid, gid, gid).map_err(failed(Step::SetGid))?;
    nix::unistd::setresuid(uid, uid, uid).map_err(failed(Step::SetUid))?;
    drop_capabilities().map_err(|error| NotDropped { step: Step::Capabilities, error })?;
    verify(identity)
}

/// Empties the ambient, inheritable, permitted and effective capability sets of this thread.
///
/// # Errors
/// Any of prctl(2) and capset(2).
pub fn drop_capabilities() -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Checks that this process is `identity` and cannot become root again.
///
/// # Errors
/// The process is somebody else: it must end at once.
pub fn verify(identity: Identity<'_>) -> Result<(), NotDropped> {
    let asked = |step| move |error: Errno| NotDropped { step, error: error.into() };
    let untrue = |step| NotDropped { step, error: io::Error::from(io::ErrorKind::PermissionDenied) };
    let uids = nix::unistd::getresuid().map_err(asked(Step::VerifyUid))?;
    if [uids.real, uids.effective, uids.saved] != [Uid::from_raw(identity.uid); 3] {
        return Err(untrue(Step::VerifyUid));
    }
    let gids = nix::unistd::getresgid().map_err(asked(Step::VerifyGid))?;
    if [gids.real, gids.effective, gids.saved] != [Gid::from_raw(identity.gid); 3] {
        return Err(untrue(Step::VerifyGid));
    }
    let groups = nix::unistd::getgroups().map_err(asked(Step::VerifyGroups))?;
    if sorted(groups.into_iter().map(Gid::as_raw)) != sorted(identity.groups.iter().copied()) {
        return Err(untrue(Step::VerifyGroups));
    }
    let capabilities = rustix::thread::capabilities(None)
        .map_err(|error| NotDropped { step: Step::VerifyCapabilities, error: error.into() })?;
    if !(capabilities.effective | capabilities.permitted | capabilities.inheritable).is_empty() {
        return Err(untrue(Step::VerifyCapabilities));
    }
    if regains_root() { Err(untrue(Step::Regained)) } else { Ok(()) }
}

/// Tries every way back; each must be refused.
fn regains_root() -> bool {
    let (root, group) = (Uid::from_raw(0), Gid::from_raw(0));
    nix::unistd::setresuid(root, root, root).is_ok()
        || nix::unistd::seteuid(root).is_ok()
        || nix::unistd::setresgid(group, group, group).is_ok()
        || nix::unistd::setgroups(&[group]).is_ok()
}

/// The kernel gives the groups in an order of its own, and a group may be configured twice.
fn sorted(groups: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut groups: Vec<u32> = groups.collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Login name and home directory of the user that this process runs as, where the user database has one.
#[must_use]
pub fn own_account() -> Option<(String, std::path::PathBuf)> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten()?;
    Some((user.name, user.dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pd_3_another_uid_is_noticed() {
        let identity = Identity { uid: 4_000_000, gid: 0, groups: &[] };
        assert!(matches!(verify(identity), Err(NotDropped { step: Step::VerifyUid, .. })));
    }

    #[test]
    fn pd_4_order_and_repetition_of_groups_do_not_matter() {
        assert_eq!(sorted([5, 4, 5].into_iter()), sorted([4, 5].into_iter()));
    }
}
