"""Runs a WSGI application under mod_python, which has no way of its own to do that.

`PythonOption wsgi.application MODULE` names the module that has it, `PythonOption wsgi.script_name PATH` where it is mounted.
"""

import importlib
import io
import sys

from mod_python import apache


class Source(io.RawIOBase):
    """The request's body as a raw stream."""

    def __init__(self, request):
        self.request = request

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.request.read(len(buffer))
        data = data if isinstance(data, bytes) else data.encode("latin-1")
        buffer[: len(data)] = data
        return len(data)


def handler(request):
    options = request.get_options()
    application = importlib.import_module(options["wsgi.application"]).application
    script_name = options.get("wsgi.script_name", "")
    environ = dict(apache.build_cgi_env(request))
    environ.update(
        {
            "SCRIPT_NAME": script_name,
            "PATH_INFO": request.uri[len(script_name) :],
            "QUERY_STRING": request.args or "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BufferedReader(Source(request), 65536),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
    )

    def start_response(status, headers, exc_info=None):
        request.status = int(status[:3])
        for name, value in headers:
            if name.lower() == "content-length":
                request.set_content_length(int(value))
            elif name.lower() == "content-type":
                request.content_type = value
            else:
                request.headers_out.add(name, value)
        return request.write

    result = application(environ, start_response)
    try:
        for block in result:
            request.write(block)
    finally:
        close = getattr(result, "close", io.BytesIO().close)
        close()
    return apache.OK
