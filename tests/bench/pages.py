"""How long a rerun of each page takes on a large collection: `python -m tests.bench.pages [--size N] [--db FILE]`.

A rerun is what a click on a control costs on the server, where nothing new has to be read. The pages run as tests run them, without a browser; what a
browser draws is measured by tests.bench.map.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.bench import synthetic
from tests.bench.report import update
from tests.bench.timing import table

MAIN = Path(__file__).parents[2] / "dashboard" / "main.py"
PAGES = ("overview", "map", "similar", "attention", "heads", "sql")  # the others need maps, or a network
ROUNDS = 7
TIMEOUT = 600


def measure(size: int = 100_000, db: Path | None = None) -> str:
    """The table, for a synthetic collection of this size, or for a database that is there."""
    with tempfile.TemporaryDirectory() as folder:
        if db is None:
            db = Path(folder) / "synthetic.duckdb"
            synthetic.make(db, size, stats=True)
        os.environ["BILDERATLAS_DB"] = str(db)
        rows = [row(name) for name in PAGES]
    return (
        f"## Reruns of the pages\n\nSynthetic collection of {size:,} pictures. Seconds of the page's script: the first time, then "
        f"the median and the slowest of {ROUNDS} reruns.\n\n"
        + table(["page", "first", "rerun", "slowest rerun", "rerun / Overview"], with_ratio(rows))
    )


def row(name: str) -> tuple[str, float, float, float]:
    """Page, seconds of its first run, median and maximum of those that follow."""
    at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    began = time.perf_counter()
    at.run()
    if name != "overview":
        began = time.perf_counter()
        at.switch_page(f"views/{name}/{name}.py").run()
    first = time.perf_counter() - began
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        at.run()
        seconds.append(time.perf_counter() - began)
    if at.exception or at.error or at.title[0].value != name.title().replace("Sql", "SQL"):
        raise RuntimeError(f"{name}: {[each.value for each in (*at.title, *at.error, *at.exception)]}")
    print(name, f"{first:.2f}", [round(second, 3) for second in seconds], flush=True)
    return name, first, statistics.median(seconds), max(seconds)


def with_ratio(rows: list[tuple[str, float, float, float]]) -> list[list[str]]:
    """The rows as text, each beside the Overview's rerun."""
    base = rows[0][2]
    return [
        [name, f"{first:.2f}", f"{rerun:.3f}", f"{slowest:.3f}", f"{rerun / base:.2f}"]
        for name, first, rerun, slowest in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--db", type=Path, help="a database made before")
    arguments = parser.parse_args()
    found = measure(arguments.size, arguments.db)
    print(found)
    update([found])


if __name__ == "__main__":
    main()
