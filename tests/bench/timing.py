"""Timing: cases take turns, so that a slow moment of the machine falls on all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def take_turns(cases: dict[str, Callable[[], object]], rounds: int, sync: Callable[[], None] = lambda: None) -> dict[str, list[float]]:  # fmt: skip
    """Seconds of each case in each round, after one round to warm up. The order turns from round to round."""
    names = list(cases)
    for name in names:
        cases[name]()
    sync()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            began = time.perf_counter()
            cases[name]()
            sync()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(seconds: dict[str, list[float]], name: str, baseline: str) -> float:
    """Median over the rounds of a case's time by the baseline's time in the same round."""
    pairs = zip(seconds[name], seconds[baseline], strict=True)
    return statistics.median(case / base for case, base in pairs)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
