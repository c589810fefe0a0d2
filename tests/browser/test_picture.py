"""The page Picture by hand: down to the scan's own pixels, by keys to other pictures, with a note and a region that stay."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, address_of, idle, ingest
from tests.browser.test_dashboard import query
from tests.support.databases import ask

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 2400, 1500
CELL, AT = 8, (1600, 800)  # of a chequered pattern of colours, and its left upper corner
PATTERN = np.random.default_rng(5).integers(0, 2, (16, 16, 3)).astype(np.uint8) * 200 + 20


def scan() -> np.ndarray:
    values = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    block = np.kron(PATTERN, np.ones((CELL, CELL, 1), np.uint8))
    values[AT[1] : AT[1] + len(block), AT[0] : AT[0] + len(block)] = block
    return values


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Path:
    """A database of a scan between two paintings, by their names, and a tiny network; the tests may change it."""
    folder = tmp_path_factory.mktemp("picture")
    paintings = ROOT / "examples" / "paintings"
    shutil.copy(paintings / "hokusai-ejiri-1830.jpg", folder / "a.jpg")
    shutil.copy(paintings / "leonardo-mona-lisa-1503.jpg", folder / "c.jpg")
    tifffile.imwrite(folder / "b.tif", scan(), photometric="rgb", tile=(256, 256), compression="zlib")
    db = folder / "three.duckdb"
    ingest(folder, db, "--model", "tiny:vit", "--fit", "crop", "--project", "none")
    return db


@pytest.fixture
def small(three, show) -> tuple[str, Path]:
    """The dashboard's address and its database."""
    return show(three), three


def state(page) -> dict:
    return page.locator(".viewer").evaluate("element => ({...element.dataset})")


def scale_is(page, test: str) -> None:
    """Waits until the scale of the picture on the screen, `scale`, fulfils a condition of JavaScript."""
    page.wait_for_function(
        f"element => {{ const scale = Number(element.dataset.scale); return {test}; }}",
        arg=page.locator(".viewer").element_handle(),
    )


def look(page, test, tries: int = 60) -> None:
    """Waits until the stage's pixels fulfil a condition: tiles come one after the other."""
    for _ in range(tries):
        pixels = np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB")).astype(int)
        if test(pixels):
            return
        page.wait_for_timeout(200)
    raise AssertionError("the picture does not become what it should be")


def test_the_wheel_leads_to_the_scan_s_own_pixels(small, open_page):
    address, _ = small
    page = open_page(f"{address}/picture?image=2")
    scale_is(page, "scale > 0 && scale < 1")
    start = float(state(page)["scale"])
    stage = page.locator(".stage").bounding_box()
    centre = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    size = len(PATTERN) * CELL
    middle = ((AT[0] + size / 2 - WIDTH / 2) * start, (AT[1] + size / 2 - HEIGHT / 2) * start)
    page.mouse.move(centre[0] + middle[0], centre[1] + middle[1])
    for _ in range(30):
        page.mouse.wheel(0, -120)
        page.wait_for_timeout(30)
        if float(state(page)["scale"]) > 1:
            break
    scale_is(page, "scale > 1")
    page.keyboard.press("1")
    scale_is(page, "Math.abs(scale - 1) < 0.0005")

    def planted(pixels: np.ndarray) -> bool:
        """Whether the pattern lies somewhere, its cells as large as in the scan."""
        there = np.abs(pixels - 128).min(axis=2) > 60
        rows, cols = (np.flatnonzero(there.sum(axis=axis) > size / 2) for axis in (1, 0))
        if min(len(rows), len(cols)) < 2 or min(np.ptp(rows), np.ptp(cols)) < size - 4:
            return False
        top, left = rows[0] + CELL // 2, cols[0] + CELL // 2
        cells = pixels[top : top + size - 1 : CELL, left : left + size - 1 : CELL]
        return cells.shape == PATTERN.shape and np.array_equal(cells > 120, PATTERN > 120)

    look(page, lambda pixels: planted(pixels[60:-60, 4:-4]))  # without tools and border
    page.wait_for_url(lambda address: "picture_view" in address)
    x, y, width, height = (int(part) for part in query(page)["picture_view"].split(","))
    assert x <= AT[0] and y <= AT[1] and x + width >= AT[0] + size and y + height >= AT[1] + size
    page.keyboard.press("0")
    scale_is(page, f"Math.abs(scale - {start}) < 0.001")
    page.wait_for_url(lambda address: "picture_view" not in address)


def test_the_map_lies_on_the_frame_and_keys_lead_to_other_pictures(small, open_page):
    address, db = small
    page = open_page(f"{address}/picture?image=2&picture_method=cls")
    layer = page.locator(".viewer .map")
    expect(layer).to_be_visible()
    scale_is(page, "scale > 0")
    edges, stage, scale = layer.bounding_box(), page.locator(".deep").bounding_box(), float(state(page)["scale"])
    ((x0, y0, x1, y1),) = ask(db, "SELECT x0, y0, x1, y1 FROM frames WHERE image_id = 2")
    assert x0 > 0  # cut
    left, top = (
        stage["x"] + stage["width"] / 2 - WIDTH / 2 * scale,
        stage["y"] + stage["height"] / 2 - HEIGHT / 2 * scale,
    )
    expected = (left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale)
    assert [edges[name] for name in ("x", "y", "width", "height")] == pytest.approx(expected, abs=1)
    expect(page.locator(".place")).to_contain_text("2 of 3 by file name")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".place")).to_contain_text("3 of 3 by file name")
    expect(page.locator(".tool-next")).to_be_disabled()
    assert "image=3" in address_of(page)
    page.keyboard.press("ArrowLeft")
    page.locator(".tool-previous").click()  # before the page has come to show the second
    expect(page.locator(".place")).to_contain_text("1 of 3 by file name")
    assert "image=1" in address_of(page)


def test_a_note_and_a_region_stay(small, open_page):
    address, _ = small
    page = open_page(f"{address}/picture?image=3")
    scale_is(page, "scale > 0")
    page.get_by_role("combobox", name="Image").click()  # a choice in the sidebar leaves the keys to the picture
    page.get_by_role("option").nth(2).click()
    idle(page)
    page.get_by_role("button", name="Copy link").focus()
    page.keyboard.press("r")
    expect(page.locator(".viewer .cover")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    stage = page.locator(".deep").bounding_box()
    scale = float(state(page)["scale"])
    centre = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.mouse.move(centre[0], centre[1])
    page.mouse.down()
    page.mouse.move(centre[0] + 100 * scale, centre[1] + 50 * scale, steps=4)
    page.mouse.up()
    note = page.get_by_label("Note on the region")
    expect(note).to_be_focused()
    page.keyboard.type("The 10 frail hands")  # 1, 0, f and r are keys of the viewer elsewhere
    page.keyboard.press("Enter")
    expect(note).to_be_hidden()
    expect(page.get_by_text("100 × 50 px")).to_be_visible()
    page.mouse.move(centre[0], centre[1] - 20)  # the tool is still in the hand
    page.mouse.down()
    page.mouse.move(centre[0] - 60, centre[1] - 60, steps=4)
    page.mouse.up()
    expect(note).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".viewer .region")).to_have_count(1)
    idle(page)
    for key in (
        "r",
        "+",
        "+",
        "ArrowRight",
        "ArrowRight",
        "Enter",
    ):  # by keys alone: the part in view, beside the middle
        page.keyboard.press(key)
    expect(note).to_be_focused()
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_enabled()
    page.get_by_role("button", name="Save", exact=True).click(trial=True)  # nothing lies over it
    page.keyboard.type("By keys")
    page.keyboard.press("Enter")
    expect(page.locator(".viewer .region")).to_have_count(2)
    assert "image=3" in address_of(page)
    note = page.get_by_label("A note on the picture")
    note.fill("Sfumato")
    page.get_by_role("button", name="Save the note").click()
    expect(page.get_by_text("Sfumato")).to_be_visible()
    idle(page)
    page.reload()
    expect(page.get_by_text("Sfumato")).to_be_visible()
    expect(page.locator(".viewer .region")).to_have_text(["The 10 frail hands", "By keys"])
