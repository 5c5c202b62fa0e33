"""Ctrl-C, SIGTERM and SIGKILL at every stage: nothing is lost, nothing is left."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from conftest import BUILT, HELLO, OLD, Pyzpack, assert_untouched, needs
from index import Index, serve
from wheels import make_wheel
from zipformat import read_archive

STAGES = ["resolve", "fetch", "build", "pack"]


@contextmanager
def started(pyzpack: Pyzpack, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A build in a process group of its own, as a terminal would start it; nothing of it outlives the block."""
    process = subprocess.Popen(
        pyzpack.command("build", *arguments, "--python", pyzpack.python),
        env=pyzpack.environment(),
        cwd=pyzpack.temporary.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if process.poll() is not None:
            pytest.fail(f"ended before the stage was reached: {process.returncode}\n{process.stderr.read()}")
        assert time.monotonic() < deadline, "the stage was not reached"
        time.sleep(0.001)


@pytest.fixture
def slow_to_pack(tmp_path: Path) -> Path:
    """What takes seconds to deflate again: 24 MB of base64 in three files."""
    text = {f"big{number}.txt": base64.b64encode(random.Random(number).randbytes(6_000_000)) for number in range(3)}
    return make_wheel(tmp_path / "slow", "slow", files={**HELLO, **text}, scripts={"hello": "hello:main"})


@pytest.fixture
def at_stage(request: pytest.FixtureRequest, tmp_path: Path, output: Path):
    """For a stage: the arguments of a build that stays in it, and the proof that it is there."""

    @contextmanager
    def enter(stage: str, pyzpack: Pyzpack):
        local = ["--no-index", "--offline", "-o", output]
        if stage == "build":
            project = request.getfixturevalue("sleeping_project")
            yield [project, *local], lambda pid: any("sleep 86397" in line for line in pyzpack.children(pid).values())
        elif stage == "pack":
            wheel = request.getfixturevalue("slow_to_pack")
            yield [wheel, "--recompress", *local], lambda pid: any(output.parent.glob(".tool.pyz.*.tmp"))
        else:
            wheel = make_wheel(tmp_path / "wheels", "hello", files=HELLO, scripts={"hello": "hello:main"})
            index: Index
            with serve(wheel.parent, stall={"resolve": "project", "fetch": "file"}[stage]) as index:
                arguments = ["hello", "-c", "hello", "--index-url", index.url, "-o", output]
                yield arguments, lambda pid: index.stalled.is_set()

    return enter


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
@pytest.mark.parametrize("stage", STAGES)
def test_a_signal_ends_the_build(pyzpack: Pyzpack, output: Path, at_stage, stage: str, number: signal.Signals):
    with at_stage(stage, pyzpack) as (arguments, reached), started(pyzpack, *arguments) as process:
        wait_until(lambda: reached(process.pid), process)
        children = pyzpack.children(process.pid)
        # Ctrl-C reaches every process of the terminal's group, SIGTERM the one that it is sent to.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        stdout, stderr = process.communicate(timeout=10)
        assert process.returncode == 128 + number, stderr
        assert stdout == ""
        assert "panicked" not in stderr
        survivors = {pid: line for pid, line in children.items() if is_alive(pid)}
        assert survivors == {}
    assert_untouched(pyzpack, output)


def is_alive(pid: int) -> bool:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.01)
    return True


def test_killed_at_any_moment(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    """Thirty builds end by SIGKILL at random moments; the output is always the old one or the new one, whole."""
    text = base64.b64encode(random.Random(0).randbytes(3_000_000))
    wheel = make_wheel(tmp_path / "wheels", "hello", files={**HELLO, "big.txt": text}, scripts={"hello": "hello:main"})
    arguments = [wheel, "--recompress", "--no-index", "--offline", "-o", output]
    begun = time.monotonic()
    with started(pyzpack, *arguments) as process:
        assert process.wait(60) == 0, process.stderr.read()
    duration = time.monotonic() - begun
    new = output.read_bytes()
    read_archive(new)

    moments = random.Random()
    ended = {"old": 0, "new": 0}
    for _ in range(30):
        put_old_output(output)
        with started(pyzpack, *arguments) as process:
            time.sleep(moments.uniform(0, duration * 1.1))
            process.kill()
            process.wait()
        ended["new" if assert_old_or_new(output, new) else "old"] += 1
    assert ended["old"] > 0, "no kill came in time"

    pyzpack.build(wheel, "--recompress", output=output)
    assert sorted(path.name for path in output.parent.iterdir()) == BUILT
    assert output.read_bytes() == new


def assert_old_or_new(output: Path, new: bytes) -> bool:
    """After SIGKILL: whole, with no checksum of another file, with one temporary file at most; tells whether new."""
    found = output.read_bytes()
    assert found in (OLD, new)
    names = {path.name for path in output.parent.iterdir()} - set(BUILT)
    assert len(names) <= 1, names
    assert all(name.startswith(".tool.pyz.") and name.endswith(".tmp") for name in names), names
    digest = hashlib.sha256(found).hexdigest()
    for name in ("SHA256SUMS", "tool.pyz.sha256"):
        checksums = output.parent / name
        text = checksums.read_text() if checksums.exists() else ""
        # A line that is no longer true is made a comment before the new file takes its name.
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert lines in ([], [f"{digest}  tool.pyz"]), name
    return found == new


def put_old_output(output: Path) -> None:
    digest = hashlib.sha256(OLD).hexdigest()
    output.write_bytes(OLD)
    for name in ("SHA256SUMS", "tool.pyz.sha256"):
        (output.parent / name).write_text(f"{digest}  tool.pyz\n")


NAMING = ["link", "linkat", "rename", "renameat", "renameat2", "unlink", "unlinkat"]


def test_killed_at_each_change_of_a_name(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    """SIGKILL at the first, second, ... rename and unlink of a build: the moments that a random one seldom meets."""
    strace = [needs("strace"), "-f", "-qq", "-e", f"trace={','.join(NAMING)}", "-o", tmp_path / "log"]
    wheel = make_wheel(tmp_path / "wheels", "hello", files=HELLO, scripts={"hello": "hello:main"})
    put_old_output(output)
    pyzpack.build(wheel, output=output, wrapper=strace)
    new = output.read_bytes()
    calls = Counter(re.findall(r"^(\d+) +(\w+)\(", (tmp_path / "log").read_text(), re.MULTILINE))
    moments = {(call, number + 1) for (_, call), count in calls.items() for number in range(count)}
    assert any(call.startswith("rename") for call, _ in moments)

    for call, number in sorted(moments):
        put_old_output(output)
        arguments = ["build", wheel, "--no-index", "--offline", "--python", pyzpack.python, "-o", output]
        done = pyzpack.run(*arguments, wrapper=[*strace, "-e", f"inject={call}:signal=SIGKILL:when={number}"])
        assert done.returncode != 0, (call, number)
        assert_old_or_new(output, new)
        pyzpack.build(wheel, output=output)
        assert sorted(path.name for path in output.parent.iterdir()) == BUILT, (call, number)
        assert output.read_bytes() == new


def test_litter_of_another_output_is_left_alone(pyzpack: Pyzpack, output: Path, tmp_path: Path):
    own, other = output.parent / ".tool.pyz.x1y2z3.tmp", output.parent / ".other.pyz.x1y2z3.tmp"
    own.write_bytes(b"litter of a killed build")
    other.write_bytes(b"perhaps a build that is running")
    wheel = make_wheel(tmp_path / "wheels", "hello", files=HELLO, scripts={"hello": "hello:main"})
    pyzpack.build(wheel, output=output)
    assert not own.exists()
    assert other.exists()


def test_a_closed_terminal_ends_a_build_but_not_under_nohup(pyzpack: Pyzpack, sleeping_project: Path) -> None:
    for ignored in (False, True):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
        try:
            with started(pyzpack, sleeping_project, "--no-index", "--offline") as process:
                wait_until(
                    lambda: any("sleep 86397" in line for line in pyzpack.children(process.pid).values()), process
                )
                process.send_signal(signal.SIGHUP)
                if ignored:
                    time.sleep(0.5)
                    assert process.poll() is None
                    # Its children are in groups of their own, which it ends itself.
                    process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)
                assert process.returncode == 143
                assert os.listdir(pyzpack.temporary) == []
        finally:
            signal.signal(signal.SIGHUP, before)
