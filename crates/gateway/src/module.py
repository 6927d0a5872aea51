# The part of the module mod_wsgi that is easier to say in Python. Runs once in each interpreter, in the namespace of
# the module, where version, process_group, application_group, maximum_processes, threads_per_process, request_data,
# active_requests and _log are already.


class RequestTimeout(BaseException):
    """Raised inside a request that takes longer than request-timeout."""


class FileWrapper:
    """wsgi.file_wrapper: yields the content of a file-like object in blocks."""

    def __init__(self, filelike, blksize=8192):
        if blksize < 0:
            raise ValueError("blksize must not be negative")
        self.filelike = filelike
        self.blksize = blksize

    def __iter__(self):
        return self

    def __next__(self):
        data = self.filelike.read(self.blksize)
        if not isinstance(data, bytes):
            raise TypeError(f"read() of the file-like object must return bytes, not {type(data).__name__}")
        if not data:
            raise StopIteration
        return data

    def close(self):
        close = getattr(self.filelike, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                pass


def __getattr__(name):
    # logging is imported only where it is used.
    if name != "LogHandler":
        raise AttributeError(f"module 'mod_wsgi' has no attribute '{name}'")
    import logging

    class LogHandler(logging.Handler):
        """Passes records to the error log of the request, with their level."""

        def emit(self, record):
            try:
                _log(record.levelno, self.format(record))
            except Exception:
                self.handleError(record)

    LogHandler.__qualname__ = "LogHandler"
    globals()[name] = LogHandler
    return LogHandler


def _set_up(python_path, home, settings, stdout, stderr):
    import sys
    import threading  # early, so that its idea of the main thread is this one

    restrict_stdin, restrict_stdout, restrict_signal, switch_interval = settings
    sys.argv = ["mod_wsgi"]
    sys.stderr = _text(stderr)
    sys.stdout = _Restricted("sys.stdout") if restrict_stdout else _text(stdout)
    if restrict_stdin:
        sys.stdin = _Restricted("sys.stdin")
    _extend_path(python_path, home)
    if restrict_signal:
        _restrict_signal()
    if switch_interval is not None:
        sys.setswitchinterval(switch_interval)


class _Restricted:
    """A stream that scripts are not to use: WSGIRestrictStdin, WSGIRestrictStdout."""

    def __init__(self, name):
        object.__setattr__(self, "name", name)

    def __getattribute__(self, attribute):
        name = object.__getattribute__(self, "__dict__")["name"]
        raise OSError(f"{name} access restricted by mod_wsgi")


def _text(stream):
    import io

    return io.TextIOWrapper(stream, "utf-8", "replace", newline=None, line_buffering=True, write_through=True)


def _ssl(https, variables):
    def is_https():
        return https

    def var_lookup(name):
        if isinstance(name, bytes):
            name = name.decode("latin-1")
        if not isinstance(name, str):
            raise TypeError(f"the name of a variable must be bytes or str, not {type(name).__name__}")
        return variables.get(name)

    return is_https, var_lookup


def _extend_path(python_path, home):
    import site
    import sys

    before = list(sys.path)
    for directory in python_path:
        # Processes the .pth files there as well. Adds nothing that is known already.
        site.addsitedir(directory)
    added = [entry for entry in sys.path if entry not in before]
    front = dict.fromkeys(([home] if home else []) + [entry for entry in python_path if entry in sys.path] + added)
    sys.path[:] = [*front, *(entry for entry in sys.path if entry not in front)]


def _restrict_signal():
    import os
    import signal
    import traceback

    original = signal.signal
    process = os.getpid()

    def restricted(signalnum, handler):
        if os.getpid() != process:
            return original(signalnum, handler)
        stack = "".join(traceback.format_stack()[:-1])
        _log(20, f"Callback registration for signal {int(signalnum)} ignored.\n{stack}")
        return handler

    restricted.__name__ = restricted.__qualname__ = "signal"
    restricted.__doc__ = original.__doc__
    signal.signal = restricted


def _finish(leave):
    """Whether this interpreter can be ended: no thread that never ends runs in it. If not, or if the process is to leave without
    ending it, what belongs to its end is done here."""
    import _thread
    import atexit
    import sys
    import threading

    # Python looks at them once more when it ends.
    for name in ("stdin", "stdout"):
        if type(getattr(sys, name, None)) is _Restricted:
            setattr(sys, name, None)
    # Native threads that once ran here are known to threading as dummies, which are not counted by _thread.
    threads = [
        thread
        for thread in threading.enumerate()
        if thread.is_alive()
        and not isinstance(thread, threading._DummyThread)
        and thread is not threading.main_thread()
    ]
    waited_for = [thread for thread in threads if not thread.daemon]
    if not leave and _thread._count() <= len(waited_for):
        return True
    for thread in waited_for:
        thread.join()
    atexit._run_exitfuncs()
    return False
