"""A region from the first stroke to the file: drawn and kept on the page Similar, taken away as IIIF from the Map."""

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.compute import packing
from tests.browser.conftest import ROOT, idle, ingest

pytestmark = pytest.mark.browser


@pytest.fixture
def small(tmp_path, show) -> str:
    """A dashboard of four paintings and a tiny network, which the test may change."""
    db = tmp_path / "four.duckdb"
    ingest(ROOT / "examples" / "paintings", db, "--model", "tiny:vit", "--limit", "4")
    return show(db)


def test_a_region_is_drawn_kept_and_taken_away_as_an_annotation(small, open_page):
    page = open_page(f"{small}/similar?image=2")
    edges = page.locator("[data-testid=stMain] .stage img").bounding_box()
    page.mouse.move(edges["x"] + 0.2 * edges["width"], edges["y"] + 0.2 * edges["height"])
    page.mouse.down()
    page.mouse.move(edges["x"] + 0.6 * edges["width"], edges["y"] + 0.7 * edges["height"], steps=4)
    page.mouse.up()
    note = page.get_by_label("Note")
    note.fill("The claws")
    note.press("Enter")
    expect(page.get_by_text("The claws")).to_be_visible()
    idle(page)
    page = open_page(f"{small}/similar?image=2")
    expect(page.locator(".stage .box")).to_be_hidden()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".stage .box")).to_be_visible()
    idle(page)
    marked = packing.pack(np.array([1, 2]))
    page = open_page(
        f"{small}/map?selection_part=files&marked={marked}&iiif_folder=https://m.example/scans&iiif_peaks=2"
    )
    expect(page.get_by_text("2 pictures, 1 region.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the IIIF manifest").click()
    data = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert download.value.suggested_filename.endswith(".json") and len(data["items"]) == 2
    canvas = data["items"][1]
    first, second, kept = canvas["annotations"][0]["items"]
    assert kept["body"]["value"] == "The claws" and kept["target"].startswith(f"{canvas['id']}#xywh=")
    x, y, width, height = (int(number) for number in kept["target"].partition("=")[2].split(","))
    found = np.array([x, x + width]) / canvas["width"], np.array([y, y + height]) / canvas["height"]
    assert np.allclose(found, [[0.2, 0.6], [0.2, 0.7]], atol=0.02)
    assert first["body"]["value"].startswith("Peak 1 of attention")
    page = open_page(f"{small}/similar?image=2")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The claws")).to_be_hidden()
