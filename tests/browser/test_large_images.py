"""The page Large images by hand: boxes exactly on what was selected, a click brings one into view."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.windows import number, resting
from tests.support import commands
from tests.support.databases import ask

pytestmark = pytest.mark.browser

WIDTH, HEIGHT, SIDE = 2400, 1600, 400


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """A scan whose patches are of one texture, but for one of another; no network was run on it."""
    folder = tmp_path_factory.mktemp("large")
    tile = np.random.default_rng(0).integers(60, 200, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8)
    values = np.tile(np.kron(tile, np.ones((8, 8, 1), np.uint8)), (HEIGHT // SIDE, WIDTH // SIDE, 1))
    values[800:1200, 1600:2000] = np.linspace(0, 255, SIDE).astype(np.uint8)[:, None]
    tifffile.imwrite(folder / "scan.tif", values, photometric="rgb", tile=(256, 256), compression="zlib")
    db = folder / "large.duckdb"
    words = ("--model", "tiny:dinov2", "--scorer", "rarity", "--patch-size", SIDE, "--top", 6)
    assert commands.run("patches", folder, *words, db=db).code == 0
    return db


def test_the_patches_lie_on_the_scan_and_come_into_view(large, show, open_page):
    page = open_page(f"{show(large)}/large_images")
    boxes = page.locator(".patch")
    expect(boxes).to_have_count(6)
    (best,) = ask(large, "SELECT x0, y0, x1, y1 FROM patches WHERE rank = 1")
    assert best == (1600, 800, 2000, 1200)
    scale = number(page.locator(".viewer"), "scale")
    # The best is drawn last, and is a patch of the scan in size.
    box = resting(boxes.last)
    assert box["width"] == pytest.approx(SIDE * scale, abs=2) and boxes.last.inner_text().startswith("1: ")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".patch.now")).to_have_count(1)
    idle(page)
    # It fills the viewer but for what is around it.
    expect(page.locator(".patch.now")).to_contain_text("1: ")
    stage = page.locator(".stage").bounding_box()
    now = resting(page.locator(".patch.now"))
    assert now["width"] > 2 * box["width"]
    assert now["x"] >= stage["x"] - 2 and now["x"] + now["width"] <= stage["x"] + stage["width"] + 2
    page.keyboard.press("0")
    assert resting(page.locator(".patch.now"))["width"] == pytest.approx(box["width"], abs=2)
