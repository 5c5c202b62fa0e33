"""Lock files of every format, written by hand for the same wheels, so that what differs is the format alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from index import Index


@dataclass
class Entry:
    """A distribution as a lock has it."""

    name: str
    version: str
    files: list[Path]
    marker: str = ""
    requires: tuple[str, ...] = ()
    sha256: str | None = None

    def digest(self, path: Path) -> str:
        return self.sha256 or hashlib.sha256(path.read_bytes()).hexdigest()


# What the project of these tests says, which the tools digest.
REQUIRES_PYTHON = ">=3.8"
DEPENDENCIES = ["lib", "foreign; sys_platform == 'win32'"]


def digest_json(data: object) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def sdists(entry: Entry) -> list[Path]:
    return [path for path in entry.files if path.suffix != ".whl"]


def wheels(entry: Entry) -> list[Path]:
    return [path for path in entry.files if path.suffix == ".whl"]


def toml_file(entry: Entry, path: Path, base: str) -> str:
    return f'{{ url = "{base}/files/{path.name}", hashes = {{ sha256 = "{entry.digest(path)}" }} }}'


def pylock(entries: list[Entry], base: str) -> str:
    lines = ['lock-version = "1.0"', 'created-by = "tests"']
    for entry in entries:
        lines += ["[[packages]]", f'name = "{entry.name}"', f'version = "{entry.version}"']
        if entry.marker:
            lines.append(f'marker = "{entry.marker}"')
        lines += [f"sdist = {toml_file(entry, path, base)}" for path in sdists(entry)]
        if wheels(entry):
            lines.append(f"wheels = [{', '.join(toml_file(entry, path, base) for path in wheels(entry))}]")
    return "\n".join(lines) + "\n"


def uv(entries: list[Entry], base: str, *, project: str = "tool", requires: tuple[str, ...] = ()) -> str:
    def edge(name: str) -> str:
        marker = next(entry.marker for entry in entries if entry.name == name)
        return f'{{ name = "{name}"' + (f', marker = "{marker}"' if marker else "") + " }"

    def file(entry: Entry, path: Path) -> str:
        return f'{{ url = "{base}/files/{path.name}", hash = "sha256:{entry.digest(path)}" }}'

    lines = ["version = 1", "revision = 3", 'requires-python = ">=3.8"']
    for entry in entries:
        lines += ["[[package]]", f'name = "{entry.name}"', f'version = "{entry.version}"']
        lines.append(f'source = {{ registry = "{base}/simple/" }}')
        if entry.requires:
            lines.append(f"dependencies = [{', '.join(map(edge, entry.requires))}]")
        lines += [f"sdist = {file(entry, path)}" for path in sdists(entry)]
        if wheels(entry):
            lines.append(f"wheels = [{', '.join(file(entry, path) for path in wheels(entry))}]")
    lines += ["[[package]]", f'name = "{project}"', 'version = "1.0"', 'source = { editable = "." }']
    lines.append(f"dependencies = [{', '.join(map(edge, requires))}]")
    listed = ", ".join(edge(name) for name in requires)
    lines += ["[package.metadata]", f"requires-dist = [{listed}]"]
    return "\n".join(lines) + "\n"


def poetry(entries: list[Entry], base: str) -> str:
    lines = []
    for entry in entries:
        files = ", ".join(f'{{file = "{path.name}", hash = "sha256:{entry.digest(path)}"}}' for path in entry.files)
        lines += ["[[package]]", f'name = "{entry.name}"', f'version = "{entry.version}"', 'description = ""']
        lines += ["optional = false", 'python-versions = ">=3.8"', 'groups = ["main"]', f"files = [{files}]"]
        if entry.marker:
            lines.append(f'markers = "{entry.marker}"')
        lines += ["[package.source]", 'type = "legacy"', f'url = "{base}/simple"', 'reference = "local"']
    project = {"requires-python": REQUIRES_PYTHON, "dependencies": DEPENDENCIES}
    digest = digest_json({"project": project, "tool": {"poetry": {}}})
    lines += ["[metadata]", 'lock-version = "2.1"', 'python-versions = ">=3.8"', f'content-hash = "{digest}"']
    return "\n".join(lines) + "\n"


# What lock version 2.0 was made from, in the form of its time.
POETRY_1 = """
[tool.poetry.dependencies]
python = ">=3.8"
lib = "*"
foreign = {version = "*", markers = "sys_platform == 'win32'"}
"""


def poetry_1(entries: list[Entry], base: str) -> str:
    """Lock version 2.0, which has a graph and no groups; the project's file ends in POETRY_1."""
    foreign = {"version": "*", "markers": "sys_platform == 'win32'"}
    dependencies = {"python": REQUIRES_PYTHON, "lib": "*", "foreign": foreign}
    old = {"dependencies": dependencies, "source": None, "extras": None, "dev-dependencies": None}
    lines = []
    for entry in entries:
        files = ", ".join(f'{{file = "{path.name}", hash = "sha256:{entry.digest(path)}"}}' for path in entry.files)
        lines += ["[[package]]", f'name = "{entry.name}"', f'version = "{entry.version}"', 'description = ""']
        lines += ["optional = false", 'python-versions = ">=3.8"', f"files = [{files}]"]
        if entry.requires:
            lines += ["[package.dependencies]", *[f'{name} = "*"' for name in entry.requires]]
        lines += ["[package.source]", 'type = "legacy"', f'url = "{base}/simple"', 'reference = "local"']
    lines += ["[metadata]", 'lock-version = "2.0"', 'python-versions = ">=3.8"', f'content-hash = "{digest_json(old)}"']
    return "\n".join(lines) + "\n"


def pdm(entries: list[Entry], base: str) -> str:
    project = {"requires-python": REQUIRES_PYTHON, "dependencies": DEPENDENCIES, "optional-dependencies": {}}
    digest = digest_json({"sources": [], "dev-dependencies": {}, "resolution": {}, **project})
    lines = ["[metadata]", 'groups = ["default"]', 'strategy = ["inherit_metadata"]', 'lock_version = "4.5.0"']
    lines += [f'content_hash = "sha256:{digest}"', "[[metadata.targets]]", 'requires_python = ">=3.8"']
    for entry in entries:
        files = ", ".join(
            f'{{url = "{base}/files/{path.name}", hash = "sha256:{entry.digest(path)}"}}' for path in entry.files
        )
        lines += ["[[package]]", f'name = "{entry.name}"', f'version = "{entry.version}"', 'summary = ""']
        lines += ['groups = ["default"]', f"files = [{files}]"]
        if entry.marker:
            lines.append(f'marker = "{entry.marker}"')
    return "\n".join(lines) + "\n"


def pipfile(entries: list[Entry], base: str) -> str:
    default = {}
    for entry in entries:
        default[entry.name] = {
            "version": f"=={entry.version}",
            "hashes": [f"sha256:{entry.digest(path)}" for path in entry.files],
            "index": "local",
        }
        if entry.marker:
            default[entry.name]["markers"] = entry.marker
    meta = {
        "hash": {"sha256": ""},
        "pipfile-spec": 6,
        "requires": {},
        "sources": [{"name": "local", "url": f"{base}/simple", "verify_ssl": False}],
    }
    return json.dumps({"_meta": meta, "default": default, "develop": {}}, indent=4) + "\n"


def requirements(entries: list[Entry], base: str) -> str:
    lines = [f"--index-url {base}/simple/"]
    for entry in entries:
        marker = f" ; {entry.marker}" if entry.marker else ""
        hashes = " ".join(f"--hash=sha256:{entry.digest(path)}" for path in entry.files)
        lines.append(f"{entry.name}=={entry.version}{marker} {hashes}")
    return "\n".join(lines) + "\n"


FORMATS = {
    "pylock.toml": pylock,
    "uv.lock": uv,
    "poetry.lock": poetry,
    "Pipfile.lock": pipfile,
    "pdm.lock": pdm,
    "locked.txt": requirements,
}


@dataclass
class World:
    """An index with wheels, a project that needs them, and what a lock would hold."""

    index: Index
    project: Path
    entries: list[Entry]
    directory: Path

    @property
    def base(self) -> str:
        return self.index.url.removesuffix("/simple/")

    def write(self, name: str = "pylock.toml", entries: list[Entry] | None = None) -> Path:
        entries = self.entries if entries is None else entries
        if name == "uv.lock":
            text = uv(entries, self.base, requires=("foreign", "lib"))
        else:
            text = FORMATS[name](entries, self.base)
        path = self.project / name
        path.write_text(text)
        return path
