"""`pyzpack wheel`: the wheel that a build makes of a source, made in another place; used there, the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Pyzpack, manifest_of, needs
from index import serve
from repositories import git, make_repository
from test_lock_verb import lock, make_sdist
from wheels import make_project, make_wheel

TOOL = {"tool.py": "def main():\n    import native, plain\n    print(native.answer(), plain.VERSION)\n"}
NATIVE = """
#include <Python.h>
static const char *where = __FILE__;
static PyObject *answer(PyObject *self, PyObject *none) { (void)where; return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", "", -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""
# What differs between the machine that builds and the one, or the sandbox, where the wheels were made.
ELSEWHERE = {"LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo", "USER": None, "LOGNAME": None, "HOME": "/homeless-shelter"}


def make_native_sdist(directory: Path, links: Path) -> Path:
    source = directory / "sources/native"
    source.mkdir(parents=True)
    (source / "native.c").write_text(NATIVE)
    (source / "setup.py").write_text(
        "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('native', ['native.c'])])\n"
    )
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "native"\nversion = "1.0"\n'
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: native\nVersion: 1.0\n")
    sdist = links / "native-1.0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(source, "native-1.0")
    return sdist


class Place:
    """An index with two source distributions and what they are built with, and a project with a lock of it."""

    def __init__(self, pyzpack: Pyzpack, directory: Path, tools: Path) -> None:
        self.pyzpack, self.directory, self.links = pyzpack, directory, directory / "links"
        make_wheel(self.links, "helper", files={"helper.py": ""})
        for wheel in tools.glob("setuptools-[0-9]*.whl"):
            shutil.copy(wheel, self.links)
        self.sdists = [
            make_sdist(directory, "plain", "2.0", backend="dynamic_backend"),
            make_native_sdist(directory, self.links),
        ]
        self.project = make_project(
            directory / "project", "tool", files=TOOL, scripts={"tool": "tool:main"}, requires=["native", "plain"]
        )
        self.lock = self.project / "pylock.toml"

    def run(self, *arguments: str | Path, status: int = 0, umask: int = 0o022, **options):
        wrapper = ["sh", "-c", f'umask {umask:o}; exec "$@"', "sh"]
        done = self.pyzpack.run(*arguments, "--python", self.pyzpack.python, wrapper=wrapper, **options)
        assert done.returncode == status, f"{done.args}\n{done.stdout}{done.stderr}"
        assert "panicked" not in done.stderr
        return done

    def make(self, shelf: Path, **options) -> list[Path]:
        """The wheels of the source distributions, from the lock and what it names, without a network."""
        room = self.directory / "elsewhere"
        (room / "tmp").mkdir(parents=True, exist_ok=True)
        shutil.copy(self.lock, room)
        offline = ["--lock", room / "pylock.toml", "--locked", "--find-links", self.links, "--offline"]
        changes = {**ELSEWHERE, "TMPDIR": room / "tmp", "PYZPACK_CACHE": room / "cache", **options}
        done = self.run("wheel", *self.sdists, *offline, "-o", shelf, cwd=room, umask=0o077, **changes)
        assert done.stderr == ""
        lines = []
        for path in sorted(shelf.iterdir(), reverse=True):
            assert path.stat().st_mode & 0o7777 == 0o644
            lines.append((f"{path}:", hashlib.sha256(path.read_bytes()).hexdigest()))
        assert sorted((line.split()[0], line.split()[-1]) for line in done.stdout.splitlines()) == sorted(lines)
        assert list((room / "tmp").iterdir()) == []
        return sorted(shelf.iterdir())

    def build(self, name: str, *arguments: str | Path, status: int = 0, **options):
        """A build into a directory of its own, with a cache of its own; gives all files by name."""
        output = self.directory / name
        output.mkdir(exist_ok=True)
        arguments = ["build", "--locked", "--evidence", "all", "-o", output / "tool.pyz", *arguments]
        done = self.run(*arguments, cwd=self.project, PYZPACK_CACHE=output / "cache", status=status, **options)
        files = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
        return files if status == 0 else done.stderr


@pytest.fixture
def place(pyzpack: Pyzpack, tmp_path: Path, wheelhouse: Callable[[str], Path]) -> Place:
    needs("cc")
    return Place(pyzpack, tmp_path, wheelhouse("build-tools"))


def test_a_pyz_is_the_same_with_wheels_that_were_made_elsewhere(place: Place) -> None:
    with serve(place.links) as index:
        lock(place.pyzpack, place.project, "--index-url", index.url)
        from_index = place.build("from-index")
        from_links = place.build("from-links", "--find-links", place.links, "--offline")
        wheels = place.make(place.directory / "shelf")
        assert [wheel.name for wheel in wheels][1] == "plain-2.0-py3-none-any.whl"
        requests = list(index.requests)
        # Of all that the lock names, nothing but the two wheels is here.
        from_wheels = place.build("from-wheels", "--find-links", place.directory / "shelf", "--offline", **ELSEWHERE)
        assert index.requests == requests
    assert sorted(from_index) == [
        "SHA256SUMS", "tool.pyz", "tool.pyz.cdx.json", "tool.pyz.intoto.json", "tool.pyz.sha256", "tool.pyz.spdx.json",
    ]  # fmt: skip
    assert from_links == from_index
    assert from_wheels == from_index
    ran = subprocess.check_output([place.pyzpack.python, place.directory / "from-wheels/tool.pyz"], text=True)
    assert ran == "42 built\n"
    # The twin: another wheel of the same name and version is another file.
    tampered = place.directory / "shelf/plain-2.0-py3-none-any.whl"
    make_wheel(tampered.parent, "plain", "2.0", files={"plain.py": "VERSION = 'other'\n"})
    assert place.build("tampered", "--find-links", tampered.parent, "--offline")["tool.pyz"] != from_index["tool.pyz"]


def test_what_is_made_is_what_a_build_packs(place: Place) -> None:
    with serve(place.links) as index:
        lock(place.pyzpack, place.project, "--index-url", index.url)
    done = place.run(
        "build", "--locked", "--find-links", place.links, "--offline", "--json", "-o", place.directory / "a.pyz",
        cwd=place.project,
    )  # fmt: skip
    packed = {one["filename"]: one for one in json.loads(done.stdout)["built"] if one["name"] != "tool"}
    made = place.run(
        "wheel", *place.sdists, "--lock", place.lock, "--locked", "--find-links", place.links, "--offline", "--json",
        "-o", "shelf", cwd=place.directory, PYZPACK_CACHE=place.directory / "another",
    )  # fmt: skip
    facts = {one["filename"]: one for one in json.loads(made.stdout)["wheels"]}
    for filename, one in facts.items():
        assert one.pop("file") == f"shelf/{filename}"
        bytes_made = (place.directory / "shelf" / filename).read_bytes()
        assert (one.pop("size"), one["sha256"]) == (len(bytes_made), hashlib.sha256(bytes_made).hexdigest())
        assert one["locked"] is True
    assert facts == packed


def test_wheels_that_do_not_stand_for_the_source_are_not_taken(place: Place) -> None:
    with serve(place.links) as index:
        lock(place.pyzpack, place.project, "--index-url", index.url)
    shelf = place.directory / "shelf"
    place.make(shelf)
    good = place.build("good", "--find-links", shelf, "--offline")["tool.pyz"]
    plain = shelf / "plain-2.0-py3-none-any.whl"
    bytes_made = plain.read_bytes()
    other = {"plain.py": "VERSION = 'other'\n"}

    # Another version and another platform beside it change nothing.
    make_wheel(shelf, "plain", "2.1", files=other)
    make_wheel(shelf, "plain", "2.0", files=other, tag="py3-none-win_amd64")
    assert place.build("beside", "--find-links", shelf, "--offline")["tool.pyz"] == good

    # In its place they leave the source, which is not here.
    plain.unlink()
    message = place.build("without", "--find-links", shelf, "--offline", status=1)
    url = f"http://127.0.0.1:{index.port}/files/plain-2.0.tar.gz"
    assert message.splitlines() == [
        f"error: cannot fetch `plain-2.0.tar.gz` from {url} with --offline",
        "hint: build once without --offline, or name a directory that has it with --find-links",
    ]

    # A damaged one is refused, and the source not built instead.
    plain.write_bytes(bytes_made.replace(b"plain.py", b"plain.pi", 1))
    message = place.build("damaged", "--find-links", shelf, "--offline", status=1)
    assert message.startswith("error: the wheel that was built cannot be used: ")
    assert "plain-2.0-py3-none-any.whl" in message

    # Of two, the one that fits better is taken, as pip would; of two directories the first.
    plain.write_bytes(bytes_made)
    first = place.directory / "first"
    make_wheel(first, "plain", "2.0", files=other)
    shelves = ["--find-links", first, "--find-links", shelf]
    taken = place.build("first", *shelves, "--offline")["tool.pyz"]
    assert taken != good
    assert place.build("last", *shelves[2:], *shelves[:2], "--offline")["tool.pyz"] == good
    make_wheel(shelf, "plain", "2.0", files=other, tag="cp311-none-any")
    assert place.build("better", *shelves[2:], "--offline")["tool.pyz"] != good


def test_sources_of_a_store_are_read_only_and_of_1970(place: Place) -> None:
    with serve(place.links) as index:
        lock(place.pyzpack, place.project, "--index-url", index.url)
    sdists = place.make(place.directory / "shelf")
    source = place.directory / "sources/native"
    for path in [*source.rglob("*"), source]:
        os.utime(path, (1, 1))
        path.chmod(0o555 if path.is_dir() else 0o444)
    offline = ["--lock", place.lock, "--locked", "--find-links", place.links, "--offline"]
    done = place.run("wheel", source, *offline, "-o", place.directory / "from-tree", cwd=place.directory)
    [made] = (place.directory / "from-tree").iterdir()
    assert done.stderr == ""
    assert made.read_bytes() == sdists[0].read_bytes()
    assert made.name == sdists[0].name
    outer = place.directory / "outer"
    shutil.copytree(source, outer / "python/native")
    done = place.run("wheel", outer, "--subdirectory", "python/native", *offline, "-o", "below", cwd=place.directory)
    assert (place.directory / "below" / made.name).read_bytes() == made.read_bytes()
    archive = place.directory / "outer.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(outer, "outer-main")
    place.run("wheel", archive, "--subdirectory", "python/native", *offline, "-o", "packed", cwd=place.directory)
    assert (place.directory / "packed" / made.name).read_bytes() == made.read_bytes()
    shutil.rmtree(place.directory / "sources", onerror=lambda call, path, _: (os.chmod(path, 0o777), call(path)))


def test_a_commit_in_a_subdirectory_stands_for_itself(place: Place) -> None:
    # The lock names what lies beside the project: both are of one repository.
    git(place.directory, "init", "-q")
    repository = place.directory / "repository"
    make_project(repository / "inside", "plain", files={"plain.py": "VERSION = 'commit'\n"})
    commit = make_repository(repository)
    make_wheel(place.directory / "wheels", "native", files={"native.py": "def answer():\n    return 7\n"})
    [wheel] = (place.directory / "wheels").iterdir()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    place.lock.write_text(
        'lock-version = "1.0"\ncreated-by = "tests"\n'
        '[[packages]]\nname = "native"\nversion = "1.0"\n'
        f'wheels = [{{ path = "../wheels/{wheel.name}", hashes = {{ sha256 = "{digest}" }} }}]\n'
        '[[packages]]\nname = "plain"\nversion = "1.0"\n'
        f'vcs = {{ type = "git", path = "../repository", commit-id = "{commit}", subdirectory = "inside" }}\n'
    )
    built = place.build("built")
    source = f"git+file://{repository}@{commit}#subdirectory=inside"
    place.run("wheel", source, "--locked", "-o", place.directory / "shelf", cwd=place.directory)
    repository.rename(place.directory / "gone")
    assert place.build("again", "--find-links", place.directory / "shelf", "--offline") == built
    [plain] = [one for one in manifest_of(place.directory / "again/tool.pyz")["wheels"] if one["name"] == "plain"]
    assert plain["source"]["uri"] == f"git+file:repository@{commit}#subdirectory=inside"


def test_a_lock_tells_what_a_source_is_by_its_digest(place: Place) -> None:
    with serve(place.links) as index:
        lock(place.pyzpack, place.project, "--index-url", index.url)
    given = ["--lock", place.lock, "--find-links", place.links, "--offline", "-o", place.directory / "shelf"]
    sdist = place.links / "plain-2.0.tar.gz"
    expected = hashlib.sha256(sdist.read_bytes()).hexdigest()
    # Another name says nothing; other bytes under the name are refused.
    other = shutil.copy(sdist, place.directory / "whatever.tar.gz")
    place.run("wheel", other, *given, "--locked", cwd=place.directory)
    assert [path.name for path in (place.directory / "shelf").iterdir()] == ["plain-2.0-py3-none-any.whl"]
    (place.directory / "other").mkdir()
    changed = place.directory / "other/plain-2.0.tar.gz"
    changed.write_bytes(sdist.read_bytes() + b"\0")
    found = hashlib.sha256(changed.read_bytes()).hexdigest()
    done = place.run("wheel", changed, *given, cwd=place.directory, status=1)
    assert done.stderr == f"error: wrong hash of `plain-2.0.tar.gz`: expected sha256 {expected}, found {found}\n"
    # Without the lock nothing pins what it is built with.
    done = place.run("wheel", sdist, "--locked", "-o", "x", cwd=place.directory, status=1)
    assert done.stderr.startswith("error: cannot build `plain-2.0.tar.gz`: ")
    with serve(place.links) as index:
        done = place.run("wheel", sdist, "--index-url", index.url, "-o", "y", cwd=place.directory)
    assert done.stderr == "note: not pinned, so another day may choose otherwise: 1 build requirement (helper)\n"


def test_files_that_a_lock_has_by_path_are_found_where_they_are_now(place: Place) -> None:
    place.links.rename(place.project / "links")
    offline = ["--find-links", "links", "--no-index", "--offline"]
    lock(place.pyzpack, place.project, *offline)
    here = place.directory / "here"
    (here / "shelf").mkdir(parents=True)
    sdist = shutil.copy(place.project / "links/plain-2.0.tar.gz", here)
    helper = Path(shutil.copy(place.project / "links/helper-1.0-py3-none-any.whl", here / "shelf"))
    shutil.copy(place.lock, here)
    made = ["wheel", sdist, "--lock", "pylock.toml", "--locked", "--offline", "-o", "made"]
    place.run(*made, "--find-links", "shelf", cwd=here)
    assert [path.name for path in (here / "made").iterdir()] == ["plain-2.0-py3-none-any.whl"]
    done = place.run(*made, cwd=here, status=3)
    assert "helper-1.0-py3-none-any.whl" in done.stderr
    expected = hashlib.sha256(helper.read_bytes()).hexdigest()
    helper.write_bytes(helper.read_bytes() + b"\0")
    found = hashlib.sha256(helper.read_bytes()).hexdigest()
    done = place.run(*made, "--find-links", "shelf", cwd=here, status=1)
    assert f"wrong hash of `helper-1.0-py3-none-any.whl`: expected sha256 {expected}, found {found}" in done.stderr
