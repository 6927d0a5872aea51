"""The application of most cases: one path for each kind of work. Every server runs this same file.

`/file?N` sends the first N bytes of `blobN`, a file beside this one.
"""

import json
import os
import time

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "blob")
HELLO = b"Hello, world!\n"
PAGE = b"0123456789abcdef" * 4096
BLOCK = b"0123456789abcdef" * 4096
PLAIN = ("Content-Type", "text/plain")


def hello(environ, start_response):
    start_response("200 OK", [PLAIN, ("Content-Length", "14")])
    return [HELLO]


def compute(environ, start_response):
    """Pure Python that takes 200 µs of processor time."""
    end = time.thread_time_ns() + 200_000
    while time.thread_time_ns() < end:
        pass
    start_response("200 OK", [PLAIN, ("Content-Length", "14")])
    return [HELLO]


def wait(environ, start_response):
    """A thread that waits 1 ms for something else, as for a database."""
    time.sleep(0.001)
    start_response("200 OK", [PLAIN, ("Content-Length", "14")])
    return [HELLO]


def document(environ, start_response):
    """Reads a JSON document and answers with a small one."""
    value = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    body = json.dumps({"items": len(value["items"])}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def page(environ, start_response):
    """64 KiB from memory."""
    start_response("200 OK", [PLAIN, ("Content-Length", str(len(PAGE)))])
    return [PAGE]


def file(environ, start_response):
    """A file, by the server's own way where it has one."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
    handle = open(FILE + environ["QUERY_STRING"], "rb")
    wrapper = environ.get("wsgi.file_wrapper")
    return wrapper(handle, 65536) if wrapper else iter(lambda: handle.read(65536), b"")


def generate(environ, start_response):
    """Blocks of 64 KiB, one after the other."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
    return blocks(size)


def blocks(size):
    while size > 0:
        yield BLOCK if size >= len(BLOCK) else BLOCK[:size]
        size -= len(BLOCK)


def upload(environ, start_response):
    """Reads a body and answers with its length."""
    source, size = environ["wsgi.input"], 0
    left = int(environ["CONTENT_LENGTH"])
    while left > 0:
        block = source.read(min(left, 65536))
        if not block:
            break
        size += len(block)
        left -= len(block)
    body = b"%d" % size
    start_response("200 OK", [PLAIN, ("Content-Length", str(len(body)))])
    return [body]


WORK = {
    "/hello": hello,
    "/compute": compute,
    "/wait": wait,
    "/document": document,
    "/page": page,
    "/file": file,
    "/generate": generate,
    "/upload": upload,
}


def application(environ, start_response):
    return WORK[environ["PATH_INFO"]](environ, start_response)
