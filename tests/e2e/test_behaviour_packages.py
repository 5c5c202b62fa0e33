"""What the packages find of themselves and of each other: metadata, resources, namespaces, .pth files, native code.

One process a side answers all the questions of testdata/e2e/programs/asked/survey.py; each is a test here.
"""

from __future__ import annotations

import ast
from functools import cache

import pytest
from behaviour import PROGRAMS, Ended, Side, Sides, survey, versions
from conftest import manifest_of

SOURCE = ast.parse((PROGRAMS / "asked/survey.py").read_text())
HELPERS = {"exists", "typed", "HERE_LINE", "main", "names"}
QUESTIONS = [node.name for node in SOURCE.body if isinstance(node, ast.FunctionDef) and node.name not in HELPERS]
ask = cache(survey)

# What no zip can do, each with what is had instead; CPython's own limits have the last version that has them.
NOT_A_DIRECTORY = "NotADirectoryError: [Errno 20] Not a directory: '<site>/asked/data/plain.txt'"
OLD_PATH = 'ValueError: open() requires mode "r" or "w"'
ZIPPED = {
    "data_beside_code": ((4, 0), NOT_A_DIRECTORY),
    "pkg_resources_filename": ((4, 0), "NotImplementedError: resource_filename() only supported for .egg, not .zip"),
    # It lists what lies beside each other in directories alone; asked for by name, it is found.
    "pkg_resources_finds": ((4, 0), None),
    "logging_configuration": ((4, 0), None),
    "unittest_discovery": ((4, 0), None),
    "files_exist": ((3, 8), OLD_PATH),
    "file_digests": ((3, 8), OLD_PATH),
    "resource_contents": ((3, 8), None),
    "resource_of_namespace": ((3, 12), "NotADirectoryError: MultiplexedPath only supports directories"),
}


@versions
@pytest.mark.parametrize("question", QUESTIONS)
def test_survey(sides: Sides, question: str):
    expected = ask(sides.installed)[question]
    assert ask(sides.extract)[question] == expected
    zipped = ask(sides.zipped)[question]
    last, instead = ZIPPED.get(question, ((0, 0), None))
    if sides.version > last or expected is None:
        assert zipped == expected
    else:
        assert zipped != expected
        assert instead in (None, zipped)


EXPECTED = {
    "versions": {"asked": "1.0", "dep": "1.0", "spread.one": "1.0", "SPREAD_two": "1.0", "setuptools": "75.3.0"},
    "distributions": [
        ["asked", "1.0"], ["dep", "1.0"], ["pathed", "1.0"], ["setuptools", "75.3.0"], ["spread.one", "1.0"],
        ["spread_two", "1.0"],
    ],
    "entry_points": [["first", "asked:other", "other"], ["second", "asked.endings:give", "give"]],
    "files_exist": [],
    "file_digests": [],
    "resource_bytes": list(range(256)),
    "resource_of_namespace": "note of one\n",
    "namespace": ["one", "deep two", None],
    "namespace_of_pkgutil": ["old one", "old two"],
    "namespace_of_pkg_resources": ["older one", "older two"],
    "namespace_of_pth": ["oldest one", "oldest two"],
    "pth_paths": ["pathed", []],
    "pth_code": "ran",
    "logging_configuration": 40,
}  # fmt: skip


@pytest.mark.parametrize("question", EXPECTED)
def test_answer(sides: Sides, question: str):
    """Both sides could be wrong in the same way."""
    assert ask(sides.installed)[question] == EXPECTED[question]


def test_every_file_of_the_metadata_is_there(sides: Sides):
    files = ask(sides.extract)["files"]
    assert "asked/data/deep/er/leaf.txt" in files
    assert "asked-1.0.dist-info/METADATA" in files
    assert all((sides.extract.site / name).is_file() for name in files)


def test_console_scripts_are_no_files(sides: Sides):
    """Installed, the RECORD names bin/asked too; packed, there is one file for all commands."""
    for side, found in ((sides.installed, ["../../../bin/asked"]), (sides.extract, []), (sides.zipped, [])):
        code = "from importlib.metadata import files; print([str(f) for f in files('asked') if f.name == 'asked'])"
        command = [str(side.python), "-c", code] if side is sides.installed else side.command("-c", code)
        assert side.run(command=command, PYZPACK_INTERPRETER="1").stdout == f"{found}\n"


@versions
def test_search_path(sides: Sides):
    """That of the installed program, without its script's directory, and then PYTHONPATH."""
    installed, *packed = [[*ast.literal_eval(side.run("state:path").stdout)] for side in sides]
    for side, found in zip(sides.packed(), packed, strict=True):
        site = "<script>" if side is sides.zipped else "<site>"
        assert found == [site if path == "<site>" else path for path in installed[1:]]
        behind = ast.literal_eval(side.run("state:path", PYTHONPATH="/a:/b:/a").stdout)
        assert behind == [*found, "/a", "/b"]
    before = ast.literal_eval(sides.installed.run("state:path", PYTHONPATH="/a:/b").stdout)
    assert before == [installed[0], "/a", "/b", *installed[1:]]


def test_nothing_of_the_host(sides: Sides):
    names = ["pip", "sitecustomize", "usercustomize", "conftest"]
    ended = sides.same("state:imports", *names, only="extract installed zip")
    assert ended.stdout == f"{[f'No module named {name!r}' for name in names]}\n"
    assert sides.same("state:site_modules").stdout == "[False, False] True\n"


def only_unpacked(sides: Sides) -> list[Side]:
    return [sides.installed, sides.extract]


@versions
def test_stable_abi_extension_with_a_library_of_its_wheel(sides: Sides):
    ended = [side.run("native:extension") for side in only_unpacked(sides)]
    assert ended == [Ended(0, "42 fast.abi3.so\n", "")] * 2


def test_executable_of_a_wheel(sides: Sides, tmp_path):
    for side in only_unpacked(sides):
        assert side.run("native:executable").stdout == "1 [True]\nb'native native-tool run\\n'\n"
    scripts = sides.named("native-tool")
    installed = scripts.installed.run(command=[str(scripts.installed.script), "a", "b c"])
    assert installed == Ended(7, "native native-tool a b c\n", "")
    assert scripts.extract.run("a", "b c") == installed
    (tmp_path / "native-tool").symlink_to(sides.extract.script)
    linked = [str(sides.extract.python), str(tmp_path / "native-tool"), "a", "b c"]
    assert sides.extract.run(command=linked) == installed


@versions
def test_script_of_a_wheel(sides: Sides):
    scripts = sides.named("native-script")
    assert scripts.installed.run("a", "b") == Ended(0, "script ['a', 'b'] 2\n", "")
    assert scripts.extract.run("a", "b") == Ended(0, "script ['a', 'b'] 2\n", "")


def test_data_for_sys_prefix_lies_beside_the_packages(sides: Sides):
    """sys.prefix is the host's own: found by metadata, not by prefix; the build says so."""
    assert sides.installed.run("native:data").stdout == "['data of a prefix\\n']\nTrue\n"
    assert sides.extract.run("native:data").stdout == "['data of a prefix\\n']\nFalse\n"
    listed = {file["path"] for file in manifest_of(sides.extract.script)["files"]}
    assert "share/native/native.txt" in listed
