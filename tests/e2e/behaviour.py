"""One program three ways: installed in a venv, and packed of the same wheels in layout extract and in layout zip.

The program is testdata/e2e/programs/asked: `asked MODULE:FUNCTION ARGUMENT...` does what the function does.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from conftest import PYTHONS, REFERENCE, TESTDATA, TOOLS, Pyzpack, clean_environment, manifest_of, needs
from wheels import make_wheel

PROGRAMS = TESTDATA / "programs"
PLUGINS = "[asked.plugins]\nfirst = asked:other\nsecond = asked.endings:give\n"
SCRIPTS = {"asked": "asked:main", "asked-other": "asked:other", "other.dotted": "asked:other"}
DEPENDENCIES = ["dep", "spread.one", "spread-two", "pathed", "setuptools"]
PKGUTIL = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
PKG_RESOURCES = "__import__('pkg_resources').declare_namespace(__name__)\n"
DEPENDENCY = """import sys

TWO = 2


def fail():
    raise LookupError("in the dependency")  # its line
"""
# As setuptools 40 and older wrote it for `namespace_packages`.
NSPKG = (
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);"
    "p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('oldestspread',));"
    "importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');"
    "m = has_mfs and sys.modules.setdefault('oldestspread', importlib.util.module_from_spec("
    "importlib.machinery.PathFinder.find_spec('oldestspread', [os.path.dirname(p)])));"
    "m = m or sys.modules.setdefault('oldestspread', types.ModuleType('oldestspread'));"
    "mp = (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)\n"
)


def read_program(name: str) -> dict[str, str | bytes]:
    """The files of a package of testdata/e2e/programs."""
    root = PROGRAMS / name
    return {f"{name}/{path.name}": path.read_bytes() for path in sorted(root.glob("*.py"))}


def make_wheels(directory: Path) -> None:
    """The program and what it needs, all pure."""
    make_wheel(
        directory,
        "asked",
        files={
            **read_program("asked"),
            "asked/data/__init__.py": "",
            "asked/data/late.py": "NAME = 'late'\n",
            "asked/data/given.py": "NAME = 'given'\n",
            "asked/data/plain.txt": "plain text\n",
            "asked/data/bytes.bin": bytes(range(256)),
            "asked/data/deep/er/leaf.txt": "leaf\n",
            "asked/data/logging.ini": "[loggers]\nkeys=root,one\n[handlers]\nkeys=\n[formatters]\nkeys=\n"
            "[logger_root]\nhandlers=\n[logger_one]\nlevel=ERROR\nhandlers=\nqualname=configured\n",
        },
        scripts=SCRIPTS,
        more_entry_points=PLUGINS,
        requires=[*DEPENDENCIES, 'native; extra == "native"'],
        metadata="Summary: does what it is asked to\nProvides-Extra: native\n",
    )
    make_wheel(
        directory,
        "dep",
        files={"dep/__init__.py": DEPENDENCY, "dep/__main__.py": "import sys\nprint('dep runs', sys.argv[1:])\n"},
    )
    for name, dotted in (("one", "spread.one"), ("two", "spread_two")):
        where = "two/deep" if name == "two" else "one/inner"
        make_wheel(
            directory,
            dotted,
            files={
                f"spread/{name}/note.txt": f"note of {name}\n",
                f"spread/{where}.py": f"NAME = 'deep {name}'\n",
                **({"spread/one/__init__.py": "NAME = 'one'\n"} if name == "one" else {}),
                "oldspread/__init__.py": PKGUTIL,
                f"oldspread/{name}.py": f"NAME = 'old {name}'\n",
                "olderspread/__init__.py": PKG_RESOURCES,
                f"olderspread/{name}.py": f"NAME = 'older {name}'\n",
                f"oldestspread/{name}.py": f"NAME = 'oldest {name}'\n",
                f"spread.{name}-nspkg.pth": NSPKG,
            },
        )
    make_wheel(
        directory,
        "pathed",
        files={
            "pathed_directory/pathed_module.py": "NAME = 'pathed'\n",
            "pathed.pth": "# a comment\npathed_directory\nnot-there\n",
            "pathed_code.pth": "import sys; sys.pathed = 'ran'\n",
        },
    )


def make_native_wheel(directory: Path, python: Path) -> None:
    """A wheel with a stable-ABI extension, the library that this needs, an executable and a data file."""
    compiler, made = needs("cc"), directory / "compiled"
    made.mkdir(parents=True)
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    headers = subprocess.check_output([python, "-I", "-c", code], text=True).strip()
    sources, scripts = PROGRAMS / "native", "native-1.0.data/scripts"
    shared = [compiler, "-shared", "-fPIC", "-Wl,--build-id=none"]
    limited = ["-DPy_LIMITED_API=0x03080000", f"-I{headers}"]
    library = [f"-L{made}", "-linner", "-Wl,-rpath,$ORIGIN/../native.libs"]
    for command in (
        [*shared, sources / "inner.c", "-o", made / "libinner.so"],
        [*shared, *limited, sources / "fast.c", *library, "-o", made / "fast.abi3.so"],
        [compiler, sources / "tool.c", "-o", made / "native-tool"],
    ):
        subprocess.run(command, check=True)
    make_wheel(
        directory,
        "native",
        tag=f"cp38-abi3-manylinux_2_17_{platform.machine()}",
        files={
            "native/__init__.py": "",
            "native/fast.abi3.so": (made / "fast.abi3.so").read_bytes(),
            "native.libs/libinner.so": (made / "libinner.so").read_bytes(),
            f"{scripts}/native-tool": (made / "native-tool").read_bytes(),
            f"{scripts}/native-script": "#!python\nimport sys, dep\nprint('script', sys.argv[1:], dep.TWO)\n",
            "native-1.0.data/data/share/native/native.txt": "data of a prefix\n",
        },
        executables={"native/fast.abi3.so", f"{scripts}/native-tool", f"{scripts}/native-script"},
    )


# Where what is asked may depend on the Python: the oldest, the one that all tests run on, the newest.
ASKED = [version for version in ((3, 8), (3, 11), (3, 13)) if version in PYTHONS]
versions = pytest.mark.parametrize("sides", ASKED, ids=lambda version: "{}.{}".format(*version), indirect=True)

# What lies between the interpreter and the application in a traceback: each side's own affair.
STARTS = (
    r'  File "<script>", line \d+, in <module>\n    sys\.exit\(main\(\)\)\n(?: +[~^]+\n)?',
    r'(?:  File "[^"\n]*runpy(?:\.py|>)".*\n(?:    .*\n)*)*(?:  File "<site>/__main__\.py".*\n(?:    .*\n)*)+'
    r'(?:  File "<site>/_pyzpack/.*\n(?:    .*\n)*)+',
)

# How many calls the start lies deep, runpy's included; an installed script is one.
DEEPEST_START = 8


@dataclass(frozen=True)
class Ended:
    status: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Side:
    """One way to run the program; `site` is where its packages are."""

    name: str
    python: Path
    script: Path
    site: Path
    home: Path
    changes: dict[str, str | None] = field(default_factory=dict, hash=False)

    def command(self, *arguments: str | Path, options: Iterable[str] = ()) -> list[str]:
        return [str(self.python), *options, str(self.script), *map(str, arguments)]

    def environment(self, **changes: str | Path | None) -> dict[str, str]:
        base = {"PYZPACK_CACHE": self.home / "cache", "HOME": self.home, "LC_ALL": "C.UTF-8", "COLUMNS": "80"}
        return clean_environment(**{**base, **self.changes, **changes})

    def start(self, *arguments: str, options: Iterable[str] = (), **rest) -> subprocess.Popen[str]:
        changes = {name: rest.pop(name) for name in list(rest) if name.isupper()}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        rest = {**pipes, "cwd": self.home, **rest}
        command = rest.pop("command", None) or self.command(*arguments, options=options)
        return subprocess.Popen(command, text=True, env=self.environment(**changes), **rest)

    def run(self, *arguments: str, stdin: str = "", **rest) -> Ended:
        return self.end(self.start(*arguments, **rest), stdin)

    def end(self, process: subprocess.Popen[str], stdin: str = "") -> Ended:
        stdout, stderr = process.communicate(stdin, timeout=60)
        return Ended(process.returncode, self.normalise(stdout), self.normalise(stderr))

    def normalise(self, text: str) -> str:
        """Without addresses, and without the places where each side keeps its files."""
        text = re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)
        if self.site != self.script:
            text = text.replace(str(self.site), "<site>")
        text = text.replace(f"{self.script}/", "<site>/").replace(str(self.script), "<script>")
        text = text.replace(str(self.python), "<python>")
        return re.sub("|".join(STARTS), "  <start>\n", text)


@dataclass(frozen=True)
class Sides:
    """The same program installed and packed; `zipped` is without what no zip can hold."""

    version: tuple[int, int]
    installed: Side
    extract: Side
    zipped: Side

    def __iter__(self):
        return iter((self.installed, self.extract, self.zipped))

    def packed(self) -> tuple[Side, Side]:
        return self.extract, self.zipped

    def named(self, script: str) -> Sides:
        """Another console script: by its own file, and by PYZPACK_SCRIPT."""
        changed = [replace(side, changes={**side.changes, "PYZPACK_SCRIPT": script}) for side in self.packed()]
        return replace(
            self,
            installed=replace(self.installed, script=self.installed.script.with_name(script)),
            extract=changed[0],
            zipped=changed[1],
        )

    def same(self, *arguments: str, stdin: str = "", only: str = "installed extract zip", **rest) -> Ended:
        """Runs all sides and hands back what they have in common, which is everything."""
        sides = [side for side in self if side.name in only.split()]
        started = [(side, side.start(*arguments, **rest)) for side in sides]
        ended = {side.name: side.end(process, stdin) for side, process in started}
        expected = ended.pop("installed")
        for name, found in ended.items():
            assert found == expected, name
        return expected


@dataclass
class Builder:
    """Builds what the tests need, each once."""

    root: Path
    pyzpack: Pyzpack
    houses: list[Path]
    built: dict[tuple[str, ...], Path] = field(default_factory=dict)
    ready: dict[tuple[int, int], Sides] = field(default_factory=dict)

    def build(self, *arguments: str, name: str = "asked") -> Path:
        key = (*arguments, name)
        if key not in self.built:
            directory = self.root / f"built-{len(self.built)}"
            directory.mkdir()
            links = [option for house in self.houses for option in ("--find-links", house)]
            self.built[key] = self.pyzpack.build(*arguments, *links, "--evidence", "none", output=directory / name)
        return self.built[key]

    def install(self, python: Path, wheels: list[Path], name: str) -> Path:
        """A venv with these wheels; gives its bin/."""
        venv = self.root / name
        uv = {"UV_CACHE_DIR": self.root / "uv-cache", "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}
        options = {"env": clean_environment(**uv), "check": True, "capture_output": True}
        subprocess.run([TOOLS / "uv", "venv", "-q", "--python", python, venv], **options)
        target = ["--python", venv / "bin/python", *wheels]
        subprocess.run([TOOLS / "uv", "pip", "install", "-q", "--no-deps", *target], **options)
        return venv / "bin"

    def sides(self, version: tuple[int, int], python: Path) -> Sides:
        if version not in self.ready:
            self.ready[version] = self.make_sides(version, python)
        return self.ready[version]

    def make_sides(self, version: tuple[int, int], python: Path) -> Sides:
        label = "{}.{}".format(*version)
        packed = [self.build("asked[native]", "-c", "asked", "--layout", "extract")]
        packed.append(self.build("asked", "-c", "asked", "--layout", "zip"))
        known = {path.name: path for house in self.houses for path in house.glob("*.whl")}
        wheels = [known[one["filename"]] for one in manifest_of(packed[0])["wheels"]]
        bin_directory = self.install(python, wheels, f"venv-{label}")
        home = self.root / f"home-{label}"
        home.mkdir()
        site = next(bin_directory.parent.glob("lib/python*/site-packages"))
        installed = Side("installed", bin_directory / "python", bin_directory / "asked", site, home)
        extract = Side("extract", python, packed[0], home, home)
        extract.run("state:main_module")
        (tree,) = (path for path in (home / "cache/apps").iterdir() if path.is_dir())
        return Sides(
            version,
            installed,
            replace(extract, site=tree),
            Side("zip", python, packed[1], packed[1], home),
        )


def survey(side: Side) -> dict:
    """The answers to all questions of asked/survey.py."""
    ended = side.run("survey:main")
    assert (ended.status, ended.stderr) == (0, ""), ended.stderr
    return json.loads(ended.stdout)


@pytest.fixture(scope="session")
def builder(
    tmp_path_factory: pytest.TempPathFactory, reference_python: Path, wheelhouse: Callable[[str], Path]
) -> Builder:
    """Packs and installs the program of tests/e2e/behaviour.py."""
    root = tmp_path_factory.mktemp("behaviour")
    for name in ("cache", "temporary"):
        (root / name).mkdir(mode=0o700)
    make_wheels(root / "made")
    make_native_wheel(root / "made", reference_python)
    pyzpack = Pyzpack(root / "cache", root / "temporary", reference_python)
    return Builder(root, pyzpack, [root / "made", wheelhouse("build-tools")])


@pytest.fixture(scope="session")
def sides(request: pytest.FixtureRequest, builder: Builder) -> Sides:
    """The program on the Python that is the test's parameter, else on the reference."""
    version = getattr(request, "param", REFERENCE)
    return builder.sides(version, PYTHONS[version])
