"""Scripts as modules: names, failures, reloading, pickle, first loads at the same time."""

import os
import pickle
import sys
import threading

from kit import *

HELLO = "def application(e, s):\n    s('200 OK', [])\n    return [{!r}]\n"


def write(path, source):
    with open(path, "w") as file:
        file.write(source)


def touch(path, seconds=1, nanoseconds=0):
    """Changes the modification time by so much."""
    facts = os.stat(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + seconds * 10**9 + nanoseconds))


def test_a_script_is_a_module():
    path = script(
        """
        import sys, os, hashlib, inspect
        name = '_mod_wsgi_' + hashlib.md5(__file__.encode()).hexdigest()
        assert __name__ == name and sys.modules[name].__dict__ is globals()
        def application(environ, start_response):
            assert __file__ == environ['SCRIPT_FILENAME'], __file__
            assert __mtime__ == os.stat(__file__).st_mtime_ns // 1000
            assert __package__ == '' and __spec__.name == __name__ and __spec__.origin == __file__
            assert inspect.getsource(application).startswith('def application')
            start_response('200 OK', [])
            return []
        """
    )
    r = serve(path, env={"SCRIPT_FILENAME": path})
    assert r.status == "200 OK", r.text
    assert not os.path.exists(os.path.join(os.path.dirname(path), "__pycache__"))


def test_init_py_is_no_package():
    path = os.path.join(SCRIPTS, "__init__.py")
    write(path, "assert '__path__' not in globals()\n" + HELLO.format(b"plain"))
    assert serve(path).body == b"plain"


def test_missing_callable_and_script():
    r = run("other = 1")
    assert r.failed == "500" and "WSGI0089" in r.text and "application" in r.text
    assert run("def other(e, s):\n    s('200 OK', [])\n    return []", callable="other").status == "200 OK"
    r = serve("/does/not/exist.wsgi")
    assert r.failed == "500" and len(r.log) == 1, r.text
    assert r.log[0].startswith("WSGI0105: Cannot read the script file: [Errno 2]"), r.text
    r = serve(DIRECTORY)
    assert "WSGI0105" in r.text and "Is a directory" in r.text
    raises(run("application = 1"), "TypeError", "'int' object is not callable")


def test_a_script_that_cannot_be_loaded_is_tried_again():
    path = script("def application(:")
    r = serve(path)
    assert r.failed == "500" and r.log[0].startswith("WSGI1210: Cannot compile"), r.text
    assert r.log[1] == f'  File "{path}", line 1', r.text
    assert r.log[-1].startswith("SyntaxError: "), r.text
    write(path, "def f():\n    raise KeyError('missing')\nf()\n")
    r = serve(path)
    assert r.log[0].startswith("WSGI0109"), r.text
    # The traceback begins in the script.
    assert r.log[1:3] == ["Traceback (most recent call last):", f'  File "{path}", line 3, in <module>'], r.text
    assert r.log[-1] == "KeyError: 'missing'"
    assert r.text.count("Traceback") == 1
    for statement in ("raise SystemExit(1)", "import sys; sys.exit('over')"):
        write(path, statement)
        assert "WSGI0107" in serve(path).text
    write(path, "import no_such_module")
    r = serve(path)
    assert "WSGI0109" in r.log[0] and r.log[-2] == "ModuleNotFoundError: No module named 'no_such_module'"
    write(path, "open('/no/such/file')")
    assert "WSGI0109" in serve(path).log[0]
    write(path, "compile('(', 'x', 'exec')")
    assert "WSGI0109" in serve(path).log[0]
    write(path, "x = '\0'")
    assert "WSGI1210" in serve(path).log[0]
    write(path, HELLO.format(b"now"))
    assert serve(path).body == b"now"


def test_a_script_without_its_callable_is_tried_again_until_something_of_it_is_used():
    path = script("count = 1")
    for _ in range(2):
        assert "WSGI0089" in serve(path, reloading=1).text
    write(path, HELLO.format(b"here"))
    assert serve(path, reloading=1).body == b"here"
    # From now on the module is in use: another name that is missing does not throw away what others use.
    name = module_name(path)
    module = serve(probe(f"import sys\nresult = id(sys.modules['{name}'])")).body
    assert "WSGI0089" in serve(path, callable="other").text
    assert serve(probe(f"import sys\nresult = id(sys.modules['{name}'])")).body == module
    assert serve(path).body == b"here"


def module_name(path):
    import hashlib

    return "_mod_wsgi_" + hashlib.md5(path.encode()).hexdigest()


def probe(statements):
    """An application that answers with what the statements assign to result, at each request."""
    body = "\n".join("    " + line for line in statements.splitlines())
    return script(
        f"def application(e, s):\n{body}\n    s('200 OK', [])\n    return [str(result).encode()]\n"
    )


def test_a_changed_script_is_left_to_another_process():
    path = script("print('loading')\n" + HELLO.format(b"one"))
    assert serve(path, reloading=1).log == ["loading"]
    assert serve(path, reloading=1).body == b"one"
    changes = [
        lambda: touch(path),
        lambda: touch(path, -2),
        lambda: touch(path, 1, 1),
    ]
    for change in changes:
        change()
        r = serve(path, reloading=1)
        assert r.kinds == ["out_of_date"] and not r.log, r.events
        # Each thread notices, and again and again.
        assert serve(path, reloading=1, thread=2).kinds == ["out_of_date"]
    # Never with WSGIScriptReloading Off.
    assert serve(path).body == b"one"
    touch(path, 0, -1)
    assert serve(path, reloading=1).body == b"one"
    os.unlink(path)
    assert serve(path, reloading=1).kinds == ["out_of_date"]
    assert serve(path).body == b"one"


def test_a_change_of_size_or_of_the_target_of_a_link_counts():
    target, other = script(HELLO.format(b"one")), script(HELLO.format(b"other"))
    facts = os.stat(target)
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    link = target + ".link"
    os.symlink(target, link)
    assert serve(link, reloading=1).body == b"one"
    os.unlink(link)
    os.symlink(other, link)
    # The same time, another size.
    assert serve(link, reloading=1).kinds == ["out_of_date"]
    os.unlink(link)
    os.symlink(target, link)
    assert serve(link, reloading=1).body == b"one"
    touch(target)
    assert serve(link, reloading=1).kinds == ["out_of_date"]


def test_reload_required_has_its_say():
    path = script(
        """
        import builtins
        def reload_required(resource):
            assert resource == '/the/resource', resource
            return builtins.answer()
        def application(environ, start_response):
            start_response('200 OK', [])
            return [b'ran']
        """
    )
    import builtins

    env = {"SCRIPT_FILENAME": "/the/resource"}
    try:
        builtins.answer = lambda: "yes"
        # The request that loads the script gets it as it is.
        assert serve(path, reloading=1, env=env).body == b"ran"
        assert serve(path, reloading=1, env=env).kinds == ["out_of_date"]
        assert serve(path, env=env).body == b"ran"
        builtins.answer = lambda: 0
        assert serve(path, reloading=1, env=env).body == b"ran"
        builtins.answer = lambda: 1 / 0
        r = serve(path, reloading=1, env=env)
        assert r.body == b"ran" and "WSGI1211" in r.log[0] and r.log[-1] == "ZeroDivisionError: division by zero"
    finally:
        del builtins.answer


def test_first_loads_of_two_scripts_can_wait_for_each_other():
    import builtins

    builtins.barrier = threading.Barrier(2, timeout=20)
    source = "import builtins\nbuiltins.barrier.wait()\n" + HELLO.format(b"met")
    bodies = []
    try:
        threads = [
            threading.Thread(target=lambda p=script(source), n=n: bodies.append(serve(p, thread=n).body)) for n in (1, 2)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        del builtins.barrier
    assert bodies == [b"met", b"met"]


def test_one_thread_loads_and_the_others_wait():
    import builtins

    builtins.loading, builtins.go_on = threading.Event(), threading.Event()
    path = script("import builtins\nprint('loading')\nbuiltins.loading.set()\nbuiltins.go_on.wait(20)\n" + HELLO.format(b"x"))
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(serve(path, thread=n))) for n in (1, 2)]
    try:
        for t in threads:
            t.start()
        builtins.loading.wait(20)
        # Another script does not wait.
        assert serve(script(HELLO.format(b"quick")), thread=3).body == b"quick"
        assert not results
        builtins.go_on.set()
        for t in threads:
            t.join()
    finally:
        del builtins.loading, builtins.go_on
    assert [r.body for r in results] == [b"x", b"x"]
    assert sorted(len(r.log) for r in results) == [0, 1]


PICKLES = """
import pickle
class Thing:
    def __init__(self, value):
        self.value = value
def application(environ, start_response):
    start_response('200 OK', [])
    return [pickle.dumps(Thing(7))]
"""


def test_pickle_works_for_classes_of_scripts():
    path = script(PICKLES)
    data = serve(path).body
    assert pickle.loads(data).value == 7
    # Another interpreter that has served the script.
    for group in ("", "sub"):
        serve(path, group=group)
        loads = probe(f"import pickle\nresult = pickle.loads({data!r}).value")
        assert serve(loads, group=group).body == b"7"


def test_pickle_loads_configured_scripts_that_nobody_has_asked_for():
    path = os.path.join(SCRIPTS, "pickles.wsgi")
    write(path, "print('loading')\n" + PICKLES)
    r = serve(path)
    assert r.log == ["loading"]
    loads = probe(f"import pickle\nresult = pickle.loads({r.body!r}).value")
    other = serve(loads, group="fresh")
    assert (other.body, other.log) == (b"7", ["loading"])
    # A request finds the same module then, and knows what it was made from.
    assert serve(path, group="fresh", reloading=1).log == []
    touch(path)
    assert serve(path, group="fresh", reloading=1).kinds == ["out_of_date"]


def test_pickle_loads_no_script_that_another_application_group_is_for():
    write(SUB_SCRIPT, PICKLES)
    data = serve(SUB_SCRIPT, group="sub").body
    loads = probe(f"import pickle\nresult = pickle.loads({data!r}).value")
    r = serve(loads, group="elsewhere")
    assert r.failed == "500" and r.log[-1].startswith("ModuleNotFoundError: No module named '_mod_wsgi_"), r.text
    assert serve(loads, group="sub").body == b"7"


def test_the_finder_comes_back_when_an_application_removes_it():
    before = sys.meta_path[:]
    try:
        sys.meta_path[:] = [finder for finder in before if finder.__module__ != "mod_wsgi.scripts"]
        assert len(sys.meta_path) == len(before) - 1
        assert run(HELLO.format(b"loaded")).body == b"loaded"
        assert len(sys.meta_path) == len(before)
    finally:
        sys.meta_path[:] = before
