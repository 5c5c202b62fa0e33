"""scripts/test-nix itself: it never passes without a word where nothing was tested."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.fixture
def programs() -> Iterator[Path]:
    """A directory of programs that an ordinary user can run too."""
    place = Path(tempfile.mkdtemp(prefix="pyzpack-programs-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def run_with(programs: Path, path: str = "/usr/bin:/bin", **bodies: str) -> subprocess.CompletedProcess[str]:
    """Run it with other programs in the place of the machine's."""
    for name, body in bodies.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{path}"}
    # Where a fake does not end it, it shall not come here again.
    command = [ROOT / "scripts/test-nix", "--collect-only", "-q"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("program", "body", "reason"),
    [
        ("uname", "echo Darwin", "the sandbox is tried on Linux alone, and this is Darwin"),
        ("unshare", "exit 1", "an ordinary user gets no user namespace here (unshare --user --map-root-user true)"),
    ],
)
def test_where_there_is_no_sandbox_it_says_so(programs: Path, program: str, body: str, reason: str) -> None:
    ran = run_with(programs, **{program: body})
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr == f"\ntest-nix: SKIPPED, nothing was tested: {reason}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_that_cannot_become_an_ordinary_user_is_an_error(programs: Path) -> None:
    ran = run_with(programs, setpriv="exit 1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "test-nix: root cannot become nobody here\nhint: run it as an ordinary user\n"


def test_a_machine_without_nix_that_could_have_it_is_an_error(programs: Path) -> None:
    # What the scripts need before they look for nix; scripts/setup finds nothing to install it with.
    for name in ("bash", "cat", "dirname", "id", "setpriv", "true", "uname", "unshare"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    ran = run_with(programs, path="/nowhere")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith("test-nix: nix is not installed\nhint: apt-get install nix-bin\n")
