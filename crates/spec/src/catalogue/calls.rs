//! Codes of scripts that the server asks: access, authentication, dispatch; 1380 to 1399.

use super::Entry;
use super::Level::{Crit, Error};

pub(super) const TABLE: &[Entry] = &[
    Entry {
        code: 1381,
        level: Error,
        happened: "The process group of an access, authentication or dispatch script is not there for the request, which is refused.",
        why: "The option process-group= of the directive names a group that nobody declares, or one of another virtual host.",
        action: "Declare the group with WSGIDaemonProcess outside of <VirtualHost>, or correct the option.",
    },
    Entry {
        code: 1382,
        level: Error,
        happened: "A worker answered something that was not asked. The request is refused.",
        why: "Code in the worker writes to the connection past mod_wsgi, or mod_wsgi has a bug.",
        action: "Find out what runs in the process group; if nothing unusual does, please report it.",
    },
    Entry {
        code: 1383,
        level: Error,
        happened: "A function of a dispatch script returned a text that is no name. The request is answered with 500.",
        why: "An unknown %{...}, or a callable with characters that no name has.",
        action: "Return None, or a name as WSGIProcessGroup, WSGIApplicationGroup or WSGICallableObject takes it.",
    },
    Entry {
        code: 1384,
        level: Error,
        happened: "An .htaccess file names a process group or an application group for an access or authentication script. Requests for its directory are answered with 500.",
        why: "Who may write an .htaccess file must not choose as which user a script runs, nor make interpreters in processes that all sites share.",
        action: "Remove process-group= and application-group=, or move the directive into a <Directory> section of the server's configuration.",
    },
    Entry {
        code: 1385,
        level: Error,
        happened: "An .htaccess file names an access or authentication script that it may not name. Requests for its directory are answered with 500.",
        why: "The script is not below a directory of WSGIHtaccessScripts; without that directive, .htaccess files name no scripts.",
        action: "Permit the directory with WSGIHtaccessScripts, or name the script in a <Directory> section.",
    },
    Entry {
        code: 1386,
        level: Error,
        happened: "A dispatch script that runs in a process group of one user has chosen something for a request to a process group of another user. The request is answered with 500.",
        why: "Whoever owns the process group of a dispatch script can make it answer anything, and could have his own scripts run as the other user.",
        action: "If all users trust the script, remove process-group= of WSGIDispatchScript: it runs as the web server's user then. Otherwise let it choose groups of its own user.",
    },
    Entry {
        code: 1391,
        level: Error,
        happened: "A function of a dispatch script returned something that is no text. The request is answered with 500.",
        why: "A function that returns a number, an object, or text that is not latin-1.",
        action: "Return None to keep what is configured, or a name.",
    },
    Entry {
        code: 1392,
        level: Error,
        happened: "`groups_for_user` returned more names than an answer holds. The user is refused.",
        why: "The user is in thousands of groups.",
        action: "Return only groups that a Require line can name.",
    },
    Entry {
        code: 1393,
        level: Error,
        happened: "The call of an access, authentication or dispatch script could not be prepared. The request is refused.",
        why: "Memory ran out, or the script has replaced something in Python that mod_wsgi needs.",
        action: "Read the traceback below the line.",
    },
    Entry {
        code: 1394,
        level: Crit,
        happened: "An internal error while a script was asked. The request is refused.",
        why: "A mistake in mod_wsgi.",
        action: "Please report it with the worker's line about the place.",
    },
    Entry {
        code: 1395,
        level: Error,
        happened: "The answer of a script does not fit the protocol. The request is refused.",
        why: "A name of more than 64 KiB.",
        action: "Let the script return less.",
    },
];
