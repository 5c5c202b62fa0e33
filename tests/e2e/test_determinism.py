"""One project, built under many conditions of its host: the same bytes each time.

The project has what could vary: its own code built by a backend that writes what it sees of the host into the wheel, a
dependency built from an sdist, a pure wheel and a native one. Every condition is proved live: `naive_packer.py`, which
lets exactly that condition in, is run in the same situation, and its bytes must change.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import PYTHONS, PYZPACK, TESTDATA, TOOLS, Pyzpack, clean_environment, needs
from wheels import make_project, make_wheel
from zipformat import read_archive

EPOCH = "1700000000"
# What the recording backend may ask for and must always see alike.
FACTS = ["environment", "epoch", "hash_seed", "locale", "modes", "mtimes", "time_zone", "umask"]
# The paths that a build sees, which depend on TMPDIR alone.
PATHS = ["directory", "home"]


@dataclass
class Situation:
    """Where and how one build runs; a condition changes one thing in it."""

    workspace: Path
    python: Path
    output: Path
    environment: dict[str, str]
    wrapper: list[str] = field(default_factory=list)
    umask: int = 0o022
    jobs: int | None = None
    # Whether a wheel that was built before may be taken: then no backend runs, and feels no condition.
    reuse: bool = False
    # What is undone when the build is over.
    undo: ExitStack = field(default_factory=ExitStack)

    @property
    def project(self) -> Path:
        return self.workspace / "project"

    def run(self, command: list[str | Path]) -> bytes:
        self.output.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [*self.wrapper, *map(str, command)],
            cwd=self.project,
            env=self.environment,
            umask=self.umask,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
        assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
        return self.output.read_bytes()

    def build(self) -> bytes:
        jobs = ["-j", str(self.jobs)] if self.jobs else []
        if not self.reuse:
            shutil.rmtree(Path(self.environment["PYZPACK_CACHE"]) / "built", ignore_errors=True)
        return self.run(
            [PYZPACK, "build", ".", "-o", self.output, "--find-links", self.workspace / "wheels", "--no-index",
             "--offline", "--python", self.python, "--target-python", "3.11", "--bytecode", "3.11", *jobs]
        )  # fmt: skip

    def build_naively(self, leak: str) -> bytes:
        return self.run([self.python, "-B", TESTDATA / "naive_packer.py", leak, ".", self.output, str(self.jobs or 2)])


@dataclass
class Condition:
    name: str
    leak: str
    change: Callable[[Situation], None]

    def __str__(self) -> str:
        return self.name


def variables(**changes: str | None) -> Callable[[Situation], None]:
    def change(situation: Situation) -> None:
        for name, value in changes.items():
            situation.environment.pop(name, None)
            if value is not None:
                situation.environment[name] = value

    return change


def fields(**changes: object) -> Callable[[Situation], None]:
    def change(situation: Situation) -> None:
        for name, value in changes.items():
            setattr(situation, name, value)

    return change


def wrapped(command: str, *arguments: str) -> Callable[[Situation], None]:
    def change(situation: Situation) -> None:
        situation.wrapper = [needs(command), *arguments]
        if subprocess.run([*situation.wrapper, "true"], capture_output=True).returncode != 0:
            pytest.skip(f"this machine does not allow {command} {' '.join(arguments)}")

    return change


def one_processor(situation: Situation) -> None:
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("needs a machine with two processors")
    wrapped("taskset", "-c", str(min(os.sched_getaffinity(0))))(situation)


def move_to(*parts: str) -> Callable[[Situation], None]:
    def change(situation: Situation) -> None:
        target = situation.workspace.parent.joinpath(*parts)
        shutil.copytree(situation.workspace, target, symlinks=True)
        situation.workspace = target

    return change


def move_to_memory(situation: Situation) -> None:
    """Onto tmpfs, which lists a directory in the order of creation turned round; the temporary files too."""
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("needs a writable /dev/shm")
    target = Path(f"/dev/shm/pyzpack-test-{os.getpid()}")
    situation.undo.callback(shutil.rmtree, target)
    (target / "temporary").mkdir(parents=True)
    shutil.copytree(situation.workspace, target / "workspace")
    situation.workspace = target / "workspace"
    situation.environment["TMPDIR"] = str(target / "temporary")


def reverse_directory_order(situation: Situation) -> None:
    """A mount that lists every directory of the workspace backwards."""
    command = needs("disorderfs")
    mount = situation.workspace.parent / "reversed"
    mount.mkdir()
    done = subprocess.run(
        [command, "--sort-dirents=yes", "--reverse-dirents=yes", situation.workspace, mount], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip(f"this machine does not allow a FUSE mount: {done.stderr.decode().strip()}")
    situation.undo.callback(subprocess.run, ["umount", mount], check=True)
    situation.workspace = mount


def set_mtimes(seconds: int) -> Callable[[Situation], None]:
    def change(situation: Situation) -> None:
        for path in [situation.project, *situation.project.rglob("*")]:
            os.utime(path, (seconds, seconds))

    return change


def make_group_writable(situation: Situation) -> None:
    for path in situation.project.rglob("*"):
        path.chmod(0o775 if path.is_dir() else 0o664)


def deflate_otherwise(level: int) -> Callable[[Situation], None]:
    """What the backend deflates with is the host's affair: a command on PATH stands for another zlib."""

    def change(situation: Situation) -> None:
        tools = situation.workspace.parent / "host-tools"
        tools.mkdir()
        (tools / f"deflate-level-{level}").write_text("#!/bin/sh\n")
        (tools / f"deflate-level-{level}").chmod(0o755)
        situation.environment["PATH"] = f"{tools}:{situation.environment['PATH']}"

    return change


def fill_cache(situation: Situation) -> None:
    situation.build()
    (Path(situation.environment["PYZPACK_CACHE"]) / "of-another-build").mkdir()
    situation.reuse = True


def rename_output(situation: Situation) -> None:
    situation.output = situation.output.parent / "elsewhere" / "other-name"


def use_python(version: tuple[int, int]) -> Callable[[Situation], None]:
    return lambda situation: fields(python=PYTHONS[version])(situation)


CONDITIONS = [
    Condition("short directory", "directory", move_to("d")),
    Condition("long directory, space and non-ASCII", "directory", move_to(*["directory of löng name"] * 6)),
    Condition("TZ=PYZ-13:30", "time_zone", variables(TZ="PYZ-13:30")),
    Condition("LC_ALL=C.UTF-8", "locale", variables(LC_ALL="C.UTF-8")),
    Condition("LC_ALL=POSIX, LANG=tr_TR.UTF-8", "locale", variables(LC_ALL="POSIX", LANG="tr_TR.UTF-8")),
    Condition("umask 077", "umask", fields(umask=0o077)),
    Condition("umask 000", "umask", fields(umask=0o000)),
    Condition("HOME missing", "home", variables(HOME=None)),
    Condition("HOME does not exist", "home", variables(HOME="/nonexistent")),
    Condition("USER and LOGNAME", "user", variables(USER="somebody", LOGNAME="somebody")),
    Condition("another user id", "user_id", wrapped("unshare", "--user")),
    Condition("clock in 2041", "clock", wrapped("faketime", "-f", "@2041-03-01 11:22:33")),
    Condition("clock in 1975", "clock", wrapped("faketime", "-f", "@1975-03-01 11:22:33")),
    Condition("directory order reversed", "directory_order", reverse_directory_order),
    Condition("another filesystem", "temporary_directory", move_to_memory),
    Condition("one job", "jobs", fields(jobs=1)),
    Condition("eight jobs", "jobs", fields(jobs=8)),
    Condition("one processor", "processors", one_processor),
    Condition("PYTHONHASHSEED=1", "hash_seed", variables(PYTHONHASHSEED="1")),
    Condition("PYTHONHASHSEED=2", "hash_seed", variables(PYTHONHASHSEED="2")),
    Condition("sources of 1970, second 0", "mtimes", set_mtimes(0)),
    Condition("sources of 1970, second 1", "mtimes", set_mtimes(1)),
    Condition("sources of the future", "mtimes", set_mtimes(6_000_000_000)),
    Condition("sources writable by group", "modes", make_group_writable),
    Condition("backend stores", "deflate", deflate_otherwise(0)),
    Condition("backend deflates at level 1", "deflate", deflate_otherwise(1)),
    Condition("output elsewhere under another name", "output", rename_output),
    Condition("cache of an earlier build", "cache", fill_cache),
    *(
        Condition(f"built by Python {major}.{minor}", "python", use_python((major, minor)))
        for major, minor in PYTHONS
        if (major, minor) != (3, 11)
    ),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Callable[[str], Path]) -> Path:
    """project/ and wheels/: the sources that every situation gets a copy of."""
    root = tmp_path_factory.mktemp("determinism")
    make_project(
        root / "project",
        "determined",
        backend="recording_backend",
        files={
            "determined/__init__.py": "from recorded import UMASK\n\ndef main():\n    print(UMASK)\n",
            "determined/data/zz.txt": "text\n" * 3000,
            "determined/data/aa.txt": "text " * 3000,
            "determined/data/ÄÖ.txt": "non-ASCII name\n",
        },
        scripts={"determined": "determined:main"},
        requires=["from-source", "pure-part", "markupsafe"],
        tool=recording(FACTS),
    )
    make_sdist(root / "wheels")
    make_wheel(root / "wheels", "pure_part", files={"pure_part/__init__.py": "PART = 1\n" * 500})
    for wheel in wheelhouse("flask").glob("markupsafe-*.whl"):
        shutil.copy(wheel, root / "wheels")
    return root


def recording(facts: list[str]) -> str:
    return "\n[tool.recording]\nfacts = [" + ", ".join(f'"{fact}"' for fact in facts) + "]\n"


def make_sdist(directory: Path) -> None:
    project = make_project(
        directory / "from_source-1.0", "from-source", files={"from_source/__init__.py": "SOURCE = 1\n" * 500}
    )
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: from-source\nVersion: 1.0\n")
    with tarfile.open(directory / "from_source-1.0.tar.gz", "w:gz") as archive:
        archive.add(project, "from_source-1.0")
    shutil.rmtree(project)


@pytest.fixture
def situation(workspace: Path, pyzpack: Pyzpack, tmp_path: Path):
    """The reference situation, every condition at its first value, on a copy of its own."""
    shutil.copytree(workspace, tmp_path / "workspace")
    environment = clean_environment(
        HOME=tmp_path,
        LC_ALL="C",
        PYTHONHASHSEED="0",
        PYZPACK_CACHE=pyzpack.cache,
        SOURCE_DATE_EPOCH=EPOCH,
        TMPDIR=pyzpack.temporary,
        TZ="UTC",
        USER="tester",
    )
    environment["PATH"] = f"{TOOLS}:{pyzpack.python.parent}:/usr/bin:/bin"
    situation = Situation(tmp_path / "workspace", pyzpack.python, tmp_path / "output/determined.pyz", environment)
    with situation.undo:
        yield situation


@pytest.fixture(scope="module")
def reference_bytes() -> dict[str, bytes]:
    """Filled by the first build in the reference situation."""
    return {}


def differences(one: bytes, other: bytes, shebang: bool = True) -> list[str]:
    """Where two builds part: the entries, payloads descended, and the bytes around the first difference of each."""
    left, right = read_archive(one, shebang=shebang).entries, read_archive(other, shebang=shebang).entries
    found = [f"only in one: {name}" for name in sorted(left.keys() ^ right.keys())]
    for name in sorted(left.keys() & right.keys()):
        ours, theirs = left[name], right[name]
        if ours.data != theirs.data and name.endswith(".zip"):
            found += differences(ours.data, theirs.data, shebang=False)
        elif ours.data != theirs.data:
            pairs = enumerate(zip(ours.data, theirs.data, strict=False))
            at = max(0, next((number for number, (a, b) in pairs if a != b), 0) - 40)
            found.append(f"{name}: {ours.data[at : at + 120]!r} and {theirs.data[at : at + 120]!r}")
        elif ours != theirs:
            found.append(f"{name}: header or compressed bytes")
    return found


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_same_bytes_under(condition: Condition, situation: Situation, reference_bytes: dict, table: Callable):
    reference = reference_bytes.get("pyzpack") or reference_bytes.setdefault("pyzpack", situation.build())
    naive = situation.build_naively(condition.leak)
    assert naive == situation.build_naively(condition.leak), "the naive packer is deterministic but for its leak"
    situation.output.unlink()

    condition.change(situation)
    situation.output.unlink(missing_ok=True)
    changed = situation.build()
    naive_changed = situation.build_naively(condition.leak)

    digest = hashlib.sha256(changed).hexdigest()
    table(
        "determinism: sha256 of the same project, and whether a naive packer felt the condition",
        condition.name,
        digest[:16],
        "same" if changed == reference else "DIFFERS",
        "live" if naive_changed != naive else "NOT LIVE",
    )
    assert naive_changed != naive, "the condition does not reach a process: this test proves nothing"
    if changed != reference:
        pytest.fail("\n".join(differences(reference, changed)), pytrace=False)


def test_another_epoch_gives_other_bytes(situation: Situation):
    one = situation.build()
    situation.environment["SOURCE_DATE_EPOCH"] = "1600000000"
    assert situation.build() != one


def test_without_an_epoch_the_clock_is_not_read(situation: Situation):
    del situation.environment["SOURCE_DATE_EPOCH"]
    one = situation.build()
    wrapped("faketime", "-f", "@2041-03-01 11:22:33")(situation)
    assert not differences(situation.build(), one)


def test_backend_sees_the_same_paths(situation: Situation):
    configuration = situation.project / "pyproject.toml"
    configuration.write_text(configuration.read_text().replace(recording(FACTS), recording(PATHS)))
    assert differences(situation.build(), situation.build()) == []


def test_sources_are_not_touched(situation: Situation):
    def state() -> dict[str, tuple[bytes, int, float]]:
        return {
            str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
            for path in situation.project.rglob("*")
            if path.is_file()
        }

    before = state()
    situation.build()
    assert state() == before
