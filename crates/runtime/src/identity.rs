//! Whether this process is who it should be, as the kernel tells it. The supervisor has dropped the privileges; this looks
//! again before a line of the site's runs, so that no mistake and no lying system call passes unnoticed.
#![forbid(unsafe_code)]

use rustix::process::{Gid, Uid};
use spec::Account;

/// Why the process must not go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    /// `/proc/self/status` could not be read or lacks a field.
    #[error("the worker cannot read who it is from /proc/self/status ({0}); mount /proc and restart Apache")]
    Unknown(String),
    /// An id is not the configured one.
    #[error(
        "the worker runs with {what} {found} instead of {wanted}; it leaves before anything of the site is loaded"
    )]
    Differs {
        /// Which ids.
        what: &'static str,
        /// As the kernel has them.
        found: String,
        /// As configured.
        wanted: String,
    },
    /// Root could be regained.
    #[error(
        "the worker could become root again after its privileges were dropped; it leaves before anything of the site is loaded"
    )]
    RootRegained,
    /// The worker is root.
    #[error("the worker runs as root; set user= of WSGIDaemonProcess to the site's own account")]
    Root,
}

/// Verifies the calling process. Call while it has one thread: the attempt to regain root changes the calling thread only.
pub fn verify(account: Option<&Account>) -> Result<(), IdentityError> {
    let status = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| IdentityError::Unknown(error.to_string()))?;
    check(&Status::parse(&status)?, account)?;
    if account.is_some() {
        let regained = [
            rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).is_ok(),
            rustix::thread::set_thread_uid(Uid::ROOT).is_ok(),
            rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).is_ok(),
            rustix::thread::set_thread_groups(&[Gid::ROOT]).is_ok(),
        ];
        if regained.contains(&true) {
            return Err(IdentityError::RootRegained);
        }
    }
    Ok(())
}

/// What `/proc/self/status` says; see proc_pid_status(5).
#[derive(Debug, PartialEq, Eq)]
struct Status {
    /// Real, effective, saved, file system.
    uids: Vec<u32>,
    gids: Vec<u32>,
    /// Sorted.
    groups: Vec<u32>,
    /// Inheritable, permitted, effective and ambient capabilities, all in one.
    capabilities: u64,
}

impl Status {
    fn parse(text: &str) -> Result<Self, IdentityError> {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.map(str::trim).ok_or_else(|| IdentityError::Unknown(format!("no field {name}")))
        };
        let bad = |name: &str| IdentityError::Unknown(format!("field {name}"));
        let numbers = |name: &str| {
            let values = field(name)?.split_ascii_whitespace().map(str::parse);
            values.collect::<Result<Vec<u32>, _>>().map_err(|_| bad(name))
        };
        let mut capabilities = 0;
        for name in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            capabilities |= u64::from_str_radix(field(name)?, 16).map_err(|_| bad(name))?;
        }
        let mut groups = numbers("Groups")?;
        groups.sort_unstable();
        Ok(Self { uids: numbers("Uid")?, gids: numbers("Gid")?, groups, capabilities })
    }
}

fn check(status: &Status, account: Option<&Account>) -> Result<(), IdentityError> {
    if status.uids.contains(&0) {
        return Err(IdentityError::Root);
    }
    let Some(account) = account else { return Ok(()) };
    let mut groups = account.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    let ids = [
        ("uids (real, effective, saved, file system)", &status.uids, vec![account.uid; 4]),
        ("gids (real, effective, saved, file system)", &status.gids, vec![account.gid; 4]),
        ("supplementary groups", &status.groups, groups),
    ];
    for (what, found, wanted) in ids {
        if *found != wanted {
            return Err(IdentityError::Differs { what, found: list(found), wanted: list(&wanted) });
        }
    }
    if status.capabilities != 0 {
        let found = format!("{:#x}", status.capabilities);
        return Err(IdentityError::Differs { what: "capabilities", found, wanted: "none".to_owned() });
    }
    Ok(())
}

fn list(ids: &[u32]) -> String {
    if ids.is_empty() {
        return "none".to_owned();
    }
    ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(uid: u32, groups: &[u32]) -> Account {
        Account { name: None, uid, gid: 7, groups: groups.to_vec(), home: None }
    }

    fn status(uids: &str, gids: &str, groups: &str, capabilities: &str) -> Status {
        let text = format!(
            "Name:\tpython\nUid:\t{uids}\nGid:\t{gids}\nGroups:\t{groups} \nCapInh:\t0000000000000000\n\
             CapPrm:\t{capabilities}\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n"
        );
        Status::parse(&text).unwrap()
    }

    const NONE: &str = "0000000000000000";

    #[test]
    fn pd_3_the_right_identity_passes() {
        let status = status("5\t5\t5\t5", "7\t7\t7\t7", "30 7", NONE);
        assert_eq!(check(&status, Some(&account(5, &[7, 30, 7]))), Ok(()));
        assert_eq!(check(&status, None), Ok(()));
    }

    #[test]
    fn pd_3_each_wrong_id_is_noticed() {
        let right = account(5, &[7]);
        for (uids, gids, groups, capabilities) in [
            ("6 6 6 6", "7 7 7 7", "7", NONE),
            ("5 5 6 5", "7 7 7 7", "7", NONE),
            ("6 5 5 5", "7 7 7 7", "7", NONE),
            ("5 5 5 5", "7 7 8 7", "7", NONE),
            ("5 5 5 5", "7 8 7 7", "7", NONE),
            ("5 5 5 5", "7 7 7 7", "7 8", NONE),
            ("5 5 5 5", "7 7 7 7", "", NONE),
            ("5 5 5 5", "7 7 7 7", "7", "0000000000000080"),
        ] {
            let error = check(&status(uids, gids, groups, capabilities), Some(&right));
            assert!(matches!(error, Err(IdentityError::Differs { .. })), "{uids} {gids} {groups}: {error:?}");
        }
    }

    #[test]
    fn pd_3_root_is_refused_with_and_without_an_account() {
        for uids in ["0 0 0 0", "5 5 0 5", "0 5 5 5"] {
            let status = status(uids, "7 7 7 7", "7", NONE);
            assert_eq!(check(&status, Some(&account(5, &[7]))), Err(IdentityError::Root));
            assert_eq!(check(&status, None), Err(IdentityError::Root));
        }
    }

    #[test]
    fn pd_3_unreadable_status_is_an_error() {
        assert!(Status::parse("").is_err());
        assert!(Status::parse("Uid:\tx\n").is_err());
    }
}
