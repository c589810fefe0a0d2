"""Fingers: a tap selects, a finger that rests opens the menu."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.test_dashboard import pieces
from tests.pages import database


@pytest.fixture
def db(tmp_path):
    database.make(tmp_path / "touched.duckdb")
    return tmp_path / "touched.duckdb"


def test_a_tap_adds_to_the_selection_and_resting_opens_the_menu(open_page, db, show):
    page = open_page(show(db), width=390, has_touch=True, is_mobile=True)
    pieces(page).nth(0).tap()
    pieces(page).nth(1).tap()  # at its middle, which nothing covers
    expect(page.locator(".dock .count")).to_have_text("2")
    pieces(page).nth(0).tap()
    expect(page.locator(".dock .count")).to_have_text("1")
    box = pieces(page).nth(1).bounding_box()
    touches, at = page.context.new_cdp_session(page), {"x": box["x"] + 30, "y": box["y"] + 30}
    touches.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    menu = page.locator(".picture-menu")
    expect(menu).to_be_visible()
    touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    menu.get_by_role("menuitem", name="Take off the selection").tap()
    expect(page.locator(".dock .count")).to_have_count(0)
    idle(page)
