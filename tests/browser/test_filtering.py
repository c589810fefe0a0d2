"""The filter in a real browser, on metadata that means harm."""

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import address_of, idle
from tests.browser.picture_map import PictureMap
from tests.pages import hostile

pytestmark = pytest.mark.browser

HURT = "() => window.hurt === undefined"


@pytest.fixture(scope="module")
def bad(tmp_path_factory) -> Path:
    db = tmp_path_factory.mktemp("hostile") / "bad.duckdb"
    hostile.make(db)
    return db


@pytest.fixture
def bad_address(bad, show) -> str:
    return show(bad)


def go(page, name: str) -> None:
    page.locator("[data-testid=stSidebar]").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, exact=True).wait_for()
    idle(page)


def bar(page):
    return page.locator(".st-key-filter_bar")


def asked(page) -> list[str]:
    """What the address says of the filter."""
    return parse_qs(urlsplit(address_of(page)).query, keep_blank_values=True).get("f", [])


def filter_from_1503(page) -> None:
    """Filters by year in the panel, which stays open."""
    bar(page).get_by_role("button", name="Filter").click()
    idle(page)
    page.get_by_role("combobox", name="Column").fill("year")
    page.keyboard.press("Enter")
    page.get_by_label("From", exact=True).fill("1503")
    page.keyboard.press("Enter")
    bar(page).get_by_role("button", name="year from 1503").wait_for()
    idle(page)


@pytest.mark.slow
def test_a_filter_is_made_shared_and_taken_off(open_page, bad_address):
    page = open_page(bad_address + "/heads")
    filter_from_1503(page)
    page.get_by_label("To", exact=True).fill("1510")  # the panel is still open
    page.keyboard.press("Enter")
    bar(page).get_by_role("button", name="year 1503–1510").wait_for()
    assert asked(page) == ["year:1503..1510"]
    expect(bar(page)).to_contain_text("7 of 16 pictures")
    page.keyboard.press("Escape")
    link = address_of(page)
    go(page, "Similar")
    assert asked(page) == ["year:1503..1510"]
    expect(bar(page)).to_contain_text("7 of 16 pictures")

    colleague = open_page(link)
    expect(bar(colleague)).to_contain_text("7 of 16 pictures")
    bar(colleague).get_by_role("button", name="year 1503–1510").click()
    idle(colleague)
    assert asked(colleague) == []
    expect(bar(colleague)).not_to_contain_text("pictures")
    expect(bar(page)).to_contain_text("7 of 16 pictures")  # everybody's own


def test_going_back_takes_the_filter_off_and_forward_brings_it_again(open_page, bad_address):
    page = open_page(bad_address + "/heads")
    filter_from_1503(page)
    assert asked(page) == ["year:1503.."]
    page.go_back()
    page.wait_for_function("() => !location.search.includes('f=')")
    idle(page)
    assert asked(page) == []
    expect(bar(page)).not_to_contain_text("pictures")
    page.go_forward()
    bar(page).get_by_role("button", name="year from 1503").wait_for()
    idle(page)
    assert asked(page) == ["year:1503.."]


def test_the_button_alone_is_as_high_as_a_button(open_page, bad_address):
    page = open_page(bad_address + "/heads")
    assert bar(page).bounding_box()["height"] < 60


@pytest.mark.parametrize(("artist", "count"), [(hostile.TITLES[0], 4), ("Nobody", 0)])
def test_only_what_the_filter_leaves_can_be_selected_on_the_map(open_page, bad_address, artist, count):
    page = open_page(f"{bad_address}/map?f={quote(f'artist:{artist}')}")
    canvas = PictureMap(page)
    page.get_by_role("button", name="Select with a box").click()
    box = canvas.stage.bounding_box()
    page.mouse.move(box["x"] + 12, box["y"] + 60)  # beside the handle of the sidebar
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    idle(page)
    assert canvas["selected"] == count


def test_bad_words_are_words_on_every_page(open_page, bad_address):
    titles = [title for title in hostile.TITLES[:5] if title]
    query = "&".join(f"f={quote(f'artist:{title}')}" for title in titles)
    page = open_page(f"{bad_address}/map?{query}&f={quote('title~:material/home: $x$ <b>')}")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.get_by_role("button", name="Clear", exact=True).click()
    idle(page)
    for name in ("Map", "Similar", "Heads", "Attention", "Aggregate", "Overview"):
        go(page, name)
        page.wait_for_timeout(300)
        main = page.locator("[data-testid=stMain]")
        assert main.locator(".katex, script, b, a[href^=javascript], a[href*=invalid]").count() == 0, name
        assert page.evaluate(HURT) and not dialogs, name
    # The maker called :material/home: is called that below the picture in view.
    at = open_page(f"{bad_address}/similar?image=10")
    caption = at.locator("[data-testid=stSidebar] [data-testid=stCaptionContainer]").last
    assert caption.inner_text().replace("\u2060", "") == f"{hostile.TITLES[4]}, 1509"
    expect(caption.locator("p *")).to_have_count(0)


def test_a_chip_says_the_value_and_nothing_else(open_page, bad_address):
    columns = ("title", "artist", "select", "order", "group", "map_x")
    values = [*hostile.TITLES[:5], hostile.TITLES[7]]
    entries = [f"{column}~{value}" for column, value in zip(columns, values, strict=True)]
    page = open_page(f"{bad_address}/similar?" + "&".join(f"f={quote(entry)}" for entry in entries))
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        chip = page.locator(f".st-key-filter_off_{place} [data-testid=stMarkdownContainer]").first
        assert chip.inner_text().replace("\u2060", "").startswith(f"{column} containing “{value[:30]}")
        expect(chip.locator("p *")).to_have_count(0)
    assert page.evaluate(HURT) and asked(page) == entries
