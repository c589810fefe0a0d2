"""A very large collection on this machine: `python -m tests.bench.million [--size N] [--db FILE]`.

How fast pictures are loaded, the size of the file, the map in a browser (first view, frames, a box about a fifth of the
pictures, a tag for them), filters, search, and what the server holds in memory after all that. A million need 15 GB of
disk.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.testing.v1 import AppTest

from tests.bench import charts, synthetic
from tests.bench import map as picture_map
from tests.bench.pages import MAIN, TIMEOUT, timed
from tests.bench.report import of_large
from tests.bench.timing import table
from tests.browser.conftest import CHROMIUM, serve

ROUNDS = 5
PATIENCE = 300_000  # milliseconds
Row = tuple[str, str, str]


def measure(size: int = 1_000_000, db: Path | None = None) -> str:
    """The table, for a synthetic collection of this size, or for a database that is there."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        if db is None:
            db = Path(folder) / "synthetic.duckdb"
            began = time.perf_counter()
            atlas = synthetic.make(db, size)
            loading = size / (time.perf_counter() - began - atlas)
            rows += [("loaded, pictures a second (no network, no maps)", f"{loading:,.0f}", ""), ("sheets of thumbnails, s", f"{atlas:.0f}", "")]  # fmt: skip
        rows.append(("database, GB", f"{db.stat().st_size / 1e9:.1f}", ""))
        rows += in_browser(db)
        # In a process of its own, as AppTest leaves threads behind.
        code = f"import os; from tests.bench import million; million.print_filters({str(db)!r}); os._exit(0)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        rows += [tuple(line.split("\t")) for line in done.stdout.splitlines() if line.count("\t") == 2]
    return (
        f"## A very large collection\n\nSynthetic collection of {size:,} pictures; headless Chromium drawing in software. Map: "
        "seconds from the address to the first complete picture. Selecting: seconds from a box to its gallery. "
        "Filters: seconds of the page's script, each a filter that nobody asked for before.\n\n"
        + table(["what", "figure", "aim"], [list(row) for row in rows])
    )


def in_browser(db: Path) -> list[Row]:
    """The map, selecting, tagging, and the server's memory when all is done."""
    process, address = serve(db)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(picture_map.BROWSER))
            figures = picture_map.of_canvas(browser, address, 2)
            print(figures, flush=True)
            tagged, seconds = tag(browser, address)
            browser.close()
        held = memory(process.pid)
    finally:
        process.terminate()
        process.wait(20)
    count, gallery = figures.boxed or (0, 0.0)
    return [
        ("map cold, s", f"{figures.cold:.2f}", "≤ 6"),
        ("map warm, s", f"{figures.warm:.2f}", "≤ 3"),
        ("of these the map alone, s", f"{figures.alone:.2f}", ""),
        ("sharp, s", f"{figures.sharp:.2f}", ""),
        ("pictures drawn", f"{figures.drawn:,}", ""),
        ("a frame while dragging, ms", f"{figures.pan[0]:.0f}", ""),
        ("95th percentile, ms", f"{figures.pan[1]:.0f}", ""),
        ("the browser's memory, MB", f"{figures.memory:.0f}", ""),
        (f"a box about {count:,} to their gallery, s", f"{gallery:.2f}", ""),
        (f"a tag for {tagged:,}, s", f"{seconds:.2f}", ""),
        ("most memory of the server, GB", f"{held:.2f}", "≤ 4"),
    ]


def tag(browser: Browser, address: str, share: float = 0.5) -> tuple[int, float]:
    """How many pictures a box of this share of the sides selects, and the seconds from Enter until they have a tag."""
    with picture_map.page_of(browser) as (page, _):
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/map")
        page.wait_for_function("window.__times.sharp !== undefined", timeout=PATIENCE, polling=50)
        page.wait_for_timeout(2000)
        page.get_by_role("button", name="Select with a box").click()
        picture_map.drag(page, share)
        count = int(page.evaluate(picture_map.GALLERY)[0])
        page.wait_for_timeout(3000)
        return count, typed(page, count)


def typed(page: Page, count: int) -> float:
    page.keyboard.press("t")
    field = page.get_by_label("Tag", exact=True)
    expect(field).to_be_focused(timeout=PATIENCE)
    word = f"box {time.time():.0f}"  # which nobody has typed before into a database that is measured again
    page.keyboard.type(word)
    began = time.perf_counter()
    page.keyboard.press("Enter")
    counted = page.get_by_role("dialog").get_by_text(f"{word} · {count:,} of {count:,}")
    expect(counted).to_be_visible(timeout=PATIENCE)
    return time.perf_counter() - began


def memory(pid: int) -> float:
    """The most that a process has held, in GB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1e6


def print_filters(db: str) -> None:
    """Filters of the map, and search by a picture, as rows between tabs."""
    os.environ["BILDERATLAS_DB"] = db
    at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    at.switch_page("views/map/map.py").run()
    for name, conditions in charts.FILTERS.items():
        seconds = [charts.clicked(at, conditions(turn)) for turn in range(1, ROUNDS + 1)]
        print(f"filter by {name}, s\t{statistics.median(seconds):.2f}\t≤ 0.5")
    at = AppTest.from_file(str(MAIN), default_timeout=TIMEOUT)
    at.query_params["image"] = "1"
    first, _ = timed(at.switch_page("views/similar/similar.py").run)
    print(f"the pictures most like one, s, first\t{first:.2f}\t")
    seconds = []
    for turn in range(ROUNDS):
        at.query_params["image"] = str(100 + turn)
        seconds.append(timed(at.run)[0])
    print(f"the pictures most like another, s\t{statistics.median(seconds):.2f}\t")


if __name__ == "__main__":
    of_large(measure, __doc__)
