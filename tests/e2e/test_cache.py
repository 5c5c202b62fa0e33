"""`pyzpack cache prune` beside programs that run: it takes what nobody uses, and nothing from under anybody."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from conftest import Pyzpack
from wheels import make_wheel

FILES = {
    "tool/__init__.py": "",
    "tool/main.py": "import sys\n\ndef main():\n    print('up', flush=True)\n    sys.stdin.readline()\n"
    "    from tool import late\n    print(late.A)\n",
    "tool/late.py": "A = 'late'\n",
}


@pytest.fixture
def tool(pyzpack: Pyzpack, tmp_path: Path) -> Path:
    wheel = make_wheel(tmp_path / "wheels", "tool", files=FILES, scripts={"tool": "tool.main:main"})
    return pyzpack.build(wheel, "--layout", "extract", output=tmp_path / "tool.pyz")


def start(pyzpack: Pyzpack, tool: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [pyzpack.python, tool]
    return subprocess.Popen(command, env=pyzpack.environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def prune(pyzpack: Pyzpack, *arguments: str) -> list[str]:
    done = pyzpack.run("cache", "prune", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


def test_what_was_not_started_for_a_month_goes_unless_it_runs(pyzpack: Pyzpack, tool: Path):
    process = start(pyzpack, tool)
    assert process.stdout.readline() == "up\n"
    (pipe,) = (pyzpack.cache / "apps").glob(".*.used")
    tree = pipe.with_name(pipe.name[1:-5])
    assert prune(pyzpack)[1:] == []
    month = time.time() - 31 * 24 * 3600
    os.utime(pipe, (month, month))
    assert prune(pyzpack)[1:] == ["left 1 unpacked application, in use"]
    assert process.communicate("\n") == ("late\n", "")
    assert prune(pyzpack)[0].endswith(" files, 1 unpacked application among them")
    assert not tree.exists()
    assert start(pyzpack, tool).communicate("\n") == ("up\nlate\n", "")
    assert tree.exists()


def test_starts_while_everything_is_pruned_over_and_over(pyzpack: Pyzpack, tool: Path):
    said, stop = [], threading.Event()

    def prune_on():
        while not stop.is_set():
            said.extend(prune(pyzpack, "--older-than", "0d"))

    thread = threading.Thread(target=prune_on)
    thread.start()
    try:
        for _ in range(5):
            for process in [start(pyzpack, tool) for _ in range(4)]:
                assert process.communicate("\n") == ("up\nlate\n", "")
    finally:
        stop.set()
        thread.join()
    assert any("1 unpacked application among them" in line for line in said), said
