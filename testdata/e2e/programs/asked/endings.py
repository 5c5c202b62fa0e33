"""Ways to end a process."""

import atexit
import os
import signal
import sys
import threading
import time

VALUES = {
    "none": None,
    "zero": 0,
    "seven": 7,
    "big": 300,
    "negative": -1,
    "huge": 2**70,
    "true": True,
    "false": False,
    "text": "a text is an error",
    "float": 2.5,
    "tuple": (1, 2),
    "object": Exception("an object"),
}


def give(name):
    return VALUES[name]


def leave(name):
    sys.exit(VALUES[name])


def fail():
    first = {"reason": "on purpose"}
    raise ValueError(first["reason"])


def fail_of_another():
    try:
        fail()
    except ValueError as error:
        raise RuntimeError("in turn") from error


def fail_in_dependency():
    import dep

    dep.fail()


def kill(name):
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(10)


def wait_for_signal():
    print("waiting", flush=True)
    time.sleep(20)


def handle(name):
    signal.signal(getattr(signal, name), lambda number, frame: sys.exit(number + 100))
    kill(name)


def catch_interrupt():
    try:
        kill("SIGINT")
    except KeyboardInterrupt:
        return 42


def write_after_input():
    sys.stdin.read()
    print("nobody reads this")


def print_and_fail():
    print("printed")
    sys.stdout and sys.stdout.flush()
    fail()


def wait_in_asyncio():
    import asyncio

    async def wait():
        try:
            print("waiting", flush=True)
            await asyncio.sleep(20)
        finally:
            print("cleaned up", flush=True)

    asyncio.run(wait())


def leave_threads():
    def late():
        time.sleep(0.1)
        import dep

        print("thread", dep.__name__, flush=True)

    atexit.register(print, "atexit")
    threading.Thread(target=late).start()
    print("main ends")


def fail_at_exit():
    def failing():
        raise OSError("too late")

    atexit.register(failing)


def fail_in_thread():
    thread = threading.Thread(target=fail, name="failing")
    thread.start()
    thread.join()


def crash():
    import ctypes
    import faulthandler

    faulthandler.enable()
    ctypes.string_at(0)


def print_unencodable():
    print("\N{SNOWMAN}")


def leave_garbage():
    class Loud:
        def __del__(self):
            print("deleted", flush=True)

    global kept
    kept = Loud()


def hook_exceptions():
    sys.excepthook = lambda kind, value, trace: print("hooked", kind.__name__, value)
    fail()


def read_input():
    print(input("? "), sys.stdin.read().split())


def hard_exit():
    atexit.register(print, "not run")
    os._exit(9)


def exit_builtin():
    exit("by the builtin")
