"""A backend that writes what it sees of its host into the wheel, where the host must not show.

Each fact goes into a module `recorded.py` of the wheel, one constant a condition; `[tool.recording] facts` in
pyproject.toml names those that are wanted.
"""

import getpass
import locale
import os
import re
import sys
import time

import plain_backend


def umask():
    mask = os.umask(0o022)
    os.umask(mask)
    return oct(mask)


def user():
    try:
        return getpass.getuser()
    except Exception:  # no such uid, no variable: also a fact
        return None


FACTS = {
    "directory": os.getcwd,
    # But for what another clock is made with.
    "environment": lambda: sorted(name for name in os.environ if not re.match("LD_PRE|(NO_)?FAKE", name)),
    "epoch": lambda: os.environ.get("SOURCE_DATE_EPOCH"),
    # Not hash("text"): that changed between versions of Python for one and the same seed.
    "hash_seed": lambda: (os.environ.get("PYTHONHASHSEED"), sys.flags.hash_randomization),
    "home": lambda: os.path.expanduser("~"),
    "locale": lambda: (locale.setlocale(locale.LC_ALL, ""), os.environ.get("LC_ALL"), os.environ.get("LANG")),
    "modes": lambda: [(path, oct(os.stat(path).st_mode)) for path in sorted(plain_backend.sources())],
    "mtimes": lambda: [(path, os.stat(path).st_mtime) for path in sorted(plain_backend.sources())],
    "time_zone": lambda: (time.tzname, time.localtime(0).tm_hour),
    "umask": umask,
    "user": user,
}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with open("pyproject.toml", encoding="utf-8") as file:
        wanted = re.search(r"^facts = \[(.*)\]$", file.read(), re.M).group(1)
    lines = ["%s = %r\n" % (fact.upper(), FACTS[fact]()) for fact in sorted(re.findall(r'"(\w+)"', wanted))]
    return plain_backend.write_wheel(wheel_directory, {"recorded.py": "".join(lines).encode()})
