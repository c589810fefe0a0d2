"""The charts below the map in a real browser: a brush is the filter, which Back takes off; keys do the same."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import idle
from tests.browser.test_filtering import asked, bar
from tests.browser.test_layouts import map_address, paintings_db  # noqa: F401

pytestmark = pytest.mark.browser


def chart(page, name: str, wide: bool = False):
    return page.locator(f".charts{'.wide' if wide else ':not(.wide)'} .chart[data-name='{name}']")


def test_a_brush_is_a_filter_which_back_takes_off(open_page, map_address):  # noqa: F811
    page = open_page(f"{map_address}?charts=true")
    idle(page)
    years = chart(page, "year", wide=True)
    years.scroll_into_view_if_needed()
    total = int(chart(page, "country").locator(".bar .count").first.inner_text())
    box = years.locator(".bins").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + 30, steps=4)
    page.mouse.up()
    bar(page).get_by_role("button", name="year ").wait_for()
    idle(page)
    (condition,) = asked(page)
    assert condition.startswith("year:17") or condition.startswith("year:16")
    count = chart(page, "country").locator(".bar .count").first  # of the same value, fewer of all
    expect(count).to_contain_text(f" / {total}")
    page.go_back()
    page.wait_for_function("() => !location.search.includes('f=')")
    idle(page)
    expect(count).to_have_text(str(total))
    expect(years.locator(".bins.brushed")).to_have_count(0)


def test_keys_press_bars_and_stretch_a_brush(open_page, map_address):  # noqa: F811
    page = open_page(f"{map_address}?charts=true")
    idle(page)
    first = chart(page, "artist").locator("button.bar").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    bar(page).get_by_role("button", name="artist ").wait_for()
    idle(page)
    pressed = chart(page, "artist").locator("[aria-pressed=true]")
    expect(pressed).to_have_count(1)
    expect(pressed).to_be_focused()
    page.keyboard.press("Enter")
    idle(page)
    expect(pressed).to_have_count(0)
    assert asked(page) == []
    chart(page, "year", wide=True).locator("button.bin").first.focus()
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    bar(page).get_by_role("button", name="year ").wait_for()
    idle(page)
    expect(chart(page, "year", wide=True).locator(".bin.on")).to_have_count(3)
    page.keyboard.press("Escape")
    idle(page)
    assert asked(page) == []
