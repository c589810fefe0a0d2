"""Addresses that are no page, in a real browser: other words for a page, and words for none."""

from playwright.sync_api import expect

from tests.browser.conftest import address_of, idle


def test_another_word_for_a_page_opens_it_and_a_word_for_none_lists_the_pages(address, open_page):
    page = open_page(f"{address}/overview?image=3")
    expect(page.locator("h1")).to_have_text("Overview")
    expect(page.locator("[role=dialog]")).to_have_count(0)
    page.get_by_test_id("stSidebar").get_by_role("link", name="Heads").click()
    page.wait_for_url("**/heads?*")
    idle(page)
    assert "image=3" in address_of(page)
    page.go_back()
    page.wait_for_url("**/overview?*")
    idle(page)
    expect(page.locator("h1")).to_have_text("Overview")
    assert "image=3" in address_of(page)

    page.goto(f"{address}/%C3%9Cbersicht%20*der*%20Bilder?image=4")
    idle(page)
    expect(page.locator("h1")).to_have_text("There is no such page")
    expect(page.locator("[role=dialog]")).to_have_count(0)
    expect(page.get_by_test_id("stMain")).to_contain_text("“Übersicht *der* Bilder”")
    page.get_by_test_id("stMain").get_by_role("link", name="Map").click()
    page.wait_for_url("**/map?*")
    idle(page)
    expect(page.locator("h1")).to_have_text("Map")
    assert "image=4" in address_of(page)
