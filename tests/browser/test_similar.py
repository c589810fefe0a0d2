"""The page Similar in a real browser: examples by click and by key, a box by mouse and by key, links that reproduce."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import address_of, idle
from tests.browser.test_dashboard import query

pytestmark = pytest.mark.browser


def found(page):
    """The neighbours, best first."""
    return page.locator(".st-key-neighbours .item")


def titles(page) -> list[str]:
    expect(found(page).locator(".title").last).not_to_be_empty()  # the words come after the pictures
    return found(page).locator(".title").all_inner_texts()


def shows(page, expected: list[str]) -> None:
    """Waits until the neighbours are those with these titles, best first."""
    expect(found(page).locator(".title")).to_have_text(expected)


def stage(page):
    """The picture on which a box can be drawn."""
    return page.locator("[data-testid=stMain] .stage")


def examples(page):
    """Every example and counter-example."""
    return page.locator(":is(.st-key-like_wall, .st-key-unlike_wall) .piece")


def test_plus_and_minus_by_mouse_and_by_key_and_the_link_says_so(open_page, address):
    page = open_page(f"{address}/similar?image=1")
    first = titles(page)
    found(page).nth(2).hover()
    found(page).nth(2).get_by_role("button", name="Search for more like it").click()
    expect(examples(page)).to_have_count(1)
    idle(page)
    assert first[2] not in titles(page)
    second = titles(page)[1]
    found(page).nth(0).locator(".piece").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("-")
    expect(examples(page)).to_have_count(2)
    idle(page)
    assert second not in titles(page)
    assert {"like", "unlike"} <= query(page).keys()
    again = open_page(address_of(page))
    expect(examples(again)).to_have_count(2)
    shows(again, titles(page))
    examples(page).first.focus()
    page.keyboard.press("x")
    expect(examples(page)).to_have_count(1)
    idle(page)
    assert "like" not in query(page)


def test_a_box_by_mouse_is_searched_with_and_the_link_reproduces_it(open_page, address):
    page = open_page(f"{address}/similar?image=1")
    whole = titles(page)
    edges = stage(page).locator("img").bounding_box()
    page.mouse.move(edges["x"] + 0.1 * edges["width"], edges["y"] + 0.1 * edges["height"])
    page.mouse.down()
    page.mouse.move(edges["x"] + 0.5 * edges["width"], edges["y"] + 0.6 * edges["height"], steps=4)
    page.mouse.up()
    expect(page.get_by_text("The part in the box went through the network")).to_be_visible(timeout=60_000)
    idle(page)
    x0, y0, x1, y1 = map(float, query(page)["crop"].split(","))
    assert (x0, y0, x1, y1) == pytest.approx((0.1, 0.1, 0.5, 0.6), abs=0.02)
    part = titles(page)
    assert part != whole
    again = open_page(address_of(page))
    expect(again.get_by_text("The part in the box went through the network")).to_be_visible(timeout=60_000)
    idle(again)
    shows(again, part)
    expect(stage(again).locator(".box")).to_be_visible()
    stage(page).click(position={"x": 5, "y": 5})
    expect(stage(page).locator(".box")).to_be_hidden()
    idle(page)
    expect(found(page)).to_have_count(12)
    shows(page, whole)
    page.wait_for_function("() => !location.search.includes('crop')")


def test_a_box_by_key(open_page, address):
    page = open_page(f"{address}/similar?image=1")
    stage(page).focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    expect(page.get_by_text("Enter searches with this part.")).to_be_visible()
    assert "crop" not in query(page)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The part in the box went through the network")).to_be_visible(timeout=60_000)
    idle(page)
    assert tuple(map(float, query(page)["crop"].split(","))) == (0.27, 0.25, 0.77, 0.77)
    stage(page).focus()
    page.keyboard.press("Escape")
    expect(stage(page).locator(".box")).to_be_hidden()
    page.wait_for_function("() => !location.search.includes('crop')")


def test_near_duplicates_and_the_least_typical_by_link(open_page, address):
    page = open_page(f"{address}/similar?find=near-duplicates")
    expect(page.get_by_text("No two images are that much alike.")).to_be_visible()
    page = open_page(f"{address}/similar?find=least typical&k=5")
    expect(page.locator("[data-testid=stMain] .piece")).to_have_count(5)
    page.locator("[data-testid=stMain] .piece").first.focus()
    page.keyboard.press("c")
    expect(page.get_by_text("goes on from it")).to_be_visible()
    idle(page)
    assert query(page).get("find", "neighbours") == "neighbours"
