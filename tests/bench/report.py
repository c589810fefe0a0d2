"""docs/benchmarks.md: one section a benchmark, of which each run brings its own up to date."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def update(sections: Iterable[str], report: Path = REPORT) -> None:
    """Puts each section, Markdown that begins with `## Title`, in the place of the one with its title, or at the end."""
    known = _sections(report.read_text()) if report.exists() else {}
    for section in sections:
        known[section.splitlines()[0]] = section.strip()
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n\n".join([heading(), *known.values()]) + "\n")


def of_large(measure: Callable[[int, Path | None], str], words: str | None) -> None:
    """The command line of a benchmark of a large collection: prints its section, and writes it."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--db", type=Path, help="a database made before")
    arguments = parser.parse_args()
    found = measure(arguments.size, arguments.db)
    print(found)
    update([found])


def heading() -> str:
    """What stands above all sections."""
    return (
        "# Benchmarks\n\nWritten by `make bench`, `make bench-map` and `make bench-search`. Every ratio is against the "
        "baseline named in the same table, measured in the same run.\n\n"
        f"Machine: {platform.machine()} {platform.system()}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: part.strip() for part in parts}
