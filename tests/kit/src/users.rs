//! The system accounts that tests run sites as.

use nix::unistd::{Group, Uid, User};
use std::process::Command;

/// Whether the tests run as root. What needs another account is skipped otherwise.
pub fn am_root() -> bool {
    Uid::effective().is_root()
}

/// An account of this machine.
#[derive(Debug, Clone)]
pub struct Account {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Id of its primary group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
}

impl Account {
    /// Looks an account up by its name.
    pub fn named(name: &str) -> Option<Self> {
        let user = User::from_name(name).ok().flatten()?;
        Some(Self::from(user))
    }

    /// The account the test itself runs as.
    pub fn own() -> Self {
        let user = User::from_uid(Uid::effective()).ok().flatten();
        Self::from(user.expect("the own uid has a passwd entry"))
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        let home = user.dir.to_string_lossy().into_owned();
        Self { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home }
    }
}

/// The account Apache's children run as: the one the distribution made for it.
pub fn apache() -> Account {
    if !am_root() {
        return Account::own();
    }
    ["www-data", "apache", "http", "daemon"]
        .into_iter()
        .find_map(Account::named)
        .expect("none of the accounts www-data, apache, http, daemon exists")
}

/// A site's account, `wsgi-test-a` or `wsgi-test-b`, made when missing. `Err` says why it cannot be had.
pub fn site(letter: char) -> Result<Account, String> {
    let name = format!("wsgi-test-{letter}");
    if let Some(account) = Account::named(&name) {
        return Ok(account);
    }
    if !am_root() {
        return Err(format!("the account {name} does not exist and only root can make it"));
    }
    let _lock = crate::cache::lock("useradd");
    if Account::named(&name).is_none() {
        let home = format!("/var/lib/{name}");
        let args =
            ["--system", "--user-group", "--create-home", "--home-dir", &home, "--shell", "/bin/sh", &name];
        crate::run(Command::new("useradd").args(args))?;
    }
    Account::named(&name).ok_or_else(|| format!("useradd made no account {name}"))
}

/// The id of the group `name`.
pub fn group(name: &str) -> Option<u32> {
    Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw())
}
