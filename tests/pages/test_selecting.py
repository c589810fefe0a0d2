"""What can be done with selected pictures: gallery, table, contrast, tags, saved selections, SQL, files, links."""

import io
import json
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard import app
from dashboard.compute import packing
from dashboard.compute.typical import Typical
from dashboard.data import archive, captions
from dashboard.selection import contrast
from store import connection, sandbox, selections, tags, write
from store.errors import DatabaseLocked
from tests.pages import database
from tests.pages.test_packing import decoded

HARMFUL = "</script><img src=x onerror=alert(1)>"
FORMULA = '=HYPERLINK("http://example.org")'


@pytest.fixture
def open_part(db, open_page):
    """`open_part("tags", [1, 2])`: the map with these pictures selected, at one of the parts."""

    def open_(part: str, ids: list[int], **query):
        marked = {"marked": packing.pack(np.array(ids))} if ids else {}
        at = open_page("map", selection_part=part, **marked, **query)
        assert not at.exception
        return at

    return open_


def wall(at) -> dict:
    """What the gallery was given."""
    return next(
        json.loads(element.proto.json)
        for element in at.get("bidi_component")
        if element.proto.id.endswith("selection_wall")
    )


def address(at) -> dict[str, str]:
    """What the address says."""
    values = {key: at.query_params[key] for key in at.query_params}  # texts once a page wrote them, lists before
    return {key: value if isinstance(value, str) else value[0] for key, value in values.items()}


def marked(at) -> list[int]:
    return list(at.session_state["_map_marked"])


def texts(at) -> str:
    return " ".join(text.value for text in (*at.markdown, *at.caption, *at.warning))


def rows(db, query: str) -> list[tuple]:
    with connection.reading(db) as con:
        return con.execute(query).fetchall()


# ---- the parts --------------------------------------------------------------------------------------------------------


def test_nothing_selected_says_how_to_select(db, open_page):
    at = open_page("map")
    assert at.button(key="map_selection").label == "Selection" and "Nothing is selected" not in texts(at)
    at.button(key="map_selection").click().run()
    assert "Nothing is selected yet" in texts(at)
    assert "selection_part" not in at.session_state


def test_the_gallery_is_given_ids_and_addresses_alone(open_part):
    at = open_part("pictures", [1, 3, 4, 99])
    given = wall(at)
    assert decoded(given["ids"]) == [1, 3, 4]
    assert "1 picture of the selection is not in this run" in texts(at)
    assert given["thumb"].startswith("/thumb/{id}?v=") and given["about"].startswith("/atlas/abouts/{ids}?v=")
    assert not {"items", "captions", "src"} & set(given) and given["chosen"]


def test_addresses_of_pictures_stay_when_tags_change(db, open_part):
    at = open_part("pictures", [1])
    before = wall(at)["thumb"]
    with connection.writing(db) as con:
        tags.add(con, [1], ["sea"])
    assert wall(at.run())["thumb"] == before
    with connection.writing(db) as con:
        write.set_metadata(con, 1, {database.NAMES[0]: {"title": "Another"}})
    assert wall(at.run())["thumb"] != before


def test_the_table_has_metadata_places_and_tags(db, open_part):
    with connection.writing(db) as con:
        tags.add(con, [1], ["sea", "boat"])
    table = open_part("table", [1, 3]).dataframe[0].value
    assert table["image_id"].tolist() == [1, 3]
    assert {"artist", "map_x", "map_y"} <= set(table.columns)
    assert table["tags"].tolist() == ["boat; sea", ""]


def test_what_is_typical_is_said_with_its_caveat(db, open_page, open_part):
    facts = {name: {"artist": "Hokusai" if place < 3 else "others"} for place, name in enumerate(database.NAMES)}
    with connection.writing(db) as con:
        write.set_metadata(con, 1, facts)
    at = open_part("typical", [1, 2, 3])
    assert "could well be so by chance" in texts(at)  # 1 in 20 pickings of three would have them all
    table = "".join(html.proto.body for html in at.get("html"))
    assert "3 of 3" in table and "only here" in table
    assert "not why" in texts(at) and "no random sample" in texts(at)
    assert "no rest to compare" in texts(open_part("typical", [1, 2, 3, 4, 5, 6]))


def test_findings_are_escaped_and_sentences_are_no_markdown():
    one = Typical("a<b", f"*{HARMFUL}*", 3, 4, 1, 30, 22.5, 0.0004)
    assert "<img" not in contrast.bars("t", [one]) and "&lt;img" in contrast.bars("t", [one])
    assert "\\*" in contrast.sentence(one) and "22 times as common" in contrast.sentence(one)
    assert (contrast.chance(0.0004), contrast.chance(0.034), contrast.chance(0.4)) == ("< 0.001", "0.034", "0.40")


# ---- tags ---------------------------------------------------------------------------------------------------------------


def test_tags_are_added_to_all_selected_pictures_with_a_note(db, open_part):
    at = open_part("tags", [2, 3])
    at.session_state["tag_words"] = ["sea", "Mount Fuji"]
    at.text_input(key="tag_note").set_value("room 4")
    at.button(key="tag_add").click().run()
    assert not at.exception and not at.warning
    assert rows(db, "SELECT image_id, tag, note FROM tags ORDER BY ALL") == [
        (i, tag, "room 4") for i in (2, 3) for tag in ("Mount Fuji", "sea")
    ]
    assert at.text_input(key="tag_note").value == "" and at.multiselect(key="tag_words").value == []
    assert "**sea** · 2 of 2 · *room 4*" in texts(at)


def test_a_tag_is_removed_from_the_selection_alone(db, open_part):
    with connection.writing(db) as con:
        tags.add(con, [1, 2, 3], ["sea"])
    at = open_part("tags", [2, 3])
    at.button(key="tag_remove_sea").click().run()
    assert rows(db, "SELECT image_id FROM tags") == [(1,)]


def test_a_note_can_be_changed(db, open_part):
    with connection.writing(db) as con:
        tags.add(con, [1, 2], ["sea"], "old")
    at = open_part("tags", [2, 3])
    assert at.text_area(key="tag_note_sea").value == "old"
    at.text_area(key="tag_note_sea").set_value("new")
    at.button(key="tag_save_sea").click().run()
    assert rows(db, "SELECT note FROM tags ORDER BY image_id") == [("old",), ("new",)]
    at.button(key="tag_all_sea").click().run()
    assert rows(db, "SELECT image_id FROM tags ORDER BY 1") == [(1,), (2,), (3,)]


def test_all_pictures_of_a_tag_can_be_selected(db, open_part):
    with connection.writing(db) as con:
        tags.add(con, [2, 5], ["sea"])
    at = open_part("pictures", [], panel="open")
    at.button(key="tag_pick_do").click().run()
    assert marked(at) == [2, 5]
    assert "**2** of 6 pictures" in texts(at)


def test_while_the_database_is_busy_a_sentence_says_so_and_what_was_typed_stays(db, open_part, monkeypatch):
    def busy(*_):
        raise DatabaseLocked("held by PID 1")

    monkeypatch.setattr("dashboard.data.cache.add_tags", busy)
    monkeypatch.setattr("dashboard.data.cache.save_selection", busy)
    at = open_part("tags", [2])
    at.session_state["tag_words"] = ["sea"]
    at.text_input(key="tag_note").set_value("room 4")
    at.button(key="tag_add").click().run()
    assert "busy" in at.warning[0].value and not at.exception
    assert at.text_input(key="tag_note").value == "room 4" and at.session_state["tag_words"] == ["sea"]
    at = open_part("saved", [2])
    at.text_input(key="saved_new").set_value("Waves")
    at.button(key="saved_save").click().run()
    assert "busy" in at.warning[0].value and at.text_input(key="saved_new").value == "Waves"


def test_a_tag_without_letters_is_asked_for(open_part):
    at = open_part("tags", [2])
    at.button(key="tag_add").click().run()
    assert "Type a tag" in at.warning[0].value


# ---- saved selections ---------------------------------------------------------------------------------------------------


def save(at, name: str):
    at.text_input(key="saved_new").set_value(name)
    at.text_input(key="saved_new_note").set_value("for chapter 2")
    return at.button(key="saved_save").click().run()


def test_a_selection_is_saved_and_goes_by_its_name_in_the_address(db, open_part, open_page):
    at = save(open_part("saved", [1, 4]), "Waves & water")
    assert not at.exception and not at.warning
    assert address(at)["selection"] == "Waves & water" and "marked" not in address(at)
    assert rows(db, "SELECT name, note, image_id FROM selections ORDER BY ALL") == [
        ("Waves & water", "for chapter 2", 1),
        ("Waves & water", "for chapter 2", 4),
    ]
    assert marked(open_page("map", selection="Waves & water")) == [1, 4]


def test_a_taken_name_is_replaced_only_when_asked(db, open_part):
    with connection.writing(db) as con:
        selections.save(con, "paintings", "Waves", [5])
    at = save(open_part("saved", [1, 4]), "Waves")
    assert rows(db, "SELECT image_id FROM selections") == [(5,)]
    assert "already" in texts(at)
    at.button(key="saved_replace").click().run()
    assert rows(db, "SELECT image_id FROM selections ORDER BY 1") == [(1,), (4,)]


def test_selections_are_combined(db, open_part):
    with connection.writing(db) as con:
        selections.save(con, "paintings", "Waves", [2, 3])
    at = open_part("saved", [1, 2])
    for key, ids in (("without", [1]), ("add", [1, 2, 3]), ("both", [2, 3])):
        at.button(key=f"saved_{key}").click().run()
        assert marked(at) == ids


def test_opening_renaming_deleting_and_undoing(db, open_part):
    with connection.writing(db) as con:
        selections.save(con, "paintings", "Waves", [2, 3], "a note")
    at = open_part("saved", [1])
    at.button(key="saved_pick_do").click().run()
    assert marked(at) == [2, 3] and address(at)["selection"] == "Waves"
    at.text_input(key="saved_name_Waves").set_value("Water")
    at.button(key="saved_rename").click().run()
    assert address(at)["selection"] == "Water" and not at.exception
    at.button(key="saved_delete").click().run()
    assert rows(db, "SELECT * FROM selections") == [] and marked(at) == [2, 3]
    assert "selection" not in address(at) and address(at)["marked"]
    at.button(key="saved_undo").click().run()
    assert rows(db, "SELECT name, note, image_id FROM selections ORDER BY image_id") == [
        ("Water", "a note", 2),
        ("Water", "a note", 3),
    ]


def test_the_address_holds_an_unsaved_selection_and_drops_a_name_that_no_longer_fits(db, open_part, open_page):
    with connection.writing(db) as con:
        selections.save(con, "paintings", "Waves", [2, 3])
    at = open_page("map", selection="Waves")
    at.session_state["_map_marked"] = [2]
    at.run()
    assert "selection" not in address(at)
    link = address(at)["marked"]
    assert marked(open_page("map", marked=link)) == [2]
    at.button(key="selection_clear").click().run()
    assert "marked" not in address(at) and marked(at) == []


@pytest.mark.parametrize(
    ("query", "sentence"), [({"selection": "gone"}, "no saved selection “gone”"), ({"marked": "rAB"}, "cut off")]
)
def test_a_link_that_leads_nowhere_says_so(db, open_page, query, sentence):
    at = open_page("map", panel="closed", **query)
    assert not at.exception and sentence in texts(at)
    at.button(key="map_close").click().run()
    assert sentence not in texts(at) and not set(query) & set(address(at))
    assert sentence in texts(open_page("map", f="artist:Katsushika Hokusai", **query))  # the panel shows what is left


def test_the_selection_stays_when_another_page_was_open(db, open_part):
    at = open_part("pictures", [1, 4])
    at.switch_page("views/sql/sql.py").run()
    at.switch_page("views/map/map.py").run()
    assert decoded(wall(at)["ids"]) == [1, 4]


# ---- SQL and files ------------------------------------------------------------------------------------------------------


def test_the_statement_gives_exactly_these_pictures(db, open_part):
    def statement(at) -> str:
        (sql,) = [each.value for each in at.code if each.language == "sql"]
        return sql

    def answer(at) -> list[int]:
        found = sandbox.query(db, statement(at)).table
        return found["image_id"].to_pylist()

    at = open_part("sql", [1, 2, 3, 5])
    assert answer(at) == [1, 2, 3, 5] and "BETWEEN 1 AND 3" in statement(at)
    with connection.writing(db) as con:
        tags.add(con, [1, 2, 3, 5], ["l'eau"])
    at.run()
    assert answer(at) == [1, 2, 3, 5] and "l''eau" in statement(at)
    with connection.writing(db) as con:
        selections.save(con, "paintings", "Wave's", [2, 4])
    at = open_part("sql", [], selection="Wave's")
    assert answer(at) == [2, 4] and "selections" in statement(at)


@pytest.mark.parametrize("ids", [[4], [1, 2], [1, 3, 5, 7], [2, 4, 5, 6, 9]])
def test_ids_in_a_statement_are_ranges_of_the_collection(ids):
    known = np.array([1, 2, 3, 4, 5, 6, 7, 9])
    con = duckdb.connect()
    con.execute("CREATE TABLE catalogue AS SELECT unnest([1, 2, 3, 4, 5, 6, 7, 8, 9]) AS image_id, 'c' AS collection")
    con.execute("UPDATE catalogue SET collection = 'other' WHERE image_id = 8")
    found = con.execute(selections.by_ids("c", np.array(ids), known)).fetchall()
    assert [row[0] for row in found] == ids


@pytest.fixture
def offer(db) -> archive.Offer:
    ids = np.array([1, 3, 4])
    titles = ("The Great Wave off Kanagawa", "../../Café/<b>", FORMULA)
    table = pd.DataFrame({"image_id": ids, "title": titles})
    return archive.Offer(db, "selection", ids, titles, table)


def test_the_zip_holds_thumbnails_with_safe_names_and_a_table_that_names_them(db, offer):
    with connection.writing(db) as con:
        con.execute("DELETE FROM thumbnail WHERE image_id = 4")
    path = archive.build(offer)
    try:
        with zipfile.ZipFile(path) as file:
            assert file.testzip() is None
            assert file.namelist() == ["000001-the-great-wave-off-kanagawa.jpg", "000003-cafe-b.jpg", "pictures.csv"]
            assert file.read("000001-the-great-wave-off-kanagawa.jpg")[:2] == b"\xff\xd8"
            table = pd.read_csv(io.BytesIO(file.read("pictures.csv")), encoding="utf-8-sig")
    finally:
        path.unlink()
    assert table["file"].tolist()[:2] == file.namelist()[:2] and pd.isna(table["file"][2])
    assert table["title"][2] == "'" + FORMULA


def test_the_server_sends_the_zip_that_was_offered_and_leaves_nothing_behind(db, offer, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "made"))
    (tmp_path / "made").mkdir()
    client = TestClient(Starlette(routes=app.routes()))
    found = client.get(f"/thumbnails/{archive.offer(offer)}")
    assert found.status_code == 200 and found.headers["content-disposition"].endswith('"selection-thumbnails.zip"')
    assert len(zipfile.ZipFile(io.BytesIO(found.content)).namelist()) == 4
    assert list((tmp_path / "made").iterdir()) == []
    assert client.get("/thumbnails/unknown").status_code == 404


def test_only_the_last_offers_are_kept(offer):
    first = archive.offer(offer)
    assert archive.offer(offer) == first
    for number in range(archive.OFFERS):
        archive.offer(archive.Offer(offer.path, f"other {number}", offer.ids, offer.titles, offer.rows))
    assert archive.offered(first) is None


def test_names_of_files_are_unique_and_short():
    names = archive.file_names(np.array([7, 12_345_678]), ("x" * 500, "日本"))
    assert names == ["00000007-" + "x" * 60 + ".jpg", "12345678.jpg"]


def test_the_files_are_offered(db, open_part):
    at = open_part("files", [1, 3])
    labels = [button.proto.label for button in at.get("download_button")]
    assert {"Download the selection as CSV", "Download it as Parquet"} <= set(labels)
    token = at.get("link_button")[0].proto.url.split("/")[2].split("?")[0]
    assert archive.offered(token).ids.tolist() == [1, 3]


def test_words_for_many_pictures_come_at_once(db):
    texts = json.loads(captions.captions(db, "1,3,99"))
    assert set(texts) == {"1", "3"}
    assert texts["1"]["title"] == "The Great Wave off Kanagawa" and "Hokusai" in texts["1"]["caption"]
    for bad in ("", "1,", "a", "1;2", "-1", ",".join(["1"] * 201), "9" * 30):
        assert captions.captions(db, bad) is None
