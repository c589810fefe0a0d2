"""What is chosen stays chosen: quick clicks, Back and Forward, and links of earlier versions."""

import numpy as np
import pytest
from playwright.sync_api import expect

from dashboard.compute import packing
from tests.browser.conftest import idle
from tests.browser.picture_map import PictureMap, drawer, plant
from tests.browser.test_dashboard import pieces, query
from tests.pages import database

pytestmark = pytest.mark.browser
POINTS = {1: (10.0, 5.0), 2: (10.5, 0.2), 3: (6.2, 4.6), 4: (0.0, 5.0), 5: (3.0, 0.0), 6: (5.0, 2.0)}
BESIDE = (3.0, 4.0)
FOUR = (1, 4, 5, 6)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "planted.duckdb"
    plant(path, database.NAMES, np.array(list(POINTS.values())), {})
    return path


@pytest.fixture
def map_address(planted, show) -> str:
    return f"{show(planted)}/map"


def selected(page) -> list[int]:
    """What the address says is selected."""
    text = query(page).get("marked")
    return packing.unpack(text).tolist() if text else []


def select(page, canvas: PictureMap, images, pause: int) -> None:
    """Clicks these pictures one after the other with Shift held, `pause` milliseconds apart, whatever the page does."""
    places = [canvas.place(*POINTS[image]) for image in images]
    page.keyboard.down("Shift")
    for place in places:
        page.mouse.click(*place)
        page.wait_for_timeout(pause)
    page.keyboard.up("Shift")


def check_quick_clicks(page, pause: int) -> None:
    canvas = PictureMap(page)
    select(page, canvas, FOUR, pause)
    expect(pieces(page)).to_have_count(4)
    idle(page)
    expect(pieces(page)).to_have_count(4)
    assert selected(page) == list(FOUR)
    canvas.still()
    canvas.click(*BESIDE)
    expect(pieces(page)).to_have_count(0)
    idle(page)
    assert selected(page) == []


@pytest.mark.parametrize("pause", [100, 300])
def test_four_quick_clicks_select_four(open_page, map_address, pause):
    check_quick_clicks(open_page(map_address), pause)


@pytest.mark.slow
@pytest.mark.parametrize("pause", [100, 200, 300, 500])
def test_four_quick_clicks_select_four_ten_times(open_page, map_address, pause):
    page = open_page(map_address)
    for _ in range(10):
        check_quick_clicks(page, pause)


def test_back_and_forward_go_through_what_was_selected(open_page, map_address):
    page = open_page(map_address)
    canvas = PictureMap(page)
    for number, image in enumerate(FOUR[:3], 1):
        select(page, canvas, [image], 0)
        expect(pieces(page)).to_have_count(number)
        idle(page)
    for count in (2, 1, 0):
        page.go_back()
        expect(pieces(page)).to_have_count(count)
        idle(page)
        assert selected(page) == list(FOUR[:count])
    for count in (1, 2, 3):
        page.go_forward()
        expect(pieces(page)).to_have_count(count)
        idle(page)
        assert selected(page) == list(FOUR[:count])


def test_back_takes_a_colour_away_and_leaves_its_name_in_the_box(open_page, map_address):
    page = open_page(map_address)
    with drawer(page, "map_look"):
        colour = page.get_by_label("Frame colour")
        assert colour.input_value() == "none"
        colour.click()
        page.get_by_role("option", name="artist", exact=True).click()
        page.wait_for_function("() => location.search.includes('map_colour=artist')")
        idle(page)
        page.go_back()
        page.wait_for_function("() => !location.search.includes('map_colour')")
        idle(page)
        assert page.get_by_label("Frame colour").input_value() == "none"
        page.go_forward()
        page.wait_for_function("() => location.search.includes('map_colour=artist')")
        idle(page)
        assert page.get_by_label("Frame colour").input_value() == "artist"


@pytest.mark.parametrize("pause", [0, 100])
def test_a_picture_chosen_and_a_page_opened_at_once_are_both_kept(open_page, map_address, pause):
    page = open_page(map_address)
    canvas = PictureMap(page)
    select(page, canvas, FOUR, pause)
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Similar").click()
    page.wait_for_function("() => location.pathname.endsWith('/similar')")
    idle(page)
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Map").click()
    page.wait_for_function("() => location.pathname.endsWith('/map')")
    idle(page)
    expect(pieces(page)).to_have_count(4)
    assert selected(page) == list(FOUR)
