//! Whom the site runs as. Only the question is answered here; Apache and the supervisor change the identity.

use nix::unistd::{Group, User, geteuid};

use crate::error::{Error, Result};

/// A user and a group that are not root's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Login name.
    pub user: String,
    /// Group name.
    pub group: String,
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The account of the options: `None` = the site runs as whoever runs this.
pub fn choose(user: Option<&str>, group: Option<&str>) -> Result<Option<Account>> {
    match (geteuid().is_root(), user) {
        (true, None) => Err(Error::RootNeedsUser),
        (false, Some(user)) => Err(Error::UserNeedsRoot(user.to_owned())),
        (false, None) => Ok(None),
        (true, Some(user)) => look_up(user, group).map(Some),
    }
}

fn look_up(name: &str, group: Option<&str>) -> Result<Account> {
    let unknown = || Error::NoSuchAccount { option: "user", name: name.to_owned(), database: "passwd" };
    let user = User::from_name(name).ok().flatten().ok_or_else(unknown)?;
    if user.uid.is_root() {
        return Err(Error::AccountOfRoot { option: "user", name: name.to_owned() });
    }
    let given = group.map_or_else(|| user.gid.to_string(), str::to_owned);
    let unknown = || Error::NoSuchAccount { option: "group", name: given.clone(), database: "group" };
    let found = match group {
        Some(group) => Group::from_name(group),
        None => Group::from_gid(user.gid),
    };
    let group = found.ok().flatten().ok_or_else(unknown)?;
    if group.gid.as_raw() == 0 {
        return Err(Error::AccountOfRoot { option: "group", name: group.name });
    }
    Ok(Account { user: user.name, group: group.name, uid: user.uid.as_raw(), gid: group.gid.as_raw() })
}
