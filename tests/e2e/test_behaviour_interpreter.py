"""Options and variables of the interpreter, and what shows source lines: warnings, debuggers, help."""

from __future__ import annotations

import re

import pytest
from behaviour import Ended, Sides, versions

OPTIONS = ["-I", "-E", "-O", "-OO", "-P", "-u", "-B", "-s", "-q", "-b", "-d"]
OPTIONS += ["-X dev", "-X utf8", "-X tracemalloc", "-X faulthandler", "-W error", "-W ignore::DeprecationWarning"]
VARIABLES = {
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "PYTHONUTF8": "1",
    "PYTHONIOENCODING": "latin-1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDEVMODE": "1",
    "PYTHONTRACEMALLOC": "3",
    "PYTHONFAULTHANDLER": "1",
    "LC_ALL": "C",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_option(sides: Sides, option: str):
    ended = sides.same("state:interpreter", options=option.split())
    assert (ended.status, ended.stderr) == (0, "")
    assert ended != sides.installed.run("state:interpreter")


@pytest.mark.parametrize("name", VARIABLES)
def test_variable(sides: Sides, name: str):
    ended = sides.same("state:interpreter", **{name: VARIABLES[name]})
    assert (ended.status, ended.stderr) == (0, "")
    # What is the same without the variable would be no test of it.
    assert ended != sides.installed.run("state:interpreter")


def test_hash_seed(sides: Sides):
    assert sides.same("state:hash_seed", PYTHONHASHSEED="3") == sides.same("state:hash_seed", PYTHONHASHSEED="3")
    assert sides.same("state:hash_seed", PYTHONHASHSEED="3") != sides.same("state:hash_seed", PYTHONHASHSEED="4")


@versions
def test_without_site(sides: Sides):
    """An installed program needs the site module; a .pyz does not."""
    assert "ModuleNotFoundError: No module named 'asked'" in sides.installed.run(options=["-S"]).stderr
    for side in sides.packed():
        ended = side.run("state:imports", "dep", "pathed_module", options=["-S"])
        assert ended == Ended(0, "['__init__.py', 'pathed_module.py']\n", "")


@pytest.mark.parametrize(("options", "shown"), [([], "True"), (["-O"], "False"), (["-OO"], "False")])
def test_assertions_and_docstrings(sides: Sides, options: list[str], shown: str):
    doc = None if options == ["-OO"] else "A function with a docstring."
    assert sides.same("sources:asserts", options=options).stdout == f"{doc} {shown}\n"
    failed = sides.same("sources:asserts", "more", options=options)
    assert failed.stderr.endswith("AssertionError: asserted\n") == (not options)


def test_import_times_are_told(sides: Sides):
    for side in sides:
        ended = side.run("state:moved", options=["-X", "importtime"])
        assert re.search(r"^import time: .*\| +asked\.endings$", ended.stderr, re.M), side.name


@versions
def test_bytecode_goes_where_it_is_told(sides: Sides, tmp_path):
    side = sides.extract
    ended = side.run("state:written", PYTHONPYCACHEPREFIX=tmp_path)
    assert (ended.status, ended.stdout) == (0, "True\n"), ended.stderr
    written = [path for path in tmp_path.rglob("*.pyc") if "/asked/" in str(path)]
    assert {path.name.split(".")[0] for path in written} == {"__init__", "state"}


@pytest.mark.parametrize("options", [[], ["-W", "always"], ["-W", "ignore"], ["-W", "error"]])
def test_warnings(sides: Sides, options: list[str]):
    ended = sides.same("sources:warn", options=options, only="installed extract")
    zipped = sides.zipped.run("sources:warn", options=options)
    if options in ([], ["-W", "always"]):
        assert 'warnings.warn("mind this", UserWarning)  # the line that is shown\n' in ended.stderr
        # The warnings module does not look into zips.
        assert zipped == Ended(0, "", re.sub(r"\n  [^\n]+", "", ended.stderr))
    else:
        assert zipped == ended
        assert ended.status == (1 if options == ["-W", "error"] else 0)


@pytest.mark.parametrize("function", ["trace", "log", "own_source", "stack", "ask_help", "profile"])
def test_source_lines(sides: Sides, function: str):
    ended = sides.same(f"sources:{function}", PAGER="cat")
    assert (ended.status, ended.stderr) == (0, "")
    assert ended.stdout


def test_tracing_sees_lines(sides: Sides):
    ended = sides.same("sources:trace_lines", only="installed extract")
    assert "'return 1'" in ended.stdout


@versions
def test_breakpoint_in_the_application(sides: Sides):
    ended = sides.same("sources:break_here", stdin="p value\nc\n")
    assert (ended.status, ended.stdout.count("(Pdb) 42")) == (42, 1)
    assert sides.same("sources:break_here", PYTHONBREAKPOINT="0") == Ended(42, "", "")


@versions
def test_debugger(sides: Sides):
    """pdb before Python 3.14 reads no zip: the .pyz runs pdb instead."""
    stdin = "import asked.sources\nb asked.sources.stop\nc\np value\nn\np value\nc\nq\n"
    command = [str(sides.installed.python), "-m", "pdb", "-m", "asked.debugged"]
    arguments = ["-m", "pdb", "-m", "asked.debugged"]
    installed = sides.installed.run(command=command, stdin=stdin)
    assert "-> value = 41\n" in installed.stdout
    assert sides.extract.run(*arguments, stdin=stdin, PYZPACK_INTERPRETER="1") == installed
    # In a zip pdb finds no lines to stop at.
    zipped = sides.zipped.run(*arguments, stdin=stdin, PYZPACK_INTERPRETER="1")
    assert "(Pdb) End of file\n(Pdb) value 42\n" in zipped.stdout


def test_modules_of_the_standard_library_see_the_packages(sides: Sides):
    for line in ("-m pydoc asked.sources", "-m dep x", "-m timeit -n1 -r1 pass"):
        arguments = line.split()
        installed = sides.installed.run(command=[str(sides.installed.python), *arguments], PAGER="cat")
        for side in sides.packed():
            ended = side.run(*arguments, PYZPACK_INTERPRETER="1", PAGER="cat")
            assert (ended.status, ended.stdout.count("\n")) == (installed.status, installed.stdout.count("\n"))
            assert ended.status == 0
