"""A daemon thread in a sub-interpreter: stop() must not end the interpreter under it, but run its atexit functions."""

import os
import sys

sys.path[0] = os.path.dirname(os.path.abspath(__file__))

import kit

kit.load(sys.argv[1])
mark = os.path.join(kit.DIRECTORY, "atexit")
response = kit.run(
    f"""
    import atexit, threading, time
    def forever():
        while True:
            time.sleep(0.01)
    threading.Thread(target=forever, daemon=True).start()
    atexit.register(lambda: open({mark!r}, "w").close())
    def application(environ, start_response):
        start_response("200 OK", [])
        return []
    """,
    group="sub",
)
assert response.status == "200 OK", response.text
assert kit.gateway.stop() == "ThreadsLeft"
assert os.path.exists(mark)
kit.clean()
os._exit(0)
