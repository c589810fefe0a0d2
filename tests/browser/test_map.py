"""A person at the map: mouse, wheel, keyboard and touch, links, other layouts, hostile titles, and no WebGL."""

import io
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

from store import connection
from tests.browser.conftest import ARGUMENTS, CHROMIUM, address_of, idle
from tests.browser.picture_map import HARMFUL, PictureMap, plant, project
from tests.browser.test_dashboard import download, part, pieces, query
from tests.browser.windows import watch
from tests.pages import database

pytestmark = pytest.mark.browser
# A group of three at the right, one at the left, two at the bottom.
POINTS = {1: (10.0, 5.0), 2: (10.5, 5.2), 3: (10.2, 4.6), 4: (0.0, 5.0), 5: (3.0, 0.0), 6: (5.0, 0.5)}
AROUND = ((9.0, 3.9), (11.2, 3.9), (11.2, 6.0), (9.0, 6.0), (9.0, 4.0))


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Six paintings at known places, in a second layout turned round; one has a title that is no good as HTML."""
    path = tmp_path_factory.mktemp("map") / "planted.duckdb"
    name = database.NAMES[3]
    plant(path, database.NAMES, np.array(list(POINTS.values())), {name: database.metadata()[name] | {"title": HARMFUL}})
    return path


@pytest.fixture
def map_address(planted, show) -> str:
    return f"{show(planted)}/map"


def titles(page) -> list[str]:
    found = pieces(page).locator(".title")
    expect(found.first).not_to_be_empty()  # the words come after the pictures
    expect(found.last).not_to_be_empty()
    return found.all_inner_texts()


def group(page) -> None:
    """Waits until the planted group is in the gallery."""
    expect(pieces(page)).to_have_count(3)
    idle(page)


def test_a_lasso_round_a_group_gives_its_gallery_and_statistics_of_nothing_else(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    assert canvas.root.get_attribute("data-painter") == "webgl2"
    page.get_by_role("button", name="Select with a lasso").click()
    canvas.draw(AROUND)
    group(page)
    assert canvas["selected"] == 3
    assert sorted(titles(page)) == sorted(["The Great Wave off Kanagawa", "Ejiri in Suruga Province", "The Night Café"])
    part(page, "Files")
    text = download(page, "Download the selection as CSV").decode("utf-8-sig")
    assert len(io.StringIO(text).readlines()) == 4


def test_a_click_selects_shift_adds_and_a_click_beside_selects_nothing(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    canvas.click(*POINTS[4])
    expect(pieces(page)).to_have_count(1)
    page.keyboard.down("Shift")
    canvas.click(*POINTS[5])
    page.keyboard.up("Shift")
    expect(pieces(page)).to_have_count(2)
    canvas.click(3.0, 5.0)
    expect(pieces(page)).to_have_count(0)


def test_the_wheel_zooms_about_the_pointer_and_dragging_moves(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    there = canvas.place(*POINTS[4])
    page.mouse.move(*there)
    page.mouse.wheel(0, -300)
    canvas.still()
    assert canvas["zoom"] > 1.4
    assert canvas.place(*POINTS[4]) == pytest.approx(there, abs=1.5)
    x, y, scale = canvas["x"], canvas["y"], canvas["scale"]
    page.mouse.move(there[0] + 300, there[1] + 100)
    page.mouse.down()
    page.mouse.move(there[0] + 250, there[1] + 140, steps=5)
    page.mouse.up()
    canvas.still()
    assert (canvas["x"] - x) * scale == pytest.approx(50, abs=8)
    assert (canvas["y"] - y) * scale == pytest.approx(40, abs=8)
    assert canvas["selected"] == 0


def test_the_link_reproduces_the_view_and_the_projection(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    project(page, "t-SNE")
    idle(page)
    canvas.still()
    page.mouse.move(*canvas.place(-20, -10))
    page.mouse.wheel(0, -400)
    page.wait_for_function("() => location.search.includes('map_view')")
    idle(page)
    canvas.still()
    page.wait_for_timeout(400)
    assert query(page)["projection"] == "t-SNE"
    other = PictureMap(open_page(address_of(page)))
    for name in ("x", "y", "zoom", "drawn"):
        assert other[name] == pytest.approx(canvas[name], rel=1e-4)


def test_the_address_keeps_the_view_through_a_rerun(open_page, map_address):
    page = open_page(f"{map_address}?panel=open")
    canvas = PictureMap(page)
    page.mouse.move(*canvas.place(*POINTS[4]))
    page.mouse.wheel(0, -500)
    page.wait_for_function("() => location.search.includes('map_view')")
    before, frames = query(page)["map_view"], canvas["frames"]
    canvas.click(*POINTS[4])
    expect(pieces(page)).to_have_count(1)
    idle(page)
    page.wait_for_timeout(500)
    assert query(page)["map_view"] == before
    assert canvas["frames"] > frames and canvas.root.get_attribute("data-painter") == "webgl2"


def test_everything_works_from_the_keyboard(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    canvas.stage.focus()
    page.keyboard.press("+")
    canvas.still()
    assert canvas["zoom"] == pytest.approx(1.5, rel=0.01)
    x = canvas["x"]
    page.keyboard.press("ArrowRight")
    canvas.still()
    assert (canvas["x"] - x) * canvas["scale"] == pytest.approx(90, abs=1)
    page.keyboard.press("Space")
    expect(pieces(page)).to_have_count(1)
    page.wait_for_function(
        "() => { let t = ''; const seek = r => { for (const e of r.querySelectorAll('*')) {"
        " if (e.classList?.contains('status')) t = e.textContent; if (e.shadowRoot) seek(e.shadowRoot); } };"
        " seek(document); return t.length > 0; }"
    )
    idle(page)
    canvas.stage.focus()
    page.keyboard.press("Escape")
    expect(pieces(page)).to_have_count(0)
    idle(page)
    page.keyboard.press("0")
    canvas.still()
    assert canvas["zoom"] == pytest.approx(1)
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    idle(page)


def test_a_double_click_opens_the_picture(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    page.mouse.dblclick(*canvas.place(*POINTS[5]))
    expect(page.get_by_role("dialog")).to_contain_text("Mona Lisa")
    assert query(page)["image"] == "5"


def test_a_title_is_text_on_the_hover_card_and_in_the_legend(open_page, map_address):
    page = open_page(map_address + "?map_colour=artist")
    canvas = PictureMap(page)
    page.mouse.move(*canvas.place(*POINTS[4]))
    card = page.locator(".map .card")
    expect(card.locator(".title")).to_have_text(HARMFUL)
    expect(card).to_be_visible()
    expect(card.locator("img")).to_have_count(1)
    expect(page.locator(".map .legend .entry")).to_have_count(5)
    expect(page.locator(".map .legend")).to_contain_text("Katsushika Hokusai")
    page.mouse.move(*canvas.place(3.0, 7.0))
    expect(card).to_be_hidden()


def test_a_selection_survives_another_layout_and_another_page(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    page.get_by_role("button", name="Select with a box").click()
    canvas.draw((AROUND[0], AROUND[2]))
    group(page)
    project(page, "t-SNE")
    idle(page)
    canvas.still()
    assert canvas["selected"] == 3
    page.get_by_role("button", name="Closer to the selection").click()
    canvas.still()
    assert canvas["x"] == pytest.approx(-20.5, abs=0.3) and canvas["zoom"] > 2
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="SQL").click()
    idle(page)
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Map").click()
    group(page)
    assert PictureMap(page)["selected"] == 3


def test_what_a_choice_by_metadata_leaves_out_fades_and_cannot_be_lassoed(open_page, map_address):
    page = open_page(map_address + "?f=artist:Katsushika Hokusai")
    canvas = PictureMap(page)
    assert canvas["drawn"] == 6
    page.get_by_role("button", name="Select with a box").click()
    canvas.draw((AROUND[0], AROUND[2]))
    page.wait_for_timeout(500)
    idle(page)
    assert canvas["selected"] == 2  # of three in the box: the third is Van Gogh's


def test_two_fingers_zoom_and_one_moves(browser, open_page, map_address):
    page = open_page(map_address, has_touch=True)
    canvas = PictureMap(page)
    client = page.context.new_cdp_session(page)
    box = canvas.stage.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *points: tuple[float, float]) -> None:
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})

    touch("touchStart", (x - 50, y), (x + 50, y))
    for step in range(1, 6):
        touch("touchMove", (x - 50 - 10 * step, y), (x + 50 + 10 * step, y))
    touch("touchEnd")
    canvas.still()
    assert canvas["zoom"] == pytest.approx(2, rel=0.1)
    before = canvas["y"]
    touch("touchStart", (x, y))
    for step in range(1, 6):
        touch("touchMove", (x, y + 12 * step))
    touch("touchEnd")
    canvas.still()
    assert (canvas["y"] - before) * canvas["scale"] == pytest.approx(60, abs=16)


def test_sharper_screens_get_more_pixels(open_page, map_address):
    page = open_page(map_address, device_scale_factor=2)
    canvas = PictureMap(page)
    width = page.locator(".map .pictures").evaluate("canvas => canvas.width")
    assert width == pytest.approx(2 * canvas.stage.bounding_box()["width"], abs=6)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_window_holds_the_map_and_its_tools(open_page, map_address, scheme):
    page = open_page(map_address, width=800, color_scheme=scheme)
    canvas = PictureMap(page)
    box = canvas.stage.bounding_box()
    tools = page.locator(".map .tools").bounding_box()
    assert box["x"] + box["width"] <= 800 and box["width"] > 300
    assert tools["x"] >= box["x"] and tools["x"] + tools["width"] <= box["x"] + box["width"]
    paper = page.locator(".map .stage").evaluate("e => getComputedStyle(e).backgroundColor")
    assert paper == ("rgb(26, 24, 22)" if scheme == "dark" else "rgb(251, 250, 246)")


def test_without_webgl_the_map_is_drawn_flat_and_a_box_selects(map_address):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine, and it could not be installed")

    def see() -> tuple[str, float, list[str], list[str]]:
        with sync_playwright() as playwright:
            arguments = [*ARGUMENTS, "--disable-3d-apis"]
            flat = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            page, problems = flat.new_page(viewport={"width": 1200, "height": 900}), []
            page.on("pageerror", lambda error: problems.append(str(error)))
            watch(page)
            page.goto(map_address)
            idle(page)
            canvas = PictureMap(page)
            drawn = canvas["drawn"]  # before the panel covers some
            page.get_by_role("button", name="Select with a box").click()
            canvas.draw((AROUND[0], AROUND[2]))
            group(page)
            found = (canvas.root.get_attribute("data-painter"), drawn, titles(page), problems)
            flat.close()
            return found

    with ThreadPoolExecutor(1) as pool:  # a second Playwright in one thread is refused
        painter, drawn, shown, problems = pool.submit(see).result()
    assert (painter, drawn, problems) == ("2d", 6, [])
    assert "The Night Café" in shown


def test_a_map_without_an_atlas_takes_the_thumbnails(open_page, planted, show, tmp_path):
    path = tmp_path / "older.duckdb"
    shutil.copy(planted, path)
    with connection.writing(path) as con:
        for name in ("atlas", "atlas_place", "atlas_page"):
            con.execute(f"DELETE FROM {name}")
    canvas = PictureMap(open_page(f"{show(path)}/map"))
    assert (canvas["drawn"], canvas["empty"]) == (6, 0)
