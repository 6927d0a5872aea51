"""Runs all test functions of this directory: run.py EXTENSION [word in the name]."""

import os
import sys
import time
import traceback

here = os.path.dirname(os.path.abspath(__file__))
sys.path[0] = here

import kit


def main():
    # The gateway takes sys.stdout over: results go to the real one.
    stdout = os.fdopen(os.dup(1), "w", buffering=1)
    extension, word = (sys.argv + [""])[1:3]
    kit.load(extension)
    failed = count = 0
    for name in sorted(os.listdir(here)):
        if not (name.startswith("test_") and name.endswith(".py")):
            continue
        module = __import__(name[:-3])
        for test, function in list(vars(module).items()):
            if not test.startswith("test_") or word not in test:
                continue
            count += 1
            started = time.monotonic()
            try:
                function()
            except BaseException:
                failed += 1
                stdout.write(f"FAILED {name}: {test}\n{traceback.format_exc()}\n")
            if time.monotonic() - started > 2:
                stdout.write(f"slow: {test} {time.monotonic() - started:.1f} s\n")
    ended = kit.gateway.stop()
    # Interpreters with a GIL of their own are left as they are.
    if ended != ("Clean" if word or sys.version_info < (3, 12) else "NotEnded"):
        failed += 1
        stdout.write(f"FAILED: interpreters ended otherwise: {ended}\n")
    if not word and not os.path.exists(os.path.join(kit.DIRECTORY, "atexit")):
        failed += 1
        stdout.write("FAILED: atexit functions of the sub-interpreter did not run\n")
    if not word and not os.path.exists(os.path.join(kit.DIRECTORY, "atexit-own")):
        failed += 1
        stdout.write("FAILED: atexit functions of the interpreter with its own GIL did not run\n")
    for name in ("over-", "over-events"):
        try:
            with open(os.path.join(kit.DIRECTORY, name)) as file:
                told = file.read()
        except OSError as error:
            told = str(error)
        if not word and told != "process_stopping: the tests are over":
            failed += 1
            stdout.write(f"FAILED: {name} was told: {told}\n")
    kit.clean()
    stdout.write(f"{count} tests, {failed} failed, Python {sys.version.split()[0]}\n")
    # What is left cannot be finalised.
    stdout.flush()
    os._exit(1 if failed else 0)


main()
