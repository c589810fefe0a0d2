"""What a scholar does with pictures wherever they stand, by real clicks and keys: tag, undo, correct, remove."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect

from store import connection, tags
from tests.browser.conftest import idle
from tests.browser.test_dashboard import pieces
from tests.pages import database


@pytest.fixture
def db(tmp_path):
    database.make(tmp_path / "actions.duckdb")
    return tmp_path / "actions.duckdb"


def tagged(db, word: str) -> list[int]:
    with connection.reading(db) as con:
        return tags.images(con, word).tolist()


def undo(page, words: str):
    """The button that says what will be undone."""
    return page.get_by_role("button", name=re.compile(f"^Undo: {re.escape(words)}"))


def test_pictures_found_are_tagged_and_undone_by_keys_also_after_a_reload(open_page, db, show):
    page = open_page(f"{show(db)}/similar?image=1")
    found = page.locator(".st-key-neighbours .item")
    first = [int(found.nth(place).get_attribute("data-image")) for place in (0, 2)]
    found.nth(0).locator(".piece").click()
    found.nth(2).locator(".piece").click(modifiers=["Control"])  # at once, whatever the page does
    expect(page.locator(".dock .count")).to_have_text("2")
    idle(page)
    page.keyboard.press("t")
    field = page.get_by_label("Tag", exact=True)
    expect(field).to_be_focused()
    page.keyboard.type("boat")
    page.keyboard.press("Control+z")  # the field's own, of which a browser takes back as much as it likes
    field.fill("boat")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 2")).to_be_visible()
    idle(page)
    assert tagged(db, "boat") == sorted(first)
    page.keyboard.press("Escape")
    expect(undo(page, "tag “boat” on 2 pictures")).to_be_visible()
    page.reload()
    idle(page)
    expect(undo(page, "tag “boat” on 2 pictures")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.get_by_role("button", name="Redo: tag “boat” on 2 pictures")).to_be_visible()
    idle(page)
    assert tagged(db, "boat") == []
    page.keyboard.press("Control+Shift+z")
    expect(undo(page, "tag “boat” on 2 pictures")).to_be_visible()
    idle(page)
    assert tagged(db, "boat") == sorted(first)


def test_a_double_click_opens_a_year_is_corrected_and_the_filter_and_the_export_have_it(open_page, db, show):
    address = show(db)
    page = open_page(address)
    pieces(page).nth(0).dblclick()
    card = page.get_by_role("dialog")
    expect(card.get_by_text("Correct a value")).to_be_visible()
    idle(page)  # the viewer takes its height last, and would push away from under its list what opens the correction
    card.get_by_text("Correct a value").click()
    page.get_by_role("combobox", name="Column").click()
    page.get_by_role("option", name="year", exact=True).click()
    right = page.get_by_role("textbox", name="Right is")
    expect(right).to_have_value(re.compile("^[0-9]{4}$"))
    right.fill("1777")
    page.get_by_role("button", name="Save the correction").click()
    expect(card.get_by_text("corrected on")).to_be_visible()
    idle(page)
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
    expect(undo(page, "year corrected to “1777”")).to_be_visible()
    page = open_page(f"{address}/map?f=year:1777..1777")
    expect(page.get_by_text(re.compile("^1 of 6 pictures"))).to_be_visible()
    page = open_page(address)
    pieces(page).nth(0).click()
    page.keyboard.press("e")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the selection as CSV").click()
    (row,) = csv.DictReader(io.StringIO(waiting.value.path().read_text("utf-8-sig")))
    assert (row["year"], row["corrected"]) == ("1777", "year")


def test_the_menu_removes_a_picture_and_undo_brings_it_back(open_page, db, show):
    page = open_page(show(db))
    expect(pieces(page)).to_have_count(6)
    pieces(page).nth(3).click(button="right")
    page.get_by_role("menuitem", name="Remove from the collection").click()
    page.get_by_role("button", name="Remove", exact=True).last.click()
    expect(pieces(page)).to_have_count(5)
    undo(page, "1 picture removed").click()
    expect(pieces(page)).to_have_count(6)
    idle(page)


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
