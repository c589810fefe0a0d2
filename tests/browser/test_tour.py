"""The tour of the first visit, and the example below a page's sentence."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.windows import watch

pytestmark = pytest.mark.browser


@pytest.fixture
def stranger(browser):
    """A page in a window of somebody who has never been here."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    watch(context)
    yield context.new_page()
    context.close()


def test_the_tour_comes_once_and_leaves_the_page_as_it_is(stranger, address):
    page = stranger
    page.goto(address)
    idle(page)
    tour = page.get_by_role("region", name="Tour")
    expect(tour).to_contain_text("1 of 4")
    assert page.evaluate("document.activeElement === document.body")  # it takes no focus
    framed = page.locator("[data-tour-here]")
    expect(framed).to_have_count(1)
    framed.evaluate("element => element.removeAttribute('data-tour-here')")  # as a rerun does that makes it anew
    expect(framed).to_have_count(1)
    box = tour.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["height"] < 844 / 3
    page.get_by_label("Words", exact=True).fill("wave")  # the page below answers meanwhile
    page.keyboard.press("Enter")
    idle(page)
    assert "wall_filter=wave" in page.url
    expect(tour).to_contain_text("1 of 4")
    page.mouse.click(5, 400)
    page.evaluate("document.activeElement.blur()")
    tour.get_by_role("button", name="Next").focus()
    for number in (2, 3, 4):
        page.keyboard.press("Enter")
        expect(tour).to_contain_text(f"{number} of 4")
    page.keyboard.press("Enter")
    expect(tour).to_have_count(0)
    page.goto(f"{address}/similar")
    idle(page)
    expect(tour).to_have_count(0)  # never again by itself
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("button", name="Tour of these pages").click()
    expect(tour).to_contain_text("1 of 4")
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)


def test_an_example_is_a_link_that_is_followed_again_and_again(open_page, address):
    page = open_page(address)
    seen = []
    for _ in range(3):  # the third leads to where the first led, whose words the address has had
        page.get_by_role("link", name="For example").click()
        idle(page)
        seen.append(page.evaluate("new URLSearchParams(location.search).get('f')"))
    assert seen[0] == seen[2] != seen[1] and "example" not in page.url
    page.go_back()
    idle(page)
    assert page.evaluate("new URLSearchParams(location.search).get('f')") == seen[1]
    expect(page.get_by_role("link", name="For example")).to_be_visible()
