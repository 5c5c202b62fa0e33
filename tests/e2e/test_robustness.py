"""First starts of a packed program that are many, killed at any moment, cleaned up after, or at the wrong time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import PYTHONS, REFERENCE, Pyzpack, clean_environment, needs
from wheels import make_wheel

# A worker of its own and a thread, as a program may have that is started by many.
MAIN = """
import multiprocessing, threading
import robust.deep.last, robust.module7

def work(number):
    from robust import module9
    return number + module9.VALUE

def main():
    found = []
    thread = threading.Thread(target=lambda: found.append(work(1)))
    thread.start()
    thread.join()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found += pool.map(work, [2])
    print(found, robust.deep.last.VALUE)
"""
RAN = "[10, 11] 1\n"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of 600 files, some of them large."""
    if REFERENCE not in PYTHONS:
        pytest.skip("needs CPython 3.11")
    place = tmp_path_factory.mktemp("robust")
    files: dict[str, str | bytes] = {f"robust/module{number}.py": f"VALUE = {number}\n" * 60 for number in range(600)}
    files |= {"robust/__init__.py": "", "robust/deep/__init__.py": "", "robust/deep/last.py": "VALUE = 1\n"}
    files |= {"robust/start.py": MAIN, "robust/data.bin": bytes(range(256)) * 30000}
    wheel = make_wheel(place, "robust", files=files, scripts={"robust": "robust.start:main"})
    pyzpack = Pyzpack(place / "cache", place, PYTHONS[REFERENCE])
    return pyzpack.build(wheel, "--layout", "extract", output=place / "robust.pyz")


@dataclass
class Machine:
    """Starts the program with a cache of the test's own."""

    application: Path
    cache: Path

    def command(self, *wrapper: str) -> list[str]:
        return [*wrapper, str(PYTHONS[REFERENCE]), str(self.application)]

    def environment(self, **changes: str) -> dict[str, str]:
        return clean_environment(PYZPACK_CACHE=self.cache, PYZPACK_QUIET="1", **changes)

    def popen(self, *wrapper: str, **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*wrapper),
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def assert_runs(self, *wrapper: str, **changes: str) -> None:
        process = self.popen(*wrapper, **changes)
        assert (*process.communicate(), process.returncode) == (RAN, "", 0)

    def trees(self) -> list[Path]:
        return [path for path in (self.cache / "apps").glob("*") if not path.name.startswith(".")]

    def contents(self) -> dict[str, bytes]:
        """Every file of the tree but bytecode."""
        (tree,) = self.trees()
        paths = [path for path in tree.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return {str(path.relative_to(tree)): path.read_bytes() for path in paths}


@pytest.fixture
def machine(application: Path, tmp_path: Path) -> Machine:
    return Machine(application, tmp_path / "cache")


@pytest.fixture(scope="module")
def whole(application: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a tree has to have."""
    machine = Machine(application, tmp_path_factory.mktemp("whole") / "cache")
    machine.assert_runs()
    return machine.contents()


def damage(tree: Path) -> None:
    """Half-deleted, as an interrupted `rm -r` leaves it."""
    shutil.rmtree(tree / "robust/deep")
    for number in range(0, 600, 3):
        (tree / f"robust/module{number}.py").unlink()
    (tree / "robust/data.bin").write_bytes(b"short")
    next(tree.glob("*.dist-info")).rename(tree.parent / ".moved")
    shutil.rmtree(tree.parent / ".moved")


@pytest.mark.parametrize("state", ["missing", "half-deleted"])
def test_fifty_starts_at_once(machine: Machine, whole: dict[str, bytes], state: str):
    if state == "half-deleted":
        machine.assert_runs()
        damage(*machine.trees())
    processes = [machine.popen() for _ in range(50)]
    assert {(*process.communicate(), process.returncode) for process in processes} == {(RAN, "", 0)}
    assert machine.contents() == whole
    assert [path for path in (machine.cache / "apps").iterdir() if path.name.startswith(".unpacking")] == []


@pytest.mark.parametrize("state", ["missing", "half-deleted", "checked"])
def test_killed_at_any_moment(machine: Machine, whole: dict[str, bytes], state: str):
    begun = time.monotonic()
    machine.assert_runs()
    took = time.monotonic() - begun
    changes = {"PYZPACK_VERIFY": "1"} if state == "checked" else {}
    moments, killed = 9, 0
    for moment in range(moments):
        if state == "missing":
            shutil.rmtree(machine.cache)
        else:
            damage(*machine.trees())
        process = machine.popen(**changes)
        time.sleep(took * (moment + 1) / moments)
        os.killpg(process.pid, signal.SIGKILL)  # Its workers too, which would wait for ever.
        process.communicate()
        killed += process.returncode < 0
        # What has the name of a tree, and is taken for whole, is whole.
        for tree in machine.trees():
            if tree.stat().st_mtime == 946684800 and (tree / ".pyzpack").exists() and state == "missing":
                assert machine.contents() == whole
        machine.assert_runs(**changes)
        found = machine.contents()
        assert {path: data for path, data in found.items() if not path.endswith(".tmp")} == whole
        # What a killed repair was writing stays until a check; what it was unpacking goes with the next start.
        assert [path for path in (machine.cache / "apps").iterdir() if path.name.startswith(".unpacking")] == []
        if state == "checked":
            assert found == whole
    assert killed > moments // 3, "too few were killed: it proves nothing"


def test_after_a_cleaner_that_goes_by_age(machine: Machine, whole: dict[str, bytes], tmp_path: Path):
    cleaner = needs("systemd-tmpfiles")
    machine.assert_runs()
    time.sleep(1.5)
    machine.assert_runs()
    (tree,) = machine.trees()
    before = tree.stat().st_mtime
    rules = tmp_path / "rules.conf"
    rules.write_text(f"e {tmp_path / 'cache'} - - - 1s\n")
    subprocess.run([cleaner, "--clean", rules], check=True, capture_output=True)
    left = machine.contents()
    assert len(left) < len(whole) // 2, "it removed nothing: it proves nothing"
    # The trap: it sets the directory's time back.
    assert tree.stat().st_mtime == before
    machine.assert_runs()
    assert machine.contents() == whole


@pytest.mark.parametrize(
    "now", ["1970-01-01 00:00:01", "2000-01-01 00:00:00", "2038-01-20 00:00:00", "2110-01-01 00:00:00"]
)
def test_whatever_the_clock_says(machine: Machine, now: str):
    clock = needs("faketime")
    for changes in ({}, {}, {"PYZPACK_VERIFY": "1"}):
        machine.assert_runs(clock, "-f", "@" + now, **changes)
    machine.assert_runs()


def test_on_a_file_system_with_times_in_seconds(machine: Machine, tmp_path: Path):
    """ext2 as it was: no fractions, and 32 bits for seconds."""
    if os.geteuid():
        pytest.skip("SKIPPED: needs root to mount")
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    image.write_bytes(b"")
    os.truncate(image, 64 << 20)
    subprocess.run([needs("mkfs.ext2"), "-q", "-I", "128", "-b", "1024", image], check=True, capture_output=True)
    script = 'set -e; mount --make-rprivate /; mount -o loop "$1" "$2"; chmod 700 "$2"; shift 2; "$@"; "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", image, place, *machine.command()]
    environment = {**machine.environment(), "PYZPACK_CACHE": str(place / "cache")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if "mount:" in done.stderr:
        pytest.skip(f"SKIPPED: {done.stderr.strip()}")
    assert (done.stdout, done.stderr, done.returncode) == (RAN * 2, "", 0)
