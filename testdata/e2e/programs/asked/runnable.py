"""What `-e asked.runnable` runs, as `python -m asked.runnable` does."""

import multiprocessing
import pickle
import sys


class Kept:
    def __init__(self, value):
        self.value = value


def double(number):
    return number * 2


def look(_):
    """What the .pth files of the packages did, seen in a child."""
    import oldestspread.one
    import pathed_module

    return getattr(sys, "pathed", None), oldestspread.one.NAME, pathed_module.NAME


if __name__ == "__main__":
    print(__name__, __package__, __spec__.name, __spec__.origin == __file__, sys.argv[1:])
    print(pickle.loads(pickle.dumps(Kept(3))).value, pickle.dumps(Kept)[:40].count(b"__main__"))
    for method in (argument[2:] for argument in sys.argv[1:] if argument.startswith("--")):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(double, [1, 2]), pool.map(Kept, [5])[0].value, pool.map(look, [0]))
    sys.exit(6)
