"""Interpreters, threads, the modules mod_wsgi and apache, set-up, memory and speed."""

import resource
import signal
import threading
import time

from kit import *


def test_mod_wsgi_module():
    r = call(
        OK
        + f"""
        import mod_wsgi, apache, sys, signal, os
        assert mod_wsgi.version == (6, 0, 5) and mod_wsgi.process_group == 'tests'
        assert mod_wsgi.application_group == '' and mod_wsgi.maximum_processes == 2
        assert mod_wsgi.threads_per_process == 3
        data = mod_wsgi.request_data()
        assert data == {{}} and data is mod_wsgi.request_data()
        data['x'] = 1
        assert mod_wsgi.active_requests == {{'abc': data}} and mod_wsgi.active_requests['abc'] is data
        assert type(mod_wsgi.shutdown_callbacks) is type(mod_wsgi.signal_callbacks) is list
        assert apache.version == (2, 4, 57)
        assert apache.maximum_processes == 2 and apache.threads_per_process == 3
        assert sys.argv == ['mod_wsgi']
        assert sys.path[:2] == [{HOME!r}, {LIBRARY!r}], sys.path
        before = signal.getsignal(signal.SIGUSR1)
        assert signal.signal(signal.SIGUSR1, signal.SIG_IGN) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGUSR1) is before
        return []
        """
    )
    assert r.status == "200 OK", r.text
    assert r.levels and set(r.levels) == {"Info"} and "ignored" in r.log[0]
    import mod_wsgi

    assert mod_wsgi.active_requests == {}
    try:
        mod_wsgi.request_data()
    except RuntimeError as error:
        assert str(error) == "no active request for thread"
    else:
        raise AssertionError


APP = """
import sys, threading
import mod_wsgi
local = threading.local()
count = 0
def application(environ, start_response):
    global count
    count += 1
    local.count = getattr(local, 'count', 0) + 1
    print('in', mod_wsgi.application_group)
    start_response('200 OK', [])
    return [f'{mod_wsgi.application_group} {count} {local.count} {id(sys.modules)}'.encode()]
"""


def test_named_interpreters_are_apart():
    path = script(APP)
    seen = set()
    for name in ("", "one", "two|/x"):
        first, other, third = serve(path, group=name), serve(path, group=name, thread=2), serve(path, group=name)
        assert first.log == [f"in {name}"]
        group, count, local, modules = first.body.decode().split(" ")
        assert (group, count, local) == (name, "1", "1")
        assert other.body.decode() == f"{name} 2 1 {modules}"
        # threading.local lives as long as the request thread.
        assert third.body.decode() == f"{name} 3 2 {modules}"
        seen.add(modules)
    assert len(seen) == 3


def test_everything_works_in_a_sub_interpreter():
    # The interpreter has its own classes: all tests of request handling run there as well.
    import kit
    import test_application, test_file_wrapper, test_input, test_log, test_start_response

    original = kit.serve

    def serve_there(path, *args, **kwargs):
        if not kwargs.get("group"):
            kwargs["group"] = "sub"
        return original(path, *args, **kwargs)

    skipped = {"test_environ_types"}
    kit.serve.__globals__["serve"] = serve_there
    modules = [test_application, test_file_wrapper, test_input, test_log, test_start_response]
    for module in modules:
        module.serve = serve_there
    try:
        for module in modules:
            for name, function in list(vars(module).items()):
                if name.startswith("test_") and name not in skipped:
                    function()
    finally:
        kit.serve = original
        for module in modules:
            module.serve = original


def test_threads_of_requests_run_at_the_same_time():
    path = script(
        """
        import threading
        barrier = threading.Barrier(3, timeout=10)
        def application(environ, start_response):
            barrier.wait()
            start_response('200 OK', [])
            yield str(environ['mod_wsgi.thread_id']).encode()
            barrier.wait()
        """
    )
    bodies = []
    threads = [threading.Thread(target=lambda n=n: bodies.append(serve(path, thread=n).body)) for n in (1, 2, 3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(bodies) == [b"1", b"2", b"3"]


def test_deep_recursion_is_an_exception():
    r = call("def f(n): return f(n + 1)\nf(0)")
    assert r.failed == "500" and "RecursionError" in r.text


def test_atexit_runs_in_sub_interpreters():
    # run.py looks for the file after stop().
    run(
        f"""
        import atexit
        atexit.register(lambda: open({os.path.join(DIRECTORY, 'atexit')!r}, 'w').close())
        import threading
        t = threading.Thread(target=lambda: None)
        t.start()
        t.join()
        def application(e, s):
            s('200 OK', [])
            return []
        """,
        group="sub",
    )


MANY = """
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '12')])
    return [b'Hello World!']
"""


def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_memory_is_flat():
    hello = script(MANY)
    varied = script(
        """
        def application(environ, start_response):
            environ['wsgi.errors'].write('')
            environ['wsgi.input'].read(4)
            write = start_response('200 OK', [('A', 'b')])
            write(b'x')
            if environ['QUERY_STRING']:
                raise ValueError
            yield environ['wsgi.input'].read()
        """
    )
    for group, scale in (("", 1), ("sub", 5)):
        for path, times in ((hello, 100000 // scale), (varied, 20000 // scale)):
            serve(path, group=group, times=times // 10, body=[b"abcdefg"])
            before = rss()
            serve(path, group=group, times=times, body=[b"abcdefg"])
            assert rss() - before < 1 << 20, (group, path, rss() - before)


def test_speed():
    path = script(MANY)
    env = {f"HTTP_HEADER_{n}": "some value of a header" for n in range(15)}
    serve(path, times=1000, env=env)
    best = min(serve(path, times=20000, env=env).seconds / 20000 for _ in range(3))
    os.write(1, f"hello world with {len(environ(**env))} variables: {best * 1e6:.2f} us\n".encode())
