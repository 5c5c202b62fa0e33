#!/usr/bin/env python3
"""Fill a directory with the wheels that a hashed requirements file names.

    .venv/bin/python scripts/wheelhouse.py testdata/bench/httpie.txt target/bench/wheels/httpie

Wheels are those for CPython 3.11 on x86_64 Linux with glibc, whatever runs this. A directory that already holds the
digests is left alone, so it costs one reading. PYZPACK_WHEELHOUSE, directories separated by colons, is searched by
digest before the network is. Refuses a list without hashes, as pip does.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
PLATFORMS = [
    "linux_x86_64",
    "manylinux1_x86_64",
    "manylinux2010_x86_64",
    "manylinux2014_x86_64",
    *(f"manylinux_2_{minor}_x86_64" for minor in range(5, 40)),
]


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def digests_in(directory: Path) -> dict[str, Path]:
    return {sha256_of(path): path for path in sorted(directory.glob("*.whl"))}


def read_requirements(path: Path) -> dict[str, str]:
    """The lines of a requirements file by the sha256 that each names."""
    lines = {}
    for line in path.read_text().splitlines():
        line = line.partition(" #")[0].strip()
        if line and not line.startswith("#"):
            digest = HASH.search(line)
            if digest is None:
                raise SystemExit(f"{path}: no sha256 for `{line}`")
            lines[digest[1]] = line
    return lines


def download(lines: list[str], directory: Path) -> None:
    """One pip call for wheels of different projects; pip checks the hashes."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("\n".join(lines) + "\n")
        listing.flush()
        platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--require-hashes",
                "--implementation",
                "cp",
                "--python-version",
                "3.11",
                *platforms,
                "--dest",
                directory,
                "--requirement",
                listing.name,
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )


def batches(lines: list[str]) -> list[list[str]]:
    """Split so that no batch names a project twice: pip refuses two versions in one call."""
    result: list[dict[str, str]] = []
    for line in lines:
        project = re.sub(r"[-_.]+", "-", line.partition("==")[0]).lower()
        for batch in result:
            if project not in batch:
                batch[project] = line
                break
        else:
            result.append({project: line})
    return [list(batch.values()) for batch in result]


def fill(directory: Path, wanted: dict[str, str]) -> None:
    """Make `directory` hold the wheels with these digests (and no other); `wanted` maps digest to requirement line."""
    directory.mkdir(parents=True, exist_ok=True)
    present = digests_in(directory)
    for digest in present.keys() - wanted.keys():
        present[digest].unlink()
    missing = {digest: line for digest, line in wanted.items() if digest not in present}
    if missing:
        for other in filter(None, os.environ.get("PYZPACK_WHEELHOUSE", "").split(":")):
            for digest, path in digests_in(Path(other)).items():
                if missing.pop(digest, None):
                    shutil.copy(path, directory)
    for batch in batches(list(missing.values())):
        download(batch, directory)
    absent = wanted.keys() - digests_in(directory).keys()
    if absent:
        raise SystemExit(f"{directory}: not found: " + ", ".join(wanted[digest] for digest in sorted(absent)))


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit("usage: wheelhouse.py REQUIREMENTS DIRECTORY")
    fill(Path(sys.argv[2]), read_requirements(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
