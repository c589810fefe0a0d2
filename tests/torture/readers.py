"""Two people at the dashboard and one with an SQL client read while one ingest after the other writes."""

from __future__ import annotations

import statistics
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from store import sandbox
from store.errors import SqlTimeout
from tests.browser.conftest import ARGUMENTS, CHROMIUM, serve
from tests.torture import kills

PAGES = ("", "map", "similar", "attention", "heads", "aggregate", "sql")
QUERIES = (
    "SELECT count(*) FROM images",
    "SELECT * FROM catalogue ORDER BY year DESC",
    "SELECT * FROM nearest(1, 1, 20)",
    "SELECT method, layer, count(*), avg(list_sum(weights)) FROM attention GROUP BY ALL",
    "SELECT count(*) FROM range(20000) a, range(10000) b WHERE (a.range + b.range) % 7 = 0",  # goes on for a while
)
AT_A_TIME = 32  # pictures that come new for each ingest
TOO_LATE = "is in use by another"  # what the store says to those who have waited in vain


@dataclass
class Waits:
    """The seconds that each kind of reading took, and those that chunks waited before they could be written; and what
    failed."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    chunks: int = 0
    ingests: int = 0
    problems: list[str] = field(default_factory=list)

    def rows(self) -> list[tuple[str, int, float, float, float]]:
        """(what, how often, median, 95th percentile, longest) in seconds."""
        return [
            (what, len(found), statistics.median(found), sorted(found)[int(len(found) * 0.95)], max(found))
            for what, found in sorted(self.seconds.items())
        ]


def read_while_writing(scratch: Path, seconds: float, browsers: int = 2) -> Waits:
    """Reads for so many seconds while ingests write; `browsers` is 0 where there is no Chromium."""
    waits = Waits()
    folder, db = kills.make_pictures(scratch / "pictures", AT_A_TIME), scratch / "busy.duckdb"
    kills.undisturbed(folder, db)
    server, address = serve(db)
    until = time.monotonic() + seconds
    parts: list[Callable[[], None]] = [
        lambda: _write(folder, db, until, waits),
        lambda: _ask(db, until, waits),
        *[lambda turn=turn: _browse(address, turn, until, waits) for turn in range(browsers if CHROMIUM else 0)],
    ]
    threads = [threading.Thread(target=_guarded, args=(part, waits)) for part in parts]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if server.poll() is not None:
            waits.problems.append(f"the dashboard ended with exit code {server.returncode}")
    finally:
        server.terminate()
        server.wait(20)
    kills.check_sound(db)
    return waits


def _guarded(part: Callable[[], None], waits: Waits) -> None:
    try:
        part()
    except Exception:
        waits.problems.append(traceback.format_exc())


def _write(folder: Path, db: Path, until: float, waits: Waits) -> None:
    count = AT_A_TIME
    while time.monotonic() < until:
        kills.make_pictures(folder, AT_A_TIME, first=count)
        count += AT_A_TIME
        ended = kills.Life(folder, db, telling_waits).end()
        waits.ingests += 1
        found = [float(line.split()[1]) for line in ended.output.splitlines() if line.startswith("waited ")]
        waits.seconds["a write, until it may begin"] += found
        waits.chunks += len(found)
        if ended.code != 0:
            waits.problems.append(f"an ingest ended with {ended.code}: {ended.output[-300:]}")


def telling_waits() -> None:
    """This process says how long it waited before each write."""
    from store import connection

    opened = connection._open

    def timed(path: Path, wait: float, read_only: bool, *more: object, **others: object):
        began = time.monotonic()
        con = opened(path, wait, read_only, *more, **others)
        if not read_only:
            print(f"\nwaited {time.monotonic() - began:.3f}", file=sys.stderr)
        return con

    connection._open = timed


def _ask(db: Path, until: float, waits: Waits) -> None:
    turn = 0
    while time.monotonic() < until:
        began = time.monotonic()
        try:
            sandbox.query(db, QUERIES[turn % len(QUERIES)])
        except SqlTimeout:
            waits.seconds["an SQL query, stopped for its length"].append(time.monotonic() - began)
        except Exception as error:
            waits.problems.append(f"SQL: {error}")
        waits.seconds["an SQL query"].append(time.monotonic() - began)
        turn += 1


def _browse(address: str, turn: int, until: float, waits: Waits) -> None:
    from playwright.sync_api import sync_playwright

    def watch(response) -> None:
        if response.status >= 400 and "_stcore" not in response.url:
            waits.problems.append(f"{response.status} {response.url}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(120_000)
        page.on("response", watch)
        while time.monotonic() < until:
            name = PAGES[turn % len(PAGES)]
            began = time.monotonic()
            page.goto(f"{address}/{name}")
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
            page.wait_for_selector("h1")
            waits.seconds["a page of the dashboard"].append(time.monotonic() - began)
            text = page.locator("[data-testid=stMain]").inner_text()
            if TOO_LATE in text or page.locator("[data-testid=stException]").count():
                waits.problems.append(f"page {name or 'overview'}: {text[:300]}")
            turn += 1
        browser.close()
