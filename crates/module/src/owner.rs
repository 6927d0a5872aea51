//! `script-user=` and `script-group=`: whether a script and the directory it is in belong to whom they must, as far as httpd's child
//! can see. The worker asks the descriptor again that it reads the script from.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use spec::ScriptOwner;
use spec::owner::{Fault, Ownership};
use thiserror::Error;

/// What is wrong. Codes are those of mod_wsgi.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Disowned {
    /// `script-group=`.
    #[error(
        "WSGI0155: the script has the group {found}, and script-group= of the process group requires {required}: {}",
        CHANGE
    )]
    Group { found: u32, required: u32 },
    /// `script-group=`.
    #[error(
        "WSGI0157: everybody may write to the script, which script-group= of the process group forbids: take the right away (chmod o-w)"
    )]
    World,
    /// `script-group=`.
    #[error(
        "WSGI0158: the directory of the script cannot be looked at, which script-group= of the process group requires: {0}"
    )]
    NoFolder(String),
    /// `script-group=`.
    #[error(
        "WSGI0160: the directory of the script has the group {found}, and script-group= of the process group requires {required}: {}",
        CHANGE
    )]
    FolderGroup { found: u32, required: u32 },
    /// `script-group=`.
    #[error(
        "WSGI0161: everybody may write to the directory of the script, which script-group= of the process group forbids: take the right away (chmod o-w)"
    )]
    FolderWorld,
    /// `script-user=`.
    #[error(
        "WSGI0164: the script belongs to the user {found}, and script-user= of the process group requires {required}: {}",
        CHANGE
    )]
    User { found: u32, required: u32 },
    /// `script-user=`.
    #[error(
        "WSGI0166: the script's group may write to it, which script-user= of the process group forbids: take the right away (chmod g-w)"
    )]
    UserGroup,
    /// `script-user=`.
    #[error(
        "WSGI0168: everybody may write to the script, which script-user= of the process group forbids: take the right away (chmod o-w)"
    )]
    UserWorld,
    /// `script-user=`.
    #[error(
        "WSGI0169: the directory of the script cannot be looked at, which script-user= of the process group requires: {0}"
    )]
    UserNoFolder(String),
    /// `script-user=`.
    #[error(
        "WSGI0171: the directory of the script belongs to the user {found}, and script-user= of the process group requires {required}: {}",
        CHANGE
    )]
    FolderUser { found: u32, required: u32 },
    /// `script-user=`.
    #[error(
        "WSGI0172: everybody may write to the directory of the script, which script-user= of the process group forbids: take the right away (chmod o-w)"
    )]
    FolderUserWorld,
    /// `script-user=`.
    #[error(
        "WSGI0173: the group of the script's directory may write to it, which script-user= of the process group forbids: take the right away (chmod g-w)"
    )]
    FolderUserGroup,
    /// The script itself.
    #[error(
        "WSGI1341: the script cannot be looked at, which script-user= or script-group= of the process group requires: {0}"
    )]
    NoScript(String),
}

const CHANGE: &str = "change the owner, or the option";

/// Looks at the script and its directory.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(owner: ScriptOwner, script: &[u8]) -> Result<(), Disowned> {
    let script = Path::new(OsStr::from_bytes(script));
    let found = look(script).map_err(|error| Disowned::NoScript(error.to_string()))?;
    owner.check(found).map_err(|fault| of_script(owner, fault))?;
    let folder = script.parent().map_or_else(|| Err(io::ErrorKind::NotFound.into()), look);
    let folder = folder.map_err(|error| match owner {
        ScriptOwner::User(_) => Disowned::UserNoFolder(error.to_string()),
        ScriptOwner::Group(_) => Disowned::NoFolder(error.to_string()),
    })?;
    owner.check(folder).map_err(|fault| of_folder(owner, fault))
}

fn look(path: &Path) -> io::Result<Ownership> {
    let found = std::fs::metadata(path)?;
    Ok(Ownership { uid: found.uid(), gid: found.gid(), mode: found.mode() })
}

fn of_script(owner: ScriptOwner, fault: Fault) -> Disowned {
    match (owner, fault) {
        (ScriptOwner::User(required), Fault::Owner(found)) => Disowned::User { found, required },
        (ScriptOwner::User(_), Fault::WorldWritable) => Disowned::UserWorld,
        (_, Fault::GroupWritable) => Disowned::UserGroup,
        (ScriptOwner::Group(required), Fault::Owner(found)) => Disowned::Group { found, required },
        (ScriptOwner::Group(_), Fault::WorldWritable) => Disowned::World,
    }
}

fn of_folder(owner: ScriptOwner, fault: Fault) -> Disowned {
    match (owner, fault) {
        (ScriptOwner::User(required), Fault::Owner(found)) => Disowned::FolderUser { found, required },
        (ScriptOwner::User(_), Fault::WorldWritable) => Disowned::FolderUserWorld,
        (_, Fault::GroupWritable) => Disowned::FolderUserGroup,
        (ScriptOwner::Group(required), Fault::Owner(found)) => Disowned::FolderGroup { found, required },
        (ScriptOwner::Group(_), Fault::WorldWritable) => Disowned::FolderWorld,
    }
}
