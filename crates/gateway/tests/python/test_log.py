"""wsgi.errors, sys.stdout, sys.stderr, LogHandler."""

from kit import *


def test_lines():
    r = call(
        OK
        + """
        import sys
        e = environ['wsgi.errors']
        e.write('one\\ntwo\\nth')
        e.write('ree\\n')
        e.writelines(['four\\n', 'fi', 've\\n'])
        print('six', file=e)
        e.write('seven'); e.flush()
        e.buffer.write(b'eight\\n'); e.buffer.write(bytearray(b'nine\\n')); e.buffer.write(memoryview(b'ten\\n'))
        e.write('gr\\u20ac\\udc80\\n')
        e.write('no end')
        return []
        """
    )
    # A line feed anywhere in a text makes TextIOWrapper flush all of it (line_buffering), as in mod_wsgi.
    assert r.log == ["one", "two", "th", "ree", "four", "five", "six", "seven", "eight", "nine", "ten", "gr\u20ac?", "no end"], r.log
    assert set(r.levels) == {"Error"}


def test_stdout_and_stderr_go_to_the_request():
    r = call(OK + "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.stdout.write('rest')\nreturn []")
    assert r.log == ["out", "err", "rest"]


def test_stream_attributes():
    r = call(
        OK
        + """
        import io, sys
        for s in (environ['wsgi.errors'], sys.stdout, sys.stderr):
            assert isinstance(s, io.TextIOWrapper) and (s.encoding, s.errors) == ('utf-8', 'replace'), s
            assert s.writable() and not s.readable() and not s.seekable() and not s.isatty() and not s.closed
            b = s.buffer
            assert type(b).__name__ == 'Log' and b.closed is False and (b.encoding, b.errors) == ('utf-8', 'replace')
            assert b.write(b'') == 0 and b.write('') == 0
            for f in (s.fileno, b.fileno):
                try:
                    f()
                except OSError:
                    pass
                else:
                    raise AssertionError
            try:
                b.write(None)
            except TypeError:
                pass
            else:
                raise AssertionError
        return [sys.stdout.name.encode()]
        """
    )
    assert r.status == "200 OK" and r.body == b"<stdout>", r.text


def test_errors_stream_is_reused_only_when_nobody_kept_it():
    path = script(
        """
        kept = []
        def application(environ, start_response):
            start_response('200 OK', [])
            if environ['QUERY_STRING']:
                kept.append(environ['wsgi.errors'])
            environ['wsgi.errors'].write('here\\n')
            return [str(id(environ['wsgi.errors'])).encode()]
        """
    )
    first, again = serve(path), serve(path)
    assert first.body == again.body and again.log == ["here"]
    serve(path, env={"QUERY_STRING": "keep"})
    assert serve(path).body != first.body


def test_errors_stream_that_was_taken_apart_is_not_used_again():
    path = script(
        """
        kept = []
        def application(environ, start_response):
            start_response('200 OK', [])
            errors = environ['wsgi.errors']
            errors.write('here\\n')
            query = environ['QUERY_STRING']
            if query == 'detach': kept.append(errors.detach())
            if query == 'buffer': kept.append(errors.buffer)
            if query == 'close': errors.close()
            for stream in kept[:-1]:
                try: stream.write(b'wrong request\\n')
                except RuntimeError: pass
            return []
        """
    )
    for query in ("", "detach", "", "buffer", "", "close", "", ""):
        assert serve(path, env={"QUERY_STRING": query}).log == ["here"], query


def test_output_outside_of_requests_goes_to_descriptor_2():
    read, write = os.pipe()
    saved = os.dup(2)
    os.dup2(write, 2)
    try:
        r = call(
            OK
            + """
            import threading
            t = threading.Thread(target=lambda: print('from elsewhere'))
            t.start(); t.join()
            return []
            """
        )
        print("from the main thread")
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(write)
    with os.fdopen(read) as file:
        assert file.read().splitlines() == ["from elsewhere", "from the main thread"]
    assert not r.log


def test_log_handler():
    r = call(
        OK
        + """
        import logging, mod_wsgi
        logger = logging.getLogger('x')
        logger.setLevel(1)
        logger.propagate = False
        handler = mod_wsgi.LogHandler()
        assert mod_wsgi.LogHandler is type(handler) and isinstance(handler, logging.Handler)
        logger.addHandler(handler)
        for level in (50, 40, 30, 20, 10):
            logger.log(level, 'a\\nlevel %d', level)
        logger.removeHandler(handler)
        return []
        """
    )
    assert r.levels == [x for level in ("Critical", "Error", "Warn", "Info", "Debug") for x in (level, level)]
    assert r.log[:2] == ["a", "level 50"]
