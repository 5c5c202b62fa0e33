"""Sources: a commit's time, a directory of an archive, a member of a workspace, what was built with what."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from conftest import HELLO, Pyzpack, manifest_of
from repositories import COMMITTED, commit, git, make_repository
from wheels import make_project, make_wheel

SCRIPTS = {"hello": "hello:main"}


def build(pyzpack: Pyzpack, directory: Path, *arguments: str | Path, status: int = 0, **changes):
    """A build in a directory; gives the output and what was said."""
    output = pyzpack.temporary.parent / "out/tool.pyz"
    output.unlink(missing_ok=True)
    output.parent.mkdir(exist_ok=True)
    offline = ["--no-index", "--offline", "--python", pyzpack.python, "-o", output]
    done = pyzpack.run("build", *arguments, *offline, cwd=directory, **changes)
    assert done.returncode == status, done.stdout + done.stderr
    return output, done


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if not line.startswith("runs on: ")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project", "hello", files=HELLO, scripts=SCRIPTS)


def test_the_time_of_the_commit_is_taken(pyzpack: Pyzpack, project: Path) -> None:
    make_repository(project)
    output, done = build(pyzpack, project, "--source-date-epoch", "commit")
    assert (manifest_of(output)["epoch"], said(done)) == (COMMITTED, [])
    by_commit = output.read_bytes()
    recipe = manifest_of(output)["recipe"]
    output, _ = build(pyzpack, project, SOURCE_DATE_EPOCH=str(COMMITTED))
    assert (output.read_bytes(), manifest_of(output)["recipe"]) == (by_commit, recipe)

    # The key says the same; a number from the environment wins over it.
    configuration = project / "pyproject.toml"
    configuration.write_text(configuration.read_text() + '\n[tool.pyzpack]\nsource-date-epoch = "commit"\n')
    commit(project, COMMITTED + 100)
    output, _ = build(pyzpack, project)
    assert manifest_of(output)["epoch"] == COMMITTED + 100
    output, _ = build(pyzpack, project, SOURCE_DATE_EPOCH="1500000000")
    assert manifest_of(output)["epoch"] == 1500000000


def test_a_time_that_no_zip_holds_is_told(pyzpack: Pyzpack, project: Path) -> None:
    make_repository(project, 1000)
    output, done = build(pyzpack, project, "--source-date-epoch", "commit")
    assert manifest_of(output)["epoch"] == 315532800
    told = "warning: the commit's time 1000 is outside what a zip can hold: 1980-01-01T00:00:00Z is used"
    assert said(done) == [told]


def test_what_differs_from_the_commit_is_told_and_no_program_runs_for_it(pyzpack: Pyzpack, project: Path) -> None:
    (project / ".gitattributes").write_text("*.py filter=marker\n")
    make_repository(project)
    note = project.parent / "note"
    program = project.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {note}\ncat\n")
    program.chmod(0o755)
    for key in ("filter.marker.clean", "filter.marker.process", "core.fsmonitor"):
        git(project, "config", key, program)
    (project / "hello.py").write_text(HELLO["hello.py"] + "# changed\n")
    for name in ("new-1.txt", "new-2.txt", "new-3.txt", "new-4.txt"):
        (project / name).write_text("")
    _, done = build(pyzpack, project, "--source-date-epoch", "commit")
    told = "hello.py, new-1.txt, new-2.txt and 2 more"
    assert said(done) == [f"warning: `{project}` differs from the commit whose time is used: {told}"]
    assert not note.exists()
    git(project, "status")
    assert note.exists(), "git itself would have run it: what was told needed no program"


@pytest.mark.parametrize("state", ["no repository", "no commit"])
def test_a_directory_without_a_commit_is_refused(pyzpack: Pyzpack, project: Path, state: str) -> None:
    if state == "no commit":
        git(project, "init", "-q")
    _, done = build(pyzpack, project, "--source-date-epoch", "commit", status=2)
    assert done.stderr.splitlines() == [
        f"error: `{project}` is in no git repository with a commit",
        "hint: commit it, or give `--source-date-epoch` the time itself, in seconds since 1970",
    ]


def test_what_has_no_commit_has_no_time(pyzpack: Pyzpack, hello: Path, project: Path) -> None:
    _, done = build(pyzpack, project, hello, "--source-date-epoch", "commit", status=2)
    assert done.stderr.splitlines() == [
        f"error: `--source-date-epoch commit` takes the time of the first input's commit, and `{hello}` has none",
        "hint: give the time itself, in seconds since 1970",
    ]
    _, done = build(pyzpack, project, SOURCE_DATE_EPOCH="commit", status=2)
    assert done.stderr.splitlines() == [
        "error: environment variable SOURCE_DATE_EPOCH: `commit` is for the option --source-date-epoch and its key in"
        " [tool.pyzpack]"
    ]


def make_archive(directory: Path) -> tuple[Path, str]:
    """An archive of a repository with two projects, and its digest."""
    for name, text in (("one", "print('one')\n"), ("two", "print('two')\n")):
        make_project(directory / f"mono/{name}", "part", files={"part.py": text})
    path = directory / "mono-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(directory / "mono", "mono-1.0")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def lock_archive(project: Path, archive: Path, digest: str, subdirectory: str) -> None:
    lines = ['lock-version = "1.0"', 'created-by = "tests"', "[[packages]]", 'name = "part"', "[packages.archive]"]
    lines += [f'path = "{archive.name}"', f'subdirectory = "{subdirectory}"', f'hashes = {{ sha256 = "{digest}" }}']
    (project / "pylock.toml").write_text("\n".join(lines) + "\n")


def test_a_locked_archive_is_built_in_its_subdirectory(pyzpack: Pyzpack, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "hello", files=HELLO, scripts=SCRIPTS, requires=["part"])
    archive, digest = make_archive(project)
    for subdirectory in ("one", "two"):
        lock_archive(project, archive, digest, subdirectory)
        output, _ = build(pyzpack, project, ".", "--lock", "pylock.toml")
        part = next(wheel for wheel in manifest_of(output)["wheels"] if wheel["name"] == "part")
        assert part["source"] == {"uri": f"mono-1.0.tar.gz#subdirectory={subdirectory}", "sha256": digest}
        printed = subprocess.check_output(
            [pyzpack.python, output],
            text=True,
            env=pyzpack.environment(PYZPACK_INTERPRETER="1"),
            input="import part\n",
        )
        assert printed == f"{subdirectory}\n"


def test_a_subdirectory_that_is_not_there_or_leads_out_is_refused(pyzpack: Pyzpack, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", "hello", files=HELLO, scripts=SCRIPTS, requires=["part"])
    archive, digest = make_archive(project)
    lock_archive(project, archive, digest, "three")
    _, done = build(pyzpack, project, ".", "--lock", "pylock.toml", status=1)
    message = "error: source distribution `mono-1.0.tar.gz` has no directory `three`"
    assert done.stderr.splitlines() == [message]
    lock_archive(project, archive, digest, "../three")
    _, done = build(pyzpack, project, ".", "--lock", "pylock.toml", status=1)
    assert "../three" in done.stderr


def make_workspace(directory: Path) -> Path:
    """A repository with two members, of which one reads what lies beside it, and much that neither does."""
    member = make_project(
        directory / "packages/hello",
        "hello",
        files={**HELLO, "setup.cfg": "# shared = ../../shared\n"},
        scripts=SCRIPTS,
        backend="looking_backend",
    )
    make_project(directory / "packages/other", "other", files={"other.py": ""})
    (directory / "shared").mkdir()
    (directory / "shared/data.txt").write_text("shared data\n")
    (directory / "unrelated").mkdir()
    (directory / "unrelated/large.bin").write_text("large\n")
    (member / "LICENSE").symlink_to("../../LICENSE")
    (directory / "LICENSE").write_text("a licence\n")
    return member


def looked(pyzpack: Pyzpack, output: Path) -> list[str]:
    program = "import looked; print(*looked.SEEN, sep='\\n')"
    environment = pyzpack.environment(PYZPACK_INTERPRETER="1")
    return subprocess.check_output([pyzpack.python, output, "-c", program], text=True, env=environment).splitlines()


def test_a_member_reads_what_it_names_beside_it_and_nothing_else_is_copied(pyzpack: Pyzpack, tmp_path: Path) -> None:
    member = make_workspace(tmp_path / "workspace")
    make_repository(tmp_path / "workspace")
    output, _ = build(pyzpack, member)
    assert looked(pyzpack, output) == [
        "LICENSE",
        "packages/hello/LICENSE",
        "packages/hello/hello.py",
        "packages/hello/looking_backend.py",
        "packages/hello/plain_backend.py",
        "packages/hello/pyproject.toml",
        "packages/hello/setup.cfg",
        "shared/data.txt",
    ]


def test_a_member_with_a_version_of_tags_gets_its_repository(pyzpack: Pyzpack, tmp_path: Path) -> None:
    member = make_workspace(tmp_path / "workspace")
    (member / "setup.py").write_text("# use_scm_version\n")
    make_repository(tmp_path / "workspace")
    output, _ = build(pyzpack, member)
    seen = looked(pyzpack, output)
    assert {".git/HEAD", "unrelated/large.bin", "packages/other/other.py"} <= set(seen)


def test_a_directory_that_is_not_the_repositorys_is_copied_alone(pyzpack: Pyzpack, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "of-the-host").write_text("")
    make_repository(host)
    member = make_project(
        host / "guest",
        "hello",
        files={**HELLO, "setup.py": "# use_scm_version\n"},
        scripts=SCRIPTS,
        backend="looking_backend",
    )
    output, _ = build(pyzpack, member)
    assert looked(pyzpack, output) == [
        "hello.py",
        "looking_backend.py",
        "plain_backend.py",
        "pyproject.toml",
        "setup.py",
    ]


def test_what_was_built_with_what_is_reported_and_a_second_build_takes_it(pyzpack: Pyzpack, tmp_path: Path) -> None:
    helper = make_wheel(tmp_path / "wheels", "helper", "2.0", files={"helper.py": ""})
    project = make_project(tmp_path / "project", "hello", files=HELLO, scripts=SCRIPTS)
    configuration = project / "pyproject.toml"
    configuration.write_text(configuration.read_text().replace("requires = []", 'requires = ["helper"]'))
    found = []
    for _ in range(2):
        output, done = build(pyzpack, project, "--find-links", helper.parent, "--json")
        (built,) = json.loads(done.stdout)["built"]
        found.append(built.pop("made"))
        wheel = manifest_of(output)["wheels"][0]
        assert built == {
            "name": "hello",
            "version": "1.0",
            "filename": "hello-1.0-py3-none-any.whl",
            "sha256": wheel["sha256"],
            "source": ".",
            "source_sha256": None,
            "locked": False,
            "requirements": [
                {
                    "name": "helper",
                    "version": "2.0",
                    "filename": helper.name,
                    "sha256": hashlib.sha256(helper.read_bytes()).hexdigest(),
                    "at_hand": True,
                }
            ],
        }
    assert found == ["now", "before"]
    _, done = build(pyzpack, project, "--find-links", helper.parent, "-v")
    assert "`hello-1.0-py3-none-any.whl` was built before: the cache has it" in done.stderr


def test_a_wheel_that_is_reused_is_not_pruned(pyzpack: Pyzpack, project: Path) -> None:
    build(pyzpack, project)
    entries = list((pyzpack.cache / "built").glob("*/*"))
    assert entries
    for path in [*entries, *(pyzpack.cache / "built").rglob("*.*")]:
        os.utime(path, (0, 0))
    build(pyzpack, project)
    assert all(entry.stat().st_mtime > 1_000_000_000 for entry in entries)
