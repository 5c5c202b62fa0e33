"""`pyzpack lock`: what packaging accepts, the same bytes anywhere, build requirements, and when it is up to date."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest
import tomllib
from conftest import Pyzpack
from index import serve
from packaging.markers import default_environment
from packaging.pylock import Pylock
from packaging.tags import compatible_tags, cpython_tags
from wheels import make_project, make_wheel

NO, USAGE = 1, 2
TOOL = {"tool.py": "def main():\n    import leaf, extra_dep\n    print('leaf', leaf.VERSION)\n"}
SCRIPTS = {"tool": "tool:main"}
# Without uv; the interpreter brings pip.
PIP_ONLY = {"PATH": "/usr/bin:/bin"}
RESOLVERS = pytest.mark.parametrize("resolver", [{}, PIP_ONLY], ids=["uv", "pip"])

EXTRAS = """
[project.optional-dependencies]
Fancy = ["extra-dep>=1"]
all = ["tool[fancy]", "other"]

[dependency-groups]
test = ["checker", { include-group = "lint" }]
lint = ["linter"]
"""


def make_leaf(links: Path, version: str = "1.0") -> Path:
    return make_wheel(links, "leaf", version, files={"leaf.py": f"VERSION = '{version}'\n"})


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """The distributions of an index."""
    links = tmp_path / "links"
    make_leaf(links)
    make_wheel(links, "middle", files={"middle.py": ""}, requires=["leaf", "winonly; sys_platform == 'win32'"])
    make_wheel(links, "winonly", files={"winonly.py": ""}, tag="py3-none-win_amd64")
    for name in ["extra_dep", "other", "checker", "linter", "helper"]:
        make_wheel(links, name, files={f"{name}.py": ""})
    return links


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", "tool", files=TOOL, scripts=SCRIPTS, requires=["middle"], tool=EXTRAS)


def make_sdist(directory: Path, name: str, version: str, **options) -> Path:
    """A source distribution of a project of wheels.make_project."""
    source = make_project(directory / "sources" / name, name, files={f"{name}.py": "VERSION = 'built'\n"}, **options)
    text = (source / "pyproject.toml").read_text().replace('version = "1.0"', f'version = "{version}"')
    (source / "pyproject.toml").write_text(text)
    (source / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    links = directory / "links"
    links.mkdir(exist_ok=True)
    sdist = links / f"{name}-{version}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(source, f"{name}-{version}")
    return sdist


def lock(pyzpack: Pyzpack, project: Path, *arguments: str | Path, status: int = 0, **options):
    done = pyzpack.run("lock", *arguments, "--python", pyzpack.python, cwd=project, **options)
    assert done.returncode == status, f"{done.args}\n{done.stdout}{done.stderr}"
    assert "panicked" not in done.stderr
    return done


def read_lock(path: Path) -> Pylock:
    lock = Pylock.from_dict(tomllib.loads(path.read_text()))
    lock.validate()
    return lock


def selected(lock: Pylock, platform: str = "linux", extras: tuple[str, ...] = (), groups: tuple[str, ...] = ()):
    """What packaging takes for CPython 3.11 on that platform: name and file name."""
    environment = default_environment() | {"python_version": "3.11", "python_full_version": "3.11.7"}
    platforms = ["linux_x86_64"]
    if platform == "win32":
        environment |= {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"}
        platforms = ["win_amd64"]
    tags = [*cpython_tags((3, 11), platforms=platforms), *compatible_tags((3, 11), "cp311", platforms)]
    found = lock.select(environment=environment, tags=tags, extras=extras, dependency_groups=groups)
    return sorted((package.name, getattr(file, "name", None)) for package, file in found)


def names(selection: list[tuple[str, str | None]]) -> list[str]:
    return [name for name, _ in selection]


@RESOLVERS
def test_packaging_accepts_it_and_selects_extras_and_groups(pyzpack, project, links, resolver):
    with serve(links) as index:
        done = lock(pyzpack, project, "--index-url", index.url, **resolver)
    assert done.stdout.startswith("pylock.toml: 6 distributions, 0 build requirements, for CPython 3.11 on manylinux_")
    written = read_lock(project / "pylock.toml")
    assert written.created_by == "pyzpack"
    assert str(written.requires_python) == ">=3.8"
    assert written.extras == ["all", "fancy"]
    assert written.dependency_groups == ["lint", "test"]
    assert selected(written) == [("leaf", "leaf-1.0-py3-none-any.whl"), ("middle", "middle-1.0-py3-none-any.whl")]
    assert names(selected(written, extras=("fancy",))) == ["extra-dep", "leaf", "middle"]
    assert names(selected(written, extras=("all",))) == ["extra-dep", "leaf", "middle", "other"]
    assert names(selected(written, groups=("test",))) == ["checker", "leaf", "linter", "middle"]
    assert names(selected(written, groups=("lint",))) == ["leaf", "linter", "middle"]
    with pytest.raises(Exception, match="environment"):
        selected(written, platform="win32")


def test_universal_is_for_every_platform(pyzpack, project, links):
    with serve(links) as index:
        done = lock(pyzpack, project, "--universal", "--index-url", index.url)
    assert done.stdout == "pylock.toml: 7 distributions, 0 build requirements, for any platform\n"
    written = read_lock(project / "pylock.toml")
    assert written.environments is None
    assert names(selected(written)) == ["leaf", "middle"]
    assert names(selected(written, platform="win32")) == ["leaf", "middle", "winonly"]


def test_universal_without_uv_is_refused_and_leaves_the_lock(pyzpack, project, links):
    (project / "pylock.toml").write_text("# of an earlier run\n")
    with serve(links) as index:
        done = lock(pyzpack, project, "--universal", "--index-url", index.url, status=NO, **PIP_ONLY)
        assert "error: cannot lock for every platform with pip" in done.stderr
        assert "hint: install uv, or lock for CPython 3.11 on manylinux_" in done.stderr
        assert (project / "pylock.toml").read_text() == "# of an earlier run\n"
        assert [path.name for path in project.iterdir() if "pylock" in path.name] == ["pylock.toml"]
        lock(pyzpack, project, "--index-url", index.url, **PIP_ONLY)


def test_only_the_extras_that_are_named(pyzpack, project, links):
    with serve(links) as index:
        lock(pyzpack, project, "--extra", "FANCY", "--group", "lint", "--index-url", index.url)
        written = read_lock(project / "pylock.toml")
        assert (written.extras, written.dependency_groups) == (["fancy"], ["lint"])
        done = lock(pyzpack, project, "--extra", "absent", "--index-url", index.url, status=USAGE)
    assert "has no extra `absent` (it has: all, fancy)" in done.stderr


@RESOLVERS
def test_the_bytes_are_the_same_anywhere(pyzpack, tmp_path, links, resolver):
    conditions = [
        ("one", {}, 0o022),
        ("two/deeper", {"TZ": "Asia/Tokyo", "LC_ALL": "C"}, 0o077),
        ("three", {"TZ": "UTC", "HOME": str(tmp_path / "nobody"), "PYTHONHASHSEED": "7"}, 0o000),
    ]
    found = set()
    with serve(links) as index:
        for directory, changes, umask in conditions:
            path = tmp_path / directory
            project = make_project(path, "tool", files=TOOL, requires=["middle"], tool=EXTRAS)
            before = os.umask(umask)
            try:
                lock(pyzpack, project, "--index-url", index.url, **{**changes, **resolver})
            finally:
                os.umask(before)
            written = project / "pylock.toml"
            assert written.stat().st_mode & 0o777 == 0o644
            found.add(written.read_bytes())
            lock(pyzpack, project, "--index-url", index.url, **{**changes, **resolver})
            found.add(written.read_bytes())
    assert len(found) == 1
    text = found.pop().decode()
    assert str(tmp_path) not in text


def test_versions_stay_until_an_upgrade(pyzpack, project, links):
    versions = []
    with serve(links) as index:
        for arguments, resolver in [([], {}), ([], {}), ([], PIP_ONLY), (["--upgrade"], {}), ([], PIP_ONLY)]:
            lock(pyzpack, project, *arguments, "--index-url", index.url, **resolver)
            packages = {package.name: str(package.version) for package in read_lock(project / "pylock.toml").packages}
            versions.append(packages["leaf"])
            make_leaf(links, "1.1")
    assert versions == ["1.0", "1.0", "1.0", "1.1", "1.1"]


def test_a_preference_that_cannot_be_had_gives_way(pyzpack, project, links):
    for resolver in [{}, PIP_ONLY]:
        make_leaf(links)
        with serve(links) as index:
            lock(pyzpack, project, "-U", "--index-url", index.url, **resolver)
            (links / "leaf-1.0-py3-none-any.whl").unlink()
            make_leaf(links, "1.2")
            lock(pyzpack, project, "--index-url", index.url, **resolver)
        packages = {package.name: str(package.version) for package in read_lock(project / "pylock.toml").packages}
        assert packages["leaf"] == "1.2"
        (links / "leaf-1.2-py3-none-any.whl").unlink()


@RESOLVERS
def test_no_credential_reaches_the_lock(pyzpack, project, links, resolver):
    with serve(links, credential="user:s3cretword") as index:
        done = lock(pyzpack, project, "-v", "--index-url", index.url, **resolver)
    text = (project / "pylock.toml").read_text()
    assert "s3cretword" not in text + done.stdout + done.stderr
    assert "@" not in text
    assert f"http://127.0.0.1:{index.port}/files/leaf-1.0-py3-none-any.whl" in text


@RESOLVERS
def test_build_requirements_of_a_source_distribution(pyzpack, tmp_path, links, resolver):
    make_sdist(tmp_path, "fromsource", "2.0", backend="dynamic_backend")
    project = make_project(tmp_path / "project", "tool", files=TOOL, requires=["fromsource"], backend="dynamic_backend")
    with serve(links) as index:
        done = lock(pyzpack, project, "--index-url", index.url, **resolver)
    assert done.stdout.startswith("pylock.toml: 1 distribution, 1 build requirement, for CPython 3.11 on ")
    read_lock(project / "pylock.toml")
    own = tomllib.loads((project / "pylock.toml").read_text())["tool"]["pyzpack"]
    helper = [{"name": "helper", "version": "1.0"}]
    assert own["builds"] == [
        {"name": "fromsource", "version": "2.0", "requires": ["helper>=1"], "packages": helper},
        {"name": "tool", "requires": ["helper>=1"], "packages": helper},
    ]
    [shared] = own["build-packages"]
    assert [wheel["name"] for wheel in shared["wheels"]] == ["helper-1.0-py3-none-any.whl"]


def test_setuptools_and_what_it_wants(pyzpack, tmp_path, wheelhouse):
    """A setup.py project: its requirements are known to its backend alone, as are `setup_requires`."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "links").symlink_to(wheelhouse("pip-tools"))
    links = tmp_path / "project/wheels"
    links.mkdir()
    for wheel in wheelhouse("pip-tools").glob("*.whl"):
        if wheel.name.startswith(("setuptools", "wheel", "click")):
            (links / wheel.name).write_bytes(wheel.read_bytes())
    (project / "links").unlink()
    (project / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='old', version='1', py_modules=['old'], install_requires=['click'], setup_requires=['wheel'],\n"
        "      extras_require={'x': ['wheel']})\n"
    )
    (project / "old.py").write_text("def main(): pass\n")
    offline = ["--find-links", "wheels", "--no-index", "--offline"]
    lock(pyzpack, project, *offline)
    written = read_lock(project / "pylock.toml")
    assert names(selected(written)) == ["click"]
    assert names(selected(written, extras=("x",))) == ["click", "wheel"]
    [build] = tomllib.loads((project / "pylock.toml").read_text())["tool"]["pyzpack"]["builds"]
    assert build["requires"] == ["setuptools>=40.8.0", "wheel"]
    assert [package["name"] for package in build["packages"]] == ["setuptools", "wheel"]
    lock(pyzpack, project, *offline, "--check")
    build = ["build", "-e", "old:main", "--locked", *offline, "--python", pyzpack.python, "-o", tmp_path / "old.pyz"]
    done = pyzpack.run(*build, cwd=project)
    assert (done.returncode, "not pinned" in done.stderr) == (0, False), done.stderr
    text = (project / "pylock.toml").read_text()
    (project / "pylock.toml").write_text(text.replace('builds]]\nname = "old"', 'builds]]\nname = "other"'))
    done = pyzpack.run(*build, cwd=project)
    assert done.stderr.splitlines() == [
        "error: cannot build `project`: the lock has build requirements for `other`, and this is `old`",
        "hint: run `pyzpack lock`, then build again",
    ]
    (project / "pylock.toml").write_text(text)
    with (project / "setup.py").open("a") as file:
        file.write("# changed\n")
    lock(pyzpack, project, *offline, "--check", status=NO)


def test_offline_from_a_directory_of_the_project_alone(pyzpack, project, links):
    links.rename(project / "wheels")
    offline = ["--no-index", "--offline"]
    lock(pyzpack, project, "--find-links", "wheels", *offline, wrapper=["unshare", "-rn"])
    text = (project / "pylock.toml").read_text()
    assert 'path = "wheels/leaf-1.0-py3-none-any.whl", size = ' in text
    before = (project / "pylock.toml").read_bytes()
    (project / "wheels").rename(project.parent / "outside")
    done = lock(pyzpack, project, "--find-links", "../outside", *offline, status=NO)
    assert "is outside of the project" in done.stderr
    assert (project / "pylock.toml").read_bytes() == before


def test_check_tells_what_changed(pyzpack, project, links):
    pyproject = project / "pyproject.toml"
    text = pyproject.read_text()
    with serve(links) as index:
        done = lock(pyzpack, project, "--check", status=NO)
        assert "pylock.toml` is stale: it is not there" in done.stderr
        assert "hint: run `pyzpack lock`" in done.stderr
        lock(pyzpack, project, "--index-url", index.url)
        asked = len(index.requests)

        def check(changed: str, status: int = 0, *arguments: str) -> str:
            pyproject.write_text(changed)
            before = (project / "pylock.toml").read_bytes()
            done = lock(pyzpack, project, "--check", *arguments, status=status)
            assert (project / "pylock.toml").read_bytes() == before
            return done.stderr

        assert check(text) == ""
        assert check(f"# a comment\n{text}\n\n[tool.other]\nx = 1\n") == ""
        assert check(text.replace('version = "1.0"', 'version = "2.0"')) == ""
        assert check(text.replace('dependencies = ["middle"]', 'dependencies = [ "Middle" , ]')) == ""
        assert "`new>=2` is required, and it has no entry for it" in check(
            text.replace('"middle"', '"middle", "new>=2"'), NO
        )
        assert "`middle>=2` is required, and it has 1.0" in check(text.replace('"middle"', '"middle>=2"'), NO)
        assert "requires Python >=3.9, the lock is for >=3.8" in check(text.replace(">=3.8", ">=3.9"), NO)
        assert "what it was made for has changed since" in check(text.replace('"linter"', '"linter", "checker"'), NO)
        assert "what it was made for has changed since" in check(text.replace("requires = []", 'requires = ["a"]'), NO)
        assert "it is for one target alone" in check(text, NO, "--universal")
        assert "it is not for CPython 3.12" in check(text, NO, "--target-python", "3.12")
        assert "it has no extra `absent`" in check(text, NO, "--extra", "absent")
        assert len(index.requests) == asked
        lock(pyzpack, project, "--universal", "--index-url", index.url)
        assert check(text, 0, "--universal") == ""
        assert check(text, 0, "--target-python", "3.12", "--platform", "win_amd64") == ""


def test_a_failure_leaves_the_lock(pyzpack, project, links):
    with serve(links) as index:
        lock(pyzpack, project, "--index-url", index.url)
        before = (project / "pylock.toml").read_bytes()
        text = (project / "pyproject.toml").read_text()
        (project / "pyproject.toml").write_text(text.replace('"middle"', '"middle", "absent"'))
        done = lock(pyzpack, project, "--index-url", index.url, status=NO)
    assert "absent" in done.stderr
    assert (project / "pylock.toml").read_bytes() == before
    assert list(pyzpack.temporary.iterdir()) == []
    assert [path.name for path in project.iterdir() if "pylock" in path.name] == ["pylock.toml"]


def test_scripts_and_requirements_files(pyzpack, tmp_path, links):
    (tmp_path / "work").mkdir()
    work = tmp_path / "work"
    (work / "job.py").write_text('# /// script\n# requires-python = ">=3.9"\n# dependencies = ["middle"]\n# ///\n')
    (work / "requirements.txt").write_text("middle\n-c limits.txt\n")
    (work / "limits.txt").write_text("leaf<2\n")
    make_leaf(links, "2.0")
    with serve(links) as index:
        done = lock(pyzpack, work, "job.py", "--index-url", index.url)
        assert done.stdout.startswith("pylock.job.toml: 2 distributions, for CPython 3.11 on ")
        script = read_lock(work / "pylock.job.toml")
        assert str(script.requires_python) == ">=3.9"
        build = ["build", "job.py", "--locked", "--python", pyzpack.python, "-o", tmp_path / "job.pyz"]
        done = pyzpack.run(*build, cwd=work, **PIP_ONLY)
        assert done.returncode == 0, done.stderr
        (work / "job.py.lock").write_text("")
        done = lock(pyzpack, work, "job.py", "--index-url", index.url)
        warning = "warning: `job.py.lock` was not read, and is a lock too: build with `--lock pylock.job.toml`"
        assert done.stderr.splitlines() == [warning]
        done = pyzpack.run(*build, cwd=work)
        assert done.stderr.splitlines()[0] == f"error: several locks: {work}/job.py.lock, {work}/pylock.job.toml"
        (work / "job.py.lock").unlink()
        text = (work / "job.py").read_text()
        (work / "job.py").write_text(text.replace('"middle"', '"middle>2"'))
        for done in [lock(pyzpack, work, "job.py", "--check", status=NO), pyzpack.run(*build, cwd=work)]:
            assert done.stderr.splitlines() == [
                f"error: `{work}/pylock.job.toml` is stale: `middle>2` is required, and it has 1.0",
                "hint: run `pyzpack lock job.py`, then build again",
            ]
        (work / "job.py").write_text(text)
        lock(pyzpack, work, "-r", "requirements.txt", "--index-url", index.url)
        listed = read_lock(work / "pylock.toml")
        assert str(listed.requires_python) == "==3.11.*"
        done = lock(pyzpack, work, "-r", "requirements.txt", "-o", "lock.toml", status=USAGE)
    assert "is no lock file that is known by its name" in done.stderr
    versions = [{str(package.name): str(package.version) for package in one.packages} for one in (script, listed)]
    assert versions == [{"leaf": "2.0", "middle": "1.0"}, {"leaf": "1.0", "middle": "1.0"}]


def test_a_build_from_it_needs_no_resolver(pyzpack, tmp_path, links):
    make_sdist(tmp_path, "fromsource", "2.0", backend="dynamic_backend")
    files = {"tool.py": "def main():\n    import fromsource\n    print(fromsource.VERSION)\n"}
    project = make_project(tmp_path / "project", "tool", files=files, scripts=SCRIPTS, requires=["fromsource"])
    output = tmp_path / "tool.pyz"
    with serve(links) as index:
        lock(pyzpack, project, "--index-url", index.url)
        make_wheel(links, "helper", "9.0", files={"helper.py": "raise SystemExit('not the one that is locked')\n"})
        done = pyzpack.run(*["build", project, "--locked", "--python", pyzpack.python, "-o", output], **PIP_ONLY)
    assert done.returncode == 0, done.stderr
    assert "not pinned" not in done.stderr
    ran = subprocess.run([pyzpack.python, output], capture_output=True, text=True, env=pyzpack.environment())
    assert ran.stdout == "built\n", ran.stderr


def test_a_build_refuses_a_stale_lock(pyzpack, project, links, tmp_path):
    def build(status: int = 0) -> str:
        arguments = [
            project,
            "--lock",
            project / "pylock.toml",
            "--python",
            pyzpack.python,
            "-o",
            tmp_path / "tool.pyz",
        ]
        done = pyzpack.run("build", *arguments, **PIP_ONLY)
        assert done.returncode == status, done.stderr
        return done.stderr

    pyproject = project / "pyproject.toml"
    text = pyproject.read_text()
    with serve(links) as index:
        lock(pyzpack, project, "--index-url", index.url)
        pyproject.write_text(f"# a comment\n{text}")
        build()
        pyproject.write_text(text.replace('"linter"', '"linter", "checker"'))
        assert build(NO) == (
            f"error: `{project}/pylock.toml` is stale: what it was made for has changed since\n"
            "hint: run `pyzpack lock`, then build again\n"
        )
        pyproject.write_text(text)
        build()
