"""Seconds of a warm and of a first start, beside the console script in a virtual environment and beside the peers.

Warm starts are measured in rounds, each side once a round and in another order each time; a ratio is taken round by
round, so that a busy moment of the machine, which falls on all sides of a round, is not in it.

First starts have a cache directory of their own, which did not exist before, and the console script a virtual
environment without any .pyc (the standard library's are there for all). What they write is removed at the very end:
removing one tree slows the writing of the next ones.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import sides as of
from .peers import BENCH, CLEAN_PYTHON, clean_environment, hyperfine
from .report import Goal, Spread, load, print_machine, print_table, ratio, spread, warn_of_load
from .sides import Sides
from .touched import describe, touched, traced

WORKLOADS = ["hello", "httpie", "awscli", "sci"]
ROUNDS = {"hello": 21, "httpie": 15, "awscli": 15, "sci": 9}
FLOOR_ROUNDS = 31
ZIP_ROUNDS = 11
# Not of sci: half a gigabyte from each side and each time, and no goal.
FIRST_ROUNDS = {"hello": 5, "httpie": 5, "awscli": 5}

# At most, relative to the console script in a venv.
WARM_GOALS = {"hello": 1.00, "httpie": 0.95, "awscli": 0.95, "sci": 1.00}
# At most, relative to shiv's first start: as it is, and with the bytecode inside.
FIRST_GOALS = {"httpie": (0.82, 0.52), "awscli": (0.60, 0.38)}
# A first start of layout zip is a warm one, give or take this.
SAME = 0.05
ENTRIES_GOAL = 0.005
HANDFUL = 5

CLEAN_PASS = "`python3 -c pass`"
VENV_PASS = "the same in the venv"
EMPTY = "an empty .pyz"
NOTHING = "a program that does nothing, pyzpack"
NOTHING_VENV = "the same, console script in a venv"


@dataclass
class Times:
    """Of each side the seconds of each round: on the clock, and of processors."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, result: dict) -> None:
        self.wall.setdefault(side, []).extend(result["times"])
        self.cpu.setdefault(side, []).append(result["user"] + result["system"])

    def median(self, side: str) -> float:
        return statistics.median(self.wall[side])


@dataclass
class Results:
    warm: dict[str, Times] = field(default_factory=dict)
    first: dict[str, Times] = field(default_factory=dict)
    failing: dict[str, dict[str, str]] = field(default_factory=dict)
    floor: Times = field(default_factory=Times)
    goals: list[Goal] = field(default_factory=list)


def caches_in(place: Path) -> dict[str, str]:
    return clean_environment(PYZPACK_CACHE=place, PEX_ROOT=place, SHIV_ROOT=place)


def turned(names: list[str], round_: int) -> list[str]:
    """Another one first in each round, and every second time backwards: nobody always follows the same one."""
    first = round_ % len(names)
    order = names[first:] + names[:first]
    return order[::-1] if round_ % 2 else order


def measure(commands: dict[str, list[str]], environment: dict[str, str], rounds: int) -> Times:
    times = Times()
    for round_ in range(rounds):
        order = turned(list(commands), round_)
        results = hyperfine([commands[side] for side in order], environment, "--runs", "1")
        for side, result in zip(order, results, strict=True):
            times.add(side, result)
    return times


def warm_up(sides: Sides, environment: dict[str, str]) -> None:
    """Fill the caches, and set aside what fails or prints something else than the console script."""
    expected = None
    for _ in range(2):
        for side, command in {**sides.commands, **sides.first_only}.items():
            if side in sides.failing:
                continue
            printed, reason = of.try_start(command, environment, expected)
            if reason:
                sides.failing[side] = reason
            expected = printed if expected is None else expected
    for side in sides.failing:
        sides.commands.pop(side, None)
        sides.first_only.pop(side, None)
    if of.VENV not in sides.commands:
        raise SystemExit(f"bench: {sides.workload.name} does not start in a venv: {sides.failing[of.VENV]}")


def measure_first(sides: Sides, rounds: int, place: Path) -> Times:
    times = Times()
    commands = {**sides.commands, **sides.first_only}
    # Its second start is by another way of calling.
    commands.pop(of.BY_ITSELF, None)
    for round_ in range(rounds):
        for side in turned(list(commands), round_):
            fresh = Path(tempfile.mkdtemp(dir=place))
            command = commands[side]
            if side == of.VENV:
                command = sides.script(of.without_bytecode(sides.venv, fresh / "venv"))
            # What the side before has written is not to be waited for.
            os.sync()
            times.add(side, hyperfine([command], caches_in(fresh / "cache"), "--runs", "1")[0])
    return times


def measure_floor(rounds: int, scratch: Path, environment: dict[str, str]) -> Times:
    nothing = of.nothing()
    nothing.fetch_wheels()
    venv = of.install_venv(nothing)
    python = str(CLEAN_PYTHON)
    commands = {
        CLEAN_PASS: [python, "-c", "pass"],
        VENV_PASS: [str(venv / "bin/python3"), "-c", "pass"],
        EMPTY: [python, str(of.empty_archive(scratch))],
        NOTHING: [python, str(of.program_of(nothing, "--layout", "extract", scratch=scratch))],
        NOTHING_VENV: [str(venv / "bin/bench-nothing")],
    }
    measure(commands, environment, 2)
    return measure(commands, environment, rounds)


def parts_of_start(results: Results, name: str, side: str) -> str:
    """Where a warm start and the console script's go, in milliseconds."""
    floor, warm = results.floor, results.warm[name]
    clean, empty, nothing = (floor.median(key) * 1e3 for key in (CLEAN_PASS, EMPTY, NOTHING))
    venv, script = (floor.median(key) * 1e3 for key in (VENV_PASS, NOTHING_VENV))
    ours, theirs = warm.median(side) * 1e3, warm.median(of.VENV) * 1e3
    return (
        f"{ours:.1f} ms are {clean:.1f} of Python, {empty - clean:.1f} of running any zip, {nothing - empty:.1f} of"
        f" pyzpack and {ours - nothing:.1f} of the application; the console script's {theirs:.1f} are {venv:.1f} of"
        f" Python, {script - venv:.1f} of the script and {theirs - script:.1f} of the application"
    )


def judge_warm(results: Results, name: str) -> Iterator[Goal]:
    times, goal = results.warm[name], WARM_GOALS[name]
    for side in (of.BY_PYTHON, of.BY_ITSELF):
        text = f"{name}, {side.removeprefix('pyzpack, ')}: warm start at most {goal:.2f}x the venv's"
        if side not in times.wall:
            yield Goal(text, "fails", False, results.failing[name][side])
            continue
        found = ratio(times.wall[side], times.wall[of.VENV])
        yield Goal(text, show_ratio(found), found.median <= goal, parts_of_start(results, name, side))
        peers = {peer: ratio(times.wall[side], times.wall[peer]) for peer in of.PEERS if peer in times.wall}
        best = max(peers, key=lambda peer: peers[peer].median)
        text = f"{name}, {side.removeprefix('pyzpack, ')}: warm start ahead of every peer"
        why = f"{times.median(side) * 1e3:.1f} ms, {best} {times.median(best) * 1e3:.1f} ms"
        yield Goal(text, f"{show_ratio(peers[best])} of {best}", peers[best].median < 1, why)


def judge_first(results: Results, name: str) -> Iterator[Goal]:
    times = results.first[name]
    for side, goal in zip((of.BY_PYTHON, of.BYTECODE), FIRST_GOALS[name], strict=True):
        text = f"{name}{', with --bytecode 3.11' * (side == of.BYTECODE)}: first start at most {goal:.2f}x shiv's"
        if side not in times.wall or of.SHIV not in times.wall:
            failing = results.failing[name]
            reason = failing.get(side) or failing.get(of.SHIV) or "this pyzpack has no --bytecode"
            yield Goal(text, "", None, reason)
            continue
        found = ratio(times.wall[side], times.wall[of.SHIV])
        first, warm = times.median(side), results.warm[name].median(of.BY_PYTHON)
        compiling = times.median(of.VENV) - results.warm[name].median(of.VENV)
        why = f"{first:.2f} s are {warm:.2f} of a warm start and {first - warm:.2f} more"
        if side == of.BY_PYTHON:
            why += f", {compiling:.2f} of it compiling, by what a venv without .pyc takes more than one with them"
        yield Goal(text, show_ratio(found), found.median <= goal, f"{why}; shiv takes {times.median(of.SHIV):.2f} s")


def judge_layout_zip(command: list[str], rounds: int, place: Path) -> Iterator[Goal]:
    """Whether a first start is as a warm one, wherever there is to write to, and leaves nothing anywhere."""
    first, second, written = [], [], set()
    for _ in range(rounds):
        fresh = Path(tempfile.mkdtemp(dir=place))
        environment = clean_environment(HOME=fresh, TMPDIR=fresh)
        for seconds in (first, second):
            seconds += hyperfine([command], environment, "--runs", "1")[0]["times"]
        written |= {str(path.relative_to(fresh)) for path in fresh.rglob("*")}
    found = ratio(first, second)
    why = f"{statistics.median(first) * 1e3:.1f} ms, then {statistics.median(second) * 1e3:.1f}"
    text = f"hello, layout zip: first start as a warm one (within {SAME:.0%})"
    yield Goal(text, show_ratio(found), found.median <= 1 + SAME, why)
    yield Goal("hello, layout zip: nothing written", f"{len(written)} files", not written, ", ".join(sorted(written)))


def judge_entries(hello: Sides, rounds: int, scratch: Path, environment: dict[str, str]) -> Iterator[Goal]:
    commands = {}
    for count in of.ENTRIES:
        program = of.program_of(of.with_entries(hello.workload, count), "--layout", "extract", scratch=scratch)
        commands[str(count)] = [str(CLEAN_PYTHON), str(program), *hello.workload.arguments]
    measure(commands, environment, 2)
    few, many = measure(commands, environment, rounds).wall.values()
    apart = spread([two - one for one, two in zip(few, many, strict=True)])
    why = (
        f"{count:,}: {statistics.median(times) * 1e3:.1f} ms"
        for count, times in zip(of.ENTRIES, (few, many), strict=True)
    )
    yield Goal(
        f"warm start with {of.ENTRIES[0]:,} and {of.ENTRIES[1]:,} entries at most {ENTRIES_GOAL * 1e3:.0f} ms apart",
        f"{apart.median * 1e3:+.1f} ms ({apart.low * 1e3:+.1f} to {apart.high * 1e3:+.1f})",
        apart.median <= ENTRIES_GOAL,
        ", ".join(why),
    )


def judge_touched(sides: Sides, scratch: Path, environment: dict[str, str]) -> Iterator[Goal]:
    cache, library = environment["PYZPACK_CACHE"], str(CLEAN_PYTHON.parent.parent / "lib")
    name = sides.workload.name
    text = f"{name}: a handful of files touched before its own code runs"
    if not shutil.which("strace"):
        yield Goal(text, "", None, "there is no strace; hint: scripts/setup")
        return
    interpreters = traced([str(CLEAN_PYTHON), "-c", "pass"], environment)
    found = touched(traced(sides.commands[of.BY_PYTHON], environment), interpreters, library, cache)
    lines = describe(found, {cache: "CACHE", str(scratch): ""})
    print(f"{name}: files touched before its own code runs, beside Python's library: {len(found)}")
    print(*(f"- {line}" for line in lines), sep="\n", end="\n\n", flush=True)
    yield Goal(text, f"{len(found)} files", len(found) <= HANDFUL, "they are listed above")


def show_ratio(found: Spread) -> str:
    return f"{found.median:.3f}x ({found.low:.3f}-{found.high:.3f})"


def show_table(title: str, by_workload: dict[str, Times], failing: dict[str, dict[str, str]], base: str) -> None:
    """A row for each side: median, and the median of its ratios to `base`, with their quartiles."""
    names = list(by_workload)
    measured = {side for times in by_workload.values() for side in times.wall}
    order = [of.VENV, *of.PEERS, of.BY_PYTHON, of.BY_ITSELF, of.BYTECODE, of.LAYOUT_ZIP]
    rows = []
    for side in [side for side in order if side in measured or any(side in failing[name] for name in names)]:
        row = [side]
        for name in names:
            wall = by_workload[name].wall
            if side not in wall:
                row.append("fails" if side in failing[name] else "")
                continue
            found = spread(wall[side])
            unit, factor = ("s", 1) if found.median >= 1 else ("ms", 1e3)
            low, median, high = (f"{part * factor:.3g}" for part in (found.low, found.median, found.high))
            more = f"({low}-{high})" if side == base else show_ratio(ratio(wall[side], wall[base]))
            row.append(f"{median} {unit}, {more}")
        rows.append(row)
    print(f"{title}; relative to: {base}; in brackets the quartiles\n")
    print_table(["", *names], rows)


def show_cpu(by_workload: dict[str, Times]) -> None:
    """Less noisy than the clock where the machine is busy."""
    sides = [of.VENV, *of.PEERS, of.BY_PYTHON, of.BY_ITSELF]
    rows = [
        [side, *(show_ratio(ratio(times.cpu[side], times.cpu[of.VENV])) if side in times.cpu else ""
                 for times in by_workload.values())]
        for side in sides
    ]  # fmt: skip
    print(f"The same warm starts, seconds of processors; relative to: {of.VENV}\n")
    print_table(["", *by_workload], rows)


def show_floor(floor: Times) -> None:
    rows = []
    for name, seconds in floor.wall.items():
        found = spread(seconds)
        rows.append([name, f"{found.median * 1e3:.1f}", f"{found.low * 1e3:.1f}-{found.high * 1e3:.1f}"])
    print("What every start has in it, ms\n")
    print_table(["", "median", "quartiles"], rows)


@contextmanager
def scratch_directory() -> Iterator[Path]:
    BENCH.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="start-", dir=BENCH))
    try:
        yield path
    finally:
        subprocess.run(["rm", "-rf", path], check=False)


def bench_start(names: list[str], rounds: int | None) -> list[Goal]:
    begun, load_before = time.monotonic(), load()
    warn_of_load(load_before)
    known = of.workloads()
    with scratch_directory() as scratch:
        results, goals = measure_starts([known[name] for name in names], rounds, scratch)
    show_floor(results.floor)
    show_table("Warm start", results.warm, results.failing, of.VENV)
    show_cpu(results.warm)
    if results.first:
        show_table("First start, no cache and no .pyc", results.first, results.failing, of.SHIV)
    for name, reasons in results.failing.items():
        for side, reason in reasons.items():
            print(f"{name}: {side} fails: {reason}")
    print_machine(CLEAN_PYTHON, of.versions(), load_before)
    print(f"measured in {time.monotonic() - begun:.0f} s\n")
    return goals


def measure_starts(workloads: list, rounds: int | None, scratch: Path) -> tuple[Results, list[Goal]]:
    results, goals = Results(), []
    environment = caches_in(scratch / "warm")
    prepared = {workload.name: of.prepare_sides(workload, scratch) for workload in workloads}
    results.floor = measure_floor(rounds or FLOOR_ROUNDS, scratch, environment)
    for name, sides in prepared.items():
        warm_up(sides, environment)
        results.failing[name] = sides.failing
        results.warm[name] = measure(sides.commands, environment, rounds or ROUNDS[name])
        goals += judge_warm(results, name)
    for sides in prepared.values():
        goals += judge_touched(sides, scratch, environment)
    if "hello" in prepared:
        hello = prepared["hello"]
        goals += judge_layout_zip(hello.commands[of.LAYOUT_ZIP], rounds or ZIP_ROUNDS, scratch)
        goals += judge_entries(hello, rounds or ROUNDS["hello"], scratch, environment)
    for name in [name for name in prepared if name in FIRST_ROUNDS]:
        count = min(rounds or FIRST_ROUNDS[name], FIRST_ROUNDS[name])
        results.first[name] = measure_first(prepared[name], count, scratch)
        if name in FIRST_GOALS:
            goals += judge_first(results, name)
    return results, goals
