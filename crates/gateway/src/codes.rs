//! The gateway's log codes: number, and what the administrator is to do. The facts of a case are the caller's. The only place
//! where this crate gives out codes: those below 1000 mean what they mean in mod_wsgi, ours are from 1200 to 1249, and from 1391 for calls.

use std::fmt::Display;

/// A log code.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    number: &'static str,
    advice: &'static str,
}

impl Code {
    /// A code, as it stands in the log, and what to do; empty where the facts say it all.
    #[must_use]
    pub const fn new(number: &'static str, advice: &'static str) -> Self {
        Self { number, advice }
    }

    /// The number behind `WSGI`; 0 when the constant is not written as a code is.
    #[must_use]
    pub fn number(self) -> u16 {
        self.number.get(4..).and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// The text of a log line. The facts are whole sentences, or end with a colon when lines of Python follow.
    #[must_use]
    pub fn line(self, facts: impl Display) -> String {
        let space = if self.advice.is_empty() { "" } else { " " };
        format!("{}: {facts}{space}{}", self.number, self.advice)
    }
}

/// An interpreter cannot be made or set up.
pub(crate) const INTERPRETER: Code = Code::new("WSGI0035", "");
/// The script does not define the callable.
pub(crate) const NO_CALLABLE: Code = Code::new(
    "WSGI0089",
    "Define it there, or name another one with WSGICallableObject or callable-object=.",
);
/// The script file cannot be read.
pub(crate) const SCRIPT_UNREADABLE: Code = Code::new(
    "WSGI0105",
    "Check that it exists and that the user of the process group may read it and search the directories above it.",
);
/// The script is not Python.
pub(crate) const SCRIPT_UNCOMPILABLE: Code = Code::new("WSGI1210", "");
/// `reload_required` of the script failed.
pub(crate) const HOOK_RAISED: Code = Code::new("WSGI1211", "");
/// The script left Python while it was loaded.
pub(crate) const SCRIPT_EXIT: Code = Code::new("WSGI0107", "");
/// The script raised an exception while it was loaded.
pub(crate) const SCRIPT_RAISED: Code = Code::new("WSGI0109", "");
/// The application raised an exception.
pub(crate) const APPLICATION_RAISED: Code = Code::new("WSGI0174", "");
/// The application raised `SystemExit`.
pub(crate) const APPLICATION_EXIT: Code = Code::new("WSGI0175", "");
/// The iterable has a `close` that cannot be had.
pub(crate) const NO_CLOSE: Code = Code::new("WSGI0194", "");
/// More of the body came than Content-Length says.
pub(crate) const BODY_TOO_LONG: Code =
    Code::new("WSGI1200", "Correct the header or leave it out. Said once for each script.");
/// Less of the body came than Content-Length says.
pub(crate) const BODY_TOO_SHORT: Code = Code::new("WSGI1201", "Correct the header or leave it out.");
/// A header that is the server's.
pub(crate) const HOP_BY_HOP: Code =
    Code::new("WSGI1202", "Remove it from the application. Said once for each script.");
/// The response could not be sent, and not because the client is gone.
pub(crate) const NOT_SENT: Code = Code::new("WSGI1203", "");
/// Preparing the call of the application failed.
pub(crate) const NOT_CALLED: Code = Code::new("WSGI1204", "");
/// A process has as many interpreters as it may have.
pub(crate) const TOO_MANY_GROUPS: Code = Code::new(
    "WSGI1205",
    "Look at what WSGIApplicationGroup or application-group= makes of requests: a name from the client's Host or from a variable \
     can have any number of values. Name a fixed one, or %{GLOBAL}.",
);
/// A request is ended by an exception.
pub(crate) const INTERRUPTED: Code =
    Code::new("WSGI1270", "With `LogLevel wsgi:info` the lines after it say where its thread is.");

/// A subscriber of events failed.
pub(crate) const EVENT_CALLBACK: Code = Code::new("WSGI0112", "");
/// Python cannot make an interpreter with a GIL of its own.
pub(crate) const NO_OWN_GIL: Code = Code::new(
    "WSGI0198",
    "Name a newer Python with python= or python-home= of WSGIDaemonProcess, or remove the directive.",
);
/// An interpreter with a GIL of its own is made.
pub(crate) const OWN_GIL: Code = Code::new(
    "WSGI1212",
    "Many extension modules refuse such interpreters, and Python 3.12 and 3.13 have been seen to abort when two of them import \
     datetime or ssl: test the application under load before you rely on it.",
);
/// A thread for a script that is loaded at the start cannot be made.
pub(crate) const NO_PRELOAD: Code = Code::new(
    "WSGI1213",
    "The script is loaded with its first request instead. Look at the limits of the process.",
);
/// The script for Basic authentication lacks its function.
pub(crate) const NO_CHECK_PASSWORD: Code = Code::new(
    "WSGI0043",
    "Define check_password(environ, user, password) in it, or remove AuthBasicProvider wsgi.",
);
/// The script for Digest authentication lacks its function.
pub(crate) const NO_REALM_HASH: Code = Code::new(
    "WSGI0046",
    "Define get_realm_hash(environ, user, realm) in it, or remove AuthDigestProvider wsgi.",
);
/// A group's name cannot be written in a configuration.
pub(crate) const GROUP_NOT_LATIN_1: Code = Code::new("WSGI0049", "Let it return bytes. The user is refused.");
/// A group is no text.
pub(crate) const GROUP_NOT_TEXT: Code = Code::new("WSGI0050", "Let it return strings. The user is refused.");
/// The groups are no iterable.
pub(crate) const GROUPS_NOT_ITERABLE: Code =
    Code::new("WSGI0051", "Let it return a list of strings. The user is refused.");
/// The script for groups lacks its function.
pub(crate) const NO_GROUPS: Code = Code::new("WSGI0052", "Define groups_for_user(environ, user) in it.");
/// What is returned says neither yes nor no.
pub(crate) const NOT_A_VERDICT: Code =
    Code::new("WSGI0055", "It must return True, False or None. The client is refused.");
/// The script for access lacks its function.
pub(crate) const NO_ALLOW_ACCESS: Code = Code::new("WSGI0056", "Define allow_access(environ, host) in it.");
/// A user without a name.
pub(crate) const EMPTY_USER: Code =
    Code::new("WSGI0176", "It must return True, False, None or the user's name.");
/// A user's name that is none.
pub(crate) const NO_USER: Code =
    Code::new("WSGI0177", "It must return True, False, None or the user's name.");
/// A hash without content.
pub(crate) const EMPTY_HASH: Code =
    Code::new("WSGI0178", "It must return None or the MD5 of user:realm:password in hexadecimal.");
/// A hash that is none.
pub(crate) const NO_HASH: Code =
    Code::new("WSGI0179", "It must return None or the MD5 of user:realm:password in hexadecimal.");
/// A dispatch script returned no name.
pub(crate) const NOT_A_NAME: Code =
    Code::new("WSGI1391", "It must return None, or a name as the directive takes it.");
/// More groups than an answer holds.
pub(crate) const TOO_MANY_NAMES: Code =
    Code::new("WSGI1392", "Let it return only groups that a Require line can name. The user is refused.");
/// Preparing the call of a function failed.
pub(crate) const SCRIPT_NOT_CALLED: Code = Code::new("WSGI1393", "");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lg_4_a_line_says_code_facts_and_what_to_do() {
        assert_eq!(
            BODY_TOO_SHORT.line("It ended."),
            "WSGI1201: It ended. Correct the header or leave it out."
        );
        assert_eq!(APPLICATION_RAISED.line("It raised:"), "WSGI0174: It raised:");
    }
}
