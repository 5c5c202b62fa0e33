"""A project with a lock, build requirements included, under the conditions of test_determinism.py: the same bytes.

Besides the project: a pure wheel, a native one, an sdist that setuptools builds, a commit, and an extra. What is here
alone is where the locked files come from: a cold cache, a warm one, one with what was built, a directory with a wheel
that was built before.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import test_determinism
from conftest import PYTHONS, PYZPACK, TOOLS, Pyzpack, clean_environment, manifest_of
from repositories import git, make_repository
from test_determinism import EPOCH, FACTS, Condition, Situation, differences, recording
from wheels import make_project, make_wheel


@dataclass
class LockedSituation(Situation):
    """The same, of a project with a lock."""

    def build(self) -> bytes:
        jobs = ["-j", str(self.jobs)] if self.jobs else []
        cache = Path(self.environment["PYZPACK_CACHE"])
        if not self.reuse:
            shutil.rmtree(cache / "built", ignore_errors=True)
        return self.run(
            [PYZPACK, "build", ".", "--lock", "pylock.toml", "--locked", "--extra", "more", "-o", self.output,
             "--offline", "--python", self.python, "--target-python", "3.11", *self.shelf(), *jobs]
        )  # fmt: skip

    def shelf(self) -> list[str | Path]:
        shelf = self.workspace / "built-before"
        return ["--find-links", shelf] if shelf.exists() else []


def warm_built_cache(situation: Situation) -> None:
    """What was built is taken from the cache: no backend runs."""
    situation.build()
    (Path(situation.environment["PYZPACK_CACHE"]) / "of-another-build").mkdir()
    situation.reuse = True


def cold_cache(situation: Situation) -> None:
    cache = Path(situation.environment["PYZPACK_CACHE"])
    shutil.rmtree(cache)
    cache = cache.with_name("cold-cache")
    cache.mkdir(mode=0o700)
    (cache / "of-nobody").mkdir()
    situation.environment["PYZPACK_CACHE"] = str(cache)


def build_beforehand(situation: Situation) -> None:
    """A wheel of the sdist that somebody else built, at hand."""
    shelf = situation.workspace / "built-before"
    shelf.mkdir()
    unpacked = situation.workspace.parent / "unpacked"
    with tarfile.open(situation.workspace / "files/from_source-1.0.tar.gz") as archive:
        archive.extractall(unpacked, filter="data")
    (tools,) = (situation.workspace / "files").glob("setuptools-*.whl")
    with zipfile.ZipFile(tools) as archive:
        archive.extractall(unpacked / "tools")
    program = f"from setuptools.build_meta import build_wheel; build_wheel({str(shelf)!r})"
    changes = {"SOURCE_DATE_EPOCH": "1500000000", "PYTHONPATH": str(unpacked / "tools")}
    environment = {**situation.environment, **changes}
    subprocess.run(
        [situation.python, "-c", program], cwd=unpacked / "from_source-1.0", env=environment, check=True,
        capture_output=True,
    )  # fmt: skip
    assert [path.name for path in shelf.iterdir()] == ["from_source-1.0-py3-none-any.whl"]


CONDITIONS = [
    *(one for one in test_determinism.CONDITIONS if one.leak != "cache"),
    Condition("cold cache", "cache", cold_cache),
    Condition("what was built is in the cache", "cache", warm_built_cache),
    Condition("a wheel of the sdist at hand", "shelf", build_beforehand),
]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def listed_file(path: Path) -> str:
    return f'{{ path = "../files/{path.name}", hashes = {{ sha256 = "{sha256(path)}" }} }}'


def write_lock(project: Path, files: Path, commit: str) -> None:

    def wheel(pattern: str, header: str = "[[packages]]", marker: str = "") -> list[str]:
        (path,) = files.glob(pattern)
        name, version = path.name.split("-")[:2]
        lines = [header, f'name = "{name.replace("_", "-")}"', f'version = "{version}"']
        lines += [f'marker = "{marker}"'] if marker else []
        return [*lines, f"wheels = [{listed_file(path)}]"]

    sdist = files / "from_source-1.0.tar.gz"
    lines = ['lock-version = "1.0"', 'created-by = "tests"', 'extras = ["more"]']
    lines += ["[[packages]]", 'name = "from-git"', 'version = "1.0"']
    lines += [f'vcs = {{ type = "git", path = "../repository", commit-id = "{commit}" }}']
    lines += ["[[packages]]", 'name = "from-source"', 'version = "1.0"', f"sdist = {listed_file(sdist)}"]
    lines += wheel("markupsafe-*.whl") + wheel("more_part-*.whl", marker="'more' in extras") + wheel("pure_part-*.whl")
    lines += ["[tool.pyzpack]", "lock-version = 1"]
    lines += ["[[tool.pyzpack.builds]]", 'name = "from-source"', 'version = "1.0"', 'requires = ["setuptools"]']
    lines += ['packages = [{ name = "setuptools", version = "75.3.0" }]']
    lines += wheel("setuptools-*.whl", "[[tool.pyzpack.build-packages]]")
    (project / "pylock.toml").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, wheelhouse: Callable[[str], Path]) -> Path:
    root = tmp_path_factory.mktemp("locked")
    project = make_project(
        root / "project",
        "determined",
        backend="recording_backend",
        files={"determined/__init__.py": "from recorded import UMASK\n\ndef main():\n    print(UMASK)\n"},
        scripts={"determined": "determined:main"},
        requires=["from-source", "from-git", "pure-part", "markupsafe"],
        tool='\n[project.optional-dependencies]\nmore = ["more-part"]\n' + recording(FACTS),
    )
    files = root / "files"
    make_wheel(files, "pure_part", files={"pure_part/__init__.py": "PART = 1\n" * 500})
    make_wheel(files, "more_part", files={"more_part.py": "PART = 2\n"})
    for house, pattern in (("flask", "markupsafe-*.whl"), ("build-tools", "setuptools-[0-9]*.whl")):
        for wheel in wheelhouse(house).glob(pattern):
            shutil.copy(wheel, files)
    make_setuptools_sdist(root / "made", files / "from_source-1.0.tar.gz")
    repository = root / "repository"
    make_project(repository, "from-git", files={"from_git.py": "GIT = 1\n"})
    commit = make_repository(repository)
    git(repository, "tag", "v1.0")
    # The lock names what lies beside the project: both are of one repository.
    git(root, "init", "-q")
    write_lock(project, files, commit)
    return root


def make_setuptools_sdist(directory: Path, sdist: Path) -> None:
    """One that setuptools builds, with a module and data."""
    (directory / "from_source").mkdir(parents=True)
    (directory / "from_source/__init__.py").write_text("SOURCE = 1\n" * 500)
    (directory / "from_source/data.txt").write_text("data\n" * 500)
    (directory / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "from-source"\nversion = "1.0"\nrequires-python = ">=3.8"\n'
        '[tool.setuptools]\npackages = ["from_source"]\n[tool.setuptools.package-data]\nfrom_source = ["*.txt"]\n'
    )
    (directory / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: from-source\nVersion: 1.0\n")
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(directory, "from_source-1.0")


@pytest.fixture
def situation(workspace: Path, pyzpack: Pyzpack, tmp_path: Path):
    """The reference situation, every condition at its first value, on a copy of its own."""
    shutil.copytree(workspace, tmp_path / "workspace", symlinks=True)
    environment = clean_environment(
        HOME=tmp_path,
        LC_ALL="C",
        PYTHONHASHSEED="0",
        PYZPACK_CACHE=pyzpack.cache,
        SOURCE_DATE_EPOCH=EPOCH,
        TMPDIR=pyzpack.temporary,
        TZ="UTC",
        USER="tester",
    )
    environment["PATH"] = f"{TOOLS}:/usr/bin:/bin"
    situation = LockedSituation(tmp_path / "workspace", pyzpack.python, tmp_path / "output/determined.pyz", environment)
    with situation.undo:
        yield situation


@pytest.fixture(scope="module")
def reference_bytes() -> dict[str, bytes]:
    """Filled by the first build in the reference situation."""
    return {}


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_same_bytes_under(condition: Condition, situation: LockedSituation, reference_bytes: dict, table: Callable):
    reference = reference_bytes.get("pyzpack") or reference_bytes.setdefault("pyzpack", situation.build())
    naive = situation.build_naively(condition.leak)
    assert naive == situation.build_naively(condition.leak), "the naive packer is deterministic but for its leak"
    situation.output.unlink()

    condition.change(situation)
    situation.output.unlink(missing_ok=True)
    changed = situation.build()
    naive_changed = situation.build_naively(condition.leak)

    table(
        "determinism of a locked build: sha256, and whether a naive packer felt the condition",
        condition.name,
        hashlib.sha256(changed).hexdigest()[:16],
        "same" if changed == reference else "DIFFERS",
        "live" if naive_changed != naive else "NOT LIVE",
    )
    assert naive_changed != naive, "the condition does not reach a process: this test proves nothing"
    if changed != reference:
        pytest.fail("\n".join(differences(reference, changed)), pytrace=False)


def test_all_that_is_locked_is_packed_and_all_that_is_built_was_locked(situation: LockedSituation):
    situation.build()
    origins = {wheel["name"]: wheel["origin"] for wheel in manifest_of(situation.output)["wheels"]}
    assert origins == {
        "determined": "built",
        "from-git": "built",
        "from-source": "built",
        "markupsafe": "locked",
        "more-part": "locked",
        "pure-part": "locked",
    }
    command = [PYZPACK, "build", ".", "--lock", "pylock.toml", "--locked", "--extra", "more", "--offline", "--json",
               "-o", situation.output, "--python", situation.python]  # fmt: skip
    done = subprocess.run(command, cwd=situation.project, env=situation.environment, capture_output=True, text=True)
    built = {one["name"]: one for one in json.loads(done.stdout)["built"]}
    (requirement,) = built["from-source"]["requirements"]
    assert built["from-source"]["locked"]
    assert (requirement["name"], requirement["version"]) == ("setuptools", "75.3.0")
    (file,) = (situation.workspace / "files").glob("setuptools-*.whl")
    assert requirement["sha256"] == sha256(file)


@pytest.mark.parametrize("version", [version for version in PYTHONS if version != (3, 11)], ids=str)
def test_another_target_is_refused(situation: LockedSituation, version: tuple[int, int]):
    """The native wheel of the lock is for CPython 3.11 alone: another target is refused, not packed with it."""
    situation.output.parent.mkdir()
    command = [PYZPACK, "build", ".", "--lock", "pylock.toml", "--offline", "-o", situation.output,
               "--python", PYTHONS[version]]  # fmt: skip
    done = subprocess.run(
        list(map(str, command)), cwd=situation.project, env=situation.environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "markupsafe" in done.stderr
