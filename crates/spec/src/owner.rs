//! `script-user=` and `script-group=`: to whom a script and its directory must belong.

use serde::{Deserialize, Serialize};

/// Whom the script files of a process group, and the directories they are in, must belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScriptOwner {
    /// To this uid, and neither group nor world may write to them.
    User(u32),
    /// To this gid, and the world may not write to them.
    Group(u32),
}

/// What stat(2) says of a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ownership {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// What is wrong with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It belongs to somebody else: the id found.
    Owner(u32),
    /// Its group may write to it.
    GroupWritable,
    /// Everybody may write to it.
    WorldWritable,
}

impl ScriptOwner {
    /// Holds what was found against the rule.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(self, found: Ownership) -> Result<(), Fault> {
        let (id, wanted, group_may) = match self {
            Self::User(uid) => (found.uid, uid, false),
            Self::Group(gid) => (found.gid, gid, true),
        };
        if id != wanted {
            return Err(Fault::Owner(id));
        }
        if found.mode & 0o020 != 0 && !group_may {
            return Err(Fault::GroupWritable);
        }
        if found.mode & 0o002 != 0 { Err(Fault::WorldWritable) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn en_6_owner_and_mode_are_held_against_the_rule() {
        let found = |uid, gid, mode| Ownership { uid, gid, mode };
        let (user, group) = (ScriptOwner::User(7), ScriptOwner::Group(8));
        for (owner, found, expected) in [
            (user, found(7, 1, 0o644), Ok(())),
            (user, found(7, 1, 0o4755), Ok(())),
            (user, found(0, 7, 0o644), Err(Fault::Owner(0))),
            (user, found(7, 1, 0o664), Err(Fault::GroupWritable)),
            (user, found(7, 1, 0o646), Err(Fault::WorldWritable)),
            (group, found(1, 8, 0o664), Ok(())),
            (group, found(8, 1, 0o644), Err(Fault::Owner(1))),
            (group, found(1, 8, 0o666), Err(Fault::WorldWritable)),
        ] {
            assert_eq!(owner.check(found), expected, "{owner:?} {found:?}");
        }
    }
}
