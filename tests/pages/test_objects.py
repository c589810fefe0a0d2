"""The page Objects: which crops it shows in which order, the filter, and the box on the picture that is opened."""

import base64

import numpy as np
import pytest

from store import connection, objects
from store.objects import ObjectRun, ProposedObjects
from store.records import FrameRecord
from tests.pages import database
from tests.support.pages import choose, html_of, walls

BOXES = np.array([[30, 10, 60, 40], [0, 0, 20, 20]])


def run_of(method="lost", most=2) -> ObjectRun:
    return ObjectRun(method, f"{method.upper()} · tiny", "tiny", "0" * 64, {"options": {"objects": most}})


def proposed(image_id: int, count: int, score: float) -> ProposedObjects:
    return ProposedObjects(
        frame=FrameRecord(image_id, 0, 0, 80, 60, 3, 4),
        boxes=BOXES[:count],
        scores=np.array([score, score - 0.25])[:count],
        areas=np.array([0.25, 0.5])[:count],
        seeds=np.zeros(count),
        cells=[np.arange(3)] * count,
        thumbnails=[(bytes([255, 216, image_id, place]), 30, 30) for place in range(count)],
    )


@pytest.fixture
def page(db, open_page):
    """The page on a database in which a run found objects in pictures 1 and 2, none in 3, and a later one in 1."""
    with connection.writing(db) as con:
        first = objects.add_run(con, 1, run_of())
        second = objects.add_run(con, 1, run_of("tokencut", 1))
        objects.add(con, first, proposed(1, 2, 0.5))
        objects.add(con, first, proposed(2, 2, 1.0))
        objects.add(con, first, proposed(3, 0, 0.0))
        objects.add(con, second, proposed(1, 1, 0.75))

    def open_(run=first, **query):
        at = open_page("objects", object_run=run, **query)
        assert not at.exception
        return at

    open_.runs = (first, second)
    return open_


def shown(at) -> list[tuple[int, int]]:
    """(image, object from 0) of the crops on the wall, by their bytes."""
    return [tuple(base64.b64decode(each["src"].partition(",")[2])[2:]) for each in walls(at)["object_wall"]["items"]]


def test_crops_stand_in_the_order_that_is_chosen(page):
    at = page()
    assert shown(at) == [(2, 0), (2, 1), (1, 0), (1, 1)]
    assert walls(at)["object_wall"]["items"][0]["caption"] == "1.00 · 25%"
    choose(at, "object_order", "area")
    assert shown(at) == [(1, 1), (2, 1), (1, 0), (2, 0)]
    choose(at, "object_order", "picture")
    assert shown(at) == [(1, 0), (1, 1), (2, 0), (2, 1)]
    choose(at, "object_first", True)
    assert shown(at) == [(1, 0), (2, 0)] and "object_first" in at.query_params


def test_the_page_says_how_many_and_what_a_score_is(page):
    text = html_of(page())
    assert "4 objects in 2 pictures; the run searched 3 pictures and found 4 objects" in text
    assert "more alike the patches of the object are to each other" in text and "LOST · tiny, run" in text


def test_a_search_that_is_not_through_says_so_and_can_go_on(page):
    at = page(page.runs[1])
    assert "1 of 6 pictures have been searched so far." in [each.value for each in at.markdown]
    assert any("ingest objects" in each.value for each in at.code) or at.button(key="objects_start")
    assert "searched so far" not in " ".join(each.value for each in page(page.runs[0]).markdown)


def test_the_filter_leaves_the_objects_of_its_pictures(page):
    at = page(where="image_id = 2")
    assert shown(at) == [(2, 0), (2, 1)] and "2 objects in 1 picture;" in html_of(at)
    empty = page(where="image_id = 99")
    assert "object_wall" not in walls(empty) and "No picture fits this filter" in empty.info[0].value
    without = page(where="image_id = 3")
    assert "In none of these pictures does anything stand out" in without.info[0].value


def test_the_newest_run_is_shown_at_first(db, page, open_page):
    at = open_page("objects")
    assert at.selectbox(key="object_run").value == page.runs[1] and shown(at) == [(1, 0)]


def test_a_crop_opens_its_picture_with_the_box_on_it(page):
    from dashboard.components.card import picture

    at = page()
    at.session_state["_card"] = 2
    at.session_state[picture._BOX] = (2, (0.25, 0.1, 0.5, 0.4))
    at.run()
    assert not at.exception
    assert walls(at)["picture_viewer"]["box"] == [0.25, 0.1, 0.5, 0.4]
    buttons = [button for button in at.button if str(button.key).startswith("object_draw_")]
    assert len(buttons) == 2
    buttons[1].click().run()
    assert at.session_state[picture._BOX][0] == 2


def test_what_can_be_done_with_pictures_is_there_for_those_of_the_objects(page):
    at = page(where="image_id = 2")
    assert any("**1** of 2 pictures" in each.value for each in at.markdown)
    assert at.get("button_group")[0].options  # pictures, table, tags …


def test_without_any_objects_the_page_says_what_to_type(db, open_page):
    at = open_page("objects")
    assert (
        not at.exception and f"python -m ingest objects {database.PAINTINGS} --collection paintings" in at.code[0].value
    )


def test_the_picture_page_lists_the_objects_of_its_picture(page, open_page, db):
    at = open_page("picture", image=2)
    assert not at.exception
    captions = [each.value for each in at.caption if "LOST" in each.value]
    assert captions == [
        f"LOST · tiny, run {page.runs[0]}, {rank}: {words}"
        for rank, words in ((1, "score 1.00, 25% of the picture"), (2, "score 0.75, 50% of the picture"))
    ]
