//! What a forked child tells its supervisor when it cannot become a worker: one fixed-size message on the status pipe.
//! Reports of the worker itself are `spec::worker::Report`.

use spec::worker::REPORT_LEN;
use unix::identity;

const MAGIC: [u8; 3] = *b"wsx";

/// A step between fork and exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// A step of the privilege drop; the numbers of [`identity::Step`].
    SetGroups = identity::Step::SetGroups as u8,
    /// As above.
    SetGid = identity::Step::SetGid as u8,
    /// As above.
    SetUid = identity::Step::SetUid as u8,
    /// As above.
    Capabilities = identity::Step::Capabilities as u8,
    /// As above.
    VerifyUid = identity::Step::VerifyUid as u8,
    /// As above.
    VerifyGid = identity::Step::VerifyGid as u8,
    /// As above.
    VerifyGroups = identity::Step::VerifyGroups as u8,
    /// As above.
    VerifyCapabilities = identity::Step::VerifyCapabilities as u8,
    /// As above.
    Regained = identity::Step::Regained as u8,
    /// Signal mask and dispositions.
    Signals = 20,
    /// setsid(2).
    Session = 21,
    /// setpriority(2).
    Priority = 22,
    /// setrlimit(2).
    Limits = 23,
    /// The capability bounding set.
    BoundingSet = 24,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivileges = 25,
    /// `PR_SET_PDEATHSIG`.
    DeathSignal = 26,
    /// The supervisor is gone already.
    Orphaned = 27,
    /// chdir(2) to `home=`.
    Home = 28,
    /// execve(2) of the interpreter.
    Execute = 29,
    /// chroot(2) to `chroot=`.
    ChangeRoot = 30,
    /// The directory of `chroot=` could be exchanged by others.
    UntrustedRoot = 31,
}

impl Step {
    /// Every step, for decoding.
    const ALL: [Self; 21] = [
        Self::SetGroups,
        Self::SetGid,
        Self::SetUid,
        Self::Capabilities,
        Self::VerifyUid,
        Self::VerifyGid,
        Self::VerifyGroups,
        Self::VerifyCapabilities,
        Self::Regained,
        Self::Signals,
        Self::Session,
        Self::Priority,
        Self::Limits,
        Self::BoundingSet,
        Self::NoNewPrivileges,
        Self::DeathSignal,
        Self::Orphaned,
        Self::Home,
        Self::Execute,
        Self::ChangeRoot,
        Self::UntrustedRoot,
    ];

    /// What failed, as a clause, and what to do.
    #[must_use]
    pub fn explain(self) -> (&'static str, &'static str) {
        const IDENTITY: &str =
            "Nothing of the site was run. A security module or container policy may forbid the change.";
        match self {
            Self::SetGroups => ("setting its supplementary groups (setgroups) failed", IDENTITY),
            Self::SetGid => ("setting its gid (setresgid) failed", IDENTITY),
            Self::SetUid => ("setting its uid (setresuid) failed", IDENTITY),
            Self::Capabilities => ("giving up its capabilities (capset) failed", IDENTITY),
            Self::VerifyUid => ("its uids were not those of the account after setresuid", IDENTITY),
            Self::VerifyGid => ("its gids were not those of the account after setresgid", IDENTITY),
            Self::VerifyGroups => {
                ("its supplementary groups were not the configured ones after setgroups", IDENTITY)
            }
            Self::VerifyCapabilities => ("capabilities were left after it had dropped them", IDENTITY),
            Self::Regained => ("it could become root again after the drop", IDENTITY),
            Self::Signals => ("resetting its signals failed", ""),
            Self::Session => ("making its session (setsid) failed", ""),
            Self::Priority => ("setting its priority (setpriority) failed", "Check cpu-priority."),
            Self::Limits => (
                "setting its resource limits (setrlimit) failed",
                "Check memory-limit, virtual-memory-limit and cpu-time-limit.",
            ),
            Self::BoundingSet => ("emptying its capability bounding set (prctl) failed", IDENTITY),
            Self::NoNewPrivileges => ("setting no_new_privs (prctl) failed", ""),
            Self::DeathSignal => ("tying it to the supervisor (prctl) failed", ""),
            Self::Orphaned => ("the supervisor was gone before it started", ""),
            Self::Home => (
                "entering its working directory (chdir) failed",
                "Check home= and the permissions on the way to it.",
            ),
            Self::ChangeRoot => (
                "changing its root directory (chroot) failed",
                "Check that the directory of chroot= is there, and that the supervisor has CAP_SYS_CHROOT.",
            ),
            Self::UntrustedRoot => (
                "the directory of chroot=, or one above it, is writable for others or belongs to another user",
                "Give it to root with `chown root` and `chmod go-w`: whoever can exchange what is in it can choose what runs there.",
            ),
            Self::Execute => (
                "executing its Python (execve) failed",
                "Check python= and python-home=, and that this user may read and execute it.",
            ),
        }
    }
}

impl From<identity::Step> for Step {
    fn from(step: identity::Step) -> Self {
        Self::ALL.into_iter().find(|own| *own as u8 == step as u8).unwrap_or(Self::Regained)
    }
}

/// Why a child could not become a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaunchFailure {
    /// Where.
    pub step: Step,
    /// `errno`, 0 when no call failed.
    pub errno: i32,
}

impl LaunchFailure {
    /// The bytes of the message.
    #[must_use]
    pub fn to_bytes(self) -> [u8; REPORT_LEN] {
        let [x, y, z] = MAGIC;
        let [a, b, c, d] = self.errno.to_le_bytes();
        [x, y, z, self.step as u8, a, b, c, d]
    }

    /// Reads a message; `None` for anything that is not exactly one.
    #[must_use]
    pub fn from_bytes(bytes: [u8; REPORT_LEN]) -> Option<Self> {
        let [x, y, z, step, a, b, c, d] = bytes;
        let step = Step::ALL.into_iter().find(|known| *known as u8 == step)?;
        ([x, y, z] == MAGIC).then_some(Self { step, errno: i32::from_le_bytes([a, b, c, d]) })
    }

    /// What failed and why, as a clause.
    #[must_use]
    pub fn clause(self) -> String {
        let (what, _) = self.step.explain();
        match self.errno {
            0 => what.to_owned(),
            errno => format!("{what}: {}", reason(errno)),
        }
    }
}

/// The system's words for an error, without its number.
#[must_use]
pub fn reason(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_pipe() {
        for step in Step::ALL {
            let failure = LaunchFailure { step, errno: 13 };
            assert_eq!(LaunchFailure::from_bytes(failure.to_bytes()), Some(failure));
            assert_eq!(spec::worker::Report::from_bytes(failure.to_bytes()), None);
        }
        assert_eq!(Step::from(identity::Step::VerifyUid), Step::VerifyUid);
        assert_eq!(LaunchFailure::from_bytes(*b"wsx\xff0000"), None);
    }
}
