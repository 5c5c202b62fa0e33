"""Git repositories for tests, made on the spot, the same commits each time."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

AUTHOR = {f"GIT_{who}_{what}": "tests@host.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# An even second, as a zip has them.
COMMITTED = 1_600_000_000


def git(directory: Path, *arguments: str | Path, time: int = COMMITTED) -> str:
    """One git command, with nobody's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        **AUTHOR,
        "GIT_AUTHOR_DATE": f"@{time} +0000",
        "GIT_COMMITTER_DATE": f"@{time} +0000",
    }
    command = ["git", "-c", "protocol.file.allow=always", *map(str, arguments)]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def make_repository(directory: Path, time: int = COMMITTED) -> str:
    """What lies there, committed; gives the commit."""
    git(directory, "init", "-q", "-b", "main")
    return commit(directory, time)


def commit(directory: Path, time: int = COMMITTED) -> str:
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", "x", time=time)
    return git(directory, "rev-parse", "HEAD")
