//! The Python text that turns a site's interpreter into a worker, or into a probe for `--check`.

/// Exit status of a worker whose Python cannot load the runtime extension.
pub const NOT_LOADED: i32 = 90;
/// Exit status of a worker whose Python is too old.
pub const TOO_OLD: i32 = 91;

/// `-c` text of a worker; its argument is the path of the runtime extension. The exit status is what the runtime returns.
///
/// The first statements use built-in modules only, as the current directory is on `sys.path` until the second has run.
pub const WORKER: &str = r#"
import sys
sys.path[:] = [entry for entry in sys.path if entry]
if sys.version_info < (3, 10):
    sys.stderr.write("Python %d.%d (%s) is too old: 3.10 or newer is needed; set python= or python-home= of the process group\n" % (sys.version_info[0], sys.version_info[1], sys.executable))
    sys.exit(91)
if "t" in sys.abiflags:
    sys.stderr.write("Python %s (%s) is a free-threaded build, for which there is no stable ABI: set python= or python-home= of the process group to another\n" % (sys.version.split()[0], sys.executable))
    sys.exit(90)
def load(path):
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    from importlib.util import module_from_spec
    loader = ExtensionFileLoader("_wsgi_runtime", path)
    module = module_from_spec(ModuleSpec("_wsgi_runtime", loader, origin=path))
    sys.modules["_wsgi_runtime"] = module
    loader.exec_module(module)
    return module
try:
    runtime = load(sys.argv[1])
except ImportError as error:
    sys.stderr.write("Python %s (%s) cannot load %s: %s\n" % (sys.version.split()[0], sys.executable, sys.argv[1], error))
    sys.exit(90)
sys.exit(runtime.run(3))
"#;

/// `-c` text of a probe: what it finds goes to descriptor 1, one fact a line. Arguments: the runtime extension, then the
/// entries of `python-path`.
pub const PROBE: &str = r#"
import sys
sys.path[:] = [entry for entry in sys.path if entry]
import os
def say(fact, value):
    sys.stdout.write("\nwsgi-check:%s:%s\n" % (fact, value))
say("version", "%d.%d" % (sys.version_info[0], sys.version_info[1]))
say("release", "%d.%d.%d" % tuple(sys.version_info[:3]))
home = os.path.dirname(os.path.dirname(sys.executable))
try:
    with open(os.path.join(home, "pyvenv.cfg")) as file:
        settings = dict((part.strip() for part in line.split("=", 1)) for line in file if "=" in line)
except (OSError, ValueError):
    settings = {}
if "home" in settings:
    say("environment", home)
    made = settings.get("version_info", settings.get("version", "")).split(".")[:2]
    if len(made) == 2 and made != [str(number) for number in sys.version_info[:2]]:
        say("made-for", ".".join(made))
for number, entry in enumerate(sys.argv[2:]):
    if not os.path.exists(entry):
        say("absent", number)
    elif not os.access(entry, os.R_OK | (os.X_OK if os.path.isdir(entry) else 0)):
        say("unreadable", number)
if "t" in getattr(sys, "abiflags", ""):
    say("free-threaded", "")
elif sys.version_info >= (3, 10):
    from importlib.machinery import ExtensionFileLoader, ModuleSpec
    from importlib.util import module_from_spec
    try:
        loader = ExtensionFileLoader("_wsgi_runtime", sys.argv[1])
        module_from_spec(ModuleSpec("_wsgi_runtime", loader, origin=sys.argv[1]))
    except ImportError as error:
        say("unloadable", " ".join(str(error).split()))
say("done", "")
"#;
