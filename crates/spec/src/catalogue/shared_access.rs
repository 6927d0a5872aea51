//! Codes that mean what they mean in mod_wsgi, up to 60: interpreters, and scripts that say who may come in.

use super::Entry;
use super::Level::Error;

pub(super) const TABLE: &[Entry] = &[
    Entry {
        code: 35,
        level: Error,
        happened: "A Python interpreter could not be made or prepared. Requests of this application group are answered with 500.",
        why: "Memory ran out, sitecustomize or usercustomize raised an exception, or this Python cannot make sub-interpreters.",
        action: "Read the traceback below the line. If only sub-interpreters fail, write WSGIApplicationGroup %{GLOBAL} and give each application its own process group.",
    },
    Entry {
        code: 41,
        level: Error,
        happened: "AuthBasicProvider wsgi applies to a request, but no WSGIAuthUserScript does. The request is answered with 500.",
        why: "The two directives stand in different sections.",
        action: "Write WSGIAuthUserScript for the same section, or remove AuthBasicProvider wsgi.",
    },
    Entry {
        code: 43,
        level: Error,
        happened: "The script of WSGIAuthUserScript has no function check_password. The request is answered with 500.",
        why: "The script is for Digest authentication only, or the name is mistyped.",
        action: "Define check_password(environ, user, password), or remove AuthBasicProvider wsgi.",
    },
    Entry {
        code: 44,
        level: Error,
        happened: "AuthDigestProvider wsgi applies to a request, but no WSGIAuthUserScript does. The request is answered with 500.",
        why: "The two directives stand in different sections.",
        action: "Write WSGIAuthUserScript for the same section, or remove AuthDigestProvider wsgi.",
    },
    Entry {
        code: 46,
        level: Error,
        happened: "The script of WSGIAuthUserScript has no function get_realm_hash. The request is answered with 500.",
        why: "The script is for Basic authentication only, or the name is mistyped.",
        action: "Define get_realm_hash(environ, user, realm), or remove AuthDigestProvider wsgi.",
    },
    Entry {
        code: 49,
        level: Error,
        happened: "`groups_for_user` returned a string with characters that are not latin-1. The user is refused.",
        why: "Names of groups that a configuration file cannot hold.",
        action: "Return bytes, encoded as they stand in the configuration.",
    },
    Entry {
        code: 50,
        level: Error,
        happened: "`groups_for_user` returned something that is neither str nor bytes as the name of a group. The user is refused.",
        why: "The function returns objects of a framework instead of their names.",
        action: "Return a list of strings.",
    },
    Entry {
        code: 51,
        level: Error,
        happened: "What groups_for_user returned cannot be iterated. The user is refused.",
        why: "A function that returns one name, a number or None.",
        action: "Return a list of strings, which may be empty.",
    },
    Entry {
        code: 52,
        level: Error,
        happened: "The script of WSGIAuthGroupScript has no function groups_for_user. The user is refused.",
        why: "The name is mistyped, or the directive names another script.",
        action: "Define groups_for_user(environ, user).",
    },
    Entry {
        code: 55,
        level: Error,
        happened: "`allow_access` returned something other than True, False or None. The client is refused.",
        why: "A function that returns a number or a string; those have no meaning here, so that a mistake lets nobody in.",
        action: "Return True, False, or None to leave the decision to others.",
    },
    Entry {
        code: 56,
        level: Error,
        happened: "The script of WSGIAccessScript has no function allow_access. The client is refused.",
        why: "The name is mistyped, or the directive names another script.",
        action: "Define allow_access(environ, host).",
    },
    Entry {
        code: 57,
        level: Error,
        happened: "The script of WSGIAccessScript refuses the client, which is answered with 403.",
        why: "The script returned False, or it failed and a line above says why.",
        action: "None where the client is to be refused; otherwise look at the script.",
    },
    Entry {
        code: 58,
        level: Error,
        happened: "Require wsgi-group applies to a request, but no WSGIAuthGroupScript does. The user is refused.",
        why: "The two directives stand in different sections.",
        action: "Write WSGIAuthGroupScript for the same section, or remove Require wsgi-group.",
    },
    Entry {
        code: 59,
        level: Error,
        happened: "A user is refused who is in no group at all.",
        why: "The user's groups are not kept where the script of WSGIAuthGroupScript looks.",
        action: "Look at what groups_for_user returns for the user.",
    },
    Entry {
        code: 60,
        level: Error,
        happened: "A user is refused who is in none of the groups of Require wsgi-group.",
        why: "The user is not meant to come in, or a name is mistyped.",
        action: "Compare the names behind Require wsgi-group with what groups_for_user returns.",
    },
];
