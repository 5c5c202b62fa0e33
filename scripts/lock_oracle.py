"""What `packaging` says about lock files: the oracle of scripts/check-locks.

Where pyzpack differs from `packaging.pylock` by decision, `select` says so: default groups are united with those that
are asked for; an extra or group that is not there is refused; the build tag decides among wheels of equally good tags
(PEP 427); an archive that is a wheel has to fit; what is taken has a sha256.
"""

import re
import sys
from urllib.parse import unquote, urlparse

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.pylock import Pylock, PylockSelectError
from packaging.tags import create_compatible_tags_selector, parse_tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version
from target_cases import interpreter_tags, platform_tags

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What reads TOML.
parse_toml = tomllib.loads

# A Python that is asked for by its minor version is its X.Y.0 where a marker asks.
PATCH = 0
DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Target:
    """A Python on a platform: the values of markers, and the tags in their order."""

    def __init__(self, python, platform, flags=""):
        major, minor = map(int, python.split("."))
        full = f"{python}.{PATCH}"
        system, name, machine, facts = describe(platform)
        self.python, self.platform, self.flags = python, platform, flags
        self.environment = {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "nt" if system == "Windows" else "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": system,
            "platform_version": "",
            "python_full_version": full,
            "python_version": python,
            "sys_platform": name,
        }
        # A named platform promises nothing about the machine that a linux_* wheel was built on.
        platforms = [tag for tag in platform_tags(platform, *facts) if not tag.startswith("linux_")]
        self.tags = [tag for text in interpreter_tags((major, minor), flags, platforms) for tag in parse_tag(text)]
        self.select = create_compatible_tags_selector(self.tags)

    def best(self, filenames):
        """The place of the wheel that fits best: by its tag, then its build tag, then its place."""
        facts = {index: found for index, name in enumerate(filenames) if (found := wheel_facts(name))}
        order = sorted(facts, key=lambda index: DescendingBuild(facts[index][0]))
        return next(self.select((index, facts[index][1]) for index in order), None)


class DescendingBuild:
    """A build tag (PEP 427) that sorts the other way round; none is the lowest."""

    def __init__(self, build):
        self.build = build

    def __lt__(self, other):
        return other.build < self.build


def describe(platform):
    """System, sys.platform, machine, and what `platform_tags` wants to know."""
    if platform.startswith("win"):
        return "Windows", "win32", {"win_amd64": "AMD64", "win_arm64": "ARM64"}.get(platform, "x86"), (None,) * 3
    kind, major, minor, machine = platform.split("_", 3)
    version = (int(major), int(minor))
    if kind == "macosx":
        return "Darwin", "darwin", machine, (machine, version, None)
    libc, musl = (version, None) if kind == "manylinux" else (None, version)
    return "Linux", "linux", machine, (machine, libc, musl)


def wheel_facts(filename):
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    return build, tags


# pylock.toml


def select(document, target, extras, groups):
    """What `packaging` selects: [package, what of it] by places in the document; or the kind of its refusal."""
    defaults = document.get("default-groups", [])
    # The oracle takes the first of wheels with equally good tags: it is given them by descending build tag.
    order, ordered = {}, {**document, "packages": []}
    for number, package in enumerate(document["packages"]):
        wheels = package.get("wheels", [])
        builds = [DescendingBuild(parse_wheel_filename(filename(wheel))[2]) for wheel in wheels]
        order[number] = sorted(range(len(wheels)), key=builds.__getitem__)
        ordered["packages"].append({**package, "wheels": [wheels[place] for place in order[number]]})
    lock = Pylock.from_dict(ordered)
    asked = {normal(group) for group in [*defaults, *groups]}
    pairs = lock.select(environment=target.environment, tags=target.tags, extras=extras, dependency_groups=asked)
    selected = []
    try:
        if kind := unfit(lock, target) or unknown_name(document, extras, groups) or unreadable(lock, target):
            return kind
        for package, choice in pairs:
            number = next(index for index, one in enumerate(lock.packages) if one is package)
            what = kind_of(package, choice)
            if what == "wheel":
                what = order[number][next(index for index, one in enumerate(package.wheels) if one is choice)]
            if what == "archive":
                name = filename(document["packages"][number]["archive"])
                if name.endswith(".whl") and target.best([name]) is None:
                    return "no-wheel"
            if what not in ("git", "directory") and "sha256" not in choice.hashes:
                return "hash"
            selected.append([number, what])
    except PylockSelectError as error:
        return refusal_kind(error)
    return selected


def unfit(lock, target):
    """The refusal of the whole lock: that of `packaging` for the same lock without an entry."""
    try:
        empty = Pylock.from_dict({**lock.to_dict(), "packages": []})
        list(empty.select(environment=target.environment, tags=target.tags))
    except PylockSelectError as error:
        return refusal_kind(error)
    return None


def unreadable(lock, target):
    """pyzpack evaluates every marker before it looks at what is needed; so one without a value is the first refusal."""
    environment = {**target.environment, "extras": frozenset(), "dependency_groups": frozenset()}
    try:
        for package in lock.packages:
            if package.marker:
                package.marker.evaluate(environment, context="lock_file")
    except (UndefinedComparison, UndefinedEnvironmentName):
        return "marker"
    return None


def kind_of(package, choice):
    if package.vcs or package.directory:
        return "git" if package.vcs else "directory"
    if package.archive:
        return "archive"
    return "sdist" if choice is package.sdist else "wheel"


def refusal_kind(error):
    kinds = {
        "does not satisfy the Python version": "python",
        "does not satisfy any of the environments": "environment",
        "Multiple packages": "ambiguous",
        "No wheel found": "no-wheel",
    }
    return next(kind for text, kind in kinds.items() if text in " ".join(str(error).split()))


def unknown_name(document, extras, groups):
    known = {normal(group) for key in ("dependency-groups", "default-groups") for group in document.get(key, [])}
    if set(extras) - set(document.get("extras", [])):
        return "extra"
    return "group" if set(groups) - known else None


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def filename(file):
    """The name of a wheel, sdist or archive, as `packaging.pylock` finds it."""
    path = file.get("path") or ""
    of_path = path.rsplit("/" if "/" in path else "\\", 1)[-1]
    return file.get("name") or of_path or unquote(urlparse(file.get("url") or "").path.rsplit("/", 1)[-1])


def named(document, selected):
    """The selection as selections.json has it: name, version, file."""
    if isinstance(selected, str):
        return {"error": selected}
    packages = []
    for number, what in selected:
        package = document["packages"][number]
        version = package.get("version")
        if what in ("git", "directory"):
            file = what
        else:
            found = package[what] if isinstance(what, str) else package["wheels"][what]
            file = filename(found)
            if version is None and (file.endswith(".whl") or what == "sdist"):
                version = file.split("-")[1] if file.endswith(".whl") else file.rsplit("-", 1)[1]
        packages.append([package["name"], str(Version(version)) if version else None, file])
    return {"packages": sorted(packages)}
