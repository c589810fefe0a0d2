"""Words, typed by a person: on Similar, with Back, and as the colour of the map's frames."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, address_of, idle, ingest
from tests.browser.picture_map import drawer
from tests.browser.test_dashboard import query

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Path:
    """A database of four paintings and a tiny network that reads words."""
    db = tmp_path_factory.mktemp("words") / "words.duckdb"
    ingest(ROOT / "examples" / "paintings", db, "--model", "tiny:siglip", "--limit", "4", "--project", "pca")
    return db


def found(page, count: int) -> list[str]:
    """The titles of the pictures found, when there are so many."""
    titles = page.locator("[data-testid=stMain] .wall .title")
    expect(titles).to_have_count(count)
    return titles.all_inner_texts()


@pytest.mark.slow
def test_words_are_typed_searched_with_and_taken_back(open_page, reader, show):
    page = open_page(f"{show(reader)}/similar?image=2")
    before = found(page, 3)
    field = page.get_by_role("textbox", name="Search by words")
    field.fill("a boat on a stormy sea -people")
    field.press("Enter")
    expect(page.get_by_text("Searched with “a boat on a stormy sea”, unlike “people”")).to_be_visible()
    assert len(found(page, 4)) == 4
    link = address_of(page)
    assert query(page)["words"] == "a boat on a stormy sea -people"
    page.get_by_text("and like the picture in view").click()
    expect(page.get_by_text("unlike “people” and 1 picture")).to_be_visible()
    page.go_back()
    page.go_back()
    page.wait_for_function("() => !location.search.includes('words=')")
    idle(page)
    assert found(page, 3) == before and field.input_value() == ""
    again = open_page(link)
    expect(again.get_by_text("Searched with “a boat on a stormy sea”, unlike “people”")).to_be_visible()


def test_words_colour_the_map_and_filter_every_page(open_page, reader, show):
    page = open_page(f"{show(reader)}/map?map_colour=words …")
    with drawer(page, "map_look"):
        field = page.get_by_role("textbox", name="Search by words")
        field.fill("a boat")
        field.press("Enter")
        expect(page.locator(".map .legend")).to_contain_text("less like “a boat”")
        page.get_by_role("spinbutton", name="Nearest, in %").fill("50")
        page.get_by_role("spinbutton", name="Nearest, in %").press("Enter")
        page.get_by_role("button", name="Filter: the 2 pictures nearest to it").click()
        expect(page.get_by_role("button", name="the 2 nearest to “a boat”")).to_be_visible()
        idle(page)
    page.locator("[data-testid=stSidebar]").get_by_role("link", name="Similar").click()
    page.wait_for_function("() => location.pathname.endsWith('/similar')")
    expect(page.get_by_role("button", name="the 2 nearest to “a boat”")).to_be_visible()
