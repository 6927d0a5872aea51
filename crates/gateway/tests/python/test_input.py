"""wsgi.input."""

from kit import *


def body(expression, blocks, **kwargs):
    r = call(OK + f"i = environ['wsgi.input']\nreturn [repr(({expression})).encode()]", body=blocks, **kwargs)
    return eval(r.body) if r.status else r.text


def test_read():
    blocks = [b"ab", b"cde", b"f"]
    assert body("i.read()", blocks) == b"abcdef"
    assert body("i.read(-1), i.read(), i.read(5)", blocks) == (b"abcdef", b"", b"")
    assert body("i.read(4), i.read(4), i.read(4)", blocks) == (b"abcd", b"ef", b"")
    assert body("i.read(1), i.read(1), i.read(0), i.read(2), i.read(None)", blocks) == (b"a", b"b", b"", b"cd", b"ef")
    assert body("i.read(size=6)", blocks) == b"abcdef"
    assert body("i.read(10**15)", blocks) == b"abcdef"
    assert body("i.read()", []) == b""
    big = [bytes([n % 251]) * 70000 for n in range(40)]
    assert body("__import__('hashlib').sha256(i.read()).hexdigest()", big) == __import__("hashlib").sha256(
        b"".join(big)
    ).hexdigest()
    assert body("len(i.read(2 << 20)), len(i.read(1 << 20))", big) == (2 << 20, 40 * 70000 - (2 << 20))


def test_lines():
    blocks = [b"one\ntw", b"o\n\nla", b"st"]
    assert body("i.readline(), i.readline(), i.readline(), i.readline(), i.readline()", blocks) == (
        b"one\n", b"two\n", b"\n", b"last", b"")
    assert body("i.readline(0), i.readline(2), i.readline(9), i.read()", blocks) == (b"", b"on", b"e\n", b"two\n\nlast")
    assert body("i.readlines()", blocks) == [b"one\n", b"two\n", b"\n", b"last"]
    assert body("i.readlines(4), i.readlines(5), i.readlines(0)", blocks) == ([b"one\n"], [b"two\n", b"\n"], [b"last"])
    assert body("list(i), list(i)", blocks) == ([b"one\n", b"two\n", b"\n", b"last"], [])
    assert body("next(i), i.read(2), list(i)", blocks) == (b"one\n", b"tw", [b"o\n", b"\n", b"last"])
    assert body("len(i.readline()), i.read()", [b"x" * 150000, b"\ny"]) == (150001, b"y")
    assert body("i.close(), i.read()", [b"x"]) == (None, b"x")


def test_wrong_arguments():
    for expression, text in [
        ("i.read('x')", "TypeError: read() argument must be int, not str"),
        ("i.read(1, 2)", "TypeError: read() takes at most 1 arguments (2 given)"),
        ("i.readline(1.5)", "TypeError: readline() argument must be int, not float"),
        ("i.seek(0)", "AttributeError: 'mod_wsgi.Input' object has no attribute 'seek'"),
    ]:
        assert body(expression, [b"x"]).splitlines()[-1] == text


def test_errors():
    for method in ("i.read()", "i.read(9)", "i.readline()", "i.readlines()", "list(i)"):
        r = call(
            OK
            + f"""
        i = environ['wsgi.input']
        for _ in range(2):
            try:
                {method}
            except OSError as error:
                print(error)
        return []
        """,
            body=[b"x"],
            body_error="closed",
        )
        assert r.log == [
            "mod_wsgi request data read error: Connection was terminated",
            "mod_wsgi request data read error: input is already in error state",
        ], (method, r.text)


def test_other_threads_may_read_and_write():
    r = call(
        """
        import threading
        write = start_response('200 OK', [])
        def work():
            write(environ['wsgi.input'].read(3))
            environ['wsgi.errors'].write('from a thread\\n')
        threads = [threading.Thread(target=work) for _ in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        return []
        """,
        body=[b"abcdefghijkl"],
    )
    assert sorted(r.body) == sorted(b"abcdefghijkl") and r.log == ["from a thread"] * 4, r.events
