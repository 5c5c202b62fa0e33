"""A backend that breaks its own determinism, by all means that a build leaves it: for tests of `pyzpack reproduce`.

Each leak goes into a file of its own in the wheel, `leaked/NAME.txt`; `[tool.leaking] leaks` in pyproject.toml names
those that are wanted. What pyzpack gives every build alike (time zone, locale, hash seed, ...) is read past it, from the
process that runs the build: a condition leaks by that, whatever the build's own environment says.
"""

import glob
import locale
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

import plain_backend

CALLER = "/proc/%d/" % os.getppid()


def of_caller(name):
    with open(CALLER + "environ", "rb") as file:
        variables = dict(one.split(b"=", 1) for one in file.read().split(b"\0") if b"=" in one)
    return variables.get(name.encode())


def caller(file, pattern):
    with open(CALLER + file, "rb") as opened:
        return re.findall(pattern, opened.read())


def temporary_name_of_child():
    script = "import tempfile; print(tempfile.mkdtemp())"
    return subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout.decode().strip()


# What a build sees that looks in the most usual way: always the same, but for paths, which hang on TMPDIR.
HARMLESS = {
    "own-directory": os.getcwd,
    # But for what another clock is made with.
    "own-environment": lambda: sorted(one for one in os.environ.items() if not re.match("LD_PRE|(NO_)?FAKE", one[0])),
    "own-hash": lambda: hash("text"),
    "own-home": lambda: os.path.expanduser("~"),
    "own-locale": lambda: locale.setlocale(locale.LC_ALL, ""),
    "own-mtimes": lambda: [os.stat(path).st_mtime for path in sorted(plain_backend.sources())],
    "own-order": lambda: [
        os.listdir("wild"),
        [entry.name for entry in os.scandir("wild")],
        [path.name for path in pathlib.Path("wild").iterdir()],
        glob.glob("wild/*"),
        next(os.walk("wild")),
    ],
    "own-set": lambda: list({"alpha", "beta", "gamma", "delta"}),
    "own-temporary-name": lambda: [
        os.path.basename(name) for name in (tempfile.mkdtemp(), tempfile.mkstemp()[1], temporary_name_of_child())
    ],
    "own-umask": lambda: oct(os.umask(0o022)),
    "own-zone": lambda: (time.tzname, time.localtime(0)[:6]),
}

LEAKS = {
    "chance": random.random,
    "clock": lambda: time.strftime("%Y", time.gmtime()),
    "cold-cache": lambda: of_caller("PYZPACK_CACHE"),
    "directory": lambda: os.readlink(CALLER + "cwd"),
    "directory-length": lambda: len(os.readlink(CALLER + "cwd")),
    # As the file system has it: `os.listdir` is sorted in a build.
    "directory-order": lambda: subprocess.run(["ls", "-U"], check=True, stdout=subprocess.PIPE).stdout.split(),
    "hash-seed": lambda: of_caller("PYTHONHASHSEED"),
    "home": lambda: of_caller("HOME"),
    "locale": lambda: of_caller("LC_ALL"),
    "mtimes": lambda: int(os.stat(CALLER + "cwd/pyproject.toml").st_mtime),
    "processors": lambda: len(os.sched_getaffinity(0)),
    "python": lambda: sys.version_info[:2],
    "second": time.time,
    "temporary-directory": os.getcwd,
    "threads": lambda: caller("cmdline", rb"--jobs=(\d+)"),
    "time-zone": lambda: of_caller("TZ"),
    "umask": lambda: caller("status", rb"Umask:\s*(\d+)"),
    "user": lambda: of_caller("USER"),
    "user-id": os.getuid,
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("pyproject.toml", encoding="utf-8") as file:
        wanted = re.search(r"^leaks = \[(.*)\]$", file.read(), re.M).group(1)
    facts = {**HARMLESS, **LEAKS}
    files = {"leaked/%s.txt" % name: ("%r\n" % (facts[name](),)).encode() for name in re.findall(r'"([\w-]+)"', wanted)}
    mask = caller("status", rb"Umask:\s*(\d+)")[0]
    if os.path.exists("fails-after-2040") and time.gmtime().tm_year > 2040:
        raise SystemExit("this certificate is not valid any more")
    if os.path.exists("fails-at-umask-0077") and mask == b"0077":
        raise SystemExit("nobody may read this")
    if os.path.exists("runs-rustc"):
        files["leaked/rustc.txt"] = subprocess.run(["rustc", "a b"], check=True, stdout=subprocess.PIPE).stdout
    if os.path.exists("differs-by-two") and (mask, of_caller("USER")) == (b"0077", b"somebody"):
        files["leaked/by-two.txt"] = b"both\n"
    return plain_backend.write_wheel(wheel_directory, files)
