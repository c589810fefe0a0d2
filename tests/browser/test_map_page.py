"""The page Map in windows of several sizes: the canvas fills it, a panel holds what is selected, nothing is covered, the
whole screen, and the zoom into a picture itself."""

import io
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from store import connection, write
from tests.browser.conftest import idle
from tests.browser.picture_map import PictureMap, drawer
from tests.browser.test_dashboard import part, pieces, query
from tests.browser.test_map import POINTS, map_address, planted  # noqa: F401
from tests.pages import database

pytestmark = pytest.mark.browser
SIZES = ((1400, 900), (800, 1000), (390, 800))
FILLS = """() => {
  const main = document.querySelector("[data-testid=stMain]"), side = document.querySelector("[data-testid=stSidebar]");
  const page = document.scrollingElement;
  return [main.scrollHeight - main.clientHeight, page.scrollHeight - innerHeight, page.scrollWidth - innerWidth,
    side ? Math.max(0, side.getBoundingClientRect().right) : 0];
}"""


def box_of(element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom, in pixels of the window."""
    box = element.bounding_box()
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def apart(one, other) -> bool:
    """Whether two boxes have no pixel in common."""
    return one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_map_fills_the_window_and_nothing_covers_another_thing(open_page, map_address, width, height):  # noqa: F811
    page = open_page(f"{map_address}?map_colour=artist", width=width)
    page.set_viewport_size({"width": width, "height": height})
    canvas = PictureMap(page)
    scrolls, tall, wide, side = page.evaluate(FILLS)
    assert scrolls <= 1 and (tall, wide) == (0, 0)
    left, top, right, bottom = box_of(canvas.stage)
    assert (left, right, bottom) == pytest.approx((side, width, height), abs=2) and top <= 60
    page.locator(".map .legend summary").click()  # folded where there is little room, else not
    page.locator(".map .legend summary").click()
    page.get_by_role("button", name="Closer (+)").click()  # shows the map in small
    page.get_by_role("button", name="Closer (+)").click()
    for state in ("closed", "open"):
        canvas.still()
        stage = box_of(canvas.stage)
        inside = {name: box_of(page.locator(f".map .{name}")) for name in ("tools", "legend", "mini")}
        for name, box in inside.items():
            assert box[0] >= stage[0] and box[2] <= stage[2] and box[1] >= stage[1] and box[3] <= stage[3], (
                name,
                state,
            )
        assert all(apart(*pair) for pair in combinations(inside.values(), 2)), (state, inside)
        bar = [box_of(each) for each in page.locator(".st-key-map_bar button:visible").all()]
        assert all(apart(*pair) for pair in combinations([*bar, stage], 2)), (state, bar)
        if state == "closed":
            page.locator(".st-key-map_selection button").click()
            page.locator(".st-key-map_panel").wait_for()
            idle(page)
    panel = box_of(page.locator(".st-key-map_panel"))
    assert apart(panel, stage) and panel[2] <= width + 1 and panel[3] <= height + 1


def test_the_filters_chip_is_not_under_the_menu_where_there_is_little_room(open_page, map_address):  # noqa: F811
    page = open_page(f"{map_address}?f=year:1400..", width=800)
    chip = page.locator(".st-key-filter_bar").get_by_role("button", name="year ")
    chip.wait_for()
    assert apart(box_of(chip), box_of(page.get_by_test_id("stMainMenu")))


def test_the_panel_comes_with_a_selection_widens_closes_and_its_actions_work(open_page, map_address):  # noqa: F811
    page = open_page(map_address)
    canvas, panel = PictureMap(page), page.locator(".st-key-map_panel")
    expect(panel).to_have_count(0)
    before = canvas.place(*POINTS[4])
    canvas.click(*POINTS[4])
    expect(pieces(page)).to_have_count(1)
    idle(page)
    canvas.still()
    assert canvas.place(*POINTS[4]) == pytest.approx(before, abs=1)  # nothing moves under a hand
    page.keyboard.down("Shift")
    canvas.click(*POINTS[5])
    page.keyboard.up("Shift")
    expect(pieces(page)).to_have_count(2)
    narrow = box_of(panel)
    page.get_by_role("button", name="Widen to a gallery").click()
    idle(page)
    wide = box_of(panel)
    assert wide[2] - wide[0] >= 0.5 * (1400 - 300) > narrow[2] - narrow[0]
    assert query(page)["panel"] == "wide" and box_of(canvas.stage)[2] <= wide[0] + 1
    canvas.still()
    assert canvas["zoom"] == pytest.approx(1)  # the hand is gone: the whole map is in view again
    part(page, "Files")
    expect(page.get_by_role("button", name="Download the selection as CSV")).to_be_visible()
    panel.get_by_role("button", name="Close", exact=True).click()
    expect(panel).to_have_count(0)
    page.get_by_role("button", name="2 selected").click()
    expect(panel).to_be_visible()
    page.get_by_role("button", name="Clear selection", exact=True).click()
    expect(panel).to_have_count(0)
    idle(page)
    assert "panel" not in query(page) and canvas["selected"] == 0


def test_the_panel_opens_to_say_that_the_selection_of_a_link_is_gone(open_page, map_address):  # noqa: F811
    page = open_page(f"{map_address}?selection=gone")
    panel = page.locator(".st-key-map_panel")
    left, _, right, _ = box_of(panel.get_by_test_id("stAlert"))
    assert right - left > 200 and left >= box_of(panel)[0]
    panel.get_by_role("button", name="Close", exact=True).click()
    expect(panel).to_have_count(0)
    idle(page)
    assert "selection" not in query(page)


def test_a_drawer_opens_over_the_map_and_goes_with_escape_and_by_a_click(open_page, map_address):  # noqa: F811
    page = open_page(map_address, width=390)
    canvas = PictureMap(page)
    before = box_of(canvas.stage)
    with drawer(page, "map_layout"):  # goes with Escape
        body = box_of(page.get_by_test_id("stPopoverBody"))
        assert body[0] >= 0 and body[2] <= 390 and not apart(body, before)
        assert box_of(canvas.stage) == before
    page.locator(".st-key-map_look button").click()
    page.get_by_test_id("stPopoverBody").wait_for()
    page.mouse.click(before[0] + 20, before[3] - 20)
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def test_f_gives_the_map_the_whole_screen_with_its_panel_until_escape(open_page, map_address):  # noqa: F811
    page = open_page(f"{map_address}?panel=open")
    canvas, panel = PictureMap(page), page.locator(".st-key-map_panel")
    page.get_by_role("button", name="Full screen (f)").click()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    canvas.still()
    assert box_of(canvas.stage)[0] == 0 and panel.is_visible()
    page.keyboard.press("f")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    page.wait_for_function("!document.fullscreenElement")


# ---- into a picture --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fine(tmp_path_factory):
    """A database of two pictures: one, at the origin, is black and white in single pixels, which its thumbnail and any
    smaller copy show grey; the other has lost its original."""
    folder = tmp_path_factory.mktemp("fine")
    chequers = (np.indices((1400, 2000)).sum(0) % 2 * 255).astype(np.uint8)
    Image.fromarray(chequers).save(folder / "chequers.png")
    Image.new("RGB", (1200, 900), "#3366aa").save(folder / "plain.png")
    db = folder / "fine.duckdb"
    records = [replace(database.record(str(folder / name), {}), path=name) for name in ("chequers.png", "plain.png")]
    with connection.writing(db) as con:
        number = write.add_collection(con, "fine", str(folder))
        ids = np.array(list(write.add_images(con, number, records).values()))
        database.add_run(con, number, ids, [(each.width, each.height) for each in records])
        write.drop_projection(con, 1)
        write.add_projection(con, 1, "umap", {}, ids, np.array([(0.0, 0.0), (4.0, 3.0)]))
    (folder / "plain.png").unlink()
    return db


def test_near_enough_the_thumbnail_gives_way_to_the_original(open_page, fine, show):
    address = f"{show(fine)}/map?map_view="
    page = open_page(f"{address}0,0,10")
    canvas = PictureMap(page)

    def contrast() -> float:
        left, top, right, bottom = box_of(canvas.stage)
        clip = {"x": (left + right) / 2 - 40, "y": (top + bottom) / 2 - 40, "width": 80, "height": 80}
        return float(np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L"), float).std())

    assert canvas["tiles"] == 0 and contrast() < 15
    page.goto(f"{address}0,0,300")
    idle(page)
    canvas = PictureMap(page)
    assert 0 < canvas["tiles"] < 40 and contrast() > 35
    page.goto(f"{address}4,3,300")
    idle(page)
    canvas = PictureMap(page)
    assert canvas["tiles"] == 0 and canvas["drawn"] >= 1  # without an original its thumbnail stays, and nothing fails


def test_on_a_phone_the_sidebar_goes_when_a_page_is_chosen_and_holds_no_copy_of_the_picture(open_page, map_address):  # noqa: F811
    page = open_page(map_address, width=390)
    side = page.get_by_test_id("stSidebar")
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(side).to_be_in_viewport()
    expect(side.get_by_test_id("stImage")).to_have_count(0)
    side.get_by_role("link", name="SQL").click()
    expect(side).not_to_be_in_viewport()
    idle(page)
    assert page.url.split("?")[0].endswith("/sql")
