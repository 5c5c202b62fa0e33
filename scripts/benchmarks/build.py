"""Seconds, size and peak memory of a build, from a new empty cache each time."""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

from .peers import AWSCLI, BENCH, HTTPIE, SCI, WARM_UV, Workload, build_command, hyperfine
from .report import Goal, print_table

WORKLOADS = {workload.name: workload for workload in (HTTPIE, AWSCLI, SCI)}
PEERS = ["shiv", "pex", "uv + zipapp"]
# Seconds at most, and times the fastest peer.
GOALS = {"httpie": (0.15, 8), "awscli": (0.5, 12), "sci": (1.0, 20)}


def measure_build(tool: str, workload: Workload, runs: int) -> tuple[float, int]:
    """Median seconds and bytes."""
    scratch, output = BENCH / "scratch", BENCH / f"out/{workload.name}-{tool.replace(' ', '')}.pyz"
    output.parent.mkdir(exist_ok=True)
    (BENCH / "tmp").mkdir(exist_ok=True)
    command, environment = build_command(tool, workload, output, scratch)
    empty = shlex.join(["/bin/sh", "-c", f"rm -rf {scratch} {BENCH}/tmp {output} && mkdir -p {scratch} {BENCH}/tmp"])
    try:
        options = ["--runs", str(runs), "--warmup", "1", "--prepare", empty]
        seconds = statistics.median(hyperfine([command], environment, *options)[0]["times"])
    except subprocess.CalledProcessError:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        raise SystemExit(f"bench: {tool} cannot build {workload.name}:\n{done.stdout}{done.stderr}") from None
    return seconds, output.stat().st_size


def peak_memory(workload: Workload) -> tuple[int, dict]:
    """kB of pyzpack's own process at its highest (children, such as uv, have their own), and the report it printed."""
    with tempfile.TemporaryDirectory(dir=BENCH) as scratch, tempfile.TemporaryFile("w+") as report:
        command, environment = build_command("pyzpack", workload, Path(scratch) / "out.pyz", Path(scratch))
        process = subprocess.Popen([*command, "--json"], env=environment, stdout=report, stderr=subprocess.DEVNULL)
        highest = 0
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                break
            highest = max(
                [highest] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
            )
            time.sleep(0.0005)
        process.wait()
        report.seek(0)
        try:
            return highest, json.load(report)
        except ValueError:
            return highest, {}


def stage_seconds(report: dict) -> dict[str, float]:
    stages = report.get("stages", {})
    if isinstance(stages, list):
        stages = {stage.get("name", stage.get("stage")): stage for stage in stages}
    return {name: value["seconds"] if isinstance(value, dict) else value for name, value in stages.items()}


def entries_of(workload: Workload) -> int:
    return sum(len(zipfile.ZipFile(wheel).namelist()) for wheel in workload.wheels.glob("*.whl"))


def bench_build(names: list[str], runs: int, peer_runs: int) -> list[Goal]:
    seconds_rows, size_rows, stage_rows, goals = [], [], [], []
    for name in names:
        workload = WORKLOADS[name]
        workload.fetch_wheels()
        peers = {tool: measure_build(tool, workload, peer_runs) for tool in PEERS}
        warm_uv, _ = measure_build(WARM_UV, workload, peer_runs)
        seconds, size = measure_build("pyzpack", workload, runs)
        fastest = min(peer[0] for peer in peers.values())
        smallest = min(peer[1] for peer in peers.values())
        memory, report = peak_memory(workload)
        ratio, memory_goal = fastest / seconds, 64_000 + entries_of(workload)
        seconds_goal, ratio_goal = GOALS[name]
        seconds_rows.append(
            [name, *(f"{peers[tool][0]:.2f}" for tool in PEERS), f"{warm_uv:.2f}", f"{seconds:.3f}"]
            + [f"{ratio:.1f}x", f"{memory / 1e3:.0f}"]
        )
        size_rows.append([name, *(f"{peers[tool][1] / 1e6:.2f}" for tool in PEERS), f"{size / 1e6:.2f}"])
        stages = stage_seconds(report)
        stage_rows.append([name, ", ".join(f"{stage} {value:.3f}" for stage, value in stages.items()) or "no report"])
        goals += [
            Goal(f"{name}: at most {seconds_goal} s", f"{seconds:.3f} s", seconds <= seconds_goal),
            Goal(f"{name}: {ratio_goal}x the fastest peer", f"{ratio:.1f}x", ratio >= ratio_goal),
            Goal(f"{name}: no larger than the smallest peer's", f"{size - smallest:+,} bytes", size <= smallest),
            Goal(
                f"{name}: own memory at most {memory_goal / 1e3:.0f} MB",
                f"{memory / 1e3:.0f} MB",
                memory <= memory_goal,
            ),
        ]
    print("Builds, seconds (median; a new empty cache each time, wheels on disk, no network)\n")
    print_table(
        ["", *PEERS, WARM_UV, "pyzpack", "against the fastest of the first three", "peak memory of pyzpack, MB"],
        seconds_rows,
    )
    print("Sizes, MB\n")
    print_table(["", *PEERS, "pyzpack"], size_rows)
    print("Stages of one build by pyzpack, seconds (`--json`)\n")
    print_table(["", "stages"], stage_rows)
    return goals
