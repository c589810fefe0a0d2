"""The canvas of the map under fingers, and when the graphics card lets it down."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.picture_map import PictureMap
from tests.browser.test_map import POINTS, map_address, planted  # noqa: F401

pytestmark = pytest.mark.browser


class Fingers:
    """Touches on a page, in pixels of the window. `End` with places lifts these fingers, without any all of them."""

    def __init__(self, page):
        self.client = page.context.new_cdp_session(page)

    def __call__(self, kind: str, *places: tuple[float, float], first: int = 0) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places, first)]
        self.client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})


@pytest.fixture
def touched(open_page, map_address):  # noqa: F811
    page = open_page(map_address, has_touch=True)
    return page, PictureMap(page), Fingers(page)


def test_a_tap_selects_and_a_drag_does_not(touched):
    page, canvas, touch = touched
    x, y = canvas.place(*POINTS[4])
    touch("Start", (x, y))
    touch("End")
    idle(page)
    assert canvas["selected"] == 1
    before = canvas["x"]
    touch("Start", (x + 200, y))
    for step in range(1, 5):
        touch("Move", (x + 200 - 20 * step, y))
    touch("End")
    canvas.still()
    assert (canvas["x"] - before) * canvas["scale"] == pytest.approx(80, abs=18)
    assert canvas["selected"] == 1


def test_a_finger_that_rests_sees_the_card_and_selects_nothing(touched):
    page, canvas, touch = touched
    x, y = canvas.place(*POINTS[5])
    touch("Start", (x, y))
    card = page.locator(".map .card")
    expect(card.locator(".title")).to_have_text("Mona Lisa")
    expect(card).to_be_visible()
    touch("End")
    idle(page)
    expect(card).to_be_visible()
    assert canvas["selected"] == 0
    touch("Start", (x - 150, y - 150))
    touch("End")
    expect(card).to_be_hidden()


def test_the_finger_that_stays_after_a_pinch_moves_the_map_on(touched):
    _, canvas, touch = touched
    box = canvas.stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch("Start", (x - 60, y), (x + 60, y))
    for step in range(1, 6):
        touch("Move", (x - 60 - 6 * step, y), (x + 60 + 6 * step, y))
    touch("End", (x + 90, y), first=1)
    canvas.still()
    zoom, before = canvas["zoom"], canvas["y"]
    assert zoom == pytest.approx(1.5, rel=0.1)
    for step in range(1, 6):
        touch("Move", (x - 90, y + 10 * step))
    touch("End")
    canvas.still()
    assert canvas["zoom"] == pytest.approx(zoom)
    assert (canvas["y"] - before) * canvas["scale"] == pytest.approx(50, abs=14)
    assert canvas["selected"] == 0


def test_a_box_can_be_drawn_with_a_finger(touched):
    page, canvas, touch = touched
    page.get_by_role("button", name="Select with a box").tap()
    (x, y), (right, bottom) = canvas.place(9.2, 6), canvas.place(11.2, 3.9)
    touch("Start", (x, y))
    for part in (0.3, 0.6, 1.0):
        touch("Move", (x + part * (right - x), y + part * (bottom - y)))
    touch("End")
    idle(page)
    assert canvas["selected"] == 3


def pixels(screenshot: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(screenshot)).convert("RGB")).astype(int)


def test_a_lost_graphics_card_comes_back_with_all_pictures(open_page, map_address):  # noqa: F811
    page = open_page(map_address)
    canvas = PictureMap(page)
    pictures = page.locator(".map .pictures")
    before = pictures.screenshot()
    frames = canvas["frames"]
    pictures.evaluate(
        "e => new Promise((lost) => { window.card = e.getContext('webgl2').getExtension('WEBGL_lose_context');"
        " e.addEventListener('webglcontextlost', () => setTimeout(lost)); card.loseContext(); })"
    )
    page.mouse.move(*canvas.place(3, 5))
    pictures.evaluate(
        "e => new Promise((back) => { e.addEventListener('webglcontextrestored', () => setTimeout(back));"
        " card.restoreContext(); })"
    )
    page.mouse.move(*canvas.place(3, 7))
    page.wait_for_function(
        "([map, frames]) => Number(map.dataset.frames) > frames", arg=[canvas.root.element_handle(), frames]
    )
    canvas.still()
    assert canvas["empty"] == 0
    difference = np.abs(pixels(pictures.screenshot()) - pixels(before))
    assert difference.max() <= 8  # grey levels: another card may round otherwise
