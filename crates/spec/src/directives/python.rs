//! How Python is set up in the workers.

use super::{Context, DirectiveRow, Effect, ON_OFF};

/// `WSGIPythonOptimize`.
pub const PYTHON_OPTIMIZE: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonOptimize",
    syntax: "0 | 1 | 2",
    context: Context::MainServer,
    default: "0",
    help: c"the level of optimisation of the workers, as python -O and -OO",
    difference: "any other text is refused instead of being read as 0 or as 2",
    effect: Effect::Works,
};

/// `WSGIPythonWarnings`.
pub const PYTHON_WARNINGS: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonWarnings",
    syntax: "ACTION[:MESSAGE[:CATEGORY[:MODULE[:LINE]]]]",
    context: Context::MainServer,
    default: "none",
    help: c"a warnings filter of the workers, as python -W; repeat the directive for more",
    difference: "a text that Python would ignore is refused",
    effect: Effect::Works,
};

/// `WSGIDontWriteBytecode`.
pub const DONT_WRITE_BYTECODE: DirectiveRow = DirectiveRow {
    name: c"WSGIDontWriteBytecode",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "Off",
    help: c"On keeps the workers from writing .pyc files, as python -B",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIPythonHashSeed`.
pub const PYTHON_HASH_SEED: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonHashSeed",
    syntax: "random | 0 to 4294967295",
    context: Context::MainServer,
    default: "random",
    help: c"the seed of the hashes of str and bytes; 0 gives the same hashes each time",
    difference: "random means random: in mod_wsgi 6 it switches randomisation off",
    effect: Effect::Works,
};

/// `WSGIPythonPath`.
pub const PYTHON_PATH: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonPath",
    syntax: "DIRECTORY[:DIRECTORY ...]",
    context: Context::Interpreters,
    default: "none",
    help: c"directories for the front of sys.path; .pth files in them count; in <WSGIInterpreterOptions> for the workers it selects",
    difference: "relative paths are refused; outside of <WSGIInterpreterOptions> no effect without embedded mode: write python-path= of WSGIDaemonProcess",
    effect: Effect::Works,
};

/// `WSGIPythonEggs`.
pub const PYTHON_EGGS: DirectiveRow = DirectiveRow {
    name: c"WSGIPythonEggs",
    syntax: "DIRECTORY",
    context: Context::MainServer,
    default: "none",
    help: c"the directory for the contents of Python eggs, in embedded mode",
    difference: "no effect without embedded mode: write python-eggs= of WSGIDaemonProcess",
    effect: Effect::None(
        "there is no embedded mode in this version; for a process group write python-eggs=DIRECTORY behind WSGIDaemonProcess",
    ),
};

/// `WSGISwitchInterval`.
pub const SWITCH_INTERVAL: DirectiveRow = DirectiveRow {
    name: c"WSGISwitchInterval",
    syntax: "SECONDS",
    context: Context::Interpreters,
    default: "Python's",
    help: c"how long a thread may keep the GIL when others want it, as sys.setswitchinterval; in <WSGIInterpreterOptions> for the workers it selects",
    difference: "outside of <WSGIInterpreterOptions> no effect without embedded mode: write switch-interval= of WSGIDaemonProcess",
    effect: Effect::Works,
};

/// `WSGIDestroyInterpreter`.
pub const DESTROY_INTERPRETER: DirectiveRow = DirectiveRow {
    name: c"WSGIDestroyInterpreter",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "On",
    help: c"Off ends workers without tearing Python down: atexit functions do not run",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIPerInterpreterGIL`.
pub const PER_INTERPRETER_GIL: DirectiveRow = DirectiveRow {
    name: c"WSGIPerInterpreterGIL",
    syntax: ON_OFF,
    context: Context::Interpreters,
    default: "Off",
    help: c"On gives each sub-interpreter a GIL of its own (Python 3.12 or newer)",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIFreeThreading`.
pub const FREE_THREADING: DirectiveRow = DirectiveRow {
    name: c"WSGIFreeThreading",
    syntax: ON_OFF,
    context: Context::Interpreters,
    default: "Off",
    help: c"for free-threaded builds of Python, which this version does not run; with others, On has no effect and a line says so",
    difference: "free-threaded builds of Python are refused; with others On has no effect there either",
    effect: Effect::Works,
};

/// `WSGIInterpreterOptions`.
pub const INTERPRETER_OPTIONS: DirectiveRow = DirectiveRow {
    name: c"<WSGIInterpreterOptions",
    syntax: ">",
    context: Context::MainServer,
    default: "none",
    help: c"a section for WSGIPerInterpreterGIL, WSGIFreeThreading, WSGISwitchInterval, WSGIPythonPath and WSGIRestrictStdin, -Stdout, -Signal, for the interpreters it selects",
    difference: "other directives inside it are refused; a WSGISwitchInterval that would reach other interpreters too is refused",
    effect: Effect::Works,
};

/// `WSGIRestrictStdin`.
pub const RESTRICT_STDIN: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictStdin",
    syntax: ON_OFF,
    context: Context::Interpreters,
    default: "Off",
    help: c"On makes each use of sys.stdin an OSError",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIRestrictStdout`.
pub const RESTRICT_STDOUT: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictStdout",
    syntax: ON_OFF,
    context: Context::Interpreters,
    default: "Off",
    help: c"On makes each use of sys.stdout an OSError; otherwise what is written goes to the error log",
    difference: "",
    effect: Effect::Works,
};

/// `WSGIRestrictSignal`.
pub const RESTRICT_SIGNAL: DirectiveRow = DirectiveRow {
    name: c"WSGIRestrictSignal",
    syntax: ON_OFF,
    context: Context::Interpreters,
    default: "On",
    help: c"On has signal.signal ignore handlers of applications, with a line in the log",
    difference: "",
    effect: Effect::Works,
};

/// `WSGICaseSensitivity`.
pub const CASE_SENSITIVITY: DirectiveRow = DirectiveRow {
    name: c"WSGICaseSensitivity",
    syntax: ON_OFF,
    context: Context::MainServer,
    default: "On",
    help: c"Off takes script paths that differ in case for the same script",
    difference: "",
    effect: Effect::Works,
};
