"""Drives the gateway: applications as source text, requests, what became of them."""

import importlib.machinery
import importlib.util
import os
import shutil
import tempfile
import textwrap

DIRECTORY = tempfile.mkdtemp(prefix="gateway-test-")
HOME = os.path.join(DIRECTORY, "home")
LIBRARY = os.path.join(DIRECTORY, "library")
# A directory of configured scripts, and one script that only the application group "sub" may load.
SCRIPTS = os.path.join(DIRECTORY, "scripts")
SUB_SCRIPT = os.path.join(DIRECTORY, "only-sub.wsgi")
gateway = None
OK = "start_response('200 OK', [('Content-Type', 'text/plain')])\n"
_count = 0


def load(path):
    """Loads the extension module and starts a gateway with three request threads."""
    global gateway
    loader = importlib.machinery.ExtensionFileLoader("_gateway_test", path)
    spec = importlib.util.spec_from_file_location("_gateway_test", path, loader=loader)
    gateway = importlib.util.module_from_spec(spec)
    loader.exec_module(gateway)
    os.mkdir(HOME)
    os.mkdir(LIBRARY)
    os.mkdir(SCRIPTS)
    gateway.start(3, [LIBRARY], HOME, [(SCRIPTS, "*"), (SUB_SCRIPT, "sub")])


def clean():
    shutil.rmtree(DIRECTORY)


def script(source):
    """Writes a script and returns its path."""
    global _count
    _count += 1
    path = os.path.join(DIRECTORY, f"app{_count}.wsgi")
    with open(path, "w") as file:
        file.write(textwrap.dedent(source))
    return path


def environ(**changes):
    base = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "mod_wsgi.request_id": "abc",
    }
    base.update(changes)
    pairs = []
    for key, value in base.items():
        value = value if isinstance(value, bytes) else value.encode("latin-1")
        pairs.append((key.encode("latin-1"), value))
    return pairs


class Response:
    def __init__(self, events, seconds):
        self.events, self.seconds = events, seconds
        self.kinds = [kind for kind, _, _ in events if kind != "log"]
        self.log = [content.decode() for kind, _, content in events if kind == "log"]
        self.levels = [level for kind, level, _ in events if kind == "log"]
        heads = [(status, content) for kind, status, content in events if kind == "head"]
        assert len(heads) <= 1, events
        self.status = heads[0][0] if heads else None
        lines = heads[0][1].decode("latin-1").splitlines() if heads else []
        self.headers = [tuple(line.split(": ", 1)) for line in lines]
        self.body = b"".join(content for kind, _, content in events if kind in ("data", "file", "end_with"))
        self.failed = next((status for kind, status, _ in events if kind == "fail"), None)

    @property
    def text(self):
        return "\n".join(self.log)


def serve(path, body=(), thread=1, group="", callable="application", times=1, env=None, **options):
    options = [(name, str(value)) for name, value in options.items()]
    pairs = environ(**(env or {}))
    result = Response(*gateway.serve(thread, path, callable, group, pairs, list(body), times, options))
    closing = [kind for kind in result.kinds if kind in ("end", "end_with", "abort", "fail", "out_of_date")]
    assert times > 1 or len(closing) == 1 and result.kinds[-1] == closing[0], result.events
    return result


def run(source, *args, **kwargs):
    """Writes a script, serves one request, returns the response."""
    return serve(script(source), *args, **kwargs)


def call(statements, **kwargs):
    """An application made of statements (a function body), run once."""
    ok = OK if statements.startswith(OK) else ""
    body = textwrap.indent(ok + textwrap.dedent(statements[len(ok) :]), "    ")
    return run("def application(environ, start_response):\n" + body + "\n", **kwargs)


def raises(response, name, text):
    """The request failed with 500 and this exception is the last line of the log."""
    assert response.failed == "500", response.events
    assert response.log[-1] == f"{name}: {text}", response.text
