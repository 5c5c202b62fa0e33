"""The arithmetic of scripts/bench, which nothing else would notice going wrong."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from benchmarks.report import Spread, ratio
from benchmarks.start import turned
from benchmarks.touched import describe, parse, touched

TRACE = """\
7 execve("/py/bin/python3", ["/py/bin/python3", "/x/a.pyz"], 0x7ffe /* 3 vars */) = 0
7 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
7 newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=53535, ...}, AT_EMPTY_PATH) = 0
7 newfstatat(AT_FDCWD, "/py/lib/python3.11/runpy.py", {st_mode=S_IFREG|0644, ...}, 0) = 0
7 newfstatat(AT_FDCWD, "/x/a.pyz", {st_mode=S_IFREG|0755, st_size=1, ...}, 0) = 0
7 openat(AT_FDCWD, "/x/a.pyz", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/x/a.pyz", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/lib/libz.so.1", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/cache/apps/t.lock", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/cache/apps/t/__pycache__/_pyzpack-1.cpython-311-0.pyc", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/cache/apps/t", O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_DIRECTORY) = 3
7 openat(AT_FDCWD, "/cache/apps/t/__pycache__/app.cpython-311.pyc", O_RDONLY|O_CLOEXEC) = 3
7 openat(AT_FDCWD, "/home/u/.app", O_RDONLY|O_CLOEXEC) = 3
"""


def test_ratio_is_taken_round_by_round():
    # Of the medians, 3 / 2, it would be another: the second round was slow for both.
    assert ratio([1.0, 30.0, 3.0], [1.0, 30.0, 2.0]) == Spread(1.0, 1.0, 1.25)
    assert ratio([3.0], [2.0]) == Spread(1.5, 1.5, 1.5)


def test_each_side_comes_first_and_none_always_follows_the_same():
    orders = [turned(["a", "b", "c"], number) for number in range(6)]
    assert orders == [[*"abc"], [*"acb"], [*"cab"], [*"cba"], [*"bca"], [*"bac"]]


def test_touched_files_are_those_before_the_first_module_of_the_application():
    interpreters = [("execve", "/py/bin/python3"), ("openat", "/etc/ld.so.cache")]
    found = touched(parse(TRACE), interpreters, "/py/lib", "/cache")
    assert describe(found, {"/cache": "CACHE"}) == [
        "/x/a.pyz: 1 newfstatat, 2 openat",
        "CACHE/apps/t.lock: 1 openat",
        "CACHE/apps/t/__pycache__/_pyzpack-1.cpython-311-0.pyc: 1 openat",
        "CACHE/apps/t: 1 opendir",
    ]
