"""Processes that the program starts: workers of every kind, other Pythons, and what `export-path` does for these."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from behaviour import Builder, Ended, Side, Sides, versions
from conftest import PYTHONS, manifest_of
from wheels import make_project

METHODS = ["fork", "spawn", "forkserver"]
POOL = "[0, 2, 8, 18] [('dep', {main!r}, 'asked.workers', ['workers:pool'])] [1, 2]\n"
POOL += "[('ran', 'oldest one', 'pathed')]\n"
WORK = {
    "process": "(3, 2) 0\n",
    "failing": "ValueError('in the child') True\n",
    "manager": "[('a', 1), ('b', 2)]\n",
    "set_method": "[8]\n",
}


@versions
@pytest.mark.parametrize("method", METHODS)
def test_pool(sides: Sides, method: str):
    main = "__main__" if method == "fork" else "__mp_main__"
    assert sides.same("workers:pool", method) == Ended(0, POOL.format(main=main), "")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("function", WORK)
def test_multiprocessing(sides: Sides, function: str, method: str):
    assert sides.same(f"workers:{function}", method) == Ended(0, WORK[function], "")


@versions
def test_executors(sides: Sides):
    assert sides.same("workers:futures") == Ended(0, "[0, 2, 8]\n[0, 2, 8]\n", "")


def test_fork(sides: Sides):
    assert sides.same("workers:fork_and_import") == Ended(0, "2\n", "")


def test_another_console_script_has_workers(sides: Sides):
    for side in sides.packed():
        changed = replace(side, changes={"PYZPACK_SCRIPT": "asked"})
        assert changed.run("workers:process", "spawn") == Ended(0, WORK["process"], "")


def test_another_python_finds_nothing(sides: Sides):
    assert sides.installed.run("workers:run_dependency") == Ended(0, "0 dep runs []\n", "")
    for side in sides.packed():
        assert side.run("workers:run_dependency") == Ended(0, "1 No module named dep\n", "")
        assert side.run("workers:show_path") == Ended(0, "None\n", "")


@pytest.fixture(scope="module")
def exporting(builder: Builder, sides: Sides) -> tuple[Side, Side]:
    """A project of its own with `export-path = true` that needs the program."""
    project = make_project(
        builder.root / "exporting",
        "exporting",
        files={"exporting.py": "from asked import main\n"},
        scripts={"exporting": "exporting:main"},
        requires=["asked"],
        tool="\n[tool.pyzpack]\nexport-path = true\n",
    )
    packed = [builder.build(str(project), "--layout", layout, name=f"{layout}.pyz") for layout in ("extract", "zip")]
    extract = replace(sides.extract, script=packed[0], site=Path("/nowhere"))
    code = "import asked; print(asked.__path__[0])"
    found = extract.run("-c", code, PYZPACK_INTERPRETER="1").stdout
    return replace(extract, site=Path(found.strip()).parent), replace(sides.zipped, script=packed[1], site=packed[1])


@versions
def test_exported_path(exporting: tuple[Side, Side], sides: Sides):
    for side in exporting:
        side = replace(side, python=sides.extract.python)
        assert side.run("workers:run_dependency") == Ended(0, "0 dep runs []\n", "")
        assert side.run("workers:run_dependency_elsewhere") == Ended(0, "0 dep runs []\n", "")
        # Whoever wants no PYTHONPATH gets none.
        assert side.run("workers:run_dependency", "-I").stdout == "1 No module named dep\n"


def test_exported_path_comes_last_and_once(exporting: tuple[Side, Side]):
    for side in exporting:
        site = "<site>" if side is exporting[0] else "<script>"
        own = f"{site}:<site>/pathed_directory"
        assert side.run("workers:show_path") == Ended(0, f"{own}\n", "")
        assert side.run("workers:show_path", PYTHONPATH="/a:/b") == Ended(0, f"/a:/b:{own}\n", "")
        # A program that starts itself again adds nothing, and sees every distribution once.
        again = {"AGAIN": "1", "PYTHONPATH": f"{side.site}:{side.site}/pathed_directory"}
        assert side.run("workers:show_path", **again) == Ended(0, f"{own}\n", "")
        for function in ("state:path", "state:distributions"):
            assert side.run(function, **again) == side.run(function)


def test_exported_path_reaches_what_an_executable_or_a_worker_starts(exporting: tuple[Side, Side]):
    for side in exporting:
        assert side.run("workers:run_dependency_in_worker", "spawn") == Ended(0, "0 dep runs []\n", "")
        code = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'dep'])"
        assert side.run("-c", code, PYZPACK_INTERPRETER="1") == Ended(0, "dep runs []\n", "")


def test_exported_path_is_told_and_in_no_recipe(exporting: tuple[Side, Side], sides: Sides):
    line = "PYTHONPATH:      names the packages for every process that the program starts\n"
    for side, other in zip(exporting, sides.packed(), strict=True):
        assert line in side.run(PYZPACK_INFO="1").stdout
        assert line not in other.run(PYZPACK_INFO="1").stdout
        assert set(manifest_of(side.script)["recipe"]) == set(manifest_of(other.script)["recipe"])


def test_exported_path_is_seen_by_unrelated_pythons(exporting: tuple[Side, Side]):
    """Its cost: every Python that the program starts, however indirectly, imports the packages before its own."""
    other = next(python for version, python in PYTHONS.items() if version != (3, 11))
    for side in exporting:
        assert side.run("workers:run_other_python", str(other)).stdout == "dep 2\n"


def test_children_of_a_zip_are_found_by_its_path_alone(sides: Sides):
    """What `export-path` does in layout zip works by hand too."""
    done = subprocess.run(
        [sides.zipped.python, "-m", "dep"],
        env=sides.zipped.environment(PYTHONPATH=sides.zipped.script),
        capture_output=True,
        text=True,
        cwd=os.sep,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "dep runs []\n", "")
