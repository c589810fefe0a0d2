"""What a click in a chart costs on the server on a large collection: `python -m tests.bench.charts [--size N] [--db FILE]`.

The charts are open below the map. Each round filters by other values, so that nothing of the answer is remembered: the
filter is asked of the database, all charts are counted anew, and the map hears which pictures fade.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from store.conditions import Between, Condition, OneOf
from tests.bench import synthetic
from tests.bench.pages import MAIN, TIMEOUT
from tests.bench.report import of_large
from tests.bench.timing import table

ROUNDS = 7
FILTERS: dict[str, Callable[[int], tuple[Condition, ...]]] = {
    "a bar": lambda turn: (OneOf("artist", (f"Artist {turn}",)),),
    "a brush": lambda turn: (Between("year", 1400 + turn, 1500 + turn),),
    "a brush beside two filters": lambda turn: (
        OneOf("school", ("Dutch", "French")),
        OneOf("artist", ("Artist 1", "Artist 2", "Artist 3")),
        Between("year", 1410 + turn, 1700 + turn),
    ),
}


def measure(size: int = 100_000, db: Path | None = None) -> str:
    """The table, for a synthetic collection of this size, or for a database that is there."""
    with tempfile.TemporaryDirectory() as folder:
        if db is None:
            db = Path(folder) / "synthetic.duckdb"
            synthetic.make(db, size)
        os.environ["BILDERATLAS_DB"] = str(db)
        at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
        at.query_params["charts"] = "true"
        began = time.perf_counter()
        at.switch_page("views/map/map.py").run()
        first = time.perf_counter() - began
        rows = [["opened first", f"{first:.2f}", "", f"{first:.2f}"]]
        for name, conditions in FILTERS.items():
            seconds = [clicked(at, conditions(turn)) for turn in range(1, ROUNDS + 1)]
            print(name, [round(each, 3) for each in seconds], flush=True)
            rows.append([name, f"{statistics.median(seconds):.3f}", "≤ 0.3", f"{max(seconds):.3f}"])
    return (
        f"## Charts that filter each other\n\nSynthetic collection of {size:,} pictures, the map with all charts open. Seconds of "
        f"the page's script after a click that nobody made before; the median and the slowest of {ROUNDS}.\n\n"
        + table(["click on", "median", "aim", "slowest"], rows)
    )


def clicked(at: AppTest, conditions: tuple[Condition, ...]) -> float:
    """Seconds of the rerun in which these conditions are asked."""
    at.session_state["f"] = conditions
    began = time.perf_counter()
    at.run()
    seconds = time.perf_counter() - began
    if at.exception or at.error or not any("** of " in each.value for each in at.markdown):
        raise RuntimeError(f"{[each.value for each in (*at.error, *at.exception)]}")
    return seconds


if __name__ == "__main__":
    of_large(measure, __doc__)
