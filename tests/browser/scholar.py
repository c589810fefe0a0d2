"""A scholar's collection for browser tests: thirty-one pictures with planted boats, dates, a near-duplicate, a detail that
two pictures share and a scan of many pixels; two networks, of which one reads words; maps whose clusters are known."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from python_calamine import CalamineWorkbook

from ingest import atlas, clusters
from ingest.vision.details import measuring
from store import connection, search, write
from tests.browser.conftest import ingest
from tests.browser.picture_map import HARMFUL
from tests.browser.steps import Steps
from tests.browser.test_dashboard import pieces
from tests.browser.windows import number
from tests.pages import database
from tests.support import PAINTINGS
from tests.support.databases import ask

NAME = "Pictures of a scholar"
SIDE = 420  # pixels of the longer side, but of the scan
SCAN, COPY, DETAIL = "scan.png", "van-gogh-night-cafe-postcard.jpg", "hokusai-great-wave-1829.jpg"
ELSEWHERE = "van-gogh-harvest-1888.jpg"
PART, PASTED = (0.1, 0.3, 0.45, 0.75), (150, 40)  # of DETAIL, in shares; where it lies in ELSEWHERE, in pixels
TITLES = {  # beside the four with boats one that is no good as HTML
    "duerer-lion-1494.jpg": HARMFUL,
    "hokusai-great-wave-1829.jpg": "Boats under the Great Wave",
    "hokusai-kazusa-sea-route-1830.jpg": "Boats on the Kazusa Sea Route",
    "hokusai-ryogoku-bridge-1830.jpg": "Ferry boats at the Ryōgoku Bridge",
    "van-gogh-langlois-bridge-1888.jpg": "Langlois Bridge, with boats",
}
DATES = {
    "bellini-pala-di-pesaro-1475.jpg": "1470–1480",
    "arcimboldo-spring-1573.jpg": "16th century",
    SCAN: "1650–1700",
}
COUNTRIES = {"Japan": (0.0, 0.0), "Netherlands": (12.0, 0.0)}  # where they lie on the first map; the rest elsewhere
REST = (6.0, 10.0)


def make(db: Path) -> None:
    """The database, its pictures in a folder beside it."""
    folder = db.with_suffix("")
    folder.mkdir()
    facts = _pictures(folder)
    with connection.writing(db) as con:  # an older run of another network
        write.add_run(con, write.add_collection(con, NAME, str(folder)), database.run_record(size=112))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "CROPS", 2)
        patch.setattr(measuring, "SIDES", (8,))
        words = ("--collection", NAME, "--methods", "cls", "--project", "none", "--patches")
        ingest(folder, db, "--model", "tiny:clip", *words)
    with connection.writing(db) as con:
        images = con.execute("SELECT image_id, width, height FROM images ORDER BY image_id").fetchall()
        ids, sizes = np.array([number for number, *_ in images]), [(width, height) for _, width, height in images]
        write.add_results(con, 1, database.results(ids, sizes))
    for run in (1, 2):
        _lay_out(db, run, facts)


def _pictures(folder: Path) -> dict[str, dict]:
    """Writes pictures and table; returns what is known of each."""
    facts = database.metadata()
    for name in facts:
        picture = Image.open(PAINTINGS / name).convert("RGB")
        picture.thumbnail((SIDE, SIDE))
        picture.save(folder / name, quality=90)
    cafe, wave, field = (Image.open(folder / name) for name in ("van-gogh-night-cafe-1888.jpg", DETAIL, ELSEWHERE))
    cafe.save(folder / COPY, quality=60)
    field.paste(wave.crop(tuple(int(edge * side) for edge, side in zip(PART, wave.size * 2, strict=True))), PASTED)
    field.save(folder / ELSEWHERE, quality=92)
    Image.fromarray((np.indices((1400, 2000)).sum(0) % 2 * 255).astype(np.uint8)).save(folder / SCAN)
    facts[COPY] = facts["van-gogh-night-cafe-1888.jpg"] | {"title": "The Night Café (postcard)", "year": 1905}
    facts[SCAN] = {"title": "Chequered scan", "artist": "Nobody", "country": "Italy"}
    for name, fact in facts.items():
        fact["title"] = TITLES.get(name, fact["title"])
        fact["date"] = DATES.get(name, str(fact.pop("year", "")))
        fact.pop("movement", None)
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, ("file", "title", "artist", "date", "country"))
        rows.writeheader()
        rows.writerows({"file": name} | fact for name, fact in sorted(facts.items()))
    return facts


def _lay_out(db: Path, run: int, facts: dict[str, dict]) -> None:
    """A map on which pictures of one country lie together; that of the second run lies on its side, some elsewhere."""
    random = np.random.default_rng(run)
    names = sorted(facts)
    middles = np.array([COUNTRIES.get(facts[name]["country"], REST) for name in names])
    xy = middles + 0.7 * random.normal(size=(len(names), 2))
    with connection.reading(db) as con:
        ids, vectors = search.features(con, run)
        found = dict(con.execute("SELECT path, image_id FROM images").fetchall())
    places = np.argsort([found[name] for name in names])
    with connection.writing(db) as con:
        write.add_projection(con, run, "umap", {"planted": True}, ids, (xy if run == 1 else xy[:, ::-1])[places])
    clusters.make(db, run, ids, vectors, log=lambda line: None)
    atlas.make(db, run)


# ---- what several tasks begin with, and where a detail is ---------------------------------------------------------------


def select_boats(steps: Steps) -> None:
    """All pictures with boats in their title, on Overview."""
    page = steps.page
    steps.type("boats", page.get_by_role("textbox", name="Words"))
    steps.press("Enter")
    expect(pieces(page)).to_have_count(4)
    steps.click(pieces(page).first, "the first picture")
    steps.press("Control+a")
    expect(page.locator(".dock .count")).to_have_text("4")


def tag(steps: Steps, word: str) -> None:
    """What is selected, in the dialog, which stays open."""
    page = steps.page
    steps.press("t")
    expect(page.get_by_label("Tag", exact=True)).to_be_focused()
    steps.type(word)
    steps.press("Enter")
    expect(page.get_by_role("dialog").get_by_text(f"{word} · 4 of 4")).to_be_visible()


def corners(page: Page, db: Path) -> list[tuple[float, float]]:
    """Of the detail that two pictures share, where the viewer shows all of one in its middle."""
    ((width, height),) = ask(db, "SELECT width, height FROM images WHERE path = ?", DETAIL)
    box, scale = page.locator(".deep").bounding_box(), number(page.locator(".viewer"), "scale")
    left, top = box["x"] + (box["width"] - width * scale) / 2, box["y"] + (box["height"] - height * scale) / 2
    x0, y0, x1, y1 = PART
    return [(left + x * width * scale, top + y * height * scale) for x, y in ((x0, y0), (x1, y1))]


# ---- what came of a task ---------------------------------------------------------------------------------------------


def numbers(db: Path, where: str) -> list[int]:
    """The pictures for which a condition holds."""
    return [number for (number,) in ask(db, f"SELECT image_id FROM catalogue WHERE {where} ORDER BY image_id")]


def tagged(db: Path, word: str) -> list[int]:
    return [number for (number,) in ask(db, "SELECT image_id FROM tags WHERE tag = ? ORDER BY image_id", word)]


def workbook(data: bytes) -> list[dict]:
    """The rows of the first sheet."""
    header, *rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    return [dict(zip(header, row, strict=True)) for row in rows]
