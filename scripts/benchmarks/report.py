"""Tables in Markdown, goals that are met or missed, and the noise of what was measured."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass

# Runnable processes beside the benchmark, above which its figures are doubtful.
QUIET = 0.5


@dataclass
class Goal:
    text: str
    found: str
    # None where it could not be measured.
    met: bool | None
    # Of a missed one: what it is lost to, as far as the measurements tell.
    why: str = ""

    def row(self) -> list[str]:
        return [self.text, self.found, {True: "MET", False: "MISSED", None: "NOT MEASURED"}[self.met]]


@dataclass(frozen=True)
class Spread:
    """The median and the quartiles."""

    low: float
    median: float
    high: float


def spread(values: list[float]) -> Spread:
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


def ratio(ours: list[float], theirs: list[float]) -> Spread:
    """Round by round: a busy moment that both sides met does not count."""
    return spread([one / other for one, other in zip(ours, theirs, strict=True)])


def print_table(header: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def print_goals(goals: list[Goal]) -> None:
    print_table(["goal", "found", ""], [goal.row() for goal in goals])
    for goal in goals:
        if goal.why and not goal.met:
            print(f"{goal.row()[-1]}, {goal.text}: {goal.why}")


def load() -> float:
    return os.getloadavg()[0]


def print_machine(python: os.PathLike[str], versions: str, load_before: float) -> None:
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    print(
        f"{os.cpu_count()} CPUs, {platform.machine()}, {platform.system()} {platform.release()}, {version}; {versions}"
    )
    print(f"load average {load_before:.2f} before and {load():.2f} after", end="\n\n", flush=True)


def warn_of_load(load_before: float) -> None:
    if load_before > QUIET:
        print(f"bench: warning: the load average is {load_before:.2f}; figures are good below {QUIET}", file=sys.stderr)
