"""What a scholar comes for, each task from the page Overview by clicks and keys alone, to the thing that was wanted: on the
page, and in the database or the file. Run with -s, the tests say how many steps each task takes."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pypdfium2
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from store import connection, search
from tests.browser import scholar
from tests.browser.conftest import address_of, idle
from tests.browser.picture_map import HARMFUL, PictureMap
from tests.browser.scholar import numbers, select_boats, tag, tagged, workbook
from tests.browser.steps import Steps, picture, titles, undo
from tests.browser.test_dashboard import download, pieces
from tests.support.databases import ask, once

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def db(tmp_path_factory) -> Path:
    """One for all tasks, as a scholar has it: what each writes, no other looks at."""
    made = once(tmp_path_factory, "scholar.duckdb", scholar.make)
    return Path(shutil.copy(made, tmp_path_factory.mktemp("scholar")))


@pytest.fixture
def page(db, show, open_page) -> Page:
    return open_page(show(db))


def test_tag_all_boats(page, db):
    with Steps(page, "tag all boats") as steps:
        select_boats(steps)
        tag(steps, "boat")
    assert tagged(db, "boat") == numbers(db, "title ILIKE '%boats%'")


def test_change_over_centuries(page, db):
    with Steps(page, "change over centuries") as steps:
        steps.go("Map")
        steps.click(page.locator(".st-key-map_layout button"), "UMAP")
        steps.choose("Layout", "time line")
        steps.press("Escape")
        canvas = PictureMap(page)
        years = page.locator(".charts.wide .chart .bins")
        box = years.bounding_box()
        y = box["y"] + box["height"] / 2
        steps.drag([(box["x"] + 1, y), (box["x"] + 0.3 * box["width"], y)], "brush the first years")
        chip = page.locator(".st-key-filter_bar").get_by_role("button", name="date ")
        expect(chip).to_be_visible()
    marks = [int(text) for text in page.locator(".map .axis .mark").all_inner_texts()]
    assert len(marks) >= 3 and marks == sorted(marks)
    expect(page.locator(".map .block")).to_have_text("3without a date")
    low, high = map(int, re.findall(r"\d{4}", chip.inner_text()))
    left = len(numbers(db, f"date_from <= {high} AND date_to >= {low}"))
    assert 0 < left < 15 and low < 1500 < high
    expect(page.locator(".st-key-filter_bar")).to_contain_text(f"{left} of 31 pictures")
    assert canvas["drawn"] == 31


def test_near_duplicates(page, db):
    with Steps(page, "near-duplicates") as steps:
        steps.go("Similar")
        steps.click(page.get_by_role("radio", name="near-duplicates"), "near-duplicates")
        expect(page.get_by_text("Group 1 · 2 images")).to_be_visible()
        data = steps.download(page.get_by_role("button", name="Download the groups as CSV"), "CSV")
    assert set(titles(page)[:2]) == {"The Night Café", "The Night Café (postcard)"}
    table = pd.read_csv(io.BytesIO(data))
    assert sorted(table.loc[table["group"] == 1, "image_id"]) == numbers(db, "title LIKE 'The Night Café%'")


def test_three_pictures_on_one_scale(page):
    with Steps(page, "three pictures on one scale") as steps:
        steps.click(picture(page, "Mona Lisa"), "a picture")
        steps.click(picture(page, "Poppies"), "another with Ctrl", modifiers=["Control"])
        steps.click(picture(page, "Spring"), "a third with Ctrl", modifiers=["Control"])
        make = page.locator(".dock").get_by_role("button", name="Make a figure (3 pictures)")
        steps.click(make, "Make a figure")
        data = steps.download(page.get_by_role("button", name="PDF", exact=True), "PDF")
    (sheet,) = pypdfium2.PdfDocument(data)
    text = " ".join(sheet.get_textpage().get_text_range().split())
    assert "Attention maps of 3 pictures" in text and "One scale for all maps" in text
    assert all(title in text for title in ("Mona Lisa", "Poppies", "Spring"))
    columns = address_of(page).count("&col=")
    page.get_by_role("button", name="Add", exact=False).first.click()
    page.get_by_role("button", name="One more column").click()
    idle(page)
    page.get_by_role("combobox", name="Layer").click()
    page.get_by_role("option", name="0", exact=True).click()
    caption = page.get_by_role("textbox", name="Caption")
    expect(caption).to_have_value(re.compile("Layer 0"))
    idle(page)
    assert page.url.count("&col=") == columns + 1 and page.url.count("pictures=") == 3
    png = Image.open(io.BytesIO(download(page, "PNG, 300 dpi")))
    assert png.width == round(175 / 25.4 * 300)
    page.reload()
    idle(page)
    expect(caption).to_have_value(re.compile("Layer 0"))


def test_search_by_words(page, db):
    with Steps(page, "search by words") as steps:
        steps.go("Similar")
        steps.type("boats on the sea", page.get_by_role("textbox", name="Search by words"))
        steps.press("Enter")
        expect(page.get_by_text("Searched with “boats on the sea”")).to_be_visible()
    with connection.reading(db) as con:
        ids, matrix = search.features(con, 2)
    ((vector,),) = ask(db, "SELECT vector FROM texts WHERE text = 'boats on the sea'")
    best = ids[np.argsort(-(matrix @ np.array(vector)))][:3].tolist()
    named = dict(ask(db, "SELECT image_id, title FROM catalogue"))
    assert titles(page)[:3] == [named[number] for number in best]


def test_a_detail_elsewhere(page, db):
    with Steps(page, "a detail elsewhere") as steps:
        steps.double_click(picture(page, "Boats under the Great Wave"), "the picture")
        stage = page.get_by_role("dialog").locator(".deep")
        expect(stage).to_be_visible()
        steps.press("r")
        steps.drag(scholar.corners(page, db), "a box")
        steps.click(page.get_by_role("link", name="Find this detail elsewhere"), "Find this detail elsewhere")
        expect(page.locator(".pair .stage").nth(1)).to_be_visible()
    first = page.locator(".st-key-detail_wall .item").first
    expect(first).to_contain_text("The Harvest")
    expect(first).to_contain_text("key points")


def show_clusters(steps: Steps) -> None:
    """The outlines of clusters on the map, and the drawer in which they are named and taken away."""
    page = steps.page
    steps.go("Map")
    steps.click(page.locator(".st-key-map_layout button").first, "UMAP")
    steps.click(page.get_by_text("Clusters", exact=True), "Clusters")
    steps.click(page.locator(".st-key-map_clusters button").first, "Clusters (drawer)")


def test_cluster_to_excel(page, db):
    with Steps(page, "cluster to Excel") as steps:
        show_clusters(steps)
        data = steps.download(page.get_by_role("button", name="Clusters for Excel (XLSX)"), "XLSX")
    rows = [row for row in workbook(data) if row["name"].startswith("Japan")]
    assert [row["image_id"] for row in rows] == numbers(db, "country = 'Japan'")
    assert {row["country"] for row in rows} == {"Japan"} and len({row["cluster"] for row in rows}) == 1


def test_name_clusters(page, db):
    with Steps(page, "name clusters") as steps:
        show_clusters(steps)
        name = page.get_by_role("textbox", name="Name")
        found = name.input_value()
        steps.type("Boats and waves", name)
        steps.press("Enter")
        steps.press("Escape")
    PictureMap(page)
    expect(page.locator(".map .label").filter(has_text="Boats and waves")).to_be_visible()
    members = "SELECT image_id FROM clusters JOIN projections USING (projection_id) WHERE name = 'Boats and waves'"
    assert found != "Boats and waves" and len(ask(db, members)) >= 5


def test_publish_a_map(page, db, browser, tmp_path):
    with Steps(page, "publish (map)") as steps:
        steps.click(picture(page, HARMFUL), "a picture to point out")
        steps.go("Map")
        canvas = PictureMap(page)
        steps.click(page.locator(".st-key-map_look button").first, "Colour")
        steps.choose("Frame colour", "artist")
        steps.click(page.locator(".st-key-map_about button").first, "About")
        data = steps.download(page.get_by_role("button", name="Download the map as one HTML page"), "HTML")
    assert canvas["selected"] == 1
    (tmp_path / "map.html").write_bytes(data)
    context = browser.new_context(offline=True)
    alone, problems, asked = context.new_page(), [], []
    alone.on("pageerror", lambda error: problems.append(str(error)))
    alone.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto((tmp_path / "map.html").as_uri())
    published = PictureMap(alone)
    assert (published["drawn"], published["empty"], published["selected"]) == (31, 0, 1)
    expect(alone.locator(".chosen li")).to_contain_text(HARMFUL)  # as text, not as HTML
    expect(alone.locator(".legend")).to_contain_text("Katsushika Hokusai")
    (place,) = ask(
        db, "SELECT x, y FROM points JOIN catalogue USING (image_id) WHERE projection_id = 2 AND title = ?", HARMFUL
    )
    published.click(*place, click_count=2)
    expect(alone.locator("dialog dl")).to_contain_text("Albrecht Dürer")
    alone.keyboard.press("Escape")
    alone.mouse.move(*published.place(*place))
    alone.mouse.wheel(0, -300)
    published.still()
    assert published["zoom"] > 1.4
    x, y = published.place(*place)
    alone.mouse.move(x + 4, y + 4)
    expect(alone.locator(".card .title")).to_have_text(HARMFUL)
    context.close()
    assert not problems and {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}


def test_publish_a_manifest(page, db):
    with Steps(page, "publish (manifest)") as steps:
        select_boats(steps)
        steps.press("e")
        folder = page.get_by_role("textbox", name="Where the folder of the pictures lies on the web")
        steps.type("https://museum.example/scans", folder)
        steps.press("Enter")
        data = steps.download(page.get_by_role("button", name="Download the IIIF manifest"), "manifest")
    items = json.loads(data)["items"]
    labels = [next(iter(item["label"].values()))[0] for item in items]
    assert sorted(labels) == sorted(
        title for (title,) in ask(db, "SELECT title FROM catalogue WHERE title ILIKE '%boats%'")
    )
    assert all("https://museum.example/scans/" in json.dumps(item) for item in items)


def test_correct_a_year(page, db):
    with Steps(page, "correct a year") as steps:
        steps.double_click(picture(page, "Mona Lisa"), "the picture")
        correct = page.get_by_role("dialog").get_by_text("Correct a value")
        expect(correct).to_be_visible()
        idle(page)  # the viewer takes its height last, and would push the list of columns out of the window
        steps.click(correct, "Correct a value")
        steps.choose("Column", "date")
        right = page.get_by_role("textbox", name="Right is")
        expect(right).to_have_value("1503")
        steps.type("1517", right)
        steps.press("Enter")
        expect(page.get_by_role("dialog").get_by_text("date corrected on")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Close").first.click()
    expect(undo(page, "date corrected to “1517”")).to_be_visible()
    picture(page, "Mona Lisa").click()
    expect(page.locator(".dock .count")).to_have_text("1")
    page.keyboard.press("e")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download it for Excel (XLSX)").click()
    (row,) = workbook(waiting.value.path().read_bytes())
    assert str(row["date"]) == "1517" and row["corrected"].split("; ")[0] == "date"
    assert ask(db, "SELECT date_from FROM catalogue WHERE title = 'Mona Lisa'") == [(1517,)]


def test_undo(page, db):
    boats = numbers(db, "title ILIKE '%boats%'")
    with Steps(page, "undo") as steps:
        select_boats(steps)
        tag(steps, "ships")
        steps.press("Escape")
        expect(undo(page, "tag “ships” on 4 pictures")).to_be_visible()
        assert tagged(db, "ships") == boats
        page.reload()
        expect(undo(page, "tag “ships” on 4 pictures")).to_be_visible()
        steps.begin()  # what was done by mistake is done
        steps.press("Control+z")
        expect(page.get_by_role("button", name="Redo: tag “ships” on 4 pictures")).to_be_visible()
    assert tagged(db, "ships") == []
    page.keyboard.press("Control+Shift+z")
    expect(undo(page, "tag “ships” on 4 pictures")).to_be_visible()
    idle(page)
    assert tagged(db, "ships") == boats


def test_remove(page, db):
    with Steps(page, "remove") as steps:
        steps.click(picture(page, "(postcard)"), "the picture by the other button", button="right")
        steps.click(page.get_by_role("menuitem", name="Remove from the collection"), "Remove from the collection")
        steps.click(page.get_by_role("button", name="Remove", exact=True).last, "Remove")
        expect(pieces(page)).to_have_count(30)
    assert numbers(db, "title LIKE '%postcard%'") == []
    undo(page, "1 picture removed").click()
    expect(pieces(page)).to_have_count(31)
    idle(page)
    assert len(numbers(db, "title LIKE '%postcard%'")) == 1


def test_share(page, open_page):
    with Steps(page, "share") as steps:
        select_boats(steps)
        steps.go("Map")
        PictureMap(page)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        steps.click(page.get_by_role("button", name="Copy link"), "Copy link")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        link = page.evaluate("navigator.clipboard.readText()")
        assert link == address_of(page)
    colleague = open_page(link)
    assert PictureMap(colleague)["selected"] == 4
    assert all("boats" in title.lower() for title in titles(colleague)) and len(titles(colleague)) == 4


def test_two_models(page):
    with Steps(page, "two models") as steps:
        steps.go("Map")
        PictureMap(page)
        steps.click(page.locator(".st-key-map_compare button"), "Compare")
        steps.click(page.get_by_role("combobox", name="Second map"), "Second map")
        steps.click(page.get_by_role("option", name="UMAP of run 1"), "the other network's")
        expect(page.get_by_text("are the same in both on average")).to_be_visible()
    assert [PictureMap(page, number)["drawn"] for number in (0, 1)] == [31, 31]


def test_notes(page, db):
    with Steps(page, "notes") as steps:
        steps.double_click(picture(page, "Mona Lisa"), "the picture")
        steps.type("Sfumato, cf. Vasari", page.get_by_label("A note on the picture"))
        steps.press("Control+Enter")
        expect(page.get_by_role("dialog").get_by_text("Sfumato, cf. Vasari")).to_be_visible()
    notes = ask(db, "SELECT title, note FROM notes JOIN catalogue USING (image_id)")
    assert notes == [("Mona Lisa", "Sfumato, cf. Vasari")]


def test_sort(page, db):
    with Steps(page, "sort") as steps:
        steps.choose("Order", "date")
    rows = ask(db, "SELECT title FROM catalogue ORDER BY date_from NULLS LAST, date, image_id")
    assert titles(page)[:6] == [title for (title,) in rows[:6]]


def test_full_resolution(page):
    page.set_viewport_size({"width": 1201, "height": 1000})  # in which the middle of the viewer lies between two pixels
    with Steps(page, "full resolution") as steps:
        steps.double_click(picture(page, "Chequered scan"), "the picture")
        viewer = page.get_by_role("dialog").locator(".viewer")
        expect(viewer).to_be_visible()
        steps.press("1")
        viewer.evaluate(
            "element => new Promise(done => { const look = () => Math.abs(element.dataset.scale - 1) < 0.0005 ? done()"
            " : setTimeout(look, 50); look(); })"
        )
    box = viewer.locator(".stage").bounding_box()
    clip = {"x": box["x"] + box["width"] / 2 - 40, "y": box["y"] + box["height"] / 2 - 40, "width": 80, "height": 80}
    for _ in range(100):
        pixels = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("L"), float)
        if pixels.std() > 20:
            break
        page.wait_for_timeout(100)
    # Black and white in single pixels, which is grey in any smaller copy, and where it lies between those of the screen.
    assert pixels.std() > 20
