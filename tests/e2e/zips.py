"""Zips of a few files, packed as a test wants them."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

FILES = {
    "app/__init__.py": b"",
    "app/data/noise.bin": hashlib.shake_128(b"noise").digest(3000),
    "app/main.py": b"print('the app runs')\n" * 40,
    "app/tool.sh": b"#!/bin/sh\nexit 0\n",
    "__main__.py": b"import app.main\n",
}
EXECUTABLE = "app/tool.sh"
LINE = b"#!/usr/bin/env python3\n"


def put(archive: zipfile.ZipFile, name: str, data: bytes, **fields) -> None:
    entry = zipfile.ZipInfo(name, fields.pop("time", (2024, 2, 29, 12, 34, 56)))
    mode = fields.pop("mode", 0o755 if name == EXECUTABLE else 0o644)
    entry.create_system = fields.pop("system", 3)
    entry.external_attr = 0o040755 << 16 | 0x10 if name.endswith("/") else (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith("/") else fields.pop("method", zipfile.ZIP_DEFLATED)
    entry.extra, entry.comment = fields.pop("extra", b""), fields.pop("comment", b"")
    archive.writestr(entry, data, compresslevel=fields.pop("level", None))
    assert not fields


def make(path: Path, files: dict[str, bytes] = FILES, prefix: bytes = b"", comment: bytes = b"", **fields) -> Path:
    with path.open("wb") as file:
        file.write(prefix)
        with zipfile.ZipFile(file, "w") as archive:
            archive.comment = comment
            for name, data in files.items():
                put(archive, name, data, **fields)
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}
