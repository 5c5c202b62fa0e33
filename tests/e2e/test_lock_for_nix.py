"""`pyzpack lock --format nix`: every lock as data for Nix, URLs and all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from conftest import Pyzpack
from locks import FORMATS, World

NO, USAGE = 1, 2


def write(pyzpack: Pyzpack, world: World, *arguments: str | Path, status: int = 0, **options):
    command = ["lock", "--format", "nix", "--python", pyzpack.python, *arguments]
    done = pyzpack.run(*command, cwd=world.project, **options)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def locked_file(world: World, path: Path) -> dict[str, str]:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"filename": path.name, "url": f"{world.base}/files/{path.name}", "sha256": digest}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_comes_with_urls(pyzpack: Pyzpack, world: World, name: str) -> None:
    lock = world.write(name)
    done = write(pyzpack, world, "--lock", lock)
    assert done.stdout == f"{name}.nix.json: 3 distributions\n"
    text = (world.project / f"{name}.nix.json").read_text()
    print(text)
    written = json.loads(text)
    assert written["lock"] == {"name": name, "sha256": hashlib.sha256(lock.read_bytes()).hexdigest()}
    packages = {package["name"]: package["source"] for package in written["packages"] if package["name"] != "tool"}
    ordered = sorted if name in ("Pipfile.lock", "locked.txt") else list
    files = {entry.name: [locked_file(world, path) for path in ordered(entry.files)] for entry in world.entries}
    assert packages == {name: {"type": "files", "files": listed} for name, listed in files.items()}
    write(pyzpack, world, "--lock", lock, "--check", "--offline")
