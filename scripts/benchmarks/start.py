"""Seconds of a warm and of a first start, beside the console script in a virtual environment."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .build import measure_build
from .peers import AWSCLI, BENCH, CLEAN_PYTHON, HTTPIE, TOOLS, Workload, clean_environment, hyperfine
from .report import Goal, print_table

WORKLOADS = {workload.name: workload for workload in (HTTPIE, AWSCLI)}
# Relative to the console script in a venv, and seconds of a first start.
ROUNDS = 5
WARM_GOAL = 0.95
FIRST_GOALS = {"httpie": 0.60, "awscli": 1.25}


def install_venv(workload: Workload) -> Path:
    venv = BENCH / f"venv-{workload.name}"
    if not venv.exists():
        subprocess.run([TOOLS / "uv", "venv", "-q", "--python", CLEAN_PYTHON, venv], check=True)
        wheels = sorted(workload.wheels.glob("*.whl"))
        subprocess.run([TOOLS / "uv", "pip", "install", "-q", "--no-deps", "--offline", "--link-mode", "copy",
                        "--python", venv / "bin/python", *wheels], check=True)  # fmt: skip
    return venv / "bin" / workload.pyzpack_entry[1]


def start_commands(workload: Workload) -> dict[str, list[str]]:
    """What is started, by side; each file is built once for this run."""
    commands = {"console script in a venv": [str(install_venv(workload)), "--version"]}
    for tool in ["shiv", "pex", "pex --venv --sh-boot", "uv + zipapp", "pyzpack"]:
        measure_build(tool, workload, 1)
        output = BENCH / f"out/{workload.name}-{tool.replace(' ', '')}.pyz"
        direct = "--sh-boot" in tool
        commands[tool] = [*([] if direct else [str(CLEAN_PYTHON)]), str(output), "--version"]
    return commands


def first_start(command: list[str], runs: int) -> float:
    """Median seconds, every cache (and every .pyc) in a directory that is new: deleting one costs later."""
    seconds = []
    for _ in range(runs):
        fresh = Path(tempfile.mkdtemp(dir=BENCH))
        environment = clean_environment(PYZPACK_CACHE=fresh, PEX_ROOT=fresh, SHIV_ROOT=fresh)
        environment["PYTHONPYCACHEPREFIX"] = str(fresh / "pycache")
        begun = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    for directory in BENCH.glob("tmp*"):
        shutil.rmtree(directory, ignore_errors=True)
    return statistics.median(seconds)


def bench_start(names: list[str], runs: int, peer_runs: int) -> list[Goal]:
    warm_rows, first_rows, goals = [], [], []
    for name in names:
        workload = WORKLOADS[name]
        workload.fetch_wheels()
        commands = start_commands(workload)
        warm: dict[str, float | None] = {}
        first: dict[str, float | None] = {}
        caches = BENCH / "warm"
        environment = clean_environment(PYZPACK_CACHE=caches, PEX_ROOT=caches, SHIV_ROOT=caches)
        times: dict[str, list[float]] = {tool: [] for tool in commands}
        # In rounds, so that a busy moment of the machine falls on all sides alike.
        for _ in range(ROUNDS):
            for tool, command in commands.items():
                with suppress(subprocess.CalledProcessError):
                    times[tool] += hyperfine([command], environment, max(1, runs // ROUNDS), "--warmup", "1")[0]
        for tool, command in commands.items():
            warm[tool] = statistics.median(times[tool]) if times[tool] else None
            first[tool] = first_start(command, max(3, peer_runs)) if times[tool] else None
        venv = warm["console script in a venv"]
        assert venv is not None, "the console script in a venv starts"
        show = {tool: f"{value * 1e3:.0f} ({value / venv:.2f}x)" if value else "fails" for tool, value in warm.items()}
        warm_rows.append([name, *show.values()])
        first_rows.append([name, *(f"{value:.2f}" if value else "fails" for value in first.values())])
        ours, ours_first = warm["pyzpack"], first["pyzpack"]
        peers = [
            value for tool, value in warm.items() if tool != "pyzpack" and value and not tool.startswith("console")
        ]
        goals += [
            Goal(
                f"{name}: warm start at most {WARM_GOAL} of the venv's",
                f"{ours / venv:.3f}" if ours else "fails",
                bool(ours) and ours / venv <= WARM_GOAL,
            ),
            Goal(
                f"{name}: warm start ahead of every peer",
                f"best peer {min(peers) * 1e3:.0f} ms",
                bool(ours) and ours < min(peers),
            ),
            Goal(
                f"{name}: first start at most {FIRST_GOALS[name]} s",
                f"{ours_first:.2f} s" if ours_first else "fails",
                bool(ours_first) and ours_first <= FIRST_GOALS[name],
            ),
        ]
    header = ["", "console script in a venv", "shiv", "pex", "pex --venv --sh-boot", "zipapp", "pyzpack"]
    print("Warm start of `--version`, ms (median)\n")
    print_table(header, warm_rows)
    print("First start, s (median; no cache, no .pyc)\n")
    print_table(header, first_rows)
    return goals
