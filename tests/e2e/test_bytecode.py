"""`build --bytecode`: compiled modules for every Python here, the same whoever compiles them, and starts with them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from conftest import PYTHONS, Pyzpack, clean_environment, manifest_of
from wheels import make_project, make_wheel, record_line
from zipformat import read_archive

VERSIONS = {f"{major}.{minor}": path for (major, minor), path in PYTHONS.items() if (3, 8) <= (major, minor) <= (3, 13)}
LIST = ",".join(VERSIONS)
# Under the names that they are looked for, whatever a version manager has switched on.
PATH = ":".join([*(str(path.parent) for path in VERSIONS.values()), clean_environment()["PATH"]])

SOURCES: dict[str, str | bytes] = {
    "tool/__init__.py": '"""Tool."""\nANSWER = 42\n',
    "tool/main.py": """
import sys
from . import ANSWER, bom, fail, latin, many, warns

def main():
    print(ANSWER, ascii(latin.NAME), ascii(bom.NAME), many.K().m(k=3)("a"))
    if sys.argv[1:]:
        fail.fail()
""",
    "tool/fail.py": "\n\ndef fail():\n    raise ValueError('here')\n",
    "tool/latin.py": b"# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\n",
    "tool/bom.py": b"\xef\xbb\xbfNAME = 'caf\xc3\xa9'\r\n\r\nB = (1,\r\n 2)\r\n",
    "tool/warns.py": "X = '\\d'\nY = X is 'a'\n",
    "tool/many.py": """
X = (1, 1.5, -0.0, 0.0, 2j, 1 << 70, b"bytes", "not a name", "\u20ac", ..., None, True, "(", "\u00e9", "", b"", ())
NAN = (1e999 - 1e999, 1e999 - 1e999)

class K:
    y: "int" = 1
    long = "x" * 300 + "(" * 300

    def m(self, *, k=X, **kw):
        return lambda z: (z in {"a", None, ("b", 1), 1.5, ...}, self is k, [z for z in kw], f"{z!r:>{k}}", 1 << 70)

async def gen(a, /, b, *args, c=1000, **kw):
    async for x in a:
        yield (x for _ in args), 1000, "not a name"
""",
    "tool/data.txt": "no module\n",
    # What is no Python of today has no bytecode.
    "tool/template.py": "{{ name }} = {% value %}\n",
    "tool/old.py": "print 'x'\n",
    "tool/null.py": b"a = 1\0\n",
    "tool/deep.py": "x = " + "(" * 300 + ")" * 300 + "\n",
    "tool/dotted.name.py": "x = 1\n",
    # An installer's, of a file that never was like this.
    "tool/__pycache__/main.cpython-311.pyc": b"planted",
    "tool-1.0.data/scripts/helper.py": "#!python\nprint('a script')\n",
}
UNCOMPILED = {"tool/template.py", "tool/old.py", "tool/null.py", "tool/deep.py"}
# Sorted before the tool's, so that they are compiled by the same process, first.
FIRST = {"aaa/__init__.py": "\u00e9 = 1\ndef f(): return \u00e9, '(', 'caf\u00e9', 'not a name'\n"}


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    make_wheel(tmp_path / "wheels", "aaa", files=FIRST)
    return make_wheel(tmp_path / "wheels", "tool", files=SOURCES, scripts={"tool": "tool.main:main"})


def pyc_of(source: str, version: str) -> str:
    directory, _, name = source.rpartition("/")
    return f"{directory}/__pycache__/{name[:-3]}.cpython-{version.replace('.', '')}.pyc".lstrip("/")


def modules(files: dict) -> list[str]:
    return [path for path in files if path.endswith(".py") and ".data/" not in path and path not in UNCOMPILED]


def installed(pyz: Path) -> dict[str, bytes]:
    """The files of the payload, by the independent reader."""
    payload = read_archive(read_archive(pyz.read_bytes()).content("_pyzpack/payload.zip"), shebang=False)
    return {name: payload.content(name) for name in payload.entries}


def exact(python: Path) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(pyzpack: Pyzpack, *command: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = pyzpack.environment(**changes)
    return subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, cwd=pyzpack.temporary)


def test_every_module_that_compiles_has_its_bytecode(pyzpack: Pyzpack, tool: Path, tmp_path: Path):
    pyz = pyzpack.build(tool, "-c", "tool", "--bytecode", LIST, output=tmp_path / "tool.pyz", PATH=PATH)
    manifest, files = manifest_of(pyz), installed(pyz)
    assert manifest["layout"] == "extract"
    assert manifest["recipe"]["layout"] == "auto"
    assert manifest["recipe"]["bytecode"] == [exact(python) for python in VERSIONS.values()]
    expected = {pyc_of(source, version) for source in modules(SOURCES) for version in VERSIONS}
    assert {path for path in files if "__pycache__" in path} == expected
    listed = {file["path"]: file for file in manifest["files"]}
    record = files["tool-1.0.dist-info/RECORD"].decode()
    for path in expected:
        assert (listed[path]["distribution"], listed[path]["mode"]) == ("tool", "0644")
        assert record_line(path, files[path]) in record
    assert record.splitlines() == sorted(record.splitlines(), key=lambda line: line.split(",")[0].encode())
    shown = pyzpack.run("inspect", pyz).stdout
    assert f"  bytecode  CPython {', '.join(manifest['recipe']['bytecode'])}\n" in shown
    done = pyzpack.run("verify", pyz, "--checksums", tmp_path / "SHA256SUMS")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASSED")


COMPARE = """
import json, marshal, os, struct, sys, types
import importlib._bootstrap_external as external
import _imp

def key(it):
    if isinstance(it, types.CodeType):
        names = sorted(n for n in dir(it) if n.startswith("co_") and n not in ("co_lnotab", "co_filename"))
        fields = [(n, key(getattr(it, n))) for n in names if not callable(getattr(it, n))]
        fields += [list(getattr(it, n)()) for n in ("co_lines", "co_positions") if hasattr(it, n)]
        return ("code", it.co_filename, fields)
    if isinstance(it, tuple):
        return ("tuple", [key(each) for each in it])
    if isinstance(it, frozenset):
        return ("frozenset", sorted(repr(key(each)) for each in it))
    if isinstance(it, (float, complex)):  # By their bits, but for a NaN's.
        return (type(it), [struct.pack("<d", x) if x == x else "nan" for x in (complex(it).real, complex(it).imag)])
    return (type(it), it)

root, before = sys.argv[1], sys.argv[2:]
for path in before:  # What was compiled before must not tell, and does where nothing is done about it.
    with open(os.path.join(root, path), "rb") as file:
        compile(file.read(), path, "exec", dont_inherit=True)
naive = {}
for pair in json.loads(sys.stdin.read()):
    source, pyc = (open(os.path.join(root, path), "rb").read() for path in pair)
    code = compile(source, pair[0], "exec", dont_inherit=True)
    assert pyc[:4] == external.MAGIC_NUMBER and pyc[4:8] == bytes([1, 0, 0, 0]), pair
    assert pyc[8:16] == _imp.source_hash(external._RAW_MAGIC_NUMBER, source), pair
    assert key(marshal.loads(pyc[16:])) == key(code), pair
    naive[pair[0]] = marshal.dumps(code).hex()
    naive["any like ours"] = naive.get("any like ours", False) or marshal.dumps(code) == pyc[16:]
    naive["all like ours"] = naive.get("all like ours", True) and marshal.dumps(code) == pyc[16:]
print(json.dumps(naive))
"""


def test_bytecode_is_what_python_compiles_and_nothing_of_the_process(pyzpack: Pyzpack, tool: Path, tmp_path: Path):
    both = [tool, tool.parent / "aaa-1.0-py3-none-any.whl", "-c", "tool"]
    alone = installed(pyzpack.build(tool, "-c", "tool", "--bytecode", LIST, output=tmp_path / "alone.pyz", PATH=PATH))
    after = installed(pyzpack.build(*both, "--bytecode", LIST, output=tmp_path / "after.pyz", PATH=PATH))
    ours = {path: data for path, data in alone.items() if path.endswith(".pyc")}
    assert ours == {path: data for path, data in after.items() if path in ours}
    for path, data in after.items():
        (tmp_path / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / path).write_bytes(data)
    for version, python in VERSIONS.items():
        pairs = json.dumps([(source, pyc_of(source, version)) for source in modules(SOURCES)])
        environment = {"PYTHONHASHSEED": "0"}
        first, second = (
            json.loads(
                subprocess.run(
                    [python, "-s", "-S", "-W", "ignore", "-c", COMPARE, tmp_path / "tree", *before],
                    input=pairs, env=environment, capture_output=True, text=True, check=True,
                ).stdout
            )
            for before in ([], ["aaa/__init__.py"])
        )  # fmt: skip
        # The control: without the one spelling these bytes are others, up to 3.12 in each process others.
        assert not first["all like ours"], version
        assert (first != second) == (tuple(map(int, version.split("."))) < (3, 13)), version


def test_gives_the_same_bytes_under_other_conditions(
    pyzpack: Pyzpack, tool: Path, tmp_path: Path, reference_python: Path
):
    versions = [version for version in ("3.8", "3.11", "3.13") if version in VERSIONS]
    first = pyzpack.build(tool, "-c", "tool", "--bytecode", ",".join(versions), output=tmp_path / "a.pyz", PATH=PATH)
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil/sitecustomize.py").write_text("raise SystemExit(9)\n")
    subprocess.run([reference_python, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    second = pyzpack.build(
        tool, "-c", "tool", "--bytecode", ",".join(reversed(versions)), "-j", "1", output=tmp_path / "b.pyz",
        python=tmp_path / "venv/bin/python", cwd=Path("/"), wrapper=["sh", "-c", 'umask 077; exec "$@"', "sh"],
        PATH=PATH, PYTHONHASHSEED="7", PYTHONOPTIMIZE="2", PYTHONPATH=tmp_path / "evil", PYTHONWARNINGS="error",
        PYTHONDONTWRITEBYTECODE="1", TZ="Asia/Tokyo", LC_ALL="C", HOME=None,
    )  # fmt: skip
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_start_compiles_nothing(version: str, pyzpack: Pyzpack, tool: Path, tmp_path: Path):
    python, said = VERSIONS[version], "42 'caf\\xe9' 'caf\\xe9' (True, False, [], \"'a'\", 1180591620717411303424)\n"
    pyz = pyzpack.build(tool, "-c", "tool", "--bytecode", version, output=tmp_path / "tool.pyz", PATH=PATH)
    listed = {file["path"] for file in manifest_of(pyz)["files"]}

    def tree() -> Path:
        [found] = [path for path in (pyzpack.cache / "apps").iterdir() if path.is_dir()]
        return found

    def written() -> set[str]:
        paths = {str(path.relative_to(tree())) for path in tree().rglob("*") if path.is_file()}
        return {path for path in paths - listed if "pyzpack" not in path}

    done = run(pyzpack, python, pyz)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    assert written() == set()
    # A traceback shows the line that it came from.
    done = run(pyzpack, python, pyz, "fail")
    assert f"File \"{tree()}/tool/fail.py\", line 4, in fail\n    raise ValueError('here')\n" in done.stderr
    # It is the bytecode that ran.
    init, compiled = tree() / "tool/__init__.py", tree() / pyc_of("tool/__init__.py", version)
    init.write_text(init.read_text().replace("42", "43"))
    assert run(pyzpack, python, pyz).stdout == said
    done = run(pyzpack, python, pyz, PYZPACK_VERIFY="1", PYZPACK_QUIET="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    # Other levels of optimization have their own, as installed.
    assert run(pyzpack, python, "-O", pyz).stdout == said
    assert pyc_of("tool/__init__.py", version).replace(".pyc", ".opt-1.pyc") in written()
    # As of another alpha.
    compiled.write_bytes(b"\0" + compiled.read_bytes()[1:])
    done = run(pyzpack, python, pyz)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    # Another Python has no use for it.
    other = next((found for found in VERSIONS if found != version), None)
    if other:
        done = run(pyzpack, VERSIONS[other], pyz)
        assert (done.returncode, done.stdout) == (0, said)
        assert pyc_of("tool/__init__.py", other) in written()


def test_a_changed_file_says_so(pyzpack: Pyzpack, tool: Path, tmp_path: Path):
    options = ["-c", "tool", "--bytecode", "3.11", "--compression", "store"]
    pyz = pyzpack.build(tool, *options, output=tmp_path / "tool.pyz", PATH=PATH)
    path = pyc_of("tool/main.py", "3.11")
    data = installed(pyz)[path]
    pyz.write_bytes(pyz.read_bytes().replace(data, data[:-1] + bytes([data[-1] ^ 1])))
    done = pyzpack.run("verify", pyz, "--json")
    assert done.returncode == 1
    assert "zip-crc" in [problem["code"] for problem in json.loads(done.stdout)["problems"]]
    done = run(pyzpack, pyzpack.python, pyz, PYZPACK_VERIFY="1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is damaged" in done.stderr


def test_what_lies_in_the_project_is_compiled_too(pyzpack: Pyzpack, tmp_path: Path):
    program = tmp_path / "program"
    program.mkdir()
    (program / "app").mkdir()
    (program / "app/__init__.py").write_text("NAME = 'app'\n")
    (program / "app/start.py").write_text("import app\n\ndef main():\n    print(app.NAME)\n")
    (program / "requirements.txt").write_text("")
    output = tmp_path / "app.pyz"
    pyzpack.build("-r", "requirements.txt", "-e", "app.start:main", "--bytecode", "3.11", output=output, cwd=program)
    owners = {file["path"]: file["distribution"] for file in manifest_of(output)["files"]}
    assert owners["app/__pycache__/__init__.cpython-311.pyc"] is None
    assert owners["app/__pycache__/start.cpython-311.pyc"] is None
    assert run(pyzpack, pyzpack.python, output).stdout == "app\n"


def test_files_that_two_wheels_share_are_in_both_records(pyzpack: Pyzpack, tmp_path: Path):
    shared = {"ns/__init__.py": "x = 1\n"}
    one = make_wheel(tmp_path / "wheels", "one", files={**shared, "ns/one.py": "def main(): print(1)\n"})
    two = make_wheel(tmp_path / "wheels", "two", files={**shared, "ns/two.py": ""})
    output = pyzpack.build(one, two, "-e", "ns.one:main", "--bytecode", "3.11", output=tmp_path / "ns.pyz")
    files, path = installed(output), "ns/__pycache__/__init__.cpython-311.pyc"
    for name in ("one", "two"):
        assert record_line(path, files[path]) in files[f"{name}-1.0.dist-info/RECORD"].decode()
    assert pyzpack.run("verify", output, "--checksums", tmp_path / "SHA256SUMS").returncode == 0


def test_settings_and_plan(pyzpack: Pyzpack, tool: Path, tmp_path: Path):
    project = make_project(
        tmp_path / "project", "app", files={"app.py": "def main():\n    print('app')\n"},
        scripts={"app": "app:main"}, tool='[tool.pyzpack]\nbytecode = ["3.11"]\n',
    )  # fmt: skip
    pyz = pyzpack.build(".", output=tmp_path / "app.pyz", cwd=project)
    compiled = [file["path"] for file in manifest_of(pyz)["files"] if file["path"].endswith(".pyc")]
    assert compiled == ["__pycache__/app.cpython-311.pyc"]
    python = pyzpack.python
    options = [tool, "-c", "tool", "--no-index", "--offline", "--python", python]
    done = pyzpack.run("plan", *options, PATH=PATH, PYZPACK_BYTECODE="3.11")
    executable = subprocess.run([python, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
    where = f"CPython {exact(python)} at {executable.stdout.strip()}"
    assert f"compile  all modules, by {where} (asked for with --bytecode)\n" in done.stdout
    assert "and their bytecode, layout extract (bytecode is packed)\n" in done.stdout
    done = pyzpack.run("build", *options, "--bytecode", "3.11", "-v", "-o", tmp_path / "v.pyz", PATH=PATH)
    unnamed = ", ".join(f"`{path}`" for path in sorted(UNCOMPILED))
    assert f"CPython {exact(python)} compiled 8 of 12 modules; not {unnamed}\n" in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["3.11", "--layout", "zip"], 2, "error: `--layout zip` and `--bytecode` exclude each other\n"),
        (["3.7"], 2, "error: option --bytecode: the bytecode of Python 3.7 is not known, that of 3.8 to 3.13 is\n"),
        (["3.11.7"], 2, "error: option --bytecode: not a Python version of the form X.Y: `3.11.7`\n"),
        (["3.11,"], 2, "error: option --bytecode: not a Python version of the form X.Y: ``\n"),
        (
            ["3.11,3.12"],
            3,
            "error: no Python 3.12 is on PATH, to compile for `--bytecode`\n  TOOLS/python3: Python 3.11.X\n"
            "hint: put such a Python on PATH as `python3.12`, or leave 3.12 out of --bytecode\n",
        ),
    ],
)
def test_says_what_cannot_be(
    options: list[str], status: int, message: str, pyzpack: Pyzpack, tool: Path, tmp_path: Path
):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(pyzpack.python)
    arguments = [tool, "--no-index", "--offline", "--python", pyzpack.python, "--bytecode", *options]
    for verb in ("build", "plan"):
        done = pyzpack.run(verb, *arguments, "-o", tmp_path / "out.pyz", PATH=str(tools))
        expected = message.replace("TOOLS", str(tools)).replace("3.11.X", exact(pyzpack.python))
        assert (done.returncode, done.stdout, done.stderr) == (status, "", expected)
    assert not (tmp_path / "out.pyz").exists()


def test_refuses_bytecode_for_what_it_does_not_run_on(pyzpack: Pyzpack, tmp_path: Path):
    if "3.8" not in VERSIONS:
        pytest.skip("needs CPython 3.8")
    files, scripts = {"young.py": "def main(): pass\n"}, {"young": "young:main"}
    wheel = make_wheel(tmp_path, "young", files=files, scripts=scripts, requires_python=">=3.11")
    done = pyzpack.run(
        "build", wheel, "--no-index", "--offline", "--python", pyzpack.python, "--bytecode", "3.8", PATH=PATH
    )
    assert (done.returncode, done.stderr) == (
        2,
        "error: bytecode for CPython 3.8, on which the file does not run: the application needs "
        "Python >=3.11\nhint: name versions that it runs on: 3.11 to 3.14\n",
    )
