"""The page Large images: what its viewer is given, its threshold, and which patches and pictures can be chosen."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

from dashboard.compute import packing
from dashboard.views.large_images import exports
from ingest.vision.colour_maps import colour_table
from store import connection, patches
from store.patches import PatchRun, SelectedPatches
from tests.pages import database
from tests.support.databases import ask
from tests.support.pages import choose, html_of, walls

SCORES = np.array([0.4, 0.3, 0.12, 0.1], np.float32)
BOXES = np.array([[300, 100, 400, 200], [0, 0, 100, 100], [100, 0, 200, 100], [0, 100, 100, 200]])


def run_of(score="share", **options) -> PatchRun:
    settings = {"options": {"patch_size": 100, "top": 4, "how": "exact", **options}, "scorer": {"score": score}}
    scorer = "attention" if score == "share" else "rarity"
    return PatchRun(scorer, f"By {scorer} · tiny", "tiny", "0" * 64, settings)


def selected(image_id: int, factor: float = 1.0) -> SelectedPatches:
    small = [(b"\xff\xd8" + bytes([place]), 100, 100) for place in range(4)]
    return SelectedPatches(image_id, (3, 5), (100, 100), BOXES, SCORES * factor, np.ones((4, 2), np.float32), small)


@pytest.fixture
def page(db, open_page):
    """The page on a database in which pictures 1 and 2 have patches of a run, and picture 2 of a later one."""
    with connection.writing(db) as con:
        first = patches.add_patch_run(con, 1, run_of())
        second = patches.add_patch_run(con, 1, run_of("value", top=9))
        patches.add_patches(con, first, selected(1))
        patches.add_patches(con, first, selected(2, 1.5))
        patches.add_patches(con, second, selected(2))

    def open_(image=1, run=first, **query):
        at = open_page("large_images", image=image, patch_run=run, **query)
        assert not at.exception
        return at

    open_.runs = (first, second)
    return open_


def given(at) -> dict:
    return walls(at)["patch_viewer"]


def test_boxes_lie_on_the_picture_in_the_colours_of_their_scores(page):
    data = given(page())
    assert data["tiles"]["id"] == "/iiif/1" and data["library"].startswith("/openseadragon.js?v=")
    size = np.array([data["width"], data["height"]] * 2)
    np.testing.assert_allclose(np.array([each["box"] for each in data["patches"]]) * size, BOXES)
    assert [each["rank"] for each in data["patches"]] == [1, 2, 3, 4]
    assert [each["words"] for each in data["patches"]] == ["1: 40.00%", "2: 30.00%", "3: 12.00%", "4: 10.00%"]
    shares = (SCORES - 0.1) / 0.3
    expected = ["#" + bytes(colour_table("viridis")[round(255 * float(share))].tolist()).hex() for share in shares]
    assert [each["colour"] for each in data["patches"]] == expected


def test_the_page_says_how_many_of_how_many_and_what_a_score_is(page):
    first, second = page.runs
    text = html_of(page())
    assert "4 patches of 4 selected, 4 of the 15 that the picture was cut into (3 × 5), each 100 pixels wide" in text
    assert "share of the network&#x27;s attention" in text or "share of the network's attention" in text
    later = page(image=2, run=second)
    assert "unlike the collection" in html_of(later) and given(later)["patches"][0]["words"] == "1: 0.400"


def test_the_threshold_leaves_the_better_patches_in_viewer_and_gallery(page):
    at = page()
    choose(at, "patch_least", 50)  # 0.25
    assert [each["rank"] for each in given(at)["patches"]] == [1, 2]
    items = walls(at)["selected_patches"]["items"]
    assert [each["id"] for each in items] == [1, 2] and len({each["image"] for each in items}) == 1
    assert at.query_params["patch_least"] == "50" and "2 patches of 4 selected" in html_of(at)
    choose(at, "patch_least", 100)
    assert [each["rank"] for each in given(at)["patches"]] == [1]
    choose(at, "patch_least", 0)
    assert len(given(at)["patches"]) == 4


def test_a_patch_that_is_chosen_is_marked_and_brought_into_view(page):
    at = page()
    assert given(at)["goal"] is None and given(at)["rank"] is None
    at.session_state["_large_image_goal"] = (1, 3, 1)
    at.run()
    data = given(at)
    assert data["rank"] == 3 and walls(at)["selected_patches"]["shown"] == 3
    np.testing.assert_allclose(np.array(data["goal"]["box"]) * np.array([data["width"], data["height"]] * 2), BOXES[2])
    at.session_state["image"] = 2
    assert given(at.run())["goal"] is None


def test_pictures_stand_in_the_order_of_their_best_patch(page):
    items = walls(page())["patch_leaders"]["items"]
    assert [(each["id"], each["caption"]) for each in items] == [(2, "60.00% · 4 patches"), (1, "40.00% · 4 patches")]


def test_a_picture_without_patches_says_so_and_shows_those_that_have_some(page):
    at = page(image=3)
    assert "patch_viewer" not in walls(at) and "no patches of this picture" in at.info[0].value
    assert len(walls(at)["patch_leaders"]["items"]) == 2


def test_the_newest_run_is_shown_at_first(db, page, open_page):
    assert open_page("large_images", image=2).selectbox(key="patch_run").value == page.runs[1]


def test_without_any_patches_the_page_says_what_to_type(db, open_page):
    at = open_page("large_images", image=1)
    assert (
        not at.exception and f"python -m ingest patches {database.PAINTINGS} --collection paintings" in at.code[0].value
    )


def test_a_single_patch_has_no_threshold(db, open_page):
    one = selected(1)
    one = SelectedPatches(1, (1, 1), (100, 100), one.boxes[:1], one.scores[:1], one.vectors[:1], one.thumbnails[:1])
    with connection.writing(db) as con:
        patches.add_patches(con, patches.add_patch_run(con, 1, run_of()), one)
    at = open_page("large_images", image=1)
    assert not at.exception and len(given(at)["patches"]) == 1
    assert "patch_least" not in [slider.key for slider in at.slider]


def test_the_filter_leaves_pictures_of_the_list(page):
    at = page(where="false")
    assert "patch_viewer" in walls(at) and "patch_leaders" not in walls(at)
    at = page(where="image_id = 1")
    assert [each["id"] for each in walls(at)["patch_leaders"]["items"]] == [1]
    assert any("**1** of 2 pictures" in text.value for text in at.markdown)
    at = page(where="image_id = 3")
    assert any("has patches of run" in info.value for info in at.info) and "patch_viewer" in walls(at)


def test_pictures_can_be_selected_and_searched_with(page):
    at = page(marked=packing.pack(np.array([2])), like="2")
    wall = walls(at)["patch_leaders"]
    assert (
        wall["selected"] == [2]
        and wall["shown"] == 1
        and {"like", "unlike"} <= {each["key"] for each in wall["actions"]}
    )
    choose(at, "selection_part", "table")
    (row,) = at.dataframe[0].value.to_dict("records")
    assert row["image_id"] == 2 and row["patches"] == 4 and row["best_patch_score"] == pytest.approx(0.6)


def test_a_chosen_patch_can_be_saved_and_patches_leave_as_a_table(page, db):
    at = page()
    at.session_state["_large_image_goal"] = (1, 3, 1)
    at.run()
    at.text_input("patch_region_note").set_value("look here")
    next(button for button in at.button if button.key == "patch_region_keep").click().run()
    assert not at.exception
    assert ask(db, "SELECT image_id, note, x0, y0, x1, y1 FROM regions") == [
        (1, "look here", *(pytest.approx(float(edge), abs=0.01) for edge in BOXES[2]))
    ]
    with connection.reading(db) as con:
        every = patches.boxes(con, page.runs[0]).to_pandas()
    images = pd.DataFrame({"path": ["=1+1.jpg", "b.jpg"], "title": ["one", "two"]}, index=[1, 2])
    rows = list(csv.DictReader(io.StringIO(exports.table(every, images).decode("utf-8-sig"))))
    assert [row["rank"] for row in rows] == [*"1234", *"1234"] and rows[0]["path"] == "'=1+1.jpg"
    assert [float(rows[0][name]) for name in ("x", "y", "width", "height")] == [300, 100, 100, 100]


def test_patches_leave_as_annotations_where_a_viewer_can_fetch_the_picture():
    image = {"image_id": 3, "path": "a.jpg", "title": "a", "width": 600, "height": 300, "metadata": {}}
    rows = [dict(zip(("x0", "y0", "x1", "y1"), map(float, box), strict=True)) for box in BOXES]
    assert exports.annotations(image, rows, list("abcd"), None) is None
    page = json.loads(exports.annotations(image, rows, list("abcd"), "https://b.org/iiif"))
    assert page["items"][0]["target"].endswith("canvas/3#xywh=300,100,100,100")
    assert [item["body"]["value"] for item in page["items"]] == list("abcd")
