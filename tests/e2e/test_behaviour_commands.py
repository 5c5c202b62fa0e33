"""One file, many commands: by PYZPACK_SCRIPT and by links; a Python with the packages; and what the file is."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from behaviour import Ended, Side, Sides, versions


def started(side: Side, *command: str | Path, **rest) -> Ended:
    return side.run(command=[str(part) for part in command], **rest)


def both(sides: Sides, tmp_path: Path) -> list[tuple[Side, Path, Path]]:
    """Each side with a directory of its own, and a PATH on which its Python is `python3`."""
    found = []
    for side in sides.packed():
        directory = tmp_path / side.name
        directory.mkdir()
        (directory / "python3").symlink_to(side.python)
        found.append((side, directory, directory / "link"))
    return found


OTHER = Ended(0, "other ['a']\n", "")
MAIN = Ended(0, "__main__ None None True None\nTrue True\n", "")


@pytest.mark.parametrize("name", ["asked-other", "other.dotted"])
def test_script_is_chosen_by_name(sides: Sides, name: str):
    assert sides.named(name).same("a") == OTHER


def test_script_that_is_not_there(sides: Sides):
    for side, names in ((sides.extract, "asked, asked-other, native-script, native-tool, other.dotted"),
                        (sides.zipped, "asked, asked-other, other.dotted")):  # fmt: skip
        ended = side.run("a", PYZPACK_SCRIPT="absent")
        assert ended == Ended(1, "", f"asked: no console script `absent` in it; there are: {names}\n")


def test_argv_is_that_of_the_chosen_script(sides: Sides):
    """As if it lay beside the .pyz; no such file is there, so a program that starts itself again needs a link."""
    for side in sides.packed():
        ended = side.run("a", PYZPACK_SCRIPT="other.dotted", ASKED="argv")
        assert json.loads(ended.stdout)[0] == [str(side.script.with_name("other.dotted")), "a"]


@pytest.mark.parametrize("name", ["asked-other", "asked-other.pyz", "other.dotted", "other.dotted.pyz"])
def test_link_named_like_a_script(sides: Sides, tmp_path: Path, name: str):
    for side, directory, first in both(sides, tmp_path):
        link = directory / name
        shutil.copy(side.script, directory / "tools.pyz")
        link.symlink_to("tools.pyz")
        path = f"{directory}:{os.environ['PATH']}"
        assert started(side, side.python, link, "a") == OTHER
        assert started(side, side.python, name, "a", cwd=directory) == OTHER
        assert started(side, f"./{name}", "a", cwd=directory, PATH=path) == OTHER
        assert started(side, "sh", "-c", f"{name} a", cwd="/", PATH=path) == OTHER
        # The link that is called counts, whatever lies behind it; so does its directory, by whatever name.
        link.unlink()
        first.symlink_to(directory / "tools.pyz")
        link.symlink_to("link")
        assert started(side, side.python, link, "a") == OTHER
        (directory / "there").symlink_to(directory)
        assert started(side, side.python, directory / "there" / name, "a") == OTHER
        # Another name is nobody's: the entry point starts.
        assert started(side, side.python, first, "state:main_module") == MAIN


@pytest.mark.parametrize("make", [shutil.copy, os.link, shutil.copyfile], ids=["copy", "hard link", "renamed"])
def test_nothing_but_a_symbolic_link_chooses(sides: Sides, tmp_path: Path, make):
    for side, directory, _ in both(sides, tmp_path):
        same = directory / "same.pyz"
        shutil.copy(side.script, same)
        make(same, directory / "asked-other")
        assert started(side, side.python, directory / "asked-other", "state:main_module") == MAIN


def test_script_wins_over_a_link(sides: Sides, tmp_path: Path):
    for side, directory, _ in both(sides, tmp_path):
        link = directory / "asked-other"
        link.symlink_to(side.script)
        ended = started(side, side.python, link, "state:main_module", PYZPACK_SCRIPT="asked")
        assert ended == MAIN


def test_a_program_that_was_started_by_a_link_starts_itself_again(sides: Sides, tmp_path: Path):
    for side, directory, _ in both(sides, tmp_path):
        link = directory / "asked"
        link.symlink_to(side.script)
        assert started(side, side.python, link, "workers:run_itself").status == 5


def test_variables_do_not_reach_the_program(sides: Sides):
    given = {"PYZPACK_SCRIPT": "asked", "PYZPACK_INFO": "0", "PYZPACK_INTERPRETER": "", "PYZPACK_QUIET": "1"}
    for side in sides.packed():
        ended = side.run("state:variables", **given)
        assert ended.stdout == "['PYZPACK_CACHE', 'PYZPACK_QUIET']\n"


INTERPRETED = [
    (["-c", "import sys, dep; print(sys.argv, dep.TWO, __name__)", "a", "-b"], "", 0, "['-c', 'a', '-b'] 2 __main__\n"),
    (["-c", "import sys; sys.exit(9)"], "", 9, ""),
    (["-c", "raise SystemExit('no')"], "", 1, ""),
    (["-c", "1 / 0"], "", 1, ""),
    (["-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"], "", -15, ""),
    (["-m", "dep", "a"], "", 0, "dep runs ['a']\n"),
    (["-m", "absent"], "", 1, ""),
    (["-m", "asked.runnable"], "", 6, "__main__ asked asked.runnable True []\n3 1\n"),
    (["show.py", "a"], "", 0, "show.py ['show.py', 'a'] 2 beside\n"),
    (["./show.py"], "", 0, "show.py ['./show.py'] 2 beside\n"),
    (["absent.py"], "", 2, ""),
    (["package"], "", 0, "package 2\n"),
    (["-"], "import sys, dep\nprint(sys.argv, dep.TWO)\n", 0, "['-'] 2\n"),
    (["-", "a"], "import sys\nsys.exit(len(sys.argv))\n", 2, ""),
    ([], "import sys, dep\nprint(sys.argv, dep.TWO)\n", 0, "[''] 2\n"),
    ([], "1 / 0\n", 1, ""),
    ([], "def f(:\n", 1, ""),
    (["-c"], "", 2, ""),
    (["-V"], "", 0, None),
    (["-Z"], "", 2, ""),
]


@pytest.mark.parametrize(("arguments", "stdin", "status", "stdout"), INTERPRETED, ids=lambda value: str(value)[:50])
def test_interpreter(sides: Sides, tmp_path: Path, arguments: list[str], stdin: str, status: int, stdout: str | None):
    """Exit status and output are those of the venv's python."""
    (tmp_path / "beside.py").write_text("NAME = 'beside'\n")
    show = "import os, sys, dep, beside\nprint(os.path.basename(__file__), sys.argv, dep.TWO, beside.NAME)\n"
    (tmp_path / "show.py").write_text(show)
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__main__.py").write_text("import dep, sys\nprint(sys.argv[0], dep.TWO)\n")
    command = [str(sides.installed.python), *arguments]
    installed = sides.installed.run(command=command, cwd=tmp_path, stdin=stdin)
    assert (installed.status, installed.stdout) == (status, installed.stdout if stdout is None else stdout)
    for side in sides.packed():
        ended = side.run(*arguments, cwd=tmp_path, stdin=stdin, PYZPACK_INTERPRETER="1")
        assert (ended.status, ended.stdout) == (installed.status, installed.stdout), ended.stderr
        # What it says of failures ends the same; but for options, of which there are fewer.
        if arguments not in (["-Z"], ["-c"], ["-m", "absent"], ["absent.py"]):
            assert ended.stderr.splitlines()[-1:] == installed.stderr.splitlines()[-1:]
        assert bool(ended.stderr) == bool(installed.stderr)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_interpreter_has_workers(sides: Sides, tmp_path: Path, method: str):
    (tmp_path / "work.py").write_text(
        "import multiprocessing, sys\n\ndef work(n):\n    import dep\n    return dep.TWO * n\n\n"
        "if __name__ == '__main__':\n    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:\n"
        "        print(pool.map(work, [1, 2]))\n"
    )
    for arguments in (["work.py", method], ["-m", "work", method]):
        for side in sides.packed():
            ended = side.run(*arguments, cwd=tmp_path, PYZPACK_INTERPRETER="1")
            assert ended == Ended(0, "[2, 4]\n", "")


@versions
@pytest.mark.parametrize("options", [[], ["-I"]])
def test_prompt(sides: Sides, tmp_path: Path, options: list[str]):
    startup = tmp_path / "startup.py"
    startup.write_text("started = 40\n")
    for side in sides.packed():
        master, slave = pty.openpty()
        os.write(master, b"import dep; print('sum', globals().get('started', 0) + dep.TWO)\nexit(6)\n")
        environment = side.environment(PYTHONSTARTUP=startup, PYZPACK_INTERPRETER="1", TERM="dumb")
        command = side.command(options=options)
        done = subprocess.run(command, stdin=slave, capture_output=True, text=True, env=environment, timeout=60)
        os.close(slave)
        os.close(master)
        assert (done.returncode, f"sum {2 if options else 42}" in done.stdout) == (6, True), done.stdout + done.stderr


def test_info(sides: Sides):
    for side, layout, more in ((sides.extract, "extract", ", native-script, native-tool"), (sides.zipped, "zip", "")):
        ended = side.run("state:main_module", PYZPACK_INFO="1", PYZPACK_SCRIPT="absent", PYZPACK_INTERPRETER="1")
        lines = dict(line.split(":", 1) for line in ended.stdout.splitlines())
        assert (ended.status, ended.stderr) == (0, "")
        assert lines.pop("runs on").split()[0] == ("CPython" if layout == "extract" else "Python")
        assert lines.pop("cache", "<site> (unpacked)").strip() == "<site> (unpacked)"
        assert {name: value.strip() for name, value in lines.items()} == {
            "name": "asked",
            "version": "1.0",
            "requires-python": ">=3.8",
            "layout": layout,
            "entry point": "asked:main",
            "console scripts": f"asked, asked-other{more}, other.dotted",
        }
