"""Generated pylock.toml texts with what `packaging.pylock` says of each: valid ones, and ones with one thing wrong.

The seed is fixed. An expectation is "refused"; or "stricter:KIND" where `packaging` takes the text and pyzpack refuses
it by decision (`stricter` predicts that from the text alone); or a list of questions and answers, an answer being what
is selected ("1.2" is the third wheel of the second entry) or the kind of a refusal.
"""

import copy
import datetime
import json
import logging
import posixpath
import random
import re
from collections import Counter

import packaging
from lock_oracle import DIGEST, Target, filename, parse_toml, select
from packaging.markers import Marker
from packaging.pylock import Pylock, PylockValidationError
from packaging.version import Version
from target_cases import deliberately_refused

VALID = 320
DAMAGED = 1100
MISSPELT = 700
COMMIT = "0123456789abcdef0123456789abcdef01234567"
TARGETS = [
    ("3.8", "manylinux_2_17_x86_64", ""),
    ("3.9", "win_amd64", ""),
    ("3.10", "manylinux_2_28_aarch64", ""),
    ("3.11", "manylinux_2_28_x86_64", ""),
    ("3.12", "macosx_14_0_arm64", ""),
    ("3.12", "macosx_10_15_x86_64", ""),
    ("3.13", "musllinux_1_2_x86_64", ""),
    ("3.13", "manylinux_2_34_x86_64", "t"),
    ("3.14", "win_arm64", ""),
]
TAGS = [
    "py3-none-any",
    "py2.py3-none-any",
    "py3-none-any",
    "py311-none-any",
    "cp311-none-any",
    "py3-none-manylinux1_x86_64",
    "py3-none-win_amd64",
    "cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp37-abi3-macosx_10_9_x86_64",
    "cp39-abi3-win_amd64",
    "cp312-abi3-musllinux_1_2_x86_64",
    "cp38-cp38-manylinux2014_x86_64",
    "cp39-cp39-win_amd64",
    "cp39-cp39-win32",
    "cp310-cp310-manylinux_2_17_aarch64",
    "cp310-cp310-manylinux_2_31_aarch64",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
    "cp311-cp311-manylinux_2_28_x86_64",
    "cp311-cp311-manylinux_2_34_x86_64",
    "cp311-cp311-linux_x86_64",
    "cp312-cp312-macosx_10_9_universal2",
    "cp312-cp312-macosx_11_0_arm64",
    "cp312-cp312-macosx_10_9_x86_64",
    "cp313-cp313-musllinux_1_1_x86_64",
    "cp313-cp313-musllinux_1_2_x86_64",
    "cp313-cp313t-manylinux_2_17_x86_64",
    "cp313-cp313-manylinux_2_17_x86_64",
    "cp314-cp314-win_arm64",
    "cp314-cp314t-win_arm64",
    "cp315-abi3t-manylinux_2_28_x86_64",
    "pp310-pypy310_pp73-manylinux_2_17_x86_64",
    "CP311-CP311-MANYLINUX_2_17_x86_64",
]
MARKERS = [
    "python_version < '3.11'",
    "python_version >= '3.11'",
    "python_full_version >= '3.12.3' or sys_platform == 'win32'",
    "sys_platform == 'linux'",
    "sys_platform != 'linux'",
    "platform_machine in 'x86_64 AMD64'",
    "'cli' in extras",
    "'cli' not in extras",
    "'Web_Ui' in extras and os_name == 'posix'",
    "'dev' in dependency_groups",
    "'docs' in dependency_groups or 'dev' in dependency_groups",
    "('cli' in extras or 'dev' in dependency_groups) and python_version >= '3.9'",
    "implementation_name == 'pypy'",
    "platform_system == 'Darwin' and 'docs' not in dependency_groups",
    "python_version in '3.8, 3.9'",
    "platform_release >= '5'",
]
VALUELESS = ["extra == 'cli'", "sys_platform ~= 'linux'"]
DISJOINT = [
    ["python_version < '3.10'", "python_version >= '3.10'"],
    ["sys_platform == 'linux'", "sys_platform == 'win32'", "sys_platform != 'linux' and sys_platform != 'win32'"],
    ["'cli' in extras", "'cli' not in extras"],
    ["python_version < '3.9'", "python_version >= '3.9' and python_version < '3.12'", "python_version >= '3.12'"],
]
VERSIONS = ["1.0", "1.0.1", "2!1", "2.0rc1", "3.0.post1", "1.0+local.1"]
SPECIFIERS = [">=3.8", ">=3.9", "<3.13", ">=3.9,<3.14", "!=3.11.*", ">=3.11.3", "~=3.10", "==3.12.*,", ""]
ENVIRONMENTS = ["sys_platform == 'linux'", "python_version >= '3.9'", "platform_machine == 'arm64'", "os_name == 'nt'"]


class Cases:
    def __init__(self, text, summary):
        self.text, self.summary = text, summary


# Documents


def wheel(chooser, name, version, tag):
    build = chooser.choice(["", "", "", "", "1-", "2a-", "10-"])
    file = f"{name.replace('-', '_')}-{version}-{build}{tag}.whl"
    found = {"hashes": hashes(chooser)}
    place = chooser.random()
    if place < 0.7:
        found["url"] = f"https://files.example/{file.replace('+', '%2B')}"
    elif place < 0.85:
        found["path"] = chooser.choice(["", "./", "dist/", "dist\\"]) + file
    else:
        found |= {"name": file, "url": "http://files.example/x"}
    if chooser.random() < 0.2:
        found["size"] = chooser.randrange(10**6)
    if chooser.random() < 0.2:
        found["upload-time"] = datetime.datetime(
            2025, 1, 2, 3, 4, 5, tzinfo=chooser.choice([None, datetime.timezone.utc])
        )
    return found


def hashes(chooser):
    return chooser.choice([{"sha256": "@"}] * 18 + [{"sha256": "@", "md5": "0"}, {"md5": "0"}])


def entry(chooser, name, version, marker):
    package = {"name": name}
    if chooser.random() < 0.9:
        package["version"] = version
    if marker:
        package["marker"] = marker
    if chooser.random() < 0.12:
        package["requires-python"] = chooser.choice(SPECIFIERS)
    if chooser.random() < 0.1:
        package["index"] = "https://index.example/simple"
    if chooser.random() < 0.1:
        package["dependencies"] = [{"name": "a"}]
    if chooser.random() < 0.1:
        package["attestation-identities"] = [{"kind": "GitHub", "repository": "x/y"}]
    if chooser.random() < 0.12:
        return package | tree(chooser, name, version)
    tags = chooser.sample(TAGS, chooser.choice([0, 1, 1, 2, 3, 5, 8]))
    if tags:
        package["wheels"] = [wheel(chooser, name, version, tag) for tag in tags]
    if not tags or chooser.random() < 0.4:
        package["sdist"] = {
            "url": f"https://files.example/{name}-{version}{chooser.choice(['.tar.gz', '.zip'])}",
            "hashes": hashes(chooser),
        }
    return package


def tree(chooser, name, version):
    inside = chooser.choice([{}, {}, {"subdirectory": "in/side"}])
    found = chooser.choice(
        [
            {
                "vcs": {
                    "type": "git",
                    "url": f"https://git.example/{name}.git",
                    "commit-id": COMMIT,
                    "requested-revision": "v1",
                }
            },
            {"vcs": {"type": "git", "path": f"repositories/{name}", "commit-id": COMMIT}},
            {"directory": {"path": f"lib/{name}", "editable": True}},
            {"archive": {"url": f"https://files.example/{name}.zip", "hashes": hashes(chooser)}},
            {
                "archive": {
                    "path": f"dist/{name.replace('-', '_')}-{version}-py3-none-win_amd64.whl",
                    "hashes": hashes(chooser),
                }
            },
        ]
    )
    return {kind: value | inside for kind, value in found.items()}


def document(chooser, names=(0, 1, 2, 3, 4)):
    found = {"lock-version": chooser.choice(["1.0"] * 9 + ["1.3"]), "created-by": "generator"}
    if chooser.random() < 0.15:
        found["requires-python"] = chooser.choice(SPECIFIERS)
    if chooser.random() < 0.15:
        found["environments"] = chooser.sample(ENVIRONMENTS, chooser.choice([1, 2]))
    if chooser.random() < 0.6:
        found["extras"] = ["cli", "web-ui"]
    if chooser.random() < 0.6:
        found["dependency-groups"] = ["dev", "Docs"]
    if chooser.random() < 0.3:
        found["default-groups"] = [chooser.choice(["dev", "docs"])]
    packages = []
    for name in chooser.sample(["a", "b-c", "d", "e3", "f-g-h", "i"], chooser.choice(names)):
        kind = chooser.random()
        if kind < 0.6:
            markers = [chooser.choice([None, None, *MARKERS * 3, *VALUELESS])]
        elif kind < 0.85:
            markers = chooser.choice(DISJOINT)
        else:
            markers = chooser.sample(MARKERS, 2)
        packages += [entry(chooser, name, chooser.choice(VERSIONS), marker) for marker in markers]
    return found | {"packages": packages}


# One thing made wrong

OTHERS = [
    0,
    -1,
    True,
    1.5,
    "",
    "x",
    "..",
    "1.0",
    "/abs",
    "../out",
    "in/../../out",
    "ftp://files.example/a-1.0.tar.gz",
    "main",
    "hg",
    "A_b",
    [],
    [1],
    [{}],
    ["x"],
    {},
    {"x": 1},
    {"md5": "0"},
    {"sha256": "0"},
    {"sha256": 1},
    datetime.date(2025, 1, 2),
    datetime.time(3, 4, 5),
    datetime.datetime(2025, 1, 2, 3, 4, 5),
    "python_version",
    "'x' in extras",
    ">=3.9",
    "==1.*",
    "a-1.0-py3-none-any.whl",
    "a-1.0.tar.bz2",
    "a__b-1.0-py3-none-any.whl",
    "a-1.0-x-py3-none-any.whl",
    "a-1.0_1-py3-none-any.whl",
    "2.0",
    "1.9",
    "1.0a1",
    "1!1.0",
]
KEYS = [
    "wheels",
    "sdist",
    "vcs",
    "directory",
    "archive",
    "version",
    "subdirectory",
    "path",
    "url",
    "name",
    "size",
    "upload-time",
    "tool",
    "index",
    "requires-python",
    "marker",
]


def places(value, path=()):
    """Every key and every place of a list, as paths."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def damage(chooser, whole):
    whole = copy.deepcopy(whole)
    path = chooser.choice(list(places(whole)))
    holder = whole
    for key in path[:-1]:
        holder = holder[key]
    kind = chooser.random()
    if kind < 0.3:
        del holder[path[-1]]
    elif kind < 0.8:
        holder[path[-1]] = chooser.choice(OTHERS)
    elif isinstance(holder, dict):
        holder[chooser.choice(KEYS)] = copy.deepcopy(chooser.choice(OTHERS + list(holder.values())))
    elif isinstance(holder[path[-1]], str):
        holder[path[-1]] = holder[path[-1]].upper()
    else:
        holder.append(copy.deepcopy(holder[path[-1]]))
    return whole


def misspell(chooser, whole):
    """One character of one text made another, left out or put in."""
    whole = copy.deepcopy(whole)
    found = [path for path in places(whole) if isinstance(reach(whole, path), str)]
    path = chooser.choice(found)
    text = reach(whole, path)
    at = chooser.randrange(len(text) + 1)
    character = chooser.choice(["", "", *"-_.~*=<>'/:%+ aZ9é"])
    reach(whole, path[:-1])[path[-1]] = text[:at] + character + text[at + chooser.choice([0, 1]) :]
    return whole


def reach(value, path):
    for key in path:
        value = value[key]
    return value


def stricter(whole):
    """Why pyzpack refuses what `packaging` takes, if it does."""
    version = Version(whole["lock-version"])
    if version.epoch or version.release[0] != 1:
        return "version"
    names = [*whole.get("dependency-groups", []), *whole.get("default-groups", [])]
    if not all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name) for name in names):
        return "group"
    for marker in whole.get("environments", []):
        if re.search(r"\b(extra|extras|dependency_groups)\b", marker) or deliberately_refused(Marker(marker)):
            return "marker"
    for package in whole["packages"]:
        if kind := stricter_entry(package):
            return kind
    return None


def stricter_entry(package):
    if "marker" in package and deliberately_refused(Marker(package["marker"])):
        return "marker"
    named = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    for file in [*named, *([package["archive"]] if "archive" in package else [])]:
        if file.get("path") and leaves(file["path"]):
            return "outside"
        if file.get("url") and not re.match(r"(?i)https?://", file["url"]):
            return "scheme"
        if file.get("size", 0) < 0:
            return "size"
        if not re.fullmatch(r"@|[0-9a-f]{64}", file["hashes"].get("sha256", "@")):
            return "hash"
    if any(re.search(r"[/\\]", filename(file)) for file in named):
        return "filename"
    versions = {str(Version(version_of(filename(file)))) for file in named}
    if len(versions) > 1:
        return "versions"
    if archive := package.get("archive"):
        name = filename(archive)
        if name.endswith(".whl"):
            found = re.fullmatch(r"([^-]+)-([^-]+)-(\d[^-]*-)?[^-]+-[^-]+-[^-]+\.whl", name)
            if (
                not found
                or found[1].lower().replace("_", "-") != package["name"]
                or ("version" in package and Version(found[2]) != Version(package["version"]))
            ):
                return "archive"
        elif not name.endswith((".zip", ".tar.gz", ".tgz")) or name.startswith("."):
            return "archive"
    if vcs := package.get("vcs"):
        if vcs["type"] != "git" or not re.fullmatch("[0-9a-f]{40}", vcs["commit-id"]):
            return "repository"
        if vcs.get("url") and not vcs["url"].startswith("https://"):
            return "repository"
        if not vcs.get("url") and leaves(vcs["path"]):
            return "outside"
    if "directory" in package and leaves(package["directory"]["path"]):
        return "outside"
    tree = package.get("vcs") or package.get("directory") or package.get("archive") or {}
    inside = tree.get("subdirectory", "")
    return "outside" if ".." in inside.split("/") or inside.startswith("/") else None


def version_of(file):
    return file.split("-")[1] if file.endswith(".whl") else re.sub(r"\.(tar\.gz|zip)$", "", file).rsplit("-", 1)[1]


def leaves(path):
    path = posixpath.normpath(path if "/" in path else path.replace("\\", "/")) if path else "/"
    return path.startswith(("/", "../")) or path == ".."


# Texts


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)


def text_of(whole):
    return "".join(f"{key} = {toml(value)}\n" for key, value in whole.items())


def questions(chooser, whole, targets):
    asked = []
    for number in sorted(chooser.sample(range(len(targets)), 4)):
        extras = chooser.choice([[], [], ["cli"], ["cli", "web-ui"], ["web-ui"]])
        groups = chooser.choice([[], [], ["dev"], ["docs"], ["dev", "docs"]])
        if set(extras) - set(whole.get("extras", [])) and chooser.random() < 0.9:
            extras = []
        if groups and "dependency-groups" not in whole and chooser.random() < 0.9:
            groups = []
        answer = select(whole, targets[number], extras, groups)
        if not isinstance(answer, str):
            answer = " ".join(sorted(f"{package}.{what}" for package, what in answer))
            answer = f"[{answer}]"
        asked.append([number, extras, groups, answer])
    return asked


def generate():
    # It warns of every minor version but 0.
    logging.disable(logging.WARNING)
    chooser = random.Random(751)
    targets = [Target(*target) for target in TARGETS]
    tally, cases, seen = Counter(), [], set()
    originals = [document(chooser) for _ in range(VALID)]
    small = [document(chooser, (0, 1, 1)) for _ in range(DAMAGED)]
    small = [whole for whole in small if len(text_of(whole)) < 1200]
    wrong = [damage(chooser, whole) for whole in small] + [misspell(chooser, whole) for whole in small[:MISSPELT]]
    for whole in originals + wrong:
        text = text_of(whole)
        if text in seen:
            continue
        seen.add(text)
        read = parse_toml(text.replace('"@"', f'"{DIGEST}"'))
        try:
            Pylock.from_dict(read)
        except PylockValidationError:
            cases.append([text, "refused"])
            tally["refused"] += 1
            continue
        if kind := stricter(read):
            cases.append([text, f"stricter:{kind}"])
            tally["stricter"] += 1
            continue
        asked = questions(chooser, read, targets)
        tally["taken"] += 1
        tally.update(["questions"] * len(asked))
        cases.append([text, asked])
    about = "made by scripts/check-locks with packaging " + packaging.__version__
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    header = f'"about": {json.dumps(about)},\n"digest": "{DIGEST}",\n"targets": {json.dumps(TARGETS)},\n"cases": [\n'
    summary = (
        f"{len(cases)} generated locks ({tally['taken']} taken, {tally['refused']} refused, {tally['stricter']} "
        f"refused by pyzpack alone), {len(targets)} targets, {tally['questions']} selections"
    )
    return Cases("{" + header + lines + "\n]}\n", summary)
