"""The page Heads in a real browser: clicks on its figure, names, and the way to a head's maps."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import address_of, idle
from tests.browser.test_dashboard import download, heading, query

pytestmark = pytest.mark.browser


def title(page):
    """The line that names the open head."""
    return page.locator("[data-testid=stMain] .ba-title")


def point(page, number: int):
    """One of the plot's points, layer by layer."""
    return page.locator(".js-plotly-plot .scatterlayer .trace").nth(1).locator("path.point").nth(number)


def cell(page, layer: int, head: int) -> tuple[float, float]:
    """The middle of a cell of the matrix of 12 layers and 6 heads, on the screen."""
    page.locator(".js-plotly-plot .heatmaplayer").scroll_into_view_if_needed()
    box = page.locator(".js-plotly-plot .heatmaplayer").bounding_box()
    return box["x"] + box["width"] * (layer + 0.5) / 12, box["y"] + box["height"] * (head + 0.5) / 6


def test_a_click_on_a_point_or_a_cell_opens_its_head_and_the_address_says_so(open_page, address):
    page = open_page(f"{address}/heads")
    expect(title(page)).to_have_text("Layer 11 · head 0")
    for _ in range(2):  # the second click finds the point selected already
        point(page, 3 * 6 + 4).click(force=True)
        expect(title(page)).to_have_text("Layer 3 · head 4")
        idle(page)
    page.mouse.click(*cell(page, 7, 1))
    expect(title(page)).to_have_text("Layer 7 · head 1")
    idle(page)
    assert (query(page)["head_layer"], query(page)["head_number"]) == ("7", "1")
    again = open_page(address_of(page))
    expect(title(again)).to_have_text("Layer 7 · head 1")


def test_a_name_is_stored_and_a_picture_leads_to_the_heads_map(open_page, address):
    page = open_page(f"{address}/heads?head_layer=5&head_number=2")
    page.get_by_label("Name", exact=True).fill("faces")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(title(page)).to_have_text("Layer 5 · head 2 · faces")
    other = open_page(f"{address}/heads?head_layer=5&head_number=2")
    expect(title(other)).to_have_text("Layer 5 · head 2 · faces")
    expect(other.locator(".js-plotly-plot .annotation")).to_have_text("faces")
    other.get_by_label("Name", exact=True).fill("")
    other.get_by_role("button", name="Save").click()
    expect(title(other)).to_have_text("Layer 5 · head 2")
    idle(other)
    other.locator("[data-testid=stMain] .wall .item").first.hover()
    other.get_by_role("button", name="See all its maps").first.click()
    other.wait_for_function("document.querySelector('[data-testid=stMain] h1')?.innerText === 'Attention'")
    idle(other)
    assert heading(other) == "Attention"
    assert (query(other)["layer"], query(other)["head"]) == ("5", "2")


def test_the_numbers_and_figures_can_be_taken_along(open_page, address):
    page = open_page(f"{address}/heads?statistic=entropy")
    lines = download(page, "Numbers as CSV").decode("utf-8-sig").splitlines()
    assert len(lines) == 1 + 12 * 6 and "entropy" in lines[1]
    assert b"Entropy (nats)" in download(page, "Figure as SVG")
    assert download(page, "Figure as PNG").startswith(b"\x89PNG")
