"""Wheels that the benchmarks make for themselves, the same each time: programs of a few lines, and empty files."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

HELLO = """\
import click


@click.command()
@click.option("--name", default="world")
def main(name):
    click.echo(f"Hello, {name}!")
"""
SCI = """\
import pandas
import scipy
import sklearn


def main():
    print(pandas.__version__, scipy.__version__, sklearn.__version__)
"""
# What is left of it is what a start costs by itself.
NOTHING = """\
def main():
    pass
"""
ENTRIES = (1_000, 60_000)
FILES_A_DIRECTORY = 1_000


def write_wheel(directory: Path, name: str, files: dict[str, bytes], requires: str = "", script: str = "") -> None:
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + (
        f"Requires-Dist: {requires}\n" * bool(requires)
    )
    files = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{script}\n".encode()
    record = []
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        for path, data in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(data)}\n")
            wheel.writestr(zipfile.ZipInfo(path), data)
        wheel.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(record) + f"{info}/RECORD,,\n")


def made_wheels(bench: Path) -> Path:
    """The directory with the wheels, which are made again when this file has changed."""
    directory = bench / f"made-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]}"
    if directory.exists():
        return directory
    unfinished = directory.with_suffix(".unfinished")
    unfinished.mkdir(parents=True, exist_ok=True)
    for name, source, requires in (("hello", HELLO, "click"), ("sci", SCI, ""), ("nothing", NOTHING, "")):
        files = {f"bench_{name}.py": source.encode()}
        write_wheel(unfinished, f"bench_{name}", files, requires, f"bench-{name} = bench_{name}:main")
    for count in ENTRIES:
        package = f"bench_entries_{count}"
        names = (f"{package}/{n // FILES_A_DIRECTORY:03}/{n % FILES_A_DIRECTORY:03}.dat" for n in range(count))
        write_wheel(unfinished, package, dict.fromkeys(names, b""))
    unfinished.rename(directory)
    return directory
