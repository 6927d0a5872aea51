"""What the log says below tracebacks that administrators often ask about."""

import sys

from kit import run

APPLICATION = "\ndef application(environ, start_response):\n    start_response('200 OK', [])\n    return []\n"


def hint(source):
    """The last line of the log, which is the hint, after a look at what is above it."""
    r = run(source)
    assert r.failed == "500", r.text
    assert sum(line.startswith("Hint: ") for line in r.log) <= 1 and r.text.count("Traceback") >= 1, r.text
    return r.log[-1] if r.log[-1].startswith("Hint: ") else ""


def test_a_missing_module_names_python_environment_and_path():
    text = hint("import no_such_module" + APPLICATION)
    version = ".".join(str(number) for number in sys.version_info[:3])
    for word in (f"Python {version} of process group 'tests'", sys.executable, sys.prefix, "'no_such_module'", repr(sys.path)):
        assert word in text, text
    assert "python-home=" in text and "python-path=" in text
    if sys.prefix == sys.base_prefix:
        assert "not in a virtual environment" in text
    else:
        assert f"virtual environment {sys.prefix}, made with the Python in {sys.base_prefix}" in text


def test_a_missing_module_is_found_behind_other_exceptions():
    source = "try:\n    import no_such_module\nexcept ImportError as error:\n    raise RuntimeError('no database') from error\n"
    assert "'no_such_module'" in hint(source + APPLICATION)
    source = "try:\n    import no_such_module\nexcept ImportError:\n    raise RuntimeError('no database') from None\n"
    assert hint(source + APPLICATION) == ""


def test_an_extension_for_the_main_interpreter():
    source = "raise ImportError('module numpy does not support loading in subinterpreters')"
    assert "WSGIApplicationGroup %{GLOBAL}" in hint(source)


def test_variables_of_the_environment():
    text = hint("import os\nos.environ['SECRET_KEY']" + APPLICATION)
    assert "SetEnv" in text and "WSGIDaemonProcess tests ... env=SECRET_KEY=VALUE" in text
    assert hint("{}['SECRET_KEY']" + APPLICATION) == ""
    source = (
        "class ImproperlyConfigured(Exception): pass\n"
        "raise ImproperlyConfigured('Requested setting X, but settings are not configured. You must either define the "
        "environment variable DJANGO_SETTINGS_MODULE or call settings.configure() before accessing settings.')"
    )
    assert "env=DJANGO_SETTINGS_MODULE=mysite.settings" in hint(source)


def test_a_file_that_may_not_be_read_names_the_user():
    text = hint("raise PermissionError(13, 'Permission denied', '/srv/secret')")
    assert "uid" in text and "user=" in text


def test_django_that_was_loaded_halfway():
    assert "earlier attempt" in hint("raise RuntimeError(\"populate() isn't reentrant\")")


def test_exceptions_without_a_classic_cause_get_no_hint():
    assert hint("1 / 0") == ""
    # One that cannot be looked at does no harm.
    assert hint("class Odd(ImportError):\n    def __str__(self): raise ValueError\nraise Odd") == ""
