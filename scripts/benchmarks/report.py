"""Tables in Markdown, and goals that are met or missed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Goal:
    text: str
    found: str
    met: bool

    def row(self) -> list[str]:
        return [self.text, self.found, "MET" if self.met else "MISSED"]


def print_table(header: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)
