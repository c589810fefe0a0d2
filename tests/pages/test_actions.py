"""What can be done with pictures in every gallery, by what the browser sends; dialogs, undo, corrections."""

import numpy as np
import pytest

from dashboard.compute import packing
from dashboard.data import cache
from dashboard.selection import actions, tagging
from dashboard.state import navigation
from store import connection, corrections, read, removals, tags
from tests.support.pages import walls

USUAL = {"open", "picture", "select", "tag", "note", "similar", "attention", "figure", "export", "remove"}
GALLERIES = [("overview", "wall", set()), ("similar", "neighbours", {"subject", "like", "unlike"}),
             ("picture", "picture_neighbours", set()), ("heads", "head_peaks", {"maps"})]  # fmt: skip


@pytest.fixture
def send(monkeypatch):
    """`send(at, key, *done)`: the page after a gallery sent this, of which `done` are (number, act, what)."""
    waiting, begin = [], navigation.read_from_url

    def first():  # AppTest cannot press what a component of version 2 has
        while waiting:
            actions.handle(*waiting.pop())
        begin()

    monkeypatch.setattr(navigation, "read_from_url", first)

    def send_(at, key, *done):
        waiting.append((key, {"client": "me", "done": [list(each) for each in done]}))
        return at.run()

    return send_


@pytest.mark.parametrize(("page", "key", "own"), GALLERIES)
def test_every_gallery_offers_the_same_and_what_its_page_adds(db, open_page, page, key, own):
    given = walls(open_page(page, image=2))[key]
    assert {each["key"] for each in given["actions"]} == USUAL | own
    keys = [one for each in given["actions"] for one in each["keys"]]
    assert len(keys) == len(set(keys))  # no key means two things


def test_clicks_select_and_nothing_of_quick_ones_is_lost_or_done_twice(db, open_page, send):
    at = send(open_page(), "wall", (1, "only", [2]), (2, "add", [3]))
    assert list(at.session_state["_map_marked"]) == [2, 3] and at.query_params["marked"]
    at = send(at, "wall", (2, "add", [3]), (3, "add", [5]), (4, "drop", [2]))
    assert list(at.session_state["_map_marked"]) == [3, 5]
    assert walls(at)["wall"]["selected"] == [3, 5] and walls(at)["wall"]["applied"] == ["me", 4]
    assert walls(at)["dock"]["selected"] == 2


def test_what_is_selected_on_one_page_is_so_on_another(db, open_page, send):
    at = send(open_page(), "wall", (1, "only", [2, 3]))
    at.switch_page("views/similar/similar.py").run()
    assert walls(at)["dock"]["selected"] == 2


def test_a_double_click_opens_the_card_and_a_tag_there_is_for_all_that_are_selected(db, open_page, send):
    at = send(open_page(), "wall", (1, "only", [2]), (2, "open", 2))
    assert at.session_state["image"] == 2 and walls(at)["picture_viewer"]["image"] == 2
    at = send(at, "wall", (3, "add", [3]), (4, "tag", 3))
    at.text_input(key="dialog_tag_words").set_value("boat, sea")
    next(button for button in at.button if button.label == "Tag 2 pictures").click().run()
    with connection.reading(db) as con:
        assert tags.of(con, [2, 3])["tags"].to_pylist() == [["boat", "sea"]] * 2
    assert walls(at.run())["dock"]["undo"] == "tag “boat” and “sea” on 2 pictures"


def test_remove_is_asked_once_and_undo_is_offered(db, open_page, send):
    at = send(open_page(), "wall", (1, "remove", 4))
    assert "python -m ingest prune" in "".join(each.value for each in at.markdown)
    at.button(key="dialog_remove").click().run()
    assert 4 not in [item["image"] for item in walls(at)["wall"]["items"]]
    assert walls(at)["dock"]["undo"] == "1 picture removed"
    with connection.reading(db) as con:
        assert 4 not in read.images(con)["image_id"].to_pylist()


def test_find_similar_with_several_searches_with_all_of_them(db, open_page, send):
    at = send(open_page(), "wall", (1, "only", [2, 3]), (2, "similar", 2))
    assert at.title[0].value == "Similar"
    assert at.session_state["image"] == 2 and at.session_state["like"] == (3,)


def test_what_was_removed_in_another_window_is_not_counted_as_selected(db, open_page):
    with connection.writing(db) as con:
        removals.remove(con, [1, 2])
    at = open_page(marked=packing.pack(np.array([1, 2, 3])))
    assert walls(at)["dock"]["selected"] == 1 and walls(at)["dock"]["words"] == "1 picture"
    at = open_page(marked=packing.pack(np.array([1, 2])))
    assert not walls(at)["dock"]["selected"] and not walls(at)["dock"]["actions"]


@pytest.mark.parametrize(("typed", "ending"), [("", "."), ([], ", and press Enter after it.")])
def test_an_empty_tag_is_asked_for_as_its_field_takes_it(monkeypatch, typed, ending):
    state = {"tag_words": typed}
    monkeypatch.setattr("streamlit.session_state", state)
    tagging.add(np.array([1]), "tag")
    assert state["_tag_problem"] == f"Type a tag first{ending}"


def test_a_cell_of_several_lines_keeps_them_in_its_field(db, open_page):
    column = next(name for name, kind in cache.metadata_columns(None).items() if kind == "text")
    cache.correct(2, column, "first line\nsecond line")
    at = open_page("picture", image=2)
    at.selectbox(key="correct_column").set_value(column).run()
    assert at.text_area(key=f"correct_text_2_{column}").value == "first line\nsecond line"


def test_a_year_is_corrected_in_the_picture_and_undone(db, open_page):
    at = open_page("picture", image=2)
    column = next(name for name, kind in cache.metadata_columns(None).items() if kind == "number")
    at.selectbox(key="correct_column").set_value(column).run()
    at.text_input(key=f"correct_text_2_{column}").set_value("no year")
    at.button(key="correct_save").click().run()
    assert "holds" in at.warning[0].value
    at.text_input(key=f"correct_text_2_{column}").set_value("1555")
    at.button(key="correct_save").click().run()
    assert any("corrected on" in each.value for each in at.caption)
    with connection.reading(db) as con:
        assert corrections.cells(con, 2)[column][0] == "1555"
    assert walls(at)["dock"]["undo"] == f"{column} corrected to “1555”"
    at.button(key=f"correct_back_{column}").click().run()
    assert cache.corrections_of(2).empty
