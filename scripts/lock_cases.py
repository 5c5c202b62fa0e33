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
from lock_oracle import Target, named, normal, parse_toml, select
from packaging.markers import Marker
from packaging.pylock import Pylock
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

TARGETS = [
    ("3.8", "manylinux_2_28_x86_64"),
    ("3.9", "macosx_14_0_arm64"),
    ("3.11", "manylinux_2_28_x86_64"),
    ("3.11", "manylinux_2_28_aarch64"),
    ("3.11", "win_amd64"),
    ("3.12", "macosx_13_0_x86_64"),
    ("3.13", "musllinux_1_2_x86_64"),
    ("3.13", "manylinux_2_28_x86_64"),
]


def pylock_selections(lock, targets):
    document = parse_toml(lock.read_text())
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


def pipenv_files(document):
    for section, packages in document.items():
        for name, package in packages.items() if section != "_meta" else ():
            word = "digests" if package.get("hashes") else "hash"
            files = [url_name(package["file"])] if "file" in package else []
            if "git" in package or "path" in package:
                word = "git" if "git" in package else "directory"
            version = package.get("version", "*").removeprefix("==")
            yield name, Files(None if version == "*" else version, files, None if files else word)


def pipenv_python(document, _directory):
    requires = document["_meta"].get("requires", {})
    if full := requires.get("python_full_version"):
        return f"=={full}"
    return f"=={requires['python_version']}.*" if "python_version" in requires else None


def requirements_files(text):
    """Only what is named by its URL: of all else a requirements file has digests and no names."""
    for line in text.replace("\\\n", " ").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)\s*(?:\[.*?\])?\s*@\s*(\S+)", line):
            word = "git" if match[2].startswith("git+") else None
            file = url_name(match[2])
            version = file.split("-")[1] if file.endswith(".whl") else None
            yield match[1], Files(version, [] if word else [file], word)


def pdm_python(document, directory):
    """The Python of the only target; else what the project says."""
    targets = document["metadata"].get("targets", [])
    if len(targets) == 1 and "requires_python" in targets[0]:
        return targets[0]["requires_python"]
    project = parse_toml((directory / "pyproject.toml").read_text()).get("project", {})
    return project.get("requires-python")


PDM_SYSTEMS = {"windows": "win32", "macos": "darwin"}
PDM_MACHINES = {("windows", "amd64"): "AMD64", ("windows", "arm64"): "ARM64", ("macos", "aarch64"): "arm64"}
PDM_SHORT = {"linux": "linux_x86_64", "alpine": "linux_x86_64", "windows": "windows_amd64", "macos": "macos_arm64"}


def pdm_environments(document):
    return [(lambda target, one=one: pdm_fits(one, target)) for one in document["metadata"].get("targets", [])]


def pdm_fits(wanted, target):
    """Whether one of `metadata.targets` is this target, as far as markers can tell."""
    facts = target.environment
    if not SpecifierSet(wanted.get("requires_python", "")).contains(facts["python_full_version"]):
        return False
    if wanted.get("implementation", facts["implementation_name"]) != facts["implementation_name"]:
        return False
    if "platform" not in wanted:
        return True
    system, machine = re.fullmatch(
        r"([a-z]+)_(?:[\d_]*)(.+)", PDM_SHORT.get(wanted["platform"], wanted["platform"])
    ).groups()
    expected = PDM_SYSTEMS.get(system, "linux"), PDM_MACHINES.get((system, machine), machine)
    return expected == (facts["sys_platform"], facts["platform_machine"])


class Format:
    """How a lock is read: its text, its file lists, the Pythons and the environments that it is for."""

    def __init__(self, parse, files, python=lambda lock, directory: None, environments=lambda lock: []):
        self.parse, self.files, self.python, self.environments = parse, files, python, environments


def uv_environments(document):
    markers = [Marker(marker) for marker in document.get("supported-markers", [])]
    return [(lambda target, marker=marker: marker.evaluate(target.environment)) for marker in markers]


UV = Format(parse_toml, uv_files, lambda lock, _: lock.get("requires-python"), uv_environments)
FORMATS = {
    "uv.lock": UV,
    "poetry.lock": Format(parse_toml, poetry_files, lambda lock, _: lock["metadata"].get("python-versions")),
    "pdm.lock": Format(parse_toml, pdm_files, pdm_python, pdm_environments),
    "Pipfile.lock": Format(json.loads, pipenv_files, pipenv_python),
}


def format_of(name):
    if name.endswith(".py.lock"):
        return UV
    return FORMATS.get(name) or (Format(str, requirements_files) if name.endswith((".txt", ".lock")) else None)


def python_range(text):
    """A specifier set; poetry's `^` and `~` are spelled out, `*` is any, and what has alternatives is not checked."""
    parts = [part.strip() for part in (text or "*").split(",")]
    for index, part in enumerate(parts):
        if match := re.fullmatch(r"([\^~])(\d+)(?:\.(\d+))?(?:\.\d+)?", part):
            sign, major, minor = match.groups()
            top = f"{int(major) + 1}" if sign == "^" or not minor else f"{major}.{int(minor) + 1}"
            parts[index] = f">={part[1:]},<{top}"
    try:
        return SpecifierSet(",".join(part for part in parts if part not in ("", "*")))
    except InvalidSpecifier:
        return SpecifierSet()


def tool_selections(lock, oracle, targets):
    form = format_of(lock.name)
    document = form.parse(lock.read_text())
    entries = {}
    for name, files in form.files(document):
        entries.setdefault(normal(name), []).append(files)
    allowed, environments = python_range(form.python(document, lock.parent)), form.environments(document)
    selections = []
    for wanted in json.loads(oracle.read_text()):
        for target in targets:
            if not allowed.contains(target.environment["python_full_version"]):
                result = {"error": "python"}
            elif environments and not any(fits(target) for fits in environments):
                result = {"error": "environment"}
            else:
                result = tool_select(wanted, entries, target)
            # Which member of a workspace is packed.
            place = {"project": wanted["project"]} if "project" in wanted else {}
            selections.append(entry(target, wanted["extras"], wanted["groups"], place | result))
    return selections


def tool_select(wanted, entries, target):
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
        if file in (None, "hash"):
            return {"error": file or "no-wheel"}
        selected.append([name, str(Version(version)) if version else None, file])
    return {"packages": selected}


def choose(files, target):
    best = target.best(files)
    if best is not None:
        return files[best]
    return next((file for file in files if file.endswith((".tar.gz", ".tgz", ".zip"))), None)


def real_selections(root):
    """Every selections*.json below `root` by its path, and what belongs there. Its targets are those that it has."""
    for directory in sorted(path for path in root.glob("*/*") if path.is_dir()):
        for lock in directory.glob("pylock*.toml"):
            path = directory / "selections.json"
            yield path, pylock_selections(lock, targets_of(path))
        for oracle in sorted(directory.glob("oracle*.json")):
            locks = sorted(path for path in directory.iterdir() if format_of(path.name))
            # A requirements file is a lock only where there is none with a lock's own name.
            lock = min(locks, key=lambda path: path.name not in FORMATS)
            path = directory / oracle.name.replace("oracle", "selections", 1)
            yield path, tool_selections(lock, oracle, targets_of(path))


def targets_of(path):
    known = {(entry["python"], entry["platform"]) for entry in read_selections(path)}
    return [Target(*target) for target in sorted(known or TARGETS)]


def read_selections(path):
    return json.loads(path.read_text()) if path.exists() else []


def same(path, entries):
    """Whether the committed selections are these, in whatever order."""
    return sorted(map(json.dumps, map(canonical, read_selections(path)))) == sorted(
        map(json.dumps, map(canonical, entries))
    )


def canonical(entry):
    packages = {"packages": sorted(entry["packages"])} if "packages" in entry else {}
    return dict(sorted((entry | packages).items()))


def write_selections(entries):
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    return f"[\n{lines}\n]\n"


def main():
    write = "--write" in sys.argv[1:]
    root = Path(sys.argv[-1])
    generated = generate()
    real = dict(real_selections(root))
    texts = {path: write_selections(entries) for path, entries in real.items() if not same(path, entries)}
    if not (path := root / "generated.json").exists() or path.read_text() != generated.text:
        texts[path] = generated.text
    orphans = [path for path in root.glob("*/*/selections*.json") if path not in real]
    for path in orphans:
        print(f"{path}: neither a pylock.toml nor an oracle*.json says what belongs there")
    for path, text in texts.items():
        print(f"{path}: {'written' if write else 'not what packaging and the tool say'}")
        if write:
            path.write_text(text)
    wrong = len(orphans) + (0 if write else len(texts))
    entries = [entry for entries in real.values() for entry in entries]
    targets = {(entry["python"], entry["platform"]) for entry in entries}
    print(f"oracle: {generated.summary}")
    print(f"oracle: {len(real)} projects, {len(targets)} targets, {len(entries)} selections: {wrong} differences")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
