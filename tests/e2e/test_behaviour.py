"""How a process begins and ends: the same installed, unpacked and in a zip, but for what is said here."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from behaviour import DEEPEST_START, Builder, Ended, Side, Sides, versions

STATUSES = {
    "none": (0, ""),
    "zero": (0, ""),
    "seven": (7, ""),
    "big": (300 % 256, ""),
    "negative": (255, ""),
    "huge": (255, ""),
    "true": (1, ""),
    "false": (0, ""),
    "text": (1, "a text is an error\n"),
    "float": (1, "2.5\n"),
    "tuple": (1, "(1, 2)\n"),
    "object": (1, "an object\n"),
}


@pytest.mark.parametrize("name", STATUSES)
@pytest.mark.parametrize("way", ["give", "leave"])
def test_exit_status(sides: Sides, way: str, name: str):
    status, stderr = STATUSES[name]
    assert sides.same(f"endings:{way}", name) == Ended(status, "", stderr)


@versions
@pytest.mark.parametrize("function", ["fail", "fail_of_another", "fail_in_dependency"])
def test_uncaught_exception(sides: Sides, function: str):
    ended = sides.same(f"endings:{function}")
    assert ended.status == 1
    last = r'\n  File "<site>/(asked/endings|dep/__init__)\.py", line \d+, in fail\w*\n    raise '
    assert re.search(last, ended.stderr)


def test_traceback_has_the_few_frames_of_the_start_and_no_others(sides: Sides):
    for side in sides.packed():
        raw = subprocess.run(side.command("endings:fail"), capture_output=True, text=True, env=side.environment())
        files = re.findall(r'^  File "([^"]+)"', raw.stderr, re.M)
        *start, dispatcher, failing = files
        assert [dispatcher, failing] == [f"{side.site}/asked/__init__.py", f"{side.site}/asked/endings.py"]
        ours = [f"{side.script}/__main__.py", f"{side.script}/_pyzpack/boot.py"]
        assert sorted(set(start)) == sorted(["<frozen runpy>", *ours])
        assert len(start) <= DEEPEST_START


# Of these the interpreter itself prints the traceback, and before 3.13 it looks for source lines in files alone.
PRINTED_BY_C = {"fail_at_exit": 0, "fail_in_thread": 0, "kill": -signal.SIGINT}


@versions
@pytest.mark.parametrize("function", PRINTED_BY_C)
def test_traceback_of_the_interpreter_itself(sides: Sides, function: str):
    arguments = [f"endings:{function}", *(["SIGINT"] if function == "kill" else [])]
    ended = sides.same(*arguments, only="installed extract")
    assert ended.status == PRINTED_BY_C[function]
    zipped = sides.zipped.run(*arguments)
    without = re.sub(r'(  File "<site>/.*\n)    .*\n(?: +[~^]+\n)?', r"\1", ended.stderr)
    assert without != ended.stderr
    # Which of them it prints by Python code from 3.13 on differs.
    assert (zipped.status, zipped.stdout) == (ended.status, ended.stdout)
    assert zipped.stderr in ([without] if sides.version < (3, 13) else [without, ended.stderr])


ENDINGS = [
    (["catch_interrupt"], 42, "", ""),
    (["handle", "SIGINT"], 102, "", ""),
    (["handle", "SIGTERM"], 115, "", ""),
    (["kill", "SIGTERM"], -signal.SIGTERM, "", ""),
    (["kill", "SIGHUP"], -signal.SIGHUP, "", ""),
    (["kill", "SIGKILL"], -signal.SIGKILL, "", ""),
    (["leave_threads"], 0, "main ends\nthread dep\natexit\n", ""),
    (["leave_garbage"], 0, "deleted\n", ""),
    (["hard_exit"], 9, "", ""),
    (["exit_builtin"], 1, "", "by the builtin\n"),
    (["hook_exceptions"], 1, "hooked ValueError on purpose\n", ""),
]


@pytest.mark.parametrize(("arguments", "status", "stdout", "stderr"), ENDINGS, ids=lambda value: str(value)[:40])
def test_ending(sides: Sides, arguments: list[str], status: int, stdout: str, stderr: str):
    assert sides.same(f"endings:{arguments[0]}", *arguments[1:]) == Ended(status, stdout, stderr)


def interrupt(side: Side, function: str, number: int) -> Ended:
    process = side.start(f"endings:{function}")
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.05)
    process.send_signal(number)
    return side.end(process)


@versions
@pytest.mark.parametrize("function", ["wait_for_signal", "wait_in_asyncio"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_from_outside(sides: Sides, function: str, number: int):
    for side in sides:
        ended = interrupt(side, function, number)
        cleaned = "cleaned up\n" if (function, number) == ("wait_in_asyncio", signal.SIGINT) else ""
        # Where exactly it was is a matter of microseconds.
        last = ended.stderr.splitlines()[-1:]
        expected = ["KeyboardInterrupt"] if number == signal.SIGINT else []
        assert (ended.status, ended.stdout, last) == (-number, cleaned, expected), side.name


@versions
def test_closed_pipe(sides: Sides):
    ended = {}
    for side in sides:
        process = side.start("endings:write_after_input")
        process.stdout.close()
        process.stdin.close()
        stderr = process.stderr.read()
        ended[side.name] = (process.wait(20), side.normalise(stderr))
    assert ended["extract"] == ended["zip"] == ended["installed"]
    status, stderr = ended["installed"]
    assert (status, "BrokenPipeError: [Errno 32] Broken pipe" in stderr) == (120, True)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
def test_closed_streams(sides: Sides, closed: str):
    ended = []
    for side in sides:
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", *side.command("endings:print_and_fail")]
        ended.append(side.run(command=command))
    assert ended[1:] == ended[:1] * 2
    assert ended[0].status != 0


def test_crash_is_told_by_faulthandler(sides: Sides):
    for function, status in (("endings:crash", -signal.SIGSEGV), ("sources:dump", 0)):
        found = []
        for side in sides:
            ended = side.run(function)
            lines = ended.stderr.splitlines()
            # Without source lines nothing tells the start's frames but their files.
            start = r'"(<script>|<site>/(_pyzpack|__main__).*|<frozen runpy>)"'
            own = [line for line in lines if not re.search(start, line)]
            found.append((ended.status, own))
        assert found[1:] == found[:1] * 2
        assert found[0][0] == status
        assert any('File "<site>/asked/' in line for line in found[0][1])


def test_recursion_goes_a_few_calls_less_deep(sides: Sides):
    installed, *packed = [int(side.run("state:depth").stdout) for side in sides]
    assert packed[0] == packed[1]
    assert 0 <= installed - packed[0] < DEEPEST_START


def test_standard_input(sides: Sides):
    assert sides.same("endings:read_input", stdin="a\nb c\n") == Ended(0, "? a ['b', 'c']\n", "")


def test_unencodable_output(sides: Sides):
    ended = sides.same("endings:print_unencodable", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert ended.stderr.splitlines()[-1].startswith("UnicodeEncodeError: 'ascii' codec can't encode")


@versions
def test_main_module(sides: Sides):
    assert sides.same("state:main_module").stdout == "__main__ None None True None\nTrue True\n"


def test_main_module_has_names_of_the_start(sides: Sides):
    installed, *packed = [set(json.loads(side.run("state:names").stdout)) for side in sides]
    assert installed - {"main"} <= packed[0] == packed[1]
    assert not any(name.startswith("__") for name in packed[0] - installed)


@versions
def test_arguments(sides: Sides):
    argv, orig_argv = json.loads(sides.same("state:arguments", "-x", "ünï", "", "a b").stdout)
    assert argv == ["<script>", "state:arguments", "-x", "ünï", "", "a b"]
    assert orig_argv == (argv if sides.version >= (3, 10) else [])


def test_relative_name_and_another_directory(sides: Sides):
    for side in sides.packed():
        name = f"./{side.script.name}"
        ended = side.run(command=[str(side.python), name, "state:moved"], cwd=side.script.parent)
        assert ended == Ended(0, "True 2\n" if side is sides.extract else "in the zip 2\n", "")
        ended = side.run(command=[str(side.python), name, "state:arguments"], cwd=side.script.parent)
        assert json.loads(ended.stdout)[0] == [name, "state:arguments"]


def test_a_program_starts_itself_again(sides: Sides):
    for function in ("run_itself", "replace_itself"):
        assert sides.same(f"workers:{function}") == Ended(5, f"again ['workers:{function}']\n", "")


def test_run_by_another_program(sides: Sides):
    for side in sides.packed():
        code = "import runpy, sys; sys.argv[1:] = ['endings:give', 'seven']; runpy.run_path({!r}, run_name='__main__')"
        assert side.run(command=[str(side.python), "-c", code.format(str(side.script))]) == Ended(7, "", "")


@versions
def test_prompt_after_the_program(sides: Sides):
    ended = sides.same("endings:give", "seven", stdin="print(6 * 7)\n", options=["-i"])
    assert (ended.status, ended.stdout, "SystemExit: 7" in ended.stderr) == (0, "42\n", True)
    sides.same("endings:give", "seven", PYTHONINSPECT="1")


@pytest.fixture
def module(builder: Builder, sides: Sides) -> Iterator[Callable[..., None]]:
    """Runs `python -m asked.runnable` and files with `-e asked.runnable`; gives what they have in common."""
    files = [
        builder.build("asked[native]", "-e", "asked.runnable", "--layout", "extract"),
        builder.build("asked", "-e", "asked.runnable", "--layout", "zip"),
    ]

    def run(*arguments: str) -> list[Ended]:
        installed = sides.installed.run(command=[str(sides.installed.python), "-m", "asked.runnable", *arguments])
        packed = [
            side.run(command=[str(side.python), str(path), *arguments])
            for side, path in zip(sides.packed(), files, strict=True)
        ]
        return [installed, *packed]

    return run


@versions
def test_module_runs_as_main(module: Callable):
    installed, extract, zipped = module("a", "b")
    assert extract == zipped == installed
    assert installed.stdout == "__main__ asked asked.runnable True ['a', 'b']\n3 1\n"
    assert installed.status == 6


@versions
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_functions_and_objects_of_such_a_module_in_children(module: Callable, method: str):
    installed, extract, zipped = module(f"--{method}")
    assert extract == zipped
    assert installed.stdout.endswith(f"{method} [2, 4] 5 [('ran', 'oldest one', 'pathed')]\n")
    # A child finds that module by its name, and not by way of the .pyz: lines of .pth files that are code do not run.
    ran = "'ran'" if method == "fork" else "None"
    assert extract.stdout == installed.stdout.replace("'ran'", ran)
    assert (extract.status, extract.stderr) == (installed.status, installed.stderr)


def test_file_of_main_is_the_scripts_own(sides: Sides):
    assert sides.same("state:own_file") == Ended(0, "<script>\n", "")
