"""`_pyzpack/origins.json`: what evidence tells of origins beyond the manifest, and nothing that is not fixed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Pyzpack
from locks import FORMATS, World
from test_locked_determinism import make_setuptools_sdist
from wheels import make_project, make_wheel
from zipformat import read_archive


def origins_of(pyz: Path) -> list[dict] | None:
    """The notes, whose bytes are canonical; None where there is no such file."""
    archive = read_archive(pyz.read_bytes())
    if "_pyzpack/origins.json" not in archive.entries:
        return None
    data = archive.content("_pyzpack/origins.json")
    notes = json.loads(data)
    assert data == json.dumps(notes, separators=(",", ":"), sort_keys=True).encode()
    assert list(notes) == ["wheels"]
    return notes["wheels"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(pyzpack: Pyzpack, directory: Path, *arguments: str | Path) -> Path:
    output = pyzpack.temporary.parent / "out/app.pyz"
    output.parent.mkdir(exist_ok=True)
    output.unlink(missing_ok=True)
    done = pyzpack.run("build", *arguments, "--python", pyzpack.python, "-o", output, cwd=directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def with_provider(notes: list[dict] | None) -> list[tuple[str, object]]:
    return [(note["filename"].split("-")[0], note["provider"]) for note in notes or [] if "provider" in note]


@pytest.mark.parametrize("name", FORMATS)
def test_another_index_is_told_as_the_lock_states_it(pyzpack: Pyzpack, world: World, name: str) -> None:
    lock = world.write(name)
    notes = with_provider(origins_of(build(pyzpack, world.project, "--lock", lock)))
    index = {"uv.lock": f"{world.base}/simple/", "locked.txt": f"{world.base}/simple/"}.get(
        name, f"{world.base}/simple"
    )
    files = [f"{world.base}/files/{file}" for file in ("fast-2.0-py3-none-any.whl", "lib-1.5-py3-none-any.whl")]
    # The other two name no index, so that nothing but the file's own URL tells who gave it.
    without_index = name in ("pylock.toml", "pdm.lock")
    told = [{"url": url} if without_index else {"index": index} for url in files]
    assert notes == list(zip(["fast", "lib"], told, strict=True))


def test_of_the_default_index_there_is_nothing_to_say(pyzpack: Pyzpack, world: World) -> None:
    program = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    default = subprocess.run([pyzpack.python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    lock = world.write("uv.lock")
    lock.write_text(lock.read_text().replace(f"{world.base}/simple/", default))
    assert with_provider(origins_of(build(pyzpack, world.project, "--lock", lock))) == []

    # Its twin: a name that is almost the same.
    lock.write_text(lock.read_text().replace(default, default.replace("://", "://x")))
    other = {"index": default.replace("://", "://x")}
    notes = with_provider(origins_of(build(pyzpack, world.project, "--lock", lock)))
    assert notes == [("fast", other), ("lib", other)]


def test_credentials_of_an_index_are_not_kept(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write("uv.lock")
    index = f"{world.base}/simple/"
    lock.write_text(lock.read_text().replace(index, index.replace("://", "://user:SECRET@") + "?token=SECRET"))
    output = build(pyzpack, world.project, "--lock", lock)
    assert with_provider(origins_of(output)) == [("fast", {"index": index}), ("lib", {"index": index})]


def test_nobody_serves_what_a_lock_has_by_path(pyzpack: Pyzpack, world: World) -> None:
    lock = world.write("pylock.toml")
    for entry in world.entries:
        shutil.copy(entry.files[0], world.project)
    lock.write_text(lock.read_text().replace(f'url = "{world.base}/files/', 'path = "'))
    notes = with_provider(origins_of(build(pyzpack, world.project, "--lock", lock)))
    assert notes == [("fast", "nobody"), ("lib", "nobody")]


def test_without_a_lock_an_index_is_not_told(pyzpack: Pyzpack, world: World) -> None:
    assert origins_of(build(pyzpack, world.project, "lib", "-e", "lib", "--index-url", world.index.url)) is None


def test_a_url_that_is_required_is_told(pyzpack: Pyzpack, world: World) -> None:
    url = f"{world.base}/files/fast-2.0-py3-none-any.whl"
    output = build(pyzpack, world.project, f"fast @ {url}", "-e", "fast")
    assert origins_of(output) == [{"filename": "fast-2.0-py3-none-any.whl", "provider": {"url": url}}]


@pytest.fixture
def shelf(tmp_path: Path, wheelhouse: Callable[[str], Path]) -> Path:
    """A directory with an sdist and the setuptools that builds it."""
    directory = tmp_path / "project/shelf"
    directory.mkdir(parents=True)
    for wheel in wheelhouse("build-tools").glob("setuptools-[0-9]*.whl"):
        shutil.copy(wheel, directory)
    make_setuptools_sdist(tmp_path / "made", directory / "from_source-1.0.tar.gz")
    return directory


def setuptools_note(shelf: Path) -> dict:
    (wheel,) = shelf.glob("setuptools-*.whl")
    version = wheel.name.split("-")[1]
    note = {"filename": wheel.name, "name": "setuptools", "sha256": sha256(wheel), "version": version}
    return {**note, "provider": "nobody"}


def test_what_a_wheel_was_built_with_is_told(pyzpack: Pyzpack, shelf: Path, tmp_path: Path) -> None:
    offline = ["--find-links", shelf, "--no-index", "--offline"]
    built = {"build_requirements": [setuptools_note(shelf)], "filename": "from_source-1.0-py3-none-any.whl"}
    output = build(pyzpack, tmp_path, "from-source", "-e", "from_source:SOURCE", *offline)
    assert origins_of(output) == [{**built, "provider": "nobody"}]
    # The recipe has the digest of a file that was named.
    output = build(pyzpack, tmp_path, shelf / "from_source-1.0.tar.gz", "-e", "from_source:SOURCE", *offline)
    assert origins_of(output) == [built]


def write_lock(project: Path, shelf: Path, *, builds: bool) -> Path:
    def listed(path: Path) -> str:
        return f'{{ path = "shelf/{path.name}", hashes = {{ sha256 = "{sha256(path)}" }} }}'

    (tools,) = shelf.glob("setuptools-*.whl")
    version = tools.name.split("-")[1]
    lines = ['lock-version = "1.0"', 'created-by = "tests"']
    lines += ["[[packages]]", 'name = "from-source"', 'version = "1.0"']
    lines += [f"sdist = {listed(shelf / 'from_source-1.0.tar.gz')}"]
    if builds:
        lines += ["[tool.pyzpack]", "lock-version = 1"]
        lines += ["[[tool.pyzpack.builds]]", 'name = "from-source"', 'version = "1.0"', 'requires = ["setuptools"]']
        lines += [f'packages = [{{ name = "setuptools", version = "{version}" }}]']
        lines += ["[[tool.pyzpack.build-packages]]", 'name = "setuptools"', f'version = "{version}"']
        lines += [f"wheels = [{listed(tools)}]"]
    (project / "pylock.toml").write_text("\n".join(lines) + "\n")
    return project / "pylock.toml"


def test_a_lock_says_what_is_built_with_or_nothing_does(pyzpack: Pyzpack, shelf: Path, tmp_path: Path) -> None:
    scripts = {"app": "app:main"}
    project = make_project(
        tmp_path / "project", "app", files={"app.py": "def main(): 0\n"}, scripts=scripts, requires=["from-source"]
    )
    offline = ["--find-links", shelf, "--no-index", "--offline"]
    note = {"filename": "from_source-1.0-py3-none-any.whl", "provider": "nobody"}
    write_lock(project, shelf, builds=True)
    assert origins_of(build(pyzpack, project, *offline)) == [{"build_requirements": [setuptools_note(shelf)], **note}]

    # A wheel that somebody else built stands for the source: the same bytes whichever is there.
    write_lock(project, shelf, builds=False)
    output = build(pyzpack, project, *offline)
    assert origins_of(output) == [note]
    built_here = output.read_bytes()
    make_wheel(shelf, "from_source", files={"from_source/__init__.py": ""})
    output = build(pyzpack, project, *offline)
    assert (origins_of(output), output.read_bytes() == built_here) == ([note], False)


def test_a_project_that_is_built_beside_a_lock_tells_what_with(pyzpack: Pyzpack, world: World, shelf: Path) -> None:
    lock = world.write("uv.lock")
    configuration = world.project / "pyproject.toml"
    old = 'requires = []\nbuild-backend = "plain_backend"\nbackend-path = ["."]'
    new = 'requires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"'
    text = configuration.read_text() + '\n[tool.setuptools]\npy-modules = ["tool"]\n'
    configuration.write_text(text.replace(old, new))
    output = build(pyzpack, world.project, "--lock", lock, "--find-links", shelf, "--index-url", world.index.url)
    *others, own = origins_of(output) or []
    assert with_provider(others) == [(name, {"index": f"{world.base}/simple/"}) for name in ("fast", "lib")]
    assert own == {"build_requirements": [setuptools_note(shelf)], "filename": "tool-1.0-py3-none-any.whl"}
