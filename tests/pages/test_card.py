"""The card of a picture: the viewer of the page Picture in a dialog, with its notes and ways out."""

from urllib.parse import parse_qsl

import pytest

from dashboard.drawing.text import sources
from tests.pages import database
from tests.support.pages import choose, walls


def opened(at, image: int):
    """The page with the card of an image, as a click opens it."""
    at.session_state["_card"] = image
    at.run()
    assert not at.exception
    return at


@pytest.mark.parametrize("page", ["overview", "map", "sql"])
def test_the_card_shows_the_scan_and_what_is_known_of_it(db, open_page, page):
    at = opened(open_page(page), 2)
    data = walls(at)["picture_viewer"]
    by_file = sorted(database.NAMES)
    assert data["image"] == 2 and data["tiles"]["id"] == "/iiif/2" and not data["addressed"]
    assert data["place"].startswith(f"{by_file.index(database.NAMES[1]) + 1} of {len(by_file)} by file name")
    shown = "".join(each.value for each in at.get("html"))
    assert "note_new" in {each.key for each in at.text_area} and database.NAMES[1] in shown


def test_a_map_chosen_on_the_card_is_there_on_the_next_one(db, open_page):
    at = opened(open_page(), 2)
    assert walls(at)["picture_viewer"]["map"] is None
    at.session_state["_card"] = 2  # AppTest knows no reruns of a dialog alone
    choose(at, "picture_method", "rollout")
    assert walls(at)["picture_viewer"]["map"]
    at.run()  # closed
    assert "picture_viewer" not in walls(at)
    assert walls(opened(at, 3))["picture_viewer"]["map"]


def test_the_card_leads_to_the_map_that_it_shows(db, open_page):
    at = opened(open_page(picture_method="cls", picture_layer="1", picture_head="1"), 2)
    for key, value in (("picture_method", "cls"), ("picture_layer", 1), ("picture_head", 1)):
        at.session_state["_card"] = 2
        choose(at, key, value)
    at.session_state["_card"] = 2
    at.run()
    found = {link.proto.page: dict(parse_qsl(link.proto.query_string)) for link in at.get("page_link")}
    assert found["picture"].items() >= {"picture_method": "cls", "picture_layer": "1", "picture_head": "1"}.items()
    assert found["attention"].items() >= {"method": "cls", "layer": "1", "head": "1", "image": "2"}.items()


def test_a_picture_of_a_collection_without_a_run_has_a_card(tmp_path, monkeypatch, open_page):
    path = tmp_path / "without.duckdb"
    database.make(path, run=False)
    monkeypatch.setenv("BILDERATLAS_DB", str(path))
    at = opened(open_page(), 2)
    assert walls(at)["picture_viewer"]["image"] == 2 and "picture_method" not in {each.key for each in at.selectbox}


def test_years_beside_a_date_are_said_once():
    plain = {"year": 1889, "year_from": 1889, "year_to": 1889, "iiif_manifest": "x", "artist": ""}
    assert sources.facts(plain) == {"year": "1889"}
    about = {"date": "late 1880s", "date_from": 1885, "date_to": 1889}
    assert sources.facts(about) == {"date": "late 1880s", "date, in years": "1885 – 1889"}
    assert sources.facts({"made_from": 1900, "made_to": 1900}) == {"made": "1900"}
