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
CLEAN_PYTHON = BENCH / "python/bin/python3"
# For information, outside the ratios: uv when it has unpacked these very wheels before.
WARM_UV = "uv, warm cache + zipapp"


@dataclass(frozen=True)
class Workload:
    name: str
    requirements: tuple[str, ...]
    # As the peers want it, and as pyzpack's users would say it.
    entry_point: str
    pyzpack_entry: tuple[str, ...]

    @property
    def wheels(self) -> Path:
        return BENCH / "wheels" / self.name

    def fetch_wheels(self) -> None:
        listing = ROOT / f"testdata/bench/{self.name}.txt"
        subprocess.run([TOOLS / "python", ROOT / "scripts/wheelhouse.py", listing, self.wheels], check=True)


HTTPIE = Workload("httpie", ("httpie==3.2.4",), "httpie.__main__:main", ("-c", "http"))
AWSCLI = Workload("awscli", ("awscli",), "awscli.clidriver:main", ("-c", "aws"))
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


def prepare() -> None:
    """The clean interpreter, and uv apart from the other tools."""
    if not Path(PYZPACK).exists() and not shutil.which(PYZPACK):
        raise SystemExit(f"bench: no binary at {PYZPACK}; hint: cargo build --release, or set PYZPACK_BIN")
    if not (TOOLS / "pex").exists() or not shutil.which("hyperfine"):
        raise SystemExit("bench: hyperfine and the tools in .venv are needed; hint: scripts/setup")
    if not CLEAN_PYTHON.exists():
        listed = subprocess.run([ROOT / "scripts/pythons"], capture_output=True, text=True, check=True).stdout.split()
        python = next((path for path in listed if path.endswith("3.11")), None)
        if python is None:
            raise SystemExit("bench: needs CPython 3.11, for which the pinned wheels are")
        subprocess.run([python, "-m", "venv", "--without-pip", BENCH / "python"], check=True)
    (BENCH / "tools").mkdir(exist_ok=True)
    if not (BENCH / "tools/uv").exists():
        (BENCH / "tools/uv").symlink_to(TOOLS / "uv")


def build_command(tool: str, workload: Workload, output: Path, scratch: Path) -> tuple[list[str], dict[str, str]]:
    """What one side runs, and the environment that points its caches into `scratch`."""
    wheels = str(workload.wheels)
    environment = clean_environment(PYZPACK_CACHE=scratch, PEX_ROOT=scratch, UV_CACHE_DIR=scratch, TMPDIR=BENCH / "tmp")
    local = ["--no-index", "--find-links", wheels]
    if tool == "pyzpack":
        command = [PYZPACK, "build", *workload.requirements, *workload.pyzpack_entry, "-o", str(output), *local,
                   "--offline"]  # fmt: skip
    elif tool == "shiv":
        command = [str(TOOLS / "shiv"), "-q", "-e", workload.entry_point, "-o", str(output), *local,
                   "--no-cache-dir", *workload.requirements]  # fmt: skip
    elif tool.startswith("pex"):
        venv = ["--venv", "prepend", "--sh-boot"] if "--venv" in tool else []
        command = [str(TOOLS / "pex"), "--python", str(CLEAN_PYTHON), "--no-pypi", "--find-links", wheels, *venv,
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


def hyperfine(commands: list[list[str]], environment: dict[str, str], runs: int, *more: str) -> list[list[float]]:
    """The seconds of each run of each command, one command after the other, without a shell."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run(
            [shutil.which("hyperfine") or "hyperfine", "-N", "--style", "none", "--runs", str(runs), *more,
             "--export-json", report.name, *map(shlex.join, commands)],
            check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return [result["times"] for result in json.load(report)["results"]]
