"""Addresses that are no page, in a real browser: other words for a page, and words for none."""

from tests.browser.conftest import address_of, idle


def test_another_word_for_a_page_opens_it_and_a_word_for_none_lists_the_pages(address, open_page):
    page = open_page(f"{address}/overview?image=3")
    assert page.locator("h1").inner_text() == "Overview"
    assert page.locator("[role=dialog]").count() == 0
    page.get_by_test_id("stSidebar").get_by_role("link", name="Heads").click()
    page.wait_for_url("**/heads?*")
    idle(page)
    assert "image=3" in address_of(page)
    page.go_back()
    page.wait_for_url("**/overview?*")
    idle(page)
    assert page.locator("h1").inner_text() == "Overview" and "image=3" in address_of(page)

    page.goto(f"{address}/%C3%9Cbersicht%20*der*%20Bilder?image=4")
    idle(page)
    assert page.locator("h1").inner_text() == "There is no such page"
    assert page.locator("[role=dialog]").count() == 0
    assert "“Übersicht *der* Bilder”" in page.get_by_test_id("stMain").inner_text()
    page.get_by_test_id("stMain").get_by_role("link", name="Map").click()
    page.wait_for_url("**/map?*")
    idle(page)
    assert page.locator("h1").inner_text() == "Map" and "image=4" in address_of(page)
