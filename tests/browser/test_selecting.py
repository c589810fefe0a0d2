"""A person with a selection: lasso, gallery by keyboard, tags that outlast the server, links, files that open."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from playwright.sync_api import expect

from ingest import atlas
from store import connection, read, selections, write
from store.records import ImageRecord
from tests.browser.conftest import address_of, idle, serve
from tests.browser.picture_map import PictureMap
from tests.browser.test_dashboard import download, part, pieces, query
from tests.pages import database

pytestmark = pytest.mark.browser
HARMFUL = '<img src=x onerror="document.title=1">'
MANY = 3000
AROUND = ((9.0, 3.9), (11.2, 3.9), (11.2, 6.0), (9.0, 6.0), (9.0, 4.0))
FOCUSED = """() => { let e = document.activeElement; while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    return e?.querySelector('.title')?.textContent ?? e?.tagName; }"""
POINTS = {1: (10.0, 5.0), 2: (10.5, 5.2), 3: (10.2, 4.6), 4: (0.0, 5.0), 5: (3.0, 0.0), 6: (5.0, 0.5)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Six paintings at known places; one has a title that is no good as HTML."""
    path = tmp_path_factory.mktemp("selecting") / "planted.duckdb"
    database.make(path)
    with connection.writing(path) as con:
        for number in (1, 2, 3):
            write.drop_projection(con, number)
        write.add_projection(con, 1, "umap", {"planted": True}, np.array(list(POINTS)), np.array(list(POINTS.values())))
        facts = database.metadata()
        write.set_metadata(con, 1, {database.NAMES[2]: facts[database.NAMES[2]] | {"title": HARMFUL}})
    atlas.make(path, 1)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Thousands of pictures, all with one thumbnail, all in one saved selection."""
    path = tmp_path_factory.mktemp("many") / "many.duckdb"
    thumb = database.record(database.NAMES[0], {})
    with connection.writing(path) as con:
        number = write.add_collection(con, "many", "/nowhere")
        size = (thumb.width, thumb.height, 1, 0.0)
        shown = (thumb.thumbnail, thumb.thumbnail_width, thumb.thumbnail_height)
        records = [
            ImageRecord(f"{i}.jpg", f"{i:064d}", *size, {"title": f"Number {i}"}, *shown) for i in range(1, MANY + 1)
        ]
        ids = np.array(list(write.add_images(con, number, records).values()))
        run = write.add_run(con, number, database.run_record())
        write.add_projection(con, run, "umap", {}, ids, np.random.default_rng(0).normal(size=(MANY, 2)))
        selections.save(con, "many", "Everything", ids)
    return path


def lasso(page) -> PictureMap:
    canvas = PictureMap(page)
    page.get_by_role("button", name="Select with a lasso").click()
    canvas.draw(AROUND)
    expect(pieces(page)).to_have_count(3)
    idle(page)
    return canvas


def focused(page) -> str:
    """The title of the picture that has the focus."""
    return page.evaluate(FOCUSED)


def test_a_lasso_gives_a_gallery_a_tag_and_a_link_and_the_tag_outlasts_the_server(open_page, planted, show):
    process, address = serve(planted)
    page = open_page(f"{address}/map")
    lasso(page)
    words = {"The Great Wave off Kanagawa", "Ejiri in Suruga Province", HARMFUL}
    expect(pieces(page).locator(".title").filter(has_text=re.compile("."))).to_have_count(3)
    assert set(pieces(page).locator(".title").all_inner_texts()) == words  # as text, not as HTML
    assert page.title() != "1"
    part(page, "Tags")
    page.get_by_role("combobox", name="Tags", exact=True).fill("by the sea")
    page.keyboard.press("Enter")
    page.get_by_placeholder("why, or where you read it").fill("room 4")
    page.get_by_role("button", name="Tag 3 pictures").click()
    expect(page.get_by_text("by the sea · 3 of 3 · room 4")).to_be_visible()
    idle(page)
    link = address_of(page)
    assert query(page)["marked"] and query(page)["selection_part"] == "tags"
    page.close()
    process.terminate()
    process.wait(10)
    again = open_page(f"{show(planted)}/map?{link.split('?')[1]}")
    expect(again.get_by_text("by the sea · 3 of 3 · room 4")).to_be_visible()
    assert PictureMap(again)["selected"] == 3
    again.get_by_role("button", name="Clear selection", exact=True).click()
    idle(again)
    again.get_by_role("button", name="Selection", exact=True).click()
    again.get_by_role("button", name="Select", exact=True).first.click()
    idle(again)
    assert PictureMap(again)["selected"] == 3
    with connection.reading(planted) as con:
        assert read.labels(con, "tag", [1, 2, 3, 4]) == [{"by the sea"}] * 3 + [frozenset()]


def test_files_of_a_selection_open(open_page, planted, show):
    address = show(planted)
    page = open_page(f"{address}/map")
    lasso(page)
    part(page, "Files")
    table = parquet.read_table(io.BytesIO(download(page, "Download it as Parquet")))
    assert sorted(table["image_id"].to_pylist()) == [1, 2, 3]
    found = page.request.get(
        address + page.get_by_role("link", name="thumbnails").get_attribute("href").split(address)[-1]
    )
    names = zipfile.ZipFile(io.BytesIO(found.body())).namelist()
    assert len(names) == 4 and names[-1] == "pictures.csv"
    part(page, "SQL")
    page.locator("[data-testid=stMain]").get_by_role("link", name="Open it on the SQL page").click()
    idle(page)
    assert query(page)["sql_query"].startswith("SELECT * FROM catalogue")
    expect(pieces(page)).to_have_count(3)


def test_the_keys_stay_with_the_picture_after_dialogs_removal_and_undo(planted, show, open_page, tmp_path):
    page = open_page(show(Path(shutil.copy(planted, tmp_path / "keys.duckdb"))))
    idle(page)
    pieces(page).first.focus()
    page.keyboard.press("ArrowRight")
    first = focused(page)
    page.keyboard.press("t")
    page.get_by_role("dialog").get_by_role("textbox", name="Tag").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    idle(page)
    assert focused(page) == first
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
    idle(page)
    expect(pieces(page)).to_have_count(5)
    page.wait_for_function(f"() => !['BODY', 'BUTTON', {json.dumps(first)}].includes(({FOCUSED})())")
    next_one = focused(page)
    page.keyboard.press("Control+z")
    idle(page)
    expect(pieces(page)).to_have_count(6)
    assert focused(page) == next_one


def test_a_large_gallery_has_few_elements_and_is_walked_by_the_keyboard(open_page, many, show):
    address = show(many)
    page = open_page(f"{address}/map?selection=Everything&panel=wide")
    wall = page.locator("[data-testid=stMain] .wall")
    expect(wall).to_have_attribute("data-pictures", str(MANY))
    assert 0 < pieces(page).count() < 200
    expect(pieces(page).first.locator(".title")).to_have_text("Number 1")
    expect(pieces(page).first.locator("img")).to_have_attribute("alt", "Number 1")
    pieces(page).first.focus()
    page.keyboard.press("End")
    expect(pieces(page).last.locator(".title")).to_have_text(f"Number {MANY}")
    assert focused(page) == f"Number {MANY}" and pieces(page).count() < 200
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert focused(page) == f"Number {MANY - 1}"
    page.keyboard.press("Home")
    page.wait_for_timeout(200)
    assert focused(page) == "Number 1"
    page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    columns = int(focused(page).split()[1]) - 1
    assert columns > 3
    page.keyboard.press("PageDown")
    page.wait_for_timeout(300)
    place = int(focused(page).split()[1])
    assert place > 2 * columns and (place - 1) % columns == 0
    page.keyboard.press("Enter")
    idle(page)
    expect(page.get_by_role("dialog")).to_contain_text(f"Number {place}")
    assert query(page)["image"] == str(place)


def test_scrolling_brings_other_pictures_with_their_words(open_page, many, show):
    address = show(many)
    page = open_page(f"{address}/map?selection=Everything", width=800)
    wall = page.locator("[data-testid=stMain] .wall")
    pieces(page).first.wait_for()
    wall.evaluate("element => { element.scrollTop = element.scrollHeight / 2; }")
    page.wait_for_function(
        """() => { let wall; const seek = root => { for (const e of root.querySelectorAll('*')) {
        if (e.classList?.contains('wall')) wall = e; if (e.shadowRoot) seek(e.shadowRoot); } }; seek(document);
        const shown = [...wall.querySelectorAll('.title')].map(e => Number(e.textContent.split(' ')[1]));
        return shown.length && shown.length < 200 && shown.every(n => n > 1000 && n < 2000); }"""
    )
    assert wall.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
