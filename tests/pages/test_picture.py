"""The page Picture: what its viewer is given, the map exactly on what the network saw, notes, and which picture is next."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.compute import words
from dashboard.state import ordering
from ingest.vision.colour_maps import colour_table
from store import connection, notes, read, regions, write
from tests.pages import database
from tests.support.pages import choose, html_of, walls

CANVAS = "https://iiif.example/wave/canvas/1"


@pytest.fixture
def page(db, open_page):
    def open_(image=1, **query):
        at = open_page("picture", image=image, **query)
        assert not at.exception
        return at

    return open_


def given(at) -> dict:
    return walls(at)["picture_viewer"]


def texts(at) -> str:
    return "\n".join(element.value for element in [*at.main.caption, *at.main.markdown])


def test_the_viewer_has_the_scan_s_own_pixels(page):
    data = given(page())
    assert data["tiles"]["id"] == "/iiif/1" and data["tiles"]["type"] == "ImageService3"
    assert (data["tiles"]["width"], data["tiles"]["height"]) == (data["width"], data["height"])
    assert data["version"] and data["thumb"].startswith("/thumb/1?v=") and data["sentence"] == ""
    assert data["library"].startswith("/openseadragon.js?v=")


def test_a_museum_s_picture_comes_from_its_own_service(db, page):
    service = "https://iiif.example/wave"
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"iiif_service": service, "iiif_canvas": CANVAS}})
    at = page()
    assert given(at)["tiles"] == f"{service}/info.json" and at.code[0].value == f"{service}/info.json"


def test_an_original_that_moved_is_a_thumbnail_and_a_sentence(db, page):
    with connection.writing(db) as con:
        con.execute("UPDATE collection SET source = '/nowhere'")
    data = given(page())
    assert data["tiles"] is None
    assert (
        data["sentence"] == "The original file is not where it was when it was read in. What is shown is its thumbnail."
    )


# ---- the map ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "head"), [("cls", "mean"), ("rollout", None)])
def test_the_map_has_a_pixel_for_each_patch_and_lies_on_its_frame(db, page, method, head):
    with connection.writing(db) as con:
        con.execute("UPDATE frame SET x0 = 66.5, x1 = 598.5, y0 = -45, y1 = 495 WHERE image_id = 1")  # cut, and padded
    at = page(picture_method=method, picture_layer=1, picture_opacity=0.3, **({"picture_head": head} if head else {}))
    layer = given(at)["map"]
    with connection.reading(db) as con:
        size = con.execute("SELECT width, height FROM images WHERE image_id = 1").fetchall()[0]
        stack = read.maps(con, 1, 1, method, "", [1], None)
    weights = stack.weights.astype(np.float64).mean(axis=0)
    frame = [66.5 / size[0], -45 / size[1], 598.5 / size[0], 495 / size[1]]
    assert layer["frame"] == pytest.approx(frame) and layer["opacity"] == 0.3 and layer["cut"] is True
    image = Image.open(io.BytesIO(base64.b64decode(layer["src"].partition(",")[2])))
    assert image.size == (database.COLS, database.ROWS)
    expected = colour_table("inferno")[np.rint(255 * (weights - weights.min()) / np.ptp(weights)).astype(int)]
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - expected).max() <= 6  # a level of 256 beside
    assert "peak ×" in html_of(at)


def test_there_is_no_map_at_first_and_the_address_keeps_one(page):
    at = page()
    assert given(at)["map"] is None and at.selectbox(key="picture_method").options[0] == "None"
    choose(at, "picture_method", "rollout")
    assert given(at)["map"] and at.query_params["picture_method"] == "rollout"


# ---- which picture is next --------------------------------------------------------------------------------------------


def test_next_and_previous_follow_the_order_of_overview(db, page):
    years = sorted(
        (facts["year"], name)
        for name, facts in database.metadata().items()
        if name in database.NAMES and "year" in facts
    )
    ids = [database.NAMES.index(name) + 1 for _, name in years]
    data = given(page(image=ids[1], wall_order="year"))
    assert data["previous"] == ids[:1] and data["next"][: len(ids) - 2] == ids[2:]
    assert data["place"] == f"2 of {len(database.NAMES)} by year"
    by_file = sorted(database.NAMES)
    data = given(page(image=1))
    place = by_file.index(database.NAMES[0])
    assert data["place"] == f"{place + 1} of {len(by_file)} by file name"
    assert data["next"][0] == database.NAMES.index(by_file[place + 1]) + 1


def test_next_and_previous_go_through_what_the_filter_leaves(db, page):
    at = page(image=1, f="artist:Katsushika Hokusai")
    data = given(at)
    assert data["place"].startswith("2 of 2") and (data["previous"], data["next"]) == ([2], [])
    both = given(page(image=1, f="artist:Katsushika Hokusai", wall_filter="kanagawa"))
    assert both["place"] == "1 of 1 by file name, with “kanagawa”"


def test_what_lies_around_a_picture():
    order = ordering.Order(np.array([5, 3, 9, 1]), np.array([True, False, True, True]))
    assert order.around(9) == ([5], [1]) and order.around(3) == ([5], [9]) and order.around(5) == ([], [9])
    assert order.around(1) == ([9], []) and order.around(7) == ([], [])
    assert order.around(1, 5) == ([9, 5], [])


# ---- what is written --------------------------------------------------------------------------------------------------


def test_a_note_is_saved_changed_and_deleted(db, page):
    at = page()
    at.text_area(key="note_new").set_value(" By the *same* hand\ntwice ")
    at.button(key="note_add").click().run()
    assert at.text_area(key="note_new").value == "" and "By the \\*same\\* hand  \n\u2060twice" in texts(at)
    at.text_area(key="note_text_1").set_value("By another")
    at.button(key="note_save_1").click().run()
    assert "By another" in texts(at)
    at.button(key="note_delete_1").click().run()
    with connection.reading(db) as con:
        assert notes.of(con, [1]).num_rows == 0


def test_a_note_is_shown_in_its_own_lines():
    assert words.lines("*Sea*\n=\n\n# 1494") == "\u2060\\*Sea\\*  \n\u2060=  \n\u2060  \n\u2060\\# 1494"


def test_an_empty_note_and_a_busy_database_are_sentences(db, page, monkeypatch):
    at = page()
    at.button(key="note_add").click().run()
    assert "type something" in at.warning[0].value
    monkeypatch.setattr("dashboard.data.cache.memory.PATIENCE", 0.1)
    with connection.writing(db):
        at.text_area(key="note_new").set_value("sea")
        at.button(key="note_add").click().run()
    assert "The database is busy" in at.warning[0].value and at.text_area(key="note_new").value == "sea"


def test_regions_lie_on_the_picture_and_a_drawn_one_until_it_is_saved(db, page):
    with connection.writing(db) as con:
        regions.add(con, 1, (0.1, 0.2, 0.3, 0.4), "claws")
    at = page()
    (region,) = given(at)["regions"]
    assert region["note"] == "claws" and region["box"] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    at.session_state["_picture_box"] = (1, (0.5, 0.5, 0.75, 0.75))
    at.run()
    assert given(at)["box"] == [0.5, 0.5, 0.75, 0.75]
    with connection.writing(db) as con:
        regions.add(con, 1, (0.5, 0.5, 0.75, 0.75), "sky")
    at.run()
    assert given(at)["box"] is None and [each["note"] for each in given(at)["regions"]] == ["claws", "sky"]
    at.button(key="region_show_1").click().run()
    assert given(at)["goal"]["box"] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_neighbours_lead_on(page):
    at = page()
    assert len(walls(at)["picture_neighbours"]["items"]) == len(database.NAMES) - 1


def test_a_collection_without_a_run_has_the_page_too(tmp_path, monkeypatch, open_page):
    path = tmp_path / "without.duckdb"
    database.make(path, run=False)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = open_page("picture", image=2)
    assert not at.exception and given(at)["image"] == 2 and "picture_method" not in {each.key for each in at.selectbox}
