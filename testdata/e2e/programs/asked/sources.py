"""Everything that shows or reads source lines."""

import inspect
import linecache
import sys
import warnings


def warn():
    warnings.warn("mind this", UserWarning)  # the line that is shown
    old()


def old():
    warnings.warn("this is old", DeprecationWarning, stacklevel=2)


def trace():
    import traceback

    try:
        raise KeyError("shown")  # the line of the traceback
    except KeyError:
        traceback.print_exc(file=sys.stdout)
    traceback.print_stack(limit=1, file=sys.stdout)


def log():
    import logging

    logging.basicConfig(stream=sys.stdout, format="%(filename)s %(lineno)d %(funcName)s %(module)s %(message)s")
    try:
        raise KeyError("logged")  # the line of the log
    except KeyError:
        logging.exception("failed")


def dump():
    import faulthandler

    faulthandler.dump_traceback(sys.stderr)


def stop():
    value = 41
    value += 1  # here the debugger stops
    print("value", value)


def helped():
    """A function with a docstring."""
    return 1


def ask_help():
    help("asked.sources.helped")


def break_here():
    value = 42
    breakpoint()
    return value


def asserts(*_):
    assert not sys.argv[2:], "asserted"
    print(helped.__doc__, __debug__)


def own_source():
    lines = linecache.getlines(__file__, globals())
    print(lines[0], inspect.getsource(helped), inspect.getsourcefile(helped), inspect.getmodule(helped).__name__)


def trace_lines():
    seen = []

    def tracer(frame, event, arg):
        if frame.f_code.co_name == "helped":
            seen.append((event, frame.f_lineno, linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()))
        return tracer

    sys.settrace(tracer)
    helped()
    sys.settrace(None)
    print(seen)


def profile():
    import cProfile
    import io
    import pstats

    profiler = cProfile.Profile()
    profiler.runcall(helped)
    stream = io.StringIO()
    pstats.Stats(profiler, stream=stream).print_stats("helped")
    print([line.split()[-1] for line in stream.getvalue().splitlines() if "helped)" in line])


def stack():
    print([(one.function, one.code_context) for one in inspect.stack()[:2]])


def source_of_main():
    import __main__

    try:
        print(bool(inspect.getsource(__main__)))
    except OSError as error:
        print(error)
