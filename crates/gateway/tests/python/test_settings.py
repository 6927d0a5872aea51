"""Settings of interpreters, and scripts that are loaded before requests. The name of an application group says what it has."""

import os
import sys
import threading
import time

from kit import *

OWN_GIL = sys.version_info >= (3, 12)


def test_restricted_streams():
    source = """
    import sys
    def application(environ, start_response):
        said = []
        for use in (lambda: sys.stdin.read(), lambda: print('x'), lambda: setattr(sys.stdout, 'x', 1), lambda: sys.stdout.x):
            try:
                use()
                said.append('fine')
            except OSError as error:
                said.append(str(error))
        start_response('200 OK', [])
        return ['|'.join(said).encode()]
    """
    path = script(source)
    stdout = "sys.stdout access restricted by mod_wsgi"
    r = serve(path, group="no-stdin no-stdout")
    assert r.body.decode() == f"sys.stdin access restricted by mod_wsgi|{stdout}|fine|{stdout}", r.body


def test_path_interval_and_signals():
    source = """
    import signal, sys
    def application(environ, start_response):
        start_response('200 OK', [])
        result = [sys.path[:4], sys.getswitchinterval(), signal.signal.__module__]
        return [repr(result).encode()]
    """
    path = script(source)
    before = sys.getswitchinterval()
    plain = eval(serve(path).body.decode())
    assert plain[0][:2] == [HOME, LIBRARY] and plain[1] == before and plain[2] == "mod_wsgi", plain
    changed = eval(serve(path, group="path interval signals").body.decode())
    assert changed[1] == 0.02 and changed[2] == "signal", changed
    assert changed[0] == [HOME, "/first", "/second", LIBRARY], changed
    sys.setswitchinterval(before)


def test_an_interpreter_with_its_own_gil_serves():
    source = """
    import sys, threading
    local = threading.local()
    def application(environ, start_response):
        local.count = getattr(local, 'count', 0) + 1
        environ['wsgi.input'].read()
        print('printed')
        start_response('200 OK', [])
        yield str(local.count).encode()
    """
    path = script(source)
    for group in ("own-gil one", "own-gil two"):
        first = serve(path, group=group)
        assert first.body == b"1" and first.log == ["printed"], (first.log, first.events)
        assert serve(path, group=group).body == b"2"
        assert serve(path, group=group, thread=2).body == b"1"
    r = serve(script("1 / 0"), group="own-gil one")
    assert r.log[-1] == "ZeroDivisionError: division by zero", r.text


def test_two_of_them_run_at_the_same_time():
    if not OWN_GIL:
        return
    begun = os.path.join(DIRECTORY, "begun")
    source = f"""
    import time
    def long(environ, start_response):
        start_response('200 OK', [])
        open({begun!r}, 'w').close()
        # One call of C code, which never lets go of the GIL.
        sum(range(10 ** 8))
        return [repr(time.monotonic()).encode()]
    def short(environ, start_response):
        start_response('200 OK', [])
        return [repr(time.monotonic()).encode()]
    """
    path = script(source)
    assert serve(path, group="own-gil two", callable="short").status == "200 OK"
    ends = []
    thread = threading.Thread(target=lambda: ends.append(float(serve(path, group="own-gil one", callable="long").body)))
    thread.start()
    while not os.path.exists(begun):
        time.sleep(0.001)
    other = float(serve(path, group="own-gil two", callable="short", thread=2).body)
    thread.join()
    assert other < ends[0], (other, ends)


def test_fork_is_refused_there():
    if not OWN_GIL:
        return
    r = serve(script("import os\nos.fork()\n"), group="own-gil one")
    assert "fork not supported" in r.log[-1], r.text


def test_the_end_of_one_with_its_own_gil():
    # run.py looks for the file after stop().
    r = run(
        f"""
        import atexit
        atexit.register(lambda: open({os.path.join(DIRECTORY, 'atexit-own')!r}, 'w').close())
        def application(e, s):
            s('200 OK', [])
            return []
        """,
        group="own-gil one",
    )
    assert r.status == "200 OK", r.text


def test_scripts_are_loaded_before_requests():
    import builtins

    builtins.order = []
    source = "import builtins\nbuiltins.order.append(%r)\nimport threading\nprint('loading', end='')\n"
    app = "def application(e, s):\n    s('200 OK', [])\n    return [threading.current_thread().name.encode()]\n"
    first, last = script(source % "first" + "here = threading.current_thread() is threading.main_thread()\n" + app), script(source % "last" + app)
    broken, sub = script("1 / 0"), script(app.replace("threading.current_thread().name", "str(__name__)"))
    gateway().preload([(first, ""), (broken, ""), (sub, "preloaded"), (sub, ""), (last, "")])
    assert builtins.order == ["first", "last"]
    assert sys.modules[module_name(first)].here
    r = serve(first)
    assert r.status == "200 OK" and not r.log and builtins.order == ["first", "last"], r.text
    r = serve(sub, group="preloaded", reloading=1)
    assert r.body.decode() == module_name(sub) and not r.log
    del builtins.order


def module_name(path):
    import hashlib

    return "_mod_wsgi_" + hashlib.md5(path.encode()).hexdigest()


def gateway():
    import kit

    return kit.gateway
