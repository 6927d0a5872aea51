"""start_response, write, and what they refuse."""

from kit import *


def test_rs_1_status_is_checked():
    for status, name, text in [
        ("'OK'", "ValueError", "status code must be a 3 digit integer"),
        ("''", "ValueError", "status code must be a 3 digit integer"),
        ("'2OO OK'", "ValueError", "status code must be a 3 digit integer"),
        ("'99 Low'", "ValueError", "status code must be a 3 digit integer"),
        ("'1000 High'", "ValueError", "status code must be a 3 digit integer"),
        ("'200OK'", "ValueError", "no space following status code"),
        ("'200\\tOK'", "ValueError", "no space following status code"),
        ("'200 O\\nK'", "ValueError", "control character in status reason phrase"),
        ("'200 O\\rK'", "ValueError", "control character in status reason phrase"),
        ("'200 O\\0K'", "ValueError", "control character in status reason phrase"),
        ("'200 O\\x7fK'", "ValueError", "control character in status reason phrase"),
        ("'200 ' + 'x' * 9000", "ValueError", "status reason phrase is longer than 512 bytes"),
        ("'100 Continue'", "ValueError", "status code 100 is not one an application may send (200 to 999)"),
        ("'199 X'", "ValueError", "status code 199 is not one an application may send (200 to 999)"),
        ("'000 X'", "ValueError", "status code 0 is not one an application may send (200 to 999)"),
        ("'200 \\u20ac'", "ValueError", "status contains characters outside latin-1"),
        ("b'200 OK'", "TypeError", "status must be a str, not bytes"),
        ("200", "TypeError", "status must be a str, not int"),
    ]:
        raises(call(f"start_response({status}, [])\nreturn [b'x']"), name, text)


def test_status_that_is_allowed():
    for given, seen in [("200", "200 "), ("200 ", "200 "), ("999 Odd", "999 Odd"), ("404 Gr\\xfc\\xdfe", "404 Gr\xfc\xdfe")]:
        r = call(f"start_response('{given}', [])\nreturn []")
        assert r.status == seen, (r.events, seen)


def test_rs_1_headers_are_checked():
    for headers, name, text in [
        ("()", "TypeError", "start_response() argument 2 must be list, not tuple"),
        ("iter([])", "TypeError", "start_response() argument 2 must be list, not list_iterator"),
        ("None", "TypeError", "start_response() argument 2 must be list, not NoneType"),
        ("[['A', 'b']]", "TypeError", "response header must be a tuple, not list"),
        ("['A']", "TypeError", "response header must be a tuple, not str"),
        ("[('A',)]", "ValueError", "response header must be a tuple of length 2, not 1"),
        ("[('A', 'b', 'c')]", "ValueError", "response header must be a tuple of length 2, not 3"),
        ("[(1, 'b')]", "TypeError", "response header name must be a str, not int"),
        ("[(b'A', 'b')]", "TypeError", "response header name must be a str, not bytes"),
        ("[('A', 1)]", "TypeError", "response header value must be a str, not int"),
        ("[('A', None)]", "TypeError", "response header value must be a str, not NoneType"),
        ("[('A', b'b')]", "TypeError", "response header value must be a str, not bytes"),
        ("[('', 'b')]", "ValueError", "response header name is empty"),
        ("[('A\\n', 'b')]", "ValueError", "control character in response header name"),
        ("[('A B', 'b')]", "ValueError", "space character in response header name"),
        ("[('A:B', 'b')]", "ValueError", "response header name 'A:B' is not a token of RFC 9110"),
        ("[('\\xc4', 'b')]", "ValueError", "response header name '\\xc4' is not a token of RFC 9110"),
        ("[('\\u20ac', 'b')]", "ValueError", "response header name contains characters outside latin-1"),
        ("[('A', '\\u20ac')]", "ValueError", "response header value contains characters outside latin-1"),
        ("[('A', '\\udc80')]", "ValueError", "response header value contains characters outside latin-1"),
        ("[('Content-Length', 'x')]", "ValueError", "invalid Content-Length header value: 'x'"),
        ("[('Content-Length', '-1')]", "ValueError", "invalid Content-Length header value: '-1'"),
        ("[('Content-Length', '+1')]", "ValueError", "invalid Content-Length header value: '+1'"),
        ("[('Content-Length', '')]", "ValueError", "invalid Content-Length header value: ''"),
        ("[('Content-Length', '9' * 30)]", "ValueError", "invalid Content-Length header value: '" + "9" * 30 + "'"),
        ("[('Content-Length', '1'), ('content-length', '2')]", "ValueError",
         "two Content-Length headers with different values: 1 and 2"),
    ]:
        raises(call(f"start_response('200 OK', {headers})\nreturn [b'x']"), name, text)
    for code in [*range(32), 127]:
        r = call(f"start_response('200 OK', [('A', 'x' + chr({code}) + 'y')])\nreturn [b'x']")
        raises(r, "ValueError", "control character in value of response header 'A'")


def test_rs_9_what_is_too_large_is_named():
    for headers, text in [
        ("[('X' * 257, 'b')]", "response header name '" + "X" * 40 + "...' is 257 bytes long, more than 256"),
        ("[('A', 'b')] * 1001", "the response has 1001 headers with 2002 bytes, more than the 1000 headers or 524288 bytes "
         "that are passed on; the largest is \"A\" with 1 bytes"),
        ("[('A', 'b'), ('X-Huge', 'x' * 600000)]", "the response has 2 headers with 600008 bytes, more than the 1000 headers "
         "or 524288 bytes that are passed on; the largest is \"X-Huge\" with 600000 bytes"),
    ]:
        raises(call(f"start_response('200 OK', {headers})\nreturn [b'x']"), "ValueError", text)
    r = call("start_response('200 ' + 'x' * 512, [('X' * 256, 'b')] * 1000)\nreturn [b'x']")
    assert len(r.headers) == 1000 and r.body == b"x" and not r.log, r.text


def test_headers_arrive_in_order_and_unmerged():
    r = call(
        """
        start_response('200 OK', [('B', '1'), ('a', 'gr\\xfcn'), ('B', ''), ('Set-Cookie', 'x'), ('Set-Cookie', 'y'),
                                  ('Content-Length', ' 1 '), ('Content-Length', '1')])
        return [b'x']
        """
    )
    assert r.headers == [("B", "1"), ("a", "gr\xfcn"), ("B", ""), ("Set-Cookie", "x"), ("Set-Cookie", "y"),
                         ("Content-Length", "1")], r.headers


def test_rs_6_hop_by_hop_headers_are_dropped_and_said_once():
    names = ["Connection", "keep-alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
             "Transfer-Encoding", "UPGRADE", "Proxy-Connection"]
    path = script(
        f"def application(e, s):\n    s('200 OK', [(n, 'x') for n in {names}] + [('A', 'b'), ('Proxy-Status', 'x')])\n    return []"
    )
    r = serve(path)
    assert r.headers == [("A", "b"), ("Proxy-Status", "x")] and r.levels == ["Warn"] and "WSGI1202" in r.text
    assert not serve(path).log


def test_keywords_and_wrong_arguments():
    assert call("start_response(status='200 OK', headers=[], exc_info=None)\nreturn []").status == "200 OK"
    for arguments, text in [
        ("", "start_response() missing required argument 'status' (pos 1)"),
        ("'200 OK'", "start_response() missing required argument 'headers' (pos 2)"),
        ("'200 OK', [], None, 1", "start_response() takes at most 3 arguments (4 given)"),
        ("'200 OK', [], other=1", "start_response() got an unexpected keyword argument 'other'"),
        ("'200 OK', [], status=1", "start_response() got multiple values for argument 'status'"),
    ]:
        raises(call(f"start_response({arguments})"), "TypeError", text)


def test_second_call_replaces_while_nothing_was_sent():
    r = call("start_response('200 OK', [('A', '1')])\nstart_response('201 Created', [('B', '2')])\nreturn [b'x']")
    assert (r.status, r.headers) == ("201 Created", [("B", "2")])
    r = call("start_response('200 OK', [('A', '1')])\ntry:\n    start_response('x', [])\nexcept ValueError: pass\nreturn []")
    assert (r.status, r.headers) == ("200 OK", [("A", "1")])
    r = call(OK + "yield b'x'\nstart_response('201 Created', [])")
    assert r.kinds == ["head", "data", "abort"]
    assert r.log[-1] == "RuntimeError: start_response() called more than once without exc_info"


def test_exc_info():
    r = call(
        """
        import sys
        try:
            start_response('200 OK', [('A', '1')])
            raise KeyError('early')
        except KeyError:
            start_response('500 Oops', [('B', '2')], sys.exc_info())
        return [b'sorry']
        """
    )
    assert (r.status, r.headers, r.body) == ("500 Oops", [("B", "2")], b"sorry") and not r.log
    r = call(
        OK
        + """
        import sys
        yield b'x'
        try:
            raise KeyError('late')
        except KeyError:
            start_response('500 Oops', [], sys.exc_info())
        """
    )
    assert r.kinds == ["head", "data", "abort"] and r.log[-1] == "KeyError: 'late'"
    assert any("raise KeyError('late')" in line for line in r.log)
    raises(call("start_response('200 OK', [], [1])"), "RuntimeError", "exc_info must be a tuple or None")
    r = call(OK + "yield b'x'\nstart_response('200 OK', [], (1, 2, 3))")
    assert r.log[-1] == "TypeError: exc_info must hold an exception class, value and traceback"


def test_write():
    r = call("write = start_response('200 OK', [])\nwrite(b'')\nwrite(b'a')\nwrite(data=b'b')\nreturn [b'c']")
    assert r.kinds == ["head", "data", "data", "end_with"] and r.body == b"abc"
    r = call("start_response('200 OK', [('Content-Length', '2')])(b'abc')\nreturn []")
    assert r.body == b"ab" and "WSGI1200" in r.text
    raises(call("start_response('200 OK', [])('x')"), "TypeError", "write() argument must be bytes, not str")


def test_write_when_sending_fails():
    source = """
        write = start_response('200 OK', [])
        write(b'a')
        try:
            write(b'b')
        except OSError as error:
            print(type(error).__name__, error)
            raise
        """
    r = call(source, writes=1)
    assert r.log == ["OSError mod_wsgi client connection closed"] and r.kinds[-1] == "abort"
    r = call(source, writes=1, write_error="no space")
    assert r.log[0] == "OSError mod_wsgi failed to write response data: no space" and r.kinds[-1] == "abort"


def test_objects_that_outlive_the_request_refuse():
    r = run(
        """
        kept = []
        def application(environ, start_response):
            import sys
            for old_start, old_write, old_input, old_errors in kept:
                for f, a in [(old_start, ('200 OK', [])), (old_write, (b'x',)), (old_input.read, ()),
                             (old_input.readline, ()), (old_input.readlines, ()), (next, (old_input,)),
                             (old_input.close, ()), (old_errors.write, ('x\\n',))]:
                    try:
                        f(*a)
                    except RuntimeError as error:
                        print(error)
            kept.clear()
            kept.append((start_response, start_response('200 OK', []), environ['wsgi.input'], environ['wsgi.errors']))
            return []
        """
    )
    r = serve(os.path.join(DIRECTORY, f"app{__import__('kit')._count}.wsgi"))
    assert r.log == [
        "start_response() called after request completed",
        "write() called after request completed",
        "read() called on wsgi.input after request completed",
        "readline() called on wsgi.input after request completed",
        "readlines() called on wsgi.input after request completed",
        "iteration of wsgi.input attempted after request completed",
        "close() called on wsgi.input after request completed",
        "write() called on wsgi.errors after request completed",
    ], r.text


def test_the_classes_cannot_be_made_or_changed():
    r = call(
        OK
        + """
        import copy, pickle
        for make in (type(environ['wsgi.input']), lambda: object.__new__(type(environ['wsgi.input'])),
                     lambda: copy.copy(environ['wsgi.input']), lambda: pickle.dumps(environ['wsgi.input']),
                     lambda: type('Sub', (type(environ['wsgi.input']),), {})):
            try:
                print(make())
            except TypeError as error:
                pass
        return []
        """
    )
    assert r.status == "200 OK" and not r.log, r.text


def test_rs_1_what_passes_is_clean_and_what_is_clean_passes():
    # The rules once more, as regular expressions, against random texts of which many are odd.
    r = call(
        r'''
        import random, re
        odd = "\r\n\0\t: \x7f\xff\u20ac\ud800"
        def text(letters="abcXYZ019-_.!~", most=6):
            return "".join(random.choice(odd if random.random() < 0.15 else letters) for _ in range(random.randrange(most)))
        token = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
        value = re.compile("[\x20-\x7e\x80-\xff]*")
        line = re.compile("[2-9][0-9][0-9]( [\x20-\x7e\x80-\xff]*)?", re.ASCII)
        wrong, passed = [], 0
        random.seed(6)
        for n in range(4000):
            status = text("0123456789 aZ", 8) if n % 2 else random.choice(["200", "404 No", "999 x"]) + text()
            headers = [(text() or "A", text()) for _ in range(random.randrange(3))]
            clean = bool(line.fullmatch(status)) and all(token.fullmatch(a) and value.fullmatch(b) for a, b in headers)
            try:
                start_response(status, headers)
                accepted = True
            except ValueError:
                accepted = False
            passed += accepted
            if accepted != clean:
                wrong.append((status, headers, accepted))
        assert 200 < passed < 3800, passed
        start_response('200 OK', [])
        return [repr(wrong[:5]).encode()]
        '''
    )
    assert r.body == b"[]", r.body or r.text
