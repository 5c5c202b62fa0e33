"""What every end-to-end test starts from: the binary, a clean environment, the Pythons, the wheels, the tools."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from index import serve
from locks import DEPENDENCIES, Entry, World
from wheels import make_project, make_wheel
from zipformat import read_archive

# A shell starts what goes into the background with SIGINT ignored, which every child inherits.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A module of fixtures, which needs this one.
pytest_plugins = ["behaviour"]

ROOT = Path(__file__).resolve().parents[2]
TESTDATA = ROOT / "testdata/e2e"
PYZPACK = Path(os.environ.get("PYZPACK_BIN") or ROOT / "target/release/pyzpack").resolve()
TOOLS = ROOT / ".venv/bin"

# What a build of tool.pyz leaves in its directory.
BUILT = ["SHA256SUMS", "tool.pyz", "tool.pyz.sha256"]
OLD = b"#!/bin/sh\necho the output of an earlier build\n"
TOOL = {"tool.py": "import lib, fast\n\ndef main():\n    print(lib.name, fast.name)\n"}
HELLO = {"hello.py": "def main():\n    print('hello')\n"}

# The native wheels of testdata/ are for this one; pure ones serve every version.
REFERENCE = (3, 11)


def pytest_configure(config: pytest.Config) -> None:
    if not PYZPACK.exists():
        pytest.exit(f"no binary at {PYZPACK}; hint: cargo build --release, or set PYZPACK_BIN", returncode=2)


def list_pythons(*arguments: str) -> dict[tuple[int, int], Path]:
    listed = subprocess.run([ROOT / "scripts/pythons", *arguments], capture_output=True, text=True, check=True)
    pythons = {}
    for path in listed.stdout.split():
        version = subprocess.run(
            [path, "-E", "-S", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        major, minor = version.strip().split(".")
        pythons[int(major), int(minor)] = Path(path)
    return pythons


PYTHONS = list_pythons()
OLD_PYTHONS = list_pythons("--old")


def clean_environment(**changes: str | Path | None) -> dict[str, str]:
    """This process's environment without what would steer Python, pip, uv or pyzpack; None removes a variable."""
    steering = re.compile(r"(PYTHON|PIP_|UV_|PYZPACK_|VIRTUAL_ENV|SOURCE_DATE_EPOCH|XDG_|LC_|LANG|TZ$)")
    environment = {name: value for name, value in os.environ.items() if not steering.match(name)}
    environment["PATH"] = f"{TOOLS}:{environment['PATH']}"
    for name, value in changes.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = str(value)
    return environment


@dataclass
class Pyzpack:
    """Runs the binary with a cache, a temporary directory and an interpreter of the test's own."""

    cache: Path
    temporary: Path
    python: Path

    def environment(self, **changes: str | Path | None) -> dict[str, str]:
        return clean_environment(**{"PYZPACK_CACHE": self.cache, "TMPDIR": self.temporary, **changes})

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(PYZPACK), *map(str, arguments)]

    def run(
        self,
        *arguments: str | Path,
        wrapper: list[str | Path] | None = None,
        timeout: float = 300,
        cwd: Path | None = None,
        **changes: str | Path | None,
    ) -> subprocess.CompletedProcess[str]:
        """One run to its end; `changes` are environment variables, `wrapper` a command put before the binary."""
        return subprocess.run(
            [*map(str, wrapper or []), *self.command(*arguments)],
            env=self.environment(**changes),
            cwd=cwd or self.temporary,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def build(self, *arguments: str | Path, output: Path, **options) -> Path:
        """A build from wheels on disk that must succeed; gives the output's path."""
        python = options.pop("python", self.python)
        offline = ["--no-index", "--offline", "--python", python, "-o", output]
        done = self.run("build", *arguments, *offline, **options)
        assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
        return output

    def children(self, pid: int) -> dict[int, str]:
        """The command lines of a process's descendants, by process id."""
        found: dict[int, str] = {}
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                for child in map(int, task.read_text().split()):
                    found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ").strip()
                    found.update(self.children(child))
            except OSError:
                continue  # it ended meanwhile
        return found


@pytest.fixture(scope="session")
def reference_python() -> Path:
    if REFERENCE not in PYTHONS:
        pytest.skip("needs CPython 3.11, for which the pinned native wheels are")
    return PYTHONS[REFERENCE]


@pytest.fixture
def pyzpack(tmp_path: Path, reference_python: Path) -> Pyzpack:
    cache, temporary = tmp_path / "cache", tmp_path / "temporary"
    cache.mkdir(mode=0o700)
    temporary.mkdir()
    return Pyzpack(cache, temporary, reference_python)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output of an earlier build, with its checksum beside it."""
    path = tmp_path / "out/tool.pyz"
    path.parent.mkdir()
    path.write_bytes(OLD)
    (path.parent / "tool.pyz.sha256").write_text("of the earlier build\n")
    return path


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "wheels", "hello", files=HELLO, scripts={"hello": "hello:main"})


@pytest.fixture
def sleeping_project(tmp_path: Path) -> Path:
    return make_project(
        tmp_path / "project", "hello", files=HELLO, scripts={"hello": "hello:main"}, backend="sleeping_backend"
    )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    served = tmp_path / "served"
    fast = make_wheel(served, "fast", "2.0", files={"fast.py": "name = 'fast 2.0'\n"})
    other = make_wheel(served, "fast", "2.0", files={"fast.py": "wrong\n"}, tag="cp27-cp27m-win32")
    lib = make_wheel(served, "lib", "1.5", files={"lib.py": "name = 'lib 1.5'\n"}, requires=["fast>=1"])
    foreign = make_wheel(served, "foreign", "1.0", files={"foreign.py": ""})
    project = make_project(
        tmp_path / "project",
        "tool",
        files=TOOL,
        scripts={"tool": "tool:main"},
        requires=DEPENDENCIES,
    )
    entries = [
        Entry("fast", "2.0", [fast, other]),
        Entry("foreign", "1.0", [foreign], marker="sys_platform == 'win32'"),
        Entry("lib", "1.5", [lib], requires=("fast",)),
    ]
    with serve(served) as index:
        yield World(index, project, entries, tmp_path)


def assert_untouched(pyzpack: Pyzpack, output: Path) -> None:
    assert output.read_bytes() == OLD
    assert sorted(path.name for path in output.parent.iterdir()) == ["tool.pyz", "tool.pyz.sha256"]
    assert list(pyzpack.temporary.iterdir()) == []


@pytest.fixture(scope="session")
def wheelhouse() -> Callable[[str], Path]:
    """The directory of the pinned wheels of testdata/e2e/NAME.txt or testdata/bench/NAME.txt, fetched once."""

    def fetched(name: str) -> Path:
        (ROOT / "target/wheels").mkdir(parents=True, exist_ok=True)
        with (ROOT / "target/wheels/.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Tests may run in several processes.
            return fetch(name)

    def fetch(name: str) -> Path:
        requirements = TESTDATA / f"{name}.txt"
        if not requirements.exists():
            requirements = ROOT / f"testdata/bench/{name}.txt"
        directory = ROOT / f"target/wheels/{name}"
        subprocess.run([sys.executable, ROOT / "scripts/wheelhouse.py", requirements, directory], check=True)
        return directory

    return fetched


def needs(*commands: str) -> str:
    """The first of the commands that this machine has; skips visibly when it has none."""
    for command in commands:
        if found := shutil.which(command):
            return found
    pytest.skip(f"needs the command {' or '.join(commands)}; hint: scripts/setup")


def manifest_of(pyz: Path) -> dict:
    """The manifest, by the independent reader."""
    return json.loads(read_archive(pyz.read_bytes()).content("_pyzpack/manifest.json"))


TABLES: dict[str, list[tuple[str, ...]]] = {}


@pytest.fixture(scope="session")
def table() -> Callable[..., None]:
    """Adds a row to a table that is printed when all tests are done: table("title", "cell", "cell")."""
    return lambda title, *cells: TABLES.setdefault(title, []).append(cells)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tables"] = TABLES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    for title, rows in getattr(node, "workeroutput", {}).get("tables", {}).items():
        TABLES.setdefault(title, []).extend(rows)


def pytest_terminal_summary(terminalreporter) -> Iterator[None]:
    for title, rows in TABLES.items():
        terminalreporter.section(title)
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        for row in rows:
            terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
