"""Scripts, environ, iterables, exceptions."""

from kit import *


def test_hello():
    r = call(OK + "return [b'Hello']")
    assert r.kinds == ["head", "end_with"], r.events
    assert (r.status, r.body) == ("200 OK", b"Hello")
    assert r.headers == [("Content-Type", "text/plain")] and not r.log


def test_environ_types():
    r = run(
        """
        import hashlib
        def application(environ, start_response):
            import mod_wsgi, io
            e = environ
            assert type(e) is dict
            assert e['wsgi.version'] == (1, 0)
            assert e['wsgi.url_scheme'] == 'https' and 'HTTPS' not in e
            assert e['wsgi.multithread'] is True and e['wsgi.multiprocess'] is True and e['wsgi.run_once'] is False
            assert e['wsgi.input_terminated'] is True
            assert e['wsgi.file_wrapper'] is mod_wsgi.FileWrapper
            assert isinstance(e['wsgi.errors'], io.TextIOWrapper)
            assert e['apache.version'] == (2, 4, 57) and e['mod_wsgi.version'] == (6, 0, 5)
            assert e['mod_wsgi.process_group'] == 'tests' and e['mod_wsgi.application_group'] == ''
            assert e['mod_wsgi.callable_object'] == 'application'
            assert (e['mod_wsgi.request_start'], e['mod_wsgi.queue_start'], e['mod_wsgi.daemon_start']) == (1.0, 2.0, 3.0)
            import time
            assert abs(e['mod_wsgi.application_start'] - time.time()) < 5
            assert e['mod_wsgi.thread_id'] == 2 and type(e['mod_wsgi.thread_id']) is int
            assert e['mod_wsgi.script_name'] == '/a' and e['mod_wsgi.path_info'] == '/b'
            assert e['HTTP_X'] == 'gr\\xfc\\xdf' and e['QUERY_STRING'] == ''
            assert e['SCRIPT_FILENAME'] == '/srv/\\udcff.wsgi' or e['SCRIPT_FILENAME'] == '/srv/\\xff.wsgi'
            assert all(type(k) is str for k in e)
            assert __name__ == '_mod_wsgi_' + hashlib.md5(__file__.encode()).hexdigest()
            import sys, os
            module = sys.modules[__name__]
            assert module.__mtime__ == os.stat(__file__).st_mtime_ns // 1000
            start_response('200 OK', [])
            return [__file__.encode()]
        """,
        thread=2,
        https=1,
        env={
            "HTTPS": "1",
            "SCRIPT_NAME": "/a",
            "PATH_INFO": "/b",
            "HTTP_X": b"gr\xfc\xdf",
            "SCRIPT_FILENAME": b"/srv/\xff.wsgi",
        },
    )
    assert r.status == "200 OK", r.text


def test_validator():
    r = run(
        """
        from wsgiref.validate import validator
        @validator
        def application(environ, start_response):
            size = int(environ['CONTENT_LENGTH'])
            body = environ['wsgi.input'].read(size)
            environ['wsgi.errors'].write('note\\n')
            environ['wsgi.errors'].flush()
            write = start_response('201 Created', [('Content-Type', 'text/plain')])
            return iter([body, b'!'])
        """,
        body=[b"ab", b"c"],
        env={"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "3", "CONTENT_TYPE": "text/plain"},
    )
    assert (r.status, r.body) == ("201 Created", b"abc!"), r.text
    assert r.log == ["note"] and r.levels == ["Error"]


def test_small_lists_and_tuples_leave_in_one_go():
    assert call(OK + "return (b'a', b'', b'b')").events[-1] == ("end_with", "", b"ab")
    r = call(OK + "return [b'x' * 40000] * 2")
    assert r.kinds == ["head", "data", "data", "end"] and len(r.body) == 80000


def test_each_block_is_sent_before_the_next_is_made():
    r = call(
        OK
        + """
        def blocks():
            for block in (b'a', b'', b'b'):
                print('making', block)
                yield block
        return blocks()
        """
    )
    order = [content or kind.encode() for kind, _, content in r.events]
    assert order == [b"making b'a'", b"Content-Type: text/plain\n", b"a", b"making b''", b"making b'b'", b"b", b"end"]


def test_empty_response_and_no_start_response():
    assert call(OK + "return []").kinds == ["head", "end_with"]
    assert call(OK + "return iter([])").kinds == ["head", "end"]
    text = "start_response() must be called before response content is produced"
    for value in ("[]", "[b'x']", "iter([b'x'])", "iter([])", "environ['wsgi.file_wrapper'](open(__file__, 'rb'))"):
        raises(call(f"return {value}"), "RuntimeError", text)


def test_generator_may_call_start_response_late():
    r = call(
        """
        yield b''
        start_response('200 OK', [])
        yield b'x'
        """
    )
    assert r.status == "200 OK" and r.body == b"x"


def test_blocks_must_be_bytes():
    for block, kind in (("'x'", "str"), ("bytearray(b'x')", "bytearray"), ("None", "NoneType")):
        for shape in ("[%s]", "iter([%s])"):
            text = f"response iterable must yield bytes, not {kind}"
            raises(call(OK + f"return {shape % block}"), "TypeError", text)
    r = call(OK + "return iter([b'x', 1])")
    assert r.kinds == ["head", "data", "abort"]


def test_not_iterable():
    raises(call(OK + "return None"), "TypeError", "'NoneType' object is not iterable")


def test_exception_before_the_head():
    r = call(OK + "raise ValueError('broken')")
    raises(r, "ValueError", "broken")
    assert set(r.levels) == {"Error"}
    assert r.log[0].startswith("WSGI0174: ")
    assert r.log[1] == "Traceback (most recent call last):"


def test_exception_chain_is_logged():
    r = call("try:\n    1/0\nexcept Exception as e:\n    raise KeyError('k') from e")
    assert "ZeroDivisionError" in r.text and "The above exception was the direct cause" in r.text


def test_rs_7_exception_after_the_head_truncates():
    r = call(OK + "yield b'x'\nraise ValueError('late')")
    assert r.kinds == ["head", "data", "abort"]
    assert r.log[-1] == "ValueError: late"


def test_system_exit_is_ignored():
    r = call("raise SystemExit(3)")
    assert r.failed == "500" and "WSGI0175" in r.log[0]
    assert call(OK + "import sys\nyield b'x'\nsys.exit(1)").kinds[-1] == "abort"


def test_request_timeout():
    r = call("import mod_wsgi\nraise mod_wsgi.RequestTimeout()")
    assert r.failed == "504" and r.levels == ["Info"]
    assert call(OK + "import mod_wsgi\nyield b'x'\nraise mod_wsgi.RequestTimeout()").kinds[-1] == "abort"
    call("import mod_wsgi\nassert mod_wsgi.RequestTimeout.__bases__ == (BaseException,)\n" + OK + "return []")


CLOSING = """
class Closing:
    def __init__(self, blocks): self.blocks = blocks
    def __iter__(self): return iter(self.blocks)
    def close(self): print('closed')
def broken():
    yield b'x'
    raise ValueError('late')
"""


def test_close_is_always_called():
    for blocks in ("[b'x']", "[]", "['wrong']", "None", "broken()"):
        r = run(CLOSING + f"def application(e, start_response):\n    {OK}    return Closing({blocks})\n")
        assert r.log.count("closed") == 1, (blocks, r.events)
    r = run(CLOSING + f"def application(e, start_response):\n    {OK}    return Closing([b'a', b'b', b'c'])\n", writes=1)
    assert r.kinds == ["head", "data", "abort"] and r.log == ["closed"]


def test_exception_in_close():
    source = f"""
class Closing(list):
    def close(self): raise ValueError('in close')
def application(e, start_response):
    {OK}
    return Closing([b'x'])
"""
    r = run(source)
    assert r.body == b"x" and r.kinds[-1] == "end" and r.log[-1] == "ValueError: in close"
    r = run(source.replace("def close(self): raise", "@property\n    def close(self): raise"))
    assert "WSGI0194" in r.log[0]


def test_generator_is_closed():
    r = call(
        OK
        + """
        def blocks():
            try:
                yield b'a'
                yield b'b'
            finally:
                print('finally')
        return blocks()
        """,
        writes=1,
    )
    assert r.log == ["finally"] and r.kinds[-1] == "abort", r.events


def test_rs_6_body_longer_than_declared_is_cut_and_logged_once():
    path = script("def application(e, s):\n    s('200 OK', [('Content-Length', '3')])\n    return [b'ab', b'cde']\n")
    r = serve(path)
    assert r.body == b"abc" and r.levels == ["Warn"] and "WSGI1200" in r.text
    assert not serve(path).log
    assert not serve(path, thread=2).log
    r = call("start_response('200 OK', [('Content-Length', '3')])\nyield b'ab'\nyield b'cde'\nyield b'f'")
    assert r.body == b"abc" and r.kinds == ["head", "data", "data", "end"]


def test_rs_6_body_shorter_than_declared_looks_broken():
    start = "start_response('200 OK', [('Content-Length', '9')])\n"
    r = call(start + "yield b'ab'")
    assert r.kinds == ["head", "data", "abort"] and "WSGI1201" in r.text
    assert call(start + "return [b'ab']").failed == "500"
    assert call(start + "return []", env={"REQUEST_METHOD": "HEAD"}).kinds == ["head", "end_with"]
    r = call("start_response('304 Not Modified', [('Content-Length', '9')])\nreturn []")
    assert r.kinds == ["head", "end_with"] and not r.log
    r = call("start_response('204 No Content', [])\nreturn [b'x']")
    assert r.body == b"" and "WSGI1200" in r.text


def test_panics_become_system_errors():
    try:
        gateway_module().panics()
    except SystemError as error:
        assert "on purpose" in str(error)
    else:
        raise AssertionError("no exception")


def gateway_module():
    import kit

    return kit.gateway
