"""The smallest application that shows where it runs: `wsgictl serve examples/hello/hello.wsgi`."""

import os
import sys


def application(environ, start_response):
    lines = [
        "Hello from Apache and Python!",
        f"Python {sys.version.split()[0]}, {sys.executable}",
        f"process group {environ['mod_wsgi.process_group']!r}, process {os.getpid()}, user id {os.getuid()}",
        f"{environ['REQUEST_METHOD']} {environ['SCRIPT_NAME']}{environ['PATH_INFO']}",
    ]
    body = ("\n".join(lines) + "\n").encode()
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
