"""Wheels and PEP 517 projects for tests, made on the spot."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

BACKENDS = Path(__file__).resolve().parents[2] / "testdata/e2e/backends"


def record_line(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def make_wheel(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    files: dict[str, str | bytes],
    scripts: dict[str, str] | None = None,
    requires: list[str] | None = None,
    requires_python: str = ">=3.8",
    tag: str = "py3-none-any",
    executables: frozenset[str] | set[str] = frozenset(),
    metadata: str = "",
    more_entry_points: str = "",
) -> Path:
    """An honest wheel with a true RECORD; `files` by archive path, `scripts` the console scripts, `metadata` fields."""
    info = f"{name}-{version}.dist-info"
    fields = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n{metadata}"
    fields += "".join(f"Requires-Dist: {requirement}\n" for requirement in requires or [])
    purelib = "true" if tag.endswith("-none-any") else "false"
    contents = {
        **files,
        f"{info}/METADATA": fields,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n",
    }
    if scripts:
        lines = "".join(f"{script} = {target}\n" for script, target in scripts.items())
        contents[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}{more_entry_points}"
    encoded = {path: data.encode() if isinstance(data, str) else data for path, data in contents.items()}
    record = "".join(record_line(path, data) for path, data in encoded.items()) + f"{info}/RECORD,,\n"
    encoded[f"{info}/RECORD"] = record.encode()

    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in encoded.items():
            entry = zipfile.ZipInfo(path, (2024, 2, 29, 12, 34, 56))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100755 if path in executables else 0o100644) << 16
            archive.writestr(entry, data)
    return wheel


def make_project(
    directory: Path,
    name: str,
    *,
    files: dict[str, str],
    backend: str = "plain_backend",
    scripts: dict[str, str] | None = None,
    requires: list[str] | None = None,
    requires_python: str = ">=3.8",
    tool: str = "",
) -> Path:
    """A project whose backend lies in its own tree (PEP 517 `backend-path`), so that no build needs an index."""
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    shutil.copy(BACKENDS / "plain_backend.py", directory)
    if backend != "plain_backend":
        shutil.copy(BACKENDS / f"{backend}.py", directory)
    quoted = ", ".join(f'"{requirement}"' for requirement in requires or [])
    script_lines = "".join(f'{script} = "{target}"\n' for script, target in (scripts or {}).items())
    (directory / "pyproject.toml").write_text(
        f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\nbackend-path = ["."]\n\n'
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = "{requires_python}"\n'
        f"dependencies = [{quoted}]\n\n[project.scripts]\n{script_lines}{tool}"
    )
    return directory


def make_sdist(directory: Path, name: str, version: str, *, backend: str = "plain_backend") -> Path:
    """A source distribution with a backend of its own, which needs no index."""
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\nrequires-python = ">=3.8"\ndependencies = []\n',
        f"{name}.py": f"name = '{name} {version}'\n",
        **{f"{one}.py": (BACKENDS / f"{one}.py").read_text() for one in sorted({"plain_backend", backend})},
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    path = directory / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            info = tarfile.TarInfo(f"{name}-{version}/{file}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path
