"""Two maps side by side in a real browser: chosen by clicks, what is pointed at and selected in one is so in the other,
lines between them, and all of it in the address."""

import numpy as np
import pytest
from playwright.sync_api import expect

from store import connection, read, write
from tests.browser.conftest import idle
from tests.browser.picture_map import PictureMap, drawer, plant
from tests.browser.test_dashboard import pieces, query
from tests.browser.test_map import AROUND, POINTS
from tests.browser.test_map_page import FILLS, apart, box_of
from tests.pages import database

pytestmark = pytest.mark.browser
TURNED = {number: (-y, x) for number, (x, y) in POINTS.items()}  # where the second run has them
INK = """canvas => { const { width, height } = canvas; if (!width) return 0;
  return canvas.getContext("2d").getImageData(0, 0, width, height).data.filter((value, at) => at % 4 === 3 && value).length; }"""


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """Six paintings at known places, and a second run with other features, which lacks the last."""
    path = tmp_path_factory.mktemp("two") / "planted.duckdb"
    plant(path, database.NAMES, np.array(list(POINTS.values())), {})
    with connection.writing(path) as con:
        images = read.images(con).to_pandas()
        ids = images["image_id"].to_numpy()[:-1]
        run = write.add_run(con, 1, database.run_record(size=112))
        write.add_results(con, run, database.results(ids, [(10, 10)] * len(ids), seed=1))
        write.add_projection(con, run, "umap", {}, ids, np.array([TURNED[i] for i in ids.tolist()], float))
    return path


@pytest.fixture
def map_address(two_runs, show) -> str:
    return f"{show(two_runs)}/map?run=1"


def both(page) -> tuple[PictureMap, PictureMap]:
    return PictureMap(page, 0), PictureMap(page, 1)


def selected(page, count: int) -> None:
    """Waits until so many are selected in the address and on both maps."""
    expect(pieces(page)).to_have_count(count)
    idle(page)
    for number in (0, 1):
        expect(page.locator(".map").nth(number)).to_have_attribute("data-selected", str(count))


def test_two_runs_are_set_side_by_side_by_clicks_and_share_what_hands_do(open_page, map_address):
    page = open_page(map_address)
    PictureMap(page)
    with drawer(page, "map_compare"):
        page.get_by_role("combobox", name="Second map").click()
        page.get_by_role("option", name="UMAP of run 2").click()
        idle(page)
        page.get_by_text("Lines between the two places").click()
        idle(page)
        expect(page.get_by_text("are the same in both on average; by chance it would be")).to_be_visible()
        expect(page.get_by_text("1 picture only the first has")).to_be_visible()
    first, second = both(page)
    left, right = box_of(first.stage), box_of(second.stage)
    assert left[2] == pytest.approx(right[0], abs=2) and right[2] == 1400
    assert (
        left[2] - left[0] == pytest.approx(right[2] - right[0], abs=2) and left[1] == right[1] and left[3] == right[3]
    )

    page.mouse.move(*first.place(*POINTS[4]))
    expect(second.root).to_have_attribute("data-echo", "4")
    frame = box_of(second.root.locator(".echo"))
    x, y = second.place(*TURNED[4])
    assert frame[0] < x < frame[2] and frame[1] < y < frame[3]
    expect(first.root).to_have_attribute("data-lines", "1")
    page.mouse.move(*first.place(*POINTS[6]))  # which the second run has not seen
    expect(second.root).to_have_attribute("data-echo", "")
    expect(first.root).to_have_attribute("data-lines", "0")

    second.click(*TURNED[5])
    expect(first.root).to_have_attribute("data-selected", "1")
    selected(page, 1)
    page.get_by_role("button", name="Select with a lasso").first.click()
    first.still()
    first.draw(AROUND)
    selected(page, 3)
    for each in both(page):
        each.still()
        expect(each.root).to_have_attribute("data-lines", "3")
        assert each.root.locator(".lines").evaluate(INK) > 200
        assert each["zoom"] < 1.1
    page.get_by_role("button", name="Closer to the selection").last.click()
    for each in both(page):
        each.still()
        assert each["zoom"] > 1.5
    page.wait_for_url("**map_view2=**")
    assert {"compare", "compare_lines", "map_view", "map_view2", "marked"} <= set(query(page))

    page.reload()
    idle(page)
    selected(page, 3)
    for each in both(page):
        each.still()
        assert each["zoom"] > 1.5
    page.keyboard.press("f")
    expect(page.locator("html[data-map-full]")).to_have_count(1)
    page.keyboard.press("f")
    expect(page.locator("html[data-map-full]")).to_have_count(0)

    with drawer(page, "map_compare"):
        page.get_by_role("combobox", name="Second map").click()
        page.get_by_role("option", name="none").click()
        idle(page)
    expect(page.locator(".map")).to_have_count(1)
    expect(PictureMap(page).root.locator(".title-of-map")).to_be_empty()
    assert not {"compare", "map_view2"} & set(query(page))
    page.go_back()
    expect(page.locator(".map")).to_have_count(2)
    idle(page)


@pytest.mark.parametrize(("width", "height"), [(800, 1000), (390, 800)])
def test_on_a_small_screen_one_map_is_above_the_other_and_nothing_is_too_wide(
    open_page, map_address, two_runs, width, height
):
    with connection.reading(two_runs) as con:
        [other] = read.projections(con, 2)["projection_id"].to_pylist()
    page = open_page(f"{map_address}&compare={other}&compare_list=true&map_colour=neighbourhood+agreement", width=width)
    page.set_viewport_size({"width": width, "height": height})
    first, second = both(page)
    one, other = box_of(first.stage), box_of(second.stage)
    assert other[1] == pytest.approx(one[3], abs=2) and (one[0], one[2]) == (other[0], other[2]) and one[2] == width
    assert min(each[3] - each[1] for each in (one, other)) > 120
    scrolls, tall, wide, _ = page.evaluate(FILLS)
    assert scrolls <= 1 and (tall, wide) == (0, 0)
    below = page.locator(".st-key-map_agreement_below")
    assert apart(box_of(below), other) and box_of(below)[2] <= width + 1
    assert below.evaluate("element => element.scrollWidth - element.clientWidth") <= 1
    with drawer(page, "map_compare"):
        body = box_of(page.get_by_test_id("stPopoverBody"))
        assert body[0] >= 0 and body[2] <= width
        expect(page.get_by_test_id("stPopoverBody").get_by_text("are the same in both on average")).to_be_visible()
