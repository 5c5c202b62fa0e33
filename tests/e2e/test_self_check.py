"""`PYZPACK_VERIFY=1`: a file that pyzpack built is what its own check expects, entry for entry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import Pyzpack, clean_environment, manifest_of
from wheels import make_wheel

FILES = {
    "tool/__init__.py": "",
    "tool/main.py": "def main():\n    print('ran')\n",
    "space/part.py": "A = 1\n" * 100,
    "tool/data/caf\u00e9.txt": "x",
}


def start(pyzpack: Pyzpack, pyz: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(PYZPACK_CACHE=tmp_path / "apps", PYZPACK_VERIFY="1")
    return subprocess.run([pyzpack.python, pyz], env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("layout", ["zip", "extract"])
@pytest.mark.parametrize("compression", ["deflate", "store"])
def test_checks_what_was_built(pyzpack: Pyzpack, tmp_path: Path, layout: str, compression: str):
    wheel = make_wheel(tmp_path / "wheels", "tool", files=FILES, scripts={"tool": "tool.main:main"})
    arguments = [wheel, "--layout", layout, "--compression", compression]
    pyz = pyzpack.build(*arguments, output=tmp_path / "tool.pyz")
    files = manifest_of(pyz)["files"]
    count, size = len(files), sum(file["size"] for file in files)
    kind = "unpacked " if layout == "extract" else ""
    how = f"only a signature tells whose it is; run: pyzpack verify --key PUBLIC-KEY {pyz}"
    expected = f"tool.pyz: {count} {kind}files, {size} bytes, are those of its manifest; {how}\n"
    for _ in range(2):
        done = start(pyzpack, pyz, tmp_path)
        assert (done.stdout, done.stderr, done.returncode) == ("ran\n", expected, 0)


@pytest.mark.parametrize("layout", ["zip", "extract"])
def test_refuses_what_was_built_with_a_byte_changed(pyzpack: Pyzpack, tmp_path: Path, layout: str):
    wheel = make_wheel(tmp_path / "wheels", "tool", files=FILES, scripts={"tool": "tool.main:main"})
    pyz = pyzpack.build(wheel, "--layout", layout, "--compression", "store", output=tmp_path / "tool.pyz")
    good = pyz.read_bytes()
    assert good.count(b"print('ran')") == 1
    pyz.write_bytes(good.replace(b"print('ran')", b"print('bad')"))
    done = start(pyzpack, pyz, tmp_path)
    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("", 1, 1)
    named = "`tool/main.py` has sha256 " if layout == "zip" else "its payload's sha256 is "
    assert done.stderr.startswith(f"tool.pyz: {pyz} is damaged: {named}"), done.stderr
