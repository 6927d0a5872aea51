"""Environs of successive requests: nothing of one is in the next, whatever a thread keeps."""

import ast
import random

import kit
from kit import *

SCRIPT = """
def application(environ, start_response):
    shown = {k: v for k, v in environ.items() if k.isupper() or k.startswith('mod_wsgi.l')}
    environ['SERVER_NAME'] = 'changed by the application'
    environ['LEFT_OVER'] = 'x'
    start_response('200 OK', [])
    return [repr(shown).encode()]
"""
FIRST = [
    ("HTTP_HOST", "a"),
    ("SERVER_NAME", "a"),
    ("SERVER_PORT", "80"),
    ("SERVER_ADMIN", "me"),
    ("REQUEST_METHOD", "GET"),
    ("SCRIPT_NAME", ""),
    ("PATH_INFO", "/"),
    ("CONTEXT_PREFIX", ""),
    ("mod_wsgi.listener_host", "::1"),
]


def seen(path, pairs, thread):
    raw = [(key.encode(), value.encode()) for key, value in pairs]
    r = Response(*kit.gateway.serve(thread, path, "application", "", raw, [], 1, []))
    assert r.status == "200 OK", r.text
    return ast.literal_eval(r.body.decode()) if r.body else None


def check(path, pairs, thread=3):
    got = seen(path, pairs, thread)
    # The last of several counts.
    assert got == dict(pairs), (pairs, got)


def test_each_request_has_its_own_environ():
    path = script(SCRIPT)
    without = lambda name: [pair for pair in FIRST if pair[0] != name]
    for pairs in [
        FIRST,
        FIRST,
        [(key, "b" if key == "SERVER_NAME" else value) for key, value in FIRST],
        FIRST,
        without("SERVER_ADMIN"),
        without("SERVER_NAME"),
        without("CONTEXT_PREFIX"),
        without("mod_wsgi.listener_host"),
        FIRST[:1],
        [],
        FIRST,
        FIRST[::-1],
        FIRST + [("SERVER_NAME", "later"), ("HTTP_HOST", "later")],
        [("SERVER_NAME", "earlier"), ("CONTEXT_PREFIX", "earlier")] + FIRST,
        [("SERVER_NAME", "a")] + FIRST + [("SERVER_NAME", "a")],
        FIRST,
    ]:
        check(path, pairs)


def test_environs_of_all_kinds_in_any_order():
    path = script(SCRIPT)
    chance = random.Random(7)
    for _ in range(400):
        pairs = [(key, chance.choice([value, value, value, "other", ""])) for key, value in FIRST]
        pairs = [pair for pair in pairs if pair[0] != "REQUEST_METHOD" and chance.random() < 0.9]
        if chance.random() < 0.3:
            chance.shuffle(pairs)
        if pairs and chance.random() < 0.2:
            pairs.insert(chance.randrange(len(pairs)), chance.choice(pairs))
        check(path, pairs)


def test_a_lasting_change_is_learned():
    path = script(SCRIPT)
    other = [(key, value + "-2") for key, value in FIRST]
    for pairs in [FIRST, other, FIRST]:
        for _ in range(40):
            check(path, pairs)


def test_head_is_told_from_get():
    path = script("def application(e, s):\n    s('200 OK', [('Content-Length', '5')])\n    return [b'']\n")
    for method in ["GET", "HEAD", "HEAD", "GET", "HEAD", "POST"]:
        r = serve(path, env={"REQUEST_METHOD": method})
        # Too short for anything but HEAD.
        assert (r.failed == "500") == (method != "HEAD"), (method, r.events)


def test_request_methods_of_another_kind_come_first():
    path = script(SCRIPT.replace("repr(shown)", "environ['REQUEST_METHOD']"))
    for method in ["HEAD", "GET", "HEAD", "POST"]:
        r = serve(path, thread=2, env={"REQUEST_METHOD": method})
        assert r.body.decode() == method
