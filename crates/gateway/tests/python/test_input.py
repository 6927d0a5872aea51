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
        ("i.read('x')", "TypeError: 'str' object cannot be interpreted as an integer"),
        ("i.read(1, 2)", "TypeError: read() takes at most 1 arguments (2 given)"),
        ("i.readline(1.5)", "TypeError: 'float' object cannot be interpreted as an integer"),
        ("i.readlines(10**30)", "OverflowError: cannot fit 'int' into an index-sized integer"),
        ("i.seek(0)", "AttributeError: 'mod_wsgi.Input' object has no attribute 'seek'"),
    ]:
        assert body(expression, [b"x"]).splitlines()[-1] == text


def test_sizes_that_only_behave_like_integers():
    index = "type('N', (), {'__index__': lambda self: 2})()"
    assert body(f"i.read({index}), i.readline({index}), i.readlines({index})", [b"abcdefg\nh\ni"]) == (
        b"ab", b"cd", [b"efg\n"])
    assert body("i.read(True)", [b"abc"]) == b"a"


def test_the_buffer_is_not_returned_after_an_error():
    for how in ("i.read(1)", "i.read(0)", "i.readline(0)", "i.readline()", "i.readlines()", "next(i)"):
        r = call(
            OK
            + f"""
        i = environ['wsgi.input']
        for step in (i.readline, lambda: {how}, lambda: i.close()):
            try:
                print(step())
            except OSError as error:
                print(error)
        return []
        """,
            body=[b"a line without an end"],
            body_error="closed",
        )
        assert r.log == [
            "mod_wsgi request data read error: Connection was terminated",
            "mod_wsgi request data read error: input is already in error state",
            "None",
        ], (how, r.text)


def test_a_client_that_goes_away_is_no_failure_of_the_application():
    r = call(OK + "return [environ['wsgi.input'].read()]", body=[b"x"], body_error="closed")
    assert (r.failed, r.kinds, r.log) == (None, ["abort"], []), r.events
    r = call(OK + "return [environ['wsgi.input'].read()]", body=[b"x"], body_error="no luck")
    raises(r, "OSError", "mod_wsgi request data read error: no luck")


def test_seeking():
    def seek(expression, blocks=(b"one\ntwo\n", b"three"), **kwargs):
        return body(expression, list(blocks), **{"gathered": 1, "seekable": 1, **kwargs})

    assert seek("i.seekable(), i.tell(), i.read(5), i.tell(), i.seek(0), i.read()") == (
        True, 0, b"one\nt", 5, 0, b"one\ntwo\nthree")
    # What Zope does to learn the size of an upload.
    assert seek("i.seek(0, 2), i.tell(), i.read(), i.seek(0), i.readline()") == (13, 13, b"", 0, b"one\n")
    assert seek("i.readline(), i.tell(), i.seek(-2, 1), i.readlines(), i.tell(), i.seek(-3, 2), i.read()") == (
        b"one\n", 4, 2, [b"e\n", b"two\n", b"three"], 13, 10, b"ree")
    assert seek("i.seek(100), i.read(), i.read(3), i.readline(), list(i), i.tell(), i.seek(offset=1, whence=0), i.read(1)") == (
        100, b"", b"", b"", [], 100, 1, b"n")
    assert seek("i.seek(0, 2), i.read()", []) == (0, b"")
    for expression, text in [
        ("i.seek(-1)", "OSError: seek(): -1 from 0 on is not a place in a body"),
        ("i.seek(-14, 2)", "OSError: seek(): -14 from 13 on is not a place in a body"),
        ("i.seek(2**63 - 1), i.seek(1, 1)", f"OSError: seek(): 1 from {2**63 - 1} on is not a place in a body"),
        ("i.seek(0, 3)", "ValueError: seek(): whence must be 0, 1 or 2, not 3"),
        ("i.seek('0')", "TypeError: 'str' object cannot be interpreted as an integer"),
        ("i.seek()", "TypeError: seek() missing required argument 'offset' (pos 1)"),
    ]:
        assert seek(expression).splitlines()[-1] == text, expression
    # The methods are there only when the configuration asks for them, and the body can be read again.
    names = "[hasattr(i, name) for name in ('seek', 'tell', 'seekable')], type(i).__name__"
    assert seek(names) == ([True] * 3, "SeekableInput")
    for options in ({"seekable": 0}, {"gathered": 0}):
        options = {name: value for name, value in {"gathered": 1, "seekable": 1, **options}.items() if value}
        assert body(names, [b"x"], **options) == ([False] * 3, "Input")


def test_like_a_file():
    """Random calls, compared with what io.BytesIO answers."""
    sizes = ("", "None", "-1", "-7", "0", "1", "2", "3", "5", "17", "70000", "10**12")
    calls = [f"{method}({size})" for method in ("read", "readline", "readlines") for size in sizes]
    calls += ["close()", "__iter__().__next__()"]
    seeks = ["tell()"] + [f"seek({n})" for n in (0, 1, 6, 150000)] + [f"seek({n}, 2)" for n in (0, 4)] + ["seek(1, 1)"]
    random = __import__("random").Random(3333)
    for number in range(250):
        blocks = [
            b"".join(random.choice((b"\n", b"ab", b"c" * random.choice((1, 9, 66000)))) for _ in range(random.randrange(9)))
            for _ in range(random.randrange(6))
        ]
        options = random.choice([{}, {"gathered": 1}, {"gathered": 1, "seekable": 1}])
        chosen = random.choices(calls + (seeks if "seekable" in options else []), k=random.randrange(1, 14))
        model = __import__("io").BytesIO(b"".join(blocks))
        want = []
        for call_ in chosen:
            if call_ == "close()":
                want.append(None)
                continue
            try:
                want.append(eval("model." + call_))
            except StopIteration:
                want.append("stop")
        r = run(
            """
            import hashlib
            def application(environ, start_response):
                start_response('200 OK', [])
                i, got = environ['wsgi.input'], []
                for text in %r:
                    try:
                        got.append(eval('i.' + text))
                    except StopIteration:
                        got.append('stop')
                return [repr(got).encode()]
            """ % (chosen,),
            body=[block for block in blocks if block],
            **options,
        )
        got = eval(r.body) if r.status else r.text
        assert got == want, (number, options, chosen, [len(block) for block in blocks])


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
