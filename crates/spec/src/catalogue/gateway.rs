//! Codes of applications and of the interpreters they run in, 1200 to 1249.

use super::Entry;
use crate::log::Level::{Error, Warn};

pub(super) const TABLE: &[Entry] = &[
    Entry {
        code: 1200,
        level: Warn,
        happened: "The application sent more body than its Content-Length announced. The surplus was left out. Said once for each script.",
        why: "The application counts characters instead of bytes, or changes the body after it has set the header.",
        action: "Correct the header, or leave it out.",
    },
    Entry {
        code: 1201,
        level: Error,
        happened: "The application sent less body than its Content-Length announced. The client sees a broken response.",
        why: "The application counts wrong, or its iterable ended early.",
        action: "Correct the header, or leave it out.",
    },
    Entry {
        code: 1202,
        level: Warn,
        happened: "The application set a header that belongs to the connection, such as Connection or Transfer-Encoding. It was left out. Said once for each script.",
        why: "An application that passes on the headers of another server, as a proxy does.",
        action: "Remove the header in the application; PEP 3333 forbids it.",
    },
    Entry {
        code: 1203,
        level: Error,
        happened: "The response could not be sent, and not because the client has gone.",
        why: "Apache's process has ended or given up the request.",
        action: "Look for lines of Apache about the request or the child process.",
    },
    Entry {
        code: 1204,
        level: Error,
        happened: "The call of the application could not be prepared. The request is answered with 500.",
        why: "Memory ran out, or the application has replaced something in Python that mod_wsgi needs.",
        action: "Read the traceback below the line.",
    },
    Entry {
        code: 1205,
        level: Error,
        happened: "A worker has as many interpreters as it may have, and makes no new one. The request is answered with 500.",
        why: "The name of the application group depends on something the client chooses, such as Host.",
        action: "Name a fixed application group with WSGIApplicationGroup, or %{GLOBAL}.",
    },
    Entry {
        code: 1210,
        level: Error,
        happened: "The script file could not be compiled. The request is answered with 500; the next one tries again.",
        why: "The file has a syntax error, or it is written for a newer Python than the process group has, or it is no Python at all.",
        action: "Correct the line that is shown, or name another Python with python= or python-home= of WSGIDaemonProcess.",
    },
    Entry {
        code: 1211,
        level: Error,
        happened: "The function reload_required() of the script raised an exception. That counts as False: the request is served by the script as it is loaded.",
        why: "A mistake in the function.",
        action: "Read the traceback below the line.",
    },
    Entry {
        code: 1212,
        level: Warn,
        happened: "An interpreter with a GIL of its own was made, as WSGIPerInterpreterGIL asks for.",
        why: "WSGIPerInterpreterGIL On.",
        action: "Test the application under load. Many extension modules cannot be imported there, and Python 3.12 and 3.13 can abort when two such interpreters use datetime or ssl.",
    },
    Entry {
        code: 1213,
        level: Error,
        happened: "A script that is to be loaded when the worker starts was not: there is no thread to load it with. It is loaded with its first request.",
        why: "The process may make no more threads, or stack-size= is larger than its memory limit allows.",
        action: "Raise the limit, or lower stack-size= or threads= of WSGIDaemonProcess.",
    },
];
