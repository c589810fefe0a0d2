"""docs/benchmarks.md: one section a benchmark, of which each run brings its own up to date."""

from __future__ import annotations

import argparse
import platform
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

REPORT = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def update(sections: Iterable[str], report: Path = REPORT) -> None:
    """Puts each section, Markdown that begins with `## Title`, in the place of the one with its title, or at the end; and
    says what fell behind its aim."""
    sections = list(sections)
    known = _sections(report.read_text()) if report.exists() else {}
    for section in sections:
        known[section.splitlines()[0]] = section.strip()
    report.parent.mkdir(exist_ok=True)
    report.write_text("\n\n".join([heading(), _late(known.values()), *known.values()]) + "\n")

    late = [line for section in sections for line in behind(section)]
    print(f"behind its aim: {len(late)}", *late, sep="\n  ", file=sys.stderr)


def _late(sections: Iterable[str]) -> str:
    """What is behind its aim, as the report says it before all tables."""
    late = [line for section in sections for line in behind(section)]
    return "\n".join(["Behind their aims:" if late else "Nothing is behind its aim.", *(f"- {line}" for line in late)])


def behind(section: str) -> list[str]:
    """The figures of a section that miss their aims: in a column "aim" stands what the figure before it should be, as in
    "≤ 1.2", or nothing."""
    found: list[str] = []
    title, head = section.splitlines()[0].removeprefix("## "), []
    for line in section.splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not head:
            head = cells
            continue
        for place, (name, aim) in enumerate(zip(head, cells, strict=True)):
            wanted = re.fullmatch(r"([≤≥]) ([\d.]+)", aim)
            if name != "aim" or wanted is None:
                continue
            sign, limit = wanted[1], float(wanted[2])
            value = float(cells[place - 1].replace(",", "").removesuffix("%"))
            if value > limit if sign == "≤" else value < limit:
                found.append(f"{title}: {cells[0]}, {cells[1]}: {head[place - 1]} {cells[place - 1]}, aim {aim}")
    return found


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
    import torch  # not where pages are timed: the libraries that a page imports are part of its time

    return (
        "# Benchmarks\n\nWritten by `make bench`, `make bench-map` and `make bench-search`. Every ratio is against the "
        "baseline named in the same table, measured in the same run.\n\n"
        f"Machine: {platform.machine()} {platform.system()}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}."
    )


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]  # what stands above is made anew
    return {part.splitlines()[0]: part.strip() for part in parts}
