"""What tests/locks.rs expects of lock files: selections of real ones, and verdicts on generated pylock.toml texts.

Run by scripts/check-locks, in an environment that has `packaging` and, before Python 3.11, `tomli`. A pylock.toml is
asked of `packaging.pylock`. Of another lock the tool that made it has said in oracle.json what is needed where;
`packaging.markers` and `packaging.tags` say what that means for a target, and the file lists are read here, without
pyzpack.
"""

import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

from lock_generator import generate
from lock_oracle import Target, named, normal, select
from packaging.markers import Marker
from packaging.pylock import Pylock
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TARGETS = [
    ("3.8", "manylinux_2_28_x86_64"),
    ("3.9", "macosx_14_0_arm64"),
    ("3.11", "manylinux_2_28_x86_64"),
    ("3.11", "manylinux_2_28_aarch64"),
    ("3.11", "win_amd64"),
    ("3.13", "musllinux_1_2_x86_64"),
    ("3.13", "manylinux_2_28_x86_64"),
]


def pylock_selections(lock, targets):
    document = tomllib.loads(lock.read_text())
    Pylock.from_dict(document)
    extras, groups = document.get("extras", []), document.get("dependency-groups", [])
    wanted = [([], []), (sorted(extras), sorted(map(normal, groups)))]
    wanted += [([extra], []) for extra in extras[:2]] + [([], [normal(group)]) for group in groups[:2]]
    unique = list({json.dumps(pair): pair for pair in wanted}.values())
    return [
        entry(target, extras, groups, named(document, select(document, target, extras, groups)))
        for extras, groups in unique
        for target in targets
    ]


def entry(target, extras, groups, result):
    return {"python": target.python, "platform": target.platform, "extras": extras, "groups": groups} | result


# The other formats


class Files:
    """What a lock has of one entry: its file names, or a word for what is no file; and where it is needed at all."""

    def __init__(self, version, files=(), word=None):
        self.version, self.files, self.word = version, list(files), word


def url_name(url):
    return unquote(urlparse(url).path.rsplit("/", 1)[-1])


def uv_files(document):
    for package in document.get("package", []):
        source, version = package.get("source", {}), package.get("version")
        files = [
            wheel.get("filename") or url_name(wheel.get("url") or wheel.get("path", ""))
            for wheel in package.get("wheels", [])
        ]
        if sdist := package.get("sdist"):
            files.append(
                url_name(sdist.get("url") or sdist.get("path") or source.get("url") or source.get("path") or "")
            )
        word = next((word for word in ("git", "directory", "editable", "virtual") if word in source), None)
        word = "directory" if word in ("editable", "virtual") else word
        yield package["name"], Files(version, files, word)


def poetry_files(document):
    for package in document.get("package", []):
        kind = package.get("source", {}).get("type")
        word = kind if kind in ("git", "directory") else None
        files = [file["file"] for file in package.get("files", [])]
        yield package["name"], Files(package["version"], files, word)


def pdm_files(document):
    for package in document.get("package", []):
        word = "git" if "git" in package else None
        files = [file.get("file") or url_name(file["url"]) for file in package.get("files", [])]
        if "path" in package and not files:
            word = "directory"
        yield package["name"], Files(package.get("version"), files, word)


def digests(_document):
    return ()


# Name of the lock: how it is read, its file lists, and what it says about Python.
FORMATS = {
    "uv.lock": (tomllib.loads, uv_files, lambda lock: lock.get("requires-python")),
    "poetry.lock": (tomllib.loads, poetry_files, lambda lock: lock["metadata"].get("python-versions")),
    "pdm.lock": (tomllib.loads, pdm_files, lambda lock: lock["metadata"].get("requires_python")),
    "Pipfile.lock": (json.loads, digests, lambda lock: None),
}


def python_range(text):
    """A specifier set; poetry's `^` and `~` are spelled out, and `*` is any."""
    parts = []
    for part in (text or "").replace("*", "" if text == "*" else "*").split(","):
        part = part.strip()
        if match := re.fullmatch(r"([\^~])(\d+)(\.\d+)?(\.\d+)?", part):
            major, minor = match[2], match[3]
            top = f"{int(major) + 1}" if match[1] == "^" or not minor else f"{major}.{int(minor[1:]) + 1}"
            part = f">={part[1:]},<{top}"
        parts.append(part)
    try:
        return SpecifierSet(",".join(part for part in parts if part))
    except InvalidSpecifier:
        return SpecifierSet()


def tool_selections(directory, lock, targets):
    read, list_files, requires_python = FORMATS.get(lock.name, (str, digests, lambda _lock: None))
    document = read(lock.read_text())
    entries = {}
    for name, files in list_files(document):
        entries.setdefault(normal(name), []).append(files)
    allowed = python_range(requires_python(document))
    oracle = json.loads((directory / "oracle.json").read_text())
    return [
        entry(target, wanted["extras"], wanted["groups"], tool_select(wanted, entries, allowed, target))
        for wanted in oracle
        for target in targets
    ]


def tool_select(wanted, entries, allowed, target):
    if not allowed.contains(target.environment["python_full_version"]):
        return {"error": "python"}
    if error := wanted.get("error"):
        return {"error": error}
    needed = {}
    for package in wanted["packages"]:
        marker = package.get("marker")
        if marker and not any(
            Marker(marker).evaluate(target.environment | {"extra": extra}) for extra in ["", *wanted["extras"]]
        ):
            continue
        name, version = normal(package["name"]), package.get("version")
        found = [
            one
            for one in entries.get(name, [])
            if not version or not one.version or Version(one.version) == Version(version)
        ]
        files = found[0] if found else Files(version, word="digests")
        needed.setdefault(name, {})[files.version] = files
    selected = []
    for name, versions in sorted(needed.items()):
        if len(versions) > 1:
            return {"error": "ambiguous"}
        ((version, files),) = versions.items()
        file = files.word or choose(files.files, target)
        if file is None:
            return {"error": "no-wheel"}
        selected.append([name, str(Version(version)) if version else None, file])
    return {"packages": selected}


def choose(files, target):
    best = target.best(files)
    if best is not None:
        return files[best]
    return next((file for file in files if file.endswith((".tar.gz", ".tgz", ".zip"))), None)


def real_selections(root):
    """Every project below `root`: the path of its selections.json, and what belongs there."""
    targets = [Target(*target) for target in TARGETS]
    for directory in sorted(path for path in root.glob("*/*") if path.is_dir()):
        locks = [*directory.glob("pylock*.toml")]
        if locks:
            yield directory / "selections.json", pylock_selections(locks[0], targets)
        elif (directory / "oracle.json").exists():
            known = [path for path in directory.iterdir() if path.name in FORMATS or path.name.endswith(".py.lock")]
            texts = [*directory.glob("requirements*.txt"), *directory.glob("*.lock")]
            lock = next(iter(known + texts))
            yield directory / "selections.json", tool_selections(directory, lock, targets)


def write_selections(entries):
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"[\n{lines}\n]\n"


def main():
    write = "--write" in sys.argv[1:]
    root = Path(sys.argv[-1])
    real = dict(real_selections(root))
    generated = generate()
    expected = {path: write_selections(entries) for path, entries in real.items()}
    expected[root / "generated.json"] = generated.text
    stale = [path for path in root.glob("*/*/selections.json") if path not in expected]
    different = [path for path, text in expected.items() if not path.exists() or path.read_text() != text]
    for path in different if write else ():
        path.write_text(expected[path])
    for path in different + stale:
        print(f"{path}: {'written' if write and path in expected else 'not what packaging and the tool say'}")
    entries = [entry for entries in real.values() for entry in entries]
    targets = {(entry["python"], entry["platform"]) for entry in entries}
    wrong = len(stale) if write else len(different + stale)
    print(f"oracle: {generated.summary}")
    print(f"oracle: {len(real)} projects, {len(targets)} targets, {len(entries)} selections: {wrong} differences")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
