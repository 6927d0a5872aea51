//! Codes of the configuration and of supervision in Apache, 1300 to 1399.

use super::Entry;
use super::Level::{Error, Info, Notice, Warn};

pub(super) const TABLE: &[Entry] = &[
    Entry {
        code: 1301,
        level: Error,
        happened: "The request body is larger than LimitRequestBody. The request is answered with 413 and its body is not read.",
        why: "An upload that is larger than the limit.",
        action: "Raise LimitRequestBody for the URL if such bodies are wanted.",
    },
    Entry {
        code: 1302,
        level: Error,
        happened: "The request has no process group, and this version does not run applications in Apache's own processes. It is answered with 500.",
        why: "The alias has no process-group=, and no WSGIProcessGroup applies to the request.",
        action: "Declare a group with WSGIDaemonProcess NAME and write WSGIProcessGroup NAME, or process-group=NAME at the alias.",
    },
    Entry {
        code: 1303,
        level: Notice,
        happened: "Options that choose an account have no effect, because Apache was not started by root.",
        why: "Only root can start processes as somebody else.",
        action: "Start Apache as root, or remove user=, group= and supplementary-groups=.",
    },
    Entry {
        code: 1304,
        level: Error,
        happened: "A process group is used that nobody declares. Requests for it are answered with 500.",
        why: "The name is mistyped, or its WSGIDaemonProcess was removed.",
        action: "Declare the group with WSGIDaemonProcess, or correct the name. The line lists the declared ones.",
    },
    Entry {
        code: 1305,
        level: Notice,
        happened: "An alias leads to no process group. Its requests are answered with 500.",
        why: "No process-group= stands at the alias, and no WSGIProcessGroup applies to it.",
        action: "Add process-group=NAME to the alias, or WSGIProcessGroup NAME.",
    },
    Entry {
        code: 1306,
        level: Error,
        happened: "The program wsgi-supervisor cannot be executed. Process groups are answered with 503.",
        why: "It is missing from the directory of mod_wsgi.so, or may not be executed there (mount option noexec).",
        action: "Install all parts into one directory from which programs may be executed.",
    },
    Entry {
        code: 1307,
        level: Error,
        happened: "Apache could not talk to the supervisor and replaces it.",
        why: "The supervisor hangs or has broken the channel.",
        action: "Read the supervisor's own lines. If it comes again, please report it.",
    },
    Entry {
        code: 1308,
        level: Error,
        happened: "The supervisor has ended, and another one is started. No request in a queue is lost.",
        why: "It was killed, or has met an error; the line has its status.",
        action: "Read the supervisor's own lines and the kernel's log.",
    },
    Entry {
        code: 1309,
        level: Error,
        happened: "No supervisor runs, and starting one failed. Until the next attempt process groups are answered with 503.",
        why: "The line has the reason.",
        action: "Correct the reason; the next attempt follows by itself.",
    },
    Entry {
        code: 1310,
        level: Warn,
        happened: "The channel to the supervisor broke while Apache was stopping; the workers end by themselves.",
        why: "The supervisor had ended already.",
        action: "Nothing.",
    },
    Entry {
        code: 1311,
        level: Error,
        happened: "A variable that an .htaccess file may have set would choose the process group. The request is answered with 500.",
        why: "WSGIProcessGroup %{ENV:...} is used where .htaccess files are allowed, and their authors must not choose under which user code runs.",
        action: "Set the variable at server level (SetEnvIf, RewriteRule with [E=...]), or write AllowOverride None for the directory.",
    },
    Entry {
        code: 1312,
        level: Error,
        happened: "The new configuration of the process groups is not in force. The workers of the former one go on serving; new groups are answered with 503.",
        why: "The supervisor refused it; the line has the reason.",
        action: "Correct the reason and run `apachectl graceful`.",
    },
    Entry {
        code: 1350,
        level: Info,
        happened: "The client closed its connection while it sent the request body.",
        why: "Somebody stopped an upload, or lost the network.",
        action: "Nothing. An application that was reading the body gets an OSError; it needs no log of its own for that.",
    },
];
