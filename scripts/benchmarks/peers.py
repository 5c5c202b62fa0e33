"""The applications, the tools that pack them, and how each is called. All get the same interpreter and environment."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH = ROOT / "target/bench"
TOOLS = ROOT / ".venv/bin"
PYZPACK = os.environ.get("PYZPACK_BIN") or str(ROOT / "target/release/pyzpack")
# Copied from a CPython of this machine, and without what is in its site-packages.
CLEAN_PYTHON = BENCH / "interpreter/bin/python3"
# For information, outside the ratios: uv when it has unpacked these very wheels before.
WARM_UV = "uv, warm cache + zipapp"


@dataclass(frozen=True)
class Workload:
    name: str
    requirements: tuple[str, ...]
    # As the peers want it, and as pyzpack's users would say it.
    entry_point: str
    pyzpack_entry: tuple[str, ...]
    # What a start is called with.
    arguments: tuple[str, ...] = ()
    # The list in testdata/bench; the name alone if empty.
    listed: str = ""
    # Wheels that are there already, beside the listed ones.
    made: Path | None = None

    @property
    def listing(self) -> Path:
        return ROOT / f"testdata/bench/{self.listed or self.name}.txt"

    @property
    def wheels(self) -> Path:
        return BENCH / "wheels" / (self.listed or self.name)

    def fetch_wheels(self) -> None:
        subprocess.run([TOOLS / "python", ROOT / "scripts/wheelhouse.py", self.listing, self.wheels], check=True)

    def find_links(self) -> list[str]:
        return [part for place in (self.wheels, self.made) if place for part in ("--find-links", str(place))]


HTTPIE = Workload("httpie", ("httpie==3.2.4",), "httpie.__main__:main", ("-c", "http"), ("--version",))
AWSCLI = Workload("awscli", ("awscli",), "awscli.clidriver:main", ("-c", "aws"), ("--version",))
SCI = Workload(
    "sci",
    ("numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "pyarrow"),
    "sklearn:show_versions",
    ("-e", "sklearn:show_versions"),
)


def clean_environment(**variables: str | Path) -> dict[str, str]:
    home = BENCH / "home"
    home.mkdir(parents=True, exist_ok=True)
    path = f"{CLEAN_PYTHON.parent}:{BENCH / 'tools'}:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", **{k: str(v) for k, v in variables.items()}}


def copy_interpreter() -> None:
    """CPython 3.11 with an empty site-packages; a virtual environment would read its pyvenv.cfg at each start."""
    listed = subprocess.run([ROOT / "scripts/pythons"], capture_output=True, text=True, check=True).stdout.split()
    python = next((path for path in listed if path.endswith("3.11")), None)
    if python is None:
        raise SystemExit("bench: needs CPython 3.11, for which the pinned wheels are")
    code = "import os, sys; print(os.path.dirname(os.__file__), sys.platlibdir)"
    library, directory = subprocess.run(
        [python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    target = CLEAN_PYTHON.parent.parent
    copied = target / directory / "python3.11"
    shutil.rmtree(target, ignore_errors=True)
    left_out = shutil.ignore_patterns("*-packages", "test", "tests", "config-*", "EXTERNALLY-MANAGED")
    shutil.copytree(library, copied, symlinks=True, ignore=left_out)
    (copied / "site-packages").mkdir()
    CLEAN_PYTHON.parent.mkdir()
    shutil.copy2(python, CLEAN_PYTHON.with_name("python3.11"))
    CLEAN_PYTHON.symlink_to("python3.11")
    # Whoever owns the original may not have been able to write there.
    subprocess.run([CLEAN_PYTHON, "-m", "compileall", "-qq", copied], env=clean_environment(), check=False)


def prepare() -> None:
    """The clean interpreter, and uv apart from the other tools."""
    if not Path(PYZPACK).exists() and not shutil.which(PYZPACK):
        raise SystemExit(f"bench: no binary at {PYZPACK}; hint: cargo build --release, or set PYZPACK_BIN")
    if not (TOOLS / "pex").exists() or not shutil.which("hyperfine"):
        raise SystemExit("bench: hyperfine and the tools in .venv are needed; hint: scripts/setup")
    if not CLEAN_PYTHON.exists():
        copy_interpreter()
    (BENCH / "tools").mkdir(exist_ok=True)
    if not (BENCH / "tools/uv").exists():
        (BENCH / "tools/uv").symlink_to(TOOLS / "uv")


def build_command(tool: str, workload: Workload, output: Path, scratch: Path) -> tuple[list[str], dict[str, str]]:
    """What one side runs, and the environment that points its caches into `scratch`."""
    environment = clean_environment(PYZPACK_CACHE=scratch, PEX_ROOT=scratch, UV_CACHE_DIR=scratch, TMPDIR=BENCH / "tmp")
    local = ["--no-index", *workload.find_links()]
    if tool == "pyzpack":
        command = [PYZPACK, "build", *workload.requirements, *workload.pyzpack_entry, "-o", str(output), *local,
                   "--offline"]  # fmt: skip
    elif tool == "shiv":
        command = [str(TOOLS / "shiv"), "-q", "-e", workload.entry_point, "-o", str(output), *local,
                   "--no-cache-dir", *workload.requirements]  # fmt: skip
    elif tool.startswith("pex"):
        venv = ["--venv", "prepend", "--sh-boot"] if "--venv" in tool else []
        command = [str(TOOLS / "pex"), "--python", str(CLEAN_PYTHON), "--no-pypi", *local[1:], *venv,
                   "-e", workload.entry_point, "-o", str(output), *workload.requirements]  # fmt: skip
    else:
        if tool == WARM_UV:
            environment["UV_CACHE_DIR"] = str(BENCH / "uv-cache")
        target = scratch / "target"
        install = [str(TOOLS / "uv"), "pip", "install", "-q", "--python", str(CLEAN_PYTHON), "--target", str(target),
                   "--link-mode", "copy", *local, *workload.requirements]  # fmt: skip
        pack = [str(CLEAN_PYTHON), "-m", "zipapp", str(target), "-c", "-p", "/usr/bin/env python3", "-m",
                workload.entry_point, "-o", str(output)]  # fmt: skip
        command = ["/bin/sh", "-c", f"{shlex.join(install)} && {shlex.join(pack)}"]
    return command, environment


def hyperfine(commands: list[list[str]], environment: dict[str, str], *options: str) -> list[dict]:
    """What hyperfine reports of each command (`times`, `user`, `system`, in seconds); no shell is in between."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [shutil.which("hyperfine") or "hyperfine", "-N", "--style", "none", "--export-json", report.name, *options,
             *map(shlex.join, commands)],
            check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return json.load(report)["results"]
