"""The card of a picture, a dialog with the same viewer as the page Picture; and that viewer under fingers and Back."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.test_canvas_hands import Fingers
from tests.browser.test_dashboard import query
from tests.browser.test_picture import WIDTH, scale_is, small, state, three  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture
def card(small, open_page):  # noqa: F811
    """A page with the card of the scan, which lies between two paintings."""
    page = open_page(f"{small[0]}/?image=1")
    page.locator(".wall .piece").nth(1).dblclick()
    expect(page.get_by_role("dialog").locator(".viewer")).to_have_attribute("data-image", "2")
    idle(page)
    return page


def test_the_card_zooms_into_the_scan_and_lays_a_map_over_it(card):
    viewer = card.get_by_role("dialog").locator(".viewer")
    scale_is(card, "scale > 0 && scale < 1")
    card.keyboard.press("1")
    scale_is(card, "Math.abs(scale - 1) < 0.0005")
    card.wait_for_timeout(400)  # longer than the page Picture takes to write the address
    assert "picture_view" not in card.url
    card.get_by_role("combobox", name="Map over the picture").click()
    card.keyboard.type("CLS")
    card.keyboard.press("Enter")
    expect(viewer.locator(".map")).to_be_visible()
    card.get_by_role("dialog").get_by_role("link", name="Open the picture").click()
    card.wait_for_url("**/picture?*image=2*")
    expect(card.locator(".viewer .map")).to_be_visible()  # the same map


def test_keys_turn_the_card_over_and_closing_it_leaves_its_picture_in_view(card):
    place = card.get_by_role("dialog").locator(".place")
    expect(place).to_contain_text("2 of 3 by file name")
    card.keyboard.press("ArrowRight")
    expect(place).to_contain_text("3 of 3 by file name")
    card.keyboard.press("r")
    card.keyboard.press("Escape")  # gives up the box, not the card
    expect(place).to_be_visible()
    card.keyboard.press("Escape")
    expect(card.get_by_role("dialog")).to_have_count(0)
    idle(card)
    assert query(card)["image"] == "3"


def test_back_from_the_next_picture_leads_to_the_part_that_was_in_view(small, open_page):  # noqa: F811
    page = open_page(f"{small[0]}/picture?image=2")
    scale_is(page, "scale > 0")
    page.keyboard.press("1")
    scale_is(page, "Math.abs(scale - 1) < 0.0005")
    page.wait_for_url("**picture_view=*")
    before = view_of(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda address: "image=3" in address and "picture_view" not in address)
    expect(page.locator(".place")).to_contain_text("3 of 3")
    page.keyboard.press("+")
    page.wait_for_url("**picture_view=*")
    page.go_back()
    expect(page.locator(".place")).to_contain_text("2 of 3")
    scale_is(page, "Math.abs(scale - 1) < 0.003")  # the address has whole pixels
    assert view_of(page) == pytest.approx(before, abs=2)
    page.go_forward()
    expect(page.locator(".place")).to_contain_text("3 of 3")
    page.wait_for_url("**image=3*picture_view=*")


def test_fingers_pinch_and_drag_the_picture(small, open_page):  # noqa: F811
    page = open_page(f"{small[0]}/picture?image=2", has_touch=True)
    touch = Fingers(page)
    scale_is(page, "scale > 0")
    start = float(state(page)["scale"])
    stage = page.locator(".stage").bounding_box()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    touch("Start", (x - 50, y), (x + 50, y))
    for step in range(1, 11):
        touch("Move", (x - 50 - 10 * step, y), (x + 50 + 10 * step, y))
    touch("End")
    scale_is(page, f"Math.abs(scale / {start} - 3) < 0.45")
    page.wait_for_url("**picture_view=*")
    left, _, width, _ = view_of(page)
    assert left + width / 2 == pytest.approx(WIDTH / 2, abs=0.05 * WIDTH)  # what lies between the fingers stays there
    scale = float(state(page)["scale"])
    touch("Start", (x, y))
    for step in range(1, 11):
        touch("Move", (x - 20 * step, y))
        page.wait_for_timeout(20)
    page.wait_for_timeout(100)  # a finger that rests throws nothing
    touch("End")
    page.wait_for_timeout(800)
    assert (view_of(page)[0] - left) * scale == pytest.approx(200, abs=30)


def view_of(page) -> list[int]:
    """The part in view as the address has it: x, y, width, height in pixels of the scan."""
    idle(page)
    return [int(part) for part in query(page)["picture_view"].split(",")]
