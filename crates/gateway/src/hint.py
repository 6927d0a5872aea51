# What the log says below a traceback that administrators often ask about. Runs in the namespace of the module mod_wsgi; called
# with an exception that was just logged. Nothing here may raise: the caller takes no hint then.


def _hint(error):
    for _ in range(20):
        text = _hint_about(error)
        if text:
            return f"Hint: {text}"
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return ""
        error = cause
    return ""


def _hint_about(error):
    text = str(error)
    # The names of scripts' modules are for pickles; no installation would have them.
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("_mod_wsgi_"):
        return _hint_module(error.name)
    if isinstance(error, ImportError) and "subinterpreter" in text:
        return (
            f"this C extension works in the main interpreter only, and application group {application_group!r} is another "
            "one. Write WSGIApplicationGroup %{GLOBAL}, with one process group for each application."
        )
    if isinstance(error, PermissionError):
        return f"{_hint_user()} Give this user the right, or name another with user= of WSGIDaemonProcess."
    if type(error).__name__ == "ImproperlyConfigured" and "DJANGO_SETTINGS_MODULE" in text:
        return _hint_variable("DJANGO_SETTINGS_MODULE", "mysite.settings")
    if isinstance(error, KeyError) and _hint_is_from_environ(error):
        return _hint_variable(error.args[0], "VALUE")
    if isinstance(error, RuntimeError) and text == "populate() isn't reentrant":
        return (
            "an earlier attempt to load Django in this process has failed, and Django cannot be loaded twice. The traceback of "
            "that attempt is above in this log; correct what it says and run `apachectl graceful`."
        )
    return ""


def _hint_module(name):
    import sys

    version = ".".join(str(number) for number in sys.version_info[:3])
    if sys.prefix == sys.base_prefix:
        where = f"not in a virtual environment, installed in {sys.prefix}"
    else:
        where = f"virtual environment {sys.prefix}, made with the Python in {sys.base_prefix}"
    group = f" of process group {process_group!r}" if process_group else ""
    return (
        f"Python {version}{group} ({sys.executable}; {where}) finds no module {name!r} in sys.path = {sys.path!r}. Install it "
        "there, or name the right virtual environment with python-home=, or the directory of your own code with python-path=."
    )


def _hint_user():
    import os
    import pwd

    uid = os.geteuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = "without a name"
    return f"this process runs as user {name} (uid {uid}), groups {sorted({os.getegid(), *os.getgroups()})}."


def _hint_variable(name, value):
    return (
        f"SetEnv and PassEnv of Apache reach the environ of a request, never os.environ, and workers do not inherit variables "
        f"of a shell or of Apache. Write WSGIDaemonProcess {process_group or 'NAME'} ... env={name}={value}, or set it in the "
        "script before the application is imported."
    )


def _hint_is_from_environ(error):
    import os

    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is type(os.environ).__getitem__.__code__
