"""Pairs of files that differ in one known way each, with the recipe that makes them and what has to be found.

`tests/e2e/test_diff.py` makes every pair and compares; `scripts/diff-pairs` compares them with diffoscope too, and
prints both answers and times beside each other.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import marshal
import random
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import MAGIC_NUMBER
from pathlib import Path

Files = dict[str, bytes]
EARLY = (1980, 1, 1, 0, 0, 0)


@dataclass
class Pair:
    """Two files to make in a directory, and what is to be found in them."""

    make: Callable[[Path], tuple[Path, Path]]
    # The causes by name, the likeliest first.
    causes: list[str]
    # The verdict of --json.
    verdict: str = "different"
    # Members that have to be named, with `/` between archives in archives; diffoscope has to name them too.
    members: list[str] = field(default_factory=list)
    # What differs in the container.
    container: list[str] = field(default_factory=list)
    # What the recipe needs beside Python.
    needs: str = ""


PAIRS: dict[str, Pair] = {}


def pair(causes: str, **expected) -> Callable:
    def register(make: Callable[[Path], tuple[Path, Path]]):
        PAIRS[make.__name__] = Pair(make, causes.split(), **expected)
        return make

    return register


def write(
    path: Path,
    files: Files,
    *,
    time: tuple = EARLY,
    mode: int = 0o100644,
    level: int = 6,
    method: int = zipfile.ZIP_DEFLATED,
    prefix: bytes = b"",
    extra: bytes = b"",
    system: int = 3,
    comment: bytes = b"",
) -> Path:
    """A zip with these files in their order."""
    buffer = io.BytesIO()
    buffer.write(prefix)
    with zipfile.ZipFile(buffer, "a" if prefix else "w", method, compresslevel=level) as archive:
        archive.comment = comment
        for name, contents in files.items():
            info = zipfile.ZipInfo(name, time)
            info.compress_type = method
            info.create_system = system
            info.external_attr = mode << 16
            info.extra = extra
            archive.writestr(info, contents, compresslevel=level)
    path.write_bytes(buffer.getvalue())
    return path


def package(lines: int = 200) -> Files:
    source = random.Random(1)
    words = ["alpha", "beta", "gamma", "delta", "return", "import", "self", "None"]
    body = "".join(f"value_{number} = '{source.choice(words)} {source.choice(words)}'\n" for number in range(lines))
    return {"pkg/__init__.py": b"", "pkg/module.py": body.encode(), "pkg/data.txt": b"some data\n" * 50}


def wheel(version: str = "1.0", files: Files | None = None, generator: str = "bdist_wheel (0.40)") -> Files:
    """The files of a wheel, its RECORD true of them."""
    info = f"pkg-{version}.dist-info"
    all_files = dict(package() if files is None else files)
    all_files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: pkg\nVersion: {version}\n".encode()
    all_files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: {generator}\nTag: py3-none-any\n".encode()
    rows = []
    for name, contents in all_files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(contents)}\n")
    all_files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    return all_files


def both(directory: Path, suffix: str = "zip") -> tuple[Path, Path]:
    return directory / f"a.{suffix}", directory / f"b.{suffix}"


@pair("time-stamps", verdict="packed-differently", container=["time stamps"])
def time_stamps(directory: Path):
    """Two builds a few minutes apart, each file with its own time."""
    a, b = both(directory, "whl")
    return write(a, wheel(), time=(2026, 3, 1, 10, 0, 2)), write(b, wheel(), time=(2026, 3, 1, 10, 7, 14))


@pair("time-stamps", verdict="packed-differently", container=["time stamps"])
def source_date_epoch(directory: Path):
    """One build with SOURCE_DATE_EPOCH=315532800, one without."""
    a, b = both(directory, "whl")
    return write(a, wheel()), write(b, wheel(), time=(2026, 3, 1, 10, 7, 14))


@pair("time-zone", verdict="packed-differently", container=["time stamps"])
def time_zone(directory: Path):
    """The same moment in UTC and in UTC+5:30."""
    a, b = both(directory)
    return write(a, package(), time=(2026, 3, 1, 22, 0, 2)), write(b, package(), time=(2026, 3, 2, 3, 30, 2))


@pair("deflater", verdict="packed-differently", container=["deflate streams"])
def level(directory: Path):
    """Level 1 and level 9 of zlib."""
    a, b = both(directory)
    return write(a, package(), level=1), write(b, package(), level=9)


@pair("method", verdict="packed-differently", container=["method"])
def stored(directory: Path):
    """Deflated and stored."""
    a, b = both(directory)
    return write(a, package()), write(b, package(), method=zipfile.ZIP_STORED)


@pair("order", verdict="packed-differently", container=["order"])
def order(directory: Path):
    """The order of a directory's listing."""
    a, b = both(directory)
    files = package()
    return write(a, dict(sorted(files.items()))), write(b, dict(sorted(files.items(), reverse=True)))


@pair("modes", verdict="packed-differently", container=["modes"])
def umask(directory: Path):
    """Built under umask 022 and 002."""
    a, b = both(directory)
    return write(a, package()), write(b, package(), mode=0o100664)


@pair("modes", verdict="packed-differently", container=["modes"])
def executable(directory: Path):
    """An executable bit that one checkout lost."""
    a, b = both(directory)
    return write(a, package(), mode=0o100755), write(b, package())


@pair("first-line", verdict="packed-differently", container=["first line"])
def shebang(directory: Path):
    """Two interpreters in the first line of a zipapp."""
    a, b = both(directory, "pyz")
    files = {"__main__.py": b"print('hello')\n", **package()}
    return write(a, files, prefix=b"#!/usr/bin/env python3\n"), write(b, files, prefix=b"#!/usr/bin/python3.11\n")


@pair("extra-fields", verdict="packed-differently", container=["extra fields"])
def extra_fields(directory: Path):
    """Extended times and user ids, as Info-ZIP writes them without -X."""
    a, b = both(directory)
    times = struct.pack("<HHBI", 0x5455, 5, 1, 1700000000)
    return write(a, package()), write(b, package(), extra=times)


@pair("system", verdict="packed-differently", container=["system"])
def system(directory: Path):
    """Packed on Windows and on Linux."""
    a, b = both(directory)
    return write(a, package()), write(b, package(), system=0)


@pair("writer", verdict="packed-differently", container=["comment of the archive"])
def comment(directory: Path):
    """A comment at the end of one."""
    a, b = both(directory)
    return write(a, package()), write(b, package(), comment=b"built on host-17")


@pair("appended", verdict="packed-differently", container=["behind the end"])
def appended(directory: Path):
    """Bytes behind the end of one."""
    a, b = both(directory)
    write(a, package())
    b.write_bytes(a.read_bytes() + b"\0" * 100)
    return a, b


@pair("damage")
def cut_off(directory: Path):
    """A download that broke off."""
    a, b = both(directory)
    write(a, package())
    b.write_bytes(a.read_bytes()[:-300])
    return a, b


@pair("writer", verdict="packed-differently", container=["flags", "data descriptor"])
def streamed(directory: Path):
    """Written to a pipe, with sizes behind the data."""
    a, b = both(directory)

    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise io.UnsupportedOperation("tell")

        def seek(self, *where: int) -> int:
            raise io.UnsupportedOperation("seek")

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in package().items():
            info = zipfile.ZipInfo(name, EARLY)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(info, contents)
    b.write_bytes(pipe.getvalue())
    return write(a, package()), b


@pair("writer", verdict="packed-differently", container=["bytes of no member"])
def hidden(directory: Path):
    """Bytes between the last member and the central directory."""
    a, b = both(directory)
    whole = write(a, package()).read_bytes()
    size, offset = struct.unpack("<II", whole[-10:-2])
    end = whole[offset + size : -10] + struct.pack("<II", size, offset + 6) + whole[-2:]
    b.write_bytes(whole[:offset] + b"hidden" + whole[offset : offset + size] + end)
    return a, b


@pair("damage files", members=["pkg/data.txt"], container=["oddity"])
def doubled(directory: Path):
    """A name that stands twice."""
    a, b = both(directory)
    write(a, package())
    shutil.copy(a, b)
    with zipfile.ZipFile(b, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(zipfile.ZipInfo("pkg/data.txt", EARLY), b"another")
    return a, b


@pair("writer", verdict="packed-differently", container=["local header"])
def local_header(directory: Path):
    """A local header that says something else than the central one."""
    a, b = both(directory)
    whole = bytearray(write(a, package()).read_bytes())
    whole[10:12] = b"\x21\x08"
    b.write_bytes(whole)
    return a, b


@pair("sources", members=["pkg/module.py"])
def source_changed(directory: Path):
    """One line of a module, and RECORD with it."""
    a, b = both(directory, "whl")
    files = package()
    changed = {**files, "pkg/module.py": files["pkg/module.py"].replace(b"value_100 =", b"value_100 = not")}
    return write(a, wheel()), write(b, wheel(files=changed))


@pair("files", members=["pkg/extra.py"])
def file_added(directory: Path):
    """A file that one build picked up."""
    a, b = both(directory, "whl")
    return write(a, wheel()), write(b, wheel(files={**package(), "pkg/extra.py": b"left = 'behind'\n"}))


@pair("files", members=["pkg/data.txt"])
def moved(directory: Path):
    """A file in another directory."""
    a, b = both(directory)
    files = package()
    return write(a, files), write(b, {name.replace("pkg/data", "data/data"): text for name, text in files.items()})


@pair("tool", members=["_bootstrap/__init__.py"])
def other_tool(directory: Path):
    """The same package as a wheel has it, and as shiv does."""
    a, b = both(directory)
    files = {f"site-packages/{name}": text for name, text in wheel().items()}
    start = {"__main__.py": b"\n", "_bootstrap/__init__.py": b"\n", "environment.json": b"{}"}
    return write(a, wheel()), write(b, {**start, **files})


@pair("files", members=["pkg/__pycache__/module.cpython-311.pyc"])
def compiled_by_installer(directory: Path):
    """Compiled modules on one side alone."""
    a, b = both(directory)
    code = MAGIC_NUMBER + bytes(12) + marshal.dumps(compile("x = 1", "module.py", "exec"))
    return write(a, package()), write(b, {**package(), "pkg/__pycache__/module.cpython-311.pyc": code})


@pair("versions", members=["pkg-1.0.dist-info/METADATA"])
def version(directory: Path):
    """Two versions of a wheel."""
    a, b = both(directory, "whl")
    return write(a, wheel("1.0")), write(b, wheel("1.1"))


@pair("generator", members=["pkg-1.0.dist-info/WHEEL"])
def generator(directory: Path):
    """The same sources, built by two versions of setuptools."""
    a, b = both(directory, "whl")
    return write(a, wheel(generator="setuptools (75.1.0)")), write(b, wheel(generator="setuptools (78.0.0)"))


@pair("path", members=["pkg-1.0.dist-info/direct_url.json"])
def direct_url(directory: Path):
    """An installer's note of where it installed from."""
    a, b = both(directory)
    name = "pkg-1.0.dist-info/direct_url.json"
    note = '{{"dir_info": {{}}, "url": "file:///{}/src"}}'
    one, other = note.format("home/a/build").encode(), note.format("tmp/tmp8zc1/build").encode()
    return write(a, {**package(), name: one}), write(b, {**package(), name: other})


@pair("path", members=["pkg/config.py"])
def build_path(directory: Path):
    """A generated module that names the directory of its build."""
    a, b = both(directory)
    text = "PREFIX = '{}/lib'\nNAME = 'pkg'\n"
    one, other = text.format("/home/a/build").encode(), text.format("/builds/job-17/out").encode()
    return write(a, {**package(), "pkg/config.py": one}), write(b, {**package(), "pkg/config.py": other})


@pair("time", members=["pkg/_build.py"])
def build_time(directory: Path):
    """A generated module that names the time of its build."""
    a, b = both(directory)
    text = "BUILT = '{}'\n"
    one, other = text.format("2026-03-01 10:00:02").encode(), text.format("2026-03-01 10:07:14").encode()
    return write(a, {**package(), "pkg/_build.py": one}), write(b, {**package(), "pkg/_build.py": other})


@pair("random", members=["pkg/_id.py"])
def identifier(directory: Path):
    """An identifier that is drawn at random."""
    a, b = both(directory)
    text = "ID = '{}'\n"
    one = text.format("6fa459ea-ee8a-3ca4-894e-db77e160355e").encode()
    other = text.format("16fd2706-8baf-433b-82eb-8c7fada847da").encode()
    return write(a, {**package(), "pkg/_id.py": one}), write(b, {**package(), "pkg/_id.py": other})


@pair("unsorted", members=["pkg/names.py"])
def unsorted(directory: Path):
    """A list that was made of a set."""
    a, b = both(directory)
    one, other = b"NAMES = ['b', 'c', 'a']\n", b"NAMES = ['a', 'b', 'c']\n"
    return write(a, {**package(), "pkg/names.py": one}), write(b, {**package(), "pkg/names.py": other})


@pair("line-endings", members=["pkg/data.txt"])
def line_endings(directory: Path):
    """A checkout with CRLF."""
    a, b = both(directory)
    files = package()
    return write(a, files), write(b, {**files, "pkg/data.txt": files["pkg/data.txt"].replace(b"\n", b"\r\n")})


def compiled(source: str, path: str, header: bytes) -> bytes:
    return MAGIC_NUMBER + header + marshal.dumps(compile(source, path, "exec"))


SOURCE = "def double(x):\n    return [y * 2 for y in x]\n\nclass A:\n    name = 'a'\n"
PYC = "pkg/__pycache__/m.pyc"


@pair("bytecode-source", members=[PYC])
def pyc_time(directory: Path):
    """The time of the source in a compiled module's header."""
    a, b = both(directory)
    one, other = (compiled(SOURCE, "m.py", struct.pack("<III", 0, time, 60)) for time in (1700000000, 1700000111))
    return write(a, {PYC: one}), write(b, {PYC: other})


@pair("bytecode-path", members=[PYC])
def pyc_path(directory: Path):
    """A module that was compiled in two directories."""
    a, b = both(directory)
    one, other = (compiled(SOURCE, path, bytes(12)) for path in ("/home/a/m.py", "/tmp/build/m.py"))
    return write(a, {PYC: one}), write(b, {PYC: other})


@pair("bytecode-spelling", members=[PYC])
def pyc_spelling(directory: Path):
    """The same code, written by a process that shared other objects."""
    a, b = both(directory)
    code = compile(SOURCE, "m.py", "exec")
    one, other = (MAGIC_NUMBER + bytes(12) + marshal.dumps(code, version) for version in (4, 2))
    return write(a, {PYC: one}), write(b, {PYC: other})


@pair("sources", members=[PYC])
def pyc_code(directory: Path):
    """A module that was compiled from two sources."""
    a, b = both(directory)
    one, other = (compiled(source, "m.py", bytes(12)) for source in (SOURCE, SOURCE.replace("* 2", "* 3")))
    return write(a, {PYC: one}), write(b, {PYC: other})


@pair("bytecode-version", members=[PYC])
def pyc_version(directory: Path):
    """A module that two versions of Python compiled."""
    a, b = both(directory)
    one = compiled(SOURCE, "m.py", bytes(12))
    other = struct.pack("<H", 3413 if MAGIC_NUMBER[:2] != struct.pack("<H", 3413) else 3425) + one[2:]
    return write(a, {PYC: one}), write(b, {PYC: other})


def library(directory: Path, name: str, text: str, *options: str) -> bytes:
    place = directory / name
    place.mkdir(parents=True)
    (place / "fast.c").write_text(
        f'const char *text(void) {{ return "{text}"; }}\nint twice(int x) {{ return 2 * x; }}\n'
    )
    command = ["gcc", "-shared", "-fPIC", "-O1", *options, "-o", "fast.so", "fast.c"]
    subprocess.run(command, cwd=place, check=True, capture_output=True)
    return (place / "fast.so").read_bytes()


@pair("path", members=["pkg/fast.so"], needs="gcc")
def binary_path(directory: Path):
    """A path of the build in a binary's text, of the same length."""
    a, b = both(directory)
    one, other = (library(directory, name, f"/builds/{name}/src", "-Wl,--build-id=none") for name in ("one", "two"))
    return write(a, {"pkg/fast.so": one}), write(b, {"pkg/fast.so": other})


@pair("debug-info", members=["pkg/fast.so"], needs="gcc")
def build_id(directory: Path):
    """A build id that outlived the text that made it."""
    a, b = both(directory)
    one, other = (library(directory, name, "text", f"-Wl,--build-id=0x{name * 4}") for name in ("aabb", "ccdd"))
    return write(a, {"pkg/fast.so": one}), write(b, {"pkg/fast.so": other})


@pair("sources", members=["pkg/logo.bin"])
def binary(directory: Path):
    """One byte of a file that is no text."""
    a, b = both(directory)
    data = bytes(random.Random(2).randrange(256) for _ in range(5000))
    changed = data[:3000] + bytes([data[3000] ^ 1]) + data[3001:]
    return write(a, {**package(), "pkg/logo.bin": data}), write(b, {**package(), "pkg/logo.bin": changed})


@pair("time", members=["inner.whl/pkg/_build.py"])
def nested(directory: Path):
    """A file in a wheel in a zip."""
    a, b = both(directory)
    texts = ("BUILT = '2026-03-01'\n", "BUILT = '2026-03-02'\n")
    inner = directory / "inner"
    one, other = (write(inner, {**package(), "pkg/_build.py": text.encode()}).read_bytes() for text in texts)
    return write(a, {"inner.whl": one}, method=0), write(b, {"inner.whl": other}, method=0)


@pair("time", members=["environment.json"])
def shiv(directory: Path):
    """The time that shiv writes, and the build id with it."""
    a, b = both(directory, "pyz")
    files = {"__main__.py": b"from _bootstrap import bootstrap\nbootstrap()\n", "_bootstrap/__init__.py": b"\n"}

    def make(path: Path, built_at: str, build_id: str) -> Path:
        environment = {"shiv_version": "1.0.8", "built_at": built_at, "build_id": build_id}
        all_files = {**files, **package(), "environment.json": json.dumps(environment).encode()}
        return write(path, all_files, prefix=b"#!/usr/bin/env python3\n")

    return make(a, "2026-03-01 10:00:02", "f00d" * 16), make(b, "2026-03-01 10:07:14", "beef" * 16)


@pair("versions tool", members=["PEX-INFO"])
def pex(directory: Path):
    """Two versions of pex, and of a distribution."""
    a, b = both(directory, "pex")

    def make(path: Path, pex: str, version: str) -> Path:
        info = {
            "build_properties": {"pex_version": pex},
            "code_hash": hashlib.sha1(pex.encode()).hexdigest(),
            "distributions": {f"pkg-{version}-py3-none-any.whl": hashlib.sha256(version.encode()).hexdigest()},
        }
        root = f".deps/pkg-{version}-py3-none-any.whl/"
        files = {root + name: contents for name, contents in wheel(version).items()}
        return write(path, {"PEX-INFO": json.dumps(info).encode(), "__main__.py": b"import __pex__\n", **files})

    return make(a, "2.1.0", "1.0"), make(b, "2.2.0", "1.1")


def makeable() -> dict[str, Pair]:
    """The pairs whose recipes can be followed here."""
    # The code that a later Python compiles is not known.
    unknown = ("pyc_path", "pyc_code", "pyc_spelling") if sys.version_info[:2] > (3, 13) else ()
    sound = {name: one for name, one in PAIRS.items() if not one.needs or shutil.which(one.needs)}
    return {name: one for name, one in sound.items() if name not in unknown}
