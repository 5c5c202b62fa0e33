"""Which files a start touches before the application's own code runs, counted with strace."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

# A call that names a file, relative to no directory but the current one. Calls on what is open already name none.
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((?:AT_FDCWD, )?\"([^\"]+)\"")


def traced(command: list[str], environment: dict[str, str]) -> list[tuple[str, str]]:
    """The calls that name a file, in order: the call's name and the path."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as log:
        subprocess.run(
            [shutil.which("strace") or "strace", "-f", "-qq", "-s", "4096", "-e", "trace=%file", "-o", log.name,
             *command],
            env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return parse(log.read())


def parse(log: str) -> list[tuple[str, str]]:
    calls = []
    for line in log.splitlines():
        if match := CALL.match(line):
            calls.append(("opendir" if "O_DIRECTORY" in line else match[1], match[2]))
    return calls


def is_code(path: str) -> bool:
    """Whether a file of a tree is the application's code: a module, an executable of a wheel, a .pth."""
    name = path.rpartition("/")[2]
    return (name.endswith((".py", ".pyc", ".pth", ".so")) or "/bin/" in path) and not name.startswith("_pyzpack")


def touched(
    calls: list[tuple[str, str]], interpreters: list[tuple[str, str]], library: str, cache: str
) -> dict[str, list[str]]:
    """Of `calls`, by path, those before the first file with the application's code is opened in `cache`.

    Left out is what the interpreter touches on its own account: `interpreters`, its calls for `-c pass`, its standard
    library, and what the system's loader looks for to load that.
    """
    known = {path for _, path in interpreters}
    found: dict[str, list[str]] = {}
    for call, path in calls:
        inside = path.startswith(cache + "/")
        if call == "openat" and inside and is_code(path):
            break
        if path not in known and not path.startswith(library + "/") and (inside or ".so" not in path):
            found.setdefault(path, []).append(call)
    return found


def describe(found: dict[str, list[str]], short: dict[str, str]) -> list[str]:
    """A line for each file; `short` has the beginnings that are long, and what they are called."""
    lines = []
    for path, calls in found.items():
        for prefix, name in short.items():
            if Path(path).is_relative_to(prefix):
                path = name + path[len(prefix) :]
        path = re.sub(r"[0-9a-f]{64}", "TREE", path)
        lines.append(f"{path}: " + ", ".join(f"{calls.count(call)} {call}" for call in dict.fromkeys(calls)))
    return lines
