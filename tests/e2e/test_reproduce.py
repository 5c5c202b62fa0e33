"""`pyzpack reproduce`: a build that breaks its own determinism is caught, and the condition that did it is named."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REFERENCE, Pyzpack, needs
from repositories import make_repository
from wheels import BACKENDS, make_project, make_wheel

sys.path.insert(0, str(BACKENDS))
from leaking_backend import HARMLESS, LEAKS

# What differs though nothing is changed.
CHANCE = ["chance", "second"]
# A path that is longer is another path too.
ALSO = {"directory-length": ["directory-length", "directory"]}
MODULES = {"leaky.py": "def main():\n    print('leaky')\n"}


def make_leaky(directory: Path, leaks: list[str], *triggers: str) -> Path:
    listed = ", ".join(f'"{leak}"' for leak in leaks)
    files = {**MODULES, **{f"{trigger}": "" for trigger in triggers}}
    return make_project(
        directory, "leaky", files=files, backend="leaking_backend", scripts={"leaky": "leaky:main"},
        tool=f"\n[tool.leaking]\nleaks = [{listed}]\n",
    )  # fmt: skip


def reproduce(pyzpack: Pyzpack, project: Path, *arguments: str | Path, status: int = 0, **changes) -> str:
    done = pyzpack.run("reproduce", "--python", pyzpack.python, *arguments, cwd=project, **changes)
    assert done.returncode == status, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout


def report(pyzpack: Pyzpack, project: Path, *arguments: str | Path, status: int = 0, **changes) -> dict:
    return json.loads(reproduce(pyzpack, project, "--json", *arguments, status=status, **changes))


def plain(text: str) -> str:
    """Digests and times as marks."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", text)
    text = re.sub(r"\b\d+\.\d{3,}(e-\d+)?\b", "NUMBER", text)
    return re.sub(r"\b\d+\.\d s$", "N s", text, flags=re.M)


def test_every_condition_is_found_and_named(pyzpack: Pyzpack, tmp_path: Path, table):
    """One project that each condition breaks: a run with all changed differs, and each alone in its own file."""
    conditions = [leak for leak in LEAKS if leak not in CHANCE]
    project = make_leaky(tmp_path / "project", conditions)
    kept = tmp_path / "kept"
    found = report(pyzpack, project, "--keep", kept, status=1)
    assert (found["same"], found["unattributed"]) == (False, None)
    tried = {one["condition"]: one for one in found["conditions"]}
    assert sorted(tried) == sorted([*conditions, "warm-cache"])
    # No project can break this one: nothing of it is run, and what is taken is what the first build left, under a
    # digest that is checked. Only a wrong key of the cache could; tests/built_wheels.rs tries what has to change it.
    assert tried.pop("warm-cache")["outcome"] == "same"
    for name, one in tried.items():
        remark = one["value"] or one.get("reason") or ""
        table("reproduce: a project that each condition breaks", name, one["outcome"], remark)
        if one["outcome"] == "not-tried":
            continue
        files = [line.split(":")[0] for line in one["files"]]
        assert files == [f"leaked/{leak}.txt" for leak in ALSO.get(name, [name])], name
        assert (kept / f"leaky-{name}.pyz").exists() or (name == "python" and list(kept.glob("leaky-python-3*.pyz")))
    assert (kept / "leaky-first.pyz").exists()
    assert os.listdir(pyzpack.temporary) == []
    # Where a machine has the programs, all of it was tried.
    programs = {"clock": "faketime", "processors": "taskset", "user-id": "unshare"}
    missing = [name for name, program in programs.items() if shutil.which(program) is None]
    untried = [name for name, one in tried.items() if one["outcome"] == "not-tried"]
    assert set(untried) <= {*missing, "directory-order", "user-id", "processors", "python"}, untried


def test_what_every_build_is_given_alike_does_not_matter(pyzpack: Pyzpack, tmp_path: Path):
    """The usual ways in which a build looks at its host: each sees the same, whatever the host is like."""
    paths = ["own-directory", "own-environment", "own-home"]
    wild = [f"wild/{name}.c" for name in "dacb"]
    project = make_leaky(tmp_path / "project", [leak for leak in HARMLESS if leak not in paths], *wild)
    found = report(pyzpack, project)
    assert found["same"]
    outcomes = {one["outcome"] for one in found["conditions"]}
    assert outcomes <= {"same", "not-tried"}
    # What holds a path hangs on TMPDIR, and on nothing else.
    make_leaky(tmp_path / "project", list(HARMLESS), *wild)
    some = "--condition=directory,home,locale,temporary-directory,time-zone"
    found = report(pyzpack, project, some, "--keep", tmp_path / "kept", status=1)
    assert [one["condition"] for one in found["conditions"] if one["outcome"] == "differs"] == ["temporary-directory"]


@pytest.mark.parametrize(("leak", "cause"), [("chance", "chance"), ("second", "clock")])
def test_chance_is_told_from_the_clock(leak: str, cause: str, pyzpack: Pyzpack, tmp_path: Path):
    needs("faketime")
    project = make_leaky(tmp_path / "project", [leak])
    answer = plain(reproduce(pyzpack, project, "--keep", "kept", "--condition=umask,clock", status=1))
    builds, lines = {
        "chance": (
            5,
            "differs with nothing changed: by no condition, nor by the clock: it differs while that stands still\n"
            f"  _pyzpack/payload.zip / leaked/{leak}.txt: text, -1 +1\n    @@ -1 +1 @@\n    -NUMBER\n    +NUMBER\n",
        ),
        "clock": (
            5,
            "clock (the same bytes while it stands still): DIFFERS\n"
            f"  _pyzpack/payload.zip / leaked/{leak}.txt: text, -1 +1\n    @@ -1 +1 @@\n    -NUMBER\n    +NUMBER\n",
        ),
    }[cause]
    reason = "builds differ though nothing is changed: this cannot be told from that\n"
    rest = f"not tried: umask{', clock' if cause == 'chance' else ''}: {reason}"
    head = f"leaky: DIFFERS, after {builds} builds, sha256 DIGEST, N s\n"
    assert answer == f"{head}{lines}{rest}kept: {project}/kept\n"
    assert sorted(os.listdir(project / "kept")) == [
        "leaky-again.pyz", "leaky-changed-1.pyz", "leaky-first.pyz"
    ]  # fmt: skip


def test_says_so_where_all_is_the_same(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [])
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in project.rglob("*") if path.is_file()}
    answer = plain(reproduce(pyzpack, project, "--condition=mtimes,umask", "--times=3"))
    head = "leaky: the same bytes from 3 builds, sha256 DIGEST, N s\n"
    assert answer == f"{head}changes nothing: mtimes, umask\n"
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in project.rglob("*") if path.is_file()}
    assert after == before
    assert os.listdir(pyzpack.temporary) == []


def test_the_digest_is_that_of_a_build(pyzpack: Pyzpack, tmp_path: Path, output: Path):
    project = make_leaky(tmp_path / "project", [])
    pyzpack.build(project, output=output)
    found = report(pyzpack, project, "--condition=umask")
    assert found["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()


def test_a_clock_under_which_nothing_can_be_built_is_exchanged_for_a_near_one(pyzpack: Pyzpack, tmp_path: Path):
    needs("faketime")
    project = make_leaky(tmp_path / "project", [], "fails-after-2040")
    found = report(pyzpack, project, "--condition=clock")
    why = "cannot build `project`: build_wheel of leaking_backend failed (exit status 1)"
    value = f"a day ahead; nothing is built at 2041-03-01 11:22:33: {why}"
    assert found["conditions"] == [{"condition": "clock", "value": value, "outcome": "same"}]
    # Where no index is asked, no certificate can be what fails.
    answer = plain(reproduce(pyzpack, project, "--condition=clock", "--no-index", status=1))
    assert answer.splitlines()[1:] == [
        "clock (2041-03-01 11:22:33): FAILS",
        f"  {why}",
        "      this certificate is not valid any more",
    ]


def test_builds_are_kept_where_nothing_is_replaced(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [])
    (project / "taken").mkdir()
    (project / "taken/file").write_text("mine")
    (project / "empty").mkdir()
    hint = "hint: name a directory that is new or empty\n"
    for name, reason in {
        "": "--keep names no directory",
        "taken": "cannot keep builds in `taken`: it is not empty",
        "taken/file": f"cannot keep builds in `taken/file`: `{project}/taken/file` is no directory",
        "/dev/null/x": "cannot keep builds in `/dev/null/x`: `/dev/null` is no directory",
    }.items():
        for against in ([], ["--against", "no.pyz"]):
            done = pyzpack.run("reproduce", *against, "--keep", name, cwd=project)
            assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {reason}\n{hint}")
    assert report(pyzpack, project, "--condition=umask", "--keep", "empty")["kept"] is None
    assert (os.listdir(project / "empty"), (project / "taken/file").read_text()) == ([], "mine")


def test_messages_name_the_sources_and_not_their_copy(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [])
    (project / "leaves.txt").symlink_to("/etc/hostname")
    done = pyzpack.run("reproduce", "--python", pyzpack.python, "--no-index", cwd=project)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"error: source tree `{project}`: the symbolic link `leaves.txt` leaves the tree (to `/etc/hostname`)\n"
    )


def test_rust_needs_no_other_clock(pyzpack: Pyzpack, tmp_path: Path):
    """Its compiler waits for ever where libfaketime is preloaded; this one fails."""
    needs("faketime")
    project = make_leaky(tmp_path / "project", [], "runs-rustc")
    programs = tmp_path / "programs of a user's"
    programs.mkdir()
    rustc = programs / "rustc"
    rustc.write_text('#!/bin/sh\n[ -z "$LD_PRELOAD" ] && echo "${0##*/} $#"\n')
    rustc.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    found = report(pyzpack, project, "--condition=clock", "--each", PATH=path)
    assert found["conditions"] == [{"condition": "clock", "value": "2041-03-01 11:22:33", "outcome": "same"}]


def test_a_version_of_python_that_is_asked_for_is_another_one_in_its_turn(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [])
    version = ".".join(map(str, REFERENCE))
    done = pyzpack.run("reproduce", "--python", version, "--condition=python", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["conditions"]
    assert (found["condition"], found["outcome"], found.get("reason")) == ("python", "same", None)
    assert found["value"]
    assert not found["value"].startswith(version)


def test_a_build_that_fails_under_a_condition(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [], "fails-at-umask-0077")
    answer = plain(reproduce(pyzpack, project, "--condition=umask,user", status=1))
    lines = answer.splitlines()
    assert lines[0] == "leaky: DIFFERS, after 5 builds, sha256 DIGEST, N s"
    assert lines[1] == "umask (0077): FAILS"
    assert lines[2] == "  cannot build `project`: build_wheel of leaking_backend failed (exit status 1)"
    assert lines[3:] == ["      nobody may read this", "changes nothing: user"]


def test_what_only_several_conditions_do(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [], "differs-by-two")
    answer = plain(reproduce(pyzpack, project, "--condition=umask,user", "--keep=kept", status=1))
    assert answer == (
        "leaky: DIFFERS, after 5 builds, sha256 DIGEST, N s\n"
        "umask (0077) and user (USER=somebody) together: DIFFERS; with none of them alone\n"
        "  + _pyzpack/payload.zip: leaked/by-two.txt\n"
        "changes nothing: umask, user\n"
        f"kept: {project}/kept\n"
    )


def test_of_many_conditions_the_few_that_do_it_together_are_found(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [], "differs-by-two")
    some = "--condition=mtimes,time-zone,locale,umask,user,hash-seed"
    found = report(pyzpack, project, some, "--keep=kept", status=1)
    together = found["unattributed"]
    values = [{"condition": "umask", "value": "0077"}, {"condition": "user", "value": "USER=somebody"}]
    assert (together["cause"], together["conditions"]) == ("together", values)
    digest = hashlib.sha256(b"both\n").hexdigest()
    assert together["outcome"]["files"] == [f"leaked/by-two.txt: not there and 0644 {digest}"]
    assert all(one["outcome"] == "same" for one in found["conditions"])
    # One with nothing changed, one with all, one again, six alone, and few more.
    assert found["builds"] <= 9 + 2 * 3 + 2
    assert sorted(os.listdir(project / "kept")) == ["leaky-changed-1.pyz", "leaky-first.pyz", "leaky-together.pyz"]


def test_a_first_build_that_fails_is_told_as_a_build_tells_it(pyzpack: Pyzpack, tmp_path: Path):
    project = make_leaky(tmp_path / "project", [])
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n[tool.pyzpack]\nlayuot = 'zip'\n")
    built = pyzpack.run("build", project)
    done = pyzpack.run("reproduce", project)
    assert (done.returncode, done.stdout) == (built.returncode, "")
    assert done.stderr == built.stderr
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    built = pyzpack.run("build", project)
    done = pyzpack.run("reproduce", project)
    assert (done.returncode, done.stdout) == (built.returncode, "")
    assert done.stderr.endswith("error: the first build fails, with nothing changed\n")


def test_lists_what_can_be_changed_and_why_the_rest_cannot(pyzpack: Pyzpack, tmp_path: Path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sh", "true"):
        (tools / name).symlink_to(shutil.which(name))
    answer = reproduce(pyzpack, tmp_path, "--list", "--offline", PATH=tools)
    lines = {line.split()[0]: line for line in answer.splitlines()}
    assert list(lines) == [
        "directory", "directory-length", "temporary-directory", "directory-order", "mtimes", "time-zone", "locale",
        "umask", "home", "user", "user-id", "hash-seed", "clock", "threads", "processors", "cold-cache", "warm-cache",
        "python",
    ]  # fmt: skip
    about = "the sources were last written at another time"
    assert lines["mtimes"] == f"mtimes               {about}: 2001-09-09 01:46:40 UTC"
    reasons = {name: line.partition("; not here: ")[2] for name, line in lines.items() if "; not here: " in line}
    if len(os.sched_getaffinity(0)) == 1:
        assert reasons.pop("processors") == "there is one processor"
    else:
        assert reasons.pop("processors") == "no program `taskset` on PATH"
    assert reasons == {
        "directory-order": "no program `disorderfs` on PATH",
        "user-id": "no program `unshare` on PATH",
        "clock": "no program `faketime` on PATH",
        "cold-cache": "--offline keeps from fetching again what the cache has",
        "python": "no other version was found",
    }


def test_a_condition_that_there_is_not(pyzpack: Pyzpack, tmp_path: Path):
    done = pyzpack.run("reproduce", "--condition", "timezone", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    line = "error: invalid value 'timezone' for '--condition <NAME[,NAME]>': "
    assert done.stderr.startswith(f"{line}`timezone` is no condition; did you mean `time-zone`?\n")


def test_what_lies_around_a_project_comes_along(pyzpack: Pyzpack, tmp_path: Path):
    """Sources above the project in its repository, its commit's time, requirements that git ignores."""
    root = tmp_path / "repository"
    project = make_project(
        root / "packages/app", "app", files={"app.py": "import part\ndef main():\n    print(part.NAME)\n"},
        scripts={"app": "app:main"}, requires=["part"],
        tool='\n[tool.pyzpack]\nfind-links = ["../../wheels"]\nsource-date-epoch = "commit"\n',
    )  # fmt: skip
    make_wheel(root / "wheels", "part", files={"part.py": "NAME = 'part'\n"})
    (root / ".gitignore").write_text("wheels\n*.txt\n")
    make_repository(root)
    (project / "constraints.txt").write_text("part==1.0\n")
    (project / "requirements.txt").write_text("-c constraints.txt\npart\n")
    found = report(pyzpack, project, "-r", "requirements.txt", ".", "--no-index", "--offline")
    assert found["same"], found


def test_scripts_wheels_and_modules(pyzpack: Pyzpack, tmp_path: Path):
    wheel = make_wheel(tmp_path / "shelf", "part", files={"part.py": "NAME = 'part'\n"})
    script = tmp_path / "scripts/job.py"
    script.parent.mkdir()
    script.write_text("# /// script\n# dependencies = ['part']\n# ///\nimport part\nprint(part.NAME)\n")
    options = ["--no-index", "--offline", "--condition=directory,mtimes,directory-length,umask"]
    assert report(pyzpack, tmp_path, "scripts/job.py", "--find-links", "shelf", *options)["same"]
    assert report(pyzpack, tmp_path, wheel, "-e", "part", *options)["same"]
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/main.py").write_text("print('modules')\n")
    (tmp_path / "modules/requirements.txt").write_text("")
    assert report(pyzpack, tmp_path / "modules", *options)["same"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_signal_it_leaves_nothing(number: signal.Signals, pyzpack: Pyzpack, sleeping_project: Path):
    command = pyzpack.command("reproduce", "--python", pyzpack.python, "--condition=directory-order,umask")
    running = subprocess.Popen(
        command, env=pyzpack.environment(), cwd=sleeping_project, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not any("frontend" in line for line in pyzpack.children(running.pid).values()):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    children = pyzpack.children(running.pid)
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode == (130 if number == signal.SIGINT else 143)
    assert os.listdir(pyzpack.temporary) == []
    deadline = time.monotonic() + 10
    while [pid for pid in children if Path(f"/proc/{pid}").exists() and "Z" not in state(pid)]:
        assert time.monotonic() < deadline, children
        time.sleep(0.05)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
