"""The map of pictures in a real browser that draws in software: `python -m tests.bench.map [--quick] [--sizes 1000 ...]`.

Synthetic collections, the thumbnails of the sample paintings repeated with jitter, beside the same pictures as Plotly
layout images. A frame is the time from one animation frame to the next while a mouse drags the map or turns its wheel.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Locator, Page, sync_playwright

from store import connection
from tests.bench import plotly_map, synthetic
from tests.bench.report import update
from tests.bench.timing import table
from tests.browser.conftest import CHROMIUM, serve
from tests.browser.windows import VISITED

SIZES, PLOTLY = (1_000, 10_000, 100_000, 300_000), (1_000, 3_000)
FRAMES = 60
AIMS = {10_000: "≤ 1", 100_000: "≤ 1.5"}  # seconds to the first picture of a warm visit
WINDOW = {"width": 1400, "height": 1000}
BROWSER = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
)
# Looks into shadow roots for the map, and notes when it is complete and when it is sharp.
WATCH = """
window.__map = () => { let found = null; const seek = root => { for (const e of root.querySelectorAll('*')) {
  if (e.classList?.contains('map') && e.dataset) found = e; if (e.shadowRoot) seek(e.shadowRoot); } };
  seek(document); return found; };
window.__times = {};
const look = () => { const d = window.__map()?.dataset;
  if (window.__map()) window.__times.mounted ??= performance.now();
  if (d && Number(d.drawn) > 0) { const t = window.__times, now = performance.now();
    if (d.empty === '0') t.complete ??= now; if (d.waiting === '0') t.sharp ??= now; }
  if (!window.__times.sharp) setTimeout(look, 15); };
look();
"""
# Notes the time of every animation frame until told to stop.
CLOCK = """
window.__clock = {times: [], on: true};
const tick = now => { window.__clock.times.push(now); if (window.__clock.on) requestAnimationFrame(tick); };
requestAnimationFrame(tick);
"""
# Waits for a gallery of what is selected that shows the first of it, and says how many and how long that took.
GALLERY = """
async () => {
  const began = performance.now(), seek = (root, count) => { for (const e of root.querySelectorAll('*')) {
    if (e.classList?.contains('wall') && e.dataset.pictures === count) return e;
    const found = e.shadowRoot && seek(e.shadowRoot, count); if (found) return found; } return null; };
  for (;;) {
    const count = window.__map().dataset.selected;
    const images = count === '0' ? [] : [...(seek(document, count)?.querySelectorAll('img') ?? [])].slice(0, 6);
    if (images.length && images.every(image => image.complete && image.naturalWidth)) {
      return [Number(count), performance.now() - began];
    }
    if (performance.now() - began > 60000) throw new Error('no gallery of ' + count);
    await new Promise(done => setTimeout(done, 5));
  }
}
"""
WIDE = """
(stage, wide) => new Promise(done => {
  const look = () => stage.clientWidth >= wide - 1 ? done() : setTimeout(look, 30);
  look();
})
"""
STOP = "window.__clock.on = false, window.__clock.times.slice(1).map((t, i) => t - window.__clock.times[i])"


@dataclass(frozen=True)
class Figures:
    """Seconds from the start of the page to the first complete picture, cold and warm, to a sharp one, and from the map's
    place on the page to a complete one; milliseconds a frame, median and 95th percentile; megabytes over the wire and
    in memory, of the page's process and the GPU's; the pictures in a box and the seconds from it to their gallery."""

    cold: float
    warm: float
    sharp: float
    alone: float
    pan: tuple[float, float]
    zoom: tuple[float, float] | None
    megabytes: float
    drawn: int
    memory: float
    boxed: tuple[int, float] | None = None


def measure(
    sizes: tuple[int, ...] = SIZES, plotly: tuple[int, ...] = PLOTLY, rounds: int = 3, keep: Path | None = None
) -> str:
    """The table, with ratios to the smallest map and to Plotly at the same size. Databases are taken from the folder
    `keep`, and left there."""
    canvas: dict[int, Figures] = {}
    layout: dict[int, Figures] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(BROWSER))
        for n in sorted({*sizes, *plotly}):
            db = (keep or Path(folder)) / f"{n}.duckdb"
            if not db.exists():
                print(f"{n:,} pictures written, their atlas in {synthetic.make(db, n):.0f} s", flush=True)
            with served(db) as address:
                if n in sizes:
                    canvas[n] = of_canvas(browser, address, rounds)
                    print(n, canvas[n], flush=True)
                if n in plotly:
                    layout[n] = of_plotly(browser, address, db, n, Path(folder), rounds)
                    print(n, layout[n], flush=True)
            if keep is None:
                db.unlink()
        browser.close()
    return report(canvas, layout)


def report(canvas: dict[int, Figures], layout: dict[int, Figures]) -> str:
    """Both as one Markdown table."""
    base = canvas[min(canvas)].pan[0]
    rows = [
        _row(f"canvas, {n:,}", f, f"{f.pan[0] / base:.2f}", layout.get(n), AIMS.get(n, "")) for n, f in canvas.items()
    ]
    rows += [_row(f"Plotly, {n:,}", f, f"{f.pan[0] / base:.2f}") for n, f in layout.items()]
    head = [
        "case",
        "drawn",
        "first picture, cold s",
        "warm s",
        "aim",
        "sharp, warm s",
        "map alone, warm s",
        "pan ms (p95)",
        "zoom ms (p95)",
        "box to gallery s (pictures)",
    ]
    head += ["MB over the wire", "MB in memory", f"pan / canvas {min(canvas):,}", "warm / Plotly"]
    return (
        "## The map of pictures\n\nHeadless Chromium drawing in software (SwiftShader), "
        f"{WINDOW['width']} × {WINDOW['height']}. Median and 95th percentile of {FRAMES} frames, medians of the rounds.\n\n"
        + table(head, rows)
    )


def _row(name: str, f: Figures, ratio: str, plotly: Figures | None = None, aim: str = "") -> list[str]:
    zoom = "" if f.zoom is None else f"{f.zoom[0]:.0f} ({f.zoom[1]:.0f})"
    cells = [
        name,
        f"{f.drawn:,}",
        f"{f.cold:.2f}",
        f"{f.warm:.2f}",
        aim,
        f"{f.sharp:.2f}",
        f"{f.alone:.2f}",
        f"{f.pan[0]:.0f} ({f.pan[1]:.0f})",
    ]
    boxed = "" if f.boxed is None else f"{f.boxed[1]:.2f} ({f.boxed[0]:,})"
    return [
        *cells,
        zoom,
        boxed,
        f"{f.megabytes:.1f}",
        f"{f.memory:.0f}",
        ratio,
        "" if plotly is None else f"{f.warm / plotly.warm:.2f}",
    ]


# ---- the browser ----------------------------------------------------------------------------------------------------


@contextmanager
def served(db: Path) -> Iterator[str]:
    process, address = serve(db)
    try:
        yield address
    finally:
        process.terminate()
        process.wait(10)


def of_canvas(browser: Any, address: str, rounds: int) -> Figures:
    cold, warm, sharp, alone, pans, zooms, drawn = [], [], [], [], [], [], 0
    with page_of(browser) as (page, wire):
        for turn in range(rounds + 1):
            page.goto("about:blank")  # what the last round left is drawn to its end: it is no part of this visit
            page.wait_for_timeout(3000)
            page.goto(f"{address}/map")
            page.wait_for_function("window.__times.sharp !== undefined", timeout=300_000, polling=50)
            times = page.evaluate("window.__times")
            if turn == 0:
                cold, megabytes = [times["complete"] / 1000], wire() / 1e6
                continue
            warm.append(times["complete"] / 1000)
            sharp.append(times["sharp"] / 1000)
            alone.append((times["complete"] - times["mounted"]) / 1000)
            drawn = int(page.evaluate("window.__map().dataset.drawn"))
            page.wait_for_timeout(1000)
            pans += frames(page, page.locator(".map .stage"), pan)
            zooms += frames(page, page.locator(".map .stage"), zoom)
        used = memory(browser)
        page.goto(f"{address}/map")
        page.wait_for_function("window.__times.sharp !== undefined", timeout=300_000, polling=50)
        boxed = box(page)
    times = (cold[0], middle(warm), middle(sharp), middle(alone), both(pans), both(zooms))
    return Figures(*times, megabytes, drawn, used, boxed)


def box(page: Page, share: float = 0.2, tries: int = 6) -> tuple[int, float]:
    """How many pictures a box in the middle selects, about this share of all, and the seconds to their gallery."""
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Select with a box").click()
    points = int(page.evaluate("window.__map().dataset.points"))
    stage = page.locator(".map .stage")
    wide = stage.bounding_box()["width"]
    low, high, seconds, count = 0.0, 1.0, [], 0
    for turn in range(tries + 3):
        drag(page, (low + high) / 2)
        if turn < tries:
            page.wait_for_timeout(500)
            count = int(page.evaluate("window.__map().dataset.selected"))
            low, high = ((low + high) / 2, high) if count < share * points else (low, (low + high) / 2)
        else:
            count, milliseconds = page.evaluate(GALLERY)
            seconds.append(milliseconds / 1000)
        if count:
            page.get_by_role("button", name="Clear selection (Escape)").click()
            page.wait_for_function("window.__map().dataset.selected === '0'")
            stage.evaluate(WIDE, wide)  # the panel beside it is gone
        page.wait_for_timeout(1500)
    return count, middle(seconds)


def drag(page: Page, side: float) -> None:
    """A box of this share of the map's sides, about its middle."""
    area = page.locator(".map .stage").bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    dx, dy = area["width"] * side / 2, area["height"] * side / 2
    page.mouse.move(x - dx, y - dy)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=3)
    page.mouse.up()


def memory(browser: Any) -> float:
    """Megabytes that the largest page's process and the GPU's process hold."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    held: dict[str, list[float]] = {}
    for process in found:
        status = Path(f"/proc/{process['id']}/status").read_text()
        kilobytes = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0)
        held.setdefault(process["type"], []).append(kilobytes / 1000)
    return sum(max(held.get(kind, [0.0])) for kind in ("renderer", "GPU"))


def of_plotly(browser: Any, address: str, db: Path, n: int, folder: Path, rounds: int) -> Figures:
    from store import atlas as stored

    with connection.reading(db) as con:
        layout = stored.layout(con, 1)
    frame = pd.DataFrame({"image_id": layout.ids, "x": layout.xy[:, 0], "y": layout.xy[:, 1], "hover": ""})
    frame["width"], frame["height"] = layout.sizes[:, 0], layout.sizes[:, 1]
    sources = {int(i): f"{address}/thumb/{i}?v=0" for i in layout.ids}
    file = folder / "plotly.html"
    file.write_text(plotly_map.figure(frame, sources).to_html(include_plotlyjs=True))
    done = f"performance.getEntriesByType('resource').filter(e => e.name.includes('/thumb/')).length >= {n}"
    times, pans = [], []
    with page_of(browser) as (page, wire):
        page.add_init_script("performance.setResourceTimingBufferSize(50000)")
        for turn in range(min(rounds, 2) + 1):
            page.goto("about:blank")
            page.wait_for_timeout(3000)
            page.goto(file.as_uri(), wait_until="commit")
            page.wait_for_function(done, timeout=300_000, polling=20)
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            times.append(page.evaluate("performance.now()") / 1000)
            if turn == 0:
                megabytes = wire() / 1e6
        pans = frames(page, page.locator(".nsewdrag").first, pan)
        used = memory(browser)
    warm = middle(times[1:])
    return Figures(times[0], warm, warm, warm, both(pans), None, megabytes, n, used)


@contextmanager
def page_of(browser: Any) -> Iterator[tuple[Page, Callable[[], float]]]:
    """A page with an empty cache, and what asks for the bytes that came over the wire."""
    context = browser.new_context(viewport=WINDOW)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.add_init_script(VISITED)
    client, total = context.new_cdp_session(page), [0.0]

    def add(size: float) -> None:
        total[0] += size

    client.send("Network.enable")
    client.on("Network.loadingFinished", lambda event: add(event["encodedDataLength"]))
    client.on("Network.webSocketFrameReceived", lambda event: add(len(event["response"]["payloadData"]) * 0.75))
    yield page, lambda: total[0]
    context.close()


def frames(page: Page, area: Locator, move: Callable[[Page, float, float], None]) -> list[float]:
    """The milliseconds between animation frames while a mouse moves in the middle of an area."""
    box = area.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.5)
    page.evaluate(CLOCK)
    move(page, box["x"] + box["width"] * 0.45, box["y"] + box["height"] * 0.5)
    return page.evaluate(STOP)


def pan(page: Page, x: float, y: float) -> None:
    """Round in a circle with the button held down."""
    page.mouse.down()
    for turn in np.linspace(0, 2 * np.pi, FRAMES):
        page.mouse.move(x + 150 * np.sin(turn), y + 100 * (1 - np.cos(turn)))
    page.mouse.up()


def zoom(page: Page, x: float, y: float) -> None:
    """All the way in and half the way out again."""
    for step in range(FRAMES):
        page.mouse.wheel(0, -150 if step < 2 * FRAMES // 3 else 150)
        page.evaluate("new Promise(requestAnimationFrame)")  # a turn of the wheel waits for nothing by itself


def both(times: list[float]) -> tuple[float, float]:
    return statistics.median(times), float(np.percentile(times, 95))


def middle(times: list[float]) -> float:
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 and 10,000 pictures, one round")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--plotly", type=int, nargs="*", default=list(PLOTLY))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the databases, to be used again")
    arguments = parser.parse_args()
    if arguments.quick:
        print(measure((1_000, 10_000), (1_000,), 1, arguments.keep))
        return
    found = measure(tuple(arguments.sizes), tuple(arguments.plotly), arguments.rounds, arguments.keep)
    print(found)
    if (*arguments.sizes,) == SIZES and (*arguments.plotly,) == PLOTLY:
        update([found])


if __name__ == "__main__":
    main()
