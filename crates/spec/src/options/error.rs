//! What can be wrong with a `WSGIDaemonProcess` line, as sentences. httpd puts file and line number in front of the first kind.

use thiserror::Error;

use super::{hint, table};

/// A line that cannot be right, whatever the machine looks like.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    /// No name.
    #[error(
        "WSGIDaemonProcess needs a name for the process group: write WSGIDaemonProcess NAME [option=value ...]"
    )]
    NameMissing,
    /// A name that no request could be sent to.
    #[error("WSGIDaemonProcess \"{name}\": {reason}")]
    Name {
        /// As written.
        name: String,
        /// Why, and what is allowed.
        reason: &'static str,
    },
    /// A word without `=`.
    #[error(
        "\"{0}\" is not an option: options are written name=value without spaces around the \"=\"; \
         a value with spaces is written name=\"value\""
    )]
    NotAnOption(String),
    /// A quote without its partner.
    #[error("the quote that opens {0} is not closed: add the missing quote at the end of the value")]
    OpenQuote(String),
    /// A name that is in no table.
    #[error(
        "WSGIDaemonProcess {group}: there is no option \"{option}\": {}the options are {}; check the spelling \
         (lower case, with hyphens) or remove it",
        hint::name(.option), table::names()
    )]
    Unknown {
        /// Process group.
        group: String,
        /// As written.
        option: String,
    },
    /// An option that may be written once only.
    #[error("WSGIDaemonProcess {group}: option \"{option}\" is given twice: keep one of them")]
    Twice {
        /// Process group.
        group: String,
        /// The option.
        option: String,
    },
    /// An option that former versions of mod_wsgi had.
    #[error("WSGIDaemonProcess {group}: option \"{option}\" does not exist any more: {instead}")]
    Removed {
        /// Process group.
        group: String,
        /// The option.
        option: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// A value outside what the table allows.
    #[error(
        "WSGIDaemonProcess {group}: {option}=\"{value}\" {reason}: {}write {option}={syntax} (default: {default})",
        hint::number(.option, .value, .syntax)
    )]
    Value {
        /// Process group.
        group: String,
        /// The option.
        option: &'static str,
        /// As written.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
        /// What is allowed.
        syntax: &'static str,
        /// What holds without the option.
        default: &'static str,
    },
    /// Two ways to say which Python.
    #[error(
        "WSGIDaemonProcess {0}: python= and python-home= are both given: keep one; python=PATH names the interpreter, \
         python-home=DIR is short for python=DIR/bin/python"
    )]
    TwoPythons(String),
    /// `script-user=` and `script-group=`.
    #[error(
        "WSGIDaemonProcess {0}: Only one of script-user and script-group allowed: keep script-user= where scripts belong to one \
         user, script-group= where several users of a group may write them"
    )]
    TwoOwners(String),
}

/// A line that does not fit this machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// No such user.
    #[error(
        "WSGIDaemonProcess {group}: {option}={value}: there is no such user: create the user, correct the name, or write a \
         number as {option}=#1001"
    )]
    UnknownUser {
        /// Process group.
        group: String,
        /// `user` or `socket-user`.
        option: &'static str,
        /// As written.
        value: String,
    },
    /// No such group.
    #[error(
        "WSGIDaemonProcess {group}: {option}={value}: there is no such group: create the group, correct the name, or write a \
         number as {option}=#1001"
    )]
    UnknownGroup {
        /// Process group.
        group: String,
        /// `group` or `supplementary-groups`.
        option: &'static str,
        /// As written.
        value: String,
    },
    /// uid 0.
    #[error(
        "WSGIDaemonProcess {group}: {option}={value} is root (uid 0), and an application never runs as root: name an ordinary \
         user of this machine"
    )]
    RootUser {
        /// Process group.
        group: String,
        /// `user`, `socket-user` or httpd's `User`.
        option: &'static str,
        /// As written.
        value: String,
    },
    /// gid 0.
    #[error(
        "WSGIDaemonProcess {group}: {option}={value} is root's group (gid 0), which an application never gets: name an ordinary \
         group"
    )]
    RootGroup {
        /// Process group.
        group: String,
        /// `group`, `supplementary-groups` or httpd's `Group`.
        option: &'static str,
        /// As written.
        value: String,
    },
    /// The user is a member of gid 0 in the group database.
    #[error(
        "WSGIDaemonProcess {group}: user={user} is a member of root's group (gid 0), which an application never gets: take the \
         user out of that group, or list the wanted groups in supplementary-groups="
    )]
    MemberOfRoot {
        /// Process group.
        group: String,
        /// User name.
        user: String,
    },
    /// `#uid` without an entry leaves the group open.
    #[error(
        "WSGIDaemonProcess {group}: user={user} has no entry in the user database: say which group it runs as with group="
    )]
    GroupNeeded {
        /// Process group.
        group: String,
        /// As written.
        user: String,
    },
    /// The group database gave no answer.
    #[error(
        "WSGIDaemonProcess {group}: the groups of user {user} cannot be looked up: list them in supplementary-groups=, or repair \
         the group database (/etc/nsswitch.conf)"
    )]
    GroupsUnknown {
        /// Process group.
        group: String,
        /// User name.
        user: String,
    },
    /// More than the kernel takes.
    #[error(
        "WSGIDaemonProcess {group}: {count} supplementary groups are too many: the kernel allows {limit}; list fewer in \
         supplementary-groups="
    )]
    TooManyGroups {
        /// Process group.
        group: String,
        /// How many there are.
        count: usize,
        /// `NGROUPS_MAX`.
        limit: usize,
    },
    /// `chroot=` of a server that is not root's.
    #[error(
        "WSGIDaemonProcess {group}: chroot={chroot}: Cannot chroot WSGI daemon process when not root: start Apache as root, or remove \
         chroot="
    )]
    ChrootWithoutRoot {
        /// Process group.
        group: String,
        /// The directory.
        chroot: String,
    },
    /// `chroot=` names nothing to change to.
    #[error(
        "WSGIDaemonProcess {group}: chroot={chroot}: Invalid chroot directory: there is no such directory: create it with all that the \
         workers need, or correct the path"
    )]
    NoChroot {
        /// Process group.
        group: String,
        /// The directory.
        chroot: String,
    },
    /// Neither of the usual places inside has a Python.
    #[error(
        "WSGIDaemonProcess {group}: no Python was found at {places} inside of chroot={chroot}: copy one there with its libraries, or name \
         it as seen inside with python=/path/to/python3 or python-home=/path/to/venv"
    )]
    NoPythonInside {
        /// Process group.
        group: String,
        /// Where it was looked for.
        places: String,
        /// The directory.
        chroot: String,
    },
    /// Neither of the usual places has a Python.
    #[error(
        "WSGIDaemonProcess {group}: no Python was found at {places}: install python3, or name the interpreter with \
         python=/path/to/python3 or the virtual environment with python-home=/path/to/venv"
    )]
    NoPython {
        /// Process group.
        group: String,
        /// Where it was looked for.
        places: String,
    },
}
