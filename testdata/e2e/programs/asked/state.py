"""What the process looks like from inside."""

import json
import os
import sys


def main_module():
    import __main__

    file = getattr(__main__, "__file__", None)
    print(__main__.__name__, __main__.__spec__, __main__.__package__, file and os.path.isabs(file), __main__.__doc__)
    print(sys.modules["__main__"] is __main__, __main__ is not sys.modules["asked"])


def names():
    import __main__

    print(json.dumps(sorted(vars(__main__))))


def arguments(*_):
    print(json.dumps([sys.argv, getattr(sys, "orig_argv", [])[1:]]))


def flags():
    print(sys.flags, sys.dont_write_bytecode, sorted(sys._xoptions.items()), sys.warnoptions, sys.pycache_prefix)


def streams():
    print([(s.encoding, s.errors, s.line_buffering, s.write_through) for s in (sys.stdin, sys.stdout, sys.stderr)])


def interpreter():
    """Everything that options and variables change, and that is no path."""
    import faulthandler
    import locale
    import tracemalloc

    flags()
    streams()
    print(tracemalloc.is_tracing(), faulthandler.is_enabled(), __debug__, interpreter.__doc__, locale.getpreferredencoding(False))


def path():
    print(json.dumps(sys.path))


def imports(*names):
    found = []
    for name in names:
        try:
            found.append(os.path.basename(__import__(name).__file__ or ""))
        except ImportError as error:
            found.append(str(error))
    print(found)


def hash_seed():
    print(hash("a text"))


def variables():
    print(sorted(name for name in os.environ if name.startswith(("PYZPACK", "PYTHON", "__PY"))))


def moved():
    os.chdir("/")
    import asked.endings
    import dep

    print(os.path.isfile(asked.endings.__file__) or "in the zip", dep.TWO)


def hooks():
    print(len(sys.meta_path), sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__)


def site_modules():
    import builtins

    print([name in sys.modules for name in ("sitecustomize", "usercustomize")], hasattr(builtins, "exit"))


def written():
    import asked

    cached = asked.__cached__
    print(bool(cached) and os.path.exists(cached))


def limits():
    import gc
    import locale

    print(sys.getrecursionlimit(), gc.isenabled(), gc.get_threshold(), sys.getswitchinterval(), locale.getlocale())


def depth():
    def down(left):
        return left and 1 + down(left - 1)

    for left in range(sys.getrecursionlimit(), 0, -1):
        try:
            print(down(left))
            return
        except RecursionError:
            pass


def own_file():
    import __main__

    print(__main__.__file__)


def distributions():
    from importlib.metadata import distributions

    print(sorted(one.metadata["Name"] for one in distributions()))
