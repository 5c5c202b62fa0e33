"""Real applications: one file, run under every Python that its manifest lists, against the same wheels in a venv."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from conftest import OLD_PYTHONS, PYTHONS, TESTDATA, TOOLS, Pyzpack, clean_environment, manifest_of
from wheels import make_wheel

ALL_SINCE_3_8 = {f"{major}.{minor}" for major, minor in PYTHONS}
SINCE_3_11 = {f"{major}.{minor}" for major, minor in PYTHONS if minor >= 11}
ONLY_3_11 = {"3.11"}

UGLY = "x = {  'a':37,'b':42,\n\n'c':927}\nimport os\n"
VARIABLES = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "COLUMNS": "80",
    "LC_ALL": "C.UTF-8",
    "TERM": "dumb",
    "BLACK_NUM_WORKERS": "2",
}


@dataclass(frozen=True)
class Command:
    arguments: list[str]
    status: int = 0
    stdin: str = ""


@dataclass(frozen=True)
class Application:
    """What is built, how it is run, and where it must run; `program` is a module of testdata/e2e/programs."""

    name: str
    script: str
    commands: list[Command]
    pythons: set[str]
    wheelhouse: str | None = None
    requirement: str | None = None
    program: str | None = None
    requires: list[str] = field(default_factory=list)
    module: str | None = None
    files: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


APPLICATIONS = [
    Application(
        "httpie",
        "http",
        [
            Command(["--version"]),
            Command(["--help"]),
            Command(
                ["--offline", "--ignore-stdin", "--print=HB", "POST", "http://example.invalid/path", "a=1", "b:=[2]"]
            ),
            Command(["--offline", "--print=B", "example.invalid"], stdin="body from standard input"),
            Command(["--no-such-option"], status=1),
            Command(["--ignore-stdin", "--timeout=2", "http://127.0.0.1:9/"], status=1),
        ],
        ONLY_3_11,
        wheelhouse="httpie",
        requirement="httpie==3.2.4",
    ),
    Application(
        "awscli",
        "aws",
        [
            Command(["--version"]),
            Command(["s3", "ls"], status=255),
            Command(["s3", "cp"], status=2),
            Command(["sts", "assume-role", "--generate-cli-skeleton"]),
            Command(["no-such-service"], status=2),
        ],
        ONLY_3_11,
        wheelhouse="awscli",
        requirement="awscli",
    ),
    Application(
        "black",
        "black",
        [
            Command(["--version"]),
            Command(["-q", "-"], stdin=UGLY),
            Command(["--check", "-"], status=1, stdin=UGLY),
            Command(["-q", "-"], status=123, stdin="def broken(:\n"),
            Command(["-q", "--check", "one.py", "two.py"], status=1),
        ],
        ONLY_3_11,
        wheelhouse="black",
        requirement="black",
    ),
    Application(
        "numpy, pandas, scipy",
        "crunch",
        [Command([]), Command(["singular"], status=1)],
        ONLY_3_11,
        wheelhouse="numeric",
        program="crunch",
        requires=["numpy", "pandas", "scipy"],
    ),
    Application(
        "ruff",
        "ruff",
        [
            Command(["--version"]),
            Command(["check", "--isolated", "--no-cache", "-"], status=1, stdin="import os\n"),
            Command(["format", "--isolated", "--no-cache", "-"], stdin=UGLY),
            Command(["no-such-command"], status=2),
        ],
        ALL_SINCE_3_8,
        wheelhouse="ruff",
        requirement="ruff",
    ),
    Application(
        "cowsay",
        "cowsay",
        [Command(["-t", "moo"]), Command(["-t", "ünï", "-c", "tux"]), Command([], status=2)],
        ALL_SINCE_3_8,
        wheelhouse="cowsay",
        requirement="cowsay",
    ),
    Application(
        "pip-tools",
        "pip-compile",
        [Command(["--version"]), Command(["no-such-file.in"], status=2)],
        SINCE_3_11,
        wheelhouse="pip-tools",
        requirement="pip-tools",
    ),
    Application(
        "pygments",
        "pygmentize",
        [
            Command(["-V"]),
            Command(["-l", "python", "-f", "html"], stdin=UGLY),
            Command(["-l", "no-such-language"], status=1, stdin=UGLY),
        ],
        ALL_SINCE_3_8,
        wheelhouse="pygments",
        requirement="pygments",
    ),
    Application(
        "flask, namespace package, data files",
        "site",
        [Command([]), Command(["two", "arguments"], status=2)],
        ONLY_3_11,
        wheelhouse="flask",
        program="site",
        module="acme/site",
        requires=["flask"],
        files={
            "acme/site/templates/hello.html": "<p>Hello, {{ name }}</p>",
            "acme/site/data/motto.txt": "data beside code\n",
        },
    ),
    Application(
        "pyyaml",
        "convert",
        [Command([], stdin="a: [1, 2]\nb: {c: null}\n"), Command([], status=1, stdin="a: [1\n")],
        ONLY_3_11,
        wheelhouse="pyyaml",
        program="convert",
        requires=["pyyaml"],
    ),
    Application(
        "zope namespace",
        "adapt",
        [Command([])],
        ONLY_3_11,
        wheelhouse="zope",
        program="adapt",
        requires=["zope.component"],
    ),
    Application(
        "process behaviour",
        "behave",
        [
            Command(["return", "0"]),
            Command(["return", "7"], status=7),
            Command(["return-text"], status=1),
            Command(["exit", "3"], status=3),
            Command(["raise"], status=1),
            Command(["signal", "SIGTERM"], status=-15),
            Command(["signal", "SIGINT"], status=-2),
            Command(["thread"]),
            Command(["echo", "--", "-x", "ünï", ""], stdin="through\n"),
            Command(["pool", "fork"]),
            Command(["pool", "spawn"]),
            Command(["pool", "forkserver"]),
        ],
        ALL_SINCE_3_8,
        program="behave",
    ),
]


@dataclass(frozen=True)
class Built:
    pyz: Path
    pythons: set[str]
    wheels: list[Path]


@pytest.fixture(scope="session")
def build_once(
    tmp_path_factory: pytest.TempPathFactory, wheelhouse: Callable[[str], Path], reference_python: Path
) -> Callable[[Application], Built]:
    """One build an application; the file has the console script's name, as usage messages show it."""
    root = tmp_path_factory.mktemp("applications")
    built: dict[str, Built] = {}

    def build(application: Application) -> Built:
        if application.name in built:
            return built[application.name]
        directory = root / str(len(built))
        for name in ("cache", "temporary", "made"):
            (directory / name).mkdir(parents=True)
        pyzpack = Pyzpack(directory / "cache", directory / "temporary", reference_python)
        houses = [directory / "made"]
        if application.wheelhouse:
            houses.append(wheelhouse(application.wheelhouse))
        target: str | Path = application.requirement or make_program(application, directory / "made")
        links = [option for house in houses for option in ("--find-links", house)]
        pyz = pyzpack.build(target, "-c", application.script, *links, output=directory / application.script)
        manifest = manifest_of(pyz)
        by_name = {path.name: path for house in houses for path in house.glob("*.whl")}
        wheels = [by_name[wheel["filename"]] for wheel in manifest["wheels"]]
        built[application.name] = Built(pyz, set(manifest["pythons"]), wheels)
        return built[application.name]

    return build


def make_program(application: Application, directory: Path) -> Path:
    source = (TESTDATA / f"programs/{application.program}.py").read_text()
    module = application.module or application.program
    path = f"{module}/__init__.py" if application.module else f"{module}.py"
    return make_wheel(
        directory,
        module.replace("/", "_"),
        files={path: source, **application.files},
        scripts={application.script: f"{module.replace('/', '.')}:main"},
        requires=application.requires,
    )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Built, Path], Path]:
    """The bin/ directory of a venv with the very wheels that the file holds."""
    root = tmp_path_factory.mktemp("installed")

    @cache
    def install(wheels: tuple[Path, ...], python: Path) -> Path:
        venv = root / f"{len(list(root.iterdir()))}"
        environment = clean_environment(UV_CACHE_DIR=root.parent / "uv-cache", UV_OFFLINE="1", UV_NO_CONFIG="1")
        options = {"env": environment, "check": True, "capture_output": True}
        subprocess.run([TOOLS / "uv", "venv", "-q", "--python", python, venv], **options)
        subprocess.run(
            [TOOLS / "uv", "pip", "install", "-q", "--no-deps", "--python", venv / "bin/python", *wheels], **options
        )
        return venv / "bin"

    return lambda built, python: install(tuple(built.wheels), python)


def run(command: list[str | Path], stdin: str, home: Path, **changes: str | Path) -> tuple[int, str, str]:
    home.mkdir(exist_ok=True)
    for name in ("one.py", "two.py"):
        (home / name).write_text(UGLY)
    done = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=home,
        env=clean_environment(**{**VARIABLES, "HOME": home, **changes}),
        timeout=120,
    )
    return done.returncode, normalise(done.stdout), normalise(done.stderr)


def normalise(text: str) -> str:
    """Without addresses, and without the directories in which the two sides keep their files."""
    text = re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)
    text = re.sub(r"[\w./~-]+/site-packages/", "<root>/", text)
    text = re.sub(r"[\w./~-]+/apps/\w+/", "<root>/", text)
    return re.sub(r"[\w./~-]+/applications\d*/\d+/\w+/(?!__main__)(?=[\w/]+\.py)", "<root>/", text)


def application_lines(traceback: str) -> str:
    """A traceback from the application's first line on; what called main() is each side's own affair."""
    if "Traceback (most recent call last):" not in traceback:
        return traceback
    lines = traceback.splitlines()
    if lines[-1] == "KeyboardInterrupt":
        # Printed by the interpreter itself, which before 3.13 finds no source line in a zip.
        return lines[-1]
    own = re.compile(r'  File "<root>/(?!_pyzpack/)')
    first = next((number for number, line in enumerate(lines) if own.match(line)), len(lines))
    return "\n".join(lines[first:])


@pytest.mark.parametrize("version", PYTHONS, ids=lambda version: f"{version[0]}.{version[1]}")
@pytest.mark.parametrize("application", APPLICATIONS, ids=str)
def test_runs_as_if_installed(
    application: Application,
    version: tuple[int, int],
    build_once: Callable[[Application], Built],
    installed: Callable[[Built, Path], Path],
    tmp_path: Path,
    table: Callable[..., None],
):
    built, python = build_once(application), PYTHONS[version]
    dotted = f"{version[0]}.{version[1]}"
    here = {known for known in built.pythons if known in ALL_SINCE_3_8}
    assert here == application.pythons & ALL_SINCE_3_8
    cache = tmp_path / "cache"

    def start(command: list[str | Path], stdin: str = "", **changes: str | Path) -> tuple[int, str, str]:
        return run(command, stdin, tmp_path / "home", PYZPACK_CACHE=cache, **changes)

    if dotted not in built.pythons:
        status, stdout, stderr = start([python, built.pyz, *application.commands[0].arguments])
        assert (status, stdout, stderr.count("\n")) == (1, "", 1), stderr
        assert "Python" in stderr
        assert "Traceback" not in stderr
        table("applications", application.name, dotted, "refused: " + stderr.strip())
        return

    bin_directory = installed(built, python)
    for command in application.commands:
        expected = start([bin_directory / application.script, *command.arguments], command.stdin)
        found = start([python, built.pyz, *command.arguments], command.stdin)
        assert expected[0] == command.status, f"in the venv: {expected}"
        assert found[:2] == expected[:2], found[2]
        assert application_lines(found[2]) == application_lines(expected[2])

    # The same file executed by its shebang line, that Python first on PATH.
    first = application.commands[0]
    path = tmp_path / "path"
    path.mkdir()
    (path / "python3").symlink_to(python)
    executed = start([built.pyz, *first.arguments], first.stdin, PATH=f"{path}:/usr/bin:/bin")
    assert executed[0] == first.status, executed[2]
    table("applications", application.name, dotted, f"{len(application.commands) + 1} runs as in the venv")


@pytest.mark.parametrize("version", OLD_PYTHONS, ids=lambda version: f"{version[0]}.{version[1]}")
def test_an_old_python_gets_one_line(version: tuple[int, int], build_once: Callable, tmp_path: Path):
    built = build_once(next(one for one in APPLICATIONS if one.name == "cowsay"))
    status, stdout, stderr = run([OLD_PYTHONS[version], built.pyz, "-t", "moo"], "", tmp_path / "home")
    assert (status, stdout, stderr.count("\n")) == (1, "", 1), stderr
    assert f"{version[0]}.{version[1]}" in stderr
    assert "3.8" in stderr
