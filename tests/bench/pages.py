"""How long each page takes on a large collection: `python -m tests.bench.pages [--size N] [--db FILE]`.

Each page is opened in a process of its own, as tests run pages, without a browser: cold, as the first that the server has
to show; again in a new session, as a second visitor opens it; and in reruns, which are what a click on a control costs
where nothing new has to be read. What a browser draws is measured by tests.bench.map.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from dashboard.state.navigation import PAGES, script_of
from tests.bench import synthetic
from tests.bench.report import of_large
from tests.bench.timing import table

ROOT = Path(__file__).parents[2]
MAIN = ROOT / "dashboard" / "main.py"
ROUNDS = 7
TIMEOUT = 600
HEAD = ["page", "cold", "cold, CPU", "new session", "aim", "rerun", "aim", "slowest rerun"]
FIRST, RERUN = "≤ 1", "≤ 0.1"  # seconds


def measure(size: int = 100_000, db: Path | None = None) -> str:
    """The table, for a synthetic collection of this size, or for a database that is there."""
    with tempfile.TemporaryDirectory() as folder:
        if db is None:
            db = Path(folder) / "synthetic.duckdb"
            synthetic.make(db, size, stats=True)
        rows = [row(word or "overview", db) for word in PAGES]
    return (
        f"## The pages\n\nSynthetic collection of {size:,} pictures. Seconds of the page's script: as the first page of a "
        "server that has read nothing ahead, libraries imported in it, and of these of the processor, all threads; in a new "
        f"session of the same server; the median and the slowest of {ROUNDS} reruns. Probe has a picture of 800 × 600.\n\n"
        + table(HEAD, rows)
    )


def row(word: str, db: Path) -> list[str]:
    """A row of the table, measured in a process of its own."""
    command = [sys.executable, "-c", f"from tests.bench import pages; pages.print_times({word!r})"]
    environment = {**os.environ, "BILDERATLAS_DB": str(db.resolve()), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{word}: {done.stderr[-2000:]}")
    seconds = json.loads(done.stdout.splitlines()[-1])
    print(word, seconds, flush=True)
    cold, processor, session, rerun, slowest = seconds
    first = [f"{each:.2f}" for each in (cold, processor, session)]
    return [word, *first, FIRST, f"{rerun:.3f}", RERUN, f"{slowest:.3f}"]


def print_times(word: str) -> None:
    """Print what `seconds_of` finds, and end the process, in which the runtimes of AppTest have threads."""
    print(json.dumps(seconds_of(word)), flush=True)
    os._exit(0)


def seconds_of(word: str) -> list[float]:
    """Of a page in this process: cold, by the clock and by the processor; new session; median and slowest rerun."""
    import dashboard.app  # noqa: F401  (what a server has imported before anybody comes)

    cold, processor = timed(opened(word).run)
    again = opened(word)
    session, _ = timed(again.run)
    reruns = [timed(again.run)[0] for _ in range(ROUNDS)]
    problems = [each.value for each in (*again.error, *again.exception)]
    if problems or again.title[0].value != PAGES["" if word == "overview" else word].title:
        raise RuntimeError(f"{word}: {[each.value for each in again.title]}, {problems}")
    return [cold, processor, session, statistics.median(reruns), max(reruns)]


def opened(word: str) -> AppTest:
    """A new session that is about to open a page."""
    at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    if word == "probe":
        at.session_state["_probe"] = ("A picture", Image.effect_noise((800, 600), 60).convert("RGB"))
    return at if word == "overview" else at.switch_page(script_of(word))


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and by the processor."""
    began, processor = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - began, time.process_time() - processor


if __name__ == "__main__":
    of_large(measure, __doc__)
