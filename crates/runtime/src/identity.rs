//! Whether this process is who it should be. The supervisor has dropped the privileges; this looks again before a line of the
//! site's runs, so that no mistake and no lying system call passes unnoticed.

use spec::Account;
use unix::identity::{Identity, NotDropped, Step};

/// Why the process must not go on.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The process is not who the configuration says.
    #[error("The worker is not who it should be: {what} ({error}).")]
    Differs {
        /// What was expected.
        what: String,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// The worker is root.
    #[error("The worker runs as root.")]
    Root,
    /// Programs could still gain privileges.
    #[error("no_new_privs is not set for the worker.")]
    NewPrivileges,
}

/// Verifies the calling process. Call while it has one thread.
pub fn verify(account: Option<&Account>, new_privileges: bool) -> Result<(), IdentityError> {
    if rustix::process::getuid().is_root() || rustix::process::geteuid().is_root() {
        return Err(IdentityError::Root);
    }
    if let Some(account) = account {
        let identity = Identity { uid: account.uid, gid: account.gid, groups: &account.groups };
        unix::identity::verify(identity).map_err(|failure| differs(account, failure))?;
    }
    if new_privileges || rustix::thread::no_new_privs().unwrap_or(false) {
        Ok(())
    } else {
        Err(IdentityError::NewPrivileges)
    }
}

fn differs(account: &Account, failure: NotDropped) -> IdentityError {
    let Account { uid, gid, groups, .. } = account;
    let what = match failure.step {
        Step::SetUid | Step::VerifyUid => format!("its uids are not all {uid}"),
        Step::SetGid | Step::VerifyGid => format!("its gids are not all {gid}"),
        Step::SetGroups | Step::VerifyGroups if groups.is_empty() => "it has supplementary groups".to_owned(),
        Step::SetGroups | Step::VerifyGroups => {
            let groups: Vec<_> = groups.iter().map(u32::to_string).collect();
            format!("its supplementary groups are not {}", groups.join(", "))
        }
        Step::Capabilities | Step::VerifyCapabilities => "it has capabilities".to_owned(),
        Step::Regained => "it can become root again".to_owned(),
    };
    IdentityError::Differs { what, error: failure.error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pd_3_each_failure_says_what_was_expected() {
        let account = Account { name: None, uid: 5, gid: 7, groups: vec![8, 9], home: None };
        for (step, expected) in [
            (Step::VerifyUid, "uids are not all 5"),
            (Step::VerifyGid, "gids are not all 7"),
            (Step::VerifyGroups, "groups are not 8, 9"),
            (Step::VerifyCapabilities, "capabilities"),
            (Step::Regained, "root again"),
        ] {
            let failure = NotDropped { step, error: std::io::ErrorKind::PermissionDenied.into() };
            let sentence = differs(&account, failure).to_string();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn pd_3_another_identity_is_noticed() {
        let account = Account { name: None, uid: 4_000_000, gid: 7, groups: Vec::new(), home: None };
        assert!(verify(Some(&account), true).is_err());
    }
}
