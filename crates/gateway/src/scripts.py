# How scripts become modules: a finder for the names "_mod_wsgi_<MD5 of the path>". Requests import by name, too, so Python's own
# import locks decide who loads a script and who waits for it, and pickle finds the classes of scripts in any worker. Runs once in
# each interpreter, in a namespace of its own, which has `roots` (its `find(name)` gives the path of a configured script) and `owner`,
# to whom scripts must belong: ("user", uid), ("group", gid) or None.

import os
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location

# Of the scripts that requests have asked for.
paths = {}
# What the files were when they were read: (modification time in nanoseconds, size).
stamps = {}


def verify(what, path, facts):
    """Holds an owner against script-user= or script-group= of the process group."""
    kind, required = owner
    found, others = (facts.st_uid, 0o022) if kind == "user" else (facts.st_gid, 0o002)
    if found != required:
        raise PermissionError(f"{what} {path!r} belongs to {kind} {found}, and script-{kind}= requires {required}")
    if facts.st_mode & others:
        raise PermissionError(f"{what} {path!r} can be written by others than script-{kind}= permits (mode {facts.st_mode & 0o7777:04o})")


def read(path):
    """The source, and what the file is that it came from. Who owns the file and its directory is asked of the very descriptors."""
    folder = None
    try:
        if owner is not None:
            folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            verify("the directory", os.path.dirname(path), os.fstat(folder))
        name = path if folder is None else os.path.basename(path)
        with open(os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder), "rb") as file:
            # Looked at before it is read: a change in between is noticed with the next request.
            facts = os.fstat(file.fileno())
            if owner is not None:
                verify("the script", path, facts)
            return file.read(), facts
    finally:
        if folder is not None:
            os.close(folder)


class ScriptLoader(SourceFileLoader):
    """Compiles the source each time it is asked: no file is written beside a script."""

    def get_code(self, fullname):
        source, facts = read(self.path)
        code = self.source_to_code(source, self.path)
        stamps[fullname] = (facts.st_mtime_ns, facts.st_size)
        return code

    def exec_module(self, module):
        code = self.get_code(module.__name__)
        module.__mtime__ = stamps[module.__name__][0] // 1000
        exec(code, vars(module))


class ScriptFinder:
    """Knows the scripts of this process group."""

    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if not fullname.startswith("_mod_wsgi_"):
            return None
        file = paths.get(fullname) or roots.find(fullname)
        if file is None:
            return None
        loader = ScriptLoader(fullname, file)
        # Never a package, whatever the file is called.
        return spec_from_file_location(fullname, file, loader=loader, submodule_search_locations=None)


def load(name, file):
    """The module of a script and what its file was when it was read."""
    if ScriptFinder not in sys.meta_path:
        sys.meta_path.insert(0, ScriptFinder)
    paths[name] = file
    __import__(name)
    return sys.modules[name], stamps[name]


def unload(name, namespace):
    """Forgets a module, so that the next request loads the script again."""
    module = sys.modules.get(name)
    if module is not None and vars(module) is namespace:
        del sys.modules[name]


# At once and not with the first script: what is unpickled may come before it.
sys.meta_path.insert(0, ScriptFinder)
