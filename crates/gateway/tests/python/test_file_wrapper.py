"""wsgi.file_wrapper."""

from kit import *

DATA = os.path.join(DIRECTORY, "data")
with open(DATA, "wb") as _file:
    _file.write(b"line one\nline two\n" + b"x" * 100000)
SIZE = 100018


def wrapper(setup, headers="[]", **kwargs):
    return call(f"start_response('200 OK', {headers})\nf = open({DATA!r}, 'rb')\n{setup}\nreturn environ['wsgi.file_wrapper'](f)", **kwargs)


def test_whole_file():
    r = wrapper("")
    assert r.kinds == ["head", "file", "end"] and r.headers == [("Content-Length", str(SIZE))] and len(r.body) == SIZE


def test_starts_at_tell():
    r = wrapper("assert f.readline() == b'line one\\n'")
    assert r.body.startswith(b"line two") and r.headers == [("Content-Length", str(SIZE - 9))]
    assert wrapper("f.seek(0, 2)").kinds == ["head", "end"]
    assert wrapper("f.seek(10**9)").headers == [("Content-Length", "0")]


def test_obeys_content_length():
    assert wrapper("", "[('Content-Length', '4')]").body == b"line"
    r = wrapper("", "[('Content-Length', '200000')]")
    assert r.kinds == ["head", "file", "abort"] and "WSGI1201" in r.text
    assert wrapper("f.seek(0, 2)", "[('Content-Length', '4')]").failed == "500"


def test_closes_the_file():
    r = wrapper(
        """
class F:
    def __init__(self, f): self.f = f
    def __getattr__(self, name): return getattr(self.f, name)
    def close(self): print('closed'); self.f.close()
f = F(f)"""
    )
    assert r.kinds == ["head", "file", "end"] and r.log == ["closed"]


def test_falls_back_to_blocks():
    r = call(OK + "import io\nreturn environ['wsgi.file_wrapper'](io.BytesIO(b'abcdefg'), 3)")
    assert r.kinds == ["head", "data", "data", "data", "end"] and r.body == b"abcdefg"
    r = call(OK + "import os\na, b = os.pipe()\nos.write(b, b'pipe')\nos.close(b)\nreturn environ['wsgi.file_wrapper'](os.fdopen(a, 'rb'))")
    assert r.body == b"pipe" and "file" not in r.kinds
    r = wrapper("start_response('200 OK', [])(b'first ')")
    assert r.body.startswith(b"first line one") and "file" not in r.kinds
    raises(call(OK + "import io\nreturn environ['wsgi.file_wrapper'](io.StringIO('abc'))"), "TypeError",
           "read() of the file-like object must return bytes, not str")


def test_class():
    r = call(
        OK
        + """
        import io, mod_wsgi
        w = mod_wsgi.FileWrapper(io.BytesIO(b'abc'), blksize=2)
        assert (w.blksize, w.filelike.getvalue(), list(w)) == (2, b'abc', [b'ab', b'c'])
        w.close()
        assert w.filelike.closed
        try:
            mod_wsgi.FileWrapper(None, -1)
        except ValueError:
            pass
        else:
            raise AssertionError
        class Sub(mod_wsgi.FileWrapper):
            pass
        return Sub(open(__file__, 'rb'))
        """
    )
    assert r.kinds == ["head", "file", "end"]


def test_head_and_304_of_a_file():
    r = call(f"start_response('304 Not Modified', [])\nreturn environ['wsgi.file_wrapper'](open({DATA!r}, 'rb'))")
    assert r.kinds == ["head", "end"] and r.headers == []


def test_file_that_cannot_be_sent():
    r = wrapper("", writes=0)
    assert r.kinds == ["head", "abort"] and not r.log
