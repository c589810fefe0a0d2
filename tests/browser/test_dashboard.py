"""A person at the dashboard: every page, on the sample paintings, in a real browser."""

import io
import re
import xml.etree.ElementTree as ElementTree
from urllib.parse import parse_qs, urlparse

import duckdb
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, address_of, idle, serve
from tests.browser.picture_map import PictureMap, drawer, project

pytestmark = pytest.mark.browser
PAGES = ("Overview", "Map", "Similar", "Attention", "SQL")


def heading(page) -> str:
    return page.locator("[data-testid=stMain] h1").first.inner_text()


def go(page, title: str) -> None:
    page.locator("[data-testid=stSidebar]").get_by_role("link", name=title, exact=False).first.click()
    page.wait_for_function("title => document.querySelector('[data-testid=stMain] h1')?.innerText === title", arg=title)
    idle(page)


def pieces(page):
    """The pictures of the gallery on the page."""
    return page.locator("[data-testid=stMain] .wall .piece")


def pick_image(page, title: str) -> None:
    picker = page.locator("[data-testid=stSidebar]").get_by_role("combobox", name=re.compile("Image"))
    picker.click()
    picker.fill(title)  # the list holds only the options in view
    page.get_by_role("option", name=title).first.click()
    idle(page)


def query(page) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlparse(address_of(page)).query).items()}


def part(page, name: str) -> None:
    """Goes to one of the things to do with a selection."""
    page.locator("[data-testid=stMain]").get_by_role("radio", name=name).click()
    idle(page)


def download(page, name: str) -> bytes:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    return waiting.value.path().read_bytes()


def test_every_page_opens_by_its_link(open_page, address):
    page = open_page(address)
    for title in (*PAGES[1:], PAGES[0]):
        go(page, title)
        assert heading(page) == title


def test_the_wall_shows_every_painting(open_page, address):
    page = open_page(address)
    expect(pieces(page)).to_have_count(29)
    pieces(page).last.scroll_into_view_if_needed()
    page.wait_for_timeout(800)
    loaded = page.evaluate(
        """() => { const walls = []; const seek = root => { for (const e of root.querySelectorAll('*')) {
        if (e.classList?.contains('wall')) walls.push(e); if (e.shadowRoot) seek(e.shadowRoot); } }; seek(document);
        return [...walls[0].querySelectorAll('img')].map(i => [i.naturalWidth, i.alt]); }"""
    )
    assert len(loaded) == 29 and all(width > 0 for width, _ in loaded)
    assert [alt for _, alt in loaded if "Mona Lisa" in alt] == ["Mona Lisa, Leonardo da Vinci, 1503"]


@pytest.mark.slow
def test_a_box_on_the_map_becomes_a_gallery_and_a_table(open_page, address, paintings):
    page = open_page(f"{address}/map?projection=t-SNE")
    canvas = PictureMap(page)
    assert (canvas["drawn"], canvas["points"]) == (29, 29)
    area = canvas.stage.bounding_box()
    page.get_by_role("button", name="Select with a box").click()
    # The left half of the map.
    page.mouse.move(area["x"] + 12, area["y"] + 3)  # beside the handle of the sidebar
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] - 3, steps=8)
    page.mouse.up()
    pieces(page).first.wait_for()
    idle(page)
    chosen = int(page.locator("[data-testid=stMain] .wall").get_attribute("data-pictures"))
    assert 0 < chosen < 29 and canvas["selected"] == chosen
    part(page, "Files")
    table = pd.read_csv(io.BytesIO(download(page, "Download the selection as CSV")))
    assert len(table) == chosen and {"title", "artist", "map_x", "map_y"} <= set(table.columns)
    # Exactly the pictures whose points lie left of the middle, give or take the width of a pixel.
    middle, pixel = canvas["x"], 2 / canvas["scale"]
    with duckdb.connect(str(paintings), read_only=True) as con:
        asked = "SELECT image_id FROM points JOIN projections USING (projection_id) WHERE method = 'tsne' AND x < ?"
        surely, perhaps = ({i for (i,) in con.execute(asked, [middle + d]).fetchall()} for d in (-pixel, pixel))
    assert surely <= set(table["image_id"]) <= perhaps
    project(page, "PCA")
    idle(page)
    canvas.still()
    assert (canvas["drawn"], canvas["selected"]) == (29, chosen)


@pytest.mark.slow
def test_the_map_can_be_taken_away_as_one_page(open_page, address, browser, tmp_path):
    page = open_page(f"{address}/map")
    canvas, file = PictureMap(page), tmp_path / "map.html"
    context = browser.new_context(offline=True)
    alone = context.new_page()
    for closer in (False, True):  # it opens with what was in view, though coming closer is no new run of the page
        if closer:
            page.mouse.move(*canvas.place(canvas["x"] + 60 / canvas["scale"], canvas["y"]))
            with page.expect_request(lambda request: "/atlas/view/" in request.url):
                page.mouse.wheel(0, -300)
        with drawer(page, "map_about"):
            file.write_bytes(download(page, "Download the map as one HTML page"))
        alone.goto(file.as_uri())
        there = PictureMap(alone)
        assert there["drawn"] == 29 or closer
        # The whole map stands below the tools, whose height is another part of a lower window.
        for name in ("x", "y", "zoom") if closer else ("x", "zoom"):
            assert there[name] == pytest.approx(canvas[name], rel=1e-3, abs=1e-3), name
    assert there["zoom"] > 1.4
    context.close()


@pytest.mark.slow
def test_similar_goes_on_from_picture_to_picture(open_page, address):
    page = open_page(f"{address}/similar")
    pick_image(page, "The Great Wave off Kanagawa")
    first = pieces(page).first
    name = first.locator(".title").inner_text()
    assert name != "The Great Wave off Kanagawa"
    before = query(page)["image"]
    first.focus()
    page.keyboard.press("c")
    page.wait_for_function("before => !location.search.includes('image=' + before)", arg=before)
    idle(page)
    expect(page.locator("[data-testid=stMain]")).to_contain_text(name)
    assert query(page)["image"] != before


@pytest.mark.slow
def test_an_uploaded_picture_is_compared_live(open_page, address, tmp_path):
    page = open_page(f"{address}/similar")
    page.set_input_files("input[type=file]", str(ROOT / "examples" / "paintings" / "hokusai-great-wave-1829.jpg"))
    pieces(page).first.wait_for()
    page.wait_for_function(
        """() => { let found = ''; const seek = root => { for (const e of root.querySelectorAll('*')) {
        if (e.classList?.contains('piece') && !found) found = e.innerText; if (e.shadowRoot) seek(e.shadowRoot); } };
        seek(document); return found.includes('The Great Wave'); }""",
        timeout=60_000,
    )
    idle(page)


def test_attention_changes_with_its_controls_and_prints(open_page, address):
    page = open_page(f"{address}/attention")
    pick_image(page, "Mona Lisa")
    panels = page.locator("[data-testid=stMain] figure img")
    assert panels.count() >= 16
    before = panels.nth(3).get_attribute("src")
    page.get_by_text("smooth", exact=True).click()
    expect(panels.nth(3)).not_to_have_attribute("src", before, timeout=30_000)
    idle(page)
    assert all("Mona Lisa" in (panels.nth(n).get_attribute("alt") or "") for n in range(16))
    with Image.open(io.BytesIO(download(page, "Figure as PNG, 300 dpi"))) as image:
        assert image.format == "PNG" and min(image.size) > 1000
    svg = download(page, "Figure as SVG")
    text = "".join(ElementTree.fromstring(svg).itertext())
    assert "Mona Lisa" in text and "CLS" in text
    picker = page.locator("[data-testid=stMain]").get_by_role("combobox", name=re.compile("Method"))
    picker.click()
    picker.fill("rollout")
    page.get_by_role("option", name="Attention rollout by depth").click()
    idle(page)
    expect(page.locator("[data-testid=stMain] .title", has_text="Depth 11")).to_be_visible()


def test_sql_answers_and_refuses(open_page, address):
    page = open_page(f"{address}/sql")
    editor = page.get_by_role("textbox", name="Query")
    editor.fill("SELECT image_id, title FROM catalogue WHERE artist = 'Katsushika Hokusai' ORDER BY title")
    editor.press("Control+Enter")
    page.wait_for_function("() => location.search.includes('sql_query')")
    idle(page)
    expect(pieces(page)).to_have_count(7)
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    table.hover()
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Download as CSV")).to_be_hidden()  # its cells could be formulas
    editor.fill("COPY (SELECT 42) TO '/tmp/stolen.csv'")
    page.get_by_test_id("stBaseButton-primaryFormSubmit").click()
    page.locator("[data-testid=stAlert]").first.wait_for()
    idle(page)
    expect(pieces(page)).to_have_count(0)


def test_a_link_reproduces_the_view(open_page, address):
    page = open_page(f"{address}/attention")
    pick_image(page, "Lion")
    page.get_by_text("shared", exact=True).click()
    idle(page)
    page.wait_for_timeout(300)
    other = open_page(address_of(page))
    assert "Lion" in other.locator("[data-testid=stMain] figure img").first.get_attribute("alt")
    mine, theirs = (p.locator("[data-testid=stMain] figure img").nth(5).get_attribute("src") for p in (page, other))
    assert mine == theirs


def test_the_wall_obeys_the_keyboard(open_page, address):
    page = open_page(address)
    pieces(page).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_function("() => new URLSearchParams(location.search).get('image') === '2'")
    idle(page)


def test_without_a_database_the_page_says_what_to_type(open_page, tmp_path):
    process, address = serve(tmp_path / "none.duckdb")
    try:
        page = open_page(address)
        expect(page.get_by_role("button", name="Read these pictures")).to_be_visible()
        page.get_by_role("button", name="As a command").click()
        expect(page.get_by_text("python -m ingest run examples/paintings").first).to_be_visible()
        page.goto(f"{address}/map")
        idle(page)
    finally:
        process.kill()
