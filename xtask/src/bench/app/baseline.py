"""What the application alone costs: calls it without any server and prints the processor time of one call in microseconds.

    python baseline.py MODULE PATH QUERY CALLS
"""

import importlib
import io
import sys
import time

module, path, query, calls = sys.argv[1:]
application = importlib.import_module(module).application


def call():
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    result = application(environ, lambda status, headers, exc_info=None: None)
    for _ in result:
        pass
    if hasattr(result, "close"):
        result.close()


for _ in range(100):
    call()
start = time.process_time_ns()
for _ in range(int(calls)):
    call()
print((time.process_time_ns() - start) / int(calls) / 1000)
