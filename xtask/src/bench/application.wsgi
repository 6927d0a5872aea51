"""The application both servers run: a hello world and a download of the file beside this script."""

import os

FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "100MB")
BODY = b"Hello, world!\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def application(environ, start_response):
    if environ["PATH_INFO"] == "/file":
        size = os.path.getsize(FILE)
        start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(size))])
        return environ["wsgi.file_wrapper"](open(FILE, "rb"), 65536)
    start_response("200 OK", HEADERS)
    return [BODY]
