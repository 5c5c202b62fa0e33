"""Every kind of Python that may resolve and build: with uv and without, Debian's externally managed one, the oldest."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PYTHONS, TOOLS, Pyzpack, manifest_of
from index import serve
from wheels import make_project, make_wheel

DEBIAN = Path("/usr/bin/python3")
KINDS: dict[str, Path] = {f"{major}.{minor}": path for (major, minor), path in PYTHONS.items()}
if DEBIAN.exists():
    KINDS["debian"] = DEBIAN


@pytest.fixture(params=["uv", "no uv"])
def search_path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH with no Python on it, and uv or not."""
    tools = tmp_path / "tools"
    tools.mkdir()
    if request.param == "uv":
        (tools / "uv").symlink_to(TOOLS / "uv")
    for name in ("git", "env", "sh", "sleep"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    return str(tools)


@pytest.mark.parametrize("kind", KINDS)
def test_resolves_and_builds_with(
    kind: str, pyzpack: Pyzpack, search_path: str, tmp_path: Path, table: Callable[..., None]
):
    make_wheel(tmp_path / "wheels", "helper", files={"helper.py": "WORD = 'helped'\n"})
    project = make_project(
        tmp_path / "project",
        "hello",
        files={"hello.py": "import helper\n\ndef main():\n    print(helper.WORD)\n"},
        scripts={"hello": "hello:main"},
        requires=["helper>=1"],
    )
    before = sorted(path.name for path in KINDS[kind].parent.iterdir())
    with serve(tmp_path / "wheels") as index:
        done = pyzpack.run(
            "build", project, "--index-url", index.url, "--python", KINDS[kind], "-o", tmp_path / "hello.pyz",
            PATH=search_path, HOME=None,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in KINDS[kind].parent.iterdir()) == before
    origins = {wheel["name"]: wheel["origin"] for wheel in manifest_of(tmp_path / "hello.pyz")["wheels"]}
    assert origins == {"hello": "built", "helper": "index"}
    for python in KINDS.values():
        ran = subprocess.run(
            [python, tmp_path / "hello.pyz"], capture_output=True, text=True, env=pyzpack.environment()
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "helped\n", "")
    table("interpreters", kind, "uv" if Path(search_path, "uv").exists() else "pip", "built, runs on all")
