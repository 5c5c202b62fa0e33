"""Which lock a build follows, and what `--locked` asks of everything that is packed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Pyzpack
from locks import World, uv

NO, USAGE = 1, 2
RUNS = "runs on: CPython 3.8 to 3.14, any platform\n"
LOCK_IT = "hint: run `pyzpack lock`, then build again\n"
SCRIPT = "# /// script\n# dependencies = ['lib']\n# ///\nimport lib\nprint(lib.name)\n"


@pytest.fixture
def build(pyzpack: Pyzpack, world: World) -> Callable[..., tuple[int, str]]:
    """A build that asks the test's own index alone: its status and its whole message."""

    def run(*arguments: str | Path, verb: str = "build", cwd: Path | None = None, **changes) -> tuple[int, str]:
        output = ["-o", world.directory / "tool.pyz"] if verb == "build" else []
        place = ["--python", pyzpack.python, "--index-url", world.index.url]
        done = pyzpack.run(verb, *arguments, *place, *output, cwd=cwd or world.project, **changes)
        return done.returncode, done.stderr.replace(str(world.project), "PROJECT").replace(str(world.directory), "DIR")

    return run


def unlocked(requirements: str) -> tuple[int, str]:
    return NO, f"error: --locked needs a lock, and there is none: no hash pins {requirements}\n{LOCK_IT}"


def write_script(world: World) -> str:
    """A script, and what uv would write as its lock."""
    (world.directory / "job.py").write_text(SCRIPT)
    packages = uv([world.entries[0], world.entries[2]], world.base).split('[[package]]\nname = "tool"')[0]
    return packages + '[manifest]\nrequirements = [{ name = "lib" }]\n'


def test_several_locks_are_listed(build, world: World) -> None:
    world.write("uv.lock")
    world.write("poetry.lock")
    refusal = (
        "error: several locks: PROJECT/uv.lock, PROJECT/poetry.lock\n"
        "hint: choose one with `--lock FILE`, as in `--lock PROJECT/uv.lock`, or for good as `lock` in [tool.pyzpack]\n"
    )
    assert build() == (USAGE, refusal)
    assert build(verb="plan") == (USAGE, refusal)
    assert world.index.requests == []
    assert build("--lock", "poetry.lock") == (0, RUNS)


def test_two_inputs_with_a_lock_each_are_ambiguous(build, world: World) -> None:
    world.write()
    other = world.directory / "app"
    other.mkdir()
    (other / "main.py").write_text("import lib\n")
    world.write("locked.txt").rename(other / "requirements.txt")
    status, message = build(world.project, other, cwd=world.directory)
    assert (status, message.splitlines()[0]) == (
        USAGE,
        "error: several locks: PROJECT/pylock.toml, DIR/app/requirements.txt",
    )
    assert build(world.project, other, "--lock", "project/pylock.toml", cwd=world.directory)[0] == 0


@pytest.mark.parametrize(
    ("stated", "name", "asked"),
    [
        ("lib==1.4\n", "requirements.txt", "lib==1.4"),
        ('[packages]\nlib = "==9"\n', "Pipfile", "lib==9"),
    ],
)
def test_what_contradicts_the_lock_is_told(build, world: World, stated: str, name: str, asked: str) -> None:
    world.write("poetry.lock")
    (world.project / name).write_text(stated)
    assert build() == (
        USAGE,
        f"error: `PROJECT/{name}` and `PROJECT/poetry.lock` disagree: one asks for `{asked}`, the other has `lib 1.5`\n"
        "hint: lock again, or say that the lock counts with `--lock PROJECT/poetry.lock`\n",
    )
    assert world.index.requests == []
    (world.project / name).write_text(stated.replace("1.4", "1.5").replace("==9", "==1.5"))
    assert build() == (0, RUNS)


@pytest.mark.parametrize("kind", ["directory", "link that leads nowhere"])
def test_what_is_called_like_a_lock_is_never_passed_over(build, world: World, kind: str) -> None:
    path = world.project / "pylock.toml"
    if kind == "directory":
        path.mkdir()
        assert build() == (USAGE, "error: the lock `PROJECT/pylock.toml` is not a file\n")
        path.rmdir()
    else:
        path.symlink_to("nowhere")
        assert build() == (USAGE, "error: no such lock file: `PROJECT/pylock.toml`\n")
        path.unlink()
    assert world.index.requests == []
    world.write()
    assert build() == (0, RUNS)


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pylock.toml"])
def test_a_project_behind_a_link_is_the_same(build, world: World, name: str) -> None:
    world.write(name)
    (world.directory / "linked").symlink_to(world.project)
    direct = build("--locked")
    bytes_of = (world.directory / "tool.pyz").read_bytes()
    assert direct == (0, RUNS)
    assert build("./linked", "--locked", cwd=world.directory) == (0, RUNS)
    assert (world.directory / "tool.pyz").read_bytes() == bytes_of


def test_a_lock_in_a_directory_above_is_another_projects(build, world: World) -> None:
    world.write("uv.lock").rename(world.directory / "uv.lock")
    assert build("--locked") == unlocked("`lib`, `foreign; sys_platform == 'win32'`")
    (world.directory / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["project"]\n')
    lock = (world.directory / "uv.lock").read_text()
    (world.directory / "uv.lock").write_text(lock.replace('editable = "."', 'editable = "project"'))
    assert build("--locked") == (0, RUNS)


@pytest.mark.parametrize("name", ["job.py.lock", "pylock.job.toml"])
def test_a_script_is_locked_by_what_lies_beside_it(build, world: World, name: str) -> None:
    by_uv = write_script(world)
    assert build("job.py", "--locked", cwd=world.directory) == unlocked("`lib`")
    if name == "job.py.lock":
        (world.directory / name).write_text(by_uv)
    else:
        assert build("job.py", verb="lock", cwd=world.directory) == (0, "")
    assert (world.directory / name).exists()
    assert build("job.py", "--locked", cwd=world.directory) == (0, RUNS)


def test_two_locks_of_a_script_are_ambiguous(build, world: World) -> None:
    by_uv = write_script(world)
    assert build("job.py", verb="lock", cwd=world.directory) == (0, "")
    (world.directory / "job.py.lock").write_text(by_uv)
    status, message = build("job.py", cwd=world.directory)
    assert (status, message.splitlines()[0]) == (USAGE, "error: several locks: DIR/job.py.lock, DIR/pylock.job.toml")
    assert build("job.py", "--locked", "--lock", "pylock.job.toml", cwd=world.directory) == (0, RUNS)


def test_build_requirements_that_no_lock_holds(build, world: World) -> None:
    world.write("uv.lock")
    assert build("--locked") == (0, RUNS)
    world.index.requests.clear()
    pyproject = world.project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("requires = []", 'requires = ["fast"]'))
    refusal = "error: cannot build `project`: no lock holds what it is built with (fast)\n"
    hint = "hint: run `pyzpack lock --format nix`, then build again\n"
    assert build("--locked") == (NO, refusal + hint)
    assert world.index.requests == []
    note = "note: not pinned, so another day may choose otherwise: 1 build requirement (fast)\n"
    assert build() == (0, note + RUNS)


def test_a_repository_needs_a_whole_commit(build, world: World) -> None:
    pyproject = world.project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"lib", "foreign; sys_platform == \'win32\'"', ""))
    (world.project / "tool.py").write_text("def main():\n    print('tool')\n")
    git = ["git", "-c", "user.name=tests", "-c", "user.email=tests@host.example", "-C", world.project]
    for arguments in (["init", "-qb", "main"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    url = f"git+file://{world.project}"
    for revision in ("", "@main", f"@{commit[:12]}"):
        assert build(f"{url}{revision}", "--locked", cwd=world.directory) == (
            NO,
            "error: --locked needs a whole commit of `file://PROJECT`: a branch or a tag may be another one tomorrow\n"
            "hint: name it: `git+file://PROJECT@COMMIT`, with 40 hexadecimal digits\n",
        )
    assert build(f"{url}@{commit}", "--locked", cwd=world.directory) == (0, RUNS)


def test_local_files_are_pinned_by_what_they_are(build, world: World) -> None:
    fast, lib = world.entries[0].files[0], world.entries[2].files[0]
    entry = ["-e", "lib", "--locked"]
    assert build(fast, lib, *entry, cwd=world.directory) == (0, RUNS)
    assert build(lib, *entry, cwd=world.directory) == unlocked("`fast>=1`")
    assert build(lib, *entry, "--find-links", "served", "--no-index", cwd=world.directory) == (0, RUNS)
    assert build("lib==1.5", *entry, cwd=world.directory) == unlocked("`lib==1.5`")


def test_requirements_files_pin_with_hashes_alone(build, world: World) -> None:
    (world.directory / "open.txt").write_text("lib==1.5\nfast==2.0\n")
    world.write("locked.txt").rename(world.directory / "locked.txt")
    entry = ["-e", "lib", "--locked"]
    assert build("-r", "open.txt", *entry, cwd=world.directory) == unlocked("`lib==1.5`, `fast==2.0`")
    assert build("-r", "locked.txt", *entry, cwd=world.directory) == (0, RUNS)
    assert build("-r", "locked.txt", "-r", "open.txt", *entry, cwd=world.directory) == (
        USAGE,
        "error: `DIR/open.txt`, line 1: a sha256 hash is needed here too: everything has one or nothing: `lib==1.5`\n",
    )


def test_extras_and_groups_that_the_lock_does_not_have(build, world: World) -> None:
    world.write()
    for option, kind in (("--extra", "extra"), ("--group", "group")):
        assert build(option, "absent") == (USAGE, f"error: `PROJECT/pylock.toml` has no {kind} `absent`\n")
    assert world.index.requests == []


def test_settings_say_it_as_well(build, world: World) -> None:
    refusal = unlocked("`lib`, `foreign; sys_platform == 'win32'`")
    assert build(PYZPACK_LOCKED="1") == refusal
    status, message = build(PYZPACK_LOCKED="maybe")
    assert (status, message) == (USAGE, "error: environment variable PYZPACK_LOCKED: `maybe` is neither 1 nor 0\n")
    pyproject = world.project / "pyproject.toml"
    text = pyproject.read_text()
    pyproject.write_text(f"{text}\n[tool.pyzpack]\nlocked = true\n")
    assert build() == refusal
    (world.project / "locks").mkdir()
    world.write().rename(world.project / "locks/pylock.toml")
    assert build(PYZPACK_LOCK="locks/pylock.toml") == (0, RUNS)
    assert build(PYZPACK_LOCK="pylock.toml") == (USAGE, "error: no such lock file: `PROJECT/pylock.toml`\n")
    # It starts from the file that says it, wherever the build is started.
    pyproject.write_text(f'{text}\n[tool.pyzpack]\nlocked = true\nlock = "locks/pylock.toml"\n')
    for arguments, directory in [
        ([], world.project),
        (["./project"], world.directory),
        (["../project"], world.index.directory),
    ]:
        assert build(*arguments, cwd=directory) == (0, RUNS)
