import atexit
import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
atexit.register(lambda: print("atexit ran", flush=True))


def hello(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return [b"hello\n"]


def environ(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    lines = ["%s=%r" % (key, environ[key]) for key in sorted(environ)]
    return ["\n".join(lines).encode()]


def echo(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    body = environ["wsgi.input"]
    while True:
        block = body.read(100000)
        if not block:
            return
        yield block


def first_byte(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(1)]


def unread(environ, start):
    return hello(environ, start)


def big(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return [b"x" * 5_000_000]


def pieces(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    for number in range(200):
        yield b"%05d" % number * 2000


def file(environ, start):
    start("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


def logs(environ, start):
    print("one line for wsgi.errors", file=environ["wsgi.errors"])
    print("one line printed")
    return hello(environ, start)


def long_log(environ, start):
    environ["wsgi.errors"].write("x" * 200000 + "\n")
    return hello(environ, start)


def crash_after_log(environ, start):
    print("last words", file=environ["wsgi.errors"])
    os.kill(os.getpid(), signal.SIGKILL)


def raises(environ, start):
    raise ValueError("as asked")


def raises_late(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    raise ValueError("as asked")


def huge_header(environ, start):
    start("200 OK", [("Content-Type", "text/plain"), ("X-Huge", "x" * 600000)])
    return [b"never"]


def sleep(environ, start):
    time.sleep(1)
    return hello(environ, start)


def slow_stream(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    for _ in range(10):
        yield b"piece"
        time.sleep(0.1)


def busy(environ, start):
    while True:
        pass


def hold_gil(environ, start):
    ctypes.PyDLL(None).sleep(60)


def thread_forever(environ, start):
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
    return hello(environ, start)


def terminate(environ, start):
    child = subprocess.Popen(["/bin/sleep", "60"])
    child.terminate()
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(child.wait(10)).encode()]


def fork(environ, start):
    pid = os.fork()
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.1)
    os.kill(pid, signal.SIGTERM)
    start("200 OK", [("Content-Type", "text/plain")])
    return [str(os.waitpid(pid, 0)[1]).encode()]


def descriptors(environ, start):
    listing = subprocess.run(["/bin/ls", "/proc/self/fd"], close_fds=False, stdout=subprocess.PIPE).stdout
    start("200 OK", [("Content-Type", "text/plain")])
    return [listing]


def no_descriptors_left(environ, start):
    """Room for one connection less than are open now: this one goes, one more fits."""
    used = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, used))
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]


def allow_access(environ, host):
    print(f"asked about {host}", file=environ["wsgi.errors"])
    if host == "raise":
        raise RuntimeError("on purpose")
    return {"10.0.0.1": True, "10.0.0.2": False}.get(host)


def paths(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join([sys.prefix] + sys.path).encode()]


def deep(environ, start):
    sys.setrecursionlimit(200000)

    def down(level):
        return 0 if level == 0 else 1 + max([level - 1], key=lambda _: down(level - 1)) - level + 1

    start("200 OK", [("Content-Type", "text/plain")])
    return [str(down(2000)).encode()]


def application(environ, start):
    return globals()[environ["PATH_INFO"].strip("/")](environ, start)
