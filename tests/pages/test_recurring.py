"""The second part of the page Details: groups of places that recur, shown, filtered, tagged, searched for, exported."""

import csv
import io
import shutil

import pandas as pd
import pytest

from dashboard.components import crop
from dashboard.views.details import recurring as part
from store import recurring
from store.connection import writing
from tests.support import commands
from tests.support.databases import ask
from tests.support.pages import html_of, walls
from tests.vision.test_details import textured

BOX, TWICE = (20.0, 30.0, 80.0, 90.0), (150.0, 100.0, 200.0, 150.0)


class Group:
    """As `group` makes them."""

    def __init__(self, kind, stage, places, mirrored=False):
        self.kind, self.stage, self.mirrored = kind, stage, mirrored
        self.places = [Place(*place) for place in places]


class Place:
    def __init__(self, image_id, box, matches):
        self.image_id, self.box, self.matches = image_id, box, matches


GROUPS = [
    Group("detail", "key points", [(1, BOX, 40), (2, BOX, 40), (3, BOX, 12), (3, TWICE, 9)], mirrored=True),
    Group("detail", "key points", [(4, BOX, 20), (2, TWICE, 20)]),
    Group("detail", "votes", [(1, TWICE, 0), (4, TWICE, 0)]),
    Group("same picture", "key points", [(3, (0.0, 0.0, 240.0, 200.0), 300), (4, (0.0, 0.0, 240.0, 200.0), 300)]),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A database with patches and these groups, and one before any search."""
    folder = tmp_path_factory.mktemp("recurs")
    scans = folder / "scans"
    scans.mkdir()
    for number in range(4):
        textured(240, 200, 40 + number).save(scans / f"p{number}.png")
    (scans / "metadata.csv").write_text("file,title,year\n" + "\n".join(f"p{n}.png,=T{n},{1500 + n}" for n in range(4)))
    db = folder / "a.duckdb"
    assert commands.run("run", scans, *commands.TINY, "--methods", "none", db=db).code == 0
    assert commands.run("details", "--layer", "1", "--size", "112", db=db).code == 0
    return db


@pytest.fixture
def searched(found, tmp_path, monkeypatch):
    db = shutil.copy(found, tmp_path / "searched.duckdb")
    with writing(db) as con:
        number = recurring.search(con, 1, 0, False, "", {})
        recurring.add(con, number, [recurring.SearchedImage(image_id, 30, 2, 1.0, []) for image_id in (1, 2, 3)])
        recurring.set_groups(con, 1, GROUPS)
    monkeypatch.setenv("BILDERATLAS_DB", str(db))
    monkeypatch.setattr(crop, "crop", lambda src, alt, key, box=None: None)
    return db


def shown(at):
    return {key: [item["id"] for item in wall["items"]] for key, wall in walls(at).items() if key.startswith("recurs_")}


def test_groups_are_galleries_of_places_the_largest_first(searched, open_page):
    at = open_page("details", details_view="What recurs")
    assert not at.exception and not at.error
    assert shown(at) == {"recurs_1": [1, 2, 3], "recurs_2": [2, 4]} or shown(at) == {
        "recurs_1": [1, 2, 3],
        "recurs_2": [4, 2],
    }
    text = " ".join(each.value for each in at.markdown)
    assert "**Group 1** · 3 pictures · 9 key points or more agree · in mirror image" in text
    items = walls(at)["recurs_1"]["items"]
    assert items[2]["caption"] == "2 places" and all(item["src"].startswith("data:image/") for item in items)
    assert "90 boxes in 3 of 4 pictures, not in mirror image; a further search goes on" in html_of(at)


@pytest.mark.parametrize(("kind", "ids"), [(part.SUGGESTED, {"recurs_3": [1, 4]}), (part.WHOLE, {"recurs_4": [3, 4]})])
def test_votes_and_same_pictures_stand_apart(searched, open_page, kind, ids):
    at = open_page("details", details_view="What recurs", recurs=kind)
    assert not at.exception and shown(at) == ids


def test_the_one_filter_leaves_groups_with_two_pictures(searched, open_page):
    at = open_page("details", details_view="What recurs", where="year >= 1501")
    assert not at.exception and {key: set(ids) for key, ids in shown(at).items()} == {
        "recurs_1": {2, 3},
        "recurs_2": {2, 4},
    }
    at = open_page("details", details_view="What recurs", where="year = 1500")
    assert shown(at) == {} and "among these" in at.info[0].value


def test_a_group_is_tagged_selected_and_searched_for(searched, open_page):
    at = open_page("details", details_view="What recurs")
    at.text_input("recurs_tag_1").set_value("the hand")
    next(button for button in at.button if button.key == "recurs_tag_1_add").click().run()
    assert not at.exception
    assert ask(searched, "SELECT image_id, tag FROM tags ORDER BY ALL") == [(n, "the hand") for n in (1, 2, 3)]
    next(button for button in at.button if button.key == "recurs_select_2").click().run()
    assert list(at.session_state["_map_marked"]) == [2, 4]
    next(button for button in at.button if button.key == "recurs_search_1").click().run()
    assert not at.exception and "detail_wall" in walls(at) and shown(at) == {}
    assert (
        at.session_state["crop"] == pytest.approx((1 / 12, 0.15, 1 / 3, 0.45), abs=1e-4)
        and at.session_state["image"] == 1
    )


def test_before_any_search_the_page_says_what_to_type(found, open_page, monkeypatch):
    monkeypatch.setenv("BILDERATLAS_DB", str(found))
    at = open_page("details", details_view="What recurs")
    assert not at.exception and "recurring --run 1 --budget '10 minutes'" in at.code[0].value


def test_the_table_is_safe_for_spreadsheets(monkeypatch):
    image = {"path": "=a.png", "title": "=T0"}
    monkeypatch.setattr(part.cache, "image_row", lambda image_id: image)
    place = {"group_id": 1, "kind": "detail", "image_id": 7, **dict(zip(part.EDGES, BOX, strict=True)), "matches": 9}
    (row,) = csv.DictReader(io.StringIO(part.table(pd.DataFrame([{**place, "x0": 20.04, "pictures": 2}]))))
    assert (row["image_id"], row["path"], row["title"], row["x0"]) == ("7", "'=a.png", "'=T0", "20.0")
    assert (row["group_id"], row["matches"], row["pictures"]) == ("1", "9", "2")
