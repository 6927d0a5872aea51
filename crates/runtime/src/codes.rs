//! The worker's own log codes, from 1250 to 1299, and for calls 1394 and 1395: number, and what the administrator is to do. The facts of a case are the
//! caller's. The only place where this crate gives out codes.

use gateway::Code;

/// `run` was called again.
pub const AGAIN: Code = Code::new("WSGI1250", "");
/// A descriptor of the supervisor's is missing.
pub const DESCRIPTOR: Code = Code::new(
    "WSGI1251",
    "Workers are started by wsgi-supervisor only; if it did start this one, please report it.",
);
/// The configuration cannot be read.
pub const CONFIG: Code =
    Code::new("WSGI1252", "Install all parts from one build, then stop and start Apache.");
/// The process is not who it should be.
pub const IDENTITY: Code = Code::new(
    "WSGI1253",
    "Nothing of the site was loaded. Look for a security module or a container that changes what setuid and the like do.",
);
/// The process is root.
pub const ROOT: Code = Code::new("WSGI1254", "Set user= of WSGIDaemonProcess to the site's own account.");
/// Python cannot be prepared.
pub const PYTHON: Code = Code::new("WSGI1255", "");
/// A system call failed at the start.
pub const SYSTEM: Code = Code::new("WSGI1256", "");
/// Threads of the application run on at the end.
pub const THREADS_LEFT: Code =
    Code::new("WSGI1257", "Let atexit or a daemon thread's own check end them when the process leaves.");
/// A panic.
pub const PANIC: Code = Code::new("WSGI1258", "Please report it with this line.");
/// A byte on the lifeline that means nothing.
pub const UNKNOWN_COMMAND: Code =
    Code::new("WSGI1259", "Install all parts from one build, then stop and start Apache.");
/// Requests did not finish before the deadline.
pub const REQUESTS_LEFT: Code =
    Code::new("WSGI1260", "Requests that take longer need a longer shutdown-timeout= or graceful-timeout=.");
/// The end of Python did not come before the deadline.
pub const END_LATE: Code = Code::new(
    "WSGI1261",
    "Look for threads and atexit functions that wait for something that does not come.",
);
/// Waiting for connections failed.
pub const WAIT: Code = Code::new("WSGI1262", "");
/// A peer that is not Apache.
pub const STRANGER: Code = Code::new("WSGI1263", "Check who can reach the directory of WSGISocketPrefix.");
/// A peer that the kernel does not name.
pub const NO_PEER: Code = Code::new("WSGI1264", "");
/// A connection cannot be watched.
pub const NOT_WATCHED: Code = Code::new("WSGI1265", "");
/// A request that did not arrive.
pub const INCOMPLETE: Code =
    Code::new("WSGI1266", "The lines of httpd about the child or the request say why.");
/// A panic while a request was served.
pub const REQUEST_PANIC: Code =
    Code::new("WSGI1267", "The worker's line about it says where; please report it with that line.");
/// A request takes longer than request-timeout.
pub const REQUEST_LATE: Code = Code::new("WSGI1271", "The lines after it say where its thread is.");
/// No script could be loaded in time.
pub const STARTUP_LATE: Code = Code::new(
    "WSGI1272",
    "The lines above it say what went wrong while the script was loaded; without such lines the load hangs.",
);
/// The GIL does not come.
pub const DEADLOCK: Code = Code::new(
    "WSGI1273",
    "A C extension holds it while it waits or computes; the lines after it say where the threads are.",
);
/// A head that does not fit a frame.
pub const HEAD: Code = Code::new("WSGI1268", "Please report it with this line.");
/// WSGIFreeThreading without a Python for it.
pub const NOT_FREE_THREADED: Code =
    Code::new("WSGI0200", "Name a free-threaded build with python=, or remove the directive.");
/// A panic while a call was answered.
pub const CALL_PANIC: Code =
    Code::new("WSGI1394", "The worker's line about it says where; please report it with that line.");
/// An answer that does not fit a frame.
pub const ANSWER: Code = Code::new("WSGI1395", "Let the script return less.");
