"""Subscribers of events, in the main interpreter and in a sub-interpreter."""

import os

from kit import *

SOURCE = """
import mod_wsgi
seen = []
@mod_wsgi.subscribe_events
def subscriber(name, **payload):
    seen.append((name, payload))
    {body}
def application(environ, start_response):
    if environ['QUERY_STRING'] == 'show':
        # Others in this interpreter are not told any more.
        mod_wsgi.event_callbacks.remove(subscriber)
        start_response('200 OK', [])
        return [repr({shown}).encode()]
    {application}
"""
PLAIN = "start_response('201 Made', [('X-A', 'b')]); environ['wsgi.input'].read(); return [b'abc', b'de']"


def tell(shown, body="pass", application=PLAIN, group="", **kwargs):
    """A response, and what `shown` makes of the events that a subscriber has seen of its request."""
    path = script(SOURCE.format(shown=shown, body=body, application=application))
    response = serve(path, group=group, **kwargs)
    answer = serve(path, group=group, env={"QUERY_STRING": "show"})
    assert answer.status == "200 OK", answer.text
    return response, eval(answer.body.decode())


def test_a_request_has_three_events():
    for group in ("", "events"):
        response, names = tell("[name for name, _ in seen]", group=group)
        assert response.status == "201 Made" and response.body == b"abcde", response.text
        # The last two belong to the request that asks.
        assert names == ["request_started", "response_started", "request_finished", "request_started"], names


def test_what_events_carry():
    shown = "[{k: v if type(v) in (int, float, str, dict, list) and k != 'request_environ' else type(v).__name__ for k, v in payload.items()} for _, payload in seen[:3]]"
    body = "payload['request_data'].setdefault('names', []).append(name)"
    _, (started, response, finished) = tell(shown, body)
    names = ["request_started", "response_started", "request_finished"]
    for event in (started, response, finished):
        assert event["request_id"] == "abc" and event["thread_id"] == 1, event
        assert event["request_data"] == {"names": names}, event
    assert started["server_pid"] == finished["server_pid"] == 7
    for event in (started, finished):
        assert (event["request_start"], event["queue_start"], event["daemon_start"]) == (1.0, 2.0, 3.0)
    assert started["callable_object"] == "application" and started["application_object"] == "function"
    assert started["request_environ"] == "dict" and started["application_start"] > 1e9
    assert response["response_status"] == "201 Made" and response["response_headers"] == [("X-A", "b")]
    assert response["exception_info"] == "NoneType"
    assert finished["status"] == 201 and finished["output_length"] == 5, finished
    assert finished["application_finish"] >= started["application_start"] == finished["application_start"] and finished["application_time"] >= 0
    assert finished["cpu_time"] == finished["cpu_user_time"] + finished["cpu_system_time"] >= 0


def test_events_count_input_and_output():
    shown = "[payload for name, payload in seen if name == 'request_finished'][0]"
    shown = "{k: v for k, v in (%s).items() if k != 'request_data'}" % shown
    application = "environ['wsgi.input'].read(); start_response('200 OK', []); return (b'x' * 10 for _ in range(3))"
    response, finished = tell(shown, application=application, body="pass")
    assert finished["output_writes"] == 3 and finished["output_length"] == 30 and finished["output_time"] > 0, finished
    path = script(SOURCE.format(shown=shown, body="pass", application=application))
    serve(path, [b"abc", b"defg"])
    finished = eval(serve(path, env={"QUERY_STRING": "show"}).body.decode())
    # The end of the body is one more read.
    assert finished["input_length"] == 7 and finished["input_reads"] >= 3 and finished["input_time"] > 0, finished


def test_a_subscriber_may_put_another_application_in_its_place():
    body = "return {'application_object': lambda e, s: s('200 OK', []) and [b'another']} if name == 'request_started' and payload['request_environ']['QUERY_STRING'] != 'show' else None"
    response, _ = tell("0", body)
    assert response.body == b"another"


def test_what_a_subscriber_returns_is_merged_for_the_next():
    source = """
    import mod_wsgi
    got = []
    first = mod_wsgi.subscribe_events(lambda name, **payload: {'extra': name})
    second = mod_wsgi.subscribe_events(lambda name, **payload: got.append(payload['extra']))
    def application(environ, start_response):
        mod_wsgi.event_callbacks.remove(first)
        mod_wsgi.event_callbacks.remove(second)
        start_response('200 OK', [])
        return [repr(got).encode()]
    """
    assert run(source).body == b"['request_started']"


def test_an_exception_of_the_application_is_an_event():
    shown = "[(payload['exception_info'][0].__name__, str(payload['exception_info'][1]), payload['exception_info'][2] is not None) for name, payload in seen if name == 'request_exception']"
    for group in ("", "events"):
        response, seen = tell(shown, application="raise KeyError('x')", group=group)
        assert response.failed == "500" and seen == [("KeyError", "'x'", True)], seen
    response, seen = tell(
        "[payload['status'] for name, payload in seen if name == 'request_finished']", application="return []"
    )
    assert response.failed == "500" and seen == [500], seen


def test_a_subscriber_that_fails_harms_nobody():
    response, names = tell("[name for name, _ in seen]", body="1 / 0")
    assert response.body == b"abcde"
    assert response.text.count("WSGI0112") == 3 and "ZeroDivisionError" in response.text, response.text
    response, _ = tell("0", body="raise SystemExit")
    assert response.body == b"abcde" and "SystemExit" in response.text


def test_without_subscribers_nothing_is_told():
    r = call(OK + "import mod_wsgi\nassert mod_wsgi.event_callbacks == [], mod_wsgi.event_callbacks\nreturn []")
    assert r.status == "200 OK", r.text


def test_signals_reach_each_interpreter():
    source = """
    import mod_wsgi
    seen = []
    @mod_wsgi.subscribe_signals
    def subscriber(name, *, signame, signum, **rest):
        seen.append((name, signame, signum))
    def application(environ, start_response):
        mod_wsgi.signal_callbacks[:] = []
        start_response('200 OK', [])
        return [repr(seen).encode()]
    """
    paths = {}
    for group in ("", "events"):
        paths[group] = script(source + "\n    def ready(e, s):\n        s('200 OK', [])\n        return []\n")
        assert serve(paths[group], group=group, callable="ready").status == "200 OK"
    gateway().signal()
    for group in ("", "events"):
        r = serve(paths[group], group=group)
        assert r.body == b"[('process_signal', 'SIGHUP', 1)]", (r.body, r.text)


def gateway():
    import kit

    return kit.gateway


def test_the_end_is_told_in_each_interpreter():
    # run.py looks for the files after stop().
    for group in ("", "events"):
        r = run(
            f"""
            import mod_wsgi
            @mod_wsgi.subscribe_shutdown
            def over(name, *, shutdown_reason, **rest):
                with open({os.path.join(DIRECTORY, 'over-' + group)!r}, 'a') as file:
                    file.write(name + ': ' + shutdown_reason)
            def application(e, s):
                s('200 OK', [])
                return []
            """,
            group=group,
        )
        assert r.status == "200 OK", r.text
