"""`pyzpack verify --lock`: every format on a file that was built from it, by somebody who has nothing but the lock."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from conftest import Pyzpack, manifest_of
from locks import FORMATS, POETRY_1, Entry, World, poetry_1, pylock, uv
from repositories import commit, git, make_repository
from wheels import make_project, make_sdist, make_wheel

OTHER = "0" * 64
Writer = Callable[[list[Entry]], str]


@dataclass
class Verifier:
    """A file, and an empty directory in which nothing but a lock will lie."""

    pyzpack: Pyzpack
    app: Path
    directory: Path

    def check(self, name: str, text: str) -> tuple[str, str, list[str]]:
        """The last line, what the check of the lock found, and the problems."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        lock = self.directory / name
        lock.write_text(text)
        digest = hashlib.sha256(self.app.read_bytes()).hexdigest()
        done = self.pyzpack.run("verify", self.app, "--sha256", digest, "--lock", lock)
        lines = done.stdout.splitlines()
        assert (done.returncode, done.stderr) == (int(lines[-1] != "PASSED"), "")
        [found] = [line.split(maxsplit=2)[2] for line in lines if line.startswith("lock ")]
        return lines[-1], found, [line.removeprefix("problem: ") for line in lines if line.startswith("problem: ")]

    def refused(self, name: str, text: str) -> list[str]:
        last, _, problems = self.check(name, text)
        assert last == "FAILED lock-lacks-wheel"
        return [problem.removeprefix("lock-lacks-wheel: ") for problem in problems]


@pytest.fixture
def build(pyzpack: Pyzpack, tmp_path: Path) -> Callable[..., Verifier]:
    def built(directory: Path, *arguments: str | Path) -> Verifier:
        app = tmp_path / "out/tool.pyz"
        app.parent.mkdir(exist_ok=True)
        done = pyzpack.run("build", "--python", pyzpack.python, "-o", app, *arguments, cwd=directory)
        assert done.returncode == 0, done.stdout + done.stderr
        return Verifier(pyzpack, app, tmp_path / "verifier")

    return built


@pytest.fixture
def sourced(world: World) -> World:
    """The world, in which `fast` is no wheel but a source distribution."""
    sdist = make_sdist(world.index.directory, "fast", "2.0")
    return replace(world, entries=[Entry("fast", "2.0", [sdist]), *world.entries[1:]])


def writer(world: World, name: str) -> tuple[str, Writer]:
    """The file name of a format, and what writes it."""
    if name == "poetry.lock 2.0":
        project = world.project / "pyproject.toml"
        project.write_text(project.read_text() + POETRY_1)
        return "poetry.lock", lambda entries: poetry_1(entries, world.base)
    if name == "uv.lock":
        return name, lambda entries: uv(
            entries, world.base, requires=tuple({"foreign", "lib"} & {entry.name for entry in entries})
        )
    return name, lambda entries: FORMATS[name](entries, world.base)


@pytest.mark.parametrize("kind", [*FORMATS, "poetry.lock 2.0"])
def test_the_lock_alone_is_enough(sourced: World, build: Callable[..., Verifier], kind: str) -> None:
    fast, foreign, lib = sourced.entries
    name, write = writer(sourced, kind)
    text = write(sourced.entries)
    (sourced.project / name).write_text(text)
    verifier = build(sourced.project, "--lock", name)
    manifest = manifest_of(verifier.app)
    assert [wheel["origin"] for wheel in manifest["wheels"]] == ["built", "locked", "built"]
    rest = "2 of 3 wheels; not compared, as a lock pins neither directories nor the application itself: tool"
    assert verifier.check(name, text) == ("PASSED", f"`{name}` has {rest}; it is the lock of the build", [])
    # As good a lock, though another file.
    last, found, _ = verifier.check(name, f"{text}\n")
    assert (last, found) == ("PASSED", f"`{name}` has {rest}; it is not the very file of the build")

    lacks = f"`{name}` does not have"
    wheel = f"wheel `lib-1.5-py3-none-any.whl`: {lacks} sha256 {lib.digest(lib.files[0])} under its name"
    source = fast.digest(fast.files[0])
    built = f"wheel `fast-2.0-py3-none-any.whl`: {lacks} its source, sha256 {source} under its name"
    assert verifier.refused(name, write([fast, foreign, replace(lib, sha256=OTHER)])) == [wheel]
    assert verifier.refused(name, write([replace(fast, sha256=OTHER), foreign, lib])) == [built]
    assert verifier.refused(name, write([replace(fast, requires=()), foreign])) == [wheel]
    # The right digest under another name.
    swapped = [replace(fast, sha256=lib.digest(lib.files[0])), foreign, replace(lib, sha256=source)]
    assert verifier.refused(name, write(swapped)) == [built, wheel]


def test_a_wheel_that_was_built_beforehand_is_its_own(sourced: World, build: Callable[..., Verifier]) -> None:
    fast, foreign, lib = sourced.entries
    text = pylock(sourced.entries, sourced.base)
    (sourced.project / "pylock.toml").write_text(text)
    shelf = sourced.directory / "shelf"
    beforehand = make_wheel(shelf, "fast", "2.0", files={"fast.py": "name = 'fast, as I have it'\n"})
    # Handed in, it is a wheel like any other, and its digest is not the lock's.
    verifier = build(sourced.project, ".", beforehand, "--lock", "pylock.toml", "-c", "tool")
    digest = fast.digest(beforehand)
    message = f"wheel `{beforehand.name}`: `pylock.toml` does not have sha256 {digest} under its name"
    assert verifier.refused("pylock.toml", text) == [message]
    own = pylock([Entry("fast", "2.0", [beforehand]), foreign, lib], sourced.base)
    assert verifier.check("pylock.toml", own)[0] == "PASSED"


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Path, str]:
    """A project of which the lock has a commit, in one work tree with the project that needs it."""
    root = tmp_path / "tree"
    make_project(root / "repository", "fast", files={"fast.py": "name = 'fast'\n"})
    make_project(root / "repository/inner", "fast", files={"fast.py": "name = 'inner'\n"})
    head = make_repository(root / "repository")
    make_project(root / "project", "tool", files={"tool.py": "def main(): pass\n"}, requires=["fast"])
    git(root, "init", "-q")
    return root, head


@pytest.mark.parametrize("inner", [False, True])
def test_a_commit_is_the_locks(repository: tuple[Path, str], build: Callable[..., Verifier], inner: bool) -> None:
    root, head = repository

    def write(commit: str, inner: bool) -> str:
        inside = ', subdirectory = "inner"' if inner else ""
        return (
            'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "fast"\nversion = "1.0"\n'
            f'vcs = {{ type = "git", path = "../repository", commit-id = "{commit}"{inside} }}\n'
        )

    text = write(head, inner)
    (root / "project/pylock.toml").write_text(text)
    verifier = build(root / "project", "--lock", "pylock.toml", "-e", "tool:main")
    [uri] = [wheel["source"]["uri"] for wheel in manifest_of(verifier.app)["wheels"] if wheel["name"] == "fast"]
    assert verifier.check("pylock.toml", text)[0] == "PASSED"
    (root / "repository/more").write_text("")
    message = f"wheel `fast-1.0-py3-none-any.whl`: `pylock.toml` does not have its source, `{uri}` under its name"
    assert verifier.refused("pylock.toml", write(commit(root / "repository"), inner)) == [message]
    assert verifier.refused("pylock.toml", write(head, not inner)) == [message]


def test_a_directory_that_is_no_input_must_be_in_the_lock(world: World, build: Callable[..., Verifier]) -> None:
    make_project(world.project / "part", "fast", files={"fast.py": "name = 'part'\n"})
    _, foreign, lib = world.entries
    part = '[[packages]]\nname = "fast"\nversion = "1.0"\ndirectory = { path = "part" }\n'
    text = pylock([foreign, lib], world.base)
    (world.project / "pylock.toml").write_text(text + part)
    verifier = build(world.project, "--lock", "pylock.toml")
    last, found, _ = verifier.check("pylock.toml", text + part)
    rest = "not compared, as a lock pins neither directories nor the application itself: fast, tool"
    assert (last, found.split("; ")[:2]) == ("PASSED", ["`pylock.toml` has 1 of 3 wheels", rest])
    # The path says where it was; nobody follows it.
    assert verifier.check("pylock.toml", text + part.replace("part", "../../elsewhere"))[0] == "PASSED"
    lacks = "wheel `{}-1.0-py3-none-any.whl`: `pylock.toml` does not have its source, a directory under its name"
    assert verifier.refused("pylock.toml", text) == [lacks.format(name) for name in ("fast", "tool")]
